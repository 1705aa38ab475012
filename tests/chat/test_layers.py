"""Settings for one message, and the same again, over a real engine: what each applies to."""

import asyncio
import json
import random
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import pytest

from chat import settings
from chat.generate import resolve, takes
from chat.generate.request import GenerationRequest, Variant
from chat.models.saved_steps import step_listings
from chat.panels.composer import handle_line
from chat.panels.dispatch import answer_query
from chat.panels.settings import act_on_settings
from chat.story import Story
from chat.story.export import from_file, to_json
from chat.story.library import Kept
from gpt.decode.core import TorchCore
from gpt.engine import engine
from gpt.sampling import LIMITS
from gpt.text.sentences import FINISH_CHARS
from tests.chat.test_session import in_a_session, until
from tests.support.tiny_checkpoint import save_characters

SAME = "The same again, to the letter."


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_characters(root / "checkpoints" / "others", n_embd=24)
    save_characters(root / "checkpoints" / "one", letters="a")
    save_characters(root / "checkpoints" / "sentences", letters="aA. ")
    return root


def used(session) -> dict:
    last = session.story.last
    return {**last.settings, "seed": last.seed}


async def arm(session, **values) -> None:
    await act_on_settings(session, {"act": "once", "settings": values})


def test_a_message_is_written_with_the_chat_the_preset_the_armed_and_its_own_in_that_order(root):
    async def act(session, page):
        await session.change_settings({"top_k": 9, "min_p": 0.01, "top_p": 0.91})
        await handle_line(session, "/preset wild")
        wild = dict(session.tuning.preset.settings)
        await arm(session, top_p="0.8", temperature="1.1", min_p="0.3", seed="5")
        await session.write("/with min_p=0.4 Once")
        chat = {"top_k": 9, "repetition_penalty": 1, "max_new_tokens": 12, "finish_chars": 0}
        armed = {"top_p": 0.8, "temperature": 1.1, "seed": 5}
        expected = settings.as_made({**chat, **wild, **armed, "min_p": 0.4})
        assert used(session) == expected
        await session.write("")
        # There is no word of the writer's to complete.
        standing = session.tuning.standing(session.usual())
        assert used(session) == {**standing, "seed": 1, "heal": False}

    in_a_session(root, act)


# The model's own settings

OWN = {"temperature": 0.6, "top_p": 0.9, "max_new_tokens": 7}


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Path:
    """Two models with settings of their own, and one whose file nobody can use."""
    root = tmp_path_factory.mktemp("own")
    files = {"a": json.dumps(OWN), "b": '{"temperature": 1.2, "top_k": 5}', "c": '{"top_p": 7'}
    for name, text in files.items():
        save_characters(root / "checkpoints" / name)
        (root / "checkpoints" / name / "generation_config.json").write_text(text)
    return root


def with_models(own: Path, act) -> None:
    """Run `act` at a session that nobody has set anything at."""

    async def run(session, page):
        session.tuning.chosen = {}
        await act(session, page)

    in_a_session(own, run)


def test_what_nobody_set_is_as_the_model_has_it_and_follows_to_another_model(own):
    async def act(session, page):
        usual = {"temperature": 0.8, "top_k": 0, "top_p": 0.95, "max_new_tokens": 200}
        for model, has in (("a", OWN), ("b", {"temperature": 1.2, "top_k": 5}), ("c", {})):
            await session.write("/with max=3 Once", model=model)
            wanted = {**usual, **has, "max_new_tokens": 3}
            assert {name: used(session)[name] for name in wanted} == wanted
        await session.write("", model="a")
        assert used(session)["max_new_tokens"] == 7

    with_models(own, act)


def test_a_model_that_says_nothing_of_it_finishes_its_sentences_and_the_writer_can_forbid_it(own):
    async def act(session, page):
        for typed, used_then in (("", FINISH_CHARS), ("end=0 ", 0), ("end=30 ", 30)):
            await session.write(f"/with max=3 {typed}Once", model="b")
            assert used(session)["finish_chars"] == used_then
        await handle_line(session, "/end 7")
        await session.write("/with max=3 Once", model="b")
        assert used(session)["finish_chars"] == 7

    with_models(own, act)


