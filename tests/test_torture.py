"""A training that is killed, signalled or out of room ends where the undisturbed one does.

The short forms run with the other tests; `make torture` runs the long ones.
"""

import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import gpt
from tests.support.torture import LONGEST_S, Trial, being_saved, same_run, wait_until
from tests.train.test_pretrain import TEXT
from train.data.prepare import prepare
from train.data.texts import Text
from train.loop.state import FOLDER, load_state, saved

SHORT = (40, 5)
"""Steps, and steps between evaluations."""
LONG = (300, 20)


@pytest.fixture
def trial(tmp_path: Path, request: pytest.FixtureRequest) -> Trial:
    (tmp_path / "text.txt").write_text(TEXT)
    prepare([Text(path=tmp_path / "text.txt")], tmp_path / "data", kind="char")
    return Trial(tmp_path / "data", *request.param)


@pytest.fixture
def whole(trial: Trial, tmp_path: Path) -> tuple[Path, float]:
    """The run that nothing disturbs, and the seconds it takes."""
    folder, began = tmp_path / "whole", time.monotonic()
    assert trial.finish(folder, resume=False) == 0, folder.with_suffix(".txt").read_text()
    return folder, time.monotonic() - began


def short(*values: object) -> object:
    return pytest.param(SHORT, *values, marks=pytest.mark.slow)


def long(*values: object) -> object:
    return pytest.param(LONG, *values, marks=pytest.mark.torture)


@pytest.mark.parametrize(
    ("trial", "kills", "inside"),
    [short(4, 1), long(50, 10)],
    indirect=["trial"],
)
def test_a_run_killed_at_any_moment_ends_where_the_undisturbed_one_does(
    trial: Trial, whole: tuple[Path, float], kills: int, inside: int, tmp_path: Path
) -> None:
    draw, done, done_inside, number = random.Random(1), 0, 0, 0
    folder = tmp_path / "killed-0"
    while done < kills or done_inside < inside:
        process = trial.start(folder, resume=(folder / "config.json").exists())
        if done_inside < inside and draw.random() < 0.5:
            skipped = draw.randrange(4)  # so that it is not always the first save
            until = time.monotonic() + draw.uniform(0, whole[1] / 4) * skipped
            wait_until(lambda until=until: time.monotonic() > until, process)
            wait_until(lambda folder=folder: being_saved(folder), process)
        else:
            process.join(draw.uniform(0.05, whole[1] / 2))
        ended = not process.is_alive()
        process.kill()
        process.join()
        if not ended:
            done += 1
            done_inside += bool(being_saved(folder))
            if saved(folder / FOLDER):
                load_state(folder, say=pytest.fail)  # no kill leaves a state that is not whole
        elif process.exitcode == 0:
            same_run(folder, whole[0])
            number += 1
            folder = tmp_path / f"killed-{number}"
        else:
            pytest.fail(folder.with_suffix(".txt").read_text())
    if folder.exists():
        assert trial.finish(folder, resume=(folder / "config.json").exists()) == 0
        same_run(folder, whole[0])
    print(f"{done} kills, {done_inside} of them inside a save, {number + 1} runs")


@pytest.mark.parametrize(
    ("trial", "signals"),
    [short(5), long(20)],
    indirect=["trial"],
)
def test_a_signal_saves_within_five_seconds_and_exits_with_0(
    trial: Trial, whole: tuple[Path, float], signals: int, tmp_path: Path
) -> None:
    draw, sent, number, slowest = random.Random(2), 0, 0, 0.0
    folder = tmp_path / "signalled-0"
    while sent < signals:
        before = len(folder.with_suffix(".txt").read_text()) if sent else 0
        process = trial.start(folder, resume=(folder / "config.json").exists())
        said = folder.with_suffix(".txt")
        # From "… parameters on cpu" on the training itself answers signals.
        wait_until(lambda before=before, said=said: "on cpu" in said.read_text()[before:], process)
        process.join(draw.uniform(0, whole[1] / 3))
        if process.is_alive() and process.pid:
            os.kill(process.pid, draw.choice((signal.SIGTERM, signal.SIGINT)))
            began = time.monotonic()
            process.join(LONGEST_S)
            slowest = max(slowest, time.monotonic() - began)
            sent += 1
        assert process.exitcode == 0, said.read_text()
        state = load_state(folder, say=pytest.fail)
        if "stopped at step" in said.read_text()[before:]:
            assert f"stopped at step {state.step} and saved" in said.read_text()[before:]
        if state.step == trial.steps:
            number += 1
            folder = tmp_path / f"signalled-{number}"
            folder.with_suffix(".txt").touch()
    assert slowest < 5
    if folder.exists():
        assert trial.finish(folder, resume=True) == 0
        same_run(folder, whole[0])
    print(f"{sent} signals, the slowest answered after {slowest:.2f} s")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few megabytes in memory; only root may make one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    made = mount and subprocess.run(
        [mount, "-t", "tmpfs", "-o", "size=8m", "none", str(disk)], capture_output=True, check=False
    )
    if not made or made.returncode:
        pytest.skip("needs the right to mount a small file system (root on Linux)")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def used(disk: Path) -> int:
    about = os.statvfs(disk)
    return (about.f_blocks - about.f_bfree) * about.f_frsize


@pytest.mark.parametrize(
    ("trial", "points"),
    [short(3), long(20)],
    indirect=["trial"],
)
def test_a_full_disk_keeps_the_last_good_state_and_the_run_goes_on_when_there_is_room(
    trial: Trial, whole: tuple[Path, float], points: int, small_disk: Path
) -> None:
    needed = trial_size(trial, small_disk)
    free_now = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    failed = 0
    for point in range(points):
        folder, filler = small_disk / f"run-{point}", small_disk / "filler"
        filler.write_bytes(b"\0" * (free_now - int(needed * (point + 0.5) / points)))
        code = trial.finish(folder, resume=False)
        said = folder.with_suffix(".txt")
        if saved(folder / FOLDER):
            load_state(folder, say=pytest.fail)
        if (folder / "best").exists():
            gpt.load(folder / "best")
        filler.unlink()
        if code:
            failed += 1
            assert code == 1
            again = trial.finish(folder, resume=(folder / "config.json").exists())
            assert again == 0, said.read_text()
        same_run(folder, whole[0])
        shutil.rmtree(folder)
        said.unlink()
    assert failed == points
    print(f"{failed} full disks")


def trial_size(trial: Trial, disk: Path) -> int:
    """The bytes that a whole run takes on `disk`."""
    before = used(disk)
    assert trial.finish(disk / "measured", resume=False) == 0
    taken = used(disk) - before
    shutil.rmtree(disk / "measured")
    (disk / "measured.txt").unlink()
    return taken
