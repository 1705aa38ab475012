"""A checkpoint folder ⇄ (config, weights, tokenizer, card), in the layout of Hugging Face models.

The only file that touches weights on disk: safetensors and JSON, never a pickle. transformers,
vLLM, MLX and llama.cpp's converter open the folder as it lies.
"""

import json
import shutil
import tempfile
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType]

from gpt.checkpoint.hf_format import FormatError, config_from_hf, hf_config
from gpt.checkpoint.hf_names import from_hf, hf_shapes, to_hf
from gpt.checkpoint.instead import found_instead
from gpt.checkpoint.shards import weight_files
from gpt.checkpoint.training_json import (
    HASHES,
    TRAINING,
    WEIGHTS,
    hashes_of,
    noted_hashes,
    read_training,
)
from gpt.checkpoint.weights import check_weights, read_weights
from gpt.config import GPTConfig
from gpt.files import (
    CheckpointError,
    facts_of,
    flush,
    is_there,
    read_bytes,
    read_json,
    said,
    usual_mode,
)
from gpt.model import GPT
from gpt.text.sentences import FINISH_CHARS
from gpt.tokenizers import Tokenizer, load_tokenizer

CARD = "README.md"

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "config_in",
    "count_parameters",
    "find",
    "is_here",
    "load",
    "load_model",
    "read_config",
    "read_training",
    "save",
]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A loaded model with its tokenizer, the record of its training and its card."""

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
        training: The content of training.json; the SHA-256 of the files is added.
        dtype: Of the weights on disk.

    Raises:
        OSError: The folder cannot be written.
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
        (new / WEIGHTS).chmod(usual_mode())  # safetensors makes it private, whatever the umask
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
        _write_json(new / TRAINING, {**training, HASHES: hashes_of(new)})
        (new / CARD).write_text(card, encoding="utf-8")
        for path in (*new.iterdir(), new):
            flush(path)
        _swap(new, folder)


def _swap(new: Path, folder: Path) -> None:
    """Put `new` in the place of `folder`; between the two renames the old one waits beside it."""
    old = _put_aside(folder)
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    new.rename(folder)
    flush(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _put_aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _write_json(path: Path, values: dict[str, Any]) -> None:
    path.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def find(folder: str | Path) -> Path:
    """The folder itself, once it is known to hold a checkpoint.

    Raises:
        CheckpointError: it holds none.
    """
    folder = Path(folder)
    try:
        if not folder.exists() and _put_aside(folder).exists():
            _put_aside(folder).rename(folder)  # a save was cut off between its two renames
    except (OSError, ValueError) as error:  # no name that a file could have, or not to be renamed
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise CheckpointError(f"no checkpoint in {said(folder)}: {why}") from error
    for name in ("config.json", *weight_files(folder)):
        if not is_there(folder, name):
            raise CheckpointError(f"no checkpoint in {said(folder)}{_instead(folder, name)}")
    return folder


def _instead(folder: Path, missing: str) -> str:
    try:
        found = found_instead(folder, missing)
    except OSError as error:
        found = f"it cannot be looked at ({error.strerror})"
    return (
        f": {found}"
        if found
        else (f", {missing} is missing: train one with `python -m train.pretrain`")
    )


def is_here(folder: Path) -> bool:
    """Whether there is such a folder, or the one that a save that was cut off left beside it."""
    try:
        return folder.exists() or _put_aside(folder).exists()
    except (OSError, ValueError):  # no name that a file could have
        return False


def read_config(folder: str | Path) -> GPTConfig:
    """The shape of the model in `folder`, without its weights.

    Raises:
        CheckpointError: no checkpoint, or one of a family that is not ours.
    """
    return config_in(find(folder))


def config_in(folder: Path) -> GPTConfig:
    """`read_config`, where the weights may still be missing."""
    try:
        return config_from_hf(read_json(folder, "config.json"))
    except FormatError as error:
        raise CheckpointError(f"{said(folder)}: {error}") from error


def count_parameters(config: GPTConfig) -> int:
    """The parameters of a model of this shape, counted without allocating it."""
    if config.family == "gpt2" and not config.bias:
        with torch.device("meta"):
            return GPT(config).n_params
    return sum(map(prod, hf_shapes(config).values()))


def version(folder: Path) -> int:
    """When the weights were last written, in nanoseconds.

    Raises:
        CheckpointError: they are missing, or no files that can be read.
    """
    return max(facts_of(folder, name).st_mtime_ns for name in weight_files(folder))


def load_model(
    folder: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> GPT:
    """The bare model of a checkpoint, dropout off: tokens (B, T) → logits (B, T, V).

    Raises:
        CheckpointError: no checkpoint, or weights that are damaged or of another shape.
    """
    folder = find(folder)
    config = config_in(folder)
    theirs = read_weights(folder, weight_files(folder), config, noted_hashes(folder))
    with torch.device("meta"):
        model = GPT(config)
    weights = {name: t.to(dtype).contiguous() for name, t in from_hf(config, theirs).items()}
    model.load_state_dict(weights, assign=True)
    model.fill_tables()
    return model.to(device).eval().requires_grad_(False)


def load(
    folder: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Checkpoint:
    """Open a checkpoint folder; nothing else is needed.

    Raises:
        CheckpointError: the folder is no checkpoint that we can open.
    """
    folder = find(folder)
    config, training = config_in(folder), read_training(folder)
    check_weights(folder, weight_files(folder), config)  # before anything takes time or memory
    try:
        tokenizer = load_tokenizer(folder, hashes=noted_hashes(folder))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"no tokenizer that we can open in {said(folder)}: {error}"
        ) from error
    if tokenizer.vocab_size > config.vocab_size:
        raise CheckpointError(
            f"the tokenizer in {said(folder)} has {tokenizer.vocab_size} tokens, "
            f"the model only {config.vocab_size}"
        )
    return Checkpoint(
        folder=folder,
        model=load_model(folder, device=device, dtype=dtype),
        tokenizer=tokenizer,
        training=training,
        card=read_card(folder),
        name=folder.name,
    )


def read_card(folder: Path) -> str:
    """README.md, as much of it as anybody reads; "" where there is none that can be read."""
    try:
        return read_bytes(folder, CARD, first=True).decode("utf-8", "replace")
    except CheckpointError:
        return ""