def test_what_the_writer_set_stays_and_presets_and_messages_win_as_before(own):
    async def act(session, page):
        await handle_line(session, "/p 0.5")
        await handle_line(session, "/max 3")
        for model, temperature in (("a", 0.6), ("b", 1.2)):
            await session.write("Once", model=model)
            assert (used(session)["temperature"], used(session)["top_p"]) == (temperature, 0.5)
        await handle_line(session, "/preset careful")
        await session.write("/with k=9 Once", model="b")
        told = (used(session)["temperature"], used(session)["top_p"], used(session)["top_k"])
        assert told == (0.5, 0.9, 9)
        await handle_line(session, "/preset as set")
        await handle_line(session, "/p own")
        await session.write("Once", model="a")
        assert used(session)["top_p"] == 0.9

    with_models(own, act)


def test_the_panels_show_what_will_be_used_and_by_whom_it_was_set(own):
    async def shown(session, model):
        form = await answer_query(session, {"query": "tune", "model": model})
        return {each["name"]: (each["value"], each["by"]) for each in form["fields"]}

    async def act(session, page):
        await handle_line(session, "/p 0.5")
        await handle_line(session, "/preset story")
        await handle_line(session, "/max 9")
        await arm(session, seed="3")
        a, b = await shown(session, "a"), await shown(session, "b")
        assert a["temperature"] == b["temperature"] == ("1.0", "from “Story”")
        assert (a["max_new_tokens"], a["seed"]) == (("9", "set by you"), ("3", "for this message"))
        await handle_line(session, "/preset as set")
        a, b = await shown(session, "a"), await shown(session, "b")
        assert (a["temperature"][0], b["temperature"][0]) == ("0.6", "1.2")
        assert (a["temperature"][1], a["top_k"][1]) == ("the model's own", "as usual")
        assert page.dials["temperature"] == {
            "name": "temperature",
            "value": 0.6,
            "own": 0.6,
            "by": "the model's own",
        }
        told = await answer_query(session, {"query": "compare", "models": ["a", "b"]})
        assert told["settings"][0]["set"] == ["0.6", "1.2"]
        told = await answer_query(session, {"query": "dice", "model": "b", "words": "Once"})
        assert told["settings"][0]["value"] == 1.2

    with_models(own, act)


def test_a_form_sets_only_what_was_changed_in_it(own):
    async def act(session, page):
        def form(**changes) -> dict:
            return {**session.tuning.standing(session.usual()), **changes}

        await session.change_settings(form(top_k="40"))
        assert session.tuning.chosen == {"top_k": 40}
        # Back to what the model has, or emptied: the model's own again.
        await session.change_settings(form(top_k="", temperature=1.1))
        assert session.tuning.chosen == {"temperature": 1.1}
        await session.change_settings(form(temperature=0.6))
        assert session.tuning.chosen == {}
        # A preset that decides it gives way, and says so; one that does not stays.
        await handle_line(session, "/preset wild")
        await session.change_settings(form(max_new_tokens="5"))
        assert (session.tuning.picked, session.tuning.chosen) == ("Wild", {"max_new_tokens": 5})
        await session.change_settings(form(top_k="3"))
        assert session.tuning.picked == "As set"
        assert page.said[-1] == "Top-k: from now on. The rest stays as in “Wild”."
        await session.write("Once")
        assert (used(session)["top_k"], used(session)["temperature"]) == (3, 1.4)

    with_models(own, act)


