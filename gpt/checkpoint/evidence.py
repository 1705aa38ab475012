"""What is known of how well a model learnt: its notes, the losses of its run, its text's floor.

The floor is what tables of the training text give on the same validation text as the model's own
loss was taken on (`gpt.text.ngram.floor_of`). training.json has it, so that a model which was
copied elsewhere still does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gpt.files.strict_json import is_list, is_object

Points = Sequence[tuple[int, float]]
"""Losses in nats per token, each with its step, in the order of the steps."""
LAST = 0.2
"""The end of a training is the last fifth of its steps."""
FARTHEST = 0.4
"""An evaluation that is farther back, in shares of the steps, tells nothing of that fifth."""


@dataclass(frozen=True, slots=True)
class Floor:
    """How well tables of the training text foretell the validation text.

    Attributes:
        loss, bpb: Nats per token and bits per byte of a uniform guess, then of the tables of order
            1, 2, …: each of them looks at one token less than its order.
        train_tokens: Of the training text, so many were counted.
    """

    loss: tuple[float, ...]
    bpb: tuple[float, ...]
    train_tokens: int

    @property
    def order(self) -> int:
        """The order of the best table, 1 or more: the uniform guess is none."""
        return min(range(1, len(self.bpb)), key=self.bpb.__getitem__)


def floor_in(training: Mapping[str, Any]) -> Floor | None:
    """The floor that a training.json notes; None where it notes none that can be used.

    Args:
        training: As `gpt.checkpoint.read_training` gives it.
    """
    found = training.get("floor")
    if not is_object(found):
        return None
    loss, bpb, tokens = (found.get(name) for name in ("loss", "bpb", "train_tokens"))
    if not is_list(loss) or not is_list(bpb) or len(loss) != len(bpb) or type(tokens) is not int:
        return None
    return Floor(tuple(map(float, loss)), tuple(map(float, bpb)), tokens)


@dataclass(frozen=True, slots=True)
class Course:
    """How the losses of a training went; what cannot be told is None.

    Attributes:
        best_step, last_step: Of the evaluations.
        rise: By which share the validation loss stood above its best at the end.
        fall: By which share it fell in the last fifth of the steps; None where none was evaluated
            near its beginning.
        gap: By which share the training loss was below the validation loss at the end.
    """

    best_step: int | None = None
    last_step: int | None = None
    rise: float | None = None
    fall: float | None = None
    gap: float | None = None


def course_of(train: Points, valid: Points) -> Course:
    """How the losses of a run went, from its log or from its notes."""
    judged = [(step, loss) for step, loss in valid if loss > 0]
    if len(judged) < 2:
        return Course()
    last_step, last = judged[-1]
    best, best_step = min((loss, step) for step, loss in judged)
    since = (1 - LAST) * last_step
    farthest = (1 - FARTHEST) * last_step
    earlier = [loss for step, loss in judged if farthest <= step <= since]
    late = [loss for step, loss in train if step > since and loss > 0]
    return Course(
        best_step=best_step,
        last_step=last_step,
        rise=last / best - 1,
        fall=1 - last / earlier[-1] if earlier else None,
        gap=1 - sum(late) / len(late) / last if late else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that a judgement goes by.

    Attributes:
        name: What the model is called.
        training: Its training.json, checked; empty where there is none.
        floor: By its training.json, or found anew where its text is at hand.
        train, valid: The losses of its run; empty where nobody kept them.
        temperature, own: What it writes with, and what it asks for; None where nothing is written.
        server: It runs on a server of another program.
        here: False: on the Hub, and not yet fetched.
    """

    name: str
    training: Mapping[str, Any]
    floor: Floor | None = None
    train: Points = ()
    valid: Points = ()
    temperature: float | None = None
    own: float = 1.0
    server: bool = False
    here: bool = True
    course: Course = field(init=False)

    def __post_init__(self) -> None:
        train = () if self.distilled else self.train  # its loss is against its teachers
        object.__setattr__(self, "course", course_of(train, self.valid))

    def number(self, *names: str) -> float | None:
        """A number of training.json, by the names that lead to it."""
        value: object = self.training
        for name in names:
            value = value.get(name) if is_object(value) else None
        return value if isinstance(value, int | float) and not isinstance(value, bool) else None

    @property
    def distilled(self) -> bool:
        return "distilled" in self.training

    @property
    def tuned(self) -> bool:
        """Whether it began from another model, whose shape it has."""
        return "from" in self.training

    @property
    def letters(self) -> bool:
        """Whether its tokens are characters."""
        data = self.training.get("data")
        return is_object(data) and data.get("tokenizer") == "char"

    @property
    def epochs(self) -> float | None:
        """How many times over it has read its text."""
        read, whole = self.number("tokens"), self.number("data", "train", "tokens")
        return read / whole if read is not None and whole else None


def noted_curve(training: Mapping[str, Any]) -> tuple[Points, Points]:
    """The losses on training and validation text that a training.json notes of its run."""
    noted = training.get("curve")
    lines = (noted.get(name) if is_object(noted) else None for name in ("train", "valid"))
    train, valid = (
        tuple((int(step), float(loss)) for step, loss in line) if is_list(line) else ()
        for line in lines
    )
    return train, valid
