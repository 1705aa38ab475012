"""Watching a run: fixed samples, the report card, TensorBoard, a bar that can be quiet."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import gpt
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.text.memorization import ReferenceText
from tests.support.training import train_into
from tests.train.test_pretrain import TEXT, TINY, data, run
from train import evaluate, finetune, pretrain, report
from train.data.folder import Data, load_data
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop import distributed
from train.loop import train as loop
from train.loop.run import Run
from train.quality import final_eval
from train.reports.run_report import parts
from train.run.document import Heading, Paragraph, Picture, Table, Verbatim, markdown, page
from train.run.samples import greedy, opening, prompts, samples_page
from train.run.tensorboard import BoardRun

pytestmark = pytest.mark.heavy

__all__ = ["data"]

QUICK = ["--max-steps", "4", "--eval-every", "2", "--n-layer", "1", "--n-embd", "8", "--n-head"]
QUICK += ["1", "--block-size", "8", "--sample-tokens", "12", "--precision", "float32"]
QUICK += ["--device", "cpu", "--threads", "1"]
HOSTILE = 'The cat </pre><img src="http://evil.example/a.png"> | sat `on` ```the``` mat.\n'
LOADED = ("src", "href", "srcset", "data", "action", "poster", "background", "content")


class References(HTMLParser):
    """What a page names that a browser could load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.named: list[str] = []
        self.styles = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.named += [str(value) for name, value in attrs if name in LOADED]
        self.styles += "".join(str(value) for name, value in attrs if name == "style")

    def handle_data(self, data: str) -> None:
        if self.lasttag == "style":
            self.styles += data


def loads_nothing(text: str) -> None:
    found = References(text)
    assert not found.tags & {"script", "link", "iframe", "object", "embed", "base", "form", "a"}
    pictures = [each for each in found.named if each.startswith("data:image/png;base64,")]
    assert pictures
    assert not any("//" in each for each in found.named if each not in pictures)
    assert "url(" not in found.styles
    assert "@import" not in found.styles


def prepared(folder: Path, text: str) -> Data:
    folder.mkdir()
    (folder / "text.txt").write_text(text)
    prepare([Text(path=folder / "text.txt")], folder / "data", kind="char", valid_fraction=0.5)
    return load_data(folder / "data")


class StopAfter:
    """A stop signal that comes at a step."""

    step = 0

    def __init__(self) -> None:
        self.looks = 0

    @property
    def asked(self) -> bool:
        self.looks += 1
        return self.looks > self.step


def test_prompts_are_the_given_one_and_two_openings_of_the_validation_text(
    tmp_path: Path,
) -> None:
    lines = [f"Line {i} is about number {i} and no other.\n" for i in range(40)]
    one = prepared(tmp_path / "one", "".join(lines))
    found = prompts(replace(TINY, sample_prompt="Line"), one)
    assert found[0] == "Line"
    assert len(found) == 3
    held_out = one.tokenizer.decode(one.valid.tolist())
    for prompt in found[1:]:
        assert len(prompt.split()) == 6
        assert prompt in held_out
    assert found[2].startswith("Line 3")  # about three quarters into the text, at a line
    many = prepared(tmp_path / "many", "<|endoftext|>\n".join(lines))
    for prompt in prompts(TINY, many)[1:]:
        assert re.fullmatch(r"Line \d+ is about number \d+", prompt)
    short = prepared(tmp_path / "short", "A b.\n<|endoftext|>\n" * 9)
    assert opening(short, 1) == "A b."


def test_greedy_samples_take_the_likeliest_token_every_time(data: Path) -> None:
    opened = load_data(data)
    eos = opened.tokenizer.eos_id
    torch.manual_seed(3)
    model = gpt.GPT(TINY.model_config(opened.tokenizer.vocab_size))
    model.train()
    found = greedy(model, TINY, opened)
    assert [each["prompt"] for each in found] == list(prompts(TINY, opened))
    model.eval()
    for each in found:
        ids = opened.tokenizer.encode(each["prompt"])[-TINY.block_size :] or [eos]
        likeliest = int(model(torch.tensor([ids]))[0, -1].argmax())
        assert each["text"][:1] == (
            "" if likeliest == eos else opened.tokenizer.decode([likeliest])
        )
    assert greedy(model.train(), TINY, opened) == greedy(model, TINY, opened)
    assert model.training


