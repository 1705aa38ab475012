"""A checkpoint folder ⇄ (config, weights, tokenizer, card), in the layout of Hugging Face models.

The only file that touches weights on disk: safetensors and JSON, never a pickle. transformers,
vLLM, MLX and llama.cpp's converter open the folder as it lies.
"""

import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

from gpt.config import GPTConfig
from gpt.layout import LayoutError, config_from_hf, from_hf, hf_config, is_weight, left_over, to_hf
from gpt.model import GPT
from gpt.sentences import FINISH_CHARS
from gpt.tokenizer import Tokenizer, load_tokenizer

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
"""Says which of several files holds which tensor, where a model is in several."""
MAX_SHARDS = 1000
MAX_HEADER_BYTES = 25_000_000
"""safetensors itself allows 100 MB, which takes a minute to read; a real one has some thousand."""
SHARD = re.compile(r"[\w-][\w.-]*\.safetensors")
FLOATS = (torch.float32, torch.float16, torch.bfloat16)


class CheckpointError(Exception):
    """A folder that is no checkpoint we can open, with what was expected and what to do."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A model that is ready to write, with its tokenizer and what is known of its training."""

    folder: Path
    model: GPT
    tokenizer: Tokenizer
    training: dict[str, Any]
    """training.json; empty for a folder that was not trained here."""
    card: str
    """README.md, Markdown."""
    name: str
    """What it is called: its folder, or as the Hub calls it."""

    @property
    def config(self) -> GPTConfig:
        return self.model.config


