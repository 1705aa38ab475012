"""Two write the same story on: names in sight or hidden, over real engines, without a page."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from chat.compare import contest
from chat.compare.votes import Ballot, Votes
from chat.panels.composer import handle_line
from chat.panels.dispatch import answer_query
from chat.session import Session
from chat.story import Passage
from chat.story.books import manuscript_of
from chat.story.export import WRITERS
from chat.story.library import Kept, Library
from tests.chat.test_session import RecordingPage, in_a_session
from tests.support.tiny_checkpoint import save_characters

MODELS = ("letters", "narrow")
TWO_MODELS = [{"model": "letters", "settings": {}}, {"model": "narrow", "settings": {}}]
TELLING = (*MODELS, "temperature", "seed", "Temperature", "rate", "0.2", "1.9", '"1"')
"""Nothing of this may reach a page before the choice."""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_characters(root / "checkpoints" / "narrow", block_size=16, n_layer=2)
    save_characters(root / "checkpoints" / "sparse", letters="abc ")
    save_characters(root / "runs" / "mine" / "best")
    for step in ("000010", "000020"):
        save_characters(root / "runs" / "mine" / "steps" / step, n_embd=2 * int(step[-2]) + 16)
    return root


def comparing(root: Path, act) -> None:
    """Run `act` at a session that keeps its votes."""

    async def with_votes(session, page):
        with kept(root) as ballot:
            session.votes = ballot
            await act(session, page)

    in_a_session(root, with_votes)


@contextmanager
def kept(root: Path):
    path = root / "votes.sqlite"
    path.unlink(missing_ok=True)
    votes, executor = Votes(path), ThreadPoolExecutor(1)
    yield Ballot(votes, "me", executor)
    executor.shutdown()
    votes.close()


def compare_request(contestants=TWO_MODELS, *, blind: object = False, **more) -> dict:
    return {"ask": "compare", "contestants": contestants, "blind": blind, **more}


def sent(page, since: int = 0) -> list[tuple[str, dict]]:
    """What went to the page, without the list of models that there are and what the writer set
    for both."""
    hidden = {"models": [], "model": "", "tuning": {}}
    events = [(event, {**data, **hidden}) for event, data in page.events[since:]]
    return [(event, {k: v for k, v in data.items() if k != "models"}) for event, data in events]


def test_two_models_write_side_by_side_from_one_seed_and_one_is_picked(root):
    async def act(session, page):
        await session.ask_for(compare_request(words="Once"))
        takes = page.state["takes"]
        assert [take["label"] for take in takes] == list(MODELS)
        written = [session.story.passage(take["id"]) for take in takes]
        assert [each.model for each in written] == list(MODELS)
        assert len({each.seed for each in written}) == 1
        assert page.state["contest"]["waits"] is False
        await session.act({"act": "pick", "passage": written[1].id})
        assert session.story.text == "Once" + written[1].text
        assert len(session.story.alternatives(written[1].id)) == 2
        # Once more, from there on.
        assert page.state["contest"] is not None
        await session.ask_for(compare_request())
        assert {each.parent for each in session.story.following} == set()
        assert session.story.passage(page.state["takes"][0]["id"]).parent == written[1].id
        assert await session.votes.all() == []

    comparing(root, act)


def test_two_settings_of_one_model_are_named_by_what_differs(root):
    async def act(session, page):
        cold = {"model": "letters", "settings": {"temperature": 0.2}}
        hot = {"model": "letters", "settings": {"temperature": "1.9", "top_k": 5}}
        await session.ask_for(compare_request([cold, hot], words="Once"))
        labels = [take["label"] for take in page.state["takes"]]
        assert labels == ["Temperature 0.2 · Top-k Off", "Temperature 1.9 · Top-k 5"]

    comparing(root, act)


def test_two_saved_steps_of_one_run_are_compared(root):
    async def act(session, page):
        steps = [{"model": f"mine@{step}", "settings": {}} for step in ("000010", "000020")]
        await session.ask_for(compare_request(steps, words="Once"))
        assert [take["label"] for take in page.state["takes"]] == ["mine@000010", "mine@000020"]

    comparing(root, act)


def test_a_blind_contest_that_was_kept_is_blind_again_and_its_vote_counts(root, tmp_path):
    async def act(session, page):
        library, kept = Library(tmp_path / "stories.sqlite"), []
        session.keep = kept.append
        await session.ask_for(compare_request(blind=True, words="Once"))
        before, shown = session.contest, page.state
        library.save("1", "me", kept[-1], new=True)
        other_page = RecordingPage()
        other = Session(
            other_page, session.engines, session.find_models, kept.append, votes=session.votes
        )
        await other.take(library.load("1", "me"))
        assert other_page.state["takes"] == shown["takes"]
        assert other_page.state["passages"] == shown["passages"]
        assert other_page.state["contest"] == shown["contest"]
        wire = json.dumps([sent(other_page), other_page.said])
        assert [each for each in TELLING if each in wire] == []
        # Kept once more it is no less.
        assert kept[-1].contest == session.contest.kept()
        assert kept[-1].story == session.contest.joined_story()
        await other.act({"act": "vote", "choice": "b"})
        (vote,) = await session.votes.all()
        assert (vote.choice, vote.a.model, vote.b.model) == ("b", *before.names)
        assert (vote.a.fingerprint, vote.b.fingerprint) == before.fingerprints
        assert other_page.state["contest"]["said"].startswith(f"A was {before.names[0]}, and B was")
        assert other.story.last == replace(before.passages[1], parent=before.story.current)
        assert kept[-1].contest is None
        # Where another window has gone on from one of them, they are passages like any other.
        gone_on = before.joined_story().append(Passage(author="writer", text=" on"))
        await other.take(Kept(story=gone_on, settings={}, model=None, contest=before.kept()))
        assert (other.contest, other.story) == (None, gone_on)

    comparing(root, act)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (compare_request([TWO_MODELS[0]] * 2), "Both would write the same"),
        (
            compare_request(
                [TWO_MODELS[0], {"model": "letters", "settings": {"temperature": 0.8}}]
            ),
            "the same",
        ),
        (compare_request([TWO_MODELS[0], {"model": "gone", "settings": {}}]), "no model “gone”"),
        (
            compare_request([TWO_MODELS[0], {"model": "sparse", "settings": {}}], words="Once"),
            "“sparse” never saw",
        ),
        (
            compare_request([TWO_MODELS[0], {"model": "sparse", "settings": {"top_p": 9}}]),
            "out of range",
        ),
        (
            compare_request([TWO_MODELS[0], {"model": "sparse", "settings": {"seed": 9}}]),
            "the same dice",
        ),
        (compare_request([TWO_MODELS[0]] * 3), "reload"),
        (compare_request([TWO_MODELS[0], {"model": 3, "settings": {}}]), "reload"),
        (compare_request(blind="yes"), "reload"),
        (compare_request(words={}), "reload"),
        ({"ask": "compare"}, "reload"),
    ],
)
def test_what_cannot_be_compared_is_said_and_changes_nothing(root, asked, said):
    async def act(session, page):
        await session.ask_for(asked)
        assert said in page.said[-1]
        assert not session.story.passages
        assert page.state["takes"] == []

    comparing(root, act)


@pytest.mark.parametrize(
    "contestants",
    [
        TWO_MODELS,
        [
            {"model": "letters", "settings": {"temperature": 0.2}},
            {"model": "letters", "settings": {"temperature": 1.9}},
        ],
    ],
)
def test_nothing_that_the_page_is_sent_tells_who_is_who(root, contestants, monkeypatch):
    monkeypatch.setattr(contest.secrets, "randbelow", lambda n: 0)

    async def act(session, page):
        await session.ask_for(compare_request(contestants, blind=True, words="Once", model=None))
        assert page.state["contest"] == {"blind": True, "waits": True, "said": ""}
        assert [take["label"] for take in page.state["takes"]] == ["A", "B"]
        assert all(len(take["tokens"]) == 1 for take in page.state["takes"])
        assert {(take["facts"], take["finish"]) for take in page.state["takes"]} == {(None, None)}
        assert [event for event, _ in page.events].count("story_delta") == 0
        # Whose window the story is measured by would tell as well.
        assert {data["meter"] for event, data in page.events if event == "story_state"} == {None}
        # Asking again, a query and an export tell no more.
        await session.sync(-1, 0)
        ids = [take["id"] for take in page.state["takes"]]
        answers = [
            await answer_query(session, {"query": name, "passage": id, "at": 0})
            for name in ("token", "copied")
            for id in ids
        ]
        files = [write(session.story) for write, _ in WRITERS.values()]
        files.append(manuscript_of(session.story).text)  # what books are made of
        texts = ["".join(take["tokens"]) for take in page.state["takes"]]
        assert not any(text in file for text in texts for file in files)
        wire = json.dumps([sent(page), page.said])
        assert [each for each in TELLING if each in wire] == []
        assert all("error" in answer for answer in answers)
        await session.act({"act": "vote", "choice": "b"})
        assert session.story.text == "Once" + texts[1]
        assert "letters" in json.dumps(sent(page))

    comparing(root, act)


@pytest.mark.parametrize(
    "mistake",
    [
        {"act": "redo"},
        {"act": "edit", "passage": "none", "text": "words"},
        {"act": "step", "passage": "last", "by": 7},
        {"act": "nonsense"},
        {"act": "vote", "choice": "both"},
    ],
)
def test_an_act_that_cannot_be_done_tells_no_names_and_the_round_goes_on(root, mistake):
    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        before = page.state
        await session.act(mistake)
        assert len(page.said) == 1
        assert not any(name in page.said[0] for name in MODELS)
        assert session.awaits_vote
        assert page.state == {**before, "revision": page.state["revision"]}
        await session.act({"act": "vote", "choice": "a"})
        assert session.contest.said.endswith("You chose A.")

    comparing(root, act)


def test_an_act_that_cannot_be_done_leaves_two_that_were_compared_to_be_picked_from(root):
    async def act(session, page):
        await session.ask_for(compare_request(words="Once"))
        before = page.state
        await session.act({"act": "redo"})
        assert page.said == ["Nothing was taken back."]
        assert page.state == {**before, "revision": page.state["revision"]}

    comparing(root, act)


def test_acts_of_two_windows_at_once_are_both_done(root):
    """The second comes while the first is still being told of: who was who."""

    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        tell = page.tell

        async def and_from_another_window(*told):
            page.tell = tell
            await session.act({"act": "add", "text": "Other"})

        page.tell = and_from_another_window
        await session.act({"act": "add", "text": "Mine"})
        own = [each.text.strip() for each in session.story.path if each.author == "writer"]
        assert own == ["Once", "Mine", "Other"]

    comparing(root, act)


def test_what_is_undone_after_a_restart_is_what_would_have_been_before(root):
    async def act(session, page):
        keeping = []
        session.keep = keeping.append
        await session.act({"act": "add", "text": "Before."})
        await session.ask_for(compare_request(blind=True, words="Once"))
        undo, saved = page.state["undo"], keeping[-1]
        await session.take(saved)
        assert page.state["undo"] == undo == 2
        assert keeping[-1].past == saved.past
        await session.act({"act": "undo"})
        assert session.story.text == "Before."

    comparing(root, act)


def test_the_library_holds_both_while_they_wait(root):
    async def act(session, page):
        stories = []
        session.keep = lambda kept: stories.append(kept.story)
        await session.ask_for(compare_request(blind=True, words="Once"))
        texts = ["".join(take["tokens"]) for take in page.state["takes"]]
        assert [each.text for each in stories[-1].passages] == ["Once", *texts]
        assert [each.text for each in session.story.passages] == ["Once"]

    comparing(root, act)


@pytest.mark.parametrize("swapped", [0, 1])
def test_the_order_is_shuffled_and_the_vote_knows_it(root, swapped, monkeypatch):
    monkeypatch.setattr(contest.secrets, "randbelow", lambda n: swapped)

    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        texts = ["".join(take["tokens"]) for take in page.state["takes"]]
        await session.act({"act": "vote", "choice": "b"})
        (vote,) = await session.votes.all()
        order = MODELS[::-1] if swapped else MODELS
        assert (vote.a.model, vote.b.model) == order
        assert (vote.a.text, vote.b.text) == tuple(texts)
        assert vote.a.fingerprint != vote.b.fingerprint
        assert vote.choice == "b"
        assert vote.prompt == "Once"
        assert vote.a.settings == vote.b.settings
        assert vote.a.settings["temperature"] == 0.8
        assert session.story.text == "Once" + texts[1]
        assert session.story.last.model == order[1]
        assert len(session.story.alternatives(session.story.current)) == 2
        assert page.state["contest"]["said"].startswith(f"A was {order[0]}, and B was {order[1]}.")
        # One vote, however often the button is pressed.
        await session.act({"act": "vote", "choice": "a"})
        assert "over" in page.said[-1]
        assert len(await session.votes.all()) == 1
        await session.act({"act": "undo"})
        assert session.story.text == ""

    comparing(root, act)


def test_a_tie_keeps_the_first_and_both_stay(root):
    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        first = "".join(page.state["takes"][0]["tokens"])
        await session.act({"act": "vote", "choice": "tie"})
        assert session.story.text == "Once" + first
        assert len(session.story.alternatives(session.story.current)) == 2
        assert [each.choice for each in await session.votes.all()] == ["tie"]

    comparing(root, act)


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ({"act": "undo"}, ""),
        ({"act": "reveal"}, None),
        ({"act": "step", "passage": "last", "by": 1}, None),
    ],
)
def test_to_leave_is_no_vote_and_loses_nothing(root, wanted, text):
    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        assert page.state["undo"] == 1
        await session.act(wanted)
        assert await session.votes.all() == []
        told = [*page.said, (page.state["contest"] or {}).get("said", "")]
        assert any("No vote" in each for each in told)
        if text is not None:
            assert session.story.text == text
            await session.act({"act": "redo"})
        assert len(session.story.passages) == 3

    comparing(root, act)


@pytest.mark.parametrize("choice", ["c", None, {}, ["a"]])
def test_a_vote_for_nobody_is_refused_and_the_round_waits_on(root, choice):
    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        await session.act({"act": "vote", "choice": choice})
        assert "reload" in page.said[-1]
        assert page.state["contest"]["waits"]

    comparing(root, act)


def test_who_writes_on_is_asked_to_choose_first_and_keeps_the_words(root):
    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        await handle_line(session, "and then")
        assert page.refused == ["and then"]
        assert "Choose first" in page.said[-1]
        assert page.state["contest"]["waits"]
        await session.act({"act": "vote", "choice": "a"})
        await handle_line(session, "and then")
        assert "and then" in session.story.text
        assert page.state["contest"] is None

    comparing(root, act)


def test_what_is_stopped_before_both_are_done_is_no_vote(root):
    async def act(session, page):
        await session.change_settings({"max_new_tokens": 2000})
        writing = asyncio.create_task(session.ask_for(compare_request(blind=True, words="Once")))
        while not (session.takes and all(draft.tokens for draft in session.takes.drafts)):
            await asyncio.sleep(0.01)
        assert page.state["takes"][0]["tokens"] == []
        hidden = {"query": "token", "passage": page.state["takes"][0]["id"], "at": 0}
        assert "error" in await answer_query(session, hidden)
        writing.cancel()
        with suppress(asyncio.CancelledError):
            await writing
        assert {take["label"] for take in page.state["takes"]} == set(MODELS)
        assert "no vote" in page.state["contest"]["said"]
        await session.act({"act": "vote", "choice": "a"})
        assert "over" in page.said[-1]
        await session.act({"act": "pick", "passage": page.state["takes"][1]["id"]})
        assert len(session.story.passages) == 3
        assert await session.votes.all() == []

    comparing(root, act)


def test_a_vote_that_cannot_be_kept_is_said(root):
    async def act(session, page):
        await session.ask_for(compare_request(blind=True, words="Once"))
        session.votes._votes.close()
        await session.act({"act": "vote", "choice": "a"})
        assert any("could not be kept" in said for said in page.said)
        assert len(session.story.passages) == 3

    comparing(root, act)
