"""`Generator`: stories written side by side, one token each at a time, from one model.

A story is read once (prefill) and goes on one position per token (decode). Where it outgrows
`block_size`, the last half of the window is read again and it goes on from there.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property

import torch
from torch import Tensor

from gpt.cache import KVCache
from gpt.decode.choose import compiled
from gpt.decode.core import Core, TorchCore
from gpt.decode.row import Row
from gpt.model import GPT
from gpt.sampling import N_ALTERNATIVES, SamplingParams
from gpt.text.healing import Vocabulary
from gpt.text.prompt import Keep, check_for, check_keep, prompt_ids, window_start
from gpt.text.token import Token
from gpt.tokenizers import Tokenizer


class Generator:
    """Writes up to `max_batch` stories at once; rows come and go between any two steps.

    A row's tokens depend on its prompt, settings, seed and core alone, not on its company. Not for
    several threads at once.

    Args:
        model: In eval mode; it may stand on any device.
        max_batch: Stories at once; each takes one row of a preallocated cache.
    """

    def __init__(self, model: GPT, tokenizer: Tokenizer, *, max_batch: int = 1) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch must be at least 1, not {max_batch}")
        self.model = model
        self.tokenizer = tokenizer
        self.max_batch = max_batch
        self.cache = KVCache(model.config, max_batch, dtype=model.dtype, device=str(model.device))
        self._cores: dict[str, Core] = {}
        self.use(TorchCore(model, tokenizer.vocab_size, self.cache))
        self._rows: list[Row] = []

    @property
    def core(self) -> Core:
        """What new stories are written with, unless they ask for another."""
        return self._core

    def use(self, core: Core) -> None:
        """Write new stories with `core`, which works on this generator's `cache`. The stories that
        are being written go on with theirs."""
        self._cores[core.name] = self._core = core

    def use_compiled(self, *, wait: bool = True) -> None:
        """Write new stories with the compiled core, if it is wanted and can run; see
        `gpt.decode.choose.compiled`."""
        if core := compiled(self.model, self.tokenizer.vocab_size, self.cache, wait=wait):
            self.use(core)

    def close(self) -> None:
        """Let go of the cores' threads."""
        for core in self._cores.values():
            core.close()

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        return Vocabulary(self.tokenizer.pieces)

    @property
    def free(self) -> int:
        """How many more rows there is place for."""
        return self.max_batch - len(self._rows)

    def add(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams,
        *,
        take: int = 0,
        core: str | None = None,
        n_top: int = N_ALTERNATIVES,
        keep: Keep = (),
    ) -> Row:
        """Let a story join; it is read with one of the next steps.

        Args:
            prompt: See `prompt_ids`.
            params: Of one story, n = 1: `SamplingParams.takes` makes one for each of several. A
                seed of None is drawn here.
            take: Handed on in `Token.take`.
            core: The name of the core that is to write it (`Token.core`); None, or one that is not
                here, for the one in use.
            n_top: How many alternatives its tokens list, at most ten.
            keep: Which ids of the prompt stay in the window when it slides, half of it at most.

        Raises:
            ValueError: settings that do not suit the tokenizer, n above 1, a prompt that cannot
                be read, parts to keep that are none, or no place.
        """
        check_for(params, self.tokenizer)
        if params.n != 1:
            raise ValueError(f"a row is one story, but n={params.n}: add each of params.takes()")
        if not self.free:
            raise ValueError(f"all {self.max_batch} rows are taken: remove one first")
        (params,) = params.takes()
        ids, block_size = prompt_ids(self.tokenizer, prompt), self.model.config.block_size
        check_keep(keep, len(ids), block_size)
        row = Row(
            min(set(range(self.max_batch)) - {row.slot for row in self._rows}),
            ids,
            params,
            self.tokenizer,
            take=take,
            core=self._cores.get(core or "", self._core),
            n_top=n_top,
            block_size=block_size,
            keep=keep,
            vocabulary=self._vocabulary if params.heal else None,
        )
        self.cache.reset(row.slot)
        self._rows.append(row)
        return row

    def remove(self, row: Row) -> None:
        """Let a story leave; nothing happens if it has already ended."""
        if row in self._rows:
            self._rows.remove(row)

    def logits(self, prompt: str | Sequence[int], *, every: bool = False) -> Tensor:
        """The logits of the token after `prompt`, (V,) float32; nothing is drawn.

        The stories in the batch are neither read nor changed.

        Args:
            every: Those of the token after each one that the model sees of it, (T, V).

        Raises:
            ValueError: as `prompt_ids`.
        """
        ids = prompt_ids(self.tokenizer, prompt)
        seen = ids[window_start(len(ids), self.model.config.block_size) :]
        with torch.inference_mode():
            logits = self.model(torch.tensor([seen], device=self.model.device), last=not every)
        logits = logits[0, :, : self.tokenizer.vocab_size].float().cpu()
        return logits if every else logits[-1]

    def step(self) -> list[tuple[Row, Token | Exception]]:
        """Draw the next token of each story; one that ends leaves the batch.

        Most steps bring a token of each. None comes of a word that is spelt once more
        (`gpt.text.healing`), nor while a banned phrase may be on its way; then all that were held.

        At most one prefill per step, of a new story or one that outgrew its window, and of all that
        have the same to read: the others that need one wait, and the rest decode meanwhile.

        Returns:
            A token for each row that got one. In place of a row's token may stand what went wrong
            with it; it has left then, and the others are unharmed.
        """
        writing, to_read = self._by_need()
        written: list[tuple[Row, Token | Exception]] = []
        if to_read:
            written += self._prefill(to_read)
        for core in {row.core.name: row.core for row in writing}.values():
            written += self._forward([row for row in writing if row.core is core], core)
        return written

    def stream(
        self,
        prompt: str | Sequence[int],
        params: SamplingParams,
        *,
        n_top: int = N_ALTERNATIVES,
    ) -> Iterator[Token]:
        """Write on from `prompt`, token by token; closing the iterator ends it.

        With n above 1 the takes come side by side, as many at once as there are rows, and
        `Token.take` tells them apart.

        Raises:
            ValueError: as `add`, or other stories are being written.
        """
        if self._rows:
            raise ValueError(
                "stream() needs the generator for itself, but stories are being written"
            )
        waiting = list(enumerate(params.takes()))
        try:
            while waiting or self._rows:
                while waiting and self.free:
                    take, one = waiting.pop(0)
                    self.add(prompt, one, take=take, n_top=n_top)
                for _, token in self.step():
                    if isinstance(token, Exception):
                        raise token
                    yield token
        finally:
            self._rows.clear()

    def _by_need(self) -> tuple[list[Row], list[Row]]:
        """The rows that lack one position, and those that have more to read, longest ago first."""
        writing: list[Row] = []
        to_read: list[Row] = []
        for row in self._rows:
            if (hidden := row.to_hide) != row.hidden:
                row.hidden = hidden
                self.cache.reset(row.slot)
            (writing if len(self._unread(row)) == 1 else to_read).append(row)
        return writing, to_read

    def _unread(self, row: Row) -> list[int]:
        return row.unread(self.cache.lengths[row.slot])

    def _prefill(self, to_read: list[Row]) -> list[tuple[Row, Token | Exception]]:
        """Read the row that was read longest ago, and hand what it has read to its twins: versions
        of one passage read their prompt once."""
        first = to_read[0]
        twins = [row for row in to_read if row is not first and self._alike(row, first)]
        for row in (first, *twins):  # to the end, so that none waits for more than max_batch others
            self._rows.remove(row)
            self._rows.append(row)
        try:
            (logits,) = first.core.read([first.slot], [self._unread(first)])
        except Exception as error:  # noqa: BLE001 - goes to those whose stories it ends
            return self._failed([first], error)
        for row in twins:
            self.cache.copy(first.slot, row.slot)
        return [each for row in (first, *twins) for each in self._write(row, logits)]

    def _alike(self, row: Row, other: Row) -> bool:
        return (
            row.core is other.core
            and row.keep == other.keep
            and row.hidden == other.hidden
            and row.ids == other.ids
            and self.cache.lengths[row.slot] == self.cache.lengths[other.slot] == 0
        )

    def _forward(self, rows: list[Row], core: Core) -> list[tuple[Row, Token | Exception]]:
        """The next token of rows that lack one position."""
        try:
            logits = core.read([row.slot for row in rows], [self._unread(row) for row in rows])
        except Exception as error:  # noqa: BLE001 - goes to those whose stories it ends
            return self._failed(rows, error)
        pairs = zip(rows, logits, strict=True)
        return [each for row, one in pairs for each in self._write(row, one)]

    def _failed(self, rows: list[Row], error: Exception) -> list[tuple[Row, Token | Exception]]:
        for row in rows:
            self.remove(row)
        return [(row, error) for row in rows]

    def _write(self, row: Row, logits: Tensor) -> list[tuple[Row, Token | Exception]]:
        """Draw the row's next token from its logits (V,): the tokens that are free to go."""
        try:
            tokens = row.write(logits)
        except Exception as error:  # noqa: BLE001 - one story's fault must not end the others
            return self._failed([row], error)
        self.cache.cut(row.slot, len(row.ids) - 1 - row.hidden)
        if tokens and tokens[-1].finish_reason is not None:
            self.remove(row)
        return [(row, token) for token in tokens]