def test_a_story_kept_before_models_had_settings_follows_its_model(own):
    async def act(session, page):
        old = {
            "temperature": 0.8,
            "top_k": 4,
            "top_p": 0.95,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "max_new_tokens": 200,
            "seed": None,
        }
        await session.take(Kept(story=session.story, settings=old, model="b"))
        assert session.tuning.chosen == {"top_k": 4}
        kept = session.kept(session.story)
        await session.take(Kept(story=session.story, settings={}, model="a"))
        assert session.tuning.chosen == {}
        await session.take(kept)
        assert (session.tuning.chosen, session.model) == ({"top_k": 4}, "b")

    with_models(own, act)


def test_two_models_are_compared_each_as_it_is_best(own):
    async def act(session, page):
        variants = (Variant(label="a", model="a"), Variant(label="b", model="b"))
        await session.ask(
            GenerationRequest(words="Once", variants=variants, settings={"max_new_tokens": 3})
        )
        written = [session.story.passage(take["id"]) for take in page.state["takes"]]
        assert [each.settings["temperature"] for each in written] == [0.6, 1.2]

    with_models(own, act)


@pytest.mark.parametrize("ask", ["continue", "retry"])
def test_what_is_armed_is_used_once_and_is_gone(root, ask):
    async def act(session, page):
        await session.write("Once")
        await arm(session, temperature="1.5")
        assert [each["value"] for each in page.state["tuning"]["once"]] == ["1.5"]
        await session.ask_for({"ask": ask})
        assert used(session)["temperature"] == 1.5
        assert page.state["tuning"]["once"] == []
        await session.ask_for({"ask": ask})
        assert (
            used(session)["temperature"]
            == session.tuning.standing(session.usual())["temperature"]
            == 0.8
        )

    in_a_session(root, act)


def test_a_sentence_is_finished_with_the_room_that_is_armed_for_it_and_no_length(root):
    async def act(session, page):
        for armed, room in (("3", 3), ("0", FINISH_CHARS)):
            await session.write("/with max=1 t=0 a", model="sentences")
            await arm(session, max_new_tokens="30", finish_chars=armed)
            await handle_line(session, "/finish", model="sentences")
            assert (used(session)["max_new_tokens"], used(session)["finish_chars"]) == (1, room)
            assert len(session.story.last.text) <= 1 + room

    in_a_session(root, act)


def test_a_message_that_is_refused_leaves_it_armed(root):
    async def act(session, page):
        await arm(session, temperature="1.5")
        for refused in ("Ünce", "/with t=9 Once", "/nonsense"):
            await handle_line(session, refused)
            assert page.state["tuning"]["once"]
        assert session.story.passages == ()
        await session.write("Once")
        assert used(session)["temperature"] == 1.5

    in_a_session(root, act)


@pytest.mark.parametrize("name", ["temperature", "top_k", "top_p", "min_p", "seed"])
def test_out_of_range_is_refused_with_the_range_and_what_was_armed_stays(root, name):
    async def act(session, page):
        await arm(session, max_new_tokens="5")
        await arm(session, **{name: "-1"})
        assert LIMITS[name].range in page.said[-1]
        assert session.tuning.once == {"max_new_tokens": 5}
        await session.write("Once")
        before = session.story
        await session.ask_for({"ask": "retry", "settings": {name: "-1"}})
        assert LIMITS[name].range in page.said[-1]
        assert session.story is before

    in_a_session(root, act)


def test_beside_a_value_out_of_range_the_others_are_armed(root):
    async def act(session, page):
        await arm(session, max_new_tokens="5")
        await arm(session, temperature="1.5", max_new_tokens="0", seed="3")
        assert "1 to 2048" in page.said[-1]
        assert "The others are set." in page.said[-1]
        assert session.tuning.once == {"temperature": 1.5, "max_new_tokens": 5, "seed": 3}
        assert page.state["tuning"]["once"]

    in_a_session(root, act)


