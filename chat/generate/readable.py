"""Whether a model can read a story, told by its alphabet: before it is opened."""

from functools import lru_cache
from pathlib import Path

from chat.generate.prompt import never_saw
from chat.models import Listing
from gpt.text.straight import replaced
from gpt.tokenizers import CharTokenizer, kind_in, load_tokenizer
from gpt.tokenizers.pieces import whole_characters


def unreadable(listing: Listing, text: str) -> str:
    """Why a model cannot read `text`, in words for the writer; "" where it can, or nobody knows.

    Only a model of characters has some that it does not know.
    """
    tokenizer = _alphabet(listing.folder, listing.version) if listing.here else None
    if tokenizer is None:
        return ""
    text = whole_characters(text)
    known = {*tokenizer.characters, *replaced(text, tokenizer)}
    unknown = [each for each in dict.fromkeys(text) if each not in known]
    return f"{never_saw(unknown, listing.key)}, so it cannot read this story." if unknown else ""


@lru_cache(maxsize=64)
def _alphabet(folder: Path, version: int) -> CharTokenizer | None:
    """The tokenizer of a model of characters; None of another, and where it cannot be opened.

    Args:
        version: Of the model, so that one that was trained anew is looked at again.
    """
    try:
        tokenizer = load_tokenizer(folder) if kind_in(folder) == "char" else None
    except (OSError, ValueError):
        return None
    return tokenizer if isinstance(tokenizer, CharTokenizer) else None
