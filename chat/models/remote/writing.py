"""`Writing`: one take of a server's on its way, pieces of an answer → tokens."""

from collections.abc import Sequence

from chat.models.remote.answers import Piece, Spoken
from chat.models.remote.characters import Characters
from chat.models.remote.vocabulary import EOS, NOTHING, RemoteTokenizer
from gpt.sampling import SamplingParams
from gpt.text.streamer import FinishReason, TextStreamer
from gpt.text.token import Alternative, Token

ENDS = ("stop", "eos", "end", "end_turn", "eos_token")
"""How servers say that a model came to its end, or to a stop string."""


class Writing:
    """One take on its way: pieces of an answer → tokens."""

    def __init__(
        self,
        tokenizer: RemoteTokenizer,
        params: SamplingParams,
        prompt: Sequence[int],
        *,
        take: int,
        core: str,
    ) -> None:
        self.finish: str | None = None
        """Why the server says the text ends."""
        self.over = False
        """The last token was among those given."""
        self._named = 0
        """Tokens that the server named, of which this is the text:"""
        self._text: list[str] = []
        self._tokenizer, self._params = tokenizer, params
        self._take, self._core = take, core
        self._characters = Characters()
        self._streamer = TextStreamer(tokenizer, params, prompt)

    def push(self, piece: Piece) -> list[Token]:
        """The tokens that a piece brings, to the last one of the story at most."""
        self.finish = piece.finish or self.finish or ("length" if piece.last else None)
        found: list[Token] = []
        for text, spoken in self._parted(self._characters.push(piece.text), piece.tokens):
            id = self._tokenizer.id_of(text)
            if spoken is not None:
                self._named += 1
                self._text.append(text)
            found.append(self._token(NOTHING if id is None else id, spoken))
            if found[-1].finish_reason is not None:
                self.over = True
                break
        return found

    @property
    def counts(self) -> tuple[int, int]:
        """Of the text whose tokens the server named: how many, and how many we had estimated."""
        return self._named, len(self._tokenizer.encode("".join(self._text)))

    def end(self) -> list[Token]:
        """The last tokens, with the reason that the server gave."""
        found: list[Token] = []
        for character in self._characters.flush():
            found.append(self._token(ord(character), None))
            if found[-1].finish_reason is not None:
                return found
        stop = bool(self._params.stop)
        said: FinishReason = ("stop" if stop else "end") if self.finish in ENDS else "length"
        text, reason = self._streamer.push(EOS)
        return [*found, self._made(EOS, text, reason if reason == "stop" else said, None)]

    def _parted(self, text: str, tokens: Sequence[Spoken]) -> list[tuple[str, Spoken | None]]:
        """The text token by token, as the server says or else as we estimate."""
        spoken = [each.text for each in tokens]
        if spoken and "".join(spoken) == text and all(map(self._has_id, spoken)):
            return list(zip(spoken, tokens, strict=True))
        if len(tokens) == 1 and self._has_id(text):
            # Of a character that is not whole the server tells the bytes in words of its own.
            return [(text, tokens[0])]
        ids = self._tokenizer.encode(text)
        return [(self._tokenizer.piece(id), None) for id in ids]

    def _has_id(self, text: str) -> bool:
        return self._tokenizer.id_of(text) is not None

    def _token(self, id: int, spoken: Spoken | None) -> Token:
        text, reason = self._streamer.push(id)
        return self._made(id, text, reason, spoken)

    def _made(
        self, id: int, text: str, reason: FinishReason | None, spoken: Spoken | None
    ) -> Token:
        known = spoken is not None and spoken.probability is not None
        own = spoken.probability if spoken is not None and spoken.probability is not None else 0.0
        top = tuple(
            Alternative(found, each.text, each.probability or 0.0, None)
            for each in (spoken.top if spoken is not None and known else ())
            if (found := self._tokenizer.id_of(each.text)) is not None
        )
        return Token(
            id=id,
            text=text,
            piece=self._tokenizer.piece(id),
            raw_probability=own,
            probability=None,
            entropy=None,
            top=top,
            finish_reason=reason,
            seed=self._params.seed or 0,
            take=self._take,
            core=self._core,
        )
