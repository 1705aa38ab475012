"""Folders of train.prepare, and models to go on from, that somebody damaged or forged."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt.checkpoint import load
from tests.support.tiny_checkpoint import save_characters
from train import finetune
from train.adapt.base_model import model_facts, suggest
from train.adapt.trainable import Trainable
from train.data.folder import DataError, load_data
from train.data.texts import Text
from train.prepare import prepare

TALE = "Once upon a time there was a cat.\n" * 30


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    text = tmp_path / "tale.txt"
    text.write_text(TALE)
    prepare([Text(path=text)], tmp_path / "data", kind="char")
    return tmp_path / "data"


def told(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    facts = json.loads((path / "data.json").read_text())
    change(facts)
    (path / "data.json").write_text(json.dumps(facts))


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def linked(path: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


SPOILS: dict[str, Callable[[Path], object]] = {
    "a list": lambda each: (each / "data.json").write_text("[]"),
    "deep": lambda each: (each / "data.json").write_text("[" * 100_000),
    "no UTF-8": lambda each: (each / "data.json").write_bytes(b"\xff\xfe"),
    "a pipe": lambda each: pipe(each / "data.json"),
    "a pipe of tokens": lambda each: pipe(each / "valid.bin"),
    "a device of tokens": lambda each: linked(each / "train.bin"),
    "no type": lambda each: told(each, lambda facts: facts.pop("dtype")),
    "a type of objects": lambda each: told(each, lambda facts: facts.update(dtype="object")),
    "a type of floats": lambda each: told(each, lambda facts: facts.update(dtype="float16")),
    "a type that is a number": lambda each: told(each, lambda facts: facts.update(dtype=7)),
    "half of it a number": lambda each: told(each, lambda facts: facts.update(train=7)),
    "no bytes": lambda each: told(each, lambda facts: facts["valid"].update(bytes=0)),
    "bytes in words": lambda each: told(each, lambda facts: facts["train"].update(bytes="many")),
    "other tokens": lambda each: told(each, lambda facts: facts["train"].update(tokens=3)),
    "sources of nothing": lambda each: told(each, lambda facts: facts.update(sources=[None])),
    "no tokenizer": lambda each: (each / "tokenizer.json").write_text("{}"),
    "tokens of another": lambda each: (each / "train.bin").write_bytes(
        b"\xff" * (each / "train.bin").stat().st_size
    ),
}


def other_tokens(folder: Path) -> None:
    data = bytearray((folder / "train.bin").read_bytes())
    data[2:200] = data[200:398]
    (folder / "train.bin").write_bytes(data)


def other_tokenizer(folder: Path) -> None:
    """One of as many tokens, with two of them exchanged."""
    text = (folder / "tokenizer.json").read_text()
    values = json.loads(text)
    vocab = values["model"]["vocab"]
    vocab["a"], vocab["c"] = vocab["c"], vocab["a"]
    (folder / "tokenizer.json").write_text(json.dumps(values))


@pytest.mark.parametrize("change", [other_tokens, other_tokenizer])
def test_a_file_that_data_json_does_not_know_is_refused(
    folder: Path, change: Callable[[Path], None]
) -> None:
    load_data(folder)
    change(folder)
    with pytest.raises(DataError, match=r"is not the file that data\.json beside it tells of"):
        load_data(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "train.bin"])
def test_a_file_that_is_missing_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{re.escape(name)} is missing: copy the whole folder"):
        load_data(folder)


@pytest.mark.parametrize("how", SPOILS)
def test_a_data_folder_that_lies_is_refused_in_a_sentence(how: str, folder: Path) -> None:
    SPOILS[how](folder)
    with pytest.raises((DataError, ValueError)) as refused:
        load_data(folder)
    assert "\n" not in str(refused.value)
    assert "data" in str(refused.value)
    assert type(refused.value) in (DataError, ValueError)


@pytest.mark.parametrize("spoil", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_what_lies_beside_the_weights_of_a_model_is_not_opened(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    model = save_characters(tmp_path / "model")
    before = model_facts(load(model))
    spoil(model / "other.safetensors")
    assert model_facts(load(model)) == before


@pytest.mark.parametrize(
    "config",
    [{"optimizer": "sgd"}, {"optimizer": ["adamw"]}, {"sample_prompt": 7}, {"optimizer": None}],
)
def test_a_model_says_nothing_of_its_training_that_a_training_cannot_use(
    config: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    source = load(save_characters(tmp_path / "model", config=config))
    chosen = suggest(source, load_data(folder), Trainable())
    assert (chosen.optimizer, chosen.sample_prompt) == ("adamw", "")


def test_the_command_says_what_is_wrong_with_a_folder(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_characters(tmp_path / "model")
    told(folder, lambda facts: facts.update(dtype="object"))
    with pytest.raises(SystemExit):
        finetune.main(["--from", str(model), "--data", str(folder), "--out", str(tmp_path / "o")])
    assert "misstates dtype" in capsys.readouterr().err
