"""Which settings a model writes best with: by figures, and by a rule that can be checked."""

from pathlib import Path

import pytest

from gpt.checkpoint.generation_config import read_defaults
from gpt.sampling import SamplingParams
from gpt.text.memorization import ReferenceText
from tests.support.tales import corpus
from train.choose_sampling import chosen_length, grid, main, rank
from train.quality.continuations import Comparison, Continuation
from train.quality.metrics import measure
from train.quality.openings import Opening
from train.quality.thresholds import distance

SOURCE = ReferenceText(["The fox saw Tim. Then he ran home, and Tim ran with the fox."] * 2)


def comparison(*texts: str, human: tuple[str, ...], length: int = 90) -> Comparison:
    model, person = (
        [measure("Tim. ", text, SOURCE, over=False, bits=None, compared=99) for text in told]
        for told in (texts, human)
    )
    written = [Continuation(Opening("", ""), 0, text=text) for text in texts]
    return Comparison(SamplingParams(max_new_tokens=length), written, model, person)


def test_the_grid_has_each_temperature_with_each_cut_alone() -> None:
    found = list(grid(SamplingParams(top_k=5), [0.5, 1], [0.9], [0.1]))
    cuts = [(each.temperature, each.top_p, each.min_p, each.top_k) for each in found]
    assert cuts == [(0.5, 0.9, 0, 0), (0.5, 1, 0.1, 0), (1, 0.9, 0, 0), (1, 1, 0.1, 0)]


def test_human_text_is_no_distance_from_itself_and_nonsense_is_far() -> None:
    human = ("The fox ran with Tim.", "Then the fox saw home zebra.")
    assert distance(comparison(*human, human=human)) == 0
    near = comparison("The fox ran with Tim.", "Then the fox saw zebra.", human=human)
    far = comparison("Zebra zebra zebra zebra zebra.", "Zebra zebra.", human=human)
    assert 0 < distance(near) < distance(far)


def test_to_keep_more_names_than_a_person_is_no_fault() -> None:
    human = ("The fox ran with it.", "Then the fox saw Tim.")
    assert distance(comparison("The fox ran with Tim.", "Then the fox saw Tim.", human=human)) == 0
    assert distance(comparison("The fox ran with it.", "Then the fox saw it.", human=human)) > 0


def test_a_bar_that_holds_is_worth_more_than_being_near() -> None:
    human = ("The fox saw zebra ran", "Then the fox saw Tim ran")
    like_a_person = comparison(*human, human=human)
    whole = comparison("Tim ran. Tim ran.", "Tim ran.", human=human)
    assert distance(like_a_person) < distance(whole)
    assert rank(whole) < rank(like_a_person)


def test_a_text_cut_off_breaks_no_bar_that_settings_could_hold() -> None:
    human = ("Tim ran home.",)
    assert rank(comparison("Tim ran ho", human=human))[0] == 0
    assert rank(comparison("Tim zebra home.", human=human))[0] == 1


def test_the_length_is_the_shortest_step_in_which_nearly_all_stories_are_over() -> None:
    found = comparison(*["Tim."] * 20, human=("Tim.",) * 20, length=400)
    for at, each in enumerate(found.written):
        each.reason, each.tokens = "end", 10 * at
    assert chosen_length(found) == 200
    found.written[0].reason = found.written[1].reason = "length"
    assert chosen_length(found) == 400


def test_the_best_of_the_table_is_written_and_only_when_asked(tmp_path: Path, capsys) -> None:
    data, folder = corpus(tmp_path), tmp_path / "noise"
    words = [str(folder), "--data", str(data), "--openings", "3", "--temperatures", "0.5", "2"]
    words += ["--top-ps", "0.3", "--min-ps", "0.5"]
    before = read_defaults(folder)
    main(words)
    assert read_defaults(folder) == before
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    rows = [line for line in lines if line[0] in ("0.5", "2")]
    assert [row[:3] for row in rows] == [
        ["0.5", "0.3", "0"],
        ["0.5", "1", "0.5"],
        ["2", "0.3", "0"],
        ["2", "1", "0.5"],
    ]
    main([*words, "--write"])
    best = min(rows, key=lambda row: (len(set("234") & set(row[-2])), float(row[-1])))
    after = read_defaults(folder)
    assert [after.temperature, after.top_p, after.min_p] == list(map(float, best[:3]))
    assert after.max_new_tokens == before.max_new_tokens


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--temperatures", "3"], "temperature must be a number, 0 to 2, not 3.0"),
        (["--openings", "50"], "expected 50 openings"),
        (["--data", "/nowhere"], "the text that noise learnt from is not in /nowhere"),
    ],
)
def test_what_cannot_be_chosen_from_is_one_line(tmp_path: Path, more, message) -> None:
    data = corpus(tmp_path)
    with pytest.raises(SystemExit, match=f"train.choose_sampling: {message}"):
        main([str(tmp_path / "noise"), "--data", str(data), *more])
