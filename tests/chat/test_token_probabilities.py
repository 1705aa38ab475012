"""The dice laid open: what may come next, and another token in the place of one that came."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from chat.panels.composer import handle_line
from chat.panels.dispatch import answer_query
from chat.panels.token_probabilities import PROMPTS, SHOWN
from gpt.sampling import SamplingParams
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_bytes, save_characters


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_characters(root / "checkpoints" / "short", ends=True)
    save_bytes(root / "checkpoints" / "noise", noise="\U0001f642é a")
    return root


def another(passage, at: int) -> int:
    """The likeliest token that does not stand there."""
    return next(each.id for each in passage.tokens[at].top if each.id != passage.tokens[at].id)


def fork_request(passage, at: int, token: int) -> dict:
    return {"ask": "fork", "passage": passage.id, "at": at, "token": token}


def test_the_odds_come_with_the_tokens(root):
    async def act(session, page):
        await session.write("Once")
        _, written = session.story.path
        seen = page.state["passages"]
        assert seen[0]["odds"] == []
        assert [float(f"{t.raw_probability:.3g}") for t in written.tokens] == seen[1]["odds"]
        sent = [odds for event, data in page.events for odds in data.get("odds", ())]
        assert sent == seen[1]["odds"]
        assert all(0 < odds <= 1 for odds in sent)
        # Words that were changed are nobody's dice.
        await session.act({"act": "edit", "passage": written.id, "text": " was"})
        assert page.state["passages"][1]["odds"] == []

    in_a_session(root, act)


def test_a_token_is_put_in_anothers_place_and_the_model_goes_on(root):
    async def act(session, page):
        await session.write("Once")
        said, whole = session.story.path
        token = another(whole, 4)
        await session.ask_for(fork_request(whole, 4, token))
        first, forked, on = session.story.path
        assert first == said
        assert forked.ids == (*whole.ids[:4], token)
        assert forked.tokens[:4] == whole.tokens[:4]
        assert forked.seed is None
        assert (on.author, on.model, len(on.tokens)) == ("model", "letters", 12)
        assert page.text == "Once" + forked.text + on.text
        assert page.state["passages"][1]["facts"]["seed"] is None
        assert whole in session.story.alternatives(forked.id)
        # It is one step.
        await handle_line(session, "/undo")
        assert session.story.path == (said, whole)
        await handle_line(session, "/redo")
        assert session.story.path == (first, forked, on)

    in_a_session(root, act)


def test_a_fork_that_is_stopped_stays(root):
    async def act(session, page):
        await session.write("Once")
        whole = session.story.last
        await session.change_settings({"max_new_tokens": "2000"})
        writing = asyncio.create_task(session.ask_for(fork_request(whole, 2, another(whole, 2))))
        while not any(draft.tokens for draft in session.drafts):
            await asyncio.sleep(0.01)
        # While it is written its dice can be looked at.
        on = {"query": "token", "passage": session.drafts[0].id, "at": 0}
        assert len((await answer_query(session, on))["top"]) == 10
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        _, forked, on = session.story.path
        assert len(forked.ids) == 3
        assert on.finish_reason == "stopped"

    in_a_session(root, act)


def test_a_fork_that_is_stopped_while_it_waits_stays_too(root):
    async def act(session, page):
        await session.write("Once")
        whole = session.story.last
        engine = (await session.engines.get(session.models["letters"])).engine
        many = SamplingParams(max_new_tokens=2000, n=8)
        others = [engine.submit([1], many) for _ in range(engine.max_batch // 8)]
        writing = asyncio.create_task(session.ask_for(fork_request(whole, 2, another(whole, 2))))
        while not session.drafts or not engine.waiting:
            await asyncio.sleep(0.01)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        for each in others:
            each.cancel()
        assert len(session.story.path) == 2
        assert len(session.story.last.ids) == 3

    in_a_session(root, act)


def test_the_model_that_wrote_goes_on_whichever_is_picked(root):
    async def act(session, page):
        await session.write("Once", model="letters")
        whole = session.story.last
        await session.ask_for(fork_request(whole, 2, another(whole, 2)), model="noise")
        assert [each.model for each in session.story.path] == ["letters"] * 3

    in_a_session(root, act)


@pytest.mark.parametrize("place", [-1, 999, "2", None, True])
def test_a_request_from_a_page_that_makes_no_sense_changes_nothing(root, place):
    async def act(session, page):
        await session.write("Once")
        before = session.story
        odd = {"ask": "fork", "passage": before.current, "at": place, "token": 999}
        await session.ask_for(odd)
        await session.ask_for({**odd, "passage": "nowhere", "at": 1})
        await session.ask_for({**odd, "passage": before.path[0].id, "at": 0})
        assert session.story is before
        assert len(page.said) == 3

    in_a_session(root, act)


def test_half_a_character_is_refused_and_a_whole_one_is_not(root):
    async def act(session, page):
        await handle_line(session, "/max 60")
        await session.write("a", model="noise")
        whole = session.story.last
        tokenizer = (await session.engines.get(session.models["noise"])).checkpoint.tokenizer
        at = next(at for at, token in enumerate(whole.tokens) if token.text and at)
        half, letter = (
            next(each.id for each in whole.tokens[at].top if tokenizer.pieces[each.id] == piece)
            for piece in (b"\xf0", b"a")
        )
        before = session.story
        if whole.tokens[at].id != half:
            await session.ask_for(fork_request(whole, at, half))
            assert "part of a character" in page.said[-1]
            assert session.story is before
        if whole.tokens[at].id != letter:
            await session.ask_for(fork_request(whole, at, letter))
            assert session.story.path[1].text.endswith("a")
        for passage in session.story.path[1:]:
            assert tokenizer.decode(passage.ids) == passage.text

    in_a_session(root, act)


def test_the_dice_that_are_shown_are_those_that_fall(root):
    async def act(session, page):
        await session.write("Once")
        await session.change_settings({"temperature": "1.3", "top_k": "7", "min_p": "0.01"})
        shown = await answer_query(session, {"query": "dice"})
        assert shown["model"] == "letters"
        assert len(shown["top"]) == SHOWN
        assert shown["kept"] <= 7
        assert shown["after"] == session.story.text
        await session.write("")
        token = session.story.last.tokens[0]
        assert shown["raw_entropy"] == pytest.approx(token.entropy, rel=1e-4)
        for one, other in zip(shown["top"], token.top, strict=False):
            assert (one["id"], one["text"]) == (other.id, other.text)
            assert one["raw_probability"] == pytest.approx(other.raw_probability, rel=1e-4)
            assert one["probability"] == pytest.approx(other.probability, rel=1e-4)

    in_a_session(root, act)


def test_a_moved_slider_asks_the_model_nothing_new(root):
    asked: list[list[int]] = []

    async def act(session, page):
        await session.write("Once")
        engine = (await session.engines.get(session.models["letters"])).engine
        logits = engine.logits
        engine.logits = lambda ids, **more: asked.append(ids) or logits(ids, **more)

        async def dice(**more) -> dict:
            return await answer_query(session, {"query": "dice", **more})

        cold = await dice(settings={"temperature": 0.3})
        hot = await dice(settings={"temperature": "1.9", "top_p": 1})
        assert len(asked) == 1
        assert cold["raw_entropy"] == hot["raw_entropy"]
        assert cold["entropy"] < hot["entropy"]
        assert hot["kept"] == hot["vocab_size"]
        assert (await dice(settings={"top_k": 1}))["kept"] == 1
        assert [each["value"] for each in cold["settings"]] == [0.3, 0, 0.95, 0, 1]
        # The words in the composer are read as they would be sent; a command is none.
        words = await dice(words=" and then ")
        assert words["after"].endswith(" and then")
        assert len(asked) == 2
        assert (await dice(words="/retry"))["after"] == session.story.text
        assert (await dice(words="/nothing"))["after"] == session.story.text
        assert (await dice(words="/with t=0.5 and then"))["settings"][0]["value"] == 0.5
        assert len(asked) == 2
        for word in range(PROMPTS + 2):
            await dice(words="a" * (word + 1))
        assert len(session.logits) == PROMPTS
        assert session.story.text not in ("", words["after"])

    in_a_session(root, act)


def test_dice_that_cannot_be_shown_say_why(root):
    async def act(session, page):
        async def why(**more) -> str:
            return (await answer_query(session, {"query": "dice", **more}))["error"]

        assert "0 to 2" in await why(settings={"temperature": 3})
        assert "no model “gone”" in await why(model="gone")
        assert "never saw é" in await why(words="é", model="letters")
        assert "penalty cannot be used" in await why(settings={"repetition_penalty": 1.2})
        await session.write("Once", model="short")
        # It goes on as if the end were not there; so do the dice.
        (end, *_) = (await answer_query(session, {"query": "dice"}))["top"]
        assert (end["text"], end["probability"]) == ("<|endoftext|>", 0)
        assert "top" in await answer_query(session, {"query": "dice", "words": "And"})

    in_a_session(root, act)
