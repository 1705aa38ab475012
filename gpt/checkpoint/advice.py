"""The one thing that would help a model most, by what is known of its training.

Where several things would, the one that must come first: nothing is measured, it got worse, it has
hardly read, it was still getting better, it is too small, it has read its text too often.
"""

from dataclasses import dataclass
from typing import Literal

from gpt.checkpoint.evidence import Evidence

Kind = Literal["temperature", "measure", "steps", "rate", "text", "smaller", "larger"]
HOT = 0.15
"""So far above the model's own temperature, and above 1, the draw spoils what the model knows."""
RISEN = 0.01
"""A validation loss that ends so much above its best, as a share, has risen: less is noise."""
FALLING = 0.02
"""One that fell so much, as a share, in the last fifth of the steps was still falling: a learning
rate that goes to zero makes it fall by 1% or so, whatever comes after."""
GAP = 0.10
"""A training loss so much below the validation loss, as a share: the text is what it knows."""
ONCE = 0.95
"""So much of its text is as good as all of it."""
OFTEN = 4
"""Up to four times over a text teaches nearly as much as a new one; after that less and less
(N. Muennighoff and others, "Scaling Data-Constrained Language Models", 2023)."""
LITTLE_BYTES = 1_000_000
"""Of so little text a model learns letters and words, hardly any sense (docs/finetuning.md)."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What would help, and why.

    Attributes:
        panel: The panel of the chat that does it; "" for none.
    """

    kind: Kind
    text: str
    panel: Literal["train", "tune", ""] = "train"


def advice_on(evidence: Evidence, level: str) -> Advice:
    """What would help most.

    Args:
        level: Where the model stands; see `gpt.checkpoint.standing`.
    """
    good = level in ("level", "beyond", "unknown", "unplaced")
    found = (_hot(evidence) if good else None) or _unmeasured(evidence, level)
    return found or _got_worse(evidence) or _steps(evidence) or _size_or_text(evidence, level)


def _hot(evidence: Evidence) -> Advice | None:
    """The settings, where the model is better than they let it be."""
    now = evidence.temperature
    if now is None or now <= max(1.0, evidence.own) + HOT:
        return None
    return Advice(
        "temperature",
        f"A lower temperature. It stands at {now:g}, where unlikely tokens are drawn too often "
        f"for any model; {evidence.own:g} is this one's own.",
        "tune",
    )


def _unmeasured(evidence: Evidence, level: str) -> Advice | None:
    """What must be measured first."""
    if evidence.number("step") == 0:
        return Advice("steps", "To train it: these are its weights before the first step.")
    if level != "unknown":
        return None
    if evidence.server:
        return Advice(
            "measure",
            "Nothing can be told from here. If what it writes falls apart, a lower temperature is "
            "the first thing to try.",
            "tune",
        )
    return Advice(
        "measure",
        "To measure it: python -m train.evaluate with a text that it has not read. Until then, "
        "more text or more steps would be a guess.",
        "",
    )


def _got_worse(evidence: Evidence) -> Advice | None:
    """It overfits: what it learns of its text holds for no other; or its steps are too large."""
    course = evidence.course
    if course.rise is None or course.rise < RISEN:
        return None
    why = (
        f"Since step {course.best_step:,} it got worse on text it never saw, by {course.rise:.0%} "
        "at the end"
    )
    kept = "The weights of the best step are the ones kept."
    if course.gap is not None and course.gap <= 0:
        return Advice(
            "rate",
            f"A lower learning rate (--learning-rate). {why}, and it is no better on its own "
            f"text. {kept}",
            "",
        )
    why += (
        ", as where a text is learnt by heart"
        if course.gap is None
        else f", while on its own text it is {course.gap:.0%} better: it learns it by heart"
    )
    why += f". {kept}"
    size, tokens = evidence.number("parameters"), evidence.number("data", "train", "tokens")
    if not _little(evidence) and not evidence.tuned and size and tokens and size > tokens:
        return Advice(
            "smaller",
            f"A smaller model, or dropout. {why} It has {size:,.0f} parameters for {tokens:,.0f} "
            "tokens (--n-layer, --n-embd, --dropout of train.pretrain).",
            "",
        )
    return Advice("text", f"{_more_text(evidence)} {why}")


def _steps(evidence: Evidence) -> Advice | None:
    """It has not read enough, or was still getting better."""
    course, epochs = evidence.course, evidence.epochs
    step, most = evidence.number("step"), evidence.number("config", "max_steps")
    last = course.last_step
    if most and last and last < most and course.best_step == last:
        return Advice(
            "steps",
            f"More steps: it has taken {last:,} of {most:,.0f}, and the last evaluation was its "
            "best. Let it go on.",
        )
    if epochs is not None and epochs < ONCE and not (last and step != last):
        return Advice(
            "steps", f"More steps: it has read only {_share(epochs)} of its training text."
        )
    if course.fall is not None and course.fall >= FALLING:
        return Advice(
            "steps",
            f"More steps: in the last fifth of its training the loss on text it never saw still "
            f"fell by {course.fall:.1%}.",
        )
    return None


def _size_or_text(evidence: Evidence, level: str) -> Advice:
    """It reads well and is done: what holds it back is its size or its text."""
    gap, epochs = evidence.course.gap, evidence.epochs
    known = evidence.course.fall is not None
    why = "" if known else " Its notes do not say whether the loss was still falling at the end."
    if level in ("begun", "common", "table") and not (gap and gap >= GAP):
        if not known:
            return Advice("steps", f"More steps, or else a larger model.{why}")
        return Advice(
            "larger",
            f"{_larger(evidence)}, or another --learning-rate: it stopped getting better before "
            "it was as good as a table of its text.",
            "",
        )
    if gap is not None and gap >= GAP:
        return Advice(
            "text",
            f"{_more_text(evidence)} It foretells its own text {gap:.0%} better than text it never "
            "saw, so most of what it could still learn there would be by heart.",
        )
    if _little(evidence):
        size = evidence.number("data", "train", "bytes") or 0
        return Advice(
            "text",
            f"{_more_text(evidence)} {size / 1000:,.0f} kB teach letters and words, hardly any "
            f"sense.{why}",
        )
    if epochs is not None and epochs > OFTEN:
        return Advice(
            "text",
            f"More text. It has read its own {epochs:.0f} times over, and after about {OFTEN} "
            f"times a text teaches less and less.{why}",
        )
    return Advice(
        "larger",
        f"{_larger(evidence)}, with as much text: it neither learns by heart nor has it read its "
        f"text too often.{why}",
        "",
    )


def _larger(evidence: Evidence) -> str:
    if evidence.tuned:
        return "To begin from a larger model"
    return "A larger model (--n-layer, --n-embd of train.pretrain)"


def _more_text(evidence: Evidence) -> str:
    if evidence.tuned or not _little(evidence):
        return "More text: bring it to Train."
    return (
        "More text: bring it to Train, or go on there from “stories”, if that knows the language."
    )


def _little(evidence: Evidence) -> bool:
    size = evidence.number("data", "train", "bytes")
    return size is not None and size < LITTLE_BYTES


def _share(part: float) -> str:
    return f"{part:.0%}" if part >= 0.01 else "less than 1%"
