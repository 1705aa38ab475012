"""The files a tokenizer lives in, as Hugging Face lays them out.

`tokenizer.json` and `tokenizer_config.json` for all, and the SentencePiece model beside them. The
shapes come from measuring transformers and our own encoders against each other on thousands of
strings: whoever changes one runs tests/gpt/test_tokenizer.py.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from gpt.files import write_whole
from gpt.tokenizers.merges import merges_of
from gpt.tokenizers.pieces import EOS

UNK = "<unk>"
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The regex that `ByteLevel` in a tokenizer.json has built in."""
SPACE = "\u2581"
"""SentencePiece writes a space as this letter, ▁."""

SENTENCEPIECE_FILES: Mapping[Literal["bpe", "unigram"], str] = {
    "bpe": "tokenizer.model",
    # llama.cpp reads every tokenizer.model as byte-pair, which a unigram model is not.
    "unigram": "spiece.model",
}
_FILES = ("tokenizer.json", "tokenizer_config.json", *SENTENCEPIECE_FILES.values())


def write_files(
    folder: Path,
    tokenizer: Mapping[str, Any],
    config: Mapping[str, Any],
    models: Mapping[str, bytes] | None = None,
) -> None:
    """Write a tokenizer's files, each whole or not at all, and remove those of any other kind.

    Args:
        folder: Where; made if it is not there.
        tokenizer: What tokenizer.json holds.
        config: What tokenizer_config.json holds.
        models: Further files by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = {"tokenizer_config.json": _encoded(config)} | dict(models or {})
    files["tokenizer.json"] = _encoded(tokenizer)  # last: `load_tokenizer` goes by this one
    for name, data in files.items():
        write_whole(folder / name, data)
    for name in _FILES:
        if name not in files:
            (folder / name).unlink(missing_ok=True)


def byte_characters() -> list[str]:
    """The printable stand-in of each of the 256 bytes: `bytes_to_unicode` in GPT-2's encoder.py."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    stand_in = {byte: chr(byte) for byte in printable}
    stand_in |= {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [stand_in[byte] for byte in range(256)]


def character_json(characters: Sequence[str], eos_id: int) -> dict[str, Any]:
    """tokenizer.json of a character map; without an unknown token, so that a reader refuses too."""
    vocab = {character: i for i, character in enumerate(characters)} | {EOS: eos_id}
    return _tokenizer_json(
        model={"type": "WordLevel", "vocab": vocab, "unk_token": UNK},
        pre_tokenizer={
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        decoder={"type": "Fuse"},
        special={EOS: eos_id},
    )


def byte_pair_json(ranks: Mapping[bytes, int], eos_id: int) -> dict[str, Any]:
    """tokenizer.json of a byte-level byte-pair vocabulary with GPT-2's split."""
    letters = byte_characters()
    names = {piece: "".join(letters[byte] for byte in piece) for piece in ranks}
    vocab = {names[piece]: i for piece, i in ranks.items()} | {EOS: eos_id}
    return byte_level_json(
        vocab, [[names[left], names[right]] for left, right in merges_of(ranks)], {EOS: eos_id}
    )


def byte_level_json(
    vocab: Mapping[str, int], merges: Sequence[Sequence[str]], special: Mapping[str, int]
) -> dict[str, Any]:
    """tokenizer.json of pieces and pairs that are written with `byte_characters`."""
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return _tokenizer_json(
        model={"type": "BPE", "vocab": vocab, "merges": merges},
        pre_tokenizer=byte_level | {"use_regex": True},
        decoder=byte_level | {"use_regex": True},
        special=special,
    )


def sentencepiece_bpe_json(pieces: Sequence[str], ranks: Mapping[str, int]) -> dict[str, Any]:
    """tokenizer.json of a SentencePiece byte-pair model.

    Args:
        pieces: Every piece in the order of its id; 0 is the unknown one, 1 the end of a story.
        ranks: The ordinary pieces, single characters among them, in the order they are joined.
    """
    return _tokenizer_json(
        model={
            "type": "BPE",
            "unk_token": UNK,
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: i for i, piece in enumerate(pieces)},
            "merges": [list(pair) for pair in merges_of(ranks)],
        },
        pre_tokenizer=_METASPACE,
        decoder=_PIECES_TO_TEXT,
        special={UNK: 0, EOS: 1},
    )


def sentencepiece_unigram_json(pieces: Sequence[tuple[str, float]]) -> dict[str, Any]:
    """tokenizer.json of a SentencePiece unigram model, from its (piece, log probability) by id."""
    return _tokenizer_json(
        model={"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True},
        pre_tokenizer={
            "type": "Sequence",
            "pretokenizers": [_special_pieces_parted([name for name, _ in pieces]), _METASPACE],
        },
        decoder=_PIECES_TO_TEXT,
        special={UNK: 0, EOS: 1},
    )


def _special_pieces_parted(pieces: Sequence[str]) -> dict[str, Any]:
    """A split inside every typed `<0x41>`, `<unk>` and `<|endoftext|>`.

    SentencePiece reads them as text; a Unigram model of `tokenizers` would find the special pieces
    in it. Each is parted between two letters that no ordinary piece holds side by side, so that
    the split changes nothing else.
    """
    ordinary = (name for name in pieces if not _BYTE.fullmatch(name) and name not in (UNK, EOS))
    together = {a + b for name in ordinary for a, b in pairwise(name)}
    parts = {
        (name[:at], name[at:])
        for name in (piece for piece in pieces if _BYTE.fullmatch(piece) or piece in (UNK, EOS))
        for at in [next((i for i in range(1, len(name)) if name[i - 1 : i + 1] not in together), 1)]
    }
    regex = "|".join(f"{re.escape(a)}(?={re.escape(b)})" for a, b in sorted(parts))
    return {
        "type": "Split",
        "pattern": {"Regex": regex},
        "behavior": "MergedWithPrevious",
        "invert": False,
    }


def config_json(tokenizer_class: str, **extra: Any) -> dict[str, Any]:
    """tokenizer_config.json: a text begins after `bos_token`, as every story was trained to, and a
    typed `<|endoftext|>` is text."""
    return {
        "tokenizer_class": tokenizer_class,
        "bos_token": EOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "add_bos_token": True,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
    } | extra


def begins_with(token: str, id: int, then: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The post-processor that puts a token before each text, unless `add_special_tokens=False`.

    Args:
        then: What it comes after, where a tokenizer has one already.
    """

    def part(sequence: str, type_id: int) -> list[dict[str, Any]]:
        return [
            {"SpecialToken": {"id": token, "type_id": type_id}},
            {"Sequence": {"id": sequence, "type_id": type_id}},
        ]

    template: dict[str, Any] = {
        "type": "TemplateProcessing",
        "single": part("A", 0),
        "pair": part("A", 0) + part("B", 1),
        "special_tokens": {token: {"id": token, "ids": [id], "tokens": [token]}},
    }
    return template if then is None else {"type": "Sequence", "processors": [then, template]}


def kind_of_ours(values: Mapping[str, Any]) -> Literal["char", "byte", "bpe", "unigram"] | None:
    """Which of our tokenizers a tokenizer.json holds; None for one that works in another way.

    GPT-2's own is of the kind "byte", so tiktoken runs it.
    """
    model = values["model"]
    if values.get("normalizer") is not None:
        return None
    if model.get("type") == "WordLevel":
        return "char"
    if model.get("type") == "Unigram":
        return "unigram" if [name for name, _ in model["vocab"][:2]] == [UNK, EOS] else None
    vocab: Mapping[str, int] = model["vocab"]
    if model.get("byte_fallback"):
        return "bpe" if (vocab.get(UNK), vocab.get(EOS)) == (0, 1) else None
    return "byte" if _is_plain_byte_pair(values, vocab) else None


def _is_plain_byte_pair(values: Mapping[str, Any], vocab: Mapping[str, int]) -> bool:
    """Whether tiktoken, which goes by the ids alone, would cut a text as this file says."""
    model: dict[str, Any] = values["model"]
    split: dict[str, Any] = values.get("pre_tokenizer") or {}
    added: list[dict[str, Any]] = values.get("added_tokens") or []
    if (
        split.get("type") != "ByteLevel"
        or split.get("add_prefix_space", True)
        or not split.get("use_regex", True)
        or model.get("ignore_merges")
        or [token["content"] for token in added] != [EOS]
    ):
        return False
    pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
    joined = [vocab.get(left + right, -1) for left, right in pairs]
    return (
        sorted(vocab.values()) == list(range(len(vocab)))
        and all(letter in vocab for letter in byte_characters())
        and all(a < b for a, b in pairwise(joined))
        and len(joined) == len(vocab) - 257
    )


_BYTE = re.compile("<0x[0-9A-F]{2}>")
_METASPACE = {
    "type": "Metaspace",
    "replacement": SPACE,
    "prepend_scheme": "never",
    "split": False,
}
_PIECES_TO_TEXT = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ],
}


def _encoded(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _tokenizer_json(
    *,
    model: Mapping[str, Any],
    pre_tokenizer: Mapping[str, Any],
    decoder: Mapping[str, Any],
    special: Mapping[str, int],
) -> dict[str, Any]:
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": content} | flags | {"special": True}
            for content, i in special.items()
        ],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer,
        "post_processor": begins_with(EOS, special[EOS]) if EOS in special else None,
        "decoder": decoder,
        "model": model,
    }
