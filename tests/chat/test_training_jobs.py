"""Training from the page, without a page: real processes, a tiny text, one owner and another."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chat.errors import RefusedError
from chat.jobs.processes import run_json
from chat.jobs.training_jobs import PlannedTraining, TrainingJobs
from chat.jobs.training_progress import BROKE
from chat.jobs.upload import LEAST_CHARACTERS, MOST_BYTES, Upload, check
from chat.models.ownership import new_folder
from gpt.checkpoint import load

ROOT = Path(__file__).parents[2]
PATIENCE_S = 240
TEXT = (ROOT / "data" / "story.txt").read_text(encoding="utf-8")[:3000]
TINY = ("--n-layer", "1", "--n-head", "2", "--n-embd", "16", "--block-size", "16")
TINY += ("--sample-tokens", "8")
"""So that 300 steps are soon done."""


def planned(steps: int, *options: str) -> PlannedTraining:
    plan = {
        "module": "train.pretrain",
        "options": [*TINY, "--max-steps", str(steps), "--eval-every", "5", *options],
        "steps": steps,
    }
    return PlannedTraining(name="My Tales.txt", text=TEXT, plan=plan)


@pytest.fixture
def shop(tmp_path: Path) -> TrainingJobs:
    """A project folder with the code and no runs."""
    for part in ("gpt", "train"):
        (tmp_path / part).symlink_to(ROOT / part)
    return TrainingJobs(tmp_path)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def open_to_others(folder: Path) -> list[str]:
    """What lies in a folder, itself too, and can be read by others on this machine."""
    found = [folder, *folder.rglob("*")]
    return [str(each) for each in found if each.lstat().st_mode & 0o077]


def state(shop: TrainingJobs, owner: str = "ada") -> dict:
    return shop.all(owner)[0]


@pytest.mark.slow
def test_a_training_is_begun_paused_found_by_another_app_and_brought_to_its_end(shop):
    key = shop.start("ada", planned(400))
    assert key == "my-tales"
    assert state(shop)["state"] == "training"
    with pytest.raises(RefusedError, match="One training at a time"):
        shop.start("bob", planned(5))
    until(lambda: state(shop)["model"] and state(shop)["step"] >= 10)
    # What it has learnt so far can be written with.
    assert load(shop.folder("ada", key) / "best").tokenizer.vocab_size == len(set(TEXT)) + 1
    # An app that was started anew has no child, and finds it all the same.
    other = TrainingJobs(shop.root)
    assert state(other)["state"] == "training"
    other.halt("ada", key, "paused")
    until(lambda: state(shop)["state"] == "paused")
    assert state(other)["state"] == "paused"
    step = state(other)["step"]
    assert 10 <= step < 400
    other.resume("ada", key)
    until(lambda: state(other)["state"] == "done")
    assert open_to_others(shop.folder("ada", key)) == []
    done = state(other)
    assert (done["step"], done["left_s"], done["why"]) == (400, None, None)
    assert done["sample"]["step"] == 400
    assert [step for step, _ in done["valid"]] == list(range(0, 401, 5))
    with pytest.raises(RefusedError, match="come to its end"):
        other.resume("ada", key)


@pytest.mark.slow
def test_a_training_that_was_killed_says_so_and_goes_on(shop):
    key = shop.start("ada", planned(2000))
    until(lambda: state(shop)["step"] >= 10)
    os.kill(json.loads((shop.folder("ada", key) / "page.json").read_text())["pid"], signal.SIGKILL)
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
    shop.start("ada", planned(5, "--learning-rate", "-1"))
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


@pytest.mark.parametrize("pid", [-1, 0, 1, True, -(2**31), 2**22 + 1, 10**20, 7.0, "7", [7]])
def test_a_folder_that_names_no_process_has_no_process_ended(shop, monkeypatch, pid):
    killed: list[tuple[object, ...]] = []
    # Were it called, -1 would end every process of this user.
    monkeypatch.setattr("chat.jobs.training_jobs.os.kill", lambda *said: killed.append(said))
    folder = shop.runs / "old"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 5}, "halted": None, "pid": pid}
    (folder / "page.json").write_text(json.dumps(about))
    assert shop.all("ada") == []
    with pytest.raises(RefusedError, match="no training"):
        shop.halt("ada", "old", "stopped")
    assert killed == []


@pytest.mark.parametrize(
    "more",
    [
        {"began_s": float("inf")},
        {"began_s": True},
        {"from": ["a"]},
        {"plan": {"steps": 5, "module": ["train.pretrain"]}},
        {"plan": {"steps": 5, "options": "--out"}},
        {"plan": {"steps": 5, "options": [["--out"]]}},
    ],
)
def test_a_folder_that_misstates_a_training_is_nobodys(shop, more):
    folder = shop.runs / "old"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 5}, "halted": None, **more}
    (folder / "page.json").write_text(json.dumps(about))
    assert shop.all("ada") == []


def test_a_folder_that_names_no_module_is_not_resumed(shop):
    folder = shop.runs / "old"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 5}, "halted": "paused"}
    (folder / "page.json").write_text(json.dumps(about))
    with pytest.raises(RefusedError, match="trains no model"):
        shop.resume("ada", "old")


@pytest.mark.slow
def test_a_plan_tells_steps_time_and_size_and_names_what_a_model_cannot_read(shop):
    bench = Upload(shop, "ada")
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
    bench = Upload(shop, "ada")
    for text, why in (
        ("too short", f"fewer than {LEAST_CHARACTERS:,}"),
        ("x" * (MOST_BYTES + 1), "up to 5 MB"),
        ("\0" + TEXT, "it holds NUL"),
        ("{\\rtf1\\ansi " + TEXT, "is RTF: save it as plain text"),
        ("<!DOCTYPE html>" + TEXT, "is HTML"),
        ('{"text": "' + TEXT, "is JSON"),
        ("\x01\x02" * 2000, "no plain text"),
    ):
        with pytest.raises(RefusedError, match=why):
            check("a.txt", text)
    with pytest.raises(RefusedError, match="did not arrive whole"):
        bench.bring("a.txt", 1, 2, TEXT)
    with pytest.raises(RefusedError, match="Bring a text first"):
        bench.start()
    check("a.txt", TEXT)


@pytest.mark.parametrize(
    "line",
    [
        "\u3000その晩、老人は古い井戸のそばに腰を下ろした。\n",
        "«\xa0Qui est là\xa0?\xa0» demanda-t-il\u202f!\n",
        "می\u200cخواهم به خانه بروم.\n",
        "\u200fהוא אמר \u202bשלום\u202c.\n",
        "A syl\xadla\xadble, and a fam\u200dily.\r\n\x0b",
    ],
)
def test_prose_of_every_script_can_be_learnt_from(line):
    check("a.txt", line * 200)


def test_line_ends_of_any_system_and_a_byte_order_mark_are_read_as_one(shop):
    bench = Upload(shop, "ada")
    bench.open("a.txt", ["\ufeff" + "One.\r\nTwo.\r" * 300])
    assert bench.brought == ("a.txt", "One.\nTwo.\n" * 300)


def test_each_training_has_a_folder_of_its_own_by_a_name_that_is_free(shop):
    for name, folder in (("!.txt", "mine"), ("../../etc/x.txt", "etc-x"), ("", "mine-2")):
        assert new_folder(shop.runs, "ada", name).name == folder
    for name, folder in (
        ("Über die Berge.txt", "über-die-berge"),
        ("नमस्ते.txt", "नमस्ते"),
        ("雪国.txt", "雪国"),
        ("CON.txt", "con_"),
    ):
        assert new_folder(shop.runs, "ada", name).name == folder
    assert new_folder(shop.runs, "ada", "Stories.txt", {"stories"}).name == "stories-2"


PLAN = """
import json, os, subprocess, sys, time
from pathlib import Path
from typing import Any
began = Path("began") / str(os.getpid())
began.parent.mkdir(exist_ok=True)
began.touch()
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
Path(f"child-{os.getpid()}").write_text(str(child.pid))
while not Path("go").exists():
    time.sleep(0.02)
