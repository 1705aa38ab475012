"""`Generator`: stories written side by side, one token each at a time, from one model.

A story is read once (prefill) and goes on one position per token (decode). Where it outgrows
`block_size`, the last half of the window is read again and it goes on from there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from gpt.cache import KVCache
from gpt.model import GPT
from gpt.sampling import Draw, SamplingParams, sample, seeded
from gpt.text.streamer import FinishReason, TextStreamer
from gpt.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that might have been drawn."""

    id: int
    text: str
    """How it is shown alone (`Tokenizer.piece`)."""
    raw_probability: float
    """As the model said it."""
    probability: float
    """After all samplers: what it was drawn with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One generated token, with the distribution it was drawn from."""

    id: int
    text: str
    """The text released with this token: whole characters, nothing of a stop string, maybe ""."""
    piece: str
    """How the token is shown alone (`Tokenizer.piece`)."""
    raw_probability: float
    """As the model said it, before any sampler."""
    probability: float
    """In the distribution it was drawn from, after all samplers."""
    entropy: float
    """Of the model's own distribution, in nats."""
    top: tuple[Alternative, ...]
    """The ten likeliest before any sampler, likeliest first."""
    finish_reason: FinishReason | None
    """None but for a story's last token: the end-of-story token, a stop string, the length, or
    beyond the length the end of a "sentence", which a token shows that is no more part of it."""
    seed: int
    """Gives the same text again, with the same prompt and settings and n = 1."""
    take: int
    """Which of the n stories of one prompt it belongs to: 0 .. n - 1."""


