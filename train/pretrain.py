"""`python -m train.pretrain`: train a model from nothing. One loop, read it top to bottom."""

import argparse
import math
import shlex
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch.optim import Optimizer
from tqdm import tqdm

from gpt.checkpoint import CheckpointError
from gpt.model import GPT
from train.adapt.lora import merged
from train.data.folder import Data, DataError, default_data, open_or_prepare
from train.loop.batches import Batches, noise_seed, steps_in
from train.loop.config import TrainConfig
from train.loop.device import autocast, pick_device, tune
from train.loop.distill import Lesson, add_teacher_options, from_text, lesson_from
from train.loop.distributed import ALONE, Gradients, Several, join, leave
from train.loop.ema import Average
from train.loop.optimize import (
    clip,
    decay_factor,
    learning_rate,
    make_optimizers,
    set_learning_rate,
    set_weight_decay,
)
from train.loop.options import add_config_options, config_from
from train.loop.progress import Progress, finite, restore, snapshot
from train.loop.signals import StopSignal
from train.loop.state import StateError, forget_states, load_state, save_state
from train.report import write_report
from train.run.folder import Run, TrainingError, faults_told
from train.run.tensorboard import add_watching_options, cost, open_run
from train.run.validate import evaluate, keep_step, steps_to_keep

LOG_EVERY = 10
"""Steps whose mean loss makes one line of metrics.jsonl."""


def train(
    config: TrainConfig,
    data: Data,
    run: Run,
    *,
    command: str,
    resume: bool,
    model: GPT | None = None,
    optimizers: list[Optimizer] | None = None,
    about: dict[str, Any] | None = None,
    several: Several = ALONE,
    lesson: Lesson = from_text,
) -> bool:
    """Train into `run`: its best checkpoint, weights along the way, its state after evaluations.

    SIGINT and SIGTERM end it at the next step with its state saved.

    Args:
        model: What to train, with LoRA adapters or without; by default a new model of `config`.
        optimizers: For a `model` that is not to be trained alike in all its parts.
        about: What config.json and training.json are to say beside the usual.
        several: Which process this is, where several train together.
        lesson: What a pass is to make less.

    Returns:
        Whether it came to its end; False: it was asked to stop.

    Raises:
        StateError: there is nothing to resume, or it is of another model.
        TrainingError: the loss was no number too often.
        OSError: something could not be written.
    """
    stop = StopSignal()
    tune(config.threads, several.count)
    device = pick_device(config.device)
    torch.manual_seed(config.seed)
    model = model or GPT(config.model_config(data.tokenizer.vocab_size))
    model.to(device)
    forward = torch.compile(model) if config.compile else model
    optimizers = optimizers or make_optimizers(model, config)
    about = {"command": command, **(about or {})}
    average = Average(model, config.average_decay)
    batches = Batches(data.train, config, data.tokenizer.eos_id)
    parts, gradients = several.share(config.accumulate), Gradients(several, model)
    kept_steps = steps_to_keep(config.max_steps, config.save_steps)
    progress = Progress()
    say = print if several.first else quiet
    if resumes := resume and (run.has_states or not run.begun):
        progress = restore(load_state(run.folder, say=say), model, optimizers, average)
    several.wait()
    if several.first:
        if not resumes:  # a run that was killed before its first state begins again
            forget_states(run.folder)
        run.begin(config, {**about, "data": data.facts}, step=progress.step)
    say(
        f"{model.n_params:,} parameters on {device.type}, {len(data.train):,} training tokens, "
        f"{batches.epoch(config.max_steps):.1f} passes over them"
    )

    started_s = time.monotonic() - progress.elapsed_s
    bar = tqdm(
        total=config.max_steps,
        initial=progress.step,
        unit="step",
        dynamic_ncols=True,
        disable=None if several.first else True,  # None: quiet but in a terminal
    )
    for step in range(progress.step, config.max_steps + 1):
        progress.step, progress.elapsed_s = step, time.monotonic() - started_s
        if several.any(stop.asked):
            bar.close()
            if not finite(model.parameters()):
                raise TrainingError(f"the weights are no numbers at step {step}: {run.left()}")
            if several.first:
                save_state(run.folder, snapshot(model, optimizers, average, progress))
            say(f"stopped at step {step} and saved: go on with --resume")
            return False
        found, last = None, step == config.max_steps
        if last or step % config.eval_every == 0:
            if several.first:
                judged = merged(average.applied())
                found = evaluate(judged, config, data, run, progress, about=about)
                save_state(run.folder, snapshot(model, optimizers, average, progress))
            last = last or several.any(several.first and out_of_patience(progress, config))
        if several.first and (step in kept_steps or (last and kept_steps)):
            judged = merged(average.applied())
            keep_step(judged, config, data, run, progress, losses=found, about=about)
        if last:
            break  # the last pass only evaluates and saves

        model.train()
        rate = learning_rate(step, config)
        set_learning_rate(optimizers, rate)
        set_weight_decay(optimizers, decay_factor(step, config))
        loss_sum = 0.0
        for part in parts:
            if several.count > 1:
                torch.manual_seed(noise_seed(config.seed, step, part))
            # (B, T) each
            inputs, targets = (each.to(device) for each in batches.micro_batch(step, part))
            with autocast(device, config.precision):
                logits = forward(inputs)  # (B, T, V)
            loss, nats = lesson(inputs, logits, targets)
            (loss / config.accumulate).backward()
            gradients.take()
            loss_sum += nats
        gradients.give()
        loss = several.total(loss_sum) / config.accumulate
        if math.isfinite(loss) and math.isfinite(clip(model, config.grad_clip)):
            for optimizer in optimizers:
                optimizer.step()
            average.update(step)
            progress.recent.append(loss)
            progress.skipped_in_row = 0
        else:
            skip(step, loss, progress, config, run)
        for optimizer in optimizers:
            optimizer.zero_grad()

        bar.update()
        speed = (bar.format_dict["rate"] or 0) * config.tokens_per_step
        bar.set_postfix_str(f"loss {loss:.3f}, {speed:,.0f} tokens/s")
        if (step + 1) % LOG_EVERY == 0:
            if several.first and progress.recent:
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
    nats = f"{progress.best_loss:.4f} nats per token"
    say(f"best: {nats} at step {progress.best_step}, in {run.best}")
    return True


