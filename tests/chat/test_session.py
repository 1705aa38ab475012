"""A session over a real engine and a tiny model, without a page: what a writer asks for happens."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from chat.models import Listing, find_models, read_listing
from chat.models.engines import Engines
from chat.panels.composer import handle_line
from chat.session import Session
from chat.story import Story
from chat.story.library import Kept
from gpt.checkpoint import CheckpointError
from gpt.checkpoint.hub import HubName
from tests.support.tiny_checkpoint import save_bytes, save_characters


class RecordingPage:
    """A page that remembers what it was told, and redraws the story from that alone."""

    def __init__(self) -> None:
        self.events: list[tuple[str, dict]] = []
        self.said: list[str] = []
        self.state: dict = {}

    async def emit(self, event, data) -> None:
        self.events.append((event, dict(data)))
        if event == "story_state":
            self.state = dict(data)
        if event == "story_delta":
            shown = self.state["takes"] or self.state["passages"][-1:]
            last = next(each for each in shown if each["id"] == data["passage"])
            assert data["from"] == len(last["tokens"])
            last["tokens"] = [*last["tokens"], *data["tokens"]]
            last["odds"] = [*last["odds"], *data["odds"]]
        if event in ("story_delta", "story_meter"):
            self.state["meter"] = data["meter"]

    async def tell(self, message, kind="info") -> None:
        self.said.append(message)

    async def offer(self, models, model, presets, preset, dials) -> None:
        self.offered = ([*models], model, [*presets], preset)
        self.dials = {each["name"]: each for each in dials}

    @property
    def text(self) -> str:
        return "".join("".join(passage["tokens"]) for passage in self.state["passages"])

    @property
    def refused(self) -> list[str]:
        return [data["words"] for event, data in self.events if event == "story_refused"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_characters(root / "checkpoints" / "short", ends=True)
    save_characters(root / "checkpoints" / "lower", letters="abcdefghijklmnopqrstuvwxyz .\n")
    return root


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another thread does; a busy machine may take its time."""
    deadline_s = time.monotonic() + 60
    while not true() and time.monotonic() < deadline_s:
        await asyncio.sleep(0.005)


def read_by(engine) -> list[list[int]]:
    """The prompts that come to `engine` from now on."""
    prompts: list[list[int]] = []
    submit = engine.submit
    engine.submit = lambda prompt, *rest, **more: (
        prompts.append(prompt) or submit(prompt, *rest, **more)
    )
    return prompts


def in_a_session(root: Path, act: Callable[[Session, RecordingPage], Awaitable[None]]) -> None:
    """Run `act` at a new session whose settings are short and seeded."""

    async def run() -> None:
        engines, page = Engines(), RecordingPage()
        try:
            session = Session(page, engines, lambda: find_models(root, extra=""))
            await session.change_settings({"max_new_tokens": "12", "seed": "1"})
            await act(session, page)
            await until(lambda: engines.active == 0)
            assert (engines.active, engines.waiting) == (0, 0)
            assert not session.writing
        finally:
            engines.close()

    asyncio.run(run())


async def begin_anew(session: Session) -> None:
    """A blank page with the same settings."""
    await session.take(Kept(story=Story(), settings=session.tuning.chosen, model=session.model))


def test_the_reply_goes_on_from_the_words_and_does_not_repeat_them(root):
    async def act(session, page):
        await session.write("Once upon")
        writer, model = session.story.path
        assert (writer.author, writer.text) == ("writer", "Once upon")
        assert model.author == "model"
        assert 0 < len(model.text) <= 12
        assert page.text == session.story.text == "Once upon" + model.text

    in_a_session(root, act)


def test_the_next_words_go_on_from_the_whole_story_as_it_was_written(root):
    async def act(session, page):
        loaded = await session.engines.get(session.models["letters"])
        prompts = read_by(loaded.engine)
        await session.write("Once")
        await session.write("Then")
        eos = loaded.checkpoint.tokenizer.eos_id
        first, wrote, then, _ = session.story.path
        assert prompts == [[eos, *first.ids], [eos, *first.ids, *wrote.ids, *then.ids]]
        assert loaded.checkpoint.tokenizer.decode(prompts[1]) == first.text + wrote.text + then.text

    in_a_session(root, act)


