"""Rounded scores for a unigram model, so that every program cuts a text into the same pieces.

The best cut is the one with the largest sum of scores. SentencePiece adds in float32, `tokenizers`
in float64, and where two cuts are equally good ("l" "ll" and "ll" "l") the rounding of the sums
decides, differently in each. Scores of few bits are added without rounding; then both take the
same one. The model is a Protocol Buffers message (sentencepiece_model.proto): its field 1 is
repeated, one message for each piece, whose field 2 is the score.
"""

import struct
from collections.abc import Iterator

from gpt.tokenizers.errors import TokenizerError

STEP = 1 / 256
"""Scores become multiples of this; sums stay exact in float32 up to 65,536 nats."""


def round_scores(model: bytes) -> bytes:
    """The SentencePiece model `model` with its scores rounded to multiples of STEP."""
    rounded = bytearray(model)
    for field, begin, end in _fields(model, 0, len(model)):
        if field != 1:
            continue
        for inner, at, _ in _fields(model, begin, end):
            if inner == 2:
                score: float = struct.unpack_from("<f", model, at)[0]
                struct.pack_into("<f", rounded, at, round(score / STEP) * STEP)
    return bytes(rounded)


def check_model(model: bytes) -> None:
    """Raise TokenizerError unless the message is whole, and rewrites no text.

    Its normalizer (field 3) has a compiled table in field 2, which SentencePiece walks without a
    look at where it leads; ours has none. Field 5 is a second normalizer.
    """
    try:
        for field, begin, end in _fields(model, 0, len(model)):
            table = field == 3 and any(
                number == 2 and stop > at for number, at, stop in _fields(model, begin, end)
            )
            if table or (field == 5 and end > begin):
                raise TokenizerError(
                    "this SentencePiece model rewrites the text it reads: only models that Inkling "
                    "trained can be opened"
                )
    except (IndexError, KeyError, OverflowError) as error:
        raise TokenizerError("this SentencePiece model is damaged: copy it again") from error


def _fields(message: bytes, begin: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The (number, begin, end) of each field's content; see protobuf.dev, "Encoding"."""
    at = begin
    while at < end:
        tag, at = _varint(message, at)
        wire_type = tag & 7
        if wire_type == 0:
            _, stop = _varint(message, at)
        elif wire_type == 2:
            length, at = _varint(message, at)
            stop = at + length
        else:
            stop = at + {1: 8, 5: 4}[wire_type]
        if stop > end:
            raise IndexError("a field goes on past its message")
        yield tag >> 3, at, stop
        at = stop


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if shift > 70:
            raise OverflowError("a number of more than 64 bits")
        if byte < 0x80:
            return value, at
