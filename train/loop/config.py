"""`TrainConfig`: one training as plain data, and the presets that fill it in."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from gpt.config import GPTConfig, Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig(Shape):
    """Everything that decides a training but its text and its folder.

    A field is a command-line option, its docstring the help (train/loop/options.py). The shape
    fields are those of `GPTConfig`. Ranges are checked below, in `__post_init__`.

    Raises:
        ValueError: a value out of its range, with the range.
    """

    max_steps: int = 1000
    """Optimizer updates; early stopping (--patience) may end it before."""
    batch_size: int = 16
    """Windows in one micro-batch, one pass through the model."""
    accumulate: int = 1
    """Gradient accumulation, passes in one step: tokens_per_step = batch_size × accumulate ×
    block_size."""
    order: Literal["epochs", "documents", "random"] = "epochs"
    """epochs: every window once per epoch, shuffled; documents: the documents shuffled too; random:
    windows drawn anywhere, with replacement (nanoGPT)."""

    optimizer: Literal["muon", "adamw"] = "muon"
    """muon: Muon for the matrices inside the blocks, AdamW for the rest; adamw: AdamW for all."""
    learning_rate: float = 4e-3
    """The highest learning rate of the schedule, for both optimizers."""
    schedule: Literal["trapezoid", "cosine"] = "trapezoid"
    """trapezoid: warm up, hold, decay linearly to 0; cosine: warm up, fall to a tenth (nanoGPT)."""
    warmup_steps: int = 40
    """Steps in which the learning rate rises linearly."""
    decay_fraction: float = 0.6
    """Share of the steps in which the trapezoid decays."""
    weight_decay: float = 0.1
    """Weight decay of the matrices; biases and norms have none."""
    weight_decay_schedule: Literal["constant", "linear"] = "constant"
    """The weight decay is constant, or decays linearly to 0."""
    beta1: float = 0.9
    """AdamW's."""
    beta2: float = 0.95
    """AdamW's."""
    momentum: float = 0.95
    """Muon's."""
    grad_clip: float = 1.0
    """Largest norm of the gradient, over all parameters; 0 never clips."""

    average_decay: float = 0.0
    """Decay of an exponential moving average of the weights (EMA), which is evaluated and saved in
    their place (0.99 for a short run, 0.999 for a long one); 0 keeps none."""
    nan_patience: int = 10
    """Steps in a row whose loss or gradient is NaN or infinite before training ends (never more
    than eval_every); each of them is skipped."""

    eval_every: int = 200
    """Steps between evaluations; each prints a sample and saves."""
    patience: int = 0
    """Early stopping: evaluations without a lower validation loss that end a training; 0 goes on to
    the last step."""
    save_steps: int = 10
    """Checkpoints kept along the run, in steps/, on a log scale from the first step to the last;
    0 keeps none."""
    sample_prompt: str = ""
    """Prompt of the printed sample; an empty one begins a new story."""
    sample_tokens: int = 120
    """Length of the printed sample, in tokens; 0 prints none."""

    seed: int = 1
    """Of the initial weights, dropout and the order of the windows."""
    device: str = "auto"
    """cpu, cuda or mps; auto takes the fastest available."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    """Of the matrix products; auto takes bfloat16 where the machine has it in hardware."""
    compile: bool = False
    """Compile the model (half a minute at the start; needs a C++ compiler on a CPU)."""
    threads: int = 0
    """CPU threads; 0 for one per core."""

    def __post_init__(self) -> None:
        positive = ("max_steps", "batch_size", "accumulate", "eval_every", "nan_patience")
        for name in (*positive, "learning_rate"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        counts = ("patience", "save_steps", "sample_tokens")
        for name in ("decay_fraction", "beta1", "beta2", "momentum", "dropout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, not {getattr(self, name)}")
        for name in ("warmup_steps", "weight_decay", "grad_clip", *counts, "threads"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or above, not {getattr(self, name)}")
        if not 0 <= self.average_decay < 1:
            raise ValueError(f"average_decay must be 0 or above and below 1: {self.average_decay}")
        for name, allowed in {
            "order": ("epochs", "documents", "random"),
            "weight_decay_schedule": ("constant", "linear"),
            "optimizer": ("muon", "adamw"),
            "schedule": ("trapezoid", "cosine"),
            "precision": ("auto", "float32", "bfloat16"),
        }.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, not {getattr(self, name)!r}")

    @property
    def tokens_per_step(self) -> int:
        """Tokens in one optimizer update, over all micro-batches and processes."""
        return self.batch_size * self.accumulate * self.block_size

    def model_config(self, vocab_size: int) -> GPTConfig:
        """The model this training makes, for a vocabulary of `vocab_size`."""
        return GPTConfig(
            vocab_size=vocab_size,
            **{field.name: getattr(self, field.name) for field in fields(Shape)},
        )

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The config that `to_dict` wrote; an unknown name or another type is a ValueError."""
        usual: dict[str, object] = asdict(cls())
        if unknown := sorted(values.keys() - usual.keys()):
            raise ValueError(f"unknown training fields {unknown}: known are {sorted(usual)}")
        for name, value in values.items():
            kind = type(usual[name])
            if type(value) is not kind and not (kind is float and type(value) is int):
                raise ValueError(f"{name} must be of type {kind.__name__}, not {value!r}")
        return cls(**values)


