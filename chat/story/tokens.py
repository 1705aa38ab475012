"""The tokens of a passage: one by one, as an exported story has them, and in columns, as the
library keeps them.

Ten likely tokens stand beside each that was drawn. As objects in JSON they would be nearly all of a
long story, and nearly all of the time that it takes to open it; of the columns only those are read
at once that a page shows.
"""

import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt

LEVEL = 1
"""Of zlib: a higher one saves 4% and takes four times as long."""


@dataclass(frozen=True, slots=True)
class TokenChoice:
    """One token that could have stood here, with its chance before and after the samplers (None
    where another program drew, and does not say)."""

    id: int
    text: str
    raw_probability: float
    probability: float | None


@dataclass(frozen=True, slots=True)
class StoryToken:
    """One token the model wrote.

    Attributes:
        text: The whole characters it released; "" while a character is incomplete.
        probability: After the samplers; None where another program drew it.
        entropy: Of the model's own distribution, in nats; None where only its likeliest are known.
        top: The likeliest tokens here, best first.
    """

    id: int
    text: str
    raw_probability: float = 0.0
    probability: float | None = 0.0
    entropy: float | None = 0.0
    top: tuple[TokenChoice, ...] = ()


# Written out: a long story has a hundred thousand tokens, and `asdict` copies each of their values.
def entry_of_token(token: StoryToken) -> dict[str, Any]:
    """A token as an exported story has it."""
    return {
        "id": token.id,
        "text": token.text,
        "raw_probability": token.raw_probability,
        "probability": token.probability,
        "entropy": token.entropy,
        "top": [
            {
                "id": choice.id,
                "text": choice.text,
                "raw_probability": choice.raw_probability,
                "probability": choice.probability,
            }
            for choice in token.top
        ],
    }


def token_of(entry: Mapping[str, Any]) -> StoryToken:
    """The token that `entry_of_token` made a dictionary of."""
    read: dict[str, Any] = {"top": tuple([TokenChoice(**each) for each in entry["top"]])}
    return StoryToken(**{**entry, **read})


class PackedTokens(Sequence[StoryToken]):
    """Tokens that are made when one of them is asked for; equal to a tuple of the same.

    Args:
        entry: What `packed` made of them.

    Raises:
        KeyError, TypeError, ValueError: It made no such thing.
    """

    __slots__ = ("_tokens", "counts", "entry", "raw_probabilities", "texts")

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.entry = entry
        self.texts: list[str] = entry["texts"]
        self.raw_probabilities = _column(entry["raw"], np.float64)
        self.counts = _column(entry["counts"], np.uint16)
        """How many likely tokens are known beside each."""
        self._tokens: tuple[StoryToken, ...] | None = None
        count = len(self.texts)
        if not len(self.raw_probabilities) == len(self.counts) == count or (
            zlib.crc32(entry["rest"].encode()) != entry["crc"]
        ):
            raise ValueError("the tokens of a passage are damaged")

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, index: int) -> StoryToken: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[StoryToken, ...]: ...
    def __getitem__(self, index: int | slice) -> StoryToken | tuple[StoryToken, ...]:
        return self._all()[index]

    def __iter__(self) -> Iterator[StoryToken]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PackedTokens):
            return self.entry == other.entry or self._all() == other._all()
        return isinstance(other, tuple) and self._all() == other

    def __hash__(self) -> int:
        return hash(self._all())

    def _all(self) -> tuple[StoryToken, ...]:
        if self._tokens is None:
            self._tokens = tuple(self._unpacked())
        return self._tokens

    def _unpacked(self) -> Iterator[StoryToken]:
        count, choices = len(self), int(self.counts.sum())
        top_texts: list[int]
        rest = zlib.decompress(b64decode(self.entry["rest"]))
        ids, top_ids, top_texts, drawn, entropy, top_raw, top_drawn = _split(
            rest,
            (np.int32, count),
            (np.int32, choices),
            (np.uint32, choices),
            *[(np.float64, count)] * 2,
            *[(np.float64, choices)] * 2,
        )
        words: list[str] = self.entry["words"]
        top = [
            TokenChoice(id, words[word], raw, _or_none(chance))
            for id, word, raw, chance in zip(top_ids, top_texts, top_raw, top_drawn, strict=True)
        ]
        at = 0
        for id, text, raw, chance, nats, size in zip(
            *(ids, self.texts, self.raw_probabilities.tolist(), drawn, entropy),
            self.counts.tolist(),
            strict=True,
        ):
            likeliest = tuple(top[at : at + size])
            yield StoryToken(id, text, raw, _or_none(chance), _or_none(nats), likeliest)
            at += size


def packed(tokens: Sequence[StoryToken]) -> Mapping[str, Any] | None:
    """Tokens as JSON for `PackedTokens`; None for numbers that it would not give back as they are
    (of a file that another program wrote)."""
    if isinstance(tokens, PackedTokens):
        return tokens.entry
    top = [choice for token in tokens for choice in token.top]
    raw = [token.raw_probability for token in tokens]
    optional = [
        [token.probability for token in tokens],
        [token.entropy for token in tokens],
        [choice.probability for choice in top],
    ]
    top_raw = [choice.raw_probability for choice in top]
    if not all(type(each) is float for each in [*raw, *top_raw]) or not all(
        each is None or type(each) is float for column in optional for each in column
    ):
        return None
    places = {text: at for at, text in enumerate(dict.fromkeys(choice.text for choice in top))}
    drawn, entropy, top_drawn = optional
    try:
        rest = b"".join(
            [
                np.array([token.id for token in tokens], "<i4").tobytes(),
                np.array([choice.id for choice in top], "<i4").tobytes(),
                np.array([places[choice.text] for choice in top], "<u4").tobytes(),
                *(np.array(each, "<f8").tobytes() for each in (drawn, entropy, top_raw, top_drawn)),
            ]
        )
        counts = np.array([len(token.top) for token in tokens], "<u2")
    except OverflowError:
        return None
    text = b64encode(zlib.compress(rest, LEVEL)).decode()
    return {
        "texts": [token.text for token in tokens],
        "raw": b64encode(np.array(raw, "<f8").tobytes()).decode(),
        "counts": b64encode(counts.tobytes()).decode(),
        "words": list(places),
        "rest": text,
        "crc": zlib.crc32(text.encode()),
    }


def texts_of(tokens: Sequence[StoryToken]) -> list[str]:
    """The text that each token released; "" for one that only began a character."""
    if isinstance(tokens, PackedTokens):
        return [*tokens.texts]
    return [token.text for token in tokens]


def raw_probabilities_of(tokens: Sequence[StoryToken]) -> list[float | None]:
    """The model's probability of each token before any sampler; None where it is not known."""
    if isinstance(tokens, PackedTokens):
        pairs = zip(tokens.raw_probabilities.tolist(), tokens.counts.tolist(), strict=True)
        return [raw if count else None for raw, count in pairs]
    return [token.raw_probability if token.top else None for token in tokens]


def _column(text: str, kind: type[np.generic]) -> npt.NDArray[Any]:
    return np.frombuffer(b64decode(text), np.dtype(kind).newbyteorder("<"))


def _split(rest: bytes, *parts: tuple[type[np.generic], int]) -> list[list[Any]]:
    """The columns that lie behind each other in `rest`."""
    found, at = list[list[Any]](), 0
    for kind, count in parts:
        dtype = np.dtype(kind).newbyteorder("<")
        found.append(np.frombuffer(rest, dtype, count, at).tolist())
        at += count * dtype.itemsize
    return found


def _or_none(value: float) -> float | None:
    """NaN stands for None in a column."""
    return None if value != value else value
