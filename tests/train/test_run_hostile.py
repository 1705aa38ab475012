"""A run folder that is damaged or forged is refused in a sentence by each command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gpt.files import sha256
from tests.support.tales import corpus
from tests.train.test_card_marks import training
from train import evaluate, publish, report
from train.loop.config import TrainConfig
from train.loop.run import Run
from train.loop.state import StateError, load_state, manifest
from train.loop.stored import RESUMED, read_config_json

SPLIT = {"bytes": 10, "tokens": 10, "sha256": "0" * 64}
ABOUT = {
    "command": "python -m train.pretrain",
    "config": TrainConfig().to_dict(),
    "data": {
        "sources": [{"name": "a.txt", "serves": "train"}],
        "tokenizer": "char",
        "vocab_size": 9,
        "train": SPLIT,
        "valid": SPLIT,
    },
}
LINE = {"step": 0, "tokens": 0, "elapsed_s": 0.0, "val_loss": 2.0, "val_bpb": 3.0}
LOSSES = {"text": "new.txt", "left_out": 0, "before": None, "after": None}
FILES: dict[str, Any] = {
    "config.json": ABOUT,
    "metrics.jsonl": LINE,
    "samples.jsonl": {"step": 0, "text": "A.", "greedy": []},
    "report.json": {"new": LOSSES, "old": None},
}
NEEDED = ("config.json", "metrics.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that has ended, without a checkpoint."""
    made = tmp_path / "run"
    made.mkdir()
    for name, values in FILES.items():
        (made / name).write_text(json.dumps(values) + "\n")
    return made


def as_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def as_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


HARMS: dict[str, Callable[[Path], object]] = {
    "missing": Path.unlink,
    "empty": lambda path: path.write_text(""),
    "a list": lambda path: path.write_text("[1, 2]\n"),
    "text": lambda path: path.write_text('"text"\n'),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe{}"),
    "deep": lambda path: path.write_text('{"a":' * 99_999),
    "NaN": lambda path: path.write_text(path.read_text().replace("0", "NaN", 1)),
    "a folder": as_folder,
    "a link": as_link,
}


def said_by(command: Callable[[list[str]], object], *words: str) -> str:
    """What a command ends with; "" where it comes to its end."""
    try:
        command(list(words))
    except SystemExit as ended:
        return str(ended.code)
    return ""


@pytest.mark.parametrize("harm", list(HARMS))
@pytest.mark.parametrize("name", list(FILES))
def test_the_report_refuses_a_damaged_file_by_its_name_or_does_without(
    folder: Path, name: str, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    HARMS[harm](folder / name)
    said = said_by(report.main, str(folder))
    unread = harm in ("a folder", "a link")
    if name in NEEDED or unread or (name == "report.json" and harm != "missing"):
        assert said.startswith("train.report: ")
        assert name in said
        assert len(said.splitlines()) == 1
    else:
        assert said == ""


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 10**99, -1, 0, True, "7", None, [7]])
@pytest.mark.parametrize(
    "place",
    [
        "config.batch_size",
        "config.block_size",
        "data.train.tokens",
        "data.vocab_size",
        "data.valid",
    ],
)
def test_a_config_of_a_wrong_value_is_refused_by_the_name_of_the_value(
    folder: Path, place: str, value: object
) -> None:
    about = json.loads((folder / "config.json").read_text())
    *outer, last = place.split(".")
    inner = about
    for each in outer:
        inner = inner[each]
    inner[last] = value
    (folder / "config.json").write_text(json.dumps(about))
    said = said_by(report.main, str(folder))
    assert "config.json" in said
    assert place in said or "finite" in said
    assert "again" in said or "finite" in said


@pytest.mark.parametrize(
    "line",
    [
        {"tokens": 1},
        {**LINE, "val_loss": None},
        {**LINE, "tokens": 10**30},
        {**LINE, "elapsed_s": "long"},
        {**LINE, "val_loss": float("nan")},
        {**LINE, "val_bpb": [3]},
        {**LINE, "step": 0.5},
    ],
)
def test_a_line_of_the_metrics_that_no_training_wrote_is_left_out(
    folder: Path, line: dict[str, Any]
) -> None:
    (folder / "metrics.jsonl").write_text(f"{json.dumps(LINE)}\n{json.dumps(line)}\n")
    assert Run(folder).records() == [LINE]
    assert said_by(report.main, str(folder)) == ""


def test_a_run_of_an_earlier_version_still_opens(folder: Path) -> None:
    config = {**ABOUT["config"], "average_decay": 0.99, "no_more": 3}
    del config["nan_patience"]
    (folder / "config.json").write_text(json.dumps({**ABOUT, "config": config}))
    assert read_config_json(folder)["config"]["average_decay"] == 0.99
    assert read_config_json(folder, RESUMED)["data"] == ABOUT["data"]
    assert said_by(report.main, str(folder)) == ""


@pytest.mark.parametrize("missing", ["machine", "data", "command", "config", "elapsed_s", "date"])
def test_the_card_is_not_begun_from_a_training_json_that_lacks_something(
    tmp_path: Path, missing: str
) -> None:
    about = {**training(), "commit": ""}
    data = corpus(tmp_path, **{n: v for n, v in about.items() if n not in ("data", missing)})
    path = tmp_path / "noise" / "training.json"
    kept = json.loads(path.read_text())
    kept.pop(missing, None)
    path.write_text(json.dumps(kept))
    said = said_by(evaluate.main, str(tmp_path / "noise"), "--report", "--data", str(data))
    assert said.startswith("train.evaluate: ")
    assert "training.json" in said
    assert (tmp_path / "noise" / "README.md").read_text() == "Noise."


def test_nothing_from_outside_a_model_s_folder_is_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus(tmp_path)
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for at, name in enumerate(("loss.png", "metrics.jsonl")):
        (tmp_path / "noise" / name).symlink_to(secret)
        words = [str(tmp_path / "noise"), "ada/noise", "--dry-run", str(tmp_path / str(at))]
        assert publish.main(words) == 2
        assert f"{name} is a link out of its folder" in capsys.readouterr().err
        (tmp_path / "noise" / name).unlink()
        (tmp_path / "noise" / name).mkdir()
        assert publish.main([*words[:-1], str(tmp_path / f"{at}-folder")]) == 2
        assert f"{name} is no regular file" in capsys.readouterr().err
        shutil.rmtree(tmp_path / "noise" / name)


@pytest.mark.parametrize(
    "progress",
    [b"[]", b"", b'{"step": "7"}', b'{"step": 8}', b'{"step": 7, "recent": 3}', b"[" * 99_999],
)
def test_a_state_that_was_forged_whole_is_skipped_with_the_reason(
    tmp_path: Path, progress: bytes
) -> None:
    folder = tmp_path / "state" / "000007"
    folder.mkdir(parents=True)
    (folder / "progress.json").write_bytes(progress)
    about = {"progress.json": {"bytes": len(progress), "sha256": sha256(progress)}}
    (folder / "manifest.json").write_bytes(manifest(7, about))
    heard: list[str] = []
    with pytest.raises(StateError, match="none of the 1 states"):
        load_state(tmp_path, heard.append)
    assert heard[0].startswith("skipped the state of step 7: ")