def test_the_same_seed_writes_the_same_text_and_another_one_another(root):
    texts = []

    async def act(session, page):
        for words in ("/with seed=7 Once", "/with seed=7 Once", "/with seed=8 Once"):
            await begin_anew(session)
            await session.write(words)
            texts.append(session.story.text)
            assert session.story.last.seed == int(words[11])

    in_a_session(root, act)
    assert texts[0] == texts[1] != texts[2]


def test_a_seed_that_nobody_chose_is_drawn_and_kept(root):
    async def act(session, page):
        await session.change_settings({"seed": ""})
        await session.write("Once")
        seed = session.story.last.seed
        assert page.state["passages"][-1]["facts"]["seed"] == str(seed)
        text = session.story.text
        await begin_anew(session)
        await session.write(f"/with seed={seed} Once")
        assert session.story.text == text

    in_a_session(root, act)


@pytest.mark.parametrize("words", ["", "   ", "\t"])
def test_empty_words_begin_a_fresh_story_and_then_continue_it(root, words):
    async def act(session, page):
        await session.write(words)
        assert [passage.author for passage in session.story.path] == ["model"]
        await session.write(words)
        assert [passage.author for passage in session.story.path] == ["model", "model"]
        assert page.refused == page.said == []

    in_a_session(root, act)


def test_a_trailing_space_is_left_out_and_said(root):
    async def act(session, page):
        await session.write("Once ")
        assert session.story.path[0].text == "Once"
        assert "space at the end" in page.said[0]

    in_a_session(root, act)


@pytest.fixture(scope="module")
def of_bytes(tmp_path_factory) -> Path:
    """A model whose tokens are no characters, so that words are completed."""
    root = tmp_path_factory.mktemp("bytes")
    save_bytes(root / "checkpoints" / "bytes", noise="abcdefg ")
    return root


def test_a_word_before_a_space_is_whole_to_whoever_writes_on_from_there(of_bytes):
    async def act(session, page):
        for words, whole in (("He sat on the ma", False), ("He sat on the mat ", True)):
            for add in (False, True):
                await begin_anew(session)
                if add:
                    await session.act({"act": "add", "text": words})
                await session.write("" if add else words)
                await session.ask_for({"ask": "retry", "passage": "last"})
                # Once more after a restart.
                story = Story.from_dict(json.loads(json.dumps(session.story.to_dict())))
                await session.take(Kept(story=story, settings={}, model=session.model))
                await session.ask_for({"ask": "retry", "passage": "last"})
                takes = session.story.alternatives(session.story.last.id)
                assert [each.settings["heal"] for each in takes] == [not whole] * 3, (words, add)

    in_a_session(of_bytes, act)


def test_a_take_that_completed_a_word_counts_among_those_of_its_seed(of_bytes):
    """As one of an older version does, which did not know that the word was whole."""

    async def act(session, page):
        await session.write("He sat on the mat ")
        story = session.story
        passages = [
            replace(each, settings={**each.settings, "heal": True}) if each.settings else each
            for each in story.passages
        ]
        older = replace(story, passages=tuple(passages))
        chosen = session.tuning.chosen
        await session.take(Kept(story=older, settings=chosen, model=session.model))
        await session.ask_for({"ask": "retry", "passage": "last"})
        assert session.story.last.seed == story.last.seed + 1

    in_a_session(of_bytes, act)


def test_characters_the_model_never_saw_are_listed_and_nothing_is_lost(root):
    async def act(session, page):
        await session.write("Once")
        before = session.story
        await session.write("naïve 你\u200b")
        assert session.story is before
        assert page.refused == ["naïve 你\u200b"]
        assert "ï 你 U+200B" in page.said[-1]
        assert page.text == before.text

    in_a_session(root, act)


