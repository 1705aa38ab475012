"""The ghost text of two windows on one story: a key in one ends nothing in the other."""

import asyncio

import pytest

from chat.panels.dispatch import answer_query
from frontend.ghosts import Ghosts
from frontend.windows import Asker, asked_by
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters


def test_each_window_has_its_own(tmp_path):
    save_characters(tmp_path / "checkpoints" / "letters")

    async def act(session, page):
        await session.engines.get(session.models["letters"])
        ghosts = Ghosts(is_busy=lambda: False)
        session.ghost = ghosts.of_who_asks

        async def ask(window: str, **more: object) -> str:
            with asked_by(Asker(window, "ada")):
                return (await answer_query(session, {"query": "ghost", **more}))["text"]

        asking = asyncio.create_task(ask("a", words="Once upon"))
        await asyncio.sleep(0)
        assert await ask("b") == ""
        assert await asking != ""
        assert set(ghosts.by_session) == {"a", "b"}
        with pytest.raises(LookupError):
            ghosts.of_who_asks()

    in_a_session(tmp_path, act)
