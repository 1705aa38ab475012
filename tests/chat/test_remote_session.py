"""A story that servers write: it shows, stops, retries and is kept as with the models here."""

import asyncio
import time
from dataclasses import replace

import pytest

from chat.generate.ghost import MOST_CHARS
from chat.models import find_models
from chat.models.engines import Engines
from chat.models.remote import engine as engines
from chat.models.remote.dialects import DIALECTS
from chat.models.remote.directory import Directory
from chat.models.remote.servers import Server
from chat.panels.dispatch import answer_query, run_command
from chat.session import Session
from chat.story import Story
from chat.story.export import from_file, to_json
from tests.chat.test_session import RecordingPage, until
from tests.support.api_server import opened, save_tales, serving
from tests.support.fake_engine import TEXT, fake_engine
from tests.support.tiny_checkpoint import save_characters

WORDS = "Once upon a time"


@pytest.fixture(scope="module")
def fake():
    with fake_engine() as server:
        yield server


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("project")
    save_tales(root / "checkpoints" / "tales")
    save_characters(root / "checkpoints" / "letters")  # it never ends by itself
    return root


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(engines, "PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr("chat.models.remote.connection._pause", lambda _: None)


def with_server(root, url, act, *, model="lab/fine", kind=None):
    """Run `act` at a new session that has a server called “lab”."""

    async def run():
        pool, page = Engines(), RecordingPage()
        directory = Directory([Server(name="lab", url=url, key="K3Y", kind=kind, patience_s=0.5)])
        await directory.ask()

        def find():
            return find_models(root, extra="", others=directory.listings)

        session = Session(page, pool, find)
        session.model = model
        await session.change_settings({"max_new_tokens": "40", "seed": "1"})
        try:
            await act(session, page)
            await until(lambda: pool.active == 0)
            assert (pool.active, pool.waiting, session.writing) == (0, 0, False)
            assert "K3Y" not in str(page.events) + str(page.said)
        finally:
            pool.close()

    asyncio.run(run())


def test_a_passage_notes_who_wrote_it_and_with_what(root, fake):
    async def act(session, page):
        await session.write(WORDS)
        passage = session.story.path[-1]
        assert page.text == session.story.text == WORDS + TEXT
        assert (passage.model, passage.core, passage.seed) == ("lab/fine", "vLLM at lab", 1)
        assert passage.finish_reason == "end"
        assert passage.ids == tuple(token.id for token in passage.tokens)
        assert page.state["passages"][-1]["odds"][0] == 0.607
        assert page.state["meter"]["about"] is True
        assert page.state["meter"]["unseen"] == 0
        assert from_file("story.json", to_json(session.story)).text == session.story.text

    with_server(root, fake.url, act)


def test_the_prompt_is_the_story_to_the_letter(root, fake):
    async def act(session, page):
        await session.write("Élan “vital” 🦊  two\n\n\tspaces")
        assert fake.asked[-1]["prompt"] == "Élan “vital” 🦊  two\n\n\tspaces"
        await session.write("And then")
        assert fake.asked[-1]["prompt"] == session.story.text.removesuffix(TEXT)

    with_server(root, fake.url, act)


@pytest.mark.parametrize(
    ("model", "kept", "said"),
    [
        ("hangs", " there was", "has sent nothing"),
        ("cut", " there was", "broke its answer off"),
        ("always-busy", "", "is busy (429)"),
        ("broken", "", "failed (500)"),
        ("garbage", " there was", "no answer of the completions API"),
        ("endless", " there was", "no answer of the completions API"),
    ],
)
def test_what_came_before_a_fault_stays_and_a_retry_writes_on(root, fake, model, kept, said):
    async def act(session, page):
        await session.write(WORDS)
        assert any(said in line for line in page.said)
        assert not any("Something went wrong on our side" in line for line in page.said)
        assert session.story.text == page.text == WORDS + kept
        if kept:
            assert session.story.path[-1].finish_reason == "failed"
        session.model = "lab/fine"
        await session.ask_for({"ask": "continue"}, model="lab/fine")
        assert session.story.text == WORDS + kept + TEXT

    with_server(root, fake.url, act, model=f"lab/{model}")


def test_a_server_that_went_away_is_said_and_the_words_stay(root):
    async def act(session, page):
        fake.up = False
        await session.write(WORDS)
        assert "“lab” broke the connection off" in page.said[-1]
        assert session.story.text == WORDS

    with fake_engine() as fake:
        with_server(root, fake.url, act)


def test_stop_ends_it_at_the_server_and_keeps_what_came(root, fake):
    async def act(session, page):
        gone = fake.gone
        writing = asyncio.ensure_future(session.write(WORDS))
        await until(lambda: session.drafts != [] and len(session.drafts[0].tokens) > 3)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await until(lambda: fake.gone == gone + 1)
        assert fake.gone == gone + 1
        passage = session.story.path[-1]
        assert passage.finish_reason == "stopped"
        assert TEXT.startswith(passage.text)

    with_server(root, fake.url, act, model="lab/slow")


def test_a_token_can_be_branched_at_in_another_process(root, fake):
    async def act(session, page):
        await session.write(WORDS)
        passage = session.story.path[-1]
        wolf = next(each.id for each in passage.tokens[0].top if each.text == " wolf")
        # As it is opened elsewhere: the tokens of this process are not known there.
        session.models["lab/fine"].remote.tokenizer._texts.clear()
        fork = {"ask": "fork", "passage": passage.id, "at": 0, "token": wolf}
        await session.ask_for(fork, model="lab/fine")
        assert session.story.text == WORDS + " wolf" + TEXT

    with_server(root, fake.url, act)


def test_same_again_comes_again_or_says_why_not(root, fake, monkeypatch):
    async def act(session, page):
        await session.write(WORDS)
        await session.ask_for({"ask": "again"})
        assert page.said[-1] == "The same again, to the letter."
        monkeypatch.setattr("tests.support.fake_engine.WORDS", [" Otherwise", " now."])
        await session.ask_for({"ask": "again"})
        assert "no server promises more" in page.said[-1]

    with_server(root, fake.url, act)


def test_a_server_without_a_seed_brings_nothing_again_and_says_so(root, fake, monkeypatch):
    monkeypatch.setitem(DIALECTS, "openai", replace(DIALECTS["openai"], seeds=None))

    async def act(session, page):
        assert "no seed" in session.models["lab/fine"].summary
        await session.write(WORDS)
        assert session.story.path[-1].seed is None
        await session.ask_for({"ask": "again"})
        assert "takes none" in page.said[-1]

    with_server(root, fake.url, act, kind="openai")


def test_what_the_server_cannot_do_is_said_and_noted_as_off(root, fake):
    async def act(session, page):
        await session.change_settings({"min_p": "0.1"})
        await session.write(WORDS)
        assert "cannot do this, so it is off: Min-p." in page.said[-1]
        assert session.story.path[-1].settings["min_p"] == 0
        assert "min_p" not in fake.asked[-1]
        # And it is shown as such wherever it could be set.
        await session.offer()
        assert page.dials["min_p"]["by"] == "not done by “lab”, whatever stands here"
        assert page.dials["top_p"]["by"] == "as usual"
        tune = await answer_query(session, {"query": "tune"})
        assert next(each for each in tune["fields"] if each["name"] == "min_p")["by"].startswith(
            "not"
        )

    with_server(root, fake.url, act, kind="ollama")


@pytest.mark.parametrize("kind", ["vllm", "openai"])
def test_going_on_after_the_end_is_asked_for_or_said_to_be_beyond_the_server(root, fake, kind):
    async def act(session, page):
        await session.write(WORDS)
        await session.ask_for({"ask": "continue"}, model="lab/fine")
        said = any("No end before the first word" in line for line in page.said)
        assert (fake.asked[-1].get("min_tokens"), said) == ((1, False), (None, True))[
            kind != "vllm"
        ]

    with_server(root, fake.url, act, kind=kind)


def test_takes_and_a_ladder_stand_side_by_side(root, fake):
    async def act(session, page):
        await session.ask_for({"ask": "continue", "words": WORDS, "takes": 3}, model="lab/fine")
        assert len(session.choice) == 3

    with_server(root, fake.url, act)


def test_the_dice_show_what_the_server_tells_and_what_it_does_not(root, fake):
    async def act(session, page):
        await session.write(WORDS)
        dice = await answer_query(session, {"query": "dice", "model": "lab/fine", "words": "And"})
        assert [(each["text"], each["probability"]) for each in dice["top"]] == [
            (" there", None),
            (" wolf", None),
        ]
        assert (dice["entropy"], dice["kept"], dice["vocab_size"]) == (None, None, None)

    with_server(root, fake.url, act)


def test_what_needs_the_weights_says_that_they_are_elsewhere(root, fake):
    async def act(session, page):
        await session.write(WORDS)
        passage = session.story.path[-1].id
        copied = await answer_query(session, {"query": "copied", "passage": passage})
        assert "nobody here knows what it learnt from" in copied["error"]
        card = await answer_query(session, {"query": "card", "model": "lab/fine"})
        facts = dict(card["facts"])
        assert facts["Program"] == "vLLM"
        assert "bits per byte" in facts["Not for it"]
        runs = await answer_query(session, {"query": "runs"})
        assert all(not each["key"].startswith("lab/") for each in runs["runs"])
        lines = (await answer_query(session, {"query": "models"}))["models"]
        assert next(each for each in lines if each["key"] == "lab/fine")["parameters"] is None
        assert (await run_command(session, {"command": "training_plan", "source": "lab/fine"}))[
            "error"
        ]

    with_server(root, fake.url, act)


def test_a_story_written_through_our_own_server_is_the_one_written_here(root):
    async def act(session, page):
        await session.change_settings({"max_new_tokens": "20", "finish_chars": "0"})
        await session.change_settings({"heal": False})
        await session.write("The old king", model="tales")
        here = session.story.path[-1]
        session.history = type(session.history)(Story())
        await session.write("The old king", model="lab/tales")
        there = session.story.path[-1]
        assert there.text == here.text
        assert there.core == "Inkling at lab"
        assert [round(each.raw_probability, 6) for each in there.tokens[:5]] == [
            round(each.raw_probability, 6) for each in here.tokens[:5]
        ]
        await session.ask_for({"ask": "again"})
        assert page.said[-1] == "The same again, to the letter."

    with serving([opened(root / "checkpoints" / "tales")]) as base:
        with_server(root, f"{base}/v1", act, model="tales")


def test_stop_and_retry_reach_our_own_server(root, monkeypatch):
    served = opened(root / "checkpoints" / "letters")
    step = served.engine._generator.step
    # So small a model has written all before anybody could stop it.
    monkeypatch.setattr(served.engine._generator, "step", lambda: [time.sleep(0.005), *step()][1:])

    async def act(session, page):
        await session.change_settings({"max_new_tokens": "2000", "seed": ""})
        writing = asyncio.ensure_future(session.write("The old king"))
        await until(lambda: session.drafts != [] and len(session.drafts[0].tokens) > 3)
        assert served.engine.active == 1
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await until(lambda: served.engine.active == 0)
        assert served.engine.active == 0
        stopped = session.story.path[-1]
        assert (stopped.finish_reason, page.text) == ("stopped", session.story.text)
        await session.change_settings({"max_new_tokens": "10"})
        await session.ask_for({"ask": "retry"})
        assert page.state["passages"][-1]["places"] == 2
        assert session.story.path[-1].text != stopped.text

    with serving([served]) as base:
        with_server(root, f"{base}/v1", act, model="lab/letters")


def test_ghost_text_asks_for_a_few_greedy_words_and_a_key_reaches_the_server(root, fake):
    async def act(session, page):
        request = {"query": "ghost", "words": WORDS}
        assert await answer_query(session, request) == {"text": " there was a fox."}
        assert fake.asked[-1]["prompt"] == WORDS
        assert fake.asked[-1]["temperature"] == 0
        assert fake.asked[-1]["max_tokens"] <= 1 + MOST_CHARS // 3
        gone = fake.gone
        slow = asyncio.create_task(answer_query(session, {**request, "model": "lab/slow"}))
        await until(lambda: fake.asked[-1]["model"] == "slow")
        assert await answer_query(session, {"query": "ghost"}) == {"text": ""}
        assert await slow == {"text": ""}
        await until(lambda: fake.gone == gone + 1)
        assert fake.gone == gone + 1
        assert await answer_query(session, {**request, "model": "lab/broken"}) == {"text": ""}
        assert page.said == []

    with_server(root, fake.url, act)
