"""What a model learnt from is known by what its training.json says."""

import json
from pathlib import Path
from typing import Any

import pytest

from gpt.checkpoint.provenance import prepare_command, texts, token_folders


def test_the_command_that_prepares_the_data_has_each_text_in_its_place() -> None:
    sources = [
        {"name": "a b.txt", "serves": "train"},
        {"name": "v.txt", "serves": "valid"},
    ]
    data = {"sources": sources, "vocab_size": 512, "train": {"bytes": 90}, "valid": {"bytes": 10}}
    assert prepare_command({"data": data}, "bpe", "out") == (
        "python -m train.prepare 'a b.txt' --valid v.txt --tokenizer bpe --vocab-size 512 --out out"
    )
    both = {**data, "sources": [{"name": "t.txt", "serves": "train, valid"}]}
    assert prepare_command({"data": both}, "char", "out") == (
        "python -m train.prepare t.txt --valid-fraction 0.1 --tokenizer char --out out"
    )


@pytest.mark.parametrize("wrong", [None, [], "x", -1, True, {"a": []}])
def test_where_nothing_is_noted_nothing_is_claimed(tmp_path: Path, wrong: object) -> None:
    (tmp_path / "data.json").write_text(json.dumps({"train": {"sha256": None}}))
    abouts: list[dict[str, Any]] = [
        {},
        {"data": wrong},
        {"data": {"train": wrong, "sources": wrong}},
        {"data": {"train": {}, "sources": [wrong, {"serves": "train"}]}},
    ]
    for about in abouts:
        assert texts(about) == []
        assert prepare_command(about, "char", "out") == ""
        assert list(token_folders(about, "train", [tmp_path])) == []
