"""A text as its paragraphs, each with the line ends after it: put together they are the text."""

from io import StringIO

MOST = 5000
"""Passages that a text begins a story with. Where it has more paragraphs, neighbours share one."""
LONGEST_LINE = 120
"""Characters of a line that was broken by hand; in a longer one a paragraph stands whole."""


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a text whose lines end with a line feed.

    An empty line parts two; its line ends belong to the one before, at the beginning of the text to
    the one after. Where no line is empty between lines some of which are longer than any that is
    broken by hand, each line is one.
    """
    found: list[str] = []
    block: list[str] = []
    words = ended = False
    for line in StringIO(text, newline="\n"):
        blank = not line.strip()
        if ended and not blank:
            found += _of_block(block)
            block, words = [], False
        words = words or not blank
        ended = words and blank
        block.append(line)
    found += _of_block(block)
    if len(found) <= MOST:
        return found
    each = -(-len(found) // MOST)
    return ["".join(found[at : at + each]) for at in range(0, len(found), each)]


def _of_block(lines: list[str]) -> list[str]:
    """The paragraphs among lines of which none is empty but for the first and the last ones."""
    if max(map(len, lines), default=0) <= LONGEST_LINE:
        return ["".join(lines)] if lines else []
    found: list[str] = []
    for line in lines:
        if found and (not line.strip() or not found[-1].strip()):
            found[-1] += line
        else:
            found.append(line)
    return found
