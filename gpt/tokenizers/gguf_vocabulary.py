"""Tokenizers as a GGUF says them: which of llama.cpp's algorithms, and a table of the tokens.

llama.cpp has two that fit ours: "llama", SentencePiece's byte pairs, of which a map of characters
is the case without a single pair; and "gpt2", pairs of bytes, with a split that it knows by name
(llama.cpp's src/llama-vocab.cpp). What neither cuts exactly as Inkling does is refused.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Literal

from gpt.tokenizers.checks import added_tokens
from gpt.tokenizers.errors import TokenizerError
from gpt.tokenizers.fast import FastTokenizer
from gpt.tokenizers.files import SPACE, byte_characters
from gpt.tokenizers.kinds import BPETokenizer, CharTokenizer, SentencePieceTokenizer
from gpt.tokenizers.merges import merges_of
from gpt.tokenizers.pieces import EOS


class TokenType(IntEnum):
    """What a token is to llama.cpp, as a GGUF numbers it."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@dataclass(frozen=True, slots=True)
class GgufVocabulary:
    """A tokenizer's part of a GGUF.

    Attributes:
        model: `tokenizer.ggml.model`, the algorithm.
        pre: `tokenizer.ggml.pre`, the split before it; "default" where there is none.
        tokens, types: Of each id.
        scores: Of each id, where the algorithm goes by them: the highest pair is joined first.
        merges: The pairs that are joined, in order, where it goes by these.
    """

    model: Literal["llama", "gpt2"]
    pre: str
    tokens: Sequence[str]
    types: Sequence[TokenType]
    scores: Sequence[float] = ()
    merges: Sequence[str] = ()


def gguf_vocabulary(
    tokenizer: CharTokenizer | BPETokenizer | SentencePieceTokenizer | FastTokenizer,
) -> GgufVocabulary:
    """What a GGUF says of a tokenizer.

    Raises:
        TokenizerError: llama.cpp would cut a text into other tokens; the message has a way round.
    """
    if isinstance(tokenizer, CharTokenizer):
        made = _characters(tokenizer)
    elif isinstance(tokenizer, SentencePieceTokenizer):
        made = _sentencepiece(tokenizer)
    elif isinstance(tokenizer, BPETokenizer):
        made = _byte_pairs(tokenizer)
    else:
        made = _from_elsewhere(tokenizer)
    if cut := next((token for token in made.tokens if "\0" in token), None):
        raise _refused(f"its token {cut!r:.60} holds a zero, which ends a text in llama.cpp")
    return made


def _characters(tokenizer: CharTokenizer) -> GgufVocabulary:
    if SPACE in tokenizer.characters:
        raise _refused(f"it knows the character {SPACE}, which is llama.cpp's sign for a space")
    tokens = [SPACE if character == " " else character for character in tokenizer.characters]
    types = [TokenType.NORMAL] * len(tokens)
    return GgufVocabulary(
        model="llama",
        pre="default",
        tokens=[*tokens, EOS],
        types=[*types, TokenType.CONTROL],
        scores=[0.0] * tokenizer.vocab_size,
    )


def _sentencepiece(tokenizer: SentencePieceTokenizer) -> GgufVocabulary:
    if tokenizer.model_type == "unigram":
        raise _refused(
            "it is a unigram one, and llama.cpp's has no bytes for characters without a piece",
            "prepare the text again with --tokenizer sentencepiece, which learns byte pairs",
        )
    return GgufVocabulary(
        model="llama",
        pre="default",
        tokens=tokenizer.names,
        types=[_type_of_piece(tokenizer, id) for id in range(tokenizer.vocab_size)],
        scores=tokenizer.scores,
    )


