"""The floor of a training text, and how a run's losses went, for the notes of its checkpoint.

`python -m train.pretrain` and `train.finetune` keep both in training.json; by them
`gpt.checkpoint.standing` says, here and in the chat, why a model writes what it writes.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gpt.checkpoint import CheckpointError, read_training
from gpt.checkpoint.evidence import Evidence, floor_in, noted_curve
from gpt.checkpoint.provenance import called
from gpt.checkpoint.standing import Standing, standing_of
from gpt.checkpoint.training_json import add_notes
from gpt.text.ngram import floor_of
from train.data.folder import Data
from train.loop.run import Run

POINTS = 40
"""Of each curve so many are noted."""


def floor_facts(data: Data) -> dict[str, Any]:
    """The "floor" of a training.json: how well tables of its text foretell the validation text.

    Empty where a text is too short to count anything. Takes seconds for a text of megabytes.
    """
    if min(len(data.train), len(data.valid)) < 2:
        return {}
    return {
        "floor": floor_of(
            data.train,
            data.valid,
            vocab_size=data.tokenizer.vocab_size,
            eos_id=data.tokenizer.eos_id,
            valid_bytes=data.facts["valid"]["bytes"],
        )
    }


def curve_facts(records: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    """The "curve" of a training.json: [step, loss] in nats per token, the lowest among them."""
    lines = list(records)
    found: dict[str, list[list[float]]] = {}
    for name, key in (("train", "train_loss"), ("valid", "val_loss")):
        points = [[each["step"], each[key]] for each in lines if key in each]
        lowest = min(points, key=lambda point: point[1], default=None)
        apart = len(points) // POINTS + 1  # counted from the last one
        kept = enumerate(reversed(points))
        found[name] = [each for at, each in kept if at % apart == 0 or each is lowest][::-1]
    return {"curve": found}


def note_course(run: Run, data: Data) -> str:
    """Keep the floor and how the losses went in the notes of a finished run's best checkpoint,
    which may be copied away; returns what its standing says.

    After the last step, for nothing of it is needed before, and a machine with too little memory to
    count a long text has its model all the same: that is said in place of a standing.
    """
    if not run.best.exists():
        return ""
    try:
        found = curve_facts(run.records())
        if floor_in(read_training(run.best)) is None:
            print("counting what stands after what in the training text", flush=True)
            found |= floor_facts(data)
        add_notes(run.best, found)
        return "\n".join(standing_in(run.best).lines())
    except (CheckpointError, MemoryError, OSError, ValueError) as error:
        return f"where the model stands could not be told: {str(error) or type(error).__name__}"


def standing(
    name: str, training: Mapping[str, Any], records: Iterable[Mapping[str, float]] = ()
) -> Standing:
    """Where a model stands, by its training.json and the log of its run, where that is here."""
    logged = curve_facts(records)
    train, valid = noted_curve(logged if logged["curve"]["valid"] else training)
    floor = floor_in(training)
    return standing_of(
        Evidence(name=name, training=training, floor=floor, train=train, valid=valid)
    )


def standing_in(folder: Path) -> Standing:
    """The same of a checkpoint folder.

    Raises:
        CheckpointError: its notes or the log cannot be read.
    """
    whole = folder.resolve()
    records = Run(whole.parent).records() if whole.name == "best" else []
    return standing(called(whole), read_training(folder), records)
