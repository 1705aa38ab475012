"""Why is it gibberish? Where a model stands between noise and what its text gives, in words, and
the one thing that would help most, with its reason; where something is not known, that it is not.

Nobody can compute the best that a text allows. What can be computed is a floor: tables of which
token follows which, counted in the training text (`gpt.text.ngram`). A model that has learnt
anything of the language stands below all of them.
"""

import math
from dataclasses import dataclass
from typing import Literal

from gpt.checkpoint.advice import Advice, advice_on
from gpt.checkpoint.evidence import Evidence, Floor

Level = Literal["unknown", "unplaced", "noise", "begun", "common", "table", "level", "beyond"]
NOISE = 0.98
"""Of the loss of a uniform guess: above that share of it nothing was learnt."""
NEAR = 0.03
"""So near to the best table, in shares of its loss, a model is as good as it."""
FAR = 0.15
"""By this share below the best table a model is far beyond it."""
MOST_VOCABULARY = 1 << 21
"""Where nobody says how many tokens there are."""
SYLLABLES = 3
"""What looks up the last two letters makes syllables (C. E. Shannon, "A Mathematical Theory of
Communication", 1948, section 3)."""
GIBBERISH = "What it writes is gibberish, and cannot be otherwise."


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on the scale: `kind` is noise, table or model."""

    kind: Literal["noise", "table", "model"]
    label: str
    bits: float
    """Bits per byte of the validation text."""

    def __str__(self) -> str:
        return f"This model, {self.label}" if self.kind == "model" else self.label


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a model stands.

    Attributes:
        where, expect: A sentence or two each: where it stands, and what it can write there.
        scale: From noise to the best, the model among them.
        note: What the scale is of.
    """

    level: Level
    where: str
    expect: str
    scale: tuple[Mark, ...]
    note: str
    advice: Advice

    def lines(self) -> tuple[str, ...]:
        """The same for a terminal."""
        scale = (f"  {each.bits:7.3f}  {each}" for each in self.scale)
        head = ("bits per byte:", *scale) if self.scale else ()
        said = " ".join(filter(None, (self.where, self.expect)))
        return (*head, said, f"What would help most: {self.advice.text}")


def standing_of(evidence: Evidence) -> Standing:
    """Where a model stands, by all that is known of it."""
    floor, loss, bits = evidence.floor, evidence.number("val_loss"), evidence.number("val_bpb")
    if loss is None or loss <= 0 or bits is None:
        level, where, expect = "unknown", _unknown(evidence), ""
    elif floor is None:
        level, where, expect = _without_floor(evidence, loss)
    else:
        level, where, expect = _placed(floor, loss, letters=evidence.letters)
    scale = _scale(evidence, loss, bits)
    return Standing(
        level=level,
        where=where,
        expect=expect,
        scale=scale,
        note=_note(evidence) if scale else "",
        advice=advice_on(evidence, level),
    )


def _unit(*, letters: bool, many: bool = True) -> str:
    return ("letter" if letters else "word piece") + ("s" if many else "")


def _last(order: int, *, letters: bool) -> str:
    """What a table of this order looks at."""
    unit = _unit(letters=letters, many=order != 2)
    return f"the last {unit}" if order == 2 else f"the last {order - 1} {unit}"


def _placed(floor: Floor, loss: float, *, letters: bool) -> tuple[Level, str, str]:
    """By the tables of its text; what can be read of a model that stands there comes last."""
    uniform, common, best = floor.loss[0], floor.loss[1], floor.loss[floor.order]
    many, one = _unit(letters=letters), _unit(letters=letters, many=False)
    if loss >= NOISE * uniform:
        return "noise", f"It stands at noise: it guesses among all its {many} alike.", GIBBERISH
    if loss > (uniform + common) / 2:
        return "begun", f"It has only begun to learn which {many} are common.", GIBBERISH
    if loss <= (1 - NEAR) * best:
        return "beyond", *_beyond(floor, 1 - loss / best, letters=letters)
    order = min(range(1, floor.order + 1), key=lambda n: abs(floor.loss[n] - loss))
    if order <= 1:
        nothing = "no words yet" if letters else "not yet which goes with which"
        return (
            "common",
            f"It knows which {many} are common, {nothing}.",
            f"What it writes has the right {many} in no order: gibberish.",
        )
    if not letters:
        expect = "Expect words that go together by twos and threes, and no sentences."
    elif order <= SYLLABLES:
        expect = "Expect syllables, and hardly a word."
    else:
        expect = "Expect words, some of them invented, and no sentences."
    about = f"It is about as good as looking up {_last(order, letters=letters)} in its text"
    if order == floor.order:
        return "level", f"{about}: as good as the best table, and no better.", expect
    return "table", f"{about}, to see which {one} comes next.", expect