def save(
    folder: Path,
    model: GPT,
    tokenizer: Tokenizer,
    *,
    card: str,
    training: dict[str, Any],
    dtype: torch.dtype = torch.bfloat16,
) -> None:
    """Write a checkpoint folder: whole or not at all, whatever interrupts it.

    Args:
        card: The model card, README.md.
        training: What training.json is to say.
        dtype: Of the weights on disk.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    config, bos, eos = model.config, tokenizer.bos_id, tokenizer.eos_id
    others = sorted(tokenizer.end_ids - {eos})
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as made:
        new = Path(made) / folder.name
        new.mkdir()
        tokenizer.save(new)
        weights = {name: t.to("cpu", dtype).contiguous() for name, t in to_hf(model).items()}
        save_file(weights, new / WEIGHTS, metadata={"format": "pt"})
        (new / WEIGHTS).chmod(0o644)  # safetensors makes its file private to the user
        _write_json(new / "config.json", hf_config(config, eos, dtype, bos_id=bos))
        _write_json(
            new / "generation_config.json",
            {
                "bos_token_id": bos,
                "eos_token_id": [eos, *others] if others else eos,
                "pad_token_id": eos,
                "do_sample": True,
                "temperature": 0.8,
                "top_p": 0.95,
                # Learnt positions end with the window; rotary ones go on past it.
                "max_new_tokens": min(200, config.block_size // 2)
                if config.family == "gpt2"
                else 200,
                "finish_chars": FINISH_CHARS,
            },
        )
        _write_json(new / "training.json", training)
        (new / "README.md").write_text(card, encoding="utf-8")
        for path in (*new.iterdir(), new):
            _flush(path)
        _swap(new, folder)


def _swap(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`; between the two renames the old one waits beside it."""
    old = _put_aside(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    _flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _put_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _flush(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def find(folder: str | Path) -> Path:
    """The folder itself, once it is known to hold a checkpoint.

    Raises:
        CheckpointError: it holds none.
    """
    folder = Path(folder)
    if not folder.exists() and _put_aside(folder).exists():
        _put_aside(folder).rename(folder)  # a save was cut off between its two renames
    for name in ("config.json", *weight_files(folder)):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"no checkpoint in {folder}, {name} is missing: train one with "
                "`python -m train.pretrain`"
            )
    return folder


def is_here(folder: Path) -> bool:
    """Whether there is such a folder, or the one that a save that was cut off left beside it."""
    return folder.exists() or _put_aside(folder).exists()


def weight_files(folder: Path) -> tuple[str, ...]:
    """The names of the files that the weights are in, or belong in: one, or as an index says.

    Raises:
        CheckpointError: the index is none, or names files outside the folder.
    """
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return (WEIGHTS,)
    place_of: Any = _read_json(folder / INDEX).get("weight_map")
    names = cast("dict[str, Any]", place_of).values() if isinstance(place_of, dict) else ()
    shards = sorted({str(name) for name in names})
    for shard in shards:
        if not SHARD.fullmatch(shard):
            raise CheckpointError(f"{folder / INDEX} names a file that is no shard: {shard[:80]!r}")
    if not 0 < len(shards) <= MAX_SHARDS:
        raise CheckpointError(
            f"expected 1 to {MAX_SHARDS} files in {folder / INDEX}, got {len(shards)}"
        )
    return tuple(shards)


def read_config(folder: str | Path) -> GPTConfig:
    """The shape of the model in `folder`, without its weights.

    Raises:
        CheckpointError: no checkpoint, or one of a family that is not ours.
    """
    return config_in(find(folder))


def config_in(folder: Path) -> GPTConfig:
    """`read_config`, where the weights may still be missing."""
    try:
        return config_from_hf(_read_json(folder / "config.json"))
    except LayoutError as error:
        raise CheckpointError(f"{folder}: {error}") from error


def count_parameters(config: GPTConfig) -> int:
    """How many numbers a model of this shape learns, counted without making it."""
    with torch.device("meta"):
        return GPT(config).n_params


def read_training(folder: str | Path) -> dict[str, Any]:
    """training.json; empty where there is none."""
    path = Path(folder) / "training.json"
    return _read_json(path) if path.exists() else {}


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"expected JSON in {path}: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"expected a JSON object in {path}, got {type(values).__name__}")
    return cast("dict[str, Any]", values)


def load_model(
    folder: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> GPT:
    """The bare model of a checkpoint, dropout off: tokens (B, T) → logits (B, T, V).

    Raises:
        CheckpointError: no checkpoint, or weights that are damaged or of another shape.
    """
    folder = find(folder)
    config = read_config(folder)
    with torch.device("meta"):
        model = GPT(config)
    try:
        theirs = _read_weights(folder, config)
        if more := left_over(model, theirs):
            raise CheckpointError(f"config.json of {folder} has no place for {more[:3]}")
        weights = {name: t.to(dtype).contiguous() for name, t in from_hf(config, theirs).items()}
        model.load_state_dict(weights, assign=True)
    except KeyError as error:
        raise CheckpointError(f"{folder}/{WEIGHTS} lacks the tensor {error}") from error
    except (SafetensorError, RuntimeError, OSError) as error:
        raise CheckpointError(
            f"{folder}/{WEIGHTS} is damaged or does not fit config.json: "
            + " ".join(str(error).split())
        ) from error
    model.fill_tables()
    return model.to(device).eval().requires_grad_(False)


def _read_weights(folder: Path, config: GPTConfig) -> dict[str, Tensor]:
    """All weights by the names in their files; what is no weight is left out."""
    found: dict[str, Tensor] = {}
    for name in weight_files(folder):
        path = folder / name
        with path.open("rb") as file:
            header = int.from_bytes(file.read(8), "little")
        if header > MAX_HEADER_BYTES:
            raise CheckpointError(
                f"{path} is damaged: its header claims {header:,} bytes, {MAX_HEADER_BYTES:,} is "
                "the most a model needs"
            )
        for key, tensor in load_file(path).items():
            if not is_weight(config, key):
                continue
            if tensor.dtype not in FLOATS:
                raise CheckpointError(
                    f"{key} in {path} is {tensor.dtype}: Inkling reads float32, float16 and "
                    "bfloat16 weights, none that are quantized"
                )
            if not bool(tensor.isfinite().all()):
                raise CheckpointError(f"{key} in {path} is not finite: train it again")
            found[key] = tensor
    return found


def load(
    folder: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Checkpoint:
    """Open a checkpoint folder; nothing else is needed.

    Raises:
        CheckpointError: the folder is no checkpoint that we can open.
    """
    model = load_model(folder, device=device, dtype=dtype)
    folder = Path(folder)
    try:
        tokenizer = load_tokenizer(folder)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"no tokenizer that we can open in {folder}: {error}") from error
    if tokenizer.vocab_size > model.config.vocab_size:
        raise CheckpointError(
            f"the tokenizer in {folder} has {tokenizer.vocab_size} tokens, "
            f"the model only {model.config.vocab_size}"
        )
    card = folder / "README.md"
    return Checkpoint(
        folder=folder,
        model=model,
        tokenizer=tokenizer,
        training=read_training(folder),
        card=card.read_text(encoding="utf-8", errors="replace") if card.exists() else "",
        name=folder.name,
    )
