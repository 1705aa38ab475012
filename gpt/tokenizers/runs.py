"""Long runs of one kind of character, which a library has no time or no room for: cut before it."""

import re
from itertools import pairwise

LONGEST = 1000
"""What GPT-2's split leaves in one part. The trainer takes time with the square of its length."""
MOST_SPACES = 100_000
"""In more of them, in a row, tiktoken's search for a split gives up."""
# Each looks back first, so that a run that is too short is gone through once and not from each of
# its characters.
_LONG_RUN = re.compile(
    rf"(?<!\s)\s{{{LONGEST},}}|(?<!\d)\d{{{LONGEST},}}|(?<![^\W\d_])[^\W\d_]{{{LONGEST},}}"
    rf"|(?<![^\w\s])(?<!_)(?:[^\w\s]|_){{{LONGEST},}}"
)
_SPACES = re.compile(rf"(?<!\s)\s{{{MOST_SPACES},}}")


def has_too_many_spaces(text: str) -> bool:
    """Whether MOST_SPACES characters of white space stand in a row somewhere."""
    # Such a row holds a whole look at every half of its length; the search alone would take a
    # seventh of the encoding.
    looks = (text[i : i + 1000] for i in range(0, len(text), MOST_SPACES // 2))
    return any(map(str.isspace, looks)) and _SPACES.search(text) is not None


def without_rows_of_spaces(text: str) -> list[str]:
    """A text in parts of which none has more than MOST_SPACES spaces in a row."""
    return _cut(_SPACES, MOST_SPACES, text)


def without_long_runs(text: str) -> list[str]:
    """A text in parts of which none has a run of more than LONGEST."""
    return _cut(_LONG_RUN, LONGEST, text)


def _cut(run: re.Pattern[str], most: int, text: str) -> list[str]:
    """A text cut behind each `most` characters of a `run`; ordinary text has no such runs."""
    runs = (found.span() for found in run.finditer(text))
    ends = [end for start, stop in runs for end in range(start + most, stop + 1, most)]
    return [text[start:end] for start, end in pairwise([0, *ends, len(text)])]
