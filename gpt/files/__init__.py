"""The one door for files that others may have written: read with a bound, written whole.

A model folder may come from anywhere, so nothing in it is opened as it lies; see `reading`.
"""

from gpt.files.reading import (
    MOST_BYTES,
    OTHERWISE,
    CheckpointError,
    MissingFileError,
    changed_since,
    facts_of,
    is_there,
    json_object,
    opened,
    read_bytes,
    read_json,
    read_json_lines,
    read_text,
    said,
)
from gpt.files.text import count_controls, decoded, is_printable, plain_text, printable
from gpt.files.writing import (
    drafted,
    flush,
    put_in_place,
    sha256,
    usual_mode,
    write_whole,
)

__all__ = [
    "MOST_BYTES",
    "OTHERWISE",
    "CheckpointError",
    "MissingFileError",
    "changed_since",
    "count_controls",
    "decoded",
    "drafted",
    "facts_of",
    "flush",
    "is_printable",
    "is_there",
    "json_object",
    "opened",
    "plain_text",
    "printable",
    "put_in_place",
    "read_bytes",
    "read_json",
    "read_json_lines",
    "read_text",
    "said",
    "sha256",
    "usual_mode",
    "write_whole",
]
