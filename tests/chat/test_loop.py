"""Retry, takes, finish, edit, undo: what a writer does with a passage, over a real engine."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from chat.generate import resolve
from chat.generate.request import GenerationRequest, Variant
from chat.panels.composer import handle_line
from chat.panels.dispatch import answer_query
from tests.chat.test_session import in_a_session, read_by
from tests.support.tiny_checkpoint import save_characters


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_characters(root / "checkpoints" / "short", ends=True)
    save_characters(root / "checkpoints" / "unending", letters="Oncehalf ,")
    save_characters(root / "checkpoints" / "one", letters="a")
    save_characters(root / "checkpoints" / "sentences", letters="aA. ")
    return root


def texts(passages) -> list[str]:
    return ["".join(passage["tokens"]) for passage in passages]


def test_a_retry_keeps_the_old_one_and_the_arrows_bring_it_back(root):
    async def act(session, page):
        await session.write("Once")
        first = session.story.last
        await handle_line(session, "/retry")
        second = session.story.last
        assert [passage.text for passage in session.story.path] == ["Once", second.text]
        assert second.text != first.text
        shown = page.state["passages"][-1]
        assert (shown["place"], shown["places"]) == (2, 2)
        await session.act({"act": "step", "passage": second.id, "by": -1})
        assert session.story.last == first
        assert page.text == "Once" + first.text
        await handle_line(session, "/next")
        assert session.story.last == second
        await handle_line(session, "/next")
        assert "no alternative after" in page.said[-1]

    in_a_session(root, act)


def test_a_retry_where_the_seed_is_set_takes_the_next_one(root):
    async def act(session, page):
        await session.write("Once")
        await handle_line(session, "/retry")
        await handle_line(session, "/retry")
        assert [each.seed for each in session.story.alternatives(session.story.current)] == [
            1,
            2,
            3,
        ]
        # Other settings have not written here yet.
        await handle_line(session, "/temp 1.5")
        await handle_line(session, "/retry")
        assert session.story.last.seed == 1

    in_a_session(root, act)


def test_a_retry_reads_what_the_first_one_read(root):
    async def act(session, page):
        prompts = read_by((await session.engines.get(session.models["letters"])).engine)
        await session.write("Once")
        first = session.story.last
        await session.write("")
        await session.ask_for({"ask": "retry", "passage": first.id})
        assert prompts[0] == prompts[2] != prompts[1]
        # And back again, with all that had followed.
        await session.act({"act": "step", "passage": session.story.current, "by": -1})
        assert len(session.story.path) == 3

    in_a_session(root, act)


def test_a_greedy_retry_is_refused_with_a_way_out(root):
    async def act(session, page):
        await handle_line(session, "/temp 0")
        await session.write("Once")
        before = session.story
        await handle_line(session, "/retry")
        assert session.story is before
        assert "temperature 0" in page.said[-1]
        await handle_line(session, "/continue 3")
        assert len(session.story.path) == 3
        assert page.state["takes"] == []
        assert any("all versions would be the same" in said for said in page.said)

    in_a_session(root, act)


def test_takes_stand_side_by_side_until_one_is_picked(root):
    async def act(session, page):
        await session.write("Once")
        await handle_line(session, "/retry 3")
        base, first = session.story.path
        takes = page.state["takes"]
        assert page.text == "Once"
        assert len(set(texts(takes))) == 3
        assert texts(takes)[0] == first.text
        assert [each.seed for each in session.story.alternatives(first.id)] == [1, 2, 3, 4]
        await session.act({"act": "pick", "passage": takes[2]["id"]})
        assert page.state["takes"] == []
        assert page.text == "Once" + texts(takes)[2]
        assert page.state["passages"][-1]["places"] == 4
        # The pick and the takes are two steps; then there is the first text alone.
        await handle_line(session, "/undo 2")
        assert page.state["passages"][-1]["places"] == 1
        assert base.text == "Once"

    in_a_session(root, act)


def test_each_take_can_be_written_again_alone(root):
    async def act(session, page):
        await session.write("/with max=1 Once")
        await handle_line(session, "/continue 3")
        takes = session.story.alternatives(session.story.current)
        for take in takes:
            await session.act({"act": "branch", "passage": take.parent})
            await session.write(f"/with seed={take.seed}")
            assert session.story.last.text == take.text

    in_a_session(root, act)


def test_going_on_without_a_pick_takes_the_first(root):
    async def act(session, page):
        await session.write("Once")
        await handle_line(session, "/continue 2")
        first = texts(page.state["takes"])[0]
        await session.write("And")
        assert page.state["takes"] == []
        assert texts(page.state["passages"])[2:4] == [first, " And"]

    in_a_session(root, act)


def test_a_sentence_is_finished_and_no_further(root):
    async def act(session, page):
        await handle_line(session, "/temp 1")
        for seed in range(5):
            await handle_line(session, f"/seed {seed}")
            await session.write("/with max=1 A", model="sentences")
            if session.story.text.endswith("."):
                continue
            await handle_line(session, "/finish", model="sentences")
            last = session.story.last
            if last.finish_reason == "sentence":
                assert last.text.endswith(".")
                assert page.state["passages"][-1]["facts"]["ending"] == "finished the sentence"
                await handle_line(session, "/finish", model="sentences")
                assert "is finished" in page.said[-1]
            else:
                assert len(last.text) == 1 + 400
            tokenizer = (
                await session.engines.get(session.models["sentences"])
            ).checkpoint.tokenizer
            assert tokenizer.decode(last.ids) == last.text == "".join(t.text for t in last.tokens)
        assert any(each.finish_reason == "sentence" for each in session.story.passages)

    in_a_session(root, act)


def test_a_loop_is_stopped_and_said_and_kept(root):
    async def act(session, page):
        await session.write("/with max=2048 a", model="one")
        last = session.story.last
        assert last.finish_reason == "loop"
        assert 80 <= len(last.text) < 1000
        assert "round in a loop, “a”" in page.said[-1]
        assert "repeated itself" in page.state["passages"][-1]["facts"]["ending"]
        # Whoever wants more of it may have it.
        await session.write("", model="one")
        assert len(session.story.path) == 3

    in_a_session(root, act)


def test_an_edit_keeps_the_rest_and_the_original(root):
    async def act(session, page):
        await session.write("Once")
        await session.write("Then")
        first, wrote, then, last = session.story.path
        await session.act({"act": "edit", "passage": wrote.id, "text": " a cat\ud800."})
        assert page.text == "Once a cat\ufffd." + then.text + last.text
        assert [p["author"] for p in page.state["passages"]] == [
            "writer", "edited", "writer", "model",
        ]  # fmt: skip
        assert session.story.last.moved
        await handle_line(session, "/previous")
        assert session.story.path == (first, wrote, then, last)
        # The model does not know the letter: it says so, and nothing is lost.
        await handle_line(session, "/next")
        await session.write("")
        assert "never saw" in page.said[-1]
        assert page.state["meter"] is None
        edited = session.story.path[1]
        await session.act({"act": "edit", "passage": edited.id, "text": " a dog."})
        await session.write("")
        assert session.story.text.startswith("Once a dog." + then.text + last.text)

    in_a_session(root, act)


def test_a_branch_and_a_cut_go_on_from_there(root):
    async def act(session, page):
        await session.write("Once")
        await session.write("Then")
        wrote = session.story.path[1]
        await session.act({"act": "branch", "passage": wrote.id})
        assert page.text == "Once" + wrote.text
        await session.act({"act": "cut", "passage": wrote.id, "tokens": 5})
        assert page.text == "Once" + wrote.text[:5]
        assert page.state["passages"][-1]["facts"]["ending"] == "cut by you"
        # The tokens kept are the model's own, so it goes on as it would have.
        await session.write("/with max=7 seed=1")
        assert session.story.path[1].ids == wrote.ids[:5]

    in_a_session(root, act)


def test_undo_and_redo_walk_over_everything(root):
    async def act(session, page):
        seen = [session.story]
        for line in ("Once", "", "/retry", "/previous", "/finish"):
            await handle_line(session, line)
            seen.append(session.story)
        await session.act({"act": "edit", "passage": session.story.path[0].id, "text": "Twice"})
        seen.append(session.story)
        assert (page.state["undo"], page.state["redo"]) == (len(seen) - 1, 0)
        for story in reversed(seen[:-1]):
            await handle_line(session, "/undo")
            assert session.story == story
        await handle_line(session, "/undo")
        assert "nothing to take back" in page.said[-1]
        for story in seen[1:]:
            await handle_line(session, "/redo")
            assert session.story == story
            assert page.text == story.text
        await handle_line(session, "/redo")
        assert "Nothing was taken back" in page.said[-1]

    in_a_session(root, act)


@pytest.mark.parametrize(
    "asked",
    [
        {"ask": "retry"},
        {"ask": "continue"},
        {"ask": "continue", "takes": 4},
        {"ask": "finish"},
        {"ask": "retry", "takes": 3},
    ],
)
def test_a_stop_keeps_what_was_written_on_every_path(root, asked, monkeypatch):
    # A sentence that never ends, so that the stop comes before its end on any machine.
    monkeypatch.setattr(resolve, "FINISH_CHARS", 1000)

    async def act(session, page):
        session.model = "unending"
        await session.write("Once")
        before = session.story
        await handle_line(session, "/max 2048")
        writing = asyncio.create_task(session.ask_for(asked))
        while not session.drafts or not all(len(draft.tokens) > 5 for draft in session.drafts):
            assert not writing.done()
            await asyncio.sleep(0.001)
        # While it writes nothing else changes the story.
        await session.act({"act": "undo"})
        assert page.said[-1] == "Still writing: stop it first."
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        new = session.story.passages[len(before.passages) :]
        assert len(new) == asked.get("takes", 1)
        assert all(len(passage.text) > 5 for passage in new)
        assert {passage.finish_reason for passage in new} <= {"stopped", "sentence"}
        assert texts(page.state["takes"]) == [each.text for each in new] or len(new) == 1
        # A stop is no end: it is taken back like anything else.
        await handle_line(session, "/undo")
        assert session.story == before

    in_a_session(root, act)


def test_a_retry_that_is_stopped_before_a_word_leaves_the_old_one(root):
    async def act(session, page):
        await session.write("Once")
        before = session.story
        asked = asyncio.create_task(handle_line(session, "/retry"))
        await asyncio.sleep(0)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        assert session.story == before
        assert page.text == before.text

    in_a_session(root, act)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"act": "edit", "passage": "nowhere", "text": "x"}, "no passage nowhere"),
        ({"act": "cut", "passage": "nowhere", "tokens": 1}, "no passage"),
        ({"act": "step", "passage": "last", "by": 1}, "No passage has an alternative"),
        ({"act": "pick", "passage": 4}, "reload it"),
        ({"act": "burn"}, "reload it"),
        ({}, "reload it"),
        ({"act": "undo", "count": "many"}, None),
    ],
)
def test_an_act_that_cannot_be_done_changes_nothing_and_says_why(root, asked, said):
    async def act(session, page):
        await session.write("Once")
        before = session.story
        await session.act(asked)
        if said is not None:
            assert session.story is before
            assert said in page.said[-1]

    in_a_session(root, act)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"ask": "retry", "takes": 9}, "1 to 8"),
        ({"ask": "retry", "takes": "2"}, "1 to 8"),
        ({"ask": "retry", "passage": {}}, "no passage"),
        ({"ask": "dance"}, "reload it"),
        ({"ask": "retry"}, "nothing yet"),
    ],
)
def test_a_request_that_cannot_be_met_is_said(root, asked, said):
    async def act(session, page):
        await session.ask_for(asked)
        assert not session.story.passages
        assert said in page.said[-1]

    in_a_session(root, act)


def test_the_writers_own_words_are_not_retried(root):
    async def act(session, page):
        await session.write("Once")
        before = session.story
        await session.ask_for({"ask": "retry", "passage": before.path[0].id})
        assert "your own" in page.said[-1]
        assert session.story is before

    in_a_session(root, act)


def test_a_line_that_is_no_command_comes_back(root):
    async def act(session, page):
        await handle_line(session, "/rettry 3")
        assert page.refused == ["/rettry 3"]
        await handle_line(session, "/temp 5")
        assert session.tuning.standing(session.usual())["temperature"] == 0.8
        await handle_line(session, "/temp 0.9")
        await handle_line(session, "/help")
        assert page.events[-1][0] == "story_help"
        await session.write("//x")
        assert session.story.path[0].settings == {}
        await handle_line(session, "//so")
        assert session.story.path[-2].text.endswith("/so")

    in_a_session(root, act)


def test_variants_differ_in_what_is_asked_and_roll_the_same_dice(root):
    async def act(session, page):
        variants = (
            Variant(label="Cold", settings={"temperature": 0.1}),
            Variant(label="Hot", settings={"temperature": 1.9}),
            Variant(label="Other", model="sentences"),
        )
        await session.ask(
            GenerationRequest(words="aA.", variants=variants, settings={"max_new_tokens": 9})
        )
        assert [take["label"] for take in page.state["takes"]] == ["Cold", "Hot", "Other"]
        written = [session.story.passage(take["id"]) for take in page.state["takes"]]
        assert [each.settings["temperature"] for each in written] == [0.1, 1.9, 0.8]
        assert [each.model for each in written] == ["letters", "letters", "sentences"]
        assert {each.settings["max_new_tokens"] for each in written} == {9}
        assert len({each.seed for each in written}) == 1
        assert {each.parent for each in written} == {session.story.path[0].id}
        # The same as it would have been alone.
        await session.act({"act": "undo"})
        assert session.story.text == ""
        alone = {"temperature": 1.9, "seed": written[1].seed, "max_new_tokens": 9}
        await session.ask(GenerationRequest(words="aA.", settings=alone))
        assert session.story.last.text == written[1].text

    in_a_session(root, act)


def test_a_variant_of_a_model_that_is_gone_is_refused(root):
    async def act(session, page):
        await session.ask(
            GenerationRequest(
                words="a", variants=(Variant(label="A"), Variant(label="B", model="gone"))
            )
        )
        assert "no model “gone”" in page.said[-1]
        assert session.story.passages == ()

    in_a_session(root, act)


def test_a_variant_whose_model_cannot_read_the_story_is_named(root):
    async def act(session, page):
        await session.ask(
            GenerationRequest(
                words="xyz", variants=(Variant(label="A"), Variant(label="B", model="one"))
            )
        )
        assert "“one” never saw x y z" in page.said[-1]
        assert page.refused == ["xyz"]

    in_a_session(root, act)


def test_all_variants_stop_together_and_keep_what_they_wrote(root):
    async def act(session, page):
        variants = (Variant(label="A"), Variant(label="B", model="sentences"))
        request = GenerationRequest(words="a", variants=variants, settings={"max_new_tokens": 2000})
        writing = asyncio.create_task(session.ask(request))
        while not all(draft.tokens for draft in session.drafts) or not session.drafts:
            assert not writing.done()
            await asyncio.sleep(0.01)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        assert [take["facts"]["ending"] for take in page.state["takes"]] == ["stopped by you"] * 2
        while session.engines.active:
            await asyncio.sleep(0.01)

    in_a_session(root, act)


@pytest.mark.parametrize("way", ["button", "command"])
def test_a_ladder_writes_at_five_temperatures_from_one_seed_in_one_batch(root, way):
    sizes: list[int] = []

    async def act(session, page):
        await session.write("Once")
        base = session.story.current
        generator = (await session.engines.get(session.models["letters"])).engine._generator
        forward = generator._forward
        generator._forward = lambda rows, core: sizes.append(len(rows)) or forward(rows, core)
        if way == "button":
            await session.ask_for({"ask": "ladder"})
        else:
            await handle_line(session, "/ladder")
        labels = [f"Temperature {t}" for t in ("0.2", "0.5", "0.8", "1.0", "1.3")]
        assert [take["label"] for take in page.state["takes"]] == labels
        written = [session.story.passage(take["id"]) for take in page.state["takes"]]
        assert [each.settings["temperature"] for each in written] == [0.2, 0.5, 0.8, 1.0, 1.3]
        assert len({each.seed for each in written}) == 1
        assert {each.parent for each in written} == {base}
        assert max(sizes) == 5
        await session.act({"act": "pick", "passage": written[3].id})
        assert session.story.last == written[3]
        assert page.state["passages"][-1]["places"] == 5

    in_a_session(root, act)


def test_a_token_is_looked_at_with_its_dice(root):
    async def act(session, page):
        await session.write("Once")
        first = session.story.last.tokens[0]
        found = await answer_query(
            session, {"query": "token", "passage": session.story.current, "at": 0}
        )
        assert found["text"] == first.text
        assert found["probability"] == first.probability
        assert [each["text"] for each in found["top"]] == [each.text for each in first.top]
        assert (
            "no such token"
            in (await answer_query(session, {"query": "token", "passage": "x"}))["error"]
        )
        assert "reload" in (await answer_query(session, {"query": "nothing"}))["error"]

    in_a_session(root, act)
