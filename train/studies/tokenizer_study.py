"""One study of tokenizers: what its trainings have in common, and each training."""

import json
import math
import shutil
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch

from gpt.model import GPT
from train.data.folder import Data
from train.data.texts import Text, fingerprints, split_texts
from train.loop.config import TrainConfig
from train.loop.device import autocast, pick_device
from train.loop.loss_eval import score, summary
from train.loop.progress import own_signals
from train.loop.run import Run, TrainingError
from train.loop.state import FOLDER as STATE
from train.loop.train import train
from train.run.samples import sample
from train.run.validate import Validation
from train.studies.tokenizer_table import Result, add_result, read_results
from train.studies.tokenizer_variants import TokenizerVariant, cut, with_dropout

SET_BY_THE_STUDY = {
    *("block_size", "max_steps", "seed", "eval_every", "save_steps", "sample_tokens"),
    *("family", "bias", "tie_embeddings", "compile"),  # one kind of model for all
}


class StudyError(Exception):
    """A study that cannot be gone on with, with what to do instead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """What all the trainings have in common."""

    texts: Sequence[Text]
    base: TrainConfig
    context_bytes: int
    train_bytes: int
    """Text that each model reads in training, in bytes, all epochs included."""
    valid_fraction: float
    dropout: float
    """Of byte-pair joins, in the variant bpe-dropout."""
    sample_bytes: int
    out: Path

    def about(self) -> dict[str, Any]:
        """What must be the same whenever the study is gone on with."""
        parts = split_texts(self.texts, (), self.valid_fraction)
        base = {
            n: v for n, v in self.base.to_dict().items() if n not in {*SET_BY_THE_STUDY, "threads"}
        }
        return {
            "texts": [source.sha256 for source in fingerprints(*parts)],
            "model and recipe": base,
            "context": self.context_bytes,
            "training length": self.train_bytes,
            "validation part": self.valid_fraction,
            "dropout": self.dropout,
            "sample": self.sample_bytes,
        }

    def folder(self, variant: TokenizerVariant) -> Path:
        """Where the text as `variant` cuts it is kept, and what its trainings say."""
        return self.out / str(variant)

    def config(self, data: Data, seed: int) -> TrainConfig:
        """The training whose window and length in bytes are those of the study, to a rounding."""
        tokens_per_byte = len(data.train) / self.bytes_of(data)
        window = max(1, round(self.context_bytes * tokens_per_byte))
        per_step = self.base.batch_size * self.base.accumulate * window
        steps = max(1, round(self.train_bytes * tokens_per_byte / per_step))
        return replace(
            self.base,
            block_size=window,
            max_steps=steps,
            eval_every=steps,
            save_steps=0,
            sample_tokens=0,
            seed=seed,
        )

    @staticmethod
    def bytes_of(data: Data) -> int:
        """Text that the training tokens stand for; with dropout the same text several times."""
        facts = data.facts["train"]
        return facts["bytes"] * facts.get("passes", 1)

    def run(self, variant: TokenizerVariant, seed: int) -> Result:
        """Train and evaluate one model; what it printed stays in output.txt, its weights do not.

        Raises:
            KeyboardInterrupt: a signal ended it before its time.
            TrainingError: it diverged.
        """
        folder = self.folder(variant)
        data = cut(variant, self.texts, folder / "data", self.valid_fraction)
        read = data
        if variant.name == "bpe-dropout":
            parts, _ = split_texts(self.texts, (), self.valid_fraction)
            passes = math.ceil(self.train_bytes / data.facts["train"]["bytes"])
            read = with_dropout(data, parts, self.dropout, passes)
        config = self.config(read, seed)
        torch.manual_seed(seed)  # pyright: ignore[reportUnknownMemberType]
        model = GPT(config.model_config(data.tokenizer.vocab_size))
        run = Run(folder / f"seed-{seed}")
        shutil.rmtree(run.folder, ignore_errors=True)  # one that was cut short begins again
        train_quietly(config, read, run, model)
        evaluated = with_window(model, self.config(data, seed).block_size)
        return self.score_model(evaluated, variant, config, data, run)

    def score_model(
        self, model: GPT, variant: TokenizerVariant, config: TrainConfig, data: Data, run: Run
    ) -> Result:
        """Score the validation text in its one cut, in windows that hold the study's context."""
        device = pick_device(config.device)
        valid, window = data.facts["valid"], model.config.block_size
        nats = score(model.to(device), data.valid, window, autocast(device, config.precision))
        bpb = summary(nats, data.valid[1:], data.tokenizer.eos_id, valid["bytes"])["bpb"]
        if not math.isfinite(bpb):
            raise TrainingError(f"{run.folder} diverged: try a lower --learning-rate")
        tokens_per_byte = valid["tokens"] / valid["bytes"]
        wanted = replace(config, sample_tokens=round(self.sample_bytes * tokens_per_byte))
        records = run.records()
        # Windows of any variant hold the same bytes, so this is in bytes whatever the tokens.
        speed = bytes_per_second(records, self.train_bytes / config.max_steps)
        inside = ("blocks.", "norm.")
        return Result(
            variant=str(variant),
            seed=config.seed,
            bpb=bpb,
            vocab_size=data.tokenizer.vocab_size,
            tokens_per_byte=tokens_per_byte,
            window=window,
            steps=config.max_steps,
            parameters=model.n_params,
            embedding_parameters=sum(
                p.numel() for name, p in model.named_parameters() if not name.startswith(inside)
            ),
            bytes_per_second=speed,
            seconds=records[-1]["elapsed_s"],
            sample=sample(model, wanted, data),
        )