@pytest.mark.parametrize("asked", [1, 10, 15, 20])
def test_a_resumed_run_neither_loses_nor_repeats_a_sample(
    asked: int, data: Path, tmp_path: Path
) -> None:
    whole = run(TINY, data, tmp_path / "whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StopAfter, "step", asked)
        patch.setattr(loop, "StopSignal", StopAfter)
        run(TINY, data, tmp_path / "halves")
    halves = run(TINY, data, tmp_path / "halves", resume=True)
    assert [record["step"] for record in whole.samples()] == [0, 10, 20]
    assert halves.samples() == whole.samples()
    said = (halves.folder / "samples.md").read_text()
    assert said == (whole.folder / "samples.md").read_text() == samples_page(whole.samples())
    assert [int(step) for step in re.findall(r"^## Step (\d+)$", said, re.MULTILINE)] == [0, 10, 20]


def test_a_run_killed_after_a_sample_and_before_its_state_keeps_it_once(
    data: Path, tmp_path: Path
) -> None:
    whole, save_state = run(TINY, data, tmp_path / "whole"), distributed.save_state

    def killed(folder: Path, state) -> None:
        if state.step == 20:
            raise KeyboardInterrupt
        save_state(folder, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributed, "save_state", killed)
        with pytest.raises(KeyboardInterrupt):
            run(TINY, data, tmp_path / "halves")
    assert len(Run(tmp_path / "halves").samples()) == 3
    assert run(TINY, data, tmp_path / "halves", resume=True).samples() == whole.samples()


def test_a_run_ends_with_a_report_that_loads_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = prepared(tmp_path / "text", HOSTILE * 20).folder
    out = tmp_path / "run"
    options = ["--data", str(folder), "--out", str(out), *QUICK, "--cost-per-hour", "3600"]
    pretrain.main(options)
    assert str(out / "report.html") in capsys.readouterr().out
    text, said = (out / "report.html").read_text(), (out / "report.md").read_text()
    loads_nothing(text)
    assert "evil.example" in text  # as text, in what it was asked to go on from
    records = Run(out).records()
    best = min((r for r in records if "val_loss" in r), key=lambda record: record["val_loss"])
    elapsed = records[-1]["elapsed_s"]
    for words in (
        f"{best['val_loss']:.4f} nats per token, {best['val_bpb']:.4f} bits per byte",
        f"{elapsed:.3g}, at 3600 an hour",
        f"--data {folder} --out {out}",
        "| batch_size | 24 |",
        "text.txt",
        "## Does it hang together?",
        "What it writes was not looked at: expected 20 openings",
        "![Training and validation loss over the steps](loss.png)",
    ):
        assert words in said
    assert (out / "loss.png").read_bytes().startswith(b"\x89PNG")
    assert all("http" not in line for line in said.splitlines() if line.startswith("!["))


def test_what_a_story_holds_is_never_taken_for_the_page_s_own() -> None:
    hostile = [Heading(HOSTILE), Paragraph(HOSTILE), Table((HOSTILE,), [(HOSTILE,)])]
    text = page(HOSTILE, [*hostile, Verbatim(HOSTILE), Picture("a.png", b"png", HOSTILE)])
    loads_nothing(text)
    assert References(text).tags.isdisjoint({"script"})
    assert text.count("<img") == 1
    assert text.count("</pre>") == 1
    said = markdown([*hostile, Verbatim(HOSTILE)])
    assert f"````text\n{HOSTILE}\n````" in said
    row = said.split("| --- |\n")[1].splitlines()[0]
    assert len(re.findall(r"(?<!\\)\|", row)) == 2


def test_both_protocols_are_those_of_evaluate_and_long_texts_are_bounded(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = run(TINY, data, tmp_path / "run")
    opened, checkpoint = load_data(data), gpt.load(finished.best)
    found = final_eval.scores(checkpoint, opened, trained_tokens=1)
    arguments = ["--text", str(data.parent / "text.txt"), "--last-fraction", "0.1"]
    evaluate.main([str(finished.best), *arguments, "--device", "cpu"])
    said = json.loads(capsys.readouterr().out.splitlines()[-1])
    for name in ("val_loss", "val_loss_sliding", "val_bpb", "val_bpb_sliding"):
        assert found.found[name] == pytest.approx(said[name], abs=1e-6)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(final_eval, "LEAST_SCORED", 20)
        part = final_eval.scores(checkpoint, opened, trained_tokens=1)
        assert part.found["tokens"] == 19 < part.of_tokens
        assert final_eval.scores(checkpoint, opened, None).found["tokens"] == part.of_tokens
        report.write_report(finished, opened)
    said = (finished.folder / "report.md").read_text()
    assert f"the first 160 of its {len(opened.valid) - 1:,} tokens" not in said


def test_the_copy_rate_is_that_of_what_anyone_can_write_again(data: Path, tmp_path: Path) -> None:
    finished = run(TINY, data, tmp_path / "run")
    opened, checkpoint = load_data(data), gpt.load(finished.best)
    source = ReferenceText([opened.tokenizer.decode(opened.train[1:-1].tolist())])
    for each in final_eval.copied(checkpoint, source, "The"):
        params = SamplingParams(temperature=0.8, max_new_tokens=200, seed=each.seed)
        stream = Generator(checkpoint.model, checkpoint.tokenizer).stream("The", params)
        assert each.text == "".join(token.text for token in stream)
        found = source.overlap(each.text)
        assert (each.words, each.new) == (found.words, found.new)
        assert each.longest == (found.longest.words if found.longest else 0)
        assert each.quote in TEXT.replace("\n", " ")
        assert each.core == "torch float32"
    first, _ = final_eval.read_training_text(opened, 1)
    none = final_eval.copied(checkpoint, first, "The")
    assert all(each.longest == 0 for each in none)


def test_a_report_without_its_data_says_so_and_one_of_other_data_is_refused(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    finished = run(TINY, data, tmp_path / "run")
    report.main([str(finished.folder)])
    said = (finished.folder / "report.md").read_text()
    assert "Not measured" in said
    assert "is not on this machine" in said
    report.main([str(finished.folder), "--data", str(data), "--cost-per-hour", "2"])
    said = (finished.folder / "report.md").read_text()
    assert "Not measured" not in said
    assert "at 2 an hour" in said
    other = prepared(tmp_path / "other", "Another text.\n" * 40)
    for arguments, message in (
        (["nowhere"], "expected a run in nowhere"),
        ([str(finished.folder), "--data", str(other.folder)], "holds another text"),
    ):
        with pytest.raises(SystemExit, match=message):
            report.main(arguments)
    with pytest.raises(SystemExit):
        report.main([str(finished.folder), "--cost-per-hour", "-1"])
    assert "expected an amount of 0 or more" in capsys.readouterr().err


def test_the_report_of_a_fine_tuned_model_says_what_it_gained_and_forgot(
    data: Path, tmp_path: Path
) -> None:
    source = run(TINY, data, tmp_path / "source").best
    (tmp_path / "new.txt").write_text("The dog sat on the cat.\n" * 30)
    (tmp_path / "old.txt").write_text(TEXT)
    options = ["--from", str(source), "--data", str(tmp_path / "new.txt"), "--max-steps", "4"]
    options += ["--eval-every", "2", "--sample-tokens", "0", "--precision", "float32"]
    options += ["--device", "cpu", "--threads", "1", "--out", str(tmp_path / "run")]
    finetune.main([*options, "--old-text", str(tmp_path / "old.txt")])
    said = (tmp_path / "run" / "report.md").read_text()
    found = json.loads((tmp_path / "run" / "report.json").read_text())
    for kind in ("new", "old"):
        before, after = found[kind]["before"], found[kind]["after"]
        assert f"{kind} text, {kind}.txt | {before['loss']:.4f} → {after['loss']:.4f} |" in said
    assert "What it gained, and what it forgot" in said
    assert "begun from | source" in said
    loads_nothing((tmp_path / "run" / "report.html").read_text())


def test_the_report_says_when_a_run_ended_early(data: Path, tmp_path: Path) -> None:
    finished = run(replace(TINY, patience=1), data, tmp_path / "run")
    found = report.gather(finished, None, cost_per_hour=None, whole=False)
    records = [{**r, "val_loss": 1.0 + r["step"]} for r in found.records if "val_loss" in r]
    for count, early in ((1, False), (2, True), (3, False)):
        said = markdown(parts(replace(found, records=records[:count])))
        assert f"{records[count - 1]['step']} of 20, " in said
        assert ("ended early: no evaluation was better, 1 times in a row" in said) == early


def test_tensorboard_is_given_the_lines_of_the_metrics_once(data: Path, tmp_path: Path) -> None:
    opened = load_data(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StopAfter, "step", 15)
        patch.setattr(loop, "StopSignal", StopAfter)
        first = BoardRun(tmp_path / "run")
        train_into(first, TINY, opened)
        first.close()
    second = BoardRun(tmp_path / "run")
    train_into(second, TINY, opened, resume=True)
    second.close()
    board = EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    assert set(board.Tags()["scalars"]) == {
        *("tokens", "train_loss", "learning_rate", "val_loss", "val_bpb"),
    }
    for name in ("train_loss", "learning_rate", "val_loss", "val_bpb"):
        logged = [(r["step"], r[name]) for r in second.records() if name in r]
        shown = [(event.step, event.value) for event in board.Scalars(name)]
        assert shown == [(step, pytest.approx(value, rel=1e-6)) for step, value in logged]


def test_tensorboard_is_not_needed_and_its_absence_is_said(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = "import sys, train.pretrain, train.finetune; assert 'tensorboard' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard.writer", None)
    options = ["--data", str(data), "--out", str(tmp_path / "run"), *QUICK]
    with pytest.raises(SystemExit):
        pretrain.main([*options, "--tensorboard"])
    assert "pip install tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_the_bar_is_quiet_but_in_a_terminal(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    for name, where in (("file", StringIO()), ("terminal", Terminal())):
        monkeypatch.setattr(sys, "stderr", where)
        pretrain.main(["--data", str(data), "--out", str(tmp_path / name), *QUICK])
        assert ("tokens/s" in where.getvalue()) == (name == "terminal")
        assert bool(where.getvalue()) == (name == "terminal")
