"""generation_config.json: what it asks for is what we sample with, and the other way round."""

import json
from pathlib import Path

import pytest
from transformers import GenerationConfig

from gpt.checkpoint import CheckpointError
from gpt.defaults import as_options, read_defaults, write_defaults
from gpt.sampling import SamplingParams

CHOSEN = SamplingParams(temperature=0.7, top_p=0.9, min_p=0.05, max_new_tokens=300)


def test_what_is_written_is_read_again_here_and_by_transformers(tmp_path: Path) -> None:
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 3, "temperature": 1.5}')
    write_defaults(tmp_path, CHOSEN)
    assert read_defaults(tmp_path) == CHOSEN
    theirs = GenerationConfig.from_pretrained(tmp_path)
    assert (theirs.eos_token_id, theirs.do_sample, theirs.max_new_tokens) == (3, True, 300)
    assert (theirs.temperature, theirs.top_p, theirs.top_k, theirs.min_p) == (0.7, 0.9, 0, 0.05)


def test_greedy_text_is_what_do_sample_false_means(tmp_path: Path) -> None:
    write_defaults(tmp_path, SamplingParams(temperature=0))
    assert json.loads((tmp_path / "generation_config.json").read_text())["do_sample"] is False
    assert read_defaults(tmp_path).temperature == 0


def test_a_folder_that_asks_for_nothing_gets_our_defaults(tmp_path: Path) -> None:
    assert read_defaults(tmp_path) == SamplingParams()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"temperature": 3}', "temperature must be a number, 0 to 2, not 3"),
        ('{"top_p": "much"}', "top_p must be a number"),
        ("[1]", "expected a JSON object"),
        ("{", "expected JSON in"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_file(tmp_path, text, message) -> None:
    (tmp_path / "generation_config.json").write_text(text)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_defaults(tmp_path)
    assert "generation_config.json" in str(caught.value)


def test_options_are_what_the_command_line_takes_and_leave_out_the_usual() -> None:
    assert as_options(CHOSEN) == ("--temperature 0.7 --top-p 0.9 --min-p 0.05 --max-new-tokens 300")
    assert as_options(SamplingParams()) == ""
