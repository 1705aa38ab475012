"""What all tokenizers share: an id stands for some bytes of UTF-8, and to decode is to join them.

The bytes of one token need not be whole characters. `StreamDecoder` gives out text one token at a
time and holds back the bytes of a character until all of them are there.
"""

import codecs
from collections.abc import Iterable, Sequence

EOS = "<|endoftext|>"
"""How the end-of-story token is written."""


class StreamDecoder:
    """Turns ids into text one at a time; all it gives, joined, is `decode` of all the ids."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def decode(self, id: int) -> str:
        """The text that became whole with this token, maybe ""."""
        return self._utf8.decode(bytes_of(self._pieces, id))

    def copy(self) -> "StreamDecoder":
        """One that goes on from the same place, by itself."""
        twin = StreamDecoder(self._pieces)
        twin._utf8.setstate(self._utf8.getstate())
        return twin

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character cut in two, else "". Starts afresh."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text


class Pieces:
    """Decoding for a vocabulary given as the bytes of each id; the end of a story has none."""

    def __init__(
        self,
        pieces: Sequence[bytes],
        eos_id: int,
        bos_id: int | None = None,
        end_ids: Iterable[int] = (),
    ) -> None:
        self._pieces = tuple(pieces)
        self.vocab_size = len(pieces)
        self.eos_id = eos_id
        self.bos_id = eos_id if bos_id is None else bos_id
        self.end_ids = frozenset({eos_id, *end_ids})

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """The bytes that each id stands for; none for the special ones."""
        return self._pieces

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are no character become U+FFFD."""
        return b"".join([bytes_of(self._pieces, id) for id in ids]).decode(errors="replace")

    def piece(self, id: int) -> str:
        r"""How one token is shown alone: bytes that are no whole character as e.g. `\xe2`."""
        if id == self.eos_id:
            return EOS
        return bytes_of(self._pieces, id).decode(errors="backslashreplace")

    def decoder(self) -> StreamDecoder:
        """A fresh decoder for one story."""
        return StreamDecoder(self._pieces)


def bytes_of(pieces: Sequence[bytes], id: int) -> bytes:
    """The bytes of one id; ValueError outside the vocabulary, negative ids included."""
    if not 0 <= id < len(pieces):
        raise ValueError(f"id {id} is not in the vocabulary: expected 0 to {len(pieces) - 1}")
    return pieces[id]


def whole_characters(text: str) -> str:
    """`text` with lone surrogates replaced by U+FFFD: they are no characters and have no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text
