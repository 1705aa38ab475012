"""`bench.tables`: turns, medians, and the last line that a program reads."""

import json
import re
from functools import partial

import pytest

from bench.tables import environment, in_turns, middle, ratios, show, spread, table


def test_each_side_is_measured_once_a_round_and_who_is_first_alternates() -> None:
    called: list[str] = []

    def side(name: str) -> float:
        called.append(name)
        return len(called)

    found = in_turns({name: partial(side, name) for name in ("ours", "theirs")}, rounds=2)
    assert called == ["theirs", "ours", "ours", "theirs", "theirs", "ours"]
    assert found == {"ours": [3, 6], "theirs": [4, 5]}


def test_ratios_are_taken_within_a_round() -> None:
    assert ratios([10, 30], [5, 10]) == [2, 3]
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])


def test_a_cell_has_the_median_and_what_is_around_it() -> None:
    assert middle([3.0, 1.0, 2.0], ".1f") == "2.0 (1.0 to 3.0)"
    assert spread([1.0, 3.0], ".2f") == "2.00 ± 1.41"
    assert spread([1.0], ".2f") == "1.00"


def test_the_last_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    made = table(["", "tokens/s"], [["ours", "2"], ["theirs", "1"]])
    assert made.splitlines()[1] == "| --- | --- |"
    show([made], {"ratio": {"theirs": 2.00049}, "runs": 5}, threads=3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == made.splitlines()
    assert "3 thread(s)" in lines[5]
    assert json.loads(lines[-1]) == {"ratio": {"theirs": 2.0}, "runs": 5}


def test_a_figure_says_which_processor_commit_and_day_it_is_true_for() -> None:
    said = re.fullmatch(
        r".+, \d+ cores, 3 thread\(s\), torch \S+, commit (\S+), 20\d\d-\d\d-\d\d", environment(3)
    )
    assert said
    assert re.fullmatch(r"[0-9a-f]{7,}\+?|unknown", said[1])
