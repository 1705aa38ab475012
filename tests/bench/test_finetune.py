"""The table of fine-tuning: fair to models from scratch, and read from what each run reports."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

import gpt
from bench.finetune import FineTuneError, command, main, markdown, train, ways
from gpt import checkpoint
from gpt.tokenizers import CharTokenizer
from tests.support.tiny import SHAPES, tiny_model
from train import pretrain
from train.data.folder import load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.options import config_from

TEXT = "the cat sat on the mat, the dog ran in the fog.\n" * 30
SMALL = ["--max-steps", "4", "--eval-every", "2", "--batch-size", "2", "--block-size", "16"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    (tmp_path / "new.txt").write_text(TEXT)
    tokenizer = CharTokenizer.train([TEXT])
    config = replace(SHAPES["llama-untied-grouped"], vocab_size=tokenizer.vocab_size)
    folder = tmp_path / "source"
    checkpoint.save(folder, tiny_model(config, scale=2.0), tokenizer, card="", training={})
    return folder


def report(loss: float, old: float) -> dict:
    before, after = {"loss": 3.0, "bpb": 1.5}, {"loss": loss, "bpb": loss / 2}
    olds = {"text": "o", "before": {"loss": 1.0}, "after": {"loss": old}}
    new = {"text": "n", "before": before, "after": after}
    return {"new": new, "old": olds, "step": 40, "finetune": {"parameters": 1234}}


def test_the_table_has_the_mean_over_seeds_and_what_was_forgotten() -> None:
    lines = markdown({"all weights": [report(2.0, 1.25), report(2.2, 1.75)]}).splitlines()
    assert lines[2] == "| untouched | 0 | 3.000 | 1.500 | 1.000 |  |  |"
    assert lines[3] == (
        "| all weights | 1,234 | 2.100 ± 0.141 | 1.050 ± 0.071 | 1.500 ± 0.354 | +0.500 | 40, 40 |"
    )


def test_from_scratch_has_the_same_shape_and_text_and_as_many_steps(
    source: Path, tmp_path: Path
) -> None:
    before = gpt.load(source)
    prepare([Text(path=tmp_path / "new.txt")], tmp_path / "data", kind=before.tokenizer)
    data = load_data(tmp_path / "data")
    scratch = next(way for way in ways(2) if way.scratch)
    words = command(scratch, before, data, tmp_path / "run", SMALL)
    assert words[0] == "train.pretrain"
    options = pretrain.make_parser().parse_args(words[1:])
    config = config_from(options)
    made = replace(config.model_config(before.config.vocab_size), dropout=0.0)
    assert made == replace(before.config, block_size=16)
    assert (options.data, config.max_steps) == (data.folder, 4)
    tuned = command(ways(2)[2], before, data, tmp_path / "run", SMALL)
    assert tuned[:3] == ["train.finetune", "--from", str(source)]
    assert tuned[3:] == words[1 : 1 + len(tuned[3:])]


@pytest.mark.slow
def test_a_way_is_trained_once_and_its_report_is_kept(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = gpt.load(source)
    prepare([Text(path=tmp_path / "new.txt")], tmp_path / "data", kind=before.tokenizer)
    data = load_data(tmp_path / "data")
    for way in (ways(2)[0], ways(2)[2]):
        folder = tmp_path / ("scratch" if way.scratch else "tuned")
        small = [*SMALL, "--sample-tokens", "0", "--save-steps", "0", "--threads", "1"]
        first = train(way, before, data, tmp_path / "new.txt", folder, small)
        assert first["new"]["after"]["loss"] < 5
        assert first["old"]["text"] == "new.txt"
        assert first == json.loads((folder / "report.json").read_text())
        shutil.rmtree(folder / "state", ignore_errors=True)
        assert train(way, before, data, None, folder, small) == first
    with pytest.raises(FineTuneError, match="a training failed"):
        train(ways(2)[2], before, data, None, tmp_path / "bad", ["--max-steps", "many"])


def test_a_missing_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"^bench.finetune: no checkpoint"):
        main(["--from", str(tmp_path), "--out", str(tmp_path / "out")])
