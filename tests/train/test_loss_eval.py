"""Evaluation: every token scored exactly once, with the model's own losses."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from gpt.checkpoint import save
from gpt.model import GPT
from gpt.tokenizers import CharTokenizer
from tests.support.tiny import SHAPES, tiny_model
from train.evaluate import main
from train.loop.loss_eval import score, summary, windows

TEXT = "Tom had a red ball.\nHe lost it.\n<|endoftext|>\nAnn had a hat.\n<|endoftext|>\n"


@pytest.fixture
def model() -> GPT:
    return tiny_model(SHAPES["llama"])


@pytest.mark.parametrize("n_tokens", [2, 3, 8, 9, 10, 16, 17, 18, 33, 100])
@pytest.mark.parametrize(("block_size", "stride"), [(8, 8), (8, 1), (8, 3), (1, 1), (16, 2)])
def test_every_target_is_scored_exactly_once(n_tokens: int, block_size: int, stride: int) -> None:
    scored: list[int] = []
    for start, first, end in windows(n_tokens, block_size, stride):
        assert 0 <= start < first < end <= min(start + block_size + 1, n_tokens)
        scored += range(first, end)
    assert scored == list(range(1, n_tokens))


@pytest.mark.parametrize("stride", [1, 5, 12, 24])
def test_scores_are_those_of_each_window_alone(model: GPT, stride: int) -> None:
    tokens = np.random.default_rng(0).integers(61, size=90).astype(np.uint16)
    nats = score(model, tokens, stride)
    for start, first, end in windows(90, 24, stride):
        window = torch.from_numpy(tokens[start:end].astype(np.int64))
        alone = F.cross_entropy(model(window[None, :-1])[0], window[1:], reduction="none")
        torch.testing.assert_close(
            nats[first - 1 : end - 1], alone[first - start - 1 :].double(), atol=1e-5, rtol=0
        )


def test_more_context_is_what_a_smaller_stride_gives(model: GPT) -> None:
    spans = list(windows(200, 24, 3))
    assert all(first - start - 1 >= 21 for start, first, _ in spans[1:])


def test_scoring_leaves_a_training_model_training(model: GPT) -> None:
    model.train()
    score(model, np.arange(30, dtype=np.uint16), 24)
    assert model.training


@pytest.mark.parametrize(("tokens", "stride"), [([3], 4), ([1, 2], 0), ([1, 2], 25)])
def test_nothing_to_score_is_refused(model: GPT, tokens: list[int], stride: int) -> None:
    with pytest.raises(ValueError, match=r"expected at least 2|between 1 and block_size=24"):
        score(model, np.array(tokens, np.uint16), stride)


def test_the_end_of_a_story_counts_as_a_token_and_as_no_byte() -> None:
    nats = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)
    facts = summary(nats, np.array([5, 0, 6, 7]), eos_id=0, n_bytes=10)
    assert facts["loss"] == pytest.approx(15 / 4)
    assert facts["bpb"] == pytest.approx((1 + 4 + 8) / math.log(2) / 10)


def test_a_uniform_model_scores_the_entropy_of_its_vocabulary(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_model(SHAPES["llama"])
    model.tokens.weight.zero_()
    save(tmp_path / "model", model, CharTokenizer.train([TEXT]), card="", training={})
    (tmp_path / "text.txt").write_text(TEXT)
    main([str(tmp_path / "model"), "--text", str(tmp_path / "text.txt"), "--device", "cpu"])
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    text_bytes = len(TEXT) - 2 * len("<|endoftext|>\n")
    nats = math.log(61)
    assert result == {
        "val_loss": pytest.approx(nats),
        "val_loss_sliding": pytest.approx(nats),
        "val_bpb": pytest.approx(nats / math.log(2)),
        "val_bpb_sliding": pytest.approx(nats / math.log(2)),
        "perplexity": pytest.approx(61),
        "tokens": text_bytes + 2,
        "bytes": text_bytes,
    }


def test_the_last_fraction_is_counted_in_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "abcdefghij" * 20
    model, tokenizer = tiny_model(SHAPES["llama"]), CharTokenizer.train([text])
    save(tmp_path / "model", model, tokenizer, card="", training={})
    (tmp_path / "text.txt").write_text(text)
    arguments = [str(tmp_path / "model"), "--text", str(tmp_path / "text.txt"), "--device", "cpu"]
    main([*arguments, "--last-fraction", "0.1"])
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["bytes"] == 20


@pytest.mark.parametrize(
    ("text", "more", "message"),
    [
        ("", [], "the file holds none"),
        ("Zebra", [], "Z"),
        ("Tom", ["--last-fraction", "0"], r"must be in \(0, 1\]"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line(
    text: str, more: list[str], message: str, tmp_path: Path
) -> None:
    tokenizer = CharTokenizer.train([TEXT])
    save(tmp_path / "model", tiny_model(SHAPES["llama"]), tokenizer, card="", training={})
    (tmp_path / "text.txt").write_text(text)
    with pytest.raises(SystemExit, match=message):
        main([str(tmp_path / "model"), "--text", str(tmp_path / "text.txt"), *more])


def test_a_missing_checkpoint_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"train\.evaluate: no checkpoint in"):
        main([str(tmp_path), "--text", str(tmp_path / "text.txt")])