SHAPE = {field.name for field in fields(Shape)}
"""The fields that decide the parameters of the model, handed on to `GPTConfig`."""


def story() -> TrainConfig:
    """A minute and a half of processor time: a small character model of one short story."""
    return TrainConfig(
        block_size=128,
        n_layer=4,
        n_head=4,
        n_embd=128,
        dropout=0.2,
        max_steps=300,  # with more it overfits the story and writes worse
        batch_size=24,
        eval_every=50,
    )


def shakespeare() -> TrainConfig:
    """A character model of tiny Shakespeare, window 256: a teacher of the one that ships."""
    return TrainConfig(
        block_size=256,
        n_layer=6,
        n_head=8,
        n_embd=256,
        dropout=0.2,
        max_steps=1400,
        batch_size=16,
        learning_rate=3e-3,
        weight_decay=0.2,
        eval_every=100,
    )


def stories() -> TrainConfig:
    """The stories model that ships, and its teacher: 4,096 pieces, window 512."""
    return TrainConfig(
        block_size=512,
        n_layer=6,
        n_head=6,
        n_embd=384,
        n_inner=960,
        max_steps=1600,
        batch_size=4,
        accumulate=4,
        weight_decay=0.2,
        eval_every=100,
        sample_prompt="Once upon a time",
    )


def gpt2() -> TrainConfig:
    """GPT-2 124M as nanoGPT reproduces it: half a million tokens a step, for GPUs."""
    return TrainConfig(
        family="gpt2",
        block_size=1024,
        n_layer=12,
        n_head=12,
        n_embd=768,
        max_steps=600_000,
        batch_size=12,
        accumulate=40,
        order="random",
        optimizer="adamw",
        learning_rate=6e-4,
        schedule="cosine",
        warmup_steps=2000,
        weight_decay=0.1,
        eval_every=1000,
        compile=True,
    )


def nanogpt() -> TrainConfig:
    """nanoGPT's recipe for tiny Shakespeare on a CPU, the baseline that ours is held against.

    config/train_shakespeare_char.py with the options of nanoGPT's README for a computer without
    a GPU: 4 layers, 128 wide, window 64, 2,000 steps of 12 windows drawn anywhere.
    """
    return TrainConfig(
        family="gpt2",
        block_size=64,
        n_layer=4,
        n_head=4,
        n_embd=128,
        bias=False,
        max_steps=2000,
        batch_size=12,
        order="random",
        optimizer="adamw",
        learning_rate=1e-3,
        schedule="cosine",
        warmup_steps=100,
        weight_decay=0.1,
        beta2=0.99,
        eval_every=250,
    )


def small() -> TrainConfig:
    """Our recipe at the size and the budget of `nanogpt`: the other half of bench.recipe."""
    return TrainConfig(
        block_size=64,
        n_layer=4,
        n_head=4,
        n_embd=128,
        n_inner=344,  # as many parameters as the baseline, or a few less
        max_steps=2000,
        batch_size=12,
        learning_rate=3e-3,
        momentum=0.9,  # a step of 768 tokens is small, and a run of 2,000 is short
        eval_every=250,
    )


PRESETS: dict[str, Callable[[], TrainConfig]] = {
    preset.__name__: preset for preset in (story, shakespeare, stories, gpt2, nanogpt, small)
}