def test_retry_with_is_filled_with_what_made_it_and_uses_what_it_is_given(root):
    async def act(session, page):
        await session.write("/with t=1.3 k=5 Once")
        first = session.story.last
        form = await answer_query(session, {"query": "tune", "passage": first.id})
        shown = {each["name"]: each["value"] for each in form["fields"]}
        assert (shown["temperature"], shown["top_k"], shown["seed"]) == ("1.3", "5", "")
        given = {**shown, "top_p": "0.5", "seed": str(2**62 + 1)}
        await session.ask_for({"ask": "retry", "passage": first.id, "settings": given})
        assert used(session) == {**first.settings, "top_p": 0.5, "seed": 2**62 + 1}
        assert first in session.story.alternatives(session.story.current)

    in_a_session(root, act)


# The same again


async def written(session, how: str) -> None:
    """Have the last passage written in one of the ways there are."""
    if how == "alone":
        await session.write("Once")
    elif how == "takes":
        await session.write("/with max=1 Once")
        await handle_line(session, "/continue 3")
        third = session.story.alternatives(session.story.current)[2]
        await session.act({"act": "pick", "passage": third.id})
    elif how == "variant":
        await session.write("/with max=1 Once")
        other = Variant(label="b", model="others", settings={"temperature": 1.4})
        await session.ask(GenerationRequest(variants=(Variant(label="a"), other)))
        second = session.story.alternatives(session.story.current)[1]
        await session.act({"act": "pick", "passage": second.id})
        assert session.story.last.model == "others"
    elif how == "retry":
        await session.write("Once")
        await handle_line(session, "/preset wild")
        await handle_line(session, "/retry")
    elif how == "window":
        await session.write("/with max=150 Once")
        assert page_is_full(session)
    elif how == "sentence":
        for seed in range(30):
            await session.write(f"/with max=1 seed={seed} A", model="sentences")
            await arm(session, temperature="1", max_new_tokens="40")
            await handle_line(session, "/finish", model="sentences")
            if session.story.last.finish_reason == "sentence":
                return
        pytest.fail("no sentence was finished")


def page_is_full(session) -> bool:
    return len(session.story.text) > session.models["letters"].block_size


@pytest.mark.parametrize("how", ["alone", "takes", "variant", "retry", "window", "sentence"])
def test_the_same_again_is_the_same_to_the_letter_and_no_new_alternative(root, how):
    async def act(session, page):
        await written(session, how)
        old, before, model = session.story.last, session.story, session.model
        # What is set now is not what made it.
        await handle_line(session, "/preset as set")
        await session.change_settings(
            {"temperature": 0.2, "top_k": 3, "max_new_tokens": 4, "seed": 9}
        )
        await arm(session, temperature="2", seed="3")
        sent = len(page.events)
        await session.ask_for({"ask": "again", "passage": old.id}, model="letters")
        assert page.said[-1] == SAME
        assert session.story == before
        # It was really written anew.
        news = [data for event, data in page.events[sent:] if event == "story_delta"]
        assert "".join(text for each in news for text in each["tokens"]).startswith(old.text)
        assert (session.model, session.tuning.once) == (model, {"temperature": 2, "seed": 3})

    in_a_session(root, act)


@pytest.mark.parametrize("seed", range(3))
def test_any_passage_of_a_story_can_be_written_the_same_again(root, seed):
    dice = random.Random(seed)

    async def act(session, page):
        await session.write("Once", model=dice.choice(["letters", "others"]))
        for _ in range(5):
            line = dice.choice(["/retry", "/continue", "Then", "/with t=1.5 k=7 And", "/retry 2"])
            await handle_line(session, f"/seed {dice.randrange(99)}")
            await handle_line(session, line, model=dice.choice(["letters", "others"]))
        before = session.story
        for each in before.path:
            if each.author == "model":
                await session.ask_for({"ask": "again", "passage": each.id})
                assert page.said[-1] == SAME
        assert session.story == before

    in_a_session(root, act)


