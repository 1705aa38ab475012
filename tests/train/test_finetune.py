"""Fine-tuning: what learns and what stays, from which model, what was gained and what was lost."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedTokenizerFast

import gpt
from gpt import checkpoint
from gpt.tokenizers import CharTokenizer
from tests.gpt.test_hub_layouts import byte_level, random_model
from tests.support.stopping import stopped_after
from tests.support.tiny import SHAPES, tiny_model
from train import evaluate, finetune
from train.adapt.base_model import open_data, suggest
from train.adapt.trainable import Trainable, rate_scale, steer
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.optimize import make_optimizers, set_learning_rate
from train.loop.state import load_state

pytestmark = pytest.mark.heavy

LETTERS = "abcdefghijklmnopqrstuvwxyz .,\n"
OLD = "a bird in the hand is worth two in the bush.\n" * 8
NEW = "the cat sat on the mat, the dog ran in the fog.\n" * 30
QUICK = ["--max-steps", "12", "--eval-every", "6", "--sample-tokens", "0", "--precision", "float32"]
QUICK += ["--device", "cpu", "--threads", "1", "--learning-rate", "0.01", "--warmup-steps", "1"]
QUICK += ["--batch-size", "8"]


@pytest.fixture(autouse=True)
def the_products_as_they_were() -> object:
    precision = torch.get_float32_matmul_precision()
    yield
    torch.set_float32_matmul_precision(precision)
    return None


@pytest.fixture(autouse=True)
def a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("old.txt").write_text(OLD)
    Path("new.txt").write_text(NEW)


def save_source(name: str = "llama", letters: str = LETTERS, **training: Any) -> Path:
    """A random model of letters with a training.json that tells of some old text."""
    tokenizer = CharTokenizer.train([letters])
    config = replace(SHAPES[name], vocab_size=tokenizer.vocab_size)
    folder = Path(f"source-{name}")
    model = tiny_model(config, scale=2.0)
    checkpoint.save(folder, model, tokenizer, card="", training=training, dtype=torch.float32)
    return folder


def run(*options: str, source: str = "source-llama", data: str = "new.txt") -> dict[str, Any]:
    finetune.main(["--from", source, "--data", data, "--out", "run", *QUICK, *options])
    return json.loads(Path("run/report.json").read_text())


def weights(folder: str) -> dict[str, torch.Tensor]:
    return load_state(Path(folder), say=pytest.fail).tensors["model"]


@pytest.mark.parametrize("name", ["gpt2", "llama", "llama-untied-grouped", "llama-odd"])
def test_a_model_of_either_family_learns_and_the_report_is_what_evaluate_says(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save_source(name)
    report = run("--old-text", "old.txt", source=str(source))
    assert report["new"]["after"]["loss"] < report["new"]["before"]["loss"]
    assert report["step"] == gpt.load("run/best").training["step"] > 0
    printed = capsys.readouterr().out
    for folder, when in ((str(source), "before"), ("run/best", "after")):
        for text, key, part in (("new.txt", "new", "0.1"), ("old.txt", "old", "1")):
            evaluate.main([folder, "--text", text, "--last-fraction", part, "--device", "cpu"])
            said = json.loads(capsys.readouterr().out.splitlines()[-1])
            found = report[key][when]
            assert found["loss"] == pytest.approx(said["val_loss"], abs=1e-6)
            assert found["bpb"] == pytest.approx(said["val_bpb"], abs=1e-6)
            assert (found["tokens"], found["bytes"]) == (said["tokens"], said["bytes"])
            assert f"{found['loss']:.4f}" in printed
    assert json.loads(Path("run/config.json").read_text())["from"]["name"] == source.name
    assert "vocab" not in printed


def test_the_best_step_is_kept_and_the_card_says_where_it_came_from() -> None:
    save_source()
    Path("new.txt").write_text(NEW + "zqx jvk\n" * 20)  # what is learnt is of no use at the end
    report = run("--max-steps", "20", "--eval-every", "5")
    records = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    losses = {r["step"]: r["val_loss"] for r in records if "val_loss" in r}
    assert report["step"] == min(losses, key=losses.__getitem__) < max(losses)
    best = gpt.load("run/best")
    assert best.training["val_loss"] == min(losses.values())
    digest = report["from"]["sha256"]
    content = Path("source-llama/model.safetensors").read_bytes()
    assert digest == hashlib.sha256(content).hexdigest()
    assert f"begun from | source-llama, weights {digest[:16]}" in best.card
    assert "Fine-tuned with Inkling from `source-llama` on new.txt" in best.card
    assert "| window | 24 tokens |" in best.card
    assert {"loss.png", "report.json", "data", "best"} <= {p.name for p in Path("run").iterdir()}


@pytest.mark.parametrize(
    ("options", "still"),
    [
        (["--freeze-embeddings"], ["tokens."]),
        (["--freeze-first", "1"], ["blocks.0."]),
        (["--freeze-first", "2", "--freeze-embeddings"], ["tokens.", "blocks."]),
        ([], []),
    ],
)
def test_what_is_frozen_is_equal_bit_for_bit_and_all_else_has_learnt(
    options: list[str], still: list[str]
) -> None:
    before = gpt.load(save_source()).model.state_dict()
    run(*options)
    after = weights("run")
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        assert torch.equal(tensor, after[name]) == name.startswith(tuple(still)), name


def test_positions_are_embeddings_too() -> None:
    before = gpt.load(save_source("gpt2")).model.state_dict()
    run("--freeze-embeddings", source="source-gpt2")
    after = weights("run")
    for name in ("tokens.weight", "positions.weight"):
        assert torch.equal(before[name], after[name])


def test_lora_teaches_its_adapters_alone_and_saves_a_plain_model() -> None:
    source = gpt.load(save_source("llama-untied-grouped"))
    report = run("--lora", "2", "--learning-rate", "0.05", source="source-llama-untied-grouped")
    assert report["new"]["after"]["loss"] < report["new"]["before"]["loss"]
    state = weights("run")
    adapters = {name for name in state if name.endswith((".a", ".b"))}
    assert len(adapters) == 2 * (2 * 7 + 1)
    for name, tensor in source.model.state_dict().items():
        kept = name if name in state else name.replace(".weight", ".linear.weight")
        assert torch.equal(tensor, state[kept]), name
    assert report["finetune"]["parameters"] == sum(state[name].numel() for name in adapters)
    best = gpt.load("run/best")
    assert best.config == source.config
    assert "LoRA of rank 2, merged" in best.card


def test_layers_learn_slower_the_nearer_they_are_to_the_input() -> None:
    for name, head in (("gpt2", None), ("llama-untied-grouped", 1.0)):
        model = tiny_model(SHAPES[name])
        steer(model, Trainable())
        config = suggest(gpt.load(save_source(name)), open_new(name), Trainable())
        optimizers = make_optimizers(model, config, rate_scale(model.config, 0.5))
        set_learning_rate(optimizers, 8.0)
        rates = {
            id(parameter): group["lr"]
            for optimizer in optimizers
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        found = {n: rates[id(p)] for n, p in model.named_parameters()}
        assert found.pop("tokens.weight") == found.pop("positions.weight", 1.0) == 1.0
        assert found.pop("head.weight", None) == (head and 8.0)
        expected = {"blocks.0": 2.0, "blocks.1": 4.0, "norm": 8.0}
        for parameter, rate in found.items():
            assert rate == next(v for k, v in expected.items() if parameter.startswith(k))


def open_new(name: str) -> Any:
    return open_data(gpt.load(f"source-{name}"), Path("new.txt"), None, Path("run"))


@pytest.mark.parametrize("options", [[], ["--lora", "2"], ["--freeze-first", "1"]])
def test_a_run_that_was_stopped_goes_on_as_if_it_never_was(
    options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    save_source()
    whole = run(*options)
    Path("run").rename("whole")

    with stopped_after(6):
        finetune.main(
            ["--from", "source-llama", "--data", "new.txt", "--out", "run", *QUICK, *options]
        )
    assert not Path("run/report.json").exists()
    again = run(*options, "--resume")
    assert again["new"] == whole["new"]
    assert weights("run").keys() == weights("whole").keys()
    for name, tensor in weights("whole").items():
        assert torch.equal(tensor, weights("run")[name]), name
    with pytest.raises(SystemExit):
        run(*options, "--layer-decay", "0.5", "--resume")
    assert "give the options it was started with" in capsys.readouterr().err
    Path("new.txt").write_text(NEW + "more.\n")
    with pytest.raises(SystemExit):
        run(*options, "--resume")
    assert "put the text back as it was" in capsys.readouterr().err


def test_what_is_forgotten_is_seen_on_the_models_own_validation_text() -> None:
    prepare([Text(path=Path("old.txt"))], Path("data/old"), kind="char", valid_fraction=0.5)
    facts = json.loads(Path("data/old/data.json").read_text())
    save_source(command="python -m train.pretrain --data elsewhere", data=facts)
    report = run()
    assert report["old"]["text"] == "old.txt"
    assert report["old"]["after"]["bytes"] == facts["valid"]["bytes"]
    assert report["old"]["after"]["loss"] != report["old"]["before"]["loss"]


def test_without_any_old_text_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    save_source()
    assert run()["old"] is None
    assert "with --old-text FILE" in capsys.readouterr().out


def test_a_text_with_unknown_letters_is_refused_with_all_of_them_and_the_way_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_source()
    Path("new.txt").write_text(NEW + "Zoë!\n" + NEW)
    with pytest.raises(SystemExit):
        run()
    said = capsys.readouterr().err
    assert "never seen: '!' (EXCLAMATION MARK), 'Z'" in said
    assert "LATIN SMALL LETTER E WITH DIAERESIS" in said
    assert "python -m train.prepare new.txt --tokenizer char --out FOLDER" in said
    assert not Path("run").exists()


def test_the_way_out_is_a_way(capsys: pytest.CaptureFixture[str]) -> None:
    save_source()
    Path("new.txt").write_text(NEW + "Zoë!\n" + NEW)
    prepare([Text(path=Path("new.txt"))], Path("mine"), kind="char")
    with pytest.raises(SystemExit):
        run(data="mine")
    refused = capsys.readouterr().err
    size = len(set(NEW)) + len("Z!ë") + 1
    assert f"mine was cut by another tokenizer (char, {size} tokens) than source-llama" in refused
    assert "add --tokenizer mine" in refused
    report = run("--tokenizer", "mine", "--old-text", "old.txt", data="mine")
    assert report["vocabulary"] == {"shared": size - 3, "composed": 0, "unknown": 3}
    assert f"{size - 3} of {size} pieces are shared" in capsys.readouterr().out
    assert report["new"]["after"]["bpb"] < report["new"]["before"]["bpb"]
    best = gpt.load("run/best")
    assert best.config.vocab_size == size
    assert best.tokenizer.encode("Zoë!")


def test_both_are_compared_on_what_both_can_read(capsys: pytest.CaptureFixture[str]) -> None:
    source = gpt.load(save_source())
    tail = f"{'the cat ran on the mat, ' * 3}Zoë!\n" * 2
    Path("new.txt").write_text(NEW + tail)
    prepare([Text(path=Path("new.txt"))], Path("mine"), kind="char", valid_fraction=0.1)
    report = run("--tokenizer", "mine", "--old-text", "old.txt", data="mine")
    text = (NEW + tail)[int(0.9 * len(NEW + tail)) :]
    assert report["new"]["left_out"] == sum(text.count(c) for c in "Zë!") > 0
    assert report["new"]["before"]["bytes"] == len(text) - report["new"]["left_out"]
    Path("read.txt").write_text("".join(c for c in text if c not in "Zë!"))
    for folder, when in (("source-llama", "before"), ("run/best", "after")):
        capsys.readouterr()
        evaluate.main([folder, "--text", "read.txt", "--device", "cpu"])
        said = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert report["new"][when]["bpb"] == pytest.approx(said["val_bpb"], abs=1e-6)
    assert source.tokenizer.vocab_size == len(LETTERS) + 1


def test_two_that_can_read_hardly_the_same_text_are_not_compared(
    capsys: pytest.CaptureFixture[str],
) -> None:
    save_source()
    Path("old.txt").write_text("xxjj " * 30)
    prepare([Text(path=Path("new.txt"))], Path("mine"), kind="char")
    report = run("--tokenizer", "mine", "--old-text", "old.txt", data="mine")
    assert report["old"] == {"text": "old.txt", "left_out": 120, "before": None, "after": None}
    assert "cannot be compared" in capsys.readouterr().out


def test_a_new_vocabulary_has_to_be_learnt(capsys: pytest.CaptureFixture[str]) -> None:
    save_source()
    prepare([Text(path=Path("new.txt"))], Path("mine"), kind="char")
    for option in (["--lora", "2"], ["--freeze-embeddings"]):
        with pytest.raises(SystemExit):
            run("--tokenizer", "mine", *option, data="mine")
        assert "leave out --lora and --freeze-embeddings" in capsys.readouterr().err


def test_a_data_folder_cut_by_the_models_own_tokenizer_is_taken() -> None:
    source = gpt.load(save_source())
    prepare([Text(path=Path("new.txt"))], Path("mine"), kind=source.tokenizer)
    assert run(data="mine")["vocabulary"] is None
    assert not Path("run/data").exists()


@pytest.mark.parametrize("name", ["gpt2", "llama-tied-grouped", "llama-untied"])
def test_a_folder_that_transformers_wrote_learns_with_its_own_tokenizer(name: str) -> None:
    tokenizer = byte_level()
    ids = {"eos_token": "<|endoftext|>", "bos_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **ids).save_pretrained("theirs")
    random_model(name, 700).save_pretrained("theirs", max_shard_size="20KB")
    report = run("--lora", "2", source="theirs")
    assert report["new"]["after"]["loss"] < report["new"]["before"]["loss"]
    best = gpt.load("run/best")
    assert best.tokenizer.encode("A crow! é") == tokenizer.encode("A crow! é").ids


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--lora", "99"], "the rank must be between 1 and 32"),
        (["--lora", "-1"], "lora must be 0 or above"),
        (["--freeze-first", "3"], "between 0 and 2, the blocks of this model, not 3"),
        (["--layer-decay", "0"], "layer_decay must be above 0"),
        (["--block-size", "64"], "block_size must be at most 24, the window of source-llama"),
        (["--from", "nothing"], "no checkpoint in nothing"),
        (["--data", "nothing"], "expected a data folder or a text file as --data, there is no"),
        (["--old-text", "nothing"], "No such file"),
        (["--n-layer", "3"], "unrecognized arguments: --n-layer"),
    ],
)
def test_a_wrong_option_is_one_clear_line(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    save_source()
    with pytest.raises(SystemExit) as end:
        run(*options)
    assert end.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]
