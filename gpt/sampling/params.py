"""`SamplingParams`: what a writer can set, its ranges, and its words."""

import secrets
from dataclasses import dataclass, replace
from typing import Literal

N_SEEDS = 2**63


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingParams:
    """How the next tokens are chosen. Every value is checked against `LIMITS`, none is clamped.

    Raises:
        ValueError: a value is of the wrong type or outside its range; the message names the range.
    """

    temperature: float = 0.8
    top_k: int = 0
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    max_new_tokens: int = 200
    finish_chars: int = 0
    seed: int | None = None
    """None: one is drawn at random when the story begins, and reported with each token."""
    n: int = 1
    """How many takes of the same prompt. Temperature 0 always writes one: all would be the same."""
    stop: tuple[str, ...] = ()
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_range: int = 0
    dry_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    no_end: bool = False
    min_new_tokens: int = 0
    banned: tuple[str, ...] = ()
    """See `gpt.text.banned` for what counts as one of them."""
    heal: bool = False
    """See `gpt.text.healing`."""

    def __post_init__(self) -> None:
        for limit in LIMITS.values():
            limit.check(getattr(self, limit.name))
        if any(each.isspace() for each in self.banned):
            raise ValueError(
                f"banned must be a tuple of {LIMITS['banned'].range} or blank, not {self.banned!r}"
            )

    def takes(self) -> tuple["SamplingParams", ...]:
        """The settings of each story to write, one by one: n = 1 and a seed in each.

        Take i uses seed + i (mod 2⁶³), so it can be written again alone. A seed of None is drawn
        here, once.
        """
        seed = secrets.randbelow(N_SEEDS) if self.seed is None else self.seed
        n = 1 if self.temperature == 0 else self.n
        return tuple(replace(self, n=1, seed=(seed + take) % N_SEEDS) for take in range(n))


@dataclass(frozen=True, slots=True)
class Limit:
    """What one field of `SamplingParams` may be, in numbers and in words."""

    name: str
    kind: Literal["number", "whole number", "strings", "switch"]
    low: float
    high: float | None
    """None: no bound of its own; `top_k` above the vocabulary's size means the whole vocabulary."""
    off: float | tuple[str, ...] | None
    """The value at which the setting does nothing; None where there is no such value."""
    explanation: str
    above_low: bool = False
    """Whether `low` itself is refused."""
    unbounded: str = ""
    """Of a whole number without a bound: what all beyond it comes to, in words."""
    longest: int | None = None
    """Of strings: the most characters of each."""

    @property
    def default(self) -> float | tuple[str, ...] | None:
        """What `SamplingParams()` holds; None is a seed drawn at random."""
        return getattr(SamplingParams(), self.name)

    @property
    def range(self) -> str:
        """The range in words, as errors and help texts say it."""
        if self.kind == "strings":
            size = f" of up to {self.longest} characters" if self.longest else ""
            return f"up to {self.high} strings{size}, none of them empty"
        if self.kind == "switch":
            return "on or off"
        high = self.unbounded if self.high is None else f"{self.high}"
        return f"above {self.low}, up to {high}" if self.above_low else f"{self.low} to {high}"

    def check(self, value: object) -> None:
        """Raise ValueError, naming the range, unless `value` is allowed."""
        if self.name == "seed" and value is None:
            return
        if self.kind == "strings":
            if not self._allows_strings(value):
                raise ValueError(f"{self.name} must be a tuple of {self.range}, not {value!r:.200}")
        elif self.kind == "switch":
            if not isinstance(value, bool):
                raise ValueError(f"{self.name} must be True or False, not {value!r:.200}")
        elif not self._allows_number(value):
            raise ValueError(f"{self.name} must be a {self.kind}, {self.range}, not {value!r}")

    def _allows_strings(self, value: object) -> bool:
        if not isinstance(value, tuple) or len(value) > (self.high or 0):  # pyright: ignore[reportUnknownArgumentType]
            return False
        return all(
            isinstance(each, str) and each and len(each) <= (self.longest or len(each))
            for each in value  # pyright: ignore[reportUnknownVariableType]
        )

    def _allows_number(self, value: object) -> bool:
        # True is an int to Python, but no one means a temperature of True.
        kinds = int if self.kind == "whole number" else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds):
            return False
        # A comparison with NaN is false, so NaN is refused here too.
        above = value > self.low if self.above_low else value >= self.low
        return above and (self.high is None or value <= self.high)


_LIMITS = (
    Limit("temperature", "number", 0, 2, 1, "How daring the choice of words is: 0 always takes the "
          "likeliest, low is careful, high is wild."),
    Limit("top_k", "whole number", 0, None, 0, "Choose only among this many of the likeliest "
          "tokens; 0 is off.", unbounded="the vocabulary's size"),
    Limit("top_p", "number", 0, 1, 1, "Choose only among the likeliest tokens that together hold "
          "this share of the probability; 1 is off.", above_low=True),
    Limit("min_p", "number", 0, 1, 0, "Drop every token less likely than this share of the "
          "likeliest one; 0 is off."),
    Limit("repetition_penalty", "number", 1, 2, 1, "Make tokens that already stand in the story "
          "less likely; 1 is off."),
    Limit("max_new_tokens", "whole number", 1, 2048, None, "The most tokens to write, but for the "
          "end of the sentence; the story may end sooner."),
    Limit("finish_chars", "whole number", 0, 1000, 0, "The most characters to write beyond the "
          "length, to come to the next end of a sentence; 0 is off."),
    Limit("seed", "whole number", 0, N_SEEDS - 1, None, "The number the dice start from: the same "
          "seed and settings write the same text again."),
    Limit("n", "whole number", 1, 8, 1, "How many versions to write at once; at temperature 0 "
          "always one."),
    Limit("stop", "strings", 0, 4, (), "Stop writing as soon as one of these texts would "
          "appear; it is left out."),
    Limit("dry_multiplier", "number", 0, 5, 0, "DRY: make a token less likely by so much where it "
          "would go on repeating what stands in the story, more the longer the repeat; 0 is off, "
          "0.8 is usual."),
    Limit("dry_base", "number", 1, 4, None, "DRY: with each token that a repeat is longer, the "
          "penalty is multiplied by this."),
    Limit("dry_allowed_length", "whole number", 1, 100, None, "DRY: the most tokens in a row that "
          "may be repeated without any penalty."),
    Limit("dry_range", "whole number", 0, None, None, "DRY: how many of the last tokens are "
          "searched for repeats; 0 is all that the model sees.", unbounded="the model's window"),
    Limit("dry_breakers", "strings", 0, 16, None, "DRY: texts at which a repeat begins anew, as at "
          "the end of a line.", longest=40),
    Limit("no_end", "switch", 0, 1, False, "Never end the story: the token that would end it "
          "cannot be drawn."),
    Limit("min_new_tokens", "whole number", 0, 2048, 0, "The story may not end before so many "
          "tokens are written; 0 is off."),
    Limit("banned", "strings", 0, 100, (), "Words and phrases that are never written, in capitals "
          "or not.", longest=100),
    Limit("heal", "switch", 0, 1, False, "Complete a word that was broken off, whatever the "
          "tokens are: the last word is read again together with what follows it."),
)  # fmt: skip
LIMITS = {limit.name: limit for limit in _LIMITS}
"""The ranges of `SamplingParams`, field by field, in the order a reader meets them."""
