"""Words that are looked for in a story, and other words in their place.

They are found in the text as it is read, whoever wrote it: also over the border of two passages.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chat.story.authors import rewritten
from chat.story.editing import append_copies
from chat.story.passage import Passage
from chat.story.tree import Story
from gpt.text.differing import Match
from gpt.text.occurrences import occurrences
from gpt.tokenizers.pieces import whole_characters

LONGEST = 1000
"""Characters that can be looked for."""
MOST = 200_000
"""Places that can be replaced at once."""

Place = tuple[int, int]
"""Where it begins and ends in the text."""


class SearchError(ValueError):
    """It cannot be looked for, or does not stand there; the message says so to the writer."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for, and how exactly; as `gpt.text.occurrences.occurrences` takes it."""

    words: str
    match_case: bool = False
    whole_words: bool = False

    @staticmethod
    def of(request: Mapping[str, object]) -> "Wanted":
        """From a page's `find`, `match_case` and `whole_words`.

        Raises:
            SearchError: There is nothing to look for, or too much.
        """
        words = request.get("find")
        if not isinstance(words, str) or not words:
            raise SearchError("There is nothing to look for: write the words first.")
        if (length := len(words)) > LONGEST:
            raise SearchError(f"Up to {LONGEST:,} characters can be looked for, not {length:,}.")
        exact = request.get("match_case") is True
        return Wanted(whole_characters(words), exact, request.get("whole_words") is True)

    def places(self, text: str) -> Iterator[Place]:
        return occurrences(
            text, self.words, match_case=self.match_case, whole_words=self.whole_words
        )

    def all_in(self, text: str) -> list[Place]:
        """Every place; SearchError where there is none, or there are too many to be replaced."""
        found: list[Place] = []
        for place in self.places(text):
            if len(found) == MOST:
                raise SearchError(
                    f"{self._quoted()} stands in more than {MOST:,} places, and up to so many can "
                    "be replaced at once: look for more than that."
                )
            found.append(place)
        if not found:
            raise SearchError(f"{self._quoted()} does not stand in the story.")
        return found

    def one_in(self, text: str, at: object) -> Place:
        """The place that begins `at`, as a browser counts it; SearchError where none does."""
        unit = units(text)
        for place in self.places(text):
            if unit(place[0]) == at:
                return place
        raise SearchError(f"{self._quoted()} does not stand there any more.")

    def _quoted(self) -> str:
        words = " ".join(self.words.split())
        return f"“{words[:40]}{'…' if len(words) > 40 else ''}”"


def units(text: str) -> Callable[[int], int]:
    """What a place in a text is in a browser, which counts UTF-16 units."""
    if text.isascii() or max(text) <= "\uffff":
        return lambda at: at
    wide = [at for at, character in enumerate(text) if character > "\uffff"]
    return lambda at: at + bisect_left(wide, at)


def replaced(story: Story, places: Sequence[Place], text: str) -> Story:
    """Put `text` in each of `places`, and read on as before; the same story where that changes
    nothing.

    As with an edit the story as it was stays, an alternative, and a passage whose words change is
    the writer's, or the model's edited by the writer; all others are copied word for word and token
    for token. Words over the border of two passages are replaced in the first of them. A passage
    that no word is left of is taken out.

    Args:
        places: In `story.text`, first to last, none over another.
    """
    path, after, changed = story.path, list[Passage](), False
    for old, (words, kept) in zip(path, _texts(path, places, text), strict=True):
        new = old if words == old.text else _still(old, rewritten(old, words, kept))
        if changed:
            after += [new] if words else []
        elif new is not old:
            changed = True
            # The words before the first that changes are still those that it was written after.
            story = story.at(old.parent)
            story = story.append(new) if words else story
    return append_copies(story, after)


def _still(old: Passage, new: Passage) -> Passage:
    """Other words in a passage neither open a story that ended nor break its last word off."""
    ended = "end" if old.finish_reason == "end" else None
    return replace(new, finish_reason=ended, whole=old.whole)


def _texts(
    path: Iterable[Passage], places: Sequence[Place], text: str
) -> Iterator[tuple[str, list[Match]]]:
    """What each passage says with `text` in the places, and what of it stood there before."""
    start = next_place = done = 0
    for passage in path:
        end, parts, kept, size = start + len(passage.text), list[str](), list[Match](), 0
        done = max(done, start)
        while next_place < len(places) and places[next_place][0] < end:
            begins, ends = places[next_place]
            parts += [passage.text[done - start : begins - start], text]
            kept.append((done - start, size, begins - done))
            size += begins - done + len(text)
            done, next_place = ends, next_place + 1
        parts.append(passage.text[done - start :])
        kept.append((done - start, size, len(parts[-1])))
        yield "".join(parts), [each for each in kept if each[2]]
        start = end
