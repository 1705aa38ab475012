"""How a writer's words go on from what stands there. Pure text, no model."""

import re

from chat.story.books.headings import BREAK, LONGEST_MARKED, level_of
from gpt.text.scripts import LONGEST_CHARACTER, compiled, needs_space, widened

CLOSING = compiled(r"[\p{Terminal_Punctuation}…\p{Pe}]")
"""A message that begins with one of these belongs to the word before it."""
OPENING = compiled(r"[\p{Ps}\p{Pd}¡¿\u1361]|[[\p{LB=BA}&&\p{P}]--\p{Terminal_Punctuation}]")
"""What follows one of these belongs to it; so it does to the dots between words of Tibetan and
Ethiopic, after which a line may break, and which end nothing."""
_FULL_STOP = "\u1361\u1361"
"""Two of those dots of Ethiopic end a sentence."""
_PART = compiled(
    r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{RI}\u200d]|(?<=\u200d)\p{Extended_Pictographic}"
)
"""What can be the rest of a character: a mark, half a flag, the next of a family of emoji. A letter
is none, also behind a virama, over which clusters go on since Unicode 15.1 (GB9c): words of Hindi,
Malayalam and Telugu end in one."""
QUOTE = compiled(r"[\p{Pi}\p{Pf}\"']")
"""Which of two quotation marks opens is another in each language: » in German, « in French."""
SPEAKER = compiled(r"(?:\p{Lu}[\w’' ]{1,40}:|\p{Lo}[\w’' ]{0,40}：)[ \t]*(?:\n|$)")
"""A line of a play that says who speaks, and nothing else."""
_WHOLE = compiled(r"(?:\n|[\p{Sentence_Terminal}…][\p{Pe}\p{Pf}\"'’”]*[ \t]*)\Z")
"""Where a sentence or a line has come to its end."""
SHORT_FORM = re.compile(r"['’](?:s|t|d|m|ll|re|ve)\b", re.IGNORECASE)


def strip_trailing_spaces(text: str) -> tuple[str, bool]:
    """The text without spaces at its very end, and whether there were any; newlines stay.

    A space at the end leaves the model no word to begin: in its tokens the space belongs to the
    word that follows.
    """
    stripped = text.rstrip(" \t")
    return stripped, stripped != text


def joined_on(before: str, words: str, *, ended: bool = False) -> str:
    """The writer's next words as they stand in the story: with what parts them from it, and with an
    empty line where they end in a heading or in what parts two scenes."""
    words = joint(before, words, ended=ended) + words
    return words + ("\n\n" if _ends_alone(before[-LONGEST_MARKED - 2 :] + words) else "")


def joint(before: str, words: str, *, ended: bool = False) -> str:
    """What to put between the story so far and the writer's next words: "", a space or newlines.

    Words that bring their own space, or a story that ends in one, are joined as they are. After the
    end of a story a new paragraph begins; a heading, a scene break and a speaker's name in a play
    get a line of their own, after an empty one.

    Args:
        before: The story so far.
        words: What the writer adds.
        ended: The model closed the story before.
    """
    if not before or not words or words[0].isspace():
        return ""
    if SPEAKER.match(words) or _begins_alone(before, words.split("\n", 1)[0].strip()):
        return "\n" * (2 - min(2, len(before) - len(before.rstrip("\n"))))
    if before[-1].isspace() or _is_one_character(before, words):
        return ""
    if ended:
        return "\n"
    if CLOSING.match(words) or SHORT_FORM.match(words) or _closes_quote(words):
        return ""
    if _ends_alone(before):
        return "\n\n"
    if _opens(before) or _opens_quote(before) or not needs_space(before, words):
        return ""
    return " "


def _is_landmark(line: str, *, apart: bool) -> bool:
    """Whether a line is a heading or parts two scenes; one or two marks may be meant otherwise."""
    level = level_of(line, apart=apart)
    return level is not None and (level != BREAK or len("".join(line.split())) > 2 or line in "⁂⸻")


def _begins_alone(before: str, line: str) -> bool:
    """Whether a line is to stand on its own; “chapter 3” may be the end of a sentence."""
    is_certain = line.startswith("#") or level_of(line, apart=True) == BREAK
    return _is_landmark(line, apart=True) and (is_certain or bool(_WHOLE.search(before[-4:])))


def _ends_alone(text: str) -> bool:
    """Whether the last line is a heading or parts two scenes, and nothing ends it yet."""
    *_, before, last = ["", *text[-LONGEST_MARKED - 2 :].rsplit("\n", 2)]
    return _is_landmark(last.strip(), apart=not before.strip())


def _is_one_character(before: str, words: str) -> bool:
    """A mark, or the rest of an emoji, that comes alone belongs to the letter before it."""
    at = min(len(before), LONGEST_CHARACTER)
    around = before[-at:] + words[:LONGEST_CHARACTER]
    start, end = widened(around, at, at)
    return start < end and bool(_PART.match(around, at))


def _closes_quote(words: str) -> bool:
    """`" she said` closes what was said; `"Yes` opens it."""
    return bool(QUOTE.match(words)) and (len(words) == 1 or not words[1].isalnum())


def _opens(before: str) -> bool:
    """What follows belongs to the last character."""
    return bool(OPENING.match(before[-1])) and not before.endswith(_FULL_STOP)


def _opens_quote(before: str) -> bool:
    """`said: "` waits for what is said."""
    return bool(QUOTE.match(before[-1])) and (
        len(before) == 1 or before[-2].isspace() or _opens(before[-3:-1])
    )
