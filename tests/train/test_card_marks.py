"""A name, a prompt or a command with marks of Markdown in it cannot break a card."""

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest

import gpt
from gpt.generate import make_parser
from tests.support.tales import corpus
from tests.train.test_model_card import TRAINING
from train.data.folder import find_data
from train.evaluate import main
from train.hub.hub_card import published_card
from train.run.card import facts_table, write_card
from train.run.document import Heading, Paragraph, Table, Verbatim, markdown, page
from train.run.marks import (
    command_line,
    command_of,
    escaped,
    generate_command,
    paragraph,
    shell_word,
    told,
)

NAMES = [
    'it\'s "so"',
    "a|b||",
    "# no heading #",
    "-x --out y",
    "$(touch x) $HOME `id`",
    "ein Märchen \u2028 von 狐 \u202e\U0001f98a",
    "a\r\n\r\n---\n# b\n\n    c",
    "x" * 90 + " <i> " + "y" * 90,
    "a](http://b.example) ![c](d)",
    "&lt;b&gt; &#60;i&#62; &amp;copy;",
    "*a* _b_ __c__ ~~d~~ \\* \\",
    "<!-- a --><script>alert(1)</script>",
    "1. a\x00\x1b[31m".replace("\x00", ""),
]
"""What a file, a folder or a prompt may be called."""
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


@pytest.mark.parametrize("given", ["--data {}", "--data={}"])
@pytest.mark.parametrize("name", ["tales of two", "a'b", 'it "is"', *NAMES])
def test_data_whose_folder_needs_quotes_is_found_by_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, given: str
) -> None:
    name = name.replace("/", "\u2215")
    corpus(tmp_path, **TRAINING).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    checkpoint = gpt.load(tmp_path / "noise")
    words = [each.format(tmp_path / name) for each in given.split(" ")]
    command = shlex.join(["python", "-m", "train.pretrain", *words])
    found = find_data({**checkpoint.training, "command": command}, "train")
    assert found is not None
    assert found.folder == tmp_path / name


def test_a_command_whose_quotes_do_not_close_names_no_data(tmp_path: Path) -> None:
    corpus(tmp_path, **TRAINING)
    about = gpt.load(tmp_path / "noise").training
    assert find_data({**about, "command": "train --data 'open"}, "train", [tmp_path]) is None


def seen(text: str) -> str:
    """What Markdown shows of a line that `escaped` made."""
    assert not re.search(r"(?<!\\)(?:\\\\)*(?:[`*<>|\[\]~$]|&(?=#?\w+;))", text), text
    return re.sub(r"\\([\\`*<>|\[\]~$&_#.+=-])", r"\1", text)


def one_line(text: str) -> str:
    return re.sub("[\x00-\x1f\u202a-\u202e]", "\ufffd", " ".join(text.split()))


@pytest.mark.parametrize("name", [EVIL, PROMPT, *NAMES])
def test_whatever_is_escaped_is_shown_as_it_was(name: str) -> None:
    assert seen(escaped(name)) == seen(paragraph(name)) == one_line(name)
    assert not re.match(r"[-+=#]|\d+[.)]\s", paragraph(name))


@pytest.mark.parametrize("name", NAMES)
def test_no_name_changes_the_form_of_a_card_or_a_report(name: str) -> None:
    sources = [{"name": name, "serves": "train"}]
    command = shlex.join(["python", "-m", "train.pretrain", "--sample-prompt", name])
    about = training(**origin(name), command=command)
    card = write_card({**about, "data": {**about["data"], "sources": sources}})
    plain = write_card(training(**origin("a"), command="a"))
    assert loose_marks(card) == []
    assert len(card.splitlines()) == len(plain.splitlines())
    for row in facts_table(about).splitlines():
        assert re.fullmatch(r"\| (?:[^|\\]|\\.)*\| (?:[^|\\]|\\.)*\|", row), row
    parts = [Heading(name), Paragraph(name), Table((name, ""), [(name, name)])]
    assert len(markdown(parts).splitlines()) == 7
    html = page(name, [*parts, Verbatim(name)])
    assert "<i>" not in html
    assert "<script" not in html
    assert unescape(re.findall("<td>(.*?)</td>", html, re.DOTALL)[0]) == name


@pytest.mark.parametrize("name", [EVIL, PROMPT, *NAMES])
def test_a_command_in_a_card_is_one_line_that_a_shell_reads_as_it_was(name: str) -> None:
    line = command_line(shlex.join(["printf", "%s", name]))
    assert line.isprintable()
    if bash := shutil.which("bash"):
        env = {"LC_ALL": "C.UTF-8"}
        ended = subprocess.run([bash, "-c", line], capture_output=True, check=True, env=env)
        assert ended.stdout.decode() == name


def test_a_name_that_is_no_utf_8_can_be_written() -> None:
    broken = os.fsdecode(b"tales-\xff.txt")
    about = training(command=shlex.join(["python", broken]))
    about["data"]["sources"] = [{"name": broken, "serves": "train"}]
    assert "on tales-\ufffd.txt." in write_card(about).encode("utf-8").decode("utf-8")
    assert "tales-\ufffd" in page(broken, [Verbatim(broken)]).encode("utf-8").decode("utf-8")


def test_the_marks_of_a_story_are_told_as_they_are() -> None:
    said = told("1. a", " b\r- c\n===\nit cost $5 or $6\n2) d")
    assert said.splitlines() == [
        r"> **1\. a** b  ",
        r"> \- c  ",
        r"> \===  ",
        r"> it cost \$5 or \$6  ",
        r"> 2\) d",
    ]


@pytest.mark.parametrize("prompt", ["-Non", "--seed", "- Oui", "Once\nupon", "$(touch x)"])
def test_the_command_that_writes_on_reads_its_prompt_however_it_begins(prompt: str) -> None:
    for model in ("runs/a b", "-run"):
        command = generate_command(model, prompt, "--seed 7")
        words = shell("printf '%s\\0' " + command).split("\0")[3:-1]
        read = make_parser().parse_args(words)
        assert (read.checkpoint, read.prompt, read.seed) == (model, prompt, 7)


def shell(line: str) -> str:
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True).stdout


def test_a_command_with_a_name_that_is_no_utf_8_can_be_noted() -> None:
    name = os.fsdecode(b"caf\xe9.txt")
    assert command_of("train.pretrain", ["--data", name]).encode()
    line = ["bash", "-c", f"printf %s {shell_word(name)}"]
    assert subprocess.run(line, capture_output=True, check=True).stdout == b"caf\xe9.txt"