def _type_of_piece(tokenizer: SentencePieceTokenizer, id: int) -> TokenType:
    if id == 0:
        return TokenType.UNKNOWN
    if id == tokenizer.eos_id:
        return TokenType.CONTROL
    name = tokenizer.names[id]
    if name == "\n":
        return TokenType.USER_DEFINED  # as it was learnt: no pair reaches across a line end
    return TokenType.BYTE if tokenizer.is_byte(id) else TokenType.NORMAL


def _byte_pairs(tokenizer: BPETokenizer) -> GgufVocabulary:
    letters, eos = byte_characters(), tokenizer.eos_id

    def named(piece: bytes) -> str:
        return "".join(letters[byte] for byte in piece)

    pieces = enumerate(tokenizer.pieces)
    types = [TokenType.NORMAL] * tokenizer.vocab_size
    types[eos] = TokenType.CONTROL
    return GgufVocabulary(
        model="gpt2",
        pre="gpt-2",
        tokens=[EOS if id == eos else named(piece) for id, piece in pieces],
        types=types,
        merges=[f"{named(left)} {named(right)}" for left, right in merges_of(tokenizer.ranks)],
    )


_GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
_DIGITS = {"type": "Digits", "individual_digits": True}
_BYTES = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}
LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA3 = {
    "type": "Split",
    "pattern": {"Regex": LLAMA3_SPLIT},
    "behavior": "Isolated",
    "invert": False,
}
_REACHES = ("lstrip", "rstrip", "single_word")
_SPLITS: Mapping[str, list[dict[str, Any]]] = {
    "gpt-2": [_GPT2],
    "smollm": [_DIGITS, _GPT2],
    "llama-bpe": [_LLAMA3, _BYTES],
}
"""The steps of a tokenizer.json that llama.cpp knows under a name."""


def _from_elsewhere(tokenizer: FastTokenizer) -> GgufVocabulary:
    values: dict[str, Any] = json.loads(tokenizer.text)
    model: dict[str, Any] = values["model"]
    split: dict[str, Any] = values.get("pre_tokenizer") or {}
    steps: list[dict[str, Any]] = split.get("pretokenizers", [split])
    plain = [{k: v for k, v in step.items() if k != "trim_offsets"} for step in steps]
    pre = next((name for name, known in _SPLITS.items() if known == plain), None)
    whole_first = bool(model.get("ignore_merges"))  # of these splits, llama.cpp does so for one
    if (
        pre is None
        or model.get("type") != "BPE"
        or model.get("byte_fallback")
        or values.get("normalizer") is not None
        or whole_first != (pre == "llama-bpe")
    ):
        raise _refused(
            "it is none of those that Inkling can say: byte pairs with the split of GPT-2, SmolLM "
            "or Llama 3, and nothing before it"
        )
    added = {each["id"]: each for each in added_tokens(values)}
    reaching = [
        each["content"]
        for each in added.values()
        if not each["special"] and any(each.get(flag) for flag in _REACHES)
    ]
    if reaching:
        raise _refused(f"its token {reaching[0]!r:.60} takes the space beside it, or whole words")
    names = {id: name for name, id in model["vocab"].items()}
    names |= {id: each["content"] for id, each in added.items()}
    types = [TokenType.NORMAL if id in names else TokenType.UNUSED for id in range(max(names) + 1)]
    for id, each in added.items():
        types[id] = TokenType.CONTROL if each["special"] else TokenType.USER_DEFINED
    pairs: list[str | list[str]] = model["merges"]
    return GgufVocabulary(
        model="gpt2",
        pre=pre,
        tokens=[names.get(id, f"[unused {id}]") for id in range(max(names) + 1)],
        types=types,
        merges=[pair if isinstance(pair, str) else " ".join(pair) for pair in pairs],
    )


def _refused(why: str, instead: str = "") -> TokenizerError:
    return TokenizerError(
        f"llama.cpp cannot run this tokenizer as Inkling does: {why}. "
        + (f"For llama.cpp, {instead}; as it is, " if instead else "As it is, ")
        + "the model runs from its folder in transformers and vLLM"
    )
