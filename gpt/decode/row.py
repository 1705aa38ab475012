"""`Row`: one story while it is written: what may come next, and the tokens that are set free."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from gpt.decode.core import Core
from gpt.sampling import Bias, Draw, SamplingParams, seeded
from gpt.text.banned import BannedPhrases, Seen
from gpt.text.bias import bias_of
from gpt.text.healing import Healing, Vocabulary, taken_back
from gpt.text.prompt import Keep, hidden_count, window_of, without_hidden
from gpt.text.streamer import TextStreamer
from gpt.text.token import Alternative, Token
from gpt.tokenizers import Tokenizer
from gpt.tokenizers.pieces import StreamDecoder

MOST_HELD = 512
"""Tokens that wait until it is known whether a banned phrase begins with them. A phrase is over
long before, but for white space without end."""


@dataclass(slots=True)
class _Held:
    """A token that was drawn, and what was before it."""

    draw: Draw
    logits: Tensor
    decoder: StreamDecoder
    seen: Seen
    """Of the text before it."""
    begins: int
    """Characters of new text before it."""
    healing: Healing | None
    again: int


class Row:
    """One story in a `Generator`; to its callers a handle, and nothing to change.

    Most tokens are handed out as they are drawn. One with which a banned phrase may begin is held
    until more of the text is known. Where the phrase comes, the story goes back to the token that
    it begins with, which cannot be drawn there again, and on from there: so no half of a word is
    left that nothing but the banned one would go on from.

    Args:
        slot: Its row in the cache.
        ids: The prompt.
        params: Of one story, with its seed.
        vocabulary: Of the tokenizer; used where `params.heal` is set.
        keep: Which of `ids` stay in the window when it slides.
    """

    def __init__(
        self,
        slot: int,
        ids: Sequence[int],
        params: SamplingParams,
        tokenizer: Tokenizer,
        *,
        take: int,
        core: Core,
        n_top: int,
        block_size: int,
        vocabulary: Vocabulary | None = None,
        keep: Keep = (),
    ) -> None:
        assert params.seed is not None
        self.slot, self.params, self.core, self.n_top = slot, params, core, n_top
        self.seed, self.take = params.seed, take
        self.keep = keep
        self.hidden = 0
        """How many of `ids` the cache left out."""
        self._tokenizer, self._block_size = tokenizer, block_size
        self._rng = seeded(params.seed)
        taken = taken_back(tokenizer, ids) if vocabulary and params.heal else 0
        kept = len(ids) - taken
        self.ids = list(ids[:kept])
        """The prompt and all that was written."""
        self._again = len(tokenizer.decode(ids[kept:]))
        """Characters that the next tokens bring once more."""
        self._healing: Healing | None = None
        if taken and vocabulary:
            data = b"".join(tokenizer.pieces[id] for id in ids[kept:])
            self._healing = Healing(vocabulary, data)
            # A word that comes back as it was takes nothing from the story's own dice.
            self._healing_rng = seeded(~params.seed % 2**63)
        self._streamer = TextStreamer(tokenizer, params, ids, again=self._again)
        self._held: list[_Held] = []
        self._forbidden: dict[int, set[int]] = {}
        """By the place in `ids`, the tokens that would begin a banned phrase there."""
        self._banned = BannedPhrases(params.banned) if params.banned else None
        self._decoder: StreamDecoder = tokenizer.decoder()
        """Of all tokens that were drawn; so is what follows."""
        self._begins = 0
        self._seen = self._banned.after(tokenizer.decode(ids)) if self._banned else Seen()

    @property
    def to_hide(self) -> int:
        """How many of `ids` are out of sight when the next one is written."""
        return hidden_count(len(self.ids), self._block_size, self.keep)

    def unread(self, have: int) -> list[int]:
        """What is in sight, but for the first `have` of it."""
        count = len(self.ids) - self.hidden - have
        if count == 1 or not self.keep:
            return self.ids[len(self.ids) - count :]
        return without_hidden(self.ids, self.hidden, self.keep)[have:]

    def write(self, logits: Tensor) -> list[Token]:
        """Draw the next token from its logits (V,): the tokens that can be handed out now.

        Where the story went back, `ids` are shorter than they were, and the last of them is new.

        Raises:
            ValueError: see `Core.draw`.
        """
        free: list[Token] = []
        while True:
            healing, drawn = self._healing, self._draw(logits)
            self.ids.append(drawn.id)
            if healing and self._spells(healing, drawn.id):
                return free
            if self._banned is None:
                return [self._token(drawn)]
            found = self._hold(self._banned, drawn, logits, healing)
            if found is None:
                found = self._release(self._banned, free)
            if found is None:
                return free
            logits = self._go_back(found)

    def _draw(self, logits: Tensor) -> Draw:
        params, seen = self.params, ()
        if params.repetition_penalty != 1 or params.dry_multiplier:
            seen = window_of(self.ids, self._block_size, self.keep)
        penalised = seen if params.repetition_penalty != 1 else ()
        rng = self._healing_rng if self._healing else self._rng
        return self.core.draw(logits, params, penalised, rng, self.n_top, self._bias(seen))

    def _bias(self, seen: Sequence[int]) -> Bias | None:
        """What may not come next, and what is less likely."""
        params, forbidden = self.params, self._forbidden.get(len(self.ids), ())
        if self._healing:
            ids = np.union1d(self._healing.forbidden(), np.array([*forbidden], np.int64))
            return Bias(ids, np.full(len(ids), -np.inf))
        written = self._streamer.tokens + len(self._held)
        return bias_of(params, seen, self._tokenizer, written=written, forbidden=forbidden)

    def _spells(self, healing: Healing, id: int) -> bool:
        """Take in a token of a word that was taken back; whether it brings nothing new."""
        piece = self._tokenizer.pieces[id]
        self._healing = healing.after(piece)
        if len(piece) > len(healing.left):
            return False
        self._streamer.pass_over(id)
        if self._banned:
            self._again -= len(self._decoder.decode(id))
        return True

    def _hold(
        self, banned: BannedPhrases, drawn: Draw, logits: Tensor, healing: Healing | None
    ) -> int | None:
        """Hold a token; where in the new text the banned phrase begins that it brings, or None.

        Args:
            healing: Before the token.
        """
        before = self._decoder.copy()
        self._held.append(
            _Held(drawn, logits, before, self._seen, self._begins, healing, self._again)
        )
        if drawn.id in self._tokenizer.end_ids:
            return banned.ended(self._seen)
        text = self._decoder.decode(drawn.id)
        text, self._again = text[self._again :], max(0, self._again - len(text))
        found: list[int] = []
        for at, character in enumerate(text, self._begins):
            self._seen, start = banned.add(self._seen, character, at)
            found += [] if start is None else [start]
        self._begins += len(text)
        return min(found, default=None)

    def _release(self, banned: BannedPhrases, free: list[Token]) -> int | None:
        """Set free the tokens that no phrase can begin with any more; where one begins that is
        there because the text breaks off, if so."""
        start = min((each.start for each in self._seen.opened), default=None)
        count = len(self._held) if start is None else self._at(start)
        if len(self._held) > MOST_HELD:
            self._seen, count = Seen(self._seen.in_word), len(self._held)
        states = [*(each.seen for each in self._held[1:]), self._seen]
        tokens: list[Token] = []
        before: list[TextStreamer] = []
        found = None
        for held, after in zip(self._held[:count], states, strict=False):
            before.append(self._streamer.copy())
            tokens.append(self._token(held.draw))
            if tokens[-1].finish_reason is None:
                continue
            found = None if tokens[-1].finish_reason == "end" else banned.ended(after)
            if found is not None:
                count = self._at(found)
                self._streamer = before[count]
            break
        free += tokens[:count]
        del self._held[:count]
        return found

    def _at(self, start: int) -> int:
        """Which of the held tokens brings the character `start`, or the first new one after it."""
        ends = [*(each.begins for each in self._held[1:]), self._begins]
        return next(at for at, end in enumerate(ends) if end > start)

    def _go_back(self, start: int) -> Tensor:
        """Take back the token that brings the character `start`, and all after it, and forbid it
        there; the logits that it was drawn from."""
        at = self._at(start)
        back = self._held[at]
        place = len(self.ids) - len(self._held) + at
        self._forbidden = {key: ids for key, ids in self._forbidden.items() if key <= place}
        self._forbidden.setdefault(place, set()).add(back.draw.id)
        del self.ids[place:], self._held[at:]
        self._decoder, self._seen, self._begins = back.decoder, back.seen, back.begins
        self._healing, self._again = back.healing, back.again
        return back.logits

    def _token(self, draw: Draw) -> Token:
        """Say what text a token sets free, and whether it is the last."""
        text, reason = self._streamer.push(draw.id)
        piece = self._tokenizer.piece
        return Token(
            id=draw.id,
            text=text,
            piece=piece(draw.id),
            raw_probability=draw.raw_probability,
            probability=draw.probability,
            entropy=draw.entropy,
            top=tuple(Alternative(id, piece(id), raw, p) for id, raw, p in draw.alternatives),
            finish_reason=reason,
            seed=self.seed,
            take=self.take,
            core=self.core.name,
        )
