"""A tokenizer for models whose own is with their server: it estimates, and every token that the
server names is one of its tokens.

Its ids stand for texts. The id of a character is its code point; that of a longer text follows
from the text alone, so that a story that was kept reads the same in another process.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from chat.models.remote.errors import RemoteError
from gpt.tokenizers.pieces import StreamDecoder, whole_characters

PIECE = re.compile(r" ?[A-Za-z]{1,6}| ?[\u00c0-\u024f\u0370-\u052f]{1,3}| ?\d{1,3}|\s{1,8}|.", re.S)
"""About what a vocabulary of some ten thousand pieces makes of prose: most words are one, long
ones two or three, and a character of a script that it knows little of is one by itself."""
CHARACTERS = 0x110000
BOS, EOS, NOTHING = range(CHARACTERS, CHARACTERS + 3)
"""Ids that stand for no text: what a story begins after, its end, a token that only began a
character."""
PIECES = 1 << 21
"""The ids of longer texts begin here."""
MOST_PIECES = 300_000
MOST_LENGTH = 64
"""Characters of a piece."""


class RemoteTokenizer:
    """See `gpt.tokenizers.Tokenizer`. The pieces of each server have a table of their own, which is
    bounded: what it has no room for is cut into characters."""

    kind = "remote"
    vocab_size = 1 << 50  # a browser's numbers are exact up to 2**53
    eos_id = EOS
    bos_id = BOS
    end_ids = frozenset({EOS})

    def __init__(self) -> None:
        self._texts: dict[int, str] = {}

    @property
    def pieces(self) -> tuple[bytes, ...]:
        """None are known."""
        return ()

    def id_of(self, text: str) -> int | None:
        """The id of a piece; None where it cannot have one."""
        if len(text) <= 1:
            return ord(text) if text else NOTHING
        if len(text) > MOST_LENGTH:
            return None
        digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).digest()
        id = PIECES + int.from_bytes(digest)
        known = self._texts.get(id)
        if known is None and len(self._texts) < MOST_PIECES:
            self._texts[id] = known = text
        return id if known == text else None

    def encode(self, text: str) -> list[int]:
        """About the tokens that the model's own tokenizer would make."""
        ids: list[int] = []
        for piece in PIECE.findall(whole_characters(text)):
            id = self.id_of(piece)
            ids += map(ord, piece) if id is None else (id,)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; "" for those it never met."""
        return "".join(map(self.piece, ids))

    def piece(self, id: int) -> str:
        """The text of one."""
        return chr(id) if id < CHARACTERS else self._texts.get(id, "")

    def decoder(self) -> "Decoder":
        """Each id is whole, so there is nothing to remember."""
        return Decoder(self)

    def save(self, folder: Path) -> None:
        """There is nothing to be saved."""
        raise RemoteError("A model on a server has its tokenizer there: it cannot be saved.")


class Decoder(StreamDecoder):
    """Of a vocabulary whose pieces are whole characters."""

    def __init__(self, tokenizer: RemoteTokenizer) -> None:
        super().__init__(())
        self._tokenizer = tokenizer

    def decode(self, id: int) -> str:
        """The text of the token."""
        return self._tokenizer.piece(id)

    def copy(self) -> "Decoder":
        """Another one, as there is nothing to go on from."""
        return Decoder(self._tokenizer)

    def flush(self) -> str:
        """Nothing is ever left."""
        return ""
