"""Folders drawn from a seed, each spoilt in one of the ways of tests/support/hostile_folders.py.

Each is refused in one sentence, in time and within its memory; nothing is run, nothing is written.
"""

import json
import random
import select
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gpt.test_hub_layouts import save_theirs
from tests.support.app_server import other_work
from tests.support.hostile_folders import LIMIT_MB, LIMIT_S, SPOILS, Outcome, listing_of

ROOT = Path(__file__).parents[2]
HANGS_S = 30
BASES = (("smollm", "llama-tied-grouped"), ("llama2", "llama-tied-grouped"), ("unigram", "gpt2"))
HARMLESS = ("doubling", "exploding", "odd_steps", "odd_config", "sparse")
"""What these draw may be no harm to the model at hand, which then opens."""


class Reader:
    """A process that opens folders, one after the other; a new one where it hung or died."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.process: subprocess.Popen[bytes] | None = None

    def open(self, folder: Path) -> Outcome:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.hostile_folders"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd=self.place,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
            )
        process = self.process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(str(folder)).encode() + b"\n")
        process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], HANGS_S * other_work())
        line = process.stdout.readline() if ready else b""
        if not line:
            self.close()
            kind = "hangs" if not ready else f"died with {process.returncode}"
            return Outcome(kind, "", HANGS_S, HANGS_S, 0)
        return Outcome(**json.loads(line))

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for end in (self.process.stdin, self.process.stdout):
                assert end
                end.close()


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    place = tmp_path_factory.mktemp("bases")
    for name, shape in BASES:
        save_theirs(name, place / name, shape)
    return [place / name for name, _ in BASES]


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "at").mkdir()
    found = Reader(tmp_path / "at")
    yield found
    found.close()


@pytest.mark.parametrize(
    "count",
    [
        pytest.param(2 * len(SPOILS), marks=pytest.mark.slow),
        pytest.param(1000, marks=pytest.mark.torture),
    ],
)
def test_a_hostile_folder_is_refused_in_time_and_in_memory_and_nothing_is_run_or_written(
    count: int, bases: list[Path], reader: Reader, tmp_path: Path
) -> None:
    outcomes: list[tuple[str, int, Outcome]] = []
    for number in range(count):
        draw, spoil = random.Random(number), SPOILS[number % len(SPOILS)]
        folder = tmp_path / "models" / "m"
        shutil.rmtree(folder.parent, ignore_errors=True)
        shutil.copytree(draw.choice(bases), folder)
        spoil(folder, draw)
        before = listing_of(folder.parent)
        outcomes.append((spoil.__name__, number, reader.open(folder)))
        assert listing_of(folder.parent) == before, (spoil.__name__, number)
    assert list(reader.place.iterdir()) == []
    bad = [
        (name, number, each)
        for name, number, each in outcomes
        if each.kind != "refused" and not (each.kind == "opened" and name in HARMLESS)
    ]
    assert bad == []
    assert not any("\n" in each.said for _, _, each in outcomes)
    slow = [each for each in outcomes if each[2].elapsed_s > LIMIT_S * other_work()]
    large = [each for each in outcomes if each[2].peak_mb > LIMIT_MB]
    worst = max(outcomes, key=lambda each: each[2].elapsed_s)
    largest = max(outcomes, key=lambda each: each[2].peak_mb)
    opened = Counter(name for name, _, each in outcomes if each.kind == "opened")
    print(f"{count} folders; {dict(opened)} opened; slowest {worst}; largest {largest}")
    assert slow == []
    assert large == []
