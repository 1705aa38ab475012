"""What broke is one line in the log and one sentence on the page, and neither gives Python away."""

import asyncio
import logging
import sqlite3

import pytest

from chat.errors import fault, in_one_line, reason
from chat.models.engines import Engines
from chat.panels import dispatch
from chat.session import Session
from frontend.log import log_in_lines
from tests.support.door import RAW_ERROR

log = logging.getLogger("tests.faults")
HOSTILE = "a secret\nTraceback (most recent call last):\x1b[31m\ud800"


def broken() -> Exception:
    try:
        raise KeyError(HOSTILE)
    except KeyError as error:
        return error


def test_a_fault_is_one_line_in_the_log_and_a_sentence_with_its_mark(caplog):
    said = fault(log, "a query", broken())
    (record,) = caplog.records
    line = record.getMessage()
    mark = line.split()[1].strip(":")
    assert mark in said
    assert line.isprintable()
    assert "a query: KeyError" in line
    assert "tests/chat/test_faults.py:" in line
    assert not RAW_ERROR.search(said)
    assert "secret" not in said


def test_an_error_says_no_more_of_what_a_stranger_sent_than_a_line():
    assert len(in_one_line(ValueError("x" * 10_000))) < 400
    assert in_one_line(ValueError()) == "ValueError"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "/home/ada/x"), "No space left on device"),
        (sqlite3.OperationalError("disk I/O error"), "disk I/O error"),
        (OSError(), "no reason was given"),
    ],
)
def test_a_disk_that_refuses_is_told_by_its_reason_without_a_path(error, said):
    assert reason(error) == said


def test_a_query_that_breaks_shows_no_error_of_pythons(monkeypatch, caplog):
    class Page:
        async def emit(self, event, data):
            pass

    async def breaks(session, request):
        raise AttributeError("'NoneType' object has no attribute 'x'")

    monkeypatch.setitem(dispatch.QUERIES, "card", breaks)
    session = Session(Page(), Engines(), dict)  # type: ignore[arg-type]
    answer = asyncio.run(dispatch.answer_query(session, {"query": "card"}))
    assert "Something went wrong on our side" in answer["error"]
    assert not RAW_ERROR.search(answer["error"])
    assert len(caplog.records) == 1


@pytest.fixture
def lines(caplog):
    """What the app's own log holds."""
    before, level = logging.getLogRecordFactory(), logging.getLogger("engineio.server").level
    log_in_lines()
    yield caplog
    logging.setLogRecordFactory(before)
    logging.getLogger("engineio.server").setLevel(level)


def test_whoever_logs_an_error_logs_one_line(lines):
    log.error("%s went wrong", HOSTILE, exc_info=broken())
    log.error(broken(), exc_info=broken())
    log.warning("100% of %s", "it", stack_info=True)
    for record in lines.records:
        assert logging.Formatter().format(record).isprintable()
    assert "KeyError" in lines.records[0].getMessage()


def test_an_honest_line_stays_as_it_is(lines):
    log.info("café %d", 3)
    log.warning("café %d", 3)
    assert lines.records[-1].getMessage() == "café 3"
    assert lines.records[-1].args == (3,)
