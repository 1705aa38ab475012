"""`Token`: one generated token, as its readers get it."""

from dataclasses import dataclass

from gpt.text.streamer import FinishReason


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that might have been drawn."""

    id: int
    text: str
    """How it is shown alone (`Tokenizer.piece`)."""
    raw_probability: float
    """As the model said it."""
    probability: float | None
    """After all samplers: what it was drawn with; None where another program drew it."""


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
    probability: float | None
    """In the distribution it was drawn from, after all samplers; None as above."""
    entropy: float | None
    """Of the model's own distribution, in nats; None where only its likeliest are known."""
    top: tuple[Alternative, ...]
    """The ten likeliest before any sampler, likeliest first; fewer where fewer were asked for."""
    finish_reason: FinishReason | None
    """None but for a story's last token: the end-of-story token, a stop string, the length, or
    beyond the length the end of a "sentence", which a token shows that is no more part of it."""
    seed: int
    """Gives the same text again, with the same prompt and settings and n = 1."""
    take: int
    """Which of the n stories of one prompt it belongs to: 0 .. n - 1."""
    core: str
    """What computed it (`Core.name`): the seed gives the same text again with the same one."""
