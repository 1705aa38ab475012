"""Retry, takes, finish, edit, undo: what a writer does with a passage, over a real engine."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from chat.generate import request
from chat.generate.request import GenerationRequest, Variant
from chat.panels.composer import say
from chat.panels.dispatch import answer_query
from tests.chat.test_session import at_a_desk, read_by
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
    async def act(desk, page):
        await desk.write("Once")
        first = desk.story.last
        await say(desk, "/retry")
        second = desk.story.last
        assert [passage.text for passage in desk.story.path] == ["Once", second.text]
        assert second.text != first.text
        shown = page.state["passages"][-1]
        assert (shown["place"], shown["places"]) == (2, 2)
        await desk.act({"act": "step", "passage": second.id, "by": -1})
        assert desk.story.last == first
        assert page.text == "Once" + first.text
        await say(desk, "/next")
        assert desk.story.last == second
        await say(desk, "/next")
        assert "no alternative after" in page.said[-1]

    at_a_desk(root, act)


def test_a_retry_where_the_seed_is_set_takes_the_next_one(root):
    async def act(desk, page):
        await desk.write("Once")
        await say(desk, "/retry")
        await say(desk, "/retry")
        assert [each.seed for each in desk.story.alternatives(desk.story.current)] == [1, 2, 3]
        # Other settings have not written here yet.
        await say(desk, "/temp 1.5")
        await say(desk, "/retry")
        assert desk.story.last.seed == 1

    at_a_desk(root, act)


def test_a_retry_reads_what_the_first_one_read(root):
    async def act(desk, page):
        prompts = read_by((await desk.engines.get(desk.models["letters"])).engine)
        await desk.write("Once")
        first = desk.story.last
        await desk.write("")
        await desk.ask_for({"ask": "retry", "passage": first.id})
        assert prompts[0] == prompts[2] != prompts[1]
        # And back again, with all that had followed.
        await desk.act({"act": "step", "passage": desk.story.current, "by": -1})
        assert len(desk.story.path) == 3

    at_a_desk(root, act)


def test_a_greedy_retry_is_refused_with_a_way_out(root):
    async def act(desk, page):
        await say(desk, "/temp 0")
        await desk.write("Once")
        before = desk.story
        await say(desk, "/retry")
        assert desk.story is before
        assert "temperature 0" in page.said[-1]
        await say(desk, "/continue 3")
        assert len(desk.story.path) == 3
        assert page.state["takes"] == []
        assert any("all versions would be the same" in said for said in page.said)

    at_a_desk(root, act)


def test_takes_stand_side_by_side_until_one_is_picked(root):
    async def act(desk, page):
        await desk.write("Once")
        await say(desk, "/retry 3")
        base, first = desk.story.path
        takes = page.state["takes"]
        assert page.text == "Once"
        assert len(set(texts(takes))) == 3
        assert texts(takes)[0] == first.text
        assert [each.seed for each in desk.story.alternatives(first.id)] == [1, 2, 3, 4]
        await desk.act({"act": "pick", "passage": takes[2]["id"]})
        assert page.state["takes"] == []
        assert page.text == "Once" + texts(takes)[2]
        assert page.state["passages"][-1]["places"] == 4
        # The pick and the takes are two steps; then there is the first text alone.
        await say(desk, "/undo 2")
        assert page.state["passages"][-1]["places"] == 1
        assert base.text == "Once"

    at_a_desk(root, act)


def test_each_take_can_be_written_again_alone(root):
    async def act(desk, page):
        await desk.write("/with max=1 Once")
        await say(desk, "/continue 3")
        takes = desk.story.alternatives(desk.story.current)
        for take in takes:
            await desk.act({"act": "branch", "passage": take.parent})
            await desk.write(f"/with seed={take.seed}")
            assert desk.story.last.text == take.text

    at_a_desk(root, act)


def test_going_on_without_a_pick_takes_the_first(root):
    async def act(desk, page):
        await desk.write("Once")
        await say(desk, "/continue 2")
        first = texts(page.state["takes"])[0]
        await desk.write("And")
        assert page.state["takes"] == []
        assert texts(page.state["passages"])[2:4] == [first, " And"]

    at_a_desk(root, act)


def test_a_sentence_is_finished_and_no_further(root):
    async def act(desk, page):
        await say(desk, "/temp 1")
        for seed in range(5):
            await say(desk, f"/seed {seed}")
            await desk.write("/with max=1 A", model="sentences")
            if desk.story.text.endswith("."):
                continue
            await say(desk, "/finish", model="sentences")
            last = desk.story.last
            if last.finish_reason == "sentence":
                assert last.text.endswith(".")
                assert page.state["passages"][-1]["facts"]["ending"] == "finished the sentence"
                await say(desk, "/finish", model="sentences")
                assert "is finished" in page.said[-1]
            else:
                assert len(last.text) == 1 + 400
            tokenizer = (await desk.engines.get(desk.models["sentences"])).checkpoint.tokenizer
            assert tokenizer.decode(last.ids) == last.text == "".join(t.text for t in last.tokens)
        assert any(each.finish_reason == "sentence" for each in desk.story.passages)

    at_a_desk(root, act)


def test_a_loop_is_stopped_and_said_and_kept(root):
    async def act(desk, page):
        await desk.write("/with max=2048 a", model="one")
        last = desk.story.last
        assert last.finish_reason == "loop"
        assert 80 <= len(last.text) < 1000
        assert "round in a loop, “a”" in page.said[-1]
        assert "repeated itself" in page.state["passages"][-1]["facts"]["ending"]
        # Whoever wants more of it may have it.
        await desk.write("", model="one")
        assert len(desk.story.path) == 3

    at_a_desk(root, act)


def test_an_edit_keeps_the_rest_and_the_original(root):
    async def act(desk, page):
        await desk.write("Once")
        await desk.write("Then")
        first, wrote, then, last = desk.story.path
        await desk.act({"act": "edit", "passage": wrote.id, "text": " a cat\ud800."})
        assert page.text == "Once a cat\ufffd." + then.text + last.text
        assert [p["author"] for p in page.state["passages"]] == [
            "writer", "edited", "writer", "model",
        ]  # fmt: skip
        assert desk.story.last.moved
        await say(desk, "/previous")
        assert desk.story.path == (first, wrote, then, last)
        # The model does not know the letter: it says so, and nothing is lost.
        await say(desk, "/next")
        await desk.write("")
        assert "never saw" in page.said[-1]
        assert page.state["meter"] is None
        edited = desk.story.path[1]
        await desk.act({"act": "edit", "passage": edited.id, "text": " a dog."})
        await desk.write("")
        assert desk.story.text.startswith("Once a dog." + then.text + last.text)

    at_a_desk(root, act)


def test_a_branch_and_a_cut_go_on_from_there(root):
    async def act(desk, page):
        await desk.write("Once")
        await desk.write("Then")
        wrote = desk.story.path[1]
        await desk.act({"act": "branch", "passage": wrote.id})
        assert page.text == "Once" + wrote.text
        await desk.act({"act": "cut", "passage": wrote.id, "tokens": 5})
        assert page.text == "Once" + wrote.text[:5]
        assert page.state["passages"][-1]["facts"]["ending"] == "cut by you"
        # The tokens kept are the model's own, so it goes on as it would have.
        await desk.write("/with max=7 seed=1")
        assert desk.story.path[1].ids == wrote.ids[:5]

    at_a_desk(root, act)


def test_undo_and_redo_walk_over_everything(root):
    async def act(desk, page):
        seen = [desk.story]
        for line in ("Once", "", "/retry", "/previous", "/finish"):
            await say(desk, line)
            seen.append(desk.story)
        await desk.act({"act": "edit", "passage": desk.story.path[0].id, "text": "Twice"})
        seen.append(desk.story)
        assert (page.state["undo"], page.state["redo"]) == (len(seen) - 1, 0)
        for story in reversed(seen[:-1]):
            await say(desk, "/undo")
            assert desk.story == story
        await say(desk, "/undo")
        assert "nothing to take back" in page.said[-1]
        for story in seen[1:]:
            await say(desk, "/redo")
            assert desk.story == story
            assert page.text == story.text
        await say(desk, "/redo")
        assert "Nothing was taken back" in page.said[-1]

    at_a_desk(root, act)


@pytest.mark.parametrize(
    "wish",
    [
        {"ask": "retry"},
        {"ask": "continue"},
        {"ask": "continue", "takes": 4},
        {"ask": "finish"},
        {"ask": "retry", "takes": 3},
    ],
)
def test_a_stop_keeps_what_was_written_on_every_path(root, wish, monkeypatch):
    # A sentence that never ends, so that the stop comes before its end on any machine.
    monkeypatch.setattr(request, "FINISH_CHARS", 1000)

    async def act(desk, page):
        desk.model = "unending"
        await desk.write("Once")
        before = desk.story
        await say(desk, "/max 2048")
        asked = asyncio.create_task(desk.ask_for(wish))
        while not desk.drafts or not all(len(draft.tokens) > 5 for draft in desk.drafts):
            assert not asked.done()
            await asyncio.sleep(0.001)
        # While it writes nothing else changes the story.
        await desk.act({"act": "undo"})
        assert page.said[-1] == "Still writing: stop it first."
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        new = desk.story.passages[len(before.passages) :]
        assert len(new) == wish.get("takes", 1)
        assert all(len(passage.text) > 5 for passage in new)
        assert {passage.finish_reason for passage in new} <= {"stopped", "sentence"}
        assert texts(page.state["takes"]) == [each.text for each in new] or len(new) == 1
        # A stop is no end: it is taken back like anything else.
        await say(desk, "/undo")
        assert desk.story == before

    at_a_desk(root, act)


def test_a_retry_that_is_stopped_before_a_word_leaves_the_old_one(root):
    async def act(desk, page):
        await desk.write("Once")
        before = desk.story
        asked = asyncio.create_task(say(desk, "/retry"))
        await asyncio.sleep(0)
        asked.cancel()
        with suppress(asyncio.CancelledError):
            await asked
        assert desk.story == before
        assert page.text == before.text

    at_a_desk(root, act)


@pytest.mark.parametrize(
    ("wish", "said"),
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
def test_an_act_that_cannot_be_done_changes_nothing_and_says_why(root, wish, said):
    async def act(desk, page):
        await desk.write("Once")
        before = desk.story
        await desk.act(wish)
        if said is not None:
            assert desk.story is before
            assert said in page.said[-1]

    at_a_desk(root, act)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"ask": "retry", "takes": 9}, "1 to 8"),
        ({"ask": "retry", "takes": "2"}, "1 to 8"),
        ({"ask": "retry", "passage": {}}, "no passage"),
        ({"ask": "dance"}, "reload it"),
        ({"ask": "retry"}, "nothing yet"),
    ],
)
def test_a_wish_that_cannot_be_met_is_said(root, wish, said):
    async def act(desk, page):
        await desk.ask_for(wish)
        assert not desk.story.passages
        assert said in page.said[-1]

    at_a_desk(root, act)


def test_the_writers_own_words_are_not_retried(root):
    async def act(desk, page):
        await desk.write("Once")
        before = desk.story
        await desk.ask_for({"ask": "retry", "passage": before.path[0].id})
        assert "your own" in page.said[-1]
        assert desk.story is before

    at_a_desk(root, act)


def test_a_line_that_is_no_command_comes_back(root):
    async def act(desk, page):
        await say(desk, "/rettry 3")
        assert page.refused == ["/rettry 3"]
        await say(desk, "/temp 5")
        assert desk.tuning.standing(desk.usual())["temperature"] == 0.8
        await say(desk, "/temp 0.9")
        await say(desk, "/help")
        assert page.events[-1][0] == "story_help"
        await desk.write("//x")
        assert desk.story.path[0].settings == {}
        await say(desk, "//so")
        assert desk.story.path[-2].text.endswith("/so")

    at_a_desk(root, act)


def test_lanes_differ_in_what_is_asked_and_roll_the_same_dice(root):
    async def act(desk, page):
        lanes = (
            Variant(label="Cold", settings={"temperature": 0.1}),
            Variant(label="Hot", settings={"temperature": 1.9}),
            Variant(label="Other", model="sentences"),
        )
        await desk.ask(GenerationRequest(words="aA.", lanes=lanes, settings={"max_new_tokens": 9}))
        assert [take["label"] for take in page.state["takes"]] == ["Cold", "Hot", "Other"]
        written = [desk.story.passage(take["id"]) for take in page.state["takes"]]
        assert [each.settings["temperature"] for each in written] == [0.1, 1.9, 0.8]
        assert [each.model for each in written] == ["letters", "letters", "sentences"]
        assert {each.settings["max_new_tokens"] for each in written} == {9}
        assert len({each.seed for each in written}) == 1
        assert {each.parent for each in written} == {desk.story.path[0].id}
        # The same as it would have been alone.
        await desk.act({"act": "undo"})
        assert desk.story.text == ""
        alone = {"temperature": 1.9, "seed": written[1].seed, "max_new_tokens": 9}
        await desk.ask(GenerationRequest(words="aA.", settings=alone))
        assert desk.story.last.text == written[1].text

    at_a_desk(root, act)


def test_a_lane_of_a_model_that_is_gone_is_refused(root):
    async def act(desk, page):
        await desk.ask(
            GenerationRequest(
                words="a", lanes=(Variant(label="A"), Variant(label="B", model="gone"))
            )
        )
        assert "no model “gone”" in page.said[-1]
        assert desk.story.passages == ()

    at_a_desk(root, act)


def test_a_lane_whose_model_cannot_read_the_story_is_named(root):
    async def act(desk, page):
        await desk.ask(
            GenerationRequest(
                words="xyz", lanes=(Variant(label="A"), Variant(label="B", model="one"))
            )
        )
        assert "“one” never saw x y z" in page.said[-1]
        assert page.refused == ["xyz"]

    at_a_desk(root, act)


def test_all_lanes_stop_together_and_keep_what_they_wrote(root):
    async def act(desk, page):
        lanes = (Variant(label="A"), Variant(label="B", model="sentences"))
        ask = GenerationRequest(words="a", lanes=lanes, settings={"max_new_tokens": 2000})
        writing = asyncio.create_task(desk.ask(ask))
        while not all(draft.tokens for draft in desk.drafts) or not desk.drafts:
            assert not writing.done()
            await asyncio.sleep(0.01)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        assert [take["facts"]["ending"] for take in page.state["takes"]] == ["stopped by you"] * 2
        while desk.engines.active:
            await asyncio.sleep(0.01)

    at_a_desk(root, act)


@pytest.mark.parametrize("way", ["button", "command"])
def test_a_ladder_writes_at_five_temperatures_from_one_seed_in_one_batch(root, way):
    sizes: list[int] = []

    async def act(desk, page):
        await desk.write("Once")
        base = desk.story.current
        generator = (await desk.engines.get(desk.models["letters"])).engine._generator
        forward = generator._forward
        generator._forward = lambda rows: sizes.append(len(rows)) or forward(rows)
        if way == "button":
            await desk.ask_for({"ask": "ladder"})
        else:
            await say(desk, "/ladder")
        labels = [f"Temperature {t}" for t in ("0.2", "0.5", "0.8", "1.0", "1.3")]
        assert [take["label"] for take in page.state["takes"]] == labels
        written = [desk.story.passage(take["id"]) for take in page.state["takes"]]
        assert [each.settings["temperature"] for each in written] == [0.2, 0.5, 0.8, 1.0, 1.3]
        assert len({each.seed for each in written}) == 1
        assert {each.parent for each in written} == {base}
        assert max(sizes) == 5
        await desk.act({"act": "pick", "passage": written[3].id})
        assert desk.story.last == written[3]
        assert page.state["passages"][-1]["places"] == 5

    at_a_desk(root, act)


def test_a_token_is_looked_at_with_its_dice(root):
    async def act(desk, page):
        await desk.write("Once")
        first = desk.story.last.tokens[0]
        found = await answer_query(desk, {"query": "token", "passage": desk.story.current, "at": 0})
        assert found["text"] == first.text
        assert found["probability"] == first.probability
        assert [each["text"] for each in found["top"]] == [each.text for each in first.top]
        assert (
            "no such token"
            in (await answer_query(desk, {"query": "token", "passage": "x"}))["error"]
        )
        assert "reload" in (await answer_query(desk, {"query": "nothing"}))["error"]

    at_a_desk(root, act)
