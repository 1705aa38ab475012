"""Keys and values of what a model has read, so that each new token costs one position."""

from torch import Tensor, empty, float32
from torch import dtype as Dtype

from gpt.config import GPTConfig

FEWEST_STORIES, MOST_STORIES = 8, 64
MOST_BYTES = 640 * 2**20


def stories_for(config: GPTConfig, dtype: Dtype = float32) -> int:
    """How many stories to write at once: 64, or fewer where their keys and values would need more
    than `MOST_BYTES`, but never fewer than 8.

    On a CPU the system hands memory out as it is written to: what nobody uses costs nothing.
    """
    of_one = 2 * config.n_layer * config.n_kv_head * config.block_size * config.head_dim
    return max(FEWEST_STORIES, min(MOST_STORIES, MOST_BYTES // (of_one * dtype.itemsize)))


class KVCache:
    """Room for `batch_size` stories of up to `block_size` tokens each, owned by the caller.

    Rows fill independently: each has its own length, and can be emptied while the others go on.
    All memory is taken once, (n_layer, B, H_kv, block_size, D) for keys and as much for values.
    """

    def __init__(
        self, config: GPTConfig, batch_size: int, *, dtype: Dtype = float32, device: str = "cpu"
    ) -> None:
        shape = (
            config.n_layer,
            batch_size,
            config.n_kv_head,
            config.block_size,
            config.head_dim,
        )
        self.block_size = config.block_size
        self.lengths = [0] * batch_size
        """Tokens that each row holds."""
        self.keys = empty(shape, dtype=dtype, device=device)
        """(n_layer, B, H_kv, block_size, D)."""
        self.values = empty(shape, dtype=dtype, device=device)
        """As `keys`."""

    def reset(self, row: int) -> None:
        """Forget what `row` holds; its place is free for another story."""
        self.lengths[row] = 0

    def cut(self, row: int, length: int) -> None:
        """Forget what `row` holds beyond its first `length` tokens."""
        self.lengths[row] = max(0, min(self.lengths[row], length))

    def copy(self, source: int, target: int) -> None:
        """Let row `target` hold what row `source` holds."""
        length = self.lengths[source]
        self.keys[:, target, :, :length] = self.keys[:, source, :, :length]
        self.values[:, target, :, :length] = self.values[:, source, :, :length]
        self.lengths[target] = length

    def extend(self, layer: int, row: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Write (1, H_kv, T, D) behind what `row` holds in `layer`; return all, (1, H_kv, S, D).

        The row's length moves on only with `advance`, once every layer has written.
        """
        start, end = self.lengths[row], self.lengths[row] + key.shape[2]
        self.keys[layer, row, :, start:end] = key[0]
        self.values[layer, row, :, start:end] = value[0]
        return self.keys[layer, row : row + 1, :, :end], self.values[layer, row : row + 1, :, :end]

    def advance(self, row: int, n_tokens: int) -> None:
        """Count `n_tokens` just written to every layer of `row`."""
        self.lengths[row] += n_tokens
