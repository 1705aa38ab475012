"""The files a tokenizer lives in: `tokenizer.json` and `tokenizer_config.json`, as Hugging Face lays them out.

Plain functions from vocabularies to dictionaries. The shapes come from measuring transformers, llama.cpp and our own
encoders against each other on thousands of strings: whoever changes one runs tests/test_tokenizer.py.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, AnyStr

EOS = "<|endoftext|>"
UNK = "<unk>"
GPT2_SPLIT = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
"""The regex that `ByteLevel` in a tokenizer.json has built in."""
SPACE = "\u2581"
"""SentencePiece writes a space as this letter, ▁."""


def byte_characters() -> list[str]:
    """The printable stand-in of each of the 256 bytes: `bytes_to_unicode` in GPT-2's encoder.py."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    stand_in = {byte: chr(byte) for byte in printable}
    stand_in |= {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [stand_in[byte] for byte in range(256)]


def merges_of(ranks: Mapping[AnyStr, int]) -> list[tuple[AnyStr, AnyStr]]:
    """The pairs that byte-pair encoding joins, in order, recovered from the ranks of the joined pieces.

    Encoders differ in what they store: tiktoken and SentencePiece rank the pieces, `tokenizer.json` lists pairs. The
    last two parts of a piece, encoded with lower ranks alone, are the one pair that ever makes it, in any text.
    A piece that no order of joins reaches gets no pair.
    """
    pairs = (_last_pair(piece, ranks) for piece in sorted(ranks, key=ranks.__getitem__))
    return [pair for pair in pairs if pair is not None]


def _last_pair(piece: AnyStr, ranks: Mapping[AnyStr, int]) -> tuple[AnyStr, AnyStr] | None:
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 2:
        joined = [ranks.get(a + b, ranks[piece]) for a, b in zip(parts, parts[1:], strict=False)]
        rank = min(joined)
        if rank == ranks[piece]:
            return None
        at = joined.index(rank)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return (parts[0], parts[1]) if len(parts) == 2 else None


def character_json(characters: Sequence[str], eos_id: int) -> dict[str, Any]:
    """tokenizer.json of a character map. An unknown character is an error there too, as there is no unknown token."""
    vocab = {character: i for i, character in enumerate(characters)} | {EOS: eos_id}
    return _tokenizer_json(
        model={"type": "WordLevel", "vocab": vocab, "unk_token": UNK},
        pre_tokenizer=_split(r"[\s\S]", "Isolated"),
        decoder={"type": "Fuse"},
        special={EOS: eos_id},
    )


def byte_pair_json(ranks: Mapping[bytes, int], eos_id: int) -> dict[str, Any]:
    """tokenizer.json of a byte-level byte-pair vocabulary with GPT-2's split."""
    letters = byte_characters()
    names = {piece: "".join(letters[byte] for byte in piece) for piece in ranks}
    vocab = {names[piece]: i for piece, i in ranks.items()} | {EOS: eos_id}
    merges = [[names[left], names[right]] for left, right in merges_of(ranks)]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}
    return _tokenizer_json(
        model={"type": "BPE", "vocab": vocab, "merges": merges},
        pre_tokenizer=byte_level | {"use_regex": True},
        decoder=byte_level | {"use_regex": True},
        special={EOS: eos_id},
    )


def sentencepiece_bpe_json(pieces: Sequence[str], ranks: Mapping[str, int]) -> dict[str, Any]:
    """tokenizer.json of a SentencePiece byte-pair model.

    Args:
        pieces: Every piece in the order of its id; 0 is the unknown piece, 1 the end of a story.
        ranks: The ordinary pieces alone, single characters among them, in the order in which they are joined.
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
    """tokenizer.json of a SentencePiece unigram model, from (piece, log probability) in the order of the ids."""
    # The trie of `tokenizers` would find a byte piece in the typed text "<0x41>"; SentencePiece reads that as text.
    typed = _split(r"<(?=0x[0-9A-F]{2}>|unk>|\|endoftext\|>)", "Isolated")
    return _tokenizer_json(
        model={"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [typed, _METASPACE]},
        decoder=_PIECES_TO_TEXT,
        special={UNK: 0, EOS: 1},
    )


def config_json(tokenizer_class: str, **extra: Any) -> dict[str, Any]:
    """tokenizer_config.json. A typed `<|endoftext|>` is text there too; nothing is put before or after the text."""
    return {
        "tokenizer_class": tokenizer_class,
        "bos_token": EOS,
        "eos_token": EOS,
        "pad_token": EOS,
        "add_bos_token": False,
        "add_eos_token": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
    } | extra


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write `value` as UTF-8 JSON, whole or not at all."""
    write_bytes(path, (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode())


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and move it into place, so that a reader never sees half a file."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    os.replace(partial, path)


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


def _split(regex: str, behavior: str) -> dict[str, Any]:
    return {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior, "invert": False}


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
        "post_processor": None,
        "decoder": decoder,
        "model": model,
    }
