"""The checkpoint a fine-tuning begins with: what is said of it, what it can read, first values."""

import hashlib
import math
from dataclasses import fields
from pathlib import Path
from shlex import quote
from typing import Any

from gpt.checkpoint import Checkpoint, weight_files
from gpt.checkpoint.provenance import called
from gpt.config import GPTConfig
from gpt.files import opened
from gpt.tokenizers import CharTokenizer, Tokenizer, UnknownCharacterError, load_tokenizer
from train.adapt.trainable import Trainable
from train.adapt.vocabulary import same_tokenizer
from train.data.derived import VALID_FRACTION, is_text, prepared
from train.data.folder import Data, DataError, load_data
from train.data.texts import read_texts, split_texts, texts_in
from train.loop.config import SHAPE, TrainConfig

LEARNING_RATES = {"muon": 1e-3, "adamw": 3e-4}
"""For all weights, at the top layer of a model as wide as MEASURED_WIDTH; docs/finetuning.md."""
MEASURED_WIDTH = 384
"""Where the rates were measured; a wider model takes less in proportion (Yang et al. 2022)."""
LORA_TIMES = 10
"""What adapters take of AdamW's rate (Schulman et al. 2025, "LoRA Without Regret")."""
PATIENCE = 5
"""Early stopping: evaluations without a better one, after which the model overfits a short text."""


def model_facts(source: Checkpoint) -> dict[str, Any]:
    """What config.json, training.json and the card say of the model that was there before."""
    digest = hashlib.sha256()
    for name in weight_files(source.folder):  # several where it is sharded
        with opened(source.folder, name, most=1 << 62) as file:
            while block := file.read(1 << 20):
                digest.update(block)
    kept = ("command", "val_loss", "val_bpb", "elapsed_s", "commit", "date")
    return {
        "name": called(source.folder),
        "sha256": digest.hexdigest(),
        **{key: source.training[key] for key in kept if key in source.training},
    }


def suggest(
    source: Checkpoint, data: Data, steering: Trainable, optimizer: str | None = None
) -> TrainConfig:
    """Values to begin with: some 20 epochs of a short text, at most 2,000 steps, early stopping."""
    trained = source.training.get("config", {})
    shape = {
        field.name: getattr(source.config, field.name)
        for field in fields(GPTConfig)
        if field.name in SHAPE
    }
    block = min(source.config.block_size, max(8, len(data.train) // 4))
    batch = max(1, 2048 // block)
    steps = math.ceil(20 * len(data.train) / (batch * block))
    steps = min(max(steps, 50), 2000)
    # Weights that one optimizer shaped do best with it (Liu et al. 2025, arXiv 2502.16982).
    usual: str = "adamw" if steering.lora else trained.get("optimizer", "adamw")
    optimizer = optimizer or usual
    rate = LEARNING_RATES[optimizer] * MEASURED_WIDTH / source.config.n_embd
    values: dict[str, Any] = {
        **shape,
        "block_size": block,
        "batch_size": batch,
        "max_steps": steps,
        "warmup_steps": min(20, steps // 5),
        "eval_every": max(5, steps // 20),
        "patience": PATIENCE,
        "optimizer": optimizer,
        "learning_rate": float(f"{rate * (LORA_TIMES if steering.lora else 1):.2g}"),
        "weight_decay": 0.0,
        "sample_prompt": trained.get("sample_prompt", ""),
    }
    return TrainConfig(**values)


def open_data(
    source: Checkpoint, given: Path, tokenizer: Path | None, out: Path, run: Path | None = None
) -> Data:
    """A data folder, or a text prepared in out/data, that the model is to read.

    Args:
        tokenizer: A folder whose tokenizer the model takes over; by default it keeps its own.
        run: A run that is to go on; see `train.data.derived.prepared`.

    Raises:
        DataError: there is nothing to train on, or it was cut by another tokenizer.
    """
    wanted = load_tokenizer(tokenizer) if tokenizer else source.tokenizer
    if given.is_dir() and not is_text(given):
        data = load_data(given)
        if same_tokenizer(data.tokenizer, wanted):
            return data
        raise DataError(
            f"{given} was cut by another tokenizer ({_said(data.tokenizer)}) than "
            f"{tokenizer or source.name} ({_said(wanted)}): give the text itself as --data, or "
            f"prepare it with --tokenizer {tokenizer or source.folder}; or, to change the "
            f"vocabulary of the model to that of the data, add --tokenizer {given}"
        )
    if not is_text(given):
        raise DataError(f"expected a data folder or a text file as --data, there is no {given}")
    if isinstance(wanted, CharTokenizer):
        parts = split_texts(texts_in(given), (), VALID_FRACTION)
        found = CharTokenizer.train(read_texts([*parts[0], *parts[1]])).characters
        if unknown := sorted(set(found) - set(wanted.characters)):
            raise DataError(
                f"{UnknownCharacterError(unknown, wanted.characters)}. Leave them out, or give the "
                f"model a new vocabulary: `python -m train.prepare {quote(str(given))} "
                "--tokenizer char --out FOLDER`, then --data FOLDER --tokenizer FOLDER"
            )
    return prepared(given, out / "data", kind=wanted, run=run)


def _said(tokenizer: Tokenizer) -> str:
    return f"{tokenizer.kind}, {tokenizer.vocab_size:,} tokens"