def test_typographic_marks_are_read_as_a_typewriters_and_stay_in_the_story(tmp_path):
    save_characters(tmp_path / "checkpoints" / "lower", letters="abcdefghijklmnopqrstuvwxyz .\n")
    save_characters(tmp_path / "checkpoints" / "plain", letters='It\'s "so" - he said. Oh')

    async def act(session, page):
        await session.write("/with max=2 “Oh – it’s", model="plain")
        told = [each for each in page.said if "typewriter" in each]
        assert told == [
            "“plain” knows only a typewriter’s marks, so it reads ’ as ', “ as \", – as -. "
            "The story keeps yours."
        ]
        assert page.text.startswith("“Oh – it’s")
        loaded = await session.engines.get(session.models["plain"])
        prompt = session.story.prompt_ids("plain", loaded.tokenizer)
        assert loaded.tokenizer.decode(prompt).startswith("\"Oh - it's")
        # Said once in a story, whatever comes into it; what has no plain form there is refused.
        await session.write("/with max=2 ”", model="plain")
        assert sum("typewriter" in each for each in page.said) == 1
        await session.write("/with max=2 Oh…", model="plain")
        assert page.text.count("…") == 1
        await session.write("so — so 你", model="plain")
        assert page.said[-1].startswith("“plain” never saw 你")
        # Another one has no such marks at all.
        await session.write("", model="lower")
        assert "“lower” never saw “ " in page.said[-1]

    in_a_session(tmp_path, act)


def test_another_model_reads_the_story_in_its_own_tokens(root):
    async def act(session, page):
        await session.write("/with max=1 once", model="lower")
        await session.write("Then", model="letters")
        assert [passage.model for passage in session.story.path] == [
            "lower", "lower", "letters", "letters",
        ]  # fmt: skip
        # The first model has no capitals: it cannot read on, and says which.
        await session.write("", model="lower")
        assert "never saw" in page.said[-1]
        assert "T" in page.said[-1]
        assert len(session.story.path) == 4

    in_a_session(root, act)


def test_a_model_is_known_by_its_name_alone(root):
    async def act(session, page):
        await session.write("Once", model="../checkpoints/letters")
        assert page.refused == ["Once"]
        assert not session.story.passages

    in_a_session(root, act)


def test_a_stop_keeps_the_text_and_frees_the_place(root):
    async def act(session, page):
        await session.change_settings({"max_new_tokens": "2048"})
        writing = asyncio.create_task(session.write("Once"))
        while len(page.state.get("passages", [])) < 2 or len(page.text) < 30:
            await asyncio.sleep(0.005)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        last = session.story.last
        assert last.finish_reason == "stopped"
        assert len(last.text) >= 26
        assert page.text == session.story.text
        # It can be read on from: the ids say what the text says.
        loaded = await session.engines.get(session.models["letters"])
        assert loaded.checkpoint.tokenizer.decode(last.ids) == last.text

    in_a_session(root, act)


def test_a_page_that_fell_behind_gets_just_what_it_lacks(root):
    async def act(session, page):
        await session.change_settings({"max_new_tokens": "300"})
        writing = asyncio.create_task(session.write("Once"))
        while not session.drafts or len(session.drafts[0].tokens) < 20:
            await asyncio.sleep(0.005)
        page.events.clear()
        await session.sync(session.revision, 5)
        event, data = next(each for each in page.events if each[0] == "story_delta")
        assert (event, data["from"]) == ("story_delta", 5)
        await writing

    # This page checks that deltas meet, so the repeated one is taken by a deaf one.
    class DeafPage(RecordingPage):
        async def emit(self, event, data):
            self.events.append((event, dict(data)))

    async def run():
        engines, page = Engines(), DeafPage()
        session = Session(page, engines, lambda: find_models(root, extra=""))
        await act(session, page)
        page.events.clear()
        await session.sync(session.revision - 1, 5)
        assert [event for event, _ in page.events] == ["story_state"]
        # One that has the story hears what is told without it.
        page.events.clear()
        await session.sync(session.revision, 0)
        assert page.events == [
            ("story_kept", {"unsaved": ""}),
            ("story_meter", {"meter": session.meter}),
            ("story_status", {"status": "", "writing": False}),
        ]
        engines.close()

    asyncio.run(run())


def test_a_story_beyond_the_window_goes_on_and_it_is_said(root):
    async def act(session, page):
        words = "a" * 100
        await session.write(words)
        meter = page.state["meter"]
        assert meter["window"] == 64
        assert meter["story"] == len(session.story.text)
        assert meter["used"] == meter["story"] + 1 - 64 or meter["used"] <= 64
        # Characters: what is out of sight is all but the tokens in sight.
        assert meter["unseen"] == len(session.story.text) - meter["used"]
        assert sum("outgrown the 64 tokens" in said for said in page.said) == 1

    in_a_session(root, act)