def window_start(n_tokens: int, block_size: int) -> int:
    """The first of `n_tokens` tokens that the model still sees when it writes the next one.

    0 while all fit; then the smallest multiple of half a window (rounded up) that leaves at most
    `block_size`. It depends on nothing but the length, so a story that is continued later goes on
    from what an uninterrupted one would have seen. (Learned positions cannot slide, so the kept
    half is read again, at new positions.)
    """
    if n_tokens <= block_size:
        return 0
    stride = block_size - block_size // 2
    return -(-(n_tokens - block_size) // stride) * stride


def prompt_ids(tokenizer: Tokenizer, prompt: str | Sequence[int]) -> list[int]:
    """The ids a model is given: of a text with `bos_id` before it; ids as they are.

    "" and no ids at all begin a new story: `bos_id` alone.

    Raises:
        UnknownCharacterError: a character tokenizer never saw some of the text.
        ValueError: an id is not in the vocabulary.
    """
    if isinstance(prompt, str):
        return [tokenizer.bos_id, *tokenizer.encode(prompt)]
    for id in prompt:
        if not 0 <= id < tokenizer.vocab_size:
            raise ValueError(
                f"id {id} is not in the vocabulary: expected 0 to {tokenizer.vocab_size - 1}"
            )
    return list(prompt) or [tokenizer.bos_id]


def check_for(params: SamplingParams, tokenizer: Tokenizer) -> None:
    """Raise ValueError where settings that are valid make no sense with this tokenizer."""
    if tokenizer.kind == "char" and params.repetition_penalty != 1:
        raise ValueError(
            "repetition_penalty must be 1 (off) with a model of characters, not "
            f"{params.repetition_penalty}: every letter has already appeared, so a penalty would "
            "only spoil the spelling"
        )


@dataclass(slots=True, eq=False)
class Row:
    """One story in a `Generator`; to its callers a handle, and nothing to change."""

    slot: int
    """Its row in the cache."""
    ids: list[int]
    """The prompt and all that was written."""
    params: SamplingParams
    rng: torch.Generator
    streamer: TextStreamer
    seed: int
    take: int
    start: int = 0
    """The first of `ids` that the cache holds."""


class Generator:
    """Writes up to `max_batch` stories at once; rows come and go between any two steps.

    A row's tokens depend on its prompt, settings and seed alone, not on its company. Not for
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
        self._cache = KVCache(model.config, max_batch, dtype=model.dtype, device=str(model.device))
        self._rows: list[Row] = []

    @property
    def free(self) -> int:
        """How many more rows there is place for."""
        return self.max_batch - len(self._rows)

    def add(self, prompt: str | Sequence[int], params: SamplingParams, *, take: int = 0) -> Row:
        """Let a story join; it is read with one of the next steps.

        Args:
            prompt: See `prompt_ids`.
            params: Of one story, n = 1: `SamplingParams.takes` makes one for each of several. A
                seed of None is drawn here.
            take: Handed on in `Token.take`.

        Raises:
            ValueError: settings that do not suit the tokenizer, n above 1, a prompt that cannot
                be read, or no place.
        """
        check_for(params, self.tokenizer)
        if params.n != 1:
            raise ValueError(f"a row is one story, but n={params.n}: add each of params.takes()")
        if not self.free:
            raise ValueError(f"all {self.max_batch} rows are taken: remove one first")
        (params,) = params.takes()
        assert params.seed is not None  # takes() has drawn it
        ids = prompt_ids(self.tokenizer, prompt)
        row = Row(
            slot=min(set(range(self.max_batch)) - {row.slot for row in self._rows}),
            ids=ids,
            params=params,
            rng=seeded(params.seed),
            streamer=TextStreamer(self.tokenizer, params, ids),
            seed=params.seed,
            take=take,
        )
        self._cache.reset(row.slot)
        self._rows.append(row)
        return row

    def remove(self, row: Row) -> None:
        """Let a story leave; nothing happens if it has already ended."""
        if row in self._rows:
            self._rows.remove(row)

    def logits(self, prompt: str | Sequence[int]) -> Tensor:
        """The logits of the token after `prompt`, (V,) float32; nothing is drawn.

        The stories in the batch are neither read nor changed.

        Raises:
            ValueError: as `prompt_ids`.
        """
        ids = prompt_ids(self.tokenizer, prompt)
        seen = ids[window_start(len(ids), self.model.config.block_size) :]
        with torch.inference_mode():
            logits = self.model(torch.tensor([seen], device=self.model.device), last=True)
        return logits[0, -1, : self.tokenizer.vocab_size].float().cpu()

    def step(self) -> list[tuple[Row, Token | Exception]]:
        """Draw the next token of each story; one that ends leaves the batch.

        At most one prefill per step, of a new story or one that outgrew its window: the others that
        need one wait, and all the rest decode meanwhile.

        Returns:
            A token for each row that got one. In place of a row's token may stand what went wrong
            with it; it has left then, and the others are unharmed.
        """
        writing, to_read = self._by_need()
        if to_read:
            # The one read longest ago comes first, so none waits for more than max_batch others.
            row = to_read[0]
            self._rows.remove(row)
            self._rows.append(row)
        with torch.inference_mode():
            return [*self._forward(to_read[:1]), *self._forward(writing)]

    def stream(self, prompt: str | Sequence[int], params: SamplingParams) -> Iterator[Token]:
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
                    self.add(prompt, one, take=take)
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
            start = window_start(len(row.ids), self.model.config.block_size)
            if start != row.start:
                row.start = start
                self._cache.reset(row.slot)
            (writing if len(self._unread(row)) == 1 else to_read).append(row)
        return writing, to_read

    def _unread(self, row: Row) -> list[int]:
        return row.ids[row.start + self._cache.lengths[row.slot] :]

    def _forward(self, rows: list[Row]) -> list[tuple[Row, Token | Exception]]:
        """The next token of rows that have equally much to read."""
        if not rows:
            return []
        try:
            tokens = torch.tensor([self._unread(row) for row in rows], device=self.model.device)
            logits = self.model(tokens, self._cache, [row.slot for row in rows], last=True)
            # Ids that only pad the model's vocabulary stand for no text and are never drawn.
            logits = logits[:, -1, : self.tokenizer.vocab_size].float().cpu()  # (B, V)
        except Exception as error:  # noqa: BLE001 - goes to those whose stories it ends
            for row in rows:
                self.remove(row)
            return [(row, error) for row in rows]
        return [(row, self._write(row, one)) for row, one in zip(rows, logits, strict=True)]

    def _write(self, row: Row, logits: Tensor) -> Token | Exception:
        """Draw the row's next token from its logits (V,)."""
        try:
            seen = row.ids[row.start :]
            token = self._token(row, sample(logits, row.params, seen, row.rng))
        except Exception as error:  # noqa: BLE001 - one story's fault must not end the others
            self.remove(row)
            return error
        if token.finish_reason is not None:
            self.remove(row)
        return token

    def _token(self, row: Row, draw: Draw) -> Token:
        """Add what was drawn to the row; say what text it sets free and whether it is the last."""
        row.ids.append(draw.id)
        text, reason = row.streamer.push(draw.id)
        piece = self.tokenizer.piece
        return Token(
            id=draw.id,
            text=text,
            piece=piece(draw.id),
            raw_probability=draw.raw_probability,
            probability=draw.probability,
            entropy=draw.entropy,
            top=tuple(Alternative(id, piece(id), raw, p) for id, raw, p in draw.alternatives),
            finish_reason=reason,
            seed=row.seed,
            take=row.take,
        )
