"""The training loop, as `train.pretrain` and `train.finetune` run it: read it top to bottom."""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.optim import Optimizer
from tqdm import tqdm

from gpt.model import GPT
from train.loop.batches import Batches
from train.loop.config import TrainConfig
from train.loop.device import Utilisation, pick_device, tune
from train.loop.distributed import ALONE, Processes
from train.loop.ema import EMA
from train.loop.fast import Way, choose, quicken, usual
from train.loop.optimize import (
    clip,
    decay_factor,
    learning_rate,
    make_optimizers,
    set_learning_rate,
    set_weight_decay,
)
from train.loop.progress import Progress, StopSignal, finite, restore, snapshot
from train.loop.run import Run, TrainingError
from train.loop.state import forget_states
from train.loop.step import Objective, accumulate_gradients, cross_entropy

if TYPE_CHECKING:
    from train.data.folder import Data

LOG_EVERY = 10
"""Steps whose mean loss makes one line of metrics.jsonl."""


class Evaluation(Protocol):
    """What the loop calls at an evaluation; `train.run.validate.Validation` implements it."""

    about: dict[str, Any]
    """More entries for config.json of the run: the command, the base model, the teachers."""

    def evaluate(self, model: GPT, progress: Progress) -> dict[str, float]:
        """Measure the validation loss, log it, and keep the best weights; "loss" and "bpb"."""
        ...

    def keeps(self, step: int, *, last: bool) -> bool:
        """Whether the weights of `step` are to be saved in steps/, for the time machine."""
        ...

    def keep_step(self, model: GPT, progress: Progress, losses: dict[str, float] | None) -> None:
        """Save the weights of this step in steps/.

        Args:
            losses: What `evaluate` returned at this step; None where it was not called.
        """
        ...