def test_a_setting_out_of_range_is_named_and_the_others_are_set(root):
    async def act(session, page):
        before = session.tuning.chosen
        assert not await session.change_settings({"temperature": "9", "max_new_tokens": "0"})
        assert session.tuning.chosen == before
        assert await session.change_settings({"temperature": "1.5", "max_new_tokens": "0"})
        assert session.tuning.chosen == {**before, "temperature": 1.5}
        assert "1 to 2048" in page.said[-1]
        assert "The others are set." in page.said[-1]

    in_a_session(root, act)


def test_what_was_used_stands_with_the_passage(root):
    async def act(session, page):
        await session.write("/with t=1.3 k=5 max=3 Once")
        facts = page.state["passages"][-1]["facts"]
        said = {each["name"]: each["value"] for each in facts["settings"]}
        assert said["temperature"] == "1.3"
        assert (said["top_k"], said["min_p"], said["max_new_tokens"]) == ("5", "Off", "3")
        assert (facts["model"], facts["seed"], facts["tokens"]) == ("letters", "1", 3)
        assert facts["ending"] == "reached its length"
        # For that message alone.
        await session.write("")
        assert session.story.last.settings["temperature"] == 0.8

    in_a_session(root, act)


def test_a_story_that_was_kept_comes_back_with_its_settings_and_model(root):
    kept: list[Kept] = []

    async def act(session, page):
        session.keep = kept.append
        await session.write("once", model="lower")
        await session.change_settings({"temperature": "1.5"})
        past, chosen = session.history.past, session.tuning.chosen
        assert kept[-1] == Kept(story=session.story, settings=chosen, model="lower", past=past)
        # The writer's words are kept before the model has written any.
        assert [passage.author for passage in kept[0].story.path] == ["writer"]
        other = Session(page, session.engines, session.find_models)
        await other.take(kept[-1])
        assert (other.story, other.tuning.chosen, other.model) == (
            session.story,
            session.tuning.chosen,
            "lower",
        )
        assert page.text == session.story.text
        assert page.state["meter"] is None
        sent = len(page.events)
        await other.warm_up()
        assert page.state["meter"]["story"] == len(session.story.text)
        # The story may be long, and is there already.
        assert [event for event, _ in page.events[sent:]] == ["story_meter"]

    in_a_session(root, act)


def test_what_a_model_wrote_so_far_is_kept_while_it_writes_on(root, monkeypatch):
    monkeypatch.setattr("chat.session.KEEP_S", 0.0)
    kept: list[Kept] = []

    async def act(session, page):
        await session.change_settings({"max_new_tokens": "300"})
        session.keep = kept.append
        await session.write("Once")
        so_far = [each for each in kept if each.partial]
        assert so_far[0].story.path[-1].finish_reason is None
        whole = session.story.last
        for each in so_far:
            writer, model = each.story.path
            assert (writer.author, model.id) == ("writer", whole.id)
            assert whole.text.startswith(model.text)
            assert each.past == session.history.past
        assert (kept[-1].story, kept[-1].partial) == (session.story, False)
        # The same text once more may be no other version.
        kept.clear()
        await session.ask_for({"ask": "again", "passage": whole.id})
        assert not any(each.partial for each in kept)

    in_a_session(root, act)


def test_a_story_whose_model_has_gone_is_opened_with_another(root):
    async def act(session, page):
        kept = Kept(story=Story(), settings={"temperature": 9}, model="gone")
        before = (session.tuning.chosen, session.model)
        await session.take(kept)
        assert (session.tuning.chosen, session.model) == before
        assert "out of range" in page.said[-1]

    in_a_session(root, act)


def test_without_a_model_it_is_said_how_to_train_one(tmp_path):
    async def act(session, page):
        await session.write("Once")
        assert "train.pretrain" in page.said[-1]
        assert page.refused == ["Once"]

    in_a_session(tmp_path, act)


def test_a_model_that_cannot_be_read_is_said_and_the_words_are_kept(tmp_path):
    folder = save_characters(tmp_path / "checkpoints" / "broken")
    (folder / "model.safetensors").write_bytes(b"nonsense")

    async def act(session, page):
        await session.write("Once")
        assert page.refused == ["Once"]
        assert "broken" in page.said[-1]

    in_a_session(tmp_path, act)


