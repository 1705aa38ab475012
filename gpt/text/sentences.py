"""Where a sentence ends. Pure text, for the English of stories."""

import re

END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*")
"""What ends a sentence: full stops and their kin, with the quotes that close after them."""
MARKS = ".!?…\"'”’»)]*_"
"""What `END` is made of."""
MOST_MARKS = 100
"""More of them in a row than this are not looked through again for each token."""
NO_SPACE = re.compile(r"\S")
SHORTENED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|Mme|Capt|Col|Gen|vs|etc)|\b[A-Z])\.$")
"""A full stop that only shortens a word: a title, an initial."""
FINISH_CHARS = 400
"""So much of a sentence is still a sentence: where a limit is needed and nobody gave one."""


def sentence_end(text: str, *, after: int = 0, complete: bool = False) -> int | None:
    """Where in `text` the first sentence ends that ends beyond `after`; None where none does.

    An end is sure only when it is seen how the text goes on: a quote may still close, and after
    `“Stop!” she said` the sentence has not ended. So one at the very end of the text counts only
    where the text is `complete`.

    Returns:
        The number of characters up to and with the end, its closing quotes included.
    """
    for found in END.finditer(text, _begins(text, after)):
        end = found.end()
        if end <= after or SHORTENED.search(text[max(0, found.start() - 7) : found.start() + 1]):
            continue
        following = NO_SPACE.search(text, end)
        if following is None:
            # A new line ends a sentence whatever comes after it.
            if complete or "\n" in text[end:]:
                return end
            continue
        spaced = following.start() > end
        if spaced and not ("\n" not in text[end : end + 2] and following[0].islower()):
            return end
    return None


def _begins(text: str, after: int) -> int:
    """Where the marks begin in which `after` may lie: what stands before them ends before it."""
    begin = min(after, len(text))
    while begin > max(0, after - MOST_MARKS) and text[begin - 1] in MARKS:
        begin -= 1
    return begin


def ends_sentence(text: str) -> bool:
    """Whether `text` stops where a sentence does. Nothing, and a new paragraph, are no sentence."""
    stripped = text.rstrip()
    line = stripped[stripped.rfind("\n") + 1 :]
    return bool(line) and sentence_end(line, after=len(line) - 1, complete=True) == len(line)


class SentenceEnd:
    """Text on its way out, as far as the end of its sentence.

    Args:
        before: What stands before it; the sentence may have begun there, and its quote opened.
    """

    def __init__(self, before: str = "") -> None:
        self._text = ""
        self.let_by(before)

    def let_by(self, text: str) -> None:
        """Take in text that is shown whole, whatever ends in it."""
        # What stands further back decides nothing any more, and a line may be a whole story.
        self._text = (self._text + text).rpartition("\n")[2][-2 * MOST_MARKS :]
        self._after = self._sent = len(self._text)

    def push(self, text: str) -> tuple[str, bool]:
        """Take in `text`; give what is free to go, and whether the sentence has ended with it.

        Spaces after what may be its end are held back: they are free when it goes on after them.
        """
        self._text += text
        end = sentence_end(self._text, after=self._after)
        if end is not None:
            return self._release(end), True
        bare = self._text.rstrip()
        may_end = sentence_end(bare, after=self._after, complete=True) is not None
        return self._release(len(bare) if may_end else len(self._text)), False

    def release(self, text: str) -> str:
        """What is still held and `text`, when something else ends it."""
        self._text += text
        return self._release(len(self._text))

    def flush(self) -> tuple[str, bool]:
        """What is still held, when no more text comes, and whether the sentence is whole."""
        end = sentence_end(self._text, after=self._after, complete=True)
        return self._release(len(self._text) if end is None else end), end is not None

    def _release(self, upto: int) -> str:
        text, self._sent = self._text[self._sent : upto], max(upto, self._sent)
        return text
