"""Where a sentence ends. Pure text, for the English of stories."""

import re

END = re.compile(r"[.!?…]+[\"'”’»)\]*_]*")
"""What ends a sentence: full stops and their kin, with the quotes that close after them."""
SHORTENED = re.compile(r"(?:\b(?:Mr|Mrs|Ms|Dr|St|Prof|Sr|Jr|Mme|Capt|Col|Gen|vs|etc)|\b[A-Z])\.$")
"""A full stop that only shortens a word: a title, an initial."""
FINISH_TOKENS = {"char": 240}
FINISH_TOKENS_OF_WORDS = 48


def sentence_end(text: str, *, after: int = 0, complete: bool = False) -> int | None:
    """Where in `text` the first sentence ends that ends beyond `after`; None where none does.

    An end is sure only when it is seen how the text goes on: a quote may still close, and after
    `“Stop!” she said` the sentence has not ended. So one at the very end of the text counts only
    where the text is `complete`.

    Returns:
        The number of characters up to and with the end, its closing quotes included.
    """
    for found in END.finditer(text):
        end = found.end()
        if end <= after or SHORTENED.search(text[: found.start() + 1][-8:]):
            continue
        rest = text[end:]
        following = rest.lstrip()
        if not following:
            # A new line ends a sentence whatever comes after it.
            if complete or "\n" in rest:
                return end
            continue
        if rest[0].isspace() and not ("\n" not in rest[:2] and following[0].islower()):
            return end
    return None


def ends_sentence(text: str) -> bool:
    """Whether `text` stops where a sentence does. Nothing, and a new paragraph, are no sentence."""
    stripped = text.rstrip()
    line = stripped[stripped.rfind("\n") + 1 :]
    return bool(line) and sentence_end(line, after=len(line) - 1, complete=True) == len(line)


def finish_tokens(kind: str) -> int:
    """How many more tokens a sentence that is to be finished may take.

    Args:
        kind: Of the tokenizer: a token is a character, or a piece of a word.
    """
    return FINISH_TOKENS.get(kind, FINISH_TOKENS_OF_WORDS)
