"""A training in a process of its own that may be killed, signalled or starved of room."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.support.forks import ROOT, begin
from train.loop.run import Run

LONGEST_S = 300
"""After this long a training hangs, even where many share the machine."""

LOOK_S = 0.0005
"""Between two looks: a save takes some milliseconds, and who looks without a pause takes a core."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training, as its command line has it."""

    data: Path
    steps: int
    eval_every: int

    def arguments(self, folder: Path, *, resume: bool) -> list[str]:
        words = f"""--max-steps {self.steps} --eval-every {self.eval_every} --n-layer 1 --n-head 1
            --n-embd 16 --block-size 16 --batch-size 2 --accumulate 2 --dropout 0.1
            --warmup-steps 4 --save-steps 6 --sample-tokens 0 --device cpu --threads 1
            --precision float32""".split()
        where = ["--data", str(self.data), "--out", str(folder)]
        return [*where, *words, *["--resume"] * resume]

    def start(self, folder: Path, *, resume: bool) -> BaseProcess:
        """Begin or go on; what it says is added to FOLDER.txt beside the folder."""
        return begin_training(self.arguments(folder, resume=resume), folder.with_suffix(".txt"), {})

    def finish(self, folder: Path, *, resume: bool) -> int:
        """Let it come to its end: the exit code."""
        process = self.start(folder, resume=resume)
        process.join(LONGEST_S)
        assert process.exitcode is not None, "the training hangs"
        return process.exitcode


def begin_training(
    arguments: Sequence[str], said: Path, variables: Mapping[str, str]
) -> BaseProcess:
    """Begin `python -m train.pretrain`.

    Args:
        said: The file to which all that it prints is added.
        variables: More of its environment.
    """
    environment = {**os.environ, **variables}
    return begin("train.pretrain", arguments, cwd=ROOT, environment=environment, out=said)


def being_saved(folder: Path) -> list[Path]:
    """What a run is writing at the moment, or was when it was killed."""
    return [
        *(folder / "state").glob(".*"),
        *folder.glob(".best-*"),
        *(folder / "steps").glob(".*-*"),
    ]


def wait_until(seen: Callable[[], object], process: BaseProcess) -> bool:
    """Whether it was `seen` before the process ended."""
    ends = time.monotonic() + LONGEST_S
    while process.is_alive():
        with suppress(OSError):  # a folder that went away while it was listed
            if seen():
                return True
        assert time.monotonic() < ends, "the training hangs"
        time.sleep(LOOK_S)
    return False


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder of weights, but for what tells the time it took."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*.safetensors"))
    }


def logged(folder: Path) -> list[dict[str, float]]:
    """metrics.jsonl without the time it took."""
    return [{**record, "elapsed_s": 0} for record in Run(folder).records()]


def last_state(folder: Path) -> Path:
    """Where the newest state of a run is. The one before it may be of a step at which a signal
    came, and a run that nobody stopped has none of that."""
    return max((folder / "state").glob("[0-9]*"))


def same_run(folder: Path, whole: Path) -> None:
    """Weights, optimizer states, randomness and losses of two runs are equal bit for bit."""
    assert logged(folder) == logged(whole)
    assert last_state(folder).name == last_state(whole).name
    assert contents(last_state(folder)) == contents(last_state(whole)), "state"
    for part in ("best", "steps"):
        assert contents(folder / part) == contents(whole / part), part
