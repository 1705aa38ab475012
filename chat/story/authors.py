"""Who wrote each letter of a passage, and who did once its words were changed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise

from chat.story.passage import Passage
from chat.story.tokens import StoryToken, texts_of
from gpt.text.differing import Match, matches
from gpt.text.scripts import widened

Runs = tuple[int, ...]
"""Characters that are the model's and the writer's, by turns; the first are the model's, maybe
none. What follows each other of one author is one run."""


def runs_of(passage: Passage) -> Runs | None:
    """Of the characters of a passage; None where nobody knows: an older version kept no more than
    that it was edited."""
    if passage.author == "edited":
        return passage.runs or None
    return (len(passage.text),) if passage.author == "model" else (0, len(passage.text))


def rewritten(old: Passage, text: str, kept: Sequence[Match] | None = None) -> Passage:
    """What stands in the place of a passage whose words a writer changed to `text`.

    Who wrote what stays with each letter that was not changed. So do the model's tokens before the
    first change: the words before them are still those that they were drawn after.

    Args:
        kept: What of the old text stands in `text`; None to find out.
    """
    if old.author == "writer":
        return Passage(author="writer", text=text)
    before = runs_of(old)
    kept = matches(old.text, text) if kept is None else kept
    new = Passage(author="edited", text=text, model=old.model, settings=old.settings)
    if before is None:
        return new
    new = replace(new, runs=_runs(before, kept, text))
    same = kept[0][2] if kept and kept[0][:2] == (0, 0) else 0
    tokens = _tokens_within(old, min(same, new.runs[0]))
    if not tokens:
        return new
    return replace(new, tokens=tokens, core=old.core, context=old.context, moved=old.moved)


def runs_in(text: str, runs: Runs, start: int = 0) -> Iterator[tuple[str, bool]]:
    """The text by its runs from a character on, each with whether it is the writer's."""
    ends = [*accumulate(runs)]
    for at, end in enumerate(ends):
        if start < end:
            yield text[start:end], at % 2 == 1
            start = end


def _runs(before: Runs, kept: Iterable[Match], text: str) -> Runs:
    """Who wrote the letters of `text`, of which `kept` stood there before."""
    mine: list[tuple[int, int]] = []
    for start, end in _writers(before, kept, len(text)):
        # What a reader sees as one letter has one author.
        start, end = widened(text, start, end)
        if mine and start <= mine[-1][1]:
            start, end = mine[-1][0], max(end, mine.pop()[1])
        mine.append((start, end))
    borders = [0, *(at for span in mine for at in span), len(text)]
    runs = [end - start for start, end in pairwise(borders)]
    return tuple(runs if runs[-1] or len(runs) == 1 else runs[:-1])


def _writers(before: Runs, kept: Iterable[Match], length: int) -> Iterator[tuple[int, int]]:
    """Where in the new text the writer's letters begin and end: what is new, and what of the kept
    was the writer's."""
    ends = [*accumulate(before)]
    at = run = 0
    for old, new, size in kept:
        if at < new:
            yield at, new
        at = new + size
        while run < len(ends) and ends[run] <= old:
            run += 1
        while run < len(ends) and (start := max(old, ends[run] - before[run])) < old + size:
            if run % 2:
                yield new + start - old, new + min(ends[run], old + size) - old
            if ends[run] > old + size:
                break
            run += 1
    if at < length:
        yield at, length


def _tokens_within(old: Passage, length: int) -> tuple[StoryToken, ...]:
    """The first of the tokens that a passage begins with, up to so many of its characters."""
    texts = texts_of(old.tokens)
    ends = [*accumulate(map(len, texts))]
    if not old.text.startswith("".join(texts)):
        return ()
    count = sum(end <= length for end in ends)
    while count and not texts[count - 1]:  # it begins a character that may be gone
        count -= 1
    return tuple(old.tokens[:count]) if count else ()
