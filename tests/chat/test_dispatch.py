"""The panels' requests: a query changes nothing, and each name is served by its own event alone."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from chat.accounts import LOCAL
from chat.compare.votes import Ballot, Votes
from chat.generate.request import OTHER_PAGE
from chat.jobs.training_jobs import TrainingJobs
from chat.jobs.upload import Upload
from chat.models import find_models
from chat.models.ownership import place_of
from chat.models.training_texts import TrainingTexts
from chat.panels.dispatch import COMMANDS, QUERIES, answer_query, run_command
from chat.session import Session
from tests.chat.test_session import in_a_session
from tests.chat.test_votes import VOTE
from tests.support.begun import begin

TEXT = "Once upon a time there was a fox. " * 100
BY_COMMAND = {
    "votes_forget": {},
    "training_text": {"name": "my.txt", "part": 0, "of": 1, "text": TEXT},
    "training_share": {"key": "learning", "shared": True},
}
"""What each of these changes at once; the others change a training that runs."""


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A model with saved steps, and a training of the writer's that ended."""
    root = tmp_path_factory.mktemp("project")
    begin(place_of(root / "runs", LOCAL) / "learning", LOCAL)
    return root


def lasting(session: Session, root: Path) -> dict[str, object]:
    """All that outlives a request: the files, and what the session keeps."""
    assert session.upload
    assert session.votes
    files = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    return {
        "files": files,
        "story": session.history,
        "model": session.model,
        "settings": dict(session.tuning.chosen),
        "text": session.upload().brought,
        "plan": session.upload().planned,
    }


def in_a_full_session(root: Path, act) -> None:
    """Run `act` in a session with a passage, a vote, and a place to train."""
    votes, executor = Votes(root / "stories.sqlite"), ThreadPoolExecutor(1)

    async def prepared(session, page) -> None:
        session.votes = Ballot(votes, LOCAL, executor)
        session.sources = TrainingTexts(root / "data")
        upload = Upload(TrainingJobs(root), LOCAL)
        session.upload = lambda: upload
        await session.votes.cast(VOTE)
        session.find_models = partial(find_models, root, "", owner=LOCAL)
        session.models, session.model = session.find_models(), "learning"
        await session.write("once on")
        await act(session)

    in_a_session(root, prepared)
    executor.shutdown()
    votes.close()


def test_no_query_changes_anything(root):
    async def act(session):
        passage = session.story.path[-1].id
        by_name = {
            "card": {"model": "learning"},
            "compare": {"models": ["learning"]},
            "context": {"memory": "", "note": "on", "depth": 1},
            "copied": {"passage": passage},
            "dice": {"model": "learning", "words": " on", "settings": {"temperature": 0.5}},
            "find": {"find": "on"},
            "token": {"passage": passage, "at": 0},
            "tune": {"passage": passage},
        }
        for name in QUERIES:
            before = lasting(session, root)
            answer = await answer_query(session, {"query": name, **by_name.get(name, {})})
            assert "error" not in answer, name
            assert lasting(session, root) == before, name

    in_a_full_session(root, act)


def test_a_command_changes_something(root):
    """So that what the queries leave as it was is what the commands change."""

    async def act(session):
        for name, request in BY_COMMAND.items():
            before = lasting(session, root)
            answer = await run_command(session, {"command": name, **request})
            assert "error" not in answer, name
            assert lasting(session, root) != before, name

    in_a_full_session(root, act)


def test_a_command_sent_as_a_query_and_a_query_sent_as_a_command_are_refused(root):
    async def act(session):
        before = lasting(session, root)
        for name in COMMANDS:
            request = BY_COMMAND.get(name, {"key": "learning"})
            for sent in ({"query": name}, {"command": name}, {"query": "x", "command": name}):
                assert await answer_query(session, {**sent, **request}) == {"error": OTHER_PAGE}
        for name in QUERIES:
            for sent in ({"command": name}, {"query": name}):
                assert await run_command(session, sent) == {"error": OTHER_PAGE}
        assert lasting(session, root) == before

    in_a_full_session(root, act)
    assert not QUERIES.keys() & COMMANDS.keys()