child.kill()
print(json.dumps({"steps": len(Path(sys.argv[1]).read_text())}))
"""


@pytest.fixture
def planner(tmp_path: Path) -> TrainingJobs:
    """A jobs whose estimates take until the file `go` is there."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "estimate.py").write_text(PLAN)
    return TrainingJobs(tmp_path)


def living(root: Path) -> list[int]:
    """The processes of estimates that still run, with what they began themselves."""
    pids = [int(path.name) for path in root.glob("began/*")]
    pids += [int(path.read_text() or 0) for path in root.glob("child-*")]
    return [pid for pid in pids if alive(pid)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        status = Path(f"/proc/{pid}/status")
        return not status.exists() or "State:\tZ" not in status.read_text()
    except OSError:
        return False


async def soon(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


def bench_of(shop: TrainingJobs, owner: str, page: str, length: int = 3000) -> Upload:
    bench = Upload(shop, owner, (owner, page))
    bench.open("a.txt", [TEXT[:length]])
    return bench


def test_a_newer_estimate_ends_the_process_of_the_one_before_and_so_does_leaving(planner):
    async def run() -> None:
        bench = bench_of(planner, "ada", "1")
        before: asyncio.Task[PlannedTraining] | None = None
        for number in range(1, 4):
            asked = asyncio.create_task(bench.plan(None))
            await soon(lambda number=number: len(list(planner.root.glob("child-*"))) == number)
            if before is not None:
                with pytest.raises(RefusedError, match="newer one"):
                    await before
            before = asked
            assert len(list(planner.root.glob("began/*"))) == number
        await soon(lambda: len(living(planner.root)) == 2)
        bench.leave()
        assert before is not None
        with pytest.raises(RefusedError):
            await before
        await soon(lambda: not living(planner.root))
        assert planner.estimates.in_hand == planner.estimates.waiting == 0

    asyncio.run(run())


def test_estimates_run_two_at_a_time_one_of_a_writers_and_the_rest_hear_their_place(planner):
    async def run() -> None:
        told: list[int] = []

        async def say(ahead: int) -> None:
            told.append(ahead)

        pages = [("ada", "1"), ("ada", "2"), ("ada", "3"), ("bob", "1"), ("cy", "1")]
        benches = [bench_of(planner, *page, 2100 + i) for i, page in enumerate(pages)]
        asked = [asyncio.create_task(bench.plan(None, say)) for bench in benches]
        await soon(lambda: len(list(planner.root.glob("child-*"))) == 2)
        await asyncio.sleep(0.3)
        assert len(list(planner.root.glob("began/*"))) == 2
        assert {0, 1, 2} <= set(told)
        (planner.root / "go").touch()
        plans = [planned.plan for planned in await asyncio.gather(*asked)]
        assert [plan["steps"] for plan in plans] == [2100, 2101, 2102, 2103, 2104]

    asyncio.run(run())


def test_an_estimate_that_wants_too_much_memory_ends_with_a_sentence(shop):
    (shop.root / "a.txt").write_text("".join(map(chr, range(0x4E00, 0x9000))) * 3)
    with pytest.raises(RefusedError, match=r"more than the 0\.05 GB of memory"):
        asyncio.run(run_json(shop.root, "train.estimate", "a.txt", "--memory-gb", "0.05"))


def test_who_is_turned_away_from_a_training_hears_no_name_and_comes_next(shop):
    folder = shop.runs / "hers"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "Ada's secret", "plan": {"steps": 5}, "halted": None}
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(folder)])
    (folder / "page.json").write_text(json.dumps({**about, "pid": child.pid}))
    # Just begun, a process has no words yet.
    until(lambda: state(shop)["state"] == "training")
    try:
        with pytest.raises(RefusedError, match="Another writer's runs now") as caught:
            shop.start("bob", planned(5))
        assert "ada" not in str(caught.value).lower()
        with pytest.raises(RefusedError, match="Pause the one that runs"):
            shop.start("ada", planned(5))
    finally:
        child.kill()
        child.wait()