def test_a_story_that_ended_says_so_and_the_writer_may_go_on(root):
    async def act(session, page):
        await session.write("Once", model="short")
        assert page.state["ended"]
        assert page.state["passages"][-1]["facts"]["ending"] == "came to its end"
        assert session.story.text == "Once"
        # The end itself is no token of the story; the model goes on as if it were not there.
        await session.write("")
        (_, end, anyway) = session.story.path
        assert (end.finish_reason, end.text) == ("end", "")
        assert anyway.text
        await session.ask_for({"ask": "again", "passage": anyway.id})
        assert "The same again, to the letter." in page.said[-1]
        await session.act({"act": "undo"})
        await session.write("But")
        assert session.story.text == "Once\nBut"

    in_a_session(root, act)


def test_a_model_on_the_hub_is_fetched_when_it_is_asked_for_and_the_page_says_so(root: Path):
    here = read_listing("ada/far", root / "checkpoints" / "letters")
    assert here
    fetched: list[Listing] = []

    def fetch(listing: Listing) -> Listing:
        fetched.append(listing)
        if len(fetched) == 1:
            raise CheckpointError("the Hub cannot be reached")
        return here

    async def run() -> None:
        engines, page = Engines(fetch=fetch), RecordingPage()
        far = replace(here, folder=Path("ada/far"), hub=HubName("ada/far"))
        session = Session(page, engines, lambda: {"ada/far": far})
        try:
            await session.change_settings({"max_new_tokens": "12"})
            await session.warm_up()
            assert fetched == []
            await session.write("Once")
            assert (page.said[-1], page.refused) == ("the Hub cannot be reached", ["Once"])
            await session.write("Once")
            assert page.text.startswith("Once")
            assert len(session.story.passages) == 2
        finally:
            engines.close()
        said = [data["status"] for event, data in page.events if event == "story_status"]
        assert said[0] == "downloading ada/far from the Hub, this once"

    asyncio.run(run())
    assert [listing.hub for listing in fetched] == [HubName("ada/far")] * 2


def test_one_s_own_words_are_added_without_the_model_and_taken_back(root):
    async def act(session, page):
        await handle_line(session, "/add Once upon a time.")
        await session.act({"act": "add", "text": "It was dark. "})
        assert [each.author for each in session.story.path] == ["writer", "writer"]
        assert session.story.text == "Once upon a time. It was dark."
        assert session.engines.active == 0
        await session.act({"act": "undo"})
        assert session.story.text == "Once upon a time."
        await session.act({"act": "add", "text": "  "})
        assert page.said[-1] == "There are no words to add."
        await session.write("")
        assert session.story.text.startswith("Once upon a time.")
        assert session.story.path[-1].author == "model"
        await session.act({"act": "add", "text": "x" * 3_000_000})
        assert "more than 3,000,000 characters" in page.said[-1]
        assert page.refused[-1] == "x" * 3_000_000

    in_a_session(root, act)


def test_words_to_be_added_while_a_model_writes_are_given_back(root):
    async def act(session, page):
        writing = asyncio.create_task(session.write("/with max=2048 Once"))
        while len(page.state.get("passages", [])) < 2:
            await asyncio.sleep(0.005)
        await session.act({"act": "add", "text": "Then"})
        assert page.refused == ["Then"]
        assert "Still writing" in page.said[-1]
        assert session.writing
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        assert "Then" not in session.story.text

    in_a_session(root, act)


def test_what_is_banned_is_a_setting_that_stands_with_the_passage(root):
    async def act(session, page):
        await handle_line(session, "/ban e, ab")
        assert page.said[-1] == "Banned words: e, ab, from now on."
        await session.write("/with end=off Once")
        passage = session.story.path[-1]
        assert (passage.settings["banned"], passage.settings["no_end"]) == ("e, ab", True)
        facts = page.state["passages"][-1]["facts"]["settings"]
        assert {"name": "banned", "label": "Banned words", "value": "e, ab"} in facts
        await session.ask_for({"ask": "again", "passage": passage.id})
        assert page.said[-1] == "The same again, to the letter."
        await handle_line(session, "/ban off")
        await session.write("")
        assert session.story.path[-1].settings["banned"] == "off"

    in_a_session(root, act)
