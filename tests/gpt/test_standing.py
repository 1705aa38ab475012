"""Where a model stands and what would help it: each sentence by the evidence that calls for it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from gpt.checkpoint import read_training
from gpt.checkpoint.evidence import Evidence, Floor, course_of, floor_in, noted_curve
from gpt.checkpoint.standing import Standing, standing_of
from gpt.checkpoint.training_json import add_notes, noted_hashes
from tests.support.tiny_checkpoint import save_characters

LOSS = (math.log(64), 3.3, 2.5, 2.0, 1.7, 1.6)
FLOOR = Floor(LOSS, tuple(loss / math.log(2) for loss in LOSS), 2_000_000)
FALLING = ((0, 4.0), (40, 3.0), (80, 2.5), (100, 2.0))
FLAT = ((0, 4.0), (40, 1.45), (80, 1.401), (100, 1.4))
RISING = ((0, 4.0), (40, 1.4), (80, 1.5), (100, 1.6))


def told(loss: float | None = 1.4, **more: Any) -> Standing:
    """What is said of a model of letters with this validation loss; `more` is of the evidence, or
    of its training.json."""
    known = {name: more.pop(name) for name in ("train", "valid", "temperature") if name in more}
    floor = more.pop("floor", FLOOR)
    data = {"tokenizer": "char", "vocab_size": 64}
    training: dict[str, Any] = {
        "data": {**data, "train": {"tokens": 2_000_000, "bytes": 2_000_000}},
        "config": {"max_steps": 100},
        "step": 100,
        "tokens": 4_000_000,
        "parameters": 1_000_000,
        **({} if loss is None else {"val_loss": loss, "val_bpb": loss / math.log(2)}),
        **more,
    }
    return standing_of(Evidence(name="mine", training=training, floor=floor, **known))


def text_of(size: int) -> dict[str, Any]:
    """The data of a training on so many letters."""
    return {"tokenizer": "char", "vocab_size": 64, "train": {"tokens": size, "bytes": size}}


@pytest.mark.parametrize(
    ("loss", "level", "where", "expect"),
    [
        (4.2, "noise", "It stands at noise", "gibberish, and cannot be otherwise"),
        (3.9, "begun", "only begun to learn which letters are common", "gibberish"),
        (3.2, "common", "It knows which letters are common, no words yet.", "in no order"),
        (2.6, "table", "as good as looking up the last letter in its text", "syllables"),
        (2.0, "table", "as good as looking up the last 2 letters in its text", "hardly a word"),
        (1.7, "table", "as good as looking up the last 3 letters in its text", "invented"),
        (
            1.58,
            "level",
            "the last 4 letters in its text: as good as the best table",
            "Expect words",
        ),
        (1.45, "beyond", "It is beyond any table of its text: it needs 9% fewer", "fall apart"),
        (1.2, "beyond", "It is far beyond any table of its text: it needs 25% fewer", "that hold"),
    ],
)
def test_where_it_stands_goes_by_the_tables_of_its_text(loss, level, where, expect):
    found = told(loss)
    assert found.level == level
    assert where in found.where
    assert expect in found.expect


def test_the_scale_goes_from_noise_to_the_best_with_the_model_where_it_stands():
    scale = told(1.8).scale
    assert [each.kind for each in scale] == ["noise", *["table"] * 3, "model", *["table"] * 2]
    assert [round(each.bits, 3) for each in scale] == sorted(
        (round(each.bits, 3) for each in scale), reverse=True
    )
    assert str(scale[0]) == "Noise: any letter, as likely as any other"
    assert [str(each) for each in scale[2:5]] == [
        *("Looks up the last letter", "Looks up the last 2 letters", "This model, mine"),
    ]
    lines = told(1.8).lines()
    assert lines[0] == "bits per byte:"
    assert lines[-1].startswith("What would help most: ")


def test_what_its_tokens_are_is_said_and_that_only_a_sample_of_its_text_was_counted():
    data = {"tokenizer": "bpe", "vocab_size": 64, "train": {"tokens": 9_000_000, "bytes": 1}}
    found = told(2.0, data=data)
    assert "looking up the last 2 word pieces" in found.where
    assert "a sample, 2,000,000 of 9,000,000 word pieces" in found.note
    assert "a sample" not in told(2.0).note


@pytest.mark.parametrize(
    ("about", "kind", "panel", "why"),
    [
        # The settings, before anything that costs more.
        ({"temperature": 1.6}, "temperature", "tune", "It stands at 1.6"),
        ({"loss": 3.2, "temperature": 1.6, "valid": FALLING}, "steps", "train", "still fell"),
        ({"loss": 4.2, "step": 0}, "steps", "train", "before the first step"),
        # It learns by heart.
        (
            {"train": ((90, 0.8), (100, 0.8)), "valid": RISING, "data": text_of(20_000)},
            "text",
            "train",
            "Since step 40 it got worse on text it never saw, by 14% at the end, while on its own "
            "text it is 50% better: it learns it by heart",
        ),
        (
            {"valid": RISING, "parameters": 9_000_000},
            "smaller",
            "",
            "9,000,000 parameters for 2,000,000 tokens",
        ),
        ({"valid": RISING}, "text", "train", "Since step 40"),
        # On its own text too: no heart is in it.
        ({"valid": RISING, "train": ((90, 1.7), (100, 1.7))}, "rate", "", "no better on its own"),
        # It has read too little, or was still getting better.
        ({"valid": FALLING, "config": {"max_steps": 900}}, "steps", "train", "100 of 900"),
        ({"tokens": 60_000}, "steps", "train", "only 3% of its training text"),
        ({"valid": FALLING}, "steps", "train", "still fell by 20.0%"),
        # It is done: what holds it back?
        ({"loss": 2.0, "valid": FLAT}, "larger", "", "before it was as good as a table"),
        ({"loss": 2.0}, "steps", "train", "do not say whether the loss was still falling"),
        (
            {"valid": FLAT, "train": ((90, 0.7), (100, 0.7))},
            "text",
            "train",
            "It foretells its own text 50% better",
        ),
        ({"valid": FLAT, "data": text_of(40_000)}, "text", "train", "40 kB teach letters"),
        ({"valid": FLAT, "tokens": 20_000_000}, "text", "train", "its own 10 times over"),
        ({"valid": FLAT}, "larger", "", "neither learns by heart"),
    ],
)
def test_one_thing_is_advised_with_its_reason(about, kind, panel, why):
    advice = told(**about).advice
    assert (advice.kind, advice.panel) == (kind, panel)
    assert why in advice.text


def test_what_a_distilled_model_lost_in_training_is_not_held_against_its_validation_loss():
    lines = {"valid": FLAT, "train": ((90, 0.7), (100, 0.7))}
    assert told(**lines).advice.kind == "text"
    assert told(**lines, distilled={"share": 0.7}).advice.kind == "larger"


def test_a_model_that_began_from_another_is_not_told_to_begin_from_one():
    small: dict[str, Any] = {"valid": RISING, "data": text_of(20_000)}
    assert "“stories”" in told(**small).advice.text
    begun = {**small, "from": {"name": "stories"}}
    assert "“stories”" not in told(**begun).advice.text


def test_what_is_not_known_is_said():
    found = told(1.4, floor=None)
    assert (found.level, [each.kind for each in found.scale]) == ("unplaced", ["noise", "model"])
    assert "as unsure as among 4.1 of 64 letters" in found.where
    assert "train.floor" in found.where
    found = told(None)
    assert (found.level, found.advice.kind) == ("unknown", "measure")
    assert "no validation loss" in found.where
    nothing = standing_of(Evidence(name="imported", training={}))
    assert (nothing.scale, nothing.note, nothing.advice.panel) == ((), "", "")
    assert "training.json" in nothing.where
    served = standing_of(Evidence(name="theirs", training={}, server=True, temperature=0.8))
    assert "server of another program" in served.where
    assert served.advice.panel == "tune"
    hot = standing_of(Evidence(name="theirs", training={}, server=True, temperature=1.9))
    assert hot.advice.kind == "temperature"


def test_a_text_whose_tables_are_worse_than_a_guess_places_its_model_all_the_same():
    floor = Floor((4.0, 4.5, 5.0), (6.0, 6.5, 7.0), 100)
    assert "knowing which letters are common, the best there is" in told(1.4, floor=floor).where
    assert told(3.9, floor=floor).level == "beyond"
    assert told(3.95, floor=floor).level == "noise"


def test_a_model_that_is_to_be_fetched_has_no_folder_yet():
    found = standing_of(Evidence(name="someone/model", training={}, here=False))
    assert "on the Hub and not on this machine yet" in found.where


def test_a_text_that_was_read_almost_once_is_read():
    assert told(tokens=1_996_000, valid=FLAT).advice.kind == "larger"


def test_how_the_losses_went_is_read_off_their_ends():
    course = course_of(((10, 3.0), (90, 1.0), (100, 1.0)), RISING)
    assert (course.best_step, course.last_step) == (40, 100)
    assert course.rise == pytest.approx(1.6 / 1.4 - 1)
    assert course.fall == pytest.approx(1 - 1.6 / 1.5)
    assert course.gap == pytest.approx(1 - 1 / 1.6)
    assert course_of((), ((0, 4.0),)).last_step is None
    # Of two evaluations none tells how the last fifth went.
    assert course_of((), ((0, 4.0), (100, 2.0))).fall is None


@pytest.mark.parametrize(
    "floor",
    [
        "none",
        {"loss": [3.0, 2.0], "bpb": [3.0]},
        {"loss": [3.0, 2.0], "bpb": [3.0, "2"], "train_tokens": 5},
        {"loss": [3.0, -2.0], "bpb": [3.0, 2.0], "train_tokens": 5},
        {"loss": [3.0, math.nan], "bpb": [3.0, 2.0], "train_tokens": 5},
        {"loss": [3.0], "bpb": [3.0], "train_tokens": 5},
        {"loss": [3.0] * 99, "bpb": [3.0] * 99, "train_tokens": 5},
        {"loss": [3.0, 2.0], "bpb": [3.0, 2.0], "train_tokens": True},
    ],
)
def test_a_floor_that_a_stranger_wrote_wrong_is_left_out(tmp_path: Path, floor: Any):
    curve = {"train": [[1, "x"]], "valid": [[1, 2.0], [2, 1.5]]}
    folder = save_characters(tmp_path / "mine", floor=floor, curve=curve)
    training = read_training(folder)
    assert floor_in(training) is None
    assert noted_curve(training) == ((), ((1, 2.0), (2, 1.5)))


def test_notes_are_added_and_the_rest_stays(tmp_path: Path):
    folder = save_characters(tmp_path / "mine", step=5)
    path = folder / "training.json"
    before = json.loads(path.read_text())
    add_notes(folder, {"floor": {"loss": [4, 3.5], "bpb": [6, 5.0], "train_tokens": 10}})
    after = json.loads(path.read_text())
    assert list(after)[-1] == "sha256"
    assert {name: value for name, value in after.items() if name != "floor"} == before
    assert floor_in(read_training(folder)) == Floor((4.0, 3.5), (6.0, 5.0), 10)
    assert noted_hashes(folder) == before["sha256"]
