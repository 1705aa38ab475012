"""Whose votes a session sees: those of who is logged in at it."""

import asyncio
from types import SimpleNamespace
from typing import Any

from chat.models.engines import Engines
from chat.panels.dispatch import answer_query, run_command
from chat.session import Session
from frontend.memory import Memory
from tests.chat.test_session import RecordingPage
from tests.chat.test_votes import VOTE


def test_a_session_shows_the_votes_of_who_is_logged_in_and_of_nobody_else(tmp_path):
    memory = Memory(tmp_path)

    def session_of(name: str | None) -> Session:
        websocket: Any = SimpleNamespace(user=name and SimpleNamespace(identifier=name))
        votes = memory.votes_of(websocket)
        return Session(RecordingPage(), Engines(), dict, votes=votes)

    async def run() -> list[int]:
        ann, bob = session_of("ann"), session_of("bob")
        assert ann.votes
        await ann.votes.cast(VOTE)
        table = await answer_query(bob, {"query": "votes_csv"})
        assert VOTE.a.text not in table["text"]
        assert await run_command(bob, {"command": "votes_forget"}) == {"forgotten": 0}
        seen = [
            await answer_query(session, {"query": "votes"})
            for session in (ann, bob, session_of(None))
        ]
        return [each["count"] for each in seen]

    assert asyncio.run(run()) == [1, 0, 0]
