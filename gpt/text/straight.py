"""Typographic marks for a model of characters that knows only those of a typewriter."""

from gpt.tokenizers import CharTokenizer, Tokenizer

STRAIGHT = {
    **dict.fromkeys("‘’‚‛′", "'"),
    **dict.fromkeys("“”„‟″", '"'),
    **dict.fromkeys("‐‑‒–−", "-"),
    **dict.fromkeys("—―", "--"),
    "…": "...",
    **dict.fromkeys("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}", " "),
}
"""What a typewriter has in place of each."""


def replaced(text: str, tokenizer: Tokenizer) -> dict[str, str]:
    """The marks in `text` that the model does not know and whose plain form it does, with that."""
    if not isinstance(tokenizer, CharTokenizer):
        return {}
    known = set(tokenizer.characters)
    strange = [mark for mark in STRAIGHT if mark in text and mark not in known]
    return {mark: STRAIGHT[mark] for mark in strange if known.issuperset(STRAIGHT[mark])}


def encode_straight(text: str, tokenizer: Tokenizer) -> list[int]:
    """The ids of a text as the model can read it; the text itself stays what it is.

    Raises:
        UnknownCharacterError: There is a character that the model does not know in any form.
    """
    marks = replaced(text, tokenizer)
    return tokenizer.encode(text.translate(str.maketrans(marks)) if marks else text)
