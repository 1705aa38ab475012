"""A name, a prompt or a command with marks of Markdown in it cannot break a card."""

import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import gpt
from tests.support.tales import corpus
from tests.train.test_model_card import TRAINING
from train.data.folder import find_data
from train.evaluate import main
from train.hub.hub_card import published_card
from train.run.card import facts_table, write_card

EVIL = "a`<b>|\n# x.txt"
"""A file may be called so."""
PROMPT = "Once\n\n<script>alert(1)</script>\r\n# A heading\n"
COMMAND = shlex.join(["python", "-m", "train.pretrain", "--sample-prompt", PROMPT])


def training(**values: Any) -> dict[str, Any]:
    sources = [{"name": EVIL, "serves": "train"}]
    part = {"bytes": 10, "tokens": 10}
    data = {"sources": sources, "tokenizer": "char", "vocab_size": 9, "train": part, "valid": part}
    config = {
        "family": "llama",
        "n_layer": 1,
        "n_head": 1,
        "n_embd": 8,
        "block_size": 64,
        "max_steps": 10,
    }
    return {**TRAINING, "data": data, "config": config, "command": COMMAND, **values}


def origin(name: str) -> dict[str, Any]:
    learnt = {"said": "all", "parameters": 3}
    teachers = {"share": 0.5, "teachers": [{"name": name, "sha256": "0" * 64}]}
    return {
        "from": {"name": name, "sha256": "0" * 64},
        "finetune": learnt,
        "distilled": teachers,
    }


def loose_marks(card: str) -> list[str]:
    """The lines outside code blocks where a mark of Markdown or HTML stands unescaped."""
    lines = [line for line in card.splitlines() if not line.startswith("    ")]
    bare = [re.sub(r"(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)", "", line) for line in lines]
    return [line for line in bare if re.search(r"(?<!\\)[<>`]", line)]


def test_the_card_of_a_training_keeps_its_form_whatever_its_files_and_prompts_are_called() -> None:
    card = write_card(training(**origin(EVIL)))
    assert loose_marks(card) == []
    headings = [line for line in card.splitlines() if line.startswith("#")]
    assert headings == ["# A small llama model that continues stories"]
    assert card.splitlines()[-1].startswith("    python -m train.pretrain --sample-prompt $'Once")
    assert card.count("\n    python") == 1


def test_a_table_of_facts_has_a_row_a_line_and_two_cells_a_row() -> None:
    for row in facts_table(training(**origin(EVIL))).splitlines():
        assert re.fullmatch(r"\| (?:[^|\\]|\\.)*\| (?:[^|\\]|\\.)*\|", row), row


def test_the_names_that_cards_had_stay_as_they_were() -> None:
    plain = training(**origin("stories-v2_a"), command=TRAINING["command"])
    plain["data"]["sources"] = [{"name": "my_text (2).txt", "serves": "train"}]
    card = write_card(plain)
    assert "from `stories-v2_a` on my_text (2).txt." in card
    assert f"\n    {TRAINING['command']}\n" in card
    assert "| begun from | stories-v2_a, weights 0000000000000000 |" in card


def test_the_card_of_a_report_keeps_its_form(tmp_path: Path) -> None:
    command = shlex.join(["python", "-m", "train.pretrain", "--data", "data/t", "--out", "a\n# b"])
    data = corpus(tmp_path, **{**TRAINING, "command": command})
    text = tmp_path / "a|<b>`.txt"
    text.write_text("The fox slept. The hen sang.\n" * 40)
    main(
        [
            *(str(tmp_path / "noise"), "--report", "--data", str(data), "--openings", "2"),
            *("--text", str(text), "--prompt", "A hen.\n# No heading"),
        ]
    )
    card = (tmp_path / "noise" / "README.md").read_text()
    assert r"a\|\<b\>\`.txt" in card
    assert not re.search(r"^# (b|No heading)", card, re.M)
    for line in card.splitlines():
        if line.startswith("| `train.evaluate`"):
            assert re.fullmatch(r"\| (?:[^|\\]|\\.)*\| (?:[^|\\]|\\.)*\|", line), line


def test_the_card_of_the_hub_keeps_its_form(tmp_path: Path) -> None:
    corpus(tmp_path, **TRAINING)
    checkpoint = gpt.load(tmp_path / "noise")
    config = {**TRAINING["config"], "sample_prompt": "The fox\n# No heading"}
    about = {**checkpoint.training, "config": config, "date": "<b>|\n# x"}
    card = published_card(replace(checkpoint, training=about, card=""), "ada/noise")
    assert "gpt.generate ada/noise $'The fox\\n# No heading' --temperature" in card
    assert r"| date | \<b\>\| # x |" in card


@pytest.mark.parametrize("name", ["tales of two", "a'b", 'it "is"'])
def test_data_whose_folder_needs_quotes_is_found_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    corpus(tmp_path, **TRAINING).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    checkpoint = gpt.load(tmp_path / "noise")
    command = shlex.join(["python", "-m", "train.pretrain", "--data", str(tmp_path / name)])
    found = find_data({**checkpoint.training, "command": command}, "train")
    assert found is not None
    assert found.folder == tmp_path / name


def test_a_command_whose_quotes_do_not_close_names_no_data(tmp_path: Path) -> None:
    corpus(tmp_path, **TRAINING)
    about = gpt.load(tmp_path / "noise").training
    assert find_data({**about, "command": "train --data 'open"}, "train", [tmp_path]) is None
