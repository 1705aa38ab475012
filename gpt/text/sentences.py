"""Sentence ends in prose, found by rules: in a whole text, or while it is streamed.

The marks are Unicode's Sentence_Terminal, in any script, and those of scripts to which it gives
none; abbreviations are known in English alone.
Pure functions of text; used to stop a generation at a sentence rather than at a token count.
"""

import re

from gpt.text.scripts import GLUE, UNSPACED, compiled

_OF_SCRIPTS = r"[\u05c3\u0f0d-\u0f11]|\u1361{2}"
"""Marks that end sentences and have not the property: sof pasuq, the shads of Tibetan, and the full
stop of Ethiopic typed as two dots between words."""
_GREEK = r"\u037e|;(?<=\p{Greek}\p{M}{0,4};)"
"""Its question mark, and the semicolon that it is the same as (canonical equivalence)."""
_ENDS = rf"(?:[\p{{Sentence_Terminal}}…]|{_OF_SCRIPTS}|{_GREEK})"
_SURE = rf"(?:[\p{{Sentence_Terminal}}--[\p{{SB=ATerm}}!?]]|{_OF_SCRIPTS})"
"""A mark that does nothing but end sentences, as 。 and । do: no space need follow it."""
_UNMARKED = r"[\p{Thai}\p{Lao}]"
_PAUSE = rf"\s(?<={_UNMARKED}\s)\s*(?=[{_UNMARKED}&&\p{{Lo}}])"
"""The space between two sentences of Thai and Lao, which have neither marks for their ends nor
spaces between words; what stands beside a number or a foreign word is none. Of their neighbours Tai
Viet has spaces between words, and Tai Le marks."""
_CLOSING = r"\p{Pe}\p{Pf}\"'*_"
# In German “ closes. After a wide mark it opens, and there is no space to tell the two apart.
END = compiled(
    rf"(?P<sure>{_ENDS}*{_SURE}{_ENDS}*)(?P<closed>(?:{GLUE}*[{_CLOSING}])*)"
    rf"|{_ENDS}+(?:{GLUE}*[{_CLOSING}\p{{Pi}}])*"
    rf"|(?P<pause>{_PAUSE})"
)
"""A run of terminal punctuation and the quotes or brackets that close after it."""
PAUSES = compiled(_UNMARKED)
"""A character behind which a space may end the sentence."""
MARK = compiled(rf"{_ENDS}|[;\u1361]|[{_CLOSING}\p{{Pi}}]|{GLUE}")
"""The characters that `END` matches, but for white space."""
BARE = compiled(rf"{UNSPACED}[.!?．]{UNSPACED}")
"""A mark of Western width in a script without spaces: there is no other sign of an end."""
OPENS = compiled(r"[\p{Ps}\p{Pi}]")
MOST_MARKS = 100
"""How far back a run of `MARK`s is searched again with each token, in characters; it bounds the
cost of a text that is nothing but marks."""
NO_SPACE = re.compile(r"\S")
GOES_ON = compiled(r"\p{SB=Lower}")
"""A letter that begins no sentence; those of Georgian, which are small alone, may."""
SHORTENED = compiled(r"\b(?:Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|Mme|Capt|Col|Gen|vs|etc|\p{Lu}\p{M}*)\.$")
"""Ends in a full stop that ends no sentence: an abbreviation, an initial."""
FINISH_CHARS = 400
"""Default of `SamplingParams.finish_chars` in the chat and in new checkpoints, in characters: how
far beyond max_new_tokens a sentence may run before it is cut."""


def sentence_end(text: str, *, after: int = 0, complete: bool = False) -> int | None:
    """The index just behind the first sentence end beyond index `after`; None where there is none.

    What follows decides: a quote may still close, and in `“Stop!” she said` the sentence goes on.
    So an end at the very end of `text` counts only where no more text will come.

    Args:
        after: In characters; sentences that end at or before it are skipped.
        complete: No more text will come.

    Returns:
        Characters up to and including the end and its closing quotes; where a space ends it, up to
        that space.
    """
    for found in END.finditer(text, _begins(text, after)):
        if found["pause"]:
            # With nothing before it, it parts what is asked about from what stood there.
            if NO_SPACE.search(text, after, found.start()):
                return found.start()
            continue
        end = found.end()
        if end <= after or SHORTENED.search(text[max(0, found.start() - 7) : found.start() + 1]):
            continue
        following = NO_SPACE.search(text, end)
        if following is None:
            # A new line ends a sentence whatever comes after it.
            if complete or "\n" in text[end:]:
                return end
            continue
        if following.start() == end:
            # 。and a word: the next sentence. But in 「止まれ！」と the sentence goes on.
            if found["sure"] and (not found["closed"] or OPENS.match(following[0])):
                return end
            if BARE.fullmatch(text[max(0, found.start() - 1) : end + 1]):
                return end
        elif "\n" in text[end : end + 2] or not GOES_ON.match(following[0]):
            return end
    return None


def _begins(text: str, after: int) -> int:
    """Where the marks begin in which `after` may lie: what stands before them ends before it."""
    begin = min(after, len(text))
    while begin > max(0, after - MOST_MARKS) and MARK.match(text[begin - 1]):
        begin -= 1
    return begin


def ends_sentence(text: str) -> bool:
    """Whether the last line of `text`, less trailing white space, ends a sentence; "" does not."""
    stripped = text.rstrip()
    line = stripped[stripped.rfind("\n") + 1 :]
    return bool(line) and sentence_end(line, after=len(line) - 1, complete=True) == len(line)


class SentenceEnd:
    """Cuts streamed text at the end of the current sentence.

    Args:
        before: The text before the stream: the sentence may have begun there, its quote opened.
    """

    def __init__(self, before: str = "") -> None:
        self._text = ""
        self.let_by(before)

    def let_by(self, text: str) -> None:
        """Add text that the caller shows itself: sentence ends in it do not count."""
        # What stands further back decides nothing any more, and a line may be a whole story.
        self._text = (self._text + text).rpartition("\n")[2][-2 * MOST_MARKS :]
        self._after = self._sent = len(self._text)

    def push(self, text: str) -> tuple[str, bool]:
        """Add `text`; return what may be shown now, and whether the sentence ended there.

        White space behind a possible end is held back until it is seen that the sentence goes on.
        """
        self._text += text
        end = sentence_end(self._text, after=self._after)
        if end is not None:
            return self._release(end), True
        bare = self._text.rstrip()
        may_end = bool(PAUSES.match(bare[-1:])) or (
            sentence_end(bare, after=self._after, complete=True) is not None
        )
        return self._release(len(bare) if may_end else len(self._text)), False

    def release(self, text: str) -> str:
        """The text that was held back and `text`, where something else, a stop string, ended it."""
        self._text += text
        return self._release(len(self._text))

    def flush(self) -> tuple[str, bool]:
        """The text that was held back, as no more will come, and whether it ends a sentence."""
        end = sentence_end(self._text, after=self._after, complete=True)
        return self._release(len(self._text) if end is None else end), end is not None

    def _release(self, upto: int) -> str:
        text, self._sent = self._text[self._sent : upto], max(upto, self._sent)
        return text
