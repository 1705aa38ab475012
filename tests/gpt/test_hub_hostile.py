"""Folders that somebody damaged or forged: a model, or one sentence that says why not."""

import copy
import json
import pickle
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import gpt
from gpt.checkpoint import CheckpointError
from tests.gpt.test_hub_layouts import save_theirs

JUNK: list[Any] = [
    *(None, True, False, 0, -1, 1, 7, 1.5, 1e308, float("nan"), float("inf"), 10**9, 10**30),
    *("", "x", "../x", [], [1], [[1]], {}, {"a": 1}),
]
FILES = ("config.json", "tokenizer.json", "generation_config.json", "tokenizer_config.json")


def changed(value: Any, rng: random.Random) -> Any:
    """`value` with one thing in it, however deep, left out, doubled or replaced by junk."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        how = rng.random()
        if how < 0.15:
            return {name: each for name, each in value.items() if name != key}
        return {**value, key: rng.choice(JUNK) if how < 0.3 else changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        how = rng.random()
        if how < 0.2:
            return value[:at] + value[at + 1 :]
        if how < 0.4:
            return [*value[:at], copy.deepcopy(rng.choice(value)), *value[at:]]
        return [*value[:at], changed(value[at], rng), *value[at + 1 :]]
    return rng.choice(JUNK)


def damage(folder: Path, rng: random.Random) -> None:
    """Change one file: its JSON, the header of the weights, or a few bits anywhere."""
    how = rng.random()
    path = folder / (rng.choice(FILES) if how < 0.6 else "model.safetensors")
    data = path.read_bytes()
    if how < 0.6:
        path.write_text(json.dumps(changed(json.loads(data), rng)))
    elif how < 0.8:
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.dumps(changed(json.loads(data[8:end]), rng)).encode()
        path.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])
    else:
        path = rng.choice(sorted(folder.iterdir()))
        bits = bytearray(path.read_bytes())
        for _ in range(rng.randrange(1, 4)):
            bits[rng.randrange(len(bits))] ^= 1 << rng.randrange(8)
        path.write_bytes(bits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "shape"),
    [("smollm", "llama-tied-grouped"), ("llama2", "llama-tied-grouped"), ("unigram", "gpt2")],
)
def test_a_damaged_folder_opens_or_is_refused_in_one_sentence(
    name: str, shape: str, tmp_path: Path
) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "damaged"
    save_theirs(name, whole, shape)
    rng = random.Random(name)
    refusals: list[str] = []
    for _ in range(120):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        damage(folder, rng)
        before = {path.name: path.read_bytes() for path in folder.iterdir()}
        began_s = time.process_time()
        try:
            tokenizer = gpt.load(folder).tokenizer
        except CheckpointError as error:
            refusals.append(str(error))
        else:
            tokenizer.decode(tokenizer.encode("Once upon a time<|endoftext|> 123"))
        assert time.process_time() - began_s < 2
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert len(refusals) > 20
    assert not any("\n" in said for said in refusals)


class Canary:
    """What a pickle would run when it is read."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("canary"),)


def test_a_pickle_under_another_name_is_never_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    save_theirs("smollm", tmp_path / "model")
    for name in ("model.safetensors", "tokenizer.json", "config.json"):
        path = tmp_path / "model" / name
        good = path.read_bytes()
        path.write_bytes(pickle.dumps(Canary()))
        with pytest.raises(CheckpointError):
            gpt.load(tmp_path / "model")
        path.write_bytes(good)
    assert not Path("canary").exists()
    pickle.loads(pickle.dumps(Canary()))  # noqa: S301 - our own, to see that it does sing
    assert Path("canary").exists()


def test_a_folder_of_links_opens_as_the_cache_of_the_hub_lays_it_out(tmp_path: Path) -> None:
    save_theirs("smollm", tmp_path / "blobs")
    folder = tmp_path / "snapshots" / "0"
    folder.mkdir(parents=True)
    for path in (tmp_path / "blobs").iterdir():
        (folder / path.name).symlink_to(path)
    assert gpt.load(folder).tokenizer.kind == "bpe"
