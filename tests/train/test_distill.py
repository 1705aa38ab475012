"""Several models distilled into one: what the loss is, and what may teach."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import gpt
from tests.support.stopping import stopped_after
from tests.support.tiny_checkpoint import save_characters
from tests.support.training import train_into
from tests.train.test_pretrain import TINY, data, losses, run
from train import pretrain
from train.adapt.distill import Teachers
from train.data.folder import Data, load_data
from train.loop.config import TrainConfig
from train.loop.run import Run
from train.loop.step import cross_entropy

pytestmark = pytest.mark.heavy

__all__ = ["data"]  # the fixture


@pytest.fixture
def folders(data: Path, tmp_path: Path) -> list[str]:
    """Two models of the data's vocabulary."""
    for seed in (1, 2):
        run(replace(TINY, seed=seed), data, tmp_path / f"teacher-{seed}")
    return [str(tmp_path / f"teacher-{seed}" / "best") for seed in (1, 2)]


def teachers(folders: list[str], share: float, data: Data) -> Teachers:
    return Teachers([gpt.load(each) for each in folders], share, TINY, data)


def options(config: TrainConfig, data: Path, out: Path) -> list[str]:
    """`config` as the command line says it."""
    usual = TrainConfig().to_dict() | {"max_steps": None}
    given = ["--data", str(data), "--out", str(out), "--preset", "story"]
    for name, value in config.to_dict().items():
        if value != usual[name] and not isinstance(value, bool):
            given += ["--" + name.replace("_", "-"), str(value)]
    return given


def test_the_loss_is_the_texts_and_the_cross_entropy_with_the_mean_of_the_teachers(
    data: Path, folders: list[str]
) -> None:
    opened = load_data(data)
    objective = teachers(folders, 0.25, opened)
    inputs, targets = torch.arange(12).view(2, 6), torch.arange(1, 13).view(2, 6)
    logits = torch.randn(2, 6, opened.tokenizer.vocab_size)
    loss, nats = objective(inputs, logits, targets)

    log_p = logits.log_softmax(-1)
    text = -log_p.gather(-1, targets[..., None]).mean()
    with torch.no_grad():
        expected = sum(gpt.load(each).model.eval()(inputs).softmax(-1) for each in folders) / 2
    taught = -(expected * log_p).sum(-1).mean()
    torch.testing.assert_close(loss, 0.75 * text + 0.25 * taught)
    assert nats == pytest.approx(float(text))
    assert torch.equal(cross_entropy(inputs, logits, targets)[1], nats)


def test_a_pupil_of_one_teacher_alone_comes_to_expect_what_it_expects(
    data: Path, folders: list[str], tmp_path: Path
) -> None:
    opened, teacher = load_data(data), folders[:1]
    config = replace(TINY, dropout=0.0, max_steps=60, seed=3)
    apart = {}
    for name, objective in {
        "text": cross_entropy,
        "teacher": teachers(teacher, 1.0, opened),
    }.items():
        folder = Run(tmp_path / name)
        train_into(folder, config, opened, objective=objective)
        pupil = gpt.load(str(folder.folder / "best")).model.eval()
        inputs = torch.from_numpy(opened.valid[:16].astype("int64"))[None]
        with torch.no_grad():
            said, expected = pupil(inputs).log_softmax(-1), gpt.load(teacher[0]).model(inputs)
        apart[name] = float((expected.softmax(-1) * (expected.log_softmax(-1) - said)).sum())
    assert apart["teacher"] < 0.5 * apart["text"]


def test_the_command_says_who_taught_and_goes_on_with_them_alone(
    data: Path, folders: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    taught = ["--teachers", *folders, "--teacher-share", "0.4"]
    pretrain.main(options(TINY, data, whole) + taught)
    training = gpt.load(str(whole / "best")).training
    assert [each["name"] for each in training["distilled"]["teachers"]] == [
        "teacher-1",
        "teacher-2",
    ]
    assert training["distilled"]["share"] == 0.4
    assert "40% of the loss" in (whole / "best" / "README.md").read_text()

    with stopped_after(13):
        pretrain.main(options(TINY, data, halves) + taught)
    with pytest.raises(SystemExit):
        pretrain.main([*options(TINY, data, halves), "--teachers", folders[0], "--resume"])
    assert "learnt from other teachers" in capsys.readouterr().err
    # A teacher is known by its weights, wherever its folder lies now.
    moved = Path(folders[0]).parent.rename(tmp_path / "moved") / "best"
    taught[1] = str(moved)
    pretrain.main([*options(TINY, data, halves), *taught, "--resume"])
    assert losses(Run(halves)) == losses(Run(whole))


def test_a_teacher_of_another_vocabulary_or_a_shorter_window_is_refused(
    data: Path, folders: list[str], tmp_path: Path
) -> None:
    opened = load_data(data)
    foreign = save_characters(tmp_path / "foreign")
    with pytest.raises(ValueError, match="teacher foreign cuts text in other tokens"):
        teachers([str(foreign)], 0.5, opened)
    long = replace(TINY, block_size=TINY.block_size + 1)
    with pytest.raises(ValueError, match="sees 16 tokens, too few for windows of 17"):
        Teachers([gpt.load(folders[0])], 0.5, long, opened)
    with pytest.raises(ValueError, match="above 0 and at most 1, not 0"):
        teachers(folders, 0.0, opened)