def brought(shop: TrainingJobs, **values: Any) -> Path:
    """A run folder that somebody else made."""
    folder = shop.runs / "brought"
    folder.mkdir(parents=True)
    plan = {"module": "train.pretrain", "options": ["--max-steps", "50"], "steps": 50}
    about = {"owner": "ada", "title": "x", "plan": plan, "halted": None, **values}
    (folder / "page.json").write_text(json.dumps(about))
    return folder


@pytest.mark.parametrize(
    "options",
    [
        *(["--config", "/etc/passwd"], ["--teachers", "a"], ["--from", "/other"], ["--resume"]),
        *(["--data", "5x"], "--max-steps 5", [5, 5], None, {"--max-steps": "5"}, ["x", "5"]),
    ],
)
def test_a_folder_from_elsewhere_has_nothing_run_but_what_a_plan_says(
    shop: TrainingJobs, options: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **_: pytest.fail(f"it runs {args}"))
    plan = {"module": "train.pretrain", "options": options, "steps": 50}
    brought(shop, plan=plan, **{"from": "/mine"})
    with pytest.raises(RefusedError, match=r"trains no model|no training “brought” of yours"):
        shop.resume("ada", "brought")


def test_a_page_is_told_only_json_of_a_folder_from_elsewhere(shop: TrainingJobs) -> None:
    folder = brought(shop, pid=None)
    last = '{"step": 1, "elapsed_s": 1e-308, "tokens": 1e308, "val_loss": NaN}\n'
    (folder / "metrics.jsonl").write_text(last)
    (folder / "samples.jsonl").write_text('{"step": 1e308, "text": "a\\ud800", "x": [NaN]}\n')
    told = state(shop)
    json.dumps(told, allow_nan=False, ensure_ascii=False).encode()
    assert (told["step"], told["rate"], told["sample"]) == (1, None, {"step": 0, "text": "a?"})


@pytest.mark.parametrize(
    ("last", "why"),
    [
        ("ZeroDivisionError: division by zero", BROKE),
        ("torch.cuda.OutOfMemoryError: no room", BROKE),
        ("KeyboardInterrupt", BROKE),
        ("train.pretrain: the text has no story", "train.pretrain: the text has no story"),
        ("train.pretrain: FOLDER/best cannot be read", "train.pretrain: best cannot be read"),
    ],
)
def test_why_a_training_broke_off_is_not_told_in_pythons_words(shop, last, why):
    folder = shop.runs / "old"
    folder.mkdir(parents=True)
    about = {"owner": "ada", "title": "x", "plan": {"steps": 5}, "halted": None}
    (folder / "page.json").write_text(json.dumps(about))
    said = last.replace("FOLDER", str(folder))
    (folder / "log.txt").write_text(f"Traceback (most recent call last):\n  File\n{said}\n")
    assert state(shop)["why"] == why


def test_why_there_is_no_estimate_is_not_told_in_pythons_words(shop, caplog):
    with pytest.raises(RefusedError, match="on our side"):
        asyncio.run(run_json(shop.root, "timeit", "1/0"))
    assert "ZeroDivisionError" in caplog.text
