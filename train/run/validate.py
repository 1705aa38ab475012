"""`Validation`: evaluation during a training, the `train.loop.train.Evaluation` of every command.

Validation loss, samples, the best checkpoint (best/), checkpoints along the way (steps/).
"""

import math
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from gpt.checkpoint import save
from gpt.model import GPT
from train.adapt.lora import merged
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.loop.device import autocast
from train.loop.loss_eval import score, summary
from train.loop.progress import Progress
from train.loop.run import Run, TrainingError
from train.loop.train import out_of_patience
from train.run.card import about_training, write_card
from train.run.plot import plot_losses
from train.run.samples import greedy, sample, samples_page

DRAWN_EVERY_S = 10.0
"""Between two drawings of loss.png: each takes 0.3 s, more than the steps of a tiny training."""


class Validation:
    """Evaluates on the whole validation split and writes what belongs to it into the run folder.

    Args:
        about: More entries for config.json and training.json: "command", and for a fine-tuned or
            distilled model the base model or the teachers.
    """

    def __init__(self, config: TrainConfig, data: Data, run: Run, about: dict[str, Any]) -> None:
        self.config, self.data, self.run, self.about = config, data, run, about
        self.kept = steps_to_keep(config.max_steps, config.save_steps)
        self.drawn_s = -math.inf

    def evaluate(self, model: GPT, progress: Progress) -> dict[str, float]:
        """Compute the validation loss, add it to metrics.jsonl, write samples, and save the model
        to best/ if its loss is the lowest so far. loss.png is drawn anew at the first and the last
        evaluation, and in between every `DRAWN_EVERY_S` at most.

        Args:
            model: The model or its averaged copy; LoRA adapters are merged into a copy first.
            progress: Its `best_loss` and `best_step` are brought up to date.

        Returns:
            "loss" in nats per token and "bpb" in bits per byte.

        Raises:
            TrainingError: the loss is NaN or infinite.
            OSError: a file cannot be written.
        """
        model, config, data, run = merged(model), self.config, self.data, self.run
        block = model.config.block_size  # training windows may be shorter
        nats = score(model, data.valid, block, autocast(model.device, config.precision))
        facts = summary(nats, data.valid[1:], data.tokenizer.eos_id, data.facts["valid"]["bytes"])
        if not math.isfinite(facts["loss"]):
            raise TrainingError(
                f"the validation loss became {facts['loss']} at step {progress.step}: "
                f"{run.left()}; try a lower --learning-rate"
            )
        run.log(
            step=progress.step,
            tokens=progress.step * config.tokens_per_step,
            elapsed_s=round(progress.elapsed_s, 1),
            val_loss=facts["loss"],
            val_bpb=facts["bpb"],
        )
        tqdm.write(
            f"\nstep {progress.step}: validation {facts['loss']:.4f} nats per token, "
            f"{facts['bpb']:.4f} bits per byte"
        )
        if config.sample_tokens:
            text = sample(model, config, data)
            run.keep_sample(progress.step, text, greedy(model, config, data))
            run.write_text("samples.md", samples_page(run.samples()))
            tqdm.write(f"  | {text}".replace("\n", "\n  | ") + "\n")
        if facts["loss"] < progress.best_loss:
            progress.best_loss, progress.best_step = facts["loss"], progress.step
            self._save(run.best, model, progress, losses=facts)
        last = progress.step == config.max_steps or out_of_patience(progress, config)
        if last or time.monotonic() - self.drawn_s >= DRAWN_EVERY_S:
            plot_losses(run.records(), config.tokens_per_step, run.folder / "loss.png")
            self.drawn_s = time.monotonic()
        return facts

    def keeps(self, step: int, *, last: bool) -> bool:
        """Whether `step` is saved in steps/: it is one of `steps_to_keep`, or the last one."""
        return step in self.kept or (last and bool(self.kept))

    def keep_step(self, model: GPT, progress: Progress, losses: dict[str, float] | None) -> None:
        """Save the model as a checkpoint in steps/STEP, for the time machine of the chat.

        Args:
            losses: What `evaluate` returned at this step; None where it was not called.
        """
        # Without its parents: a run folder that went away is a fault.
        self.run.steps.mkdir(exist_ok=True)
        folder = self.run.steps / f"{progress.step:06}"
        self._save(folder, merged(model), progress, losses=losses)

    def _save(
        self, folder: Path, model: GPT, progress: Progress, *, losses: dict[str, float] | None
    ) -> None:
        """Save `model` as a checkpoint folder that says how it came about."""
        training = about_training(model, self.config, self.data, losses, progress, about=self.about)
        save(folder, model, self.data.tokenizer, card=write_card(training), training=training)


def steps_to_keep(max_steps: int, count: int) -> tuple[int, ...]:
    """The `count` steps whose weights are kept: 0, then on a log scale from 1 to `max_steps`.

    A model changes most at the beginning, so that is where they are closest. They are distinct
    and rising: all steps where there are no more of them, and the last alone for a count of 1.

    >>> steps_to_keep(1000, 8)
    (0, 1, 3, 10, 32, 100, 316, 1000)
    """
    if count < 2:
        return (max_steps,) * count
    count = min(count, max_steps + 1)
    steps = [0]
    for place in range(count - 1):
        even = max_steps ** (place / (count - 2)) if count > 2 else max_steps
        steps.append(max(steps[-1] + 1, round(even)))
    return tuple(steps)