def _beyond(floor: Floor, share: float, *, letters: bool) -> tuple[str, str]:
    """For a model whose loss is below that of the best table, by a share of it."""
    far = share >= FAR
    known = f"knowing which {_unit(letters=letters)} are common"
    best = f"looking up {_last(floor.order, letters=letters)}" if floor.order > 1 else known
    return (
        f"It is {'far ' if far else ''}beyond any table of its text: it needs {share:.0%} fewer "
        f"bits than {best}, the best there is. So it goes by what stands further back.",
        "Expect words and phrases that hold; sense over a whole page is another matter."
        if far
        else "Expect words, and phrases that fall apart after a line.",
    )


def _without_floor(evidence: Evidence, loss: float) -> tuple[Level, str, str]:
    """By its own loss alone: the perplexity, among how many it would be as unsure."""
    size, many = evidence.number("data", "vocab_size"), _unit(letters=evidence.letters)
    if loss >= NOISE * math.log(size if size and size > 1 else MOST_VOCABULARY):
        return "noise", f"It stands at noise: it guesses among all its {many} alike.", GIBBERISH
    among = math.exp(loss)
    said = f"{among:,.0f}" if among >= 10 else f"{among:.1f}"
    of = f" of {size:,.0f}" if size else ""
    return (
        "unplaced",
        f"Before each next one it is as unsure as among {said}{of} {many}. How good that is for "
        "its text is not known: its notes have no tables of it, and the text is not at hand "
        "(python -m train.floor CHECKPOINT --data FOLDER computes them where it is).",
        "",
    )


def _unknown(evidence: Evidence) -> str:
    if evidence.server:
        return (
            "It runs on a server of another program, which tells nothing of how it learnt: where "
            "it stands nobody here can say."
        )
    if not evidence.here:
        return (
            "It is on the Hub and not on this machine yet, so where it stands is not known: "
            "write with it once, which fetches it."
        )
    if not evidence.training:
        return (
            "Its folder has no notes of a training (training.json), so where it stands is not "
            "known. With a text that it has not read, python -m train.evaluate measures it."
        )
    return "Its notes have no validation loss of these weights, so where it stands is not known."


def _scale(evidence: Evidence, loss: float | None, bits: float | None) -> tuple[Mark, ...]:
    """From the most bits to the fewest."""
    marks: list[Mark] = []
    letters, floor = evidence.letters, evidence.floor
    size = evidence.number("data", "vocab_size")
    noise = f"Noise: any {_unit(letters=letters, many=False)}, as likely as any other"
    if floor:
        common = f"Knows which {_unit(letters=letters)} are common"
        marks.append(Mark("noise", noise, floor.bpb[0]))
        for order in range(1, len(floor.bpb)):
            label = f"Looks up {_last(order, letters=letters)}" if order > 1 else common
            marks.append(Mark("table", label, floor.bpb[order]))
    elif size and size > 1 and loss and loss > 0 and bits is not None:
        marks.append(Mark("noise", noise, math.log(size) * bits / loss))
    if bits is not None:
        marks.append(Mark("model", evidence.name, bits))
    return tuple(sorted(marks, key=lambda mark: -mark.bits)) if len(marks) > 1 else ()


def _note(evidence: Evidence) -> str:
    """What the scale is of; how far its end lies from the best nobody can say."""
    said = "Bits that each byte of text it never saw takes: fewer are better."
    floor, whole = evidence.floor, evidence.number("data", "train", "tokens")
    if floor is None:
        return said
    if whole and floor.train_tokens < whole:
        said += (
            f" The tables count a sample, {floor.train_tokens:,} of {whole:,.0f} "
            f"{_unit(letters=evidence.letters)}: of the whole text they would be a little better."
        )
    return said + (
        " The best that a text allows nobody can compute; a larger model with more text comes "
        "nearer to it."
    )
