"""Training from the page, without a page: real processes, a tiny text, one owner and another."""

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from chat.asking import RefusedError
from chat.workbench import LEAST_CHARACTERS, MOST_BYTES, Workbench, check
from chat.workshop import Lesson, Workshop
from gpt.checkpoint import load

ROOT = Path(__file__).parents[1]
PATIENCE_S = 240
TEXT = (ROOT / "data" / "story.txt").read_text(encoding="utf-8")[:3000]
TINY = ("--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "16")
"""So that 300 steps are soon done."""


def lesson(steps: int, *options: str) -> Lesson:
    plan = {
        "module": "train.pretrain",
        "options": [*TINY, "--max-steps", str(steps), "--eval-every", "5", *options],
        "steps": steps,
    }
    return Lesson(name="My Tales.txt", text=TEXT, plan=plan)


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    """A project folder with the code and no runs."""
    for part in ("gpt", "train"):
        (tmp_path / part).symlink_to(ROOT / part)
    return Workshop(tmp_path)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def state(shop: Workshop, owner: str = "ada") -> dict:
    return shop.all(owner)[0]


@pytest.mark.slow
def test_a_training_is_begun_paused_found_by_another_app_and_brought_to_its_end(shop):
    key = shop.start("ada", lesson(400))
    assert key == "my-tales"
    assert state(shop)["state"] == "training"
    with pytest.raises(RefusedError, match="One training at a time"):
        shop.start("bob", lesson(5))
    until(lambda: state(shop)["model"] and state(shop)["step"] >= 10)
    # What it has learnt so far can be written with.
    assert load(shop.runs / key / "best").tokenizer.vocab_size == len(set(TEXT)) + 1
    # An app that was started anew has no child, and finds it all the same.
    other = Workshop(shop.root)
    assert state(other)["state"] == "training"
    other.halt("ada", key, "paused")
    until(lambda: state(shop)["state"] == "paused")
    assert state(other)["state"] == "paused"
    step = state(other)["step"]
    assert 10 <= step < 400
    other.resume("ada", key)
    until(lambda: state(other)["state"] == "done")
    done = state(other)
    assert (done["step"], done["left_s"], done["why"]) == (400, None, None)
    assert done["sample"]["step"] == 400
    assert [step for step, _ in done["valid"]] == list(range(0, 401, 5))
    with pytest.raises(RefusedError, match="come to its end"):
        other.resume("ada", key)


@pytest.mark.slow
def test_a_training_that_was_killed_says_so_and_goes_on(shop):
    key = shop.start("ada", lesson(2000))
    until(lambda: state(shop)["step"] >= 10)
    os.kill(json.loads((shop.runs / key / "page.json").read_text())["pid"], signal.SIGKILL)
    until(lambda: state(shop)["state"] == "broken")
    shop.resume("ada", key)
    step = state(shop)["step"]
    until(lambda: state(shop)["step"] > step)
    shop.halt("ada", key, "stopped")
    until(lambda: state(shop)["state"] == "stopped")
    assert state(shop)["step"] > step


def test_a_training_that_was_ended_early_is_done_once_its_report_is_written(shop):
    folder = shop.runs / "hers"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 50}, "halted": None}
    (folder / "page.json").write_text(json.dumps(about))
    (folder / "metrics.jsonl").write_text('{"step": 30, "elapsed_s": 3.0, "val_loss": 2.0}\n')
    assert state(shop)["state"] == "broken"
    (folder / "report.json").write_text("{}")
    assert state(shop)["state"] == "done"


@pytest.mark.slow
def test_a_training_that_cannot_begin_says_why(shop):
    shop.start("ada", lesson(5, "--learning-rate", "-1"))
    until(lambda: state(shop)["state"] == "broken")
    assert "learning_rate must be above 0" in state(shop)["why"]


def test_nobody_sees_or_stops_the_training_of_another(shop):
    folder = shop.runs / "hers"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 5}, "halted": "paused"}
    (folder / "page.json").write_text(json.dumps(about))
    assert [each["key"] for each in shop.all("ada")] == ["hers"]
    assert shop.all("bob") == []
    for key in ("hers", "../hers", "gone"):
        with pytest.raises(RefusedError, match="no training"):
            shop.halt("bob", key, "stopped")
        with pytest.raises(RefusedError, match="no training"):
            shop.resume("bob", key)


def test_a_process_that_took_over_the_number_is_not_taken_for_the_training(shop):
    folder = shop.runs / "old"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 5}, "halted": None, "pid": os.getpid()}
    (folder / "page.json").write_text(json.dumps(about))
    assert state(shop)["state"] == "broken"


@pytest.mark.slow
def test_a_plan_tells_steps_time_and_size_and_names_what_a_model_cannot_read(shop):
    bench = Workbench(shop, "ada")
    assert bench.bring("a.txt", 0, 2, TEXT[:1000]) is None
    bench.open("a.txt", bench.bring("a.txt", 1, 2, TEXT[1000:]) or [])
    plan = asyncio.run(bench.plan(None)).plan
    assert (plan["module"], plan["steps"]) == ("train.pretrain", 300)
    assert plan["seconds"] > 0
    assert plan["parameters"] > 100_000
    bench.open("b.txt", [TEXT + "你好"])
    with pytest.raises(RefusedError, match="你"):
        asyncio.run(bench.plan(ROOT / "checkpoints" / "shakespeare"))


def test_what_cannot_be_learnt_from_is_refused_with_the_reason(shop):
    bench = Workbench(shop, "ada")
    for text, why in (
        ("too short", f"fewer than {LEAST_CHARACTERS:,}"),
        ("x" * (MOST_BYTES + 1), "up to 5 MB"),
        ("\0" + TEXT, "no plain text"),
        ("\x01\x02" * 2000, "no plain text"),
    ):
        with pytest.raises(RefusedError, match=why):
            check("a.txt", text)
    with pytest.raises(RefusedError, match="did not arrive whole"):
        bench.bring("a.txt", 1, 2, TEXT)
    with pytest.raises(RefusedError, match="Bring a text first"):
        bench.start()
    check("a.txt", TEXT)


def test_line_ends_of_any_system_and_a_byte_order_mark_are_read_as_one(shop):
    bench = Workbench(shop, "ada")
    bench.open("a.txt", ["\ufeff" + "One.\r\nTwo.\r" * 300])
    assert bench.brought == ("a.txt", "One.\nTwo.\n" * 300)


def test_each_training_has_a_folder_of_its_own(shop):
    for name, folder in (("Ä.txt", "mine"), ("../../etc/x.txt", "etc-x"), ("", "mine-2")):
        key = shop._new_folder(name)
        assert key == folder
