"""Which model a training is to begin from, as the page is told."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chat.jobs.upload import LITTLE_BYTES, Upload
from chat.panels.dispatch import run_command
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters
from train.reports import text_report

PLAN = {"steps": 1, "seconds": 1.0, "parameters": 1, "tokens": 1, "passes": 1.0, "module": "m"}
SAYS = {"bpb": 1.4, "letters_bpb": 4.3}


class Estimates:
    """Plans at once, of which a model is said to know the language of every text or of none."""

    def __init__(self, *, known: bool) -> None:
        self.known = known
        self.asked: list[str] = []

    async def plan(self, text: str, checkpoint: Path | None, *_: object) -> dict[str, Any]:
        self.asked.append(checkpoint.name if checkpoint else "")
        return {**PLAN, "language": {**SAYS, "known": self.known} if checkpoint else None}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    for name in ("stories", "letters"):
        save_characters(root / "checkpoints" / name)
    return root


def test_the_page_and_the_command_line_hold_the_same_text_for_short() -> None:
    assert LITTLE_BYTES == text_report.LITTLE_BYTES


@pytest.mark.parametrize(
    ("request_", "known", "size", "asked", "source"),
    [
        ({"source": "", "propose": True}, True, LITTLE_BYTES - 1, ["stories"], "stories"),
        ({"source": "", "propose": True}, False, LITTLE_BYTES - 1, ["stories", ""], ""),
        ({"source": "", "propose": True}, True, LITTLE_BYTES, [""], ""),
        ({"source": ""}, True, 5000, [""], ""),
        ({"source": "letters"}, False, 5000, ["letters"], "letters"),
        ({"source": "letters"}, True, LITTLE_BYTES, ["letters"], "letters"),
    ],
)
def test_to_go_on_from_stories_is_proposed_where_a_text_is_short_and_in_its_language(
    root, request_, known, size, asked, source
) -> None:
    estimates = Estimates(known=known)

    async def act(session, page) -> None:
        upload = Upload(SimpleNamespace(plan=estimates.plan), "me")  # type: ignore[arg-type]
        session.upload = lambda: upload
        upload.brought = ("a.txt", "a" * size)
        found = await run_command(session, {"command": "training_plan", **request_})
        assert estimates.asked == asked
        assert (found["source"], found["steps"], "module" in found) == (source, 1, False)
        little = size < LITTLE_BYTES
        wanted = {"model": asked[0], "little": little, **SAYS, "known": known} if asked[0] else None
        assert found["language"] == wanted
        assert upload.planned is not None
        assert upload.planned.plan["language"] == ({**SAYS, "known": known} if source else None)

    in_a_session(root, act)