def test_a_loop_ends_at_the_same_place_however_many_tokens_come_at_once(root, monkeypatch):
    def in_lots_of(size):
        async def batches(items, pause):
            lot = []
            async for item in items:
                lot.append(item)
                if len(lot) == size:
                    yield lot
                    lot = []
            if lot:
                yield lot

        return batches

    async def act(session, page):
        monkeypatch.setattr(takes, "in_batches", in_lots_of(1))
        await session.write("/with max=300 a", model="one")
        assert session.story.last.finish_reason == "loop"
        before = session.story
        monkeypatch.setattr(takes, "in_batches", in_lots_of(64))
        await handle_line(session, "/again")
        assert page.said[-1] == SAME
        assert session.story == before

    in_a_session(root, act)


def test_a_step_of_a_run_that_wrote_in_a_comparison_writes_it_again(tmp_path):
    save_characters(tmp_path / "runs" / "tale" / "best")
    save_characters(tmp_path / "runs" / "tale" / "steps" / "000100")
    save_characters(tmp_path / "checkpoints" / "letters")

    async def act(session, page):
        step = next(iter(set(step_listings(session.models)) - set(session.models)))
        await session.ask(GenerationRequest(words="a", variants=(Variant(label="x", model=step),)))
        assert session.story.last.model == step
        await handle_line(session, "/again")
        assert page.said[-1] == SAME

    in_a_session(tmp_path, act)


def test_a_passage_from_before_sentences_were_finished_is_written_the_same_again(root):
    async def act(session, page):
        await session.write("Once")
        data = session.story.to_dict()
        assert data["passages"][-1]["settings"].pop("finish_chars") == 0
        await session.take(session_kept(session, Story.from_dict(data)))
        await session.change_settings({"finish_chars": 40})
        assert used(session)["finish_chars"] == 0
        await handle_line(session, "/again")
        assert page.said[-1] == SAME
        # What went on just to the end of a sentence had no settings that would bring it again.
        data["passages"][-1]["finish_reason"] = "sentence"
        await session.take(session_kept(session, Story.from_dict(data)))
        await handle_line(session, "/again")
        assert "not kept with it" in page.said[-1]

    in_a_session(root, act)


def test_a_story_from_a_file_is_written_the_same_again(root):
    async def act(session, page):
        await session.write("Once")
        story = from_file("story.json", to_json(session.story))
        assert to_json(story) == to_json(session.story)
        passage = story.path[-1]
        await session.take(session_kept(session, story))
        await handle_line(session, "/again")
        assert page.said[-1] == SAME
        # One that says nothing of its settings is not guessed at.
        data = story.to_dict()
        data["passages"][-1]["settings"] = {"temperature": 0.5}
        await session.take(session_kept(session, type(story).from_dict(data)))
        before = session.story
        await handle_line(session, "/again")
        assert "settings" in page.said[-1]
        assert session.story == before
        assert passage.text == before.path[-1].text

    in_a_session(root, act)


# The core that wrote it


