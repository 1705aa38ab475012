"""The shape of a model: what decides its parameters, nothing that decides its training."""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

Family = Literal["gpt2", "llama"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """What a training chooses of a model's shape; the vocabulary comes with its text.

    A field's docstring is the help of its command-line option in `train/`.
    """

    family: Family = "llama"
    block_size: int = 256
    """Tokens in a training window, and the longest text the model can see."""
    n_layer: int = 6
    n_head: int = 6
    n_kv_head: int = 0
    """Heads of keys and values; 0 for as many as n_head. Fewer share them (Ainslie et al. 2023)."""
    n_embd: int = 384
    n_inner: int = 0
    """Channels inside the MLP; 0 for 4 n_embd (gpt2) or 8/3 n_embd rounded up to 32 (llama)."""
    dropout: float = 0.0
    tie_embeddings: bool = True
    """Whether the output layer is the token embedding."""
    bias: bool = True
    """Biases in the linear layers and norms of gpt2; llama has none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RopeScaling:
    """Rotary positions that turn more slowly, so that a window is longer than it was learnt with.

    ``linear``: all `factor` times more slowly (Chen et al. 2023). ``llama3``: only those that turn
    less than `low_freq_factor` times in the `original_block_size` tokens of the first training,
    none that turn more than `high_freq_factor` times, and in between from one to the other (Llama
    3.1, Grattafiori et al. 2024, section 3.4.2).

    Raises:
        ValueError: factors that mean nothing.
    """

    kind: Literal["linear", "llama3"]
    factor: float
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_block_size: int = 8192

    def __post_init__(self) -> None:
        if self.factor <= 0:
            raise ValueError(f"rope scaling needs a factor above 0, not {self.factor}")
        if not 0 < self.low_freq_factor < self.high_freq_factor:
            raise ValueError(
                f"rope scaling needs 0 < low_freq_factor < high_freq_factor, not "
                f"{self.low_freq_factor} and {self.high_freq_factor}"
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class GPTConfig(Shape):
    """A decoder-only Transformer of one of two families, each exactly what the ecosystem runs.

    ``gpt2`` (Radford et al. 2019): learned positions, LayerNorm, GELU (tanh), tied embeddings.
    ``llama`` (Touvron et al. 2023): rotary positions, RMSNorm, SwiGLU, grouped-query attention.

    A size of 0 is filled in from the others, so a finished config holds no 0 where a size belongs.

    Raises:
        ValueError: a size that is not positive, or that does not divide another one it must.
    """

    vocab_size: int
    head_dim: int = 0
    """Channels of one head; 0 takes n_embd // n_head."""
    rope_theta: float = 10_000.0
    rope_scaling: RopeScaling | None = None
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.family not in ("gpt2", "llama"):
            raise ValueError(f"family must be 'gpt2' or 'llama', not {self.family!r}")
        for name in ("vocab_size", "block_size", "n_layer", "n_head", "n_embd"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be in [0, 1), not {self.dropout}")
        # A frozen dataclass fills its own blanks only through object.__setattr__.
        fill = object.__setattr__
        if not self.head_dim:
            if self.n_embd % self.n_head:
                raise ValueError(f"n_embd={self.n_embd} is not a multiple of n_head={self.n_head}")
            fill(self, "head_dim", self.n_embd // self.n_head)
        if not self.n_kv_head:
            fill(self, "n_kv_head", self.n_head)
        if not self.n_inner:
            wide = 4 * self.n_embd if self.family == "gpt2" else -(-self.n_embd * 8 // 96) * 32
            fill(self, "n_inner", wide)
        self._check_family()

    def _check_family(self) -> None:
        if self.family == "llama":
            object.__setattr__(self, "bias", False)
            if self.n_kv_head < 1 or self.n_head % self.n_kv_head:
                raise ValueError(
                    f"n_head={self.n_head} is no multiple of n_kv_head={self.n_kv_head}"
                )
            if self.head_dim % 2:
                raise ValueError(f"head_dim={self.head_dim} must be even: rotary turns pairs")
            return
        fixed = {
            "n_kv_head": self.n_head,
            "head_dim": self.n_embd // self.n_head,
            "tie_embeddings": True,
        }
        for name, value in fixed.items():
            if getattr(self, name) != value:
                raise ValueError(f"family gpt2 has {name}={value}, not {getattr(self, name)}")

    def to_dict(self) -> dict[str, Any]:
        """All fields by name, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The config that `to_dict` wrote; an unknown name is a ValueError."""
        known = {field.name for field in fields(cls)}
        if unknown := sorted(values.keys() - known):
            raise ValueError(f"unknown config fields {unknown}: known are {sorted(known)}")
        scaling: dict[str, Any] | None = values.get("rope_scaling")
        made: dict[str, Any] = {"rope_scaling": RopeScaling(**scaling) if scaling else None}
        return cls(**{**values, **made})
