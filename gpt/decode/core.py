"""`Core`: what computes logits and draws from them; two make a story, and each can do it alone."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from gpt.cache import KVCache
from gpt.model import GPT
from gpt.sampling import Bias, Draw, SamplingParams, sample


class Core(Protocol):
    """What a `Generator` asks for its next tokens. Not for several threads at once."""

    @property
    def name(self) -> str:
        """What wrote a story, and how exactly: "torch float32". The same name, prompt, settings
        and seed give the same text again."""
        ...

    @property
    def threads(self) -> int:
        """How many work on a pass now."""
        ...

    def read(self, slots: Sequence[int], unread: Sequence[Sequence[int]]) -> list[Tensor]:
        """Read on in some rows of the cache: the logits (V,) behind the last token of each,
        float32 on the CPU.

        Args:
            slots: Rows of the cache, each once.
            unread: At least one token for each; what they become is in the cache afterwards.

        Raises:
            ValueError: a row would grow longer than block_size.
        """
        ...

    def draw(
        self,
        logits: Tensor,
        params: SamplingParams,
        seen: Sequence[int],
        rng: torch.Generator,
        n_top: int,
        bias: Bias | None = None,
    ) -> Draw:
        """Draw from what `read` gave; see `gpt.sampling.sample`."""
        ...

    def close(self) -> None:
        """Let go of threads, if there are any."""
        ...


class TorchCore:
    """The model itself: the reference, on any device and where nothing is compiled.

    Args:
        model: In eval mode.
        vocab_size: Of the tokenizer: ids that only pad the model's are never drawn.
        cache: Of the stories, for this model.
    """

    def __init__(self, model: GPT, vocab_size: int, cache: KVCache) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._cache = cache
        self.name = f"torch {str(model.dtype).removeprefix('torch.')}"

    @property
    def threads(self) -> int:
        """As PyTorch was told; on the CPU."""
        return torch.get_num_threads()

    def read(self, slots: Sequence[int], unread: Sequence[Sequence[int]]) -> list[Tensor]:
        """See `Core.read`; rows that have equally much to read are read together."""
        logits: dict[int, Tensor] = {}
        with torch.inference_mode():
            for length in sorted({len(ids) for ids in unread}):
                at = [i for i, ids in enumerate(unread) if len(ids) == length]
                tokens = torch.tensor([unread[i] for i in at], device=self._model.device)
                out = self._model(tokens, self._cache, [slots[i] for i in at], last=True)[:, -1]
                logits.update(zip(at, out[:, : self._vocab_size].float().cpu(), strict=True))
        return [logits[i] for i in range(len(unread))]

    draw = staticmethod(sample)

    def close(self) -> None:
        """There is nothing to let go of."""