class OtherCore(TorchCore):
    """Draws the likeliest token but one: what it writes is never what PyTorch does."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.name = "numba bfloat16"

    def draw(self, logits, *arguments):
        return super().draw(-logits, *arguments)


@pytest.fixture
def other_core(monkeypatch) -> list:
    """What hands each engine its other core, as when it was compiled."""
    compiled: list = []

    def prepare(model, vocab_size, cache, use) -> Future:
        decided = Future()

        def hand_over() -> None:
            use(OtherCore(model, vocab_size, cache))
            decided.set_result(None)

        compiled.append(hand_over)
        return decided

    monkeypatch.setattr(engine, "prepare", prepare)
    monkeypatch.setattr(resolve, "CORE_S", 0.1)
    return compiled


def test_a_passage_notes_its_core_and_the_same_again_takes_that_one(root, other_core):
    async def act(session, page):
        await session.write("Once")
        first = session.story.last
        other_core[0]()
        await session.write("Then")
        second = session.story.last
        assert (first.core, second.core) == ("torch float32", "numba bfloat16")
        facts = [each["facts"] for each in page.state["passages"] if each["facts"]]
        assert [each["core"] for each in facts] == [first.core, second.core]
        story = from_file("story.json", to_json(session.story))
        for each in (first, second, replace(first, core=None)):
            await session.take(session_kept(session, with_passage(story, each)))
            before = session.story
            await session.ask_for({"ask": "again", "passage": each.id})
            assert page.said[-1] == SAME
            assert session.story == before
        # A retry is a new passage: the core of now writes it.
        await session.ask_for({"ask": "retry", "passage": first.id})
        assert session.story.last.core == "numba bfloat16"

    in_a_session(root, act)


def test_of_two_takes_that_are_compared_each_notes_its_own_core(root, other_core):
    async def act(session, page):
        await session.write("Once")
        other_core[0]()
        both = (Variant(label="a"), Variant(label="b", model="others"))
        await session.ask(GenerationRequest(variants=both))
        takes = session.story.alternatives(session.story.current)
        assert [each.core for each in takes] == ["numba bfloat16", "torch float32"]
        for each in takes:
            await session.ask_for({"ask": "again", "passage": each.id})
            assert page.said[-1] == SAME

    in_a_session(root, act)


def test_the_same_again_without_the_core_that_wrote_it_says_that_it_may_differ(root, other_core):
    async def act(session, page):
        await session.write("Once")
        other_core[0]()
        await session.write("Then")
        story = session.story
        session.engines.close()
        await session.ask_for({"ask": "again", "passage": story.last.id})
        assert page.said[-1] == (
            "This may differ: it was written with numba bfloat16, which is not here now, and this "
            "with torch float32. The old one is kept, see the arrows."
        )
        assert session.story.last.core == "torch float32"
        assert story.last in session.story.alternatives(session.story.current)

    in_a_session(root, act)


def test_what_is_to_be_the_same_again_waits_for_its_core_that_is_on_its_way(
    root, other_core, monkeypatch
):
    async def act(session, page):
        monkeypatch.setattr(resolve, "CORE_S", 60)
        await session.write("Once")
        other_core[0]()
        await session.write("Then")
        before = session.story
        session.engines.close()
        writing = asyncio.create_task(session.ask_for({"ask": "again", "passage": before.last.id}))
        await until(lambda: len(other_core) == 2)
        await asyncio.sleep(0.2)
        assert session.takes is None
        assert not writing.done()
        other_core[1]()
        await writing
        assert page.said[-1] == SAME

    in_a_session(root, act)


def with_passage(story: Story, passage) -> Story:
    passages = tuple(passage if each.id == passage.id else each for each in story.passages)
    return replace(story, passages=passages)


def session_kept(session, story):
    return Kept(story=story, settings=session.tuning.chosen, model=session.model)


def test_a_passage_whose_words_before_it_were_changed_says_so(root):
    async def act(session, page):
        await session.write("Once")
        await session.write("Then")
        wrote = session.story.path[1]
        assert not page.state["passages"][-1]["facts"]["moved"]
        await session.act({"act": "edit", "passage": wrote.id, "text": " a cat."})
        moved, edited = session.story.last, session.story.path[1]
        assert page.state["passages"][-1]["facts"]["moved"]
        before = session.story
        for passage, why in (
            (moved, "words before this passage were changed"),
            (edited, "changed by hand"),
            (before.path[0], "your own"),
        ):
            await session.ask_for({"ask": "again", "passage": passage.id})
            assert why in page.said[-1]
        assert session.story is before

    in_a_session(root, act)


def test_a_model_trained_anew_reads_the_words_and_both_texts_stay(tmp_path):
    folder = tmp_path / "checkpoints" / "letters"
    save_characters(folder)

    async def act(session, page):
        await session.write("Once", model="letters")
        old = session.story.last
        # The same name with other weights, and fewer letters: most ids are others.
        save_characters(folder, letters="ecnO zyx", n_embd=24)
        await handle_line(session, "/again")
        assert "trained anew" in page.said[-1]
        assert session.story.last.text != old.text
        assert old in session.story.alternatives(session.story.last.id)

    in_a_session(tmp_path, act)
