"""generation_config.json: what it asks for is what we sample with, and the other way round."""

import json
from pathlib import Path

import pytest
from transformers import GenerationConfig

from gpt import checkpoint
from gpt.checkpoint import CheckpointError
from gpt.checkpoint.generation_config import (
    as_options,
    read_defaults,
    usable_defaults,
    write_defaults,
)
from gpt.config import GPTConfig
from gpt.sampling import SamplingParams
from gpt.tokenizers import CharTokenizer
from tests.support.tiny import tiny_model
from tests.support.tiny_checkpoint import save_bytes, save_characters

SIZES = ("vocab_size", "block_size", "n_layer", "n_head", "n_embd")
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


@pytest.mark.parametrize(
    ("text", "values", "notes"),
    [
        (
            '{"temperature": 0.7, "top_k": 40.0, "top_p": null, "x": 1}',
            {"temperature": 0.7, "top_k": 40},
            [],
        ),
        ('{"do_sample": false, "temperature": 0.7}', {"temperature": 0}, []),
        (
            '{"temperature": 3, "top_p": 0.9}',
            {"top_p": 0.9},
            ["temperature must be a number, 0 to 2"],
        ),
        ('{"top_k": -1, "min_p": NaN}', {}, ["top_k must be", "min_p must be"]),
        ('{"top_p": "much", "max_new_tokens": true}', {}, ["top_p must be", "max_new_tokens must"]),
        ('{"repetition_penalty": 1.2}', {}, ["a model of characters takes no repetition_penalty"]),
        ('{"repetition_penalty": 1.0}', {"repetition_penalty": 1}, []),
        ("[1]", {}, ["expected a JSON object"]),
        ("[" * 100000, {}, ["expected JSON in"]),
        ("{", {}, ["expected JSON in"]),
    ],
)
def test_what_cannot_be_used_of_a_file_from_elsewhere_is_noted_and_the_rest_counts(
    tmp_path, text, values, notes
) -> None:
    folder = save_characters(tmp_path / "model")
    (folder / "generation_config.json").write_text(text)
    found = usable_defaults(folder)
    assert found.values == values
    assert len(found.notes) == len(notes)
    assert all(
        part in said and "left out" in said for part, said in zip(notes, found.notes, strict=True)
    )


def test_a_repetition_penalty_stands_where_the_tokens_are_pieces(tmp_path: Path) -> None:
    folder = save_bytes(tmp_path / "model", noise="abc")
    (folder / "generation_config.json").write_text('{"repetition_penalty": 1.2}')
    assert usable_defaults(folder).values == {"repetition_penalty": 1.2}


def test_a_model_goes_past_its_window_unless_its_positions_end_there(tmp_path: Path) -> None:
    tokenizer = CharTokenizer.train(["abc"])
    shape = GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=64, n_layer=1, n_head=2, n_embd=16
    )
    gpt2 = GPTConfig(family="gpt2", **{name: getattr(shape, name) for name in SIZES})
    for config, most in ((gpt2, 32), (shape, 200)):
        folder = tmp_path / config.family
        checkpoint.save(folder, tiny_model(config), tokenizer, card="", training={})
        assert usable_defaults(folder).values["max_new_tokens"] == most


def test_options_are_what_the_command_line_takes_and_leave_out_the_usual() -> None:
    assert as_options(CHOSEN) == ("--temperature 0.7 --top-p 0.9 --min-p 0.05 --max-new-tokens 300")
    assert as_options(SamplingParams()) == ""