def train(
    config: TrainConfig,
    data: "Data",
    run: Run,
    evaluation: Evaluation,
    *,
    resume: bool,
    model: GPT | None = None,
    optimizers: list[Optimizer] | None = None,
    processes: Processes = ALONE,
    objective: Objective = cross_entropy,
) -> bool:
    """Train and write into the run folder: the best checkpoint, checkpoints along the way, and
    after each evaluation the state that --resume reads.

    SIGINT and SIGTERM end it at the next step with its state saved.

    Args:
        resume: Go on from the state in `run`; begin anew where there is none yet, so that one
            command line serves the first start and each one after it.
        model: The model to train, with LoRA adapters or without; by default a new one of `config`.
        optimizers: By default `make_optimizers`; given where layers have rates of their own.
        processes: This process, how many there are, and how they share the model.
        objective: The loss of a micro-batch; by default cross-entropy with the next token.

    Returns:
        True at the last step or after early stopping; False where a signal stopped it.

    Raises:
        StateError: none of the states is whole, or they are of another model.
        TrainingError: the loss was NaN or infinite too often.
        OSError: something could not be written.
    """
    stop = StopSignal()
    tune(config.threads, processes.count)
    device = pick_device(config.device)
    # The weights at the beginning, and dropout from there on.
    torch.manual_seed(config.seed)  # pyright: ignore[reportUnknownMemberType]
    model = model or GPT(config.model_config(data.tokenizer.vocab_size))
    forward = processes.spread(model, device)
    if config.compile:
        forward = torch.compile(forward)  # pyright: ignore[reportUnknownMemberType]
    optimizers = optimizers or make_optimizers(model, config, muon_of=processes.muon)
    ema = EMA(model, config.average_decay)  # the model itself at a decay of 0
    batches = Batches(data.train, config, data.tokenizer.eos_id)
    passes = processes.share(config.accumulate)  # all of them where this process is alone
    progress = Progress(text=data.facts["train"].get("sha256", ""))
    say = print if processes.first else quiet
    if resumes := resume and run.has_states:
        state = processes.load(run.folder, model, optimizers, say)
        progress = restore(state, model, optimizers, ema, progress.text)
    elif resume:
        say(f"nothing to resume in {run.folder}: begins at step 0")
    # What is fastest is measured once: another way would round and draw otherwise than the state.
    way = usual(config, device)
    if not resumes:
        way = choose(config, data.tokenizer.vocab_size, device, processes)
    elif progress.precision:
        way = Way(progress.precision, progress.plain_attention)
    progress.precision, progress.plain_attention = way.precision, way.plain
    quicken(model, config, way)
    utilisation = Utilisation(model, way.precision)
    processes.wait()
    if processes.first:
        if not resumes:  # a run that was killed before its first state begins again
            forget_states(run.folder)
        run.begin(config, {**evaluation.about, "data": data.facts}, step=progress.step)
    say(
        f"{model.n_params:,} parameters on {device.type}, {len(data.train):,} training tokens, "
        f"{batches.epoch(config.max_steps):.1f} epochs; {way}"
    )

    started_s = time.monotonic() - progress.elapsed_s
    bar = tqdm(
        total=config.max_steps,
        initial=progress.step,
        unit="step",
        dynamic_ncols=True,
        disable=None if processes.first else True,  # None: quiet but in a terminal
    )
    for step in range(progress.step, config.max_steps + 1):
        progress.step, progress.elapsed_s = step, time.monotonic() - started_s
        # One process may have been signalled and not the others: all stop at the same step.
        if processes.any(stop.asked):
            bar.close()
            if not finite(model.parameters()):
                raise TrainingError(f"the weights are NaN at step {step}: {run.left()}")
            processes.save(run.folder, snapshot(model, optimizers, ema, progress))
            say(f"stopped at step {step} and saved: go on with --resume")
            return False

        # Evaluate before the step, so that step 0 is the untrained model.
        losses, last = None, step == config.max_steps
        if last or step % config.eval_every == 0:
            if (averaged := processes.whole(ema)) is not None:
                losses = evaluation.evaluate(averaged, progress)
            processes.save(run.folder, snapshot(model, optimizers, ema, progress))
            # Early stopping: the first process measures, so it decides for all.
            last = last or processes.any(processes.first and out_of_patience(progress, config))
        if evaluation.keeps(step, last=last) and (averaged := processes.whole(ema)) is not None:
            evaluation.keep_step(averaged, progress, losses)
        if last:
            break  # the last pass only evaluates and saves

        # Warm up while the moments of the optimizers are still poor, then decay (batch noise).
        rate = learning_rate(step, config)
        set_learning_rate(optimizers, rate)
        set_weight_decay(optimizers, decay_factor(step, config))
        model.train()  # dropout on: an evaluation turns it off
        nats = accumulate_gradients(
            forward,
            batches,
            objective,
            replace(config, precision=way.precision),
            step=step,
            passes=passes,
            device=device,
            processes=processes,
        )
        loss = processes.total(nats) / config.accumulate
        # One bad batch must not ruin the weights: its step is skipped, for all processes alike.
        if math.isfinite(loss) and math.isfinite(clip(model, config.grad_clip)):
            for optimizer in optimizers:
                optimizer.step()
            ema.update(step)
            progress.recent.append(loss)
            progress.skipped_in_row = 0
        else:
            skip(step, loss, progress, config, run)
        for optimizer in optimizers:
            optimizer.zero_grad()  # to None: backward() writes where it would have added

        bar.update()
        speed = (bar.format_dict["rate"] or 0) * config.tokens_per_step
        used = utilisation.said(speed / processes.count)
        bar.set_postfix_str(f"loss {loss:.3f}, {speed:,.0f} tokens/s{used}")
        if (step + 1) % LOG_EVERY == 0:
            if processes.first and progress.recent:
                run.log(
                    step=step + 1,
                    tokens=(step + 1) * config.tokens_per_step,
                    elapsed_s=round(time.monotonic() - started_s, 1),
                    train_loss=sum(progress.recent) / len(progress.recent),
                    learning_rate=rate,
                )
            progress.recent.clear()
    bar.close()
    if progress.step < config.max_steps:
        say(f"ended at step {progress.step}: {config.patience} evaluations were no better")
    best = f"{progress.best_loss:.4f} nats per token"
    say(f"best: {best} at step {progress.best_step}, in {run.best}")
    return True


def quiet(_: str) -> None:
    """Say nothing: the first of several processes says it for all."""


def out_of_patience(progress: Progress, config: TrainConfig) -> bool:
    """Early stopping: whether the last `patience` evaluations were no better than the best one."""
    waited = progress.step - progress.best_step
    return config.patience > 0 and waited >= config.patience * config.eval_every


def skip(step: int, loss: float, progress: Progress, config: TrainConfig, run: Run) -> None:
    """Count a step that is not taken because its loss, or its gradient, is NaN or infinite.

    Raises:
        TrainingError: it was one too many in a row.
    """
    progress.skipped_in_row += 1
    if progress.skipped_in_row >= min(config.nan_patience, config.eval_every):
        raise TrainingError(
            f"loss or gradient was NaN or infinite {progress.skipped_in_row} times in a row, up to "
            f"step {step} (loss {loss}): {run.left()}; try a lower --learning-rate"
        )
    tqdm.write(f"step {step} skipped: loss {loss}, or its gradient, is NaN or infinite")