def quiet(_: str) -> None:
    """Say nothing: the first of several processes says it for all."""


def out_of_patience(progress: Progress, config: TrainConfig) -> bool:
    """Whether the last `patience` evaluations were no better than the best before them."""
    waited = progress.step - progress.best_step
    return config.patience > 0 and waited >= config.patience * config.eval_every


def skip(step: int, loss: float, progress: Progress, config: TrainConfig, run: Run) -> None:
    """Count a step that is not taken because its loss, or its gradient, is no number.

    Raises:
        TrainingError: it was one too many in a row.
    """
    progress.skipped += 1
    progress.skipped_in_row += 1
    if progress.skipped_in_row >= min(config.nan_patience, config.eval_every):
        raise TrainingError(
            f"loss or gradient was no number {progress.skipped_in_row} times in a row, up to step "
            f"{step} (loss {loss}): {run.left()}; try a lower --learning-rate"
        )
    tqdm.write(f"step {step} skipped: loss {loss}, or its gradient, is no number")


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train.pretrain", description=__doc__, allow_abbrev=False
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder that train.prepare made, or a text file, which is prepared as characters "
        "(preset story: data/story.txt)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="run folder (default: runs/PRESET, or runs/ and the name of the --config)",
    )
    parser.add_argument(
        "--epochs", type=float, metavar="E", help="length in readings of the text, not --max-steps"
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    add_teacher_options(parser)
    add_watching_options(parser)
    add_config_options(parser)
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Read the options, open the data, train; a fault the user can mend is one line."""
    parser = make_parser()
    options = parser.parse_args(arguments)
    name = options.config.stem if options.config else options.preset
    out = options.out or Path("runs") / name
    given = sys.argv[1:] if arguments is None else arguments
    command = "python -m train.pretrain " + shlex.join(x for x in given if x != "--resume")
    several = join()
    try:
        config = config_from(options)
        if options.epochs is not None and hasattr(options, "max_steps"):
            raise ValueError("give the length by --epochs or by --max-steps, not by both")
        if not options.resume and (out / "metrics.jsonl").exists():
            raise DataError(f"{out} holds a run: go on with --resume, or choose another --out")
        if not several.first:
            several.wait()  # while the first prepares the text, if it has to be
        data = open_or_prepare(options.data or default_data(name), out)
        if several.first:
            several.wait()
        if options.epochs is not None:
            config = replace(config, max_steps=steps_in(options.epochs, len(data.train), config))
        lesson, taught = lesson_from(options, config, data, out)
        run = open_run(out, options, first=several.first)
        with faults_told(run):
            finished = train(
                config,
                data,
                run,
                command=command,
                resume=options.resume,
                about={**cost(options), **taught},
                several=several,
                lesson=lesson,
            )
            if finished and several.first:
                print(f"report: {write_report(run, data)}")
    except (CheckpointError, DataError, StateError, ValueError) as error:
        parser.error(str(error))
    except TrainingError as error:
        sys.exit(f"train.pretrain: {error}" if several.first else 1)
    leave(several)


if __name__ == "__main__":
    main()
