"""WildChat (Zhao et al. 2024, arXiv 2405.01470): the English conversations as plain text.

The data set lies on the Hub as Parquet files; the Hub's dataset viewer gives the same rows as JSON,
a hundred at a time, and that is all it takes here. What arrives is kept as JSON lines, so that the
next call goes on after them and a larger number asks for the rest only. An export of one's own with
the same fields is read in the same way.
"""

import json
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gpt.dataset import END_OF_DOCUMENT, MARKERS
from gpt.files import drafted
from gpt.files.strict_json import is_object
from train.data.download import TIMEOUT_S, DownloadError

DATASET = "allenai/WildChat"
ROWS_URL = "https://datasets-server.huggingface.co/rows"
PAGE = 100
"""Rows in one answer, the most that the viewer gives."""
SPEAKERS = {"user": "User", "assistant": "Assistant"}
_MARKER = re.compile("|".join(map(re.escape, MARKERS)))

Row = dict[str, Any]


@dataclass(slots=True)
class Kept:
    """What became of the rows."""

    written: int = 0
    other_language: int = 0
    unfit: int = 0
    """Toxic, cut short by the viewer, or without a word."""

    def __str__(self) -> str:
        return (
            f"{self.written:,} English conversations; left out: {self.other_language:,} in other "
            f"languages, {self.unfit:,} that are marked toxic, cut short or empty"
        )


def plain_text(row: Row) -> str:
    """One conversation as text, each turn after the name of who speaks; "" if nobody says a word.

    A line in it that would end the document loses its brackets.

    Raises:
        ValueError: the row has no conversation, or not in the fields of the data set.
    """
    turns: list[str] = []
    try:
        for turn in row["conversation"]:
            lines = str(turn["content"] or "").replace("\r\n", "\n").replace("\r", "\n")
            if content := _MARKER.sub(lambda found: found[0][2:-2], lines).strip():
                turns.append(f"{SPEAKERS.get(turn['role'], str(turn['role']))}: {content}\n")
    except (KeyError, TypeError) as error:
        raise ValueError(
            'expected "conversation", a list of objects with "role" and "content", and '
            f'"language"; found the fields {sorted(row)}'
        ) from error
    return "\n".join(turns)


def is_english(row: Row) -> bool:
    """By the row's own language; without one, by those of all its turns."""
    if row.get("language"):
        return row["language"] == "English"
    said: list[object] = row.get("conversation") or []
    turns = [turn for turn in said if is_object(turn)]
    return bool(turns) and all(turn.get("language") == "English" for turn in turns)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSON-lines file.

    Raises:
        ValueError: it is Parquet, not UTF-8, or a line is no JSON object.
    """
    with path.open("rb") as file:
        if file.read(4) == b"PAR1":
            raise ValueError(
                f"{path} is a Parquet file: export it as JSON lines (in pandas, "
                f"`read_parquet({path.name!r}).to_json('wildchat.jsonl', orient='records', "
                "lines=True)`), or leave out --file to read the rows from the Hub"
            )
        file.seek(0)
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise ValueError(
                    f"line {number} of {path} is no JSON: expected one object a line, as in a "
                    "JSON-lines export"
                ) from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} of {path} is no JSON object but {line[:40]!r}")
            yield row


def write_text(rows: Iterable[Row], path: Path) -> Kept:
    """Write the English conversations among `rows` into the text file `path`, whole or not at all.

    Raises:
        ValueError: a row has other fields, or none of them is English.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with drafted(path) as draft:
        kept = _write(rows, draft)
        if not kept.written:
            raise ValueError(f"there is no English conversation to train on: {kept}")
    return kept


def _write(rows: Iterable[Row], path: Path) -> Kept:
    kept = Kept()
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for row in rows:
            text = plain_text(row)
            if not is_english(row):
                kept.other_language += 1
            elif row.get("toxic") or row.get("truncated") or not text:
                kept.unfit += 1
            else:
                # Half a surrogate pair is no character: JSON can hold one, UTF-8 cannot.
                text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                file.write(f"{text}{END_OF_DOCUMENT}\n")
                kept.written += 1
    return kept


def fetch_rows(count: int, folder: Path) -> Path:
    """The first `count` rows as JSON lines in `folder`; asks only for those that are not there.

    Raises:
        DownloadError: there is no connection, or it broke; what came is kept.
    """
    path = folder / "wildchat-rows.jsonl"
    folder.mkdir(parents=True, exist_ok=True)
    have = _whole_lines(path)
    with (
        path.open("a", encoding="utf-8") as file,
        tqdm(
            total=count, initial=min(have, count), unit="row", desc="WildChat", disable=None
        ) as bar,
    ):
        while have < count:
            rows = _page(have)
            if not rows:
                break
            file.writelines(json.dumps(row) + "\n" for row in rows)
            file.flush()
            have += len(rows)
            bar.update(len(rows))
    return path


def _whole_lines(path: Path) -> int:
    """The lines of a file, a last one that was cut off taken away first."""
    if not path.exists():
        return 0
    lines = whole = 0
    with path.open("rb+") as file:
        for line in file:
            if line.endswith(b"\n"):
                lines, whole = lines + 1, whole + len(line)
        file.truncate(whole)
    return lines


def _page(offset: int) -> list[Row]:
    """Up to PAGE rows from `offset` on; none beyond the end."""
    query = {"dataset": DATASET, "config": "default", "split": "train"}
    words = urllib.parse.urlencode({**query, "offset": offset, "length": PAGE})
    request = urllib.request.Request(f"{ROWS_URL}?{words}", headers={"User-Agent": "inkling"})
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            answer = json.load(response)
        return [
            {
                "conversation": found["row"]["conversation"],
                "language": found["row"]["language"],
                "toxic": found["row"].get("toxic", False),
                "truncated": bool(found.get("truncated_cells")),
            }
            for found in answer["rows"]
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"cannot read rows of {DATASET} from {ROWS_URL}: {reason}. Check the connection and "
            f"run the command again: it goes on after the {offset:,} rows that are here. Or give "
            "an export of your own with --file rows.jsonl"
        ) from error
