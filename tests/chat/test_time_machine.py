"""The time machine without a page: it writes at saved steps, and ends when it is told to."""

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from chat.models import find_models
from chat.models.engines import Engines
from chat.models.saved_steps import Curve, find_steps
from chat.models.training_texts import TrainingTexts
from chat.panels.time_machine import TimeMachine
from chat.panels.timeline import remarks, runs_data, spelt_words
from chat.turns import Turns
from tests.chat.test_session import RecordingPage, until
from tests.support.tiny_checkpoint import LETTERS, save_characters
from train.data.prepare import prepare
from train.data.texts import Text

LONG = 2048


class HearingPage(RecordingPage):
    """Puts together what the machine tells."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: dict[str, str] = {}
        self.ends: dict[str, tuple[str, int]] = {}
        self.words: dict[str, tuple[int, int]] = {}
        self.errors: dict[str | None, str] = {}
        self.over: list[str] = []

    async def emit(self, event, data) -> None:
        assert event == "machine_news"
        step = data.get("step")
        if "text" in data:
            self.texts[step] = self.texts.get(step, "") + data["text"]
        if "ending" in data:
            self.ends[step] = (data["ending"], data["tokens"])
        if "words" in data:
            self.words[step] = (data["words"], data["known"])
        if "error" in data:
            self.errors[step] = data["error"]
        if data.get("over"):
            self.over.append(data["job"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    run = tmp_path / "runs" / "mine"
    save_characters(run / "best")
    for step, wide in ((0, 16), (10, 24), (100, 32)):
        save_characters(run / "steps" / f"{step:06}", step=step, n_embd=wide)
    return tmp_path


def request(*steps: str, **settings: object) -> dict[str, Any]:
    usual = {"prompt": "Once", "seed": "7", "temperature": 0.8, "max_new_tokens": 12}
    return {"job": "a job", "steps": [f"mine@{step}" for step in steps], **usual, **settings}


def at_a_machine(
    root: Path, act: Callable[[TimeMachine, HearingPage, Engines], Awaitable[None]]
) -> None:
    async def run() -> None:
        engines, page = Engines(max_loaded=1, max_batch=1), HearingPage()
        turns = Turns(1, each=1)
        sources = TrainingTexts(root / "data")
        machine = TimeMachine(page, engines, lambda: find_models(root, ""), turns, sources)
        try:
            await act(machine, page, engines)
            await until(lambda: engines.active == 0)
            assert (engines.active, engines.waiting, turns.in_hand) == (0, 0, 0)
        finally:
            engines.close()

    asyncio.run(run())


async def write(machine: TimeMachine, data: dict[str, Any]) -> None:
    machine.start(data)
    await machine.ended()


def test_each_step_writes_its_own_text_and_the_same_one_again(root):
    first: dict[str, str] = {}

    async def act(machine, page, engines):
        await write(machine, request("000000", "000010", "000100"))
        assert page.over == ["a job"]
        assert page.errors == {}
        assert {each[1] for each in page.ends.values()} == {12}
        assert set(page.ends) == {"mine@000000", "mine@000010", "mine@000100"}
        assert len(set(page.texts.values())) == 3
        assert len(engines.names) == 1
        first.update(page.texts)
        page.texts.clear()
        await write(machine, request("000010"))
        assert page.texts == {"mine@000010": first["mine@000010"]}
        page.texts.clear()
        await write(machine, request("000010", seed="8"))
        assert page.texts["mine@000010"] != first["mine@000010"]

    at_a_machine(root, act)


def test_stop_leaves_the_engine_idle_and_tells_no_more(root):
    async def act(machine, page, engines):
        machine.start(request("000000", "000010", max_new_tokens=LONG))
        await until(lambda: len(page.texts.get("mine@000000", "")) > 20)
        assert engines.active == 1
        machine.stop()
        await machine.ended()
        written = len(page.texts["mine@000000"])
        await until(lambda: engines.active == 0)
        assert (page.over, page.ends, list(page.texts)) == ([], {}, ["mine@000000"])
        assert len(page.texts["mine@000000"]) == written < LONG

    at_a_machine(root, act)


def test_a_new_request_ends_the_one_before(root):
    async def act(machine, page, engines):
        machine.start(request("000000", max_new_tokens=LONG))
        await until(lambda: bool(page.texts))
        await write(machine, {**request("000100"), "job": "another"})
        assert page.over == ["another"]
        assert list(page.ends) == ["mine@000100"]

    at_a_machine(root, act)


def test_a_step_that_was_removed_or_damaged_is_said_and_the_others_are_written(root):
    steps = root / "runs" / "mine" / "steps"

    async def act(machine, page, engines):
        shutil.rmtree(steps / "000000")
        weights = (steps / "000010" / "model.safetensors").read_bytes()
        (steps / "000010" / "model.safetensors").write_bytes(weights[:-100])
        await write(machine, request("000000", "000010", "000100"))
        assert "no longer there" in page.errors["mine@000000"]
        assert "000010" in page.errors["mine@000010"]
        assert list(page.ends) == ["mine@000100"]
        assert page.over == ["a job"]

    at_a_machine(root, act)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"prompt": "naïve"}, "never saw ï"),
        ({"temperature": 9}, "out of range"),
        ({"seed": ""}, "Give a seed"),
        ({"seed": "dice"}, "is no number"),
        ({"max_new_tokens": 0}, "1 to 2048"),
        ({"steps": []}, "reload"),
        ({"steps": ["mine@000000", 3]}, "reload"),
        ({"prompt": None}, "reload"),
    ],
)
def test_what_cannot_be_written_is_said_and_ends_the_job(root, change, said):
    async def act(machine, page, engines):
        await write(machine, {**request("000000"), **change})
        assert [said in error for error in page.errors.values()] == [True]
        assert page.over == ["a job"]
        assert page.texts == {}

    at_a_machine(root, act)


def test_the_settings_of_the_panel_are_the_ones_used_whatever_the_beginning_says(root):
    async def act(machine, page, engines):
        await write(machine, request("000010"))
        plain = page.texts.pop("mine@000010")
        await write(machine, request("000010", prompt="/with t=2 max=3 seed=1 Once"))
        assert page.texts["mine@000010"] == plain

    at_a_machine(root, act)


def test_a_second_machine_waits_until_a_place_is_free(root):
    async def act(machine, page, engines):
        other_page = HearingPage()
        other = TimeMachine(
            other_page, engines, machine._find_models, machine._turns, TrainingTexts()
        )
        machine.start(request("000000", max_new_tokens=LONG))
        await until(lambda: bool(page.texts))
        other.start(request("000100"))
        await asyncio.sleep(0.05)
        assert other_page.texts == {}
        machine.stop()
        await other.ended()
        assert list(other_page.ends) == ["mine@000100"]

    at_a_machine(root, act)


def test_words_are_counted_that_stand_in_the_training_text_where_it_is_here(root):
    text = root / "mine.txt"
    text.write_text(LETTERS + "a b c d e f g h i j k l m n o p q r s t u v w x y z. " * 40)
    prepare([Text(path=text)], root / "data" / "mine", kind="char")
    data = json.loads((root / "data" / "mine" / "data.json").read_text())
    save_characters(root / "runs" / "mine" / "steps" / "000010", data=data, step=10)

    async def act(machine, page, engines):
        await write(machine, request("000010", "000100", max_new_tokens=200))
        written = "Once" + page.texts["mine@000010"]
        words = [word.lower() for word in re.findall(r"[A-Za-z]+(?:'[A-Za-z]+)*", written)]
        cut = written[-1].isalpha()
        counted = words[(written[4].isalpha() is False) : len(words) - cut]
        known = [word for word in counted if len(word) == 1]
        assert 0 < len(known) < len(counted)
        assert page.words == {"mine@000010": (len(counted), len(known))}

    at_a_machine(root, act)


def test_a_word_is_counted_whatever_its_case_and_a_cut_one_is_not():
    known = {"fox", "don't", "the", "on"}
    text = "Once on The Fox, don't_dont 7 the"
    assert spelt_words(text, 4, known, cut=False) == (6, 5)
    assert spelt_words(text, 4, known, cut=True) == (5, 4)
    # A word that was begun before counts where it ends.
    assert spelt_words("Once", 2, known, cut=False) == (1, 0)
    assert spelt_words("Once", 4, known, cut=False) == (0, 0)


# What is said of a step


def described(folder: Path, **training: object) -> list[str]:
    run = folder / "runs" / "r"
    data = {"tokenizer": "char", "vocab_size": 66, "train": {"tokens": 1000, "bytes": 1000}}
    save_characters(run / "best")
    save_characters(run / "steps" / "000050", **{"data": data, "step": 50, **training})  # type: ignore[arg-type]
    curve = Curve(valid=((0, 4.0), (25, 2.0), (50, 3.0)))
    return remarks(find_steps(find_models(folder, ""))["r"][0], curve)


def test_a_step_says_what_it_has_read_and_how_unsure_it_is(tmp_path):
    read, unsure, risen = described(tmp_path, tokens=2500)
    assert read == "It has read 2,500 characters: its whole training text 2.5 times over."
    # exp(3.0) = 20.09
    assert "as among 20 equally likely characters of the 66 it knows" in unsure
    assert risen == "On text it never saw it was better at step 25."


def test_a_step_says_nothing_that_is_not_known(tmp_path):
    assert described(tmp_path, data="?", tokens=None)[0].startswith("Before each next one")
    early = described(tmp_path / "early", tokens=5, val_loss=1.5)
    assert early[0] == "It has read 5 characters: less than 1 % of its training text."
    # exp(1.5) = 4.48
    assert "among 4.5 equally" in early[1]
    assert len(early) == 2
    # 66 tokens, each as likely as any other: log(66) = 4.19
    assert "no better than a blind guess" in described(tmp_path / "blind", val_loss=4.2)[0]


def test_step_zero_of_a_fine_tuned_run_is_not_called_random(tmp_path):
    assert "still the model" in described(tmp_path, step=0, **{"from": {"name": "stories"}})[0]
    assert "as chance threw them" in described(tmp_path / "new", step=0)[0]


def test_the_page_gets_the_steps_and_the_curve_of_every_run(root):
    (root / "runs" / "mine" / "metrics.jsonl").write_text(
        '{"step": 0, "val_loss": 4.25}\n{"step": 10, "train_loss": 3.5}\n{"step": 10, "val_lo'
    )
    (data,) = runs_data(lambda: find_models(root, ""))
    assert data["key"] == "mine"
    assert [each["step"] for each in data["steps"]] == [0, 10, 100]
    assert [each["val_loss"] for each in data["steps"]] == [4.25, None, None]
    assert data["curve"] == {"train": ((10, 3.5),), "valid": ((0, 4.25),)}
    assert all(isinstance(each["version"], str) for each in data["steps"])
