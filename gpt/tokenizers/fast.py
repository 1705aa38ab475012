"""Any tokenizer.json of a GPT-2 or Llama model, run by the library it was made for.

Our own are opened by the classes of gpt/tokenizers/tokenizer.py; this one is for models from
elsewhere.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from gpt.files import is_there, read_json, read_text
from gpt.tokenizers.checks import MAX_ID, MAX_PIECE, added_tokens
from gpt.tokenizers.errors import TokenizerError, panics_said
from gpt.tokenizers.files import (
    begins_with,
    byte_characters,
    byte_level_json,
    config_json,
    write_files,
)
from gpt.tokenizers.pieces import EOS, Pieces, whole_characters
from gpt.tokenizers.trial import Spec

MAX_PIECES = 64_000_000
"""Bytes of all pieces together."""
_BYTE = re.compile("<0x([0-9A-Fa-f]{2})>")
_BYTE_OF = {letter: byte for byte, letter in enumerate(byte_characters())}


class FastTokenizer(Pieces):
    """A tokenizer.json, whatever its split, its normalizer and its added tokens.

    One whose model puts a space before each text (Llama 2) does so here too, so what is decoded
    begins with that space.

    Args:
        text: What tokenizer.json holds.
        end_ids: The tokens that end a text, the one to write first.
        bos_id: What a text begins after.
    """

    def __init__(self, text: str, end_ids: Sequence[int], bos_id: int) -> None:
        from tokenizers import Tokenizer

        self._text = text
        values: dict[str, Any] = json.loads(text)
        with panics_said():
            self._tokenizer = Tokenizer.from_str(text)
        self._tokenizer.encode_special_tokens = True  # a typed `</s>` is text like any other
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        model, steps = values["model"], _steps(values.get("decoder"))
        pieces_of_words = model["type"] == "Unigram" or model.get("byte_fallback")
        self.kind = "sentencepiece" if pieces_of_words else "bpe"
        tokens: list[dict[str, Any]] = values.get("added_tokens") or []
        added: dict[str, bool] = {token["content"]: token["special"] for token in tokens}
        self._names: dict[int, str] = {
            id: name for name, id in self._tokenizer.get_vocab(with_added_tokens=True).items()
        }
        self._special = {id for id, name in self._names.items() if added.get(name)}
        pieces = [b""] * _size(self._names)
        for id, name in self._names.items():
            if id not in self._special:
                pieces[id] = name.encode() if name in added else _bytes(name, steps)
        if (size := sum(map(len, pieces))) > MAX_PIECES:
            raise TokenizerError(f"its pieces have {size:,} bytes together: {MAX_PIECES:,} at most")
        super().__init__(pieces, end_ids[0], bos_id, end_ids)

    @property
    def text(self) -> str:
        """What tokenizer.json holds."""
        return self._text

    def encode(self, text: str) -> list[int]:
        """The ids of `text`."""
        # A batch, for with a single text the library holds up all other threads.
        with panics_said():
            batch = self._tokenizer.encode_batch_fast(
                [whole_characters(text)], add_special_tokens=False
            )
        return batch[0].ids

    def piece(self, id: int) -> str:
        """As in `Tokenizer`; a special token by its name."""
        return self._names[id] if id in self._special else super().piece(id)

    def save(self, folder: Path) -> None:
        """Write tokenizer.json as it was, but that a text begins after `bos_id`, as it does here,
        and a tokenizer_config.json."""
        names = {"bos_token": self._names[self.bos_id], "eos_token": self._names[self.eos_id]}
        config = config_json("PreTrainedTokenizerFast", **names, pad_token=names["eos_token"])
        values: dict[str, Any] = json.loads(self._text)
        if self._tokenizer.encode("").ids[:1] != [self.bos_id]:
            first = begins_with(names["bos_token"], self.bos_id, values.get("post_processor"))
            values["post_processor"] = first
        write_files(folder, values, config)


def read_tokenizer(folder: Path) -> str:
    """What tokenizer.json holds; made from vocab.json and merges.txt where a GPT-2 has only these.

    Raises:
        CheckpointError: there is none, or none that can be read.
    """
    name, old = "tokenizer.json", ("vocab.json", "merges.txt")
    if is_there(folder, name) or not all(is_there(folder, each) for each in old):
        return read_text(folder, name)
    vocab = read_json(folder, old[0])
    if wrong := next((each for each in vocab.values() if type(each) is not int), None):
        raise TokenizerError(f"expected ids in {folder / old[0]}, got {wrong!r:.60}")
    lines = read_text(folder, old[1]).split("\n")
    merges = [line.split(" ") for line in lines if line and not line.startswith("#version")]
    special = {EOS: vocab[EOS]} if EOS in vocab else {}
    return json.dumps(byte_level_json(vocab, merges, special), ensure_ascii=False)


def fast_spec(folder: Path, text: str, values: dict[str, Any]) -> Spec:
    """What a `FastTokenizer` is made of, for a model folder from elsewhere.

    Args:
        text: What `read_tokenizer` gave.
        values: The same, parsed and checked.

    Raises:
        TokenizerError: it is of a kind that neither family has, or does not say how a text ends.
        CheckpointError: a file beside it cannot be read.
    """
    path = folder / "tokenizer.json"
    if values["model"].get("dropout"):
        values["model"]["dropout"] = None  # cuts a text differently each time: for training only
        text = json.dumps(values, ensure_ascii=False)
    if (kind := values["model"].get("type", "BPE")) not in ("BPE", "Unigram"):
        raise TokenizerError(
            f"{path} holds a {kind} tokenizer: Inkling opens byte-pair and unigram ones"
        )
    for name in ("continuing_subword_prefix", "end_of_word_suffix"):
        if values["model"].get(name):
            raise TokenizerError(f"{path} marks its pieces with a {name}: no model of ours does")
    names: dict[str, int] = {token["content"]: token["id"] for token in added_tokens(values)}
    vocab: Any = values["model"]["vocab"]
    listed = cast("Iterable[tuple[str, float]]", vocab)
    names |= vocab if isinstance(vocab, dict) else {e[0]: id for id, e in enumerate(listed)}
    ends = _ids(folder, "eos", names) or _ids_of_names((EOS, "</s>"), names)
    if not ends:
        raise TokenizerError(
            f"nothing in {folder} says which token ends a text: generation_config.json, "
            "config.json and tokenizer_config.json name no eos token of its vocabulary"
        )
    begins = _ids(folder, "bos", names)
    return Spec("fast", text, ends=tuple(ends), begin=begins[0] if begins else ends[0])


def _ids(folder: Path, which: str, names: Mapping[str, int]) -> list[int]:
    """The ids that a folder gives for "bos" or "eos", by the file that transformers asks first."""
    known = set(names.values())
    for file in ("generation_config.json", "config.json"):
        given = _json(folder, file).get(f"{which}_token_id")
        every = cast("list[Any]", given) if isinstance(given, list) else [given]
        if ids := [id for id in every if type(id) is int and id in known]:
            return ids
    token = _json(folder, "tokenizer_config.json").get(f"{which}_token")
    if isinstance(token, dict):
        token = cast("dict[str, Any]", token).get("content")
    return _ids_of_names((token,), names)


def _ids_of_names(tokens: Iterable[Any], names: Mapping[str, int]) -> list[int]:
    return [names[token] for token in tokens if isinstance(token, str) and token in names]


def _json(folder: Path, name: str) -> dict[str, Any]:
    return read_json(folder, name, finite=False) if is_there(folder, name) else {}


def _size(names: Iterable[int]) -> int:
    if (largest := max(names, default=-1)) >= MAX_ID:
        raise TokenizerError(f"a tokenizer with an id of {largest} is none: {MAX_ID} at most")
    return largest + 1


def _steps(decoder: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    """The steps that turn pieces into text, those left out that only join them.

    Raises:
        TokenizerError: a step that cannot be taken for each piece alone.
    """
    steps = [decoder] if decoder else []
    if decoder and decoder["type"] == "Sequence":
        steps = [inner for each in decoder["decoders"] for inner in _steps(each)]
    for step in steps:
        of_text = step["type"] == "Replace" and "String" in step["pattern"]
        if not of_text and step["type"] not in ("ByteLevel", "ByteFallback", "Metaspace", *JOINING):
            raise TokenizerError(
                f"its pieces are joined by a {step['type']} decoder, which Inkling cannot follow "
                "token by token"
            )
    if not steps:
        raise TokenizerError("it has no decoder, so nothing says how its pieces make a text")
    return [step for step in steps if step["type"] not in JOINING]


JOINING = ("Fuse", "Strip")


def _bytes(name: str, steps: Iterable[Mapping[str, Any]]) -> bytes:
    """The bytes that one piece stands for."""
    for step in steps:
        match step["type"]:
            case "ByteLevel":
                whole = all(letter in _BYTE_OF for letter in name)
                return bytes(_BYTE_OF[letter] for letter in name) if whole else name.encode()
            case "ByteFallback":
                if byte := _BYTE.fullmatch(name):
                    return bytes([int(byte[1], 16)])
            case "Metaspace":
                name = name.replace(step["replacement"], " ")
            case _:
                name = name.replace(step["pattern"]["String"], step["content"])
        if len(name) > 4 * MAX_PIECE:
            raise TokenizerError(f"a piece becomes {len(name):,} characters in the decoder's steps")
    return name.encode(errors="replace")
