"""The card that train.evaluate --report writes: all that is asked of it, no one's words lost."""

import json
import re
from pathlib import Path

import pytest

import gpt
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from tests.support.tales import corpus
from tests.support.tiny_checkpoint import save_characters
from train.evaluate import main
from train.loop.config import TrainConfig
from train.reports.model_card import elsewhere, own_words, teachers_commands
from train.run.marks import shell_word, told

pytestmark = pytest.mark.heavy

TRAINING = {
    "command": "python -m train.pretrain --data data/tales --preset story",
    "config": TrainConfig(batch_size=4, accumulate=3, sample_prompt="The fox").to_dict(),
    "parameters": 1234,
    "window": 64,
    "step": 10,
    "tokens": 5120,
    "val_loss": 2.5,
    "val_bpb": 3.6067,
    "elapsed_s": 120.0,
    "machine": {"device": "cpu", "threads": 2, "cores": 2, "torch": "2"},
    "date": "2026-11-21",
}
OWN = """---
license: mit
language: en
---
# noise: tells of a fox

A first try, *by hand*.

| | |
| --- | --- |
| parameters | 1 |

## What it is good and bad at

It is bad at everything.

Truly.
"""


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The command line that writes the card of a model of noise, which has words of its own."""
    data = corpus(tmp_path, **TRAINING)
    (tmp_path / "noise" / "README.md").write_text(OWN)
    (tmp_path / "noise" / "loss.png").write_bytes(b"a picture")
    options = ["--data", str(data), "--openings", "2", "--prompt", "A hen.", "--prompt", "So\n"]
    return [str(tmp_path / "noise"), "--report", *options]


def test_the_card_has_facts_recipe_curve_scores_and_the_table(words, tmp_path, capsys) -> None:
    main(words)
    scored = json.loads(capsys.readouterr().out.splitlines()[1])
    card = (tmp_path / "noise" / "README.md").read_text()
    assert "| parameters | 1,234 |" in card
    assert "2.5000 nats per token" in card
    assert "![Training and validation loss](loss.png)" in card
    assert (
        f"| `train.evaluate`, valid.txt | {scored['val_loss']:.4f} nats per token, "
        f"{scored['val_bpb']:.4f} bits per byte; sliding {scored['val_loss_sliding']:.4f}, "
        f"{scored['val_bpb_sliding']:.4f} |"
    ) in card
    assert (
        "    python -m train.prepare train.txt --valid valid.txt --tokenizer char "
        f"--out data/tales\n    {TRAINING['command']}\n"
    ) in card
    assert f"    {TRAINING['command']} --device cuda --batch-size 12 --accumulate 1\n" in card
    for row in (
        "distinct-3",
        "repeated 4-grams",
        "quote balance",
        "names kept",
        "longest verbatim",
    ):
        assert re.search(rf"^\| {row}.* \| .* \| .* \|$", card, re.M), row
    assert "## Does it hang together?" in card
    assert "| two neighbouring sentences of the middle change places |" in card
    assert "| cannot be judged | none of 8 stories has two names" in card
    assert re.search(r"^\| the same sentence twice \| .* \| .* \|$", card, re.M)
    assert f"    python -m train.evaluate {tmp_path}" in card
    assert "--prompt 'A hen.' --prompt $'So\\n'\n" in card


def test_a_training_on_a_gpu_has_its_command_for_a_cpu_with_the_same_windows_in_a_step() -> None:
    command = "python -m train.pretrain --data data/tales --device cuda --batch-size 32 --compile"
    machine, config = {"device": "NVIDIA H200"}, {"batch_size": 32, "accumulate": 1}
    said, other = elsewhere({"command": command, "machine": machine, "config": config})
    assert said.startswith("It was trained on an NVIDIA H200. On a CPU, 4 windows at a time;")
    assert other == (
        "python -m train.pretrain --data data/tales --compile "
        "--device cpu --batch-size 4 --accumulate 8"
    )
    config = {"batch_size": 3, "accumulate": 2}
    taught = {"teachers": [], "share": 0.5}
    said, other = elsewhere(
        {"command": command, "machine": machine, "config": config, "distilled": taught}
    )
    assert "2 windows at a time, its teachers alike;" in said
    assert other.endswith("--batch-size 2 --accumulate 3")


def test_the_commands_of_its_teachers_stand_before_its_own_and_write_where_it_looks() -> None:
    taught = "python -m train.pretrain --preset story --teachers runs/a/best hers runs/c/best"
    teachers = [
        {"name": "a", "command": "python -m train.pretrain --preset small"},
        {"name": "hers", "command": "python -m train.pretrain --preset gpt2"},
        {"name": "c"},
    ]
    training = {"command": f"{taught} --teacher-share 0.7", "distilled": {"teachers": teachers}}
    assert list(teachers_commands(training)) == [
        "python -m train.pretrain --preset small --out runs/a",
        "python -m train.pretrain --preset gpt2",
    ]
    assert list(teachers_commands({"command": taught})) == []


def test_each_sample_is_what_its_command_writes(words, tmp_path: Path) -> None:
    main(words)
    card = (tmp_path / "noise" / "README.md").read_text()
    checkpoint = gpt.load(tmp_path / "noise")
    for prompt in ("A hen.", "So\n"):
        for temperature in (0.5, 0.8, 1.1):
            params = SamplingParams(temperature=temperature, seed=7, max_new_tokens=300)
            stream = Generator(checkpoint.model, checkpoint.tokenizer).stream(prompt, params)
            text = "".join(token.text for token in stream)
            command = (
                f"python -m gpt.generate {tmp_path / 'noise'} {shell_word(prompt)} "
                f"--temperature {temperature} --max-new-tokens 300 --seed 7"
            )
            assert f"    {command}\n\n{told(prompt, text)}\n" in card


def test_what_people_wrote_is_there_again_however_often_it_is_made(words, tmp_path) -> None:
    main(words)
    path = tmp_path / "noise" / "README.md"
    first = path.read_text()
    assert first.startswith(OWN.split("\n\n|")[0] + "\n\n| | |\n")
    assert "## What it is good and bad at\n\nIt is bad at everything.\n\nTruly.\n" in first
    assert "parameters | 1 |" not in first
    main(words)
    assert path.read_text() == first


def test_a_card_without_words_of_its_own_says_nothing_of_good_and_bad(words, tmp_path) -> None:
    (tmp_path / "noise" / "README.md").write_text("")
    main(words)
    card = (tmp_path / "noise" / "README.md").read_text()
    assert card.startswith("# noise\n\n| | |\n")
    assert "good and bad" not in card


def test_words_after_the_last_heading_and_a_rule_within_them_are_kept() -> None:
    assert own_words("# a\n\n## What it is good and bad at\n\nx\n\n---\n\ny\n\n## More\n") == (
        "",
        "# a",
        "x\n\n---\n\ny",
    )


def test_without_prompts_it_goes_on_from_those_of_the_training(words, tmp_path) -> None:
    main(words[:-4])
    card = (tmp_path / "noise" / "README.md").read_text()
    asked = re.findall(r"gpt\.generate \S+ ('[^']*')", card)
    assert asked[:3] == ["'The fox'"] * 3
    assert len(asked) == 9


def test_the_curve_of_the_run_comes_along(words, tmp_path: Path) -> None:
    (tmp_path / "noise" / "loss.png").rename(tmp_path / "loss.png")
    main(words)
    assert (tmp_path / "noise" / "loss.png").read_bytes() == b"a picture"


def test_several_texts_are_scored_one_after_the_other(words, tmp_path, capsys) -> None:
    texts = [str(tmp_path / name) for name in ("train.txt", "valid.txt")]
    main([words[0], "--text", *texts, "--last-fraction", "0.5"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("tokens of ")[-1] for line in lines[::2]] == [
        "the last 0.5 of train.txt",
        "the last 0.5 of valid.txt",
    ]
    assert json.loads(lines[1])["bytes"] < json.loads(lines[3])["bytes"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--prompt", "Ünder"], "Ü"),
        (["--data", "/nowhere"], "the text that noise learnt from is not in /nowhere"),
        (["--text", "/nowhere.txt"], "/nowhere.txt"),
        (["--openings", "50"], "expected 50 openings"),
    ],
)
def test_a_card_that_cannot_be_made_is_one_line_and_the_old_one_stays(
    words, more, message, tmp_path: Path
) -> None:
    with pytest.raises(SystemExit, match=f"train.evaluate: .*{message}"):
        main([*words, *more])
    assert (tmp_path / "noise" / "README.md").read_text() == OWN


def test_a_model_that_was_not_trained_here_gets_no_card(tmp_path: Path) -> None:
    folder = save_characters(tmp_path / "other")
    with pytest.raises(SystemExit, match=r"expected a training\.json"):
        main([str(folder), "--report"])


def test_a_text_is_asked_for_unless_a_card_is(tmp_path: Path, capsys) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path)])
    assert "give it as --text FILE" in capsys.readouterr().err
