"""`python -m gpt.decode.compile PRECISION`: compile the core for such weights, and keep the code.

`gpt.decode.choose` runs it in the background when the code is not there yet.
"""

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import get_args

import torch

from gpt.cache import KVCache
from gpt.config import GPTConfig
from gpt.decode import disk
from gpt.decode.numba_core import NumbaCore
from gpt.decode.precision import Precision
from gpt.model import GPT


def compile_for(precision: Precision) -> None:
    """Make the core of a tiny model, which reads, or compiles, every function for such weights.

    Raises:
        OSError: the code cannot be kept on disk.
    """
    disk.folder().mkdir(parents=True, exist_ok=True)
    config = GPTConfig(vocab_size=32, n_layer=1, n_head=1, n_embd=16, block_size=8)
    NumbaCore(GPT(config), config.vocab_size, KVCache(config, 1), precision=precision).close()
    disk.marker(precision).touch()
    disk.claim(precision).unlink(missing_ok=True)


def main(argv: Sequence[str]) -> int:
    """Compile for each of the given precisions."""
    known = get_args(Precision)
    if not argv or not set(argv) <= set(known):
        print(f"usage: python -m gpt.decode.compile {' | '.join(known)} …", file=sys.stderr)
        return 2
    with suppress(AttributeError, OSError):  # whoever writes meanwhile comes first
        os.nice(10)
    torch.set_num_threads(1)
    for precision in argv:
        compile_for(precision)  # pyright: ignore[reportArgumentType] - it is one of the known
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
