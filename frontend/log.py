"""The log of the app: one line for each thing that happened, whoever writes it.

Chainlit, its socket and uvicorn log an error with all of its traceback, and a stranger who finds
one could fill the disk with it. Whatever is logged with an error keeps the error's line alone.
"""

import logging
import sys
from typing import Any

from chat.errors import fault, in_one_line, one_line
from gpt.files import is_printable

log = logging.getLogger(__name__)

ACCESS = "uvicorn.access"
"""Its formatter reads the arguments of each record, and quotes paths itself."""
OF_CLIENTS = ("engineio.server", "socketio.server")
"""What they call an error is a packet that no page of ours sends: it is refused, not logged."""


def log_in_lines() -> None:
    """Have every record be one line from now on."""
    make = logging.getLogRecordFactory()

    def record(*args: Any, **more: Any) -> logging.LogRecord:
        made = make(*args, **more)
        if made.name == ACCESS:
            return made
        said = _message(made).strip()
        if made.exc_info and made.exc_info[1]:
            said = f"{said}: {in_one_line(made.exc_info[1])}" if said else ""
            made.exc_info = None
        if made.exc_text or made.stack_info or not is_printable(said) or said != _message(made):
            made.exc_text = made.stack_info = None
            made.msg, made.args = one_line(said), ()
        return made

    logging.setLogRecordFactory(record)
    sys.unraisablehook = _unraisable
    for name in OF_CLIENTS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """What broke where nothing could catch it, as in a clean-up: Python prints its traceback."""
    if found.exc_value is not None:
        fault(log, found.err_msg or "a clean-up", found.exc_value)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError):  # arguments that do not fit its words
        return str(record.msg)
