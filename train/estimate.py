"""`python -m train.estimate TEXT [--from CHECKPOINT]`: steps and time of a training on a text.

Nothing is trained. The last line is one JSON object: `module` and `options`, the command that would
train, `steps`, `seconds` on this machine (measured on a few steps), `parameters`, `tokens` of the
text to learn from, `passes` over them (epochs), and `language`: with --from, how many bits per byte
the model needs for a passage of the text as it is (`bpb`), how many somebody needs who knows but
its letters (`letters_bpb`), and whether it is thus `known`; see `train.adapt.language`.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from gpt.checkpoint import CheckpointError, load
from train.adapt import base_model
from train.adapt.language import language
from train.adapt.trainable import Trainable
from train.data.derived import open_or_prepare
from train.data.folder import Data, DataError
from train.data.texts import Part, read_texts, text_files
from train.loop.config import TrainConfig, story
from train.loop.device import tune
from train.loop.throughput import Throughput

try:
    import resource
except ImportError:  # not on Windows
    resource = None

PASSES = 20
"""Epochs of a training from nothing, within the bounds of LEAST and MOST steps."""
LEAST, MOST = 300, 3000
TRIED_STEPS = 3
SLOW_S = 5.0
"""A first step that takes so long is all that is tried: what it warms up is little beside it."""
FORWARD_SHARE = 1 / 3
"""Of a training step: backward takes twice as long as forward (Kaplan et al. 2020, section 2.1)."""


def from_nothing(data: Data) -> tuple[TrainConfig, list[str]]:
    """A small model of a text's own characters, more steps for more text; and its options."""
    usual = story()
    steps = round(PASSES * len(data.train) / usual.tokens_per_step)
    steps = min(max(steps, LEAST), MOST)
    config = replace(usual, max_steps=steps, eval_every=max(usual.eval_every, steps // 20))
    options = ["--max-steps", str(steps), "--eval-every", str(config.eval_every)]
    return config, ["--preset", "story", *options]


def seconds(config: TrainConfig, data: Data) -> tuple[float, int]:
    """How long a training would take on this machine as it is now, and its model's parameters."""
    tune(config.threads)
    pace = Throughput(config, data)
    step_s = pace.seconds(1)
    if step_s < SLOW_S:
        step_s = pace.seconds(TRIED_STEPS) / TRIED_STEPS
    evaluated = (config.max_steps // config.eval_every + 1) * len(data.valid)
    evaluating_s = evaluated / config.tokens_per_step * step_s * FORWARD_SHARE
    return config.max_steps * step_s + evaluating_s, pace.model.n_params


def plan(text: Path, checkpoint: str | None) -> dict[str, Any]:
    """See the module's docstring.

    Raises:
        CheckpointError, DataError, ValueError: there is nothing that could be trained.
    """
    with tempfile.TemporaryDirectory() as folder:
        if checkpoint is None:
            module, data = "train.pretrain", open_or_prepare(text, Path(folder))
            found = None
            config, options = from_nothing(data)
        else:
            begun = load(checkpoint)
            module, data = "train.finetune", base_model.open_data(begun, text, None, Path(folder))
            config, options = base_model.suggest(begun, data, Trainable()), ["--from", checkpoint]
            found = language(
                begun, "".join(read_texts(Part(path=each) for each in text_files(text)))
            )
        took, parameters = seconds(config, data)
        return {
            "module": module,
            "options": options,
            "steps": config.max_steps,
            "seconds": round(took, 1),
            "parameters": parameters,
            "tokens": len(data.train),
            "passes": round(config.max_steps * config.tokens_per_step / len(data.train), 1),
            "language": {**asdict(found), "known": found.known} if found else None,
        }


def keep_within(gigabytes: float) -> None:
    """Let this process take no more memory of its own than this, where the system can see to it."""
    # A GPU's driver maps far more than it uses.
    if resource is not None and not torch.cuda.is_available():
        limit = int(gigabytes * 1e9)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


def lacks_memory(error: Exception) -> bool:
    """Whether it says that there was not enough memory."""
    words = ("allocate memory", "out of memory", "memory object", "bad_alloc", "bad allocation")
    return isinstance(error, MemoryError) or any(each in str(error) for each in words)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m train.estimate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("text", type=Path, help="text file in UTF-8")
    parser.add_argument("--from", dest="source", metavar="CHECKPOINT", help="go on from this model")
    parser.add_argument(
        "--memory-gb", type=float, help="give up where it takes more of the main memory than this"
    )
    options = parser.parse_args(arguments)
    try:
        if options.memory_gb is not None:
            keep_within(options.memory_gb)
        print(json.dumps(plan(options.text, options.source)))
    except (MemoryError, RuntimeError) as error:
        # torch tells of memory that it did not get in a RuntimeError.
        if options.memory_gb is None or not lacks_memory(error):
            raise
        sys.exit(
            f"train.estimate: a training on this text needs more than the {options.memory_gb:g} GB "
            "of memory that an estimate may take: take a shorter text, or one with fewer different "
            "characters"
        )
    except (CheckpointError, DataError, OSError, ValueError) as error:
        sys.exit(f"train.estimate: {error}")


if __name__ == "__main__":
    main()