def train_quietly(config: TrainConfig, data: Data, run: Run, model: GPT) -> None:
    """Train `model` as anyone would, its output in output.txt; only its records are kept."""
    run.folder.mkdir(parents=True)
    with (run.folder / "output.txt").open("w", encoding="utf-8") as said, own_signals():
        try:
            with redirect_stdout(said), redirect_stderr(said):
                about = {"command": "train.compare_tokenizers"}
                validation = Validation(config, data, run, about)
                ended = train(config, data, run, validation, resume=False, model=model)
        finally:
            shutil.rmtree(run.best, ignore_errors=True)
            shutil.rmtree(run.folder / STATE, ignore_errors=True)
    if not ended:
        raise KeyboardInterrupt


def with_window(model: GPT, block_size: int) -> GPT:
    """The same weights in a model of another window.

    Cut with dropout, the same bytes are more tokens, so such a model is trained in longer windows
    than it is evaluated with.
    """
    evaluated = GPT(replace(model.config, block_size=block_size))
    evaluated.load_state_dict(model.state_dict())
    return evaluated


def bytes_per_second(records: Sequence[dict[str, float]], bytes_per_step: float) -> float | None:
    """Text read between two lines of metrics.jsonl that are of training; None without such."""
    both = [(a, b) for a, b in pairwise(records) if "train_loss" in a and "train_loss" in b]
    seconds = sum(b["elapsed_s"] - a["elapsed_s"] for a, b in both)
    steps = sum(b["step"] - a["step"] for a, b in both)
    return steps * bytes_per_step / seconds if seconds else None


def open_study(study: Study) -> None:
    """Begin the study in its folder, or see that it is the one that is there.

    Raises:
        StudyError: the folder holds another, or a damaged one.
    """
    study.out.mkdir(parents=True, exist_ok=True)
    kept, about = Run(study.out), study.about()
    path = study.out / "study.json"
    if not path.exists():
        kept.write_json(path.name, about)
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise StudyError(f"{path} is damaged ({error}): choose another --out") from error
    if different := [key for key in about if found.get(key) != about[key]]:
        raise StudyError(
            f"{study.out} holds a study with another {' and another '.join(different)}: give the "
            "options it was begun with, or another --out"
        )


def run_missing(
    study: Study, variants: Sequence[TokenizerVariant], seeds: Sequence[int]
) -> list[Result]:
    """Train what results.jsonl does not hold yet, a seed of all variants before the next seed.

    Taking turns, a busy hour of the machine hits all variants alike. The text is cut for all of
    them first, so that one that asks too much of it is found before anything is trained.
    """
    for variant in variants:
        cut(variant, study.texts, study.folder(variant) / "data", study.valid_fraction)
    path = study.out / "results.jsonl"
    results = read_results(path)
    done = {(result.variant, result.seed) for result in results}
    for seed in dict.fromkeys(seeds):
        for variant in variants:
            if (str(variant), seed) in done:
                continue
            result = study.run(variant, seed)
            add_result(path, result)
            results.append(result)
            print(
                f"{variant}, seed {seed}: {result.bpb:.4f} bits per byte, "
                f"{result.tokens_per_byte:.3f} tokens per byte, {result.seconds:.0f} s",
                flush=True,
            )
    return [result for result in results if result.seed in seeds]
