"""Whole characters out of pieces of text, of which a server may cut one anywhere."""

import codecs
import re

HALVES = re.compile("[\udc80-\udcff]")
"""How `surrogateescape` writes a byte that is no UTF-8."""


def line_of(data: bytes) -> bytes:
    """A line of JSON as UTF-8, in which a byte that is none is written as an escape of JSON's, so
    that `Characters` finds it again inside a string."""
    text = data.decode("utf-8", "surrogateescape")
    return HALVES.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


class Characters:
    """Joins what was cut: bytes of UTF-8, and both halves of a surrogate pair."""

    def __init__(self) -> None:
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")
        self._high = ""

    def push(self, text: str) -> str:
        """The whole characters that `text` brings to an end; what can be none is U+FFFD."""
        text = self._high + text
        self._high = text[-1] if text and "\ud800" <= text[-1] <= "\udbff" else ""
        text = text.removesuffix(self._high) if self._high else text
        # Two halves that stand beside each other become one character, and one alone stays.
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        data = b"".join(map(_bytes_of, joined)) if _has_halves(joined) else joined.encode()
        return self._bytes.decode(data)

    def flush(self) -> str:
        """What is left of a character that nothing will finish."""
        high, self._high = self._high, ""
        return self._bytes.decode(b"", final=True) + ("\ufffd" if high else "")


def _has_halves(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _bytes_of(character: str) -> bytes:
    if HALVES.match(character):
        return bytes([ord(character) - 0xDC00])
    return "\ufffd".encode() if "\ud800" <= character <= "\udfff" else character.encode()
