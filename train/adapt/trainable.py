"""Which parts of a model learn from a new text, and how fast each of them does."""

from collections.abc import Callable
from dataclasses import dataclass

from gpt.config import GPTConfig
from gpt.model import GPT
from train.adapt.lora import add_adapters


@dataclass(frozen=True, kw_only=True, slots=True)
class Trainable:
    """How a model is carried over to new text; by default all of it learns.

    Raises:
        ValueError: a value out of its range, with the range.
    """

    freeze_embeddings: bool = False
    """Leave the embeddings, and an output layer tied to them, as they are."""
    freeze_first: int = 0
    """Leave the lowest N blocks as they are."""
    lora: int = 0
    """Rank of the adapters that learn in place of the weights; 0 for none."""
    layer_decay: float = 0.85
    """A layer learns at this share of the rate of the one above it; 1 for the same everywhere."""

    def __post_init__(self) -> None:
        for name in ("freeze_first", "lora"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must be 0 or above, not {getattr(self, name)}")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"layer_decay must be above 0 and up to 1, not {self.layer_decay}")

    def __str__(self) -> str:
        """In words, for cards and tables."""
        parts = [f"LoRA of rank {self.lora}, merged" if self.lora else "all weights"]
        if self.freeze_embeddings and not self.lora:
            parts.append("embeddings frozen")
        if self.freeze_first:
            parts.append(f"lowest {self.freeze_first} blocks frozen")
        if self.layer_decay < 1:
            parts.append(f"learning rate × {self.layer_decay:g} a layer down")
        return ", ".join(parts)


def steer(model: GPT, steering: Trainable) -> None:
    """Freeze the parameters of `model` that do not learn, and add LoRA adapters where asked for.

    Raises:
        ValueError: more blocks to freeze than there are, or a rank that does not fit.
    """
    if steering.freeze_first > model.config.n_layer:
        raise ValueError(
            f"freeze_first must be between 0 and {model.config.n_layer}, the blocks of this "
            f"model, not {steering.freeze_first}"
        )
    model.requires_grad_(True)
    if steering.lora:
        add_adapters(model, steering.lora, first=steering.freeze_first)
        return
    for block in list(model.blocks)[: steering.freeze_first]:
        block.requires_grad_(False)
    if steering.freeze_embeddings:
        model.tokens.requires_grad_(False)
        if model.positions is not None:
            model.positions.requires_grad_(False)


def rate_scale(config: GPTConfig, decay: float) -> Callable[[str], float]:
    """The factor on the learning rate of each parameter, by its name: smaller further down.

    Discriminative fine-tuning (Howard & Ruder 2018, section 3.2): what lies near the input is the
    most general and changes least. The last norm and an untied output layer learn at the full
    rate, block i at decay ** (n_layer - i), embeddings, tied ones too, at decay ** (n_layer + 1).
    """

    def scale(name: str) -> float:
        room, _, rest = name.partition(".")
        below = {"tokens": config.n_layer + 1, "positions": config.n_layer + 1}.get(room, 0)
        if room == "blocks":
            below = config.n_layer - int(rest.partition(".")[0])
        return decay**below

    return scale
