"""The measurements of serving and of starting: their last line, from tiny models."""

import json

import pytest

from bench import serve, start, workload
from bench.crowd import in_table, percentile, request


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (75, 3), (76, 4), (99, 4), (100, 4)])
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(percent, value) -> None:
    assert percentile([3, 1, 4, 2], percent) == value


def test_llama_cpps_best_of_each_round_is_what_ours_is_held_against() -> None:
    speeds = {
        "ours, 1 at once": [100.0, 50.0],
        "ours, 8 at once": [400.0, 100.0],
        "llama.cpp, 1 slot(s)": [100.0, 20.0],
        "llama.cpp, 8 slot(s)": [50.0, 50.0],
    }
    found = serve.compared(speeds, [8])
    assert found == {"8": {"tokens_per_s": 250.0, "one_story": 3.0, "llama.cpp": 3.0}}
    without = {name: values for name, values in speeds.items() if "llama" not in name}
    assert serve.compared(without, [8])["8"]["llama.cpp"] is None


def test_the_least_ratio_is_the_result_and_none_where_one_is_missing() -> None:
    assert serve.least({"8": {"x": 3.0}, "16": {"x": 2.0}}, "x") == 2.0
    assert serve.least({"8": {"x": 3.0}, "16": {"x": None}}, "x") is None


def test_stories_at_once_are_counted_to_their_ends() -> None:
    work = workload.load("stories", quick=True, prompt_tokens=5, new_tokens=6)
    together = serve.Together(work, 3, 1)
    assert together() > 0
    lengths = [together._generator.cache.lengths[slot] for slot in range(3)]
    assert lengths == [5 + 6 - 1] * 3  # the last token is drawn, and not read
    assert together.first_token_s(3, work.prompt) > 0
    assert together._generator.free == 3
    together.close()


def test_two_writers_of_the_crowd_send_two_prompts_and_two_seeds() -> None:
    assert request(1, 5) != request(2, 5)
    assert not set("0123456789") & set(request(17, 5).split(" t=1 p=1 ")[1])


def test_the_last_line_of_serving_has_its_ratios_without_peers(monkeypatch, capsys) -> None:
    def not_here(*_: object, **__: object) -> None:
        raise ImportError(name="xllamacpp")

    monkeypatch.setattr(serve, "LlamaCpp", not_here)
    monkeypatch.setattr(serve, "LlamaTogether", not_here)
    serve.main(["--quick", "--rounds", "1", "--users", "2", "3", "--crowd", "0"])
    said = capsys.readouterr().out.splitlines()
    assert any("a package is missing: xllamacpp" in line for line in said)
    result = json.loads(said[-1])
    assert result["ratio"]["llama.cpp"] is None
    assert result["ratio"]["one_story"] == min(
        each["one_story"] for each in result["users"].values()
    )
    assert set(result["users"]) == {"2", "3"}
    assert result["versions"] > 0


def test_llama_cpp_writes_several_stories_at_once(tmp_path) -> None:
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    work = workload.load("stories", quick=True, prompt_tokens=5, new_tokens=6)
    missing: set[str] = set()
    speeds = serve.aggregate(work, tmp_path, [2], 1, 1, missing)
    assert {"llama.cpp, 1 slot(s)", "llama.cpp, 2 slot(s)"} <= set(speeds)
    assert missing == set()


@pytest.mark.heavy
def test_a_crowd_of_three_at_the_real_app_is_served_and_measured() -> None:
    from bench.crowd import measure

    found = measure(3, quick=True)
    assert found["failed"] == 0
    assert found["same_alone"] == 1
    assert 0 < found["first_token_p95_s"] <= found["seconds"]
    assert found["lag_p99_ms"] > 0
    assert "| failed | 0 |" in in_table(found)


@pytest.mark.heavy
def test_starting_is_measured_to_the_page_the_first_token_and_the_command_line(capsys) -> None:
    start.main(["--quick", "--rounds", "1"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(result) == set(start.NAMES)
    assert all(value is None or value > 0 for value in result.values())
