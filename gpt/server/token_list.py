"""`TokenList`: the tokens of one choice as OpenAI's `logprobs` lists them, with their offsets."""

from collections.abc import Iterable, Sequence

from gpt.server.answers import Logprobs
from gpt.server.prompts import Scored, log
from gpt.text.token import Token
from gpt.tokenizers import Tokenizer


class TokenList:
    """Where each token begins is known from all before it, so one list is one choice's.

    Args:
        n_top: How many likely tokens are listed beside each; the one that stands there comes on
            top of them.
    """

    def __init__(self, tokenizer: Tokenizer, n_top: int) -> None:
        self._tokenizer = tokenizer
        self._n_top = n_top
        self._decoder = tokenizer.decoder()
        self._offset = 0

    def skip(self, ids: Sequence[int]) -> None:
        """Go past tokens that are listed already."""
        self._offset += sum(len(self._decoder.decode(id)) for id in ids)

    def prompt(self, ids: Sequence[int], scored: Sequence[Scored]) -> Logprobs:
        """Those of a prompt, one `Scored` for each."""
        listed = Logprobs(tokens=[], token_logprobs=[], top_logprobs=[], text_offset=[])
        for id, score in zip(ids, scored, strict=True):
            piece = self._tokenizer.piece
            top = [(piece(other), logprob) for other, logprob in score.top]
            listed.extend(self._one(id, piece(id), score.logprob, top))
        return listed

    def token(self, token: Token) -> Logprobs:
        """One that was written."""
        top = [(other.text, log(other.raw_probability)) for other in token.top[: self._n_top]]
        return self._one(token.id, token.piece, log(token.raw_probability), top)

    def _one(
        self, id: int, piece: str, logprob: float | None, top: Iterable[tuple[str, float]]
    ) -> Logprobs:
        offset = self._offset
        self._offset += len(self._decoder.decode(id))
        likely: dict[str, float] = {}
        for other, other_logprob in top:
            likely.setdefault(other, other_logprob)  # of two that look the same, the likelier
        if logprob is not None:
            likely.setdefault(piece, logprob)
        return Logprobs(
            tokens=[piece],
            token_logprobs=[logprob],
            top_logprobs=[None if logprob is None else likely],
            text_offset=[offset],
        )
