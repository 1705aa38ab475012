"""What can go wrong between text and tokens, each said in a sentence that helps."""

import re
import unicodedata
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager

from gpt.files import printable


class TokenizerError(ValueError):
    """A tokenizer cannot be trained, fetched or opened: one line, whatever it quotes."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class TextError(ValueError):
    """A text that a tokenizer cannot read, though others it can."""


class UnknownCharacterError(TextError):
    """Text holds characters that the character tokenizer never saw in training.

    Attributes:
        characters: The distinct unknown characters, in the order in which they first come.
        known: The characters of the vocabulary.
    """

    def __init__(self, characters: Iterable[str], known: Iterable[str]) -> None:
        self.characters = list(characters)
        self.known = list(known)
        count = len(self.characters)
        super().__init__(
            f"the text has {'a character' if count == 1 else f'{count} characters'} that this "
            f"model has never seen: {_named(self.characters)}; it knows these "
            f"{len(self.known)}: {_listed(self.known)}"
        )

    def __reduce__(self) -> tuple[type["UnknownCharacterError"], tuple[list[str], list[str]]]:
        return UnknownCharacterError, (self.characters, self.known)


@contextmanager
def panics_said() -> Generator[None]:
    """Turn a panic of a library in Rust, which no `except Exception` meets, into a TextError."""
    try:
        yield
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        why = " ".join(str(error).split())[:200]
        raise TextError(f"the tokenizer cannot read this text: {why}") from error


def sentencepiece_error(message: str, vocab_size: int) -> TokenizerError:
    """The trainer's own words, of which two are common, said in ours."""
    if most := re.search(r"too high.*<= (\d+)", message):
        return too_large(vocab_size, int(most[1]))
    if least := re.search(r"smaller than required_chars. \d+ vs (\d+)", message):
        return too_small(vocab_size, int(least[1]))
    if "!sentences_.empty()" in message:
        return TokenizerError("there is no text to learn pieces from")
    return TokenizerError(f"SentencePiece cannot learn from this text: {message}")


def too_large(vocab_size: int, most: int) -> TokenizerError:
    """More tokens were asked for than the text has pieces."""
    return TokenizerError(
        f"the text is too short for vocab_size={vocab_size}: {most} is the most it can give; "
        "ask for no more than that, or give more text"
    )


def too_small(vocab_size: int, least: int) -> TokenizerError:
    """Fewer tokens were asked for than there must be."""
    return TokenizerError(
        f"vocab_size={vocab_size} is too small: bytes, special tokens and the characters of this "
        f"text are {least} at least"
    )


def _named(characters: Sequence[str], most: int = 20) -> str:
    names = [f"{c!r} ({unicodedata.name(c, f'U+{ord(c):04X}')})" for c in characters[:most]]
    more = len(characters) - most
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _listed(characters: Sequence[str], most: int = 200) -> str:
    shown = repr("".join(characters[:most]))
    return shown + (" and more" if len(characters) > most else "")
