"""How long Inkling takes to be there: the page, the first token, the command line, and its memory.

    python -m bench.start

In each round the app is started anew, its page is asked for, and a writer asks for a first story
and then for another one; then `python -m gpt.generate` is started. The shipped stories model.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.crowd import app_of_writers, arrive, compile_for, leave, request
from bench.tables import middle, show, table
from bench.workload import ROOT, STORIES
from tests.support.tiny_checkpoint import save_characters

TOKENS = 50
NAMES = {
    "page_s": "the page, after the start",
    "first_token_s": "the first token, after it was asked for",
    "next_first_token_s": "that of the second story",
    "generate_first_token_s": "the first token of `python -m gpt.generate`",
    "resident_mb": "resident memory, once two stories are written",
}


async def ask(base: str) -> tuple[float, float]:
    """Seconds until the first token of a first story, and of a second one."""
    (writer,) = await arrive(base, 1)
    found: list[float] = []
    for number in range(2):
        await writer.ask(request(number, TOKENS))
        found.append(writer.first_s - writer.asked_s)
    await leave([writer])
    return found[0], found[1]


def resident_mb(pid: int) -> float | None:
    """Megabytes of a process that lie in memory; None where there is no /proc."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    lines = (line.split() for line in status.read_text().splitlines())
    return next(int(words[1]) * 1024 / 1e6 for words in lines if words[0] == "VmRSS:")


def app(models: Path) -> dict[str, float | None]:
    """Start the app and write two stories."""
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        folder = Path(name)
        with app_of_writers(folder, models) as (base, pid):
            urllib.request.urlopen(base, timeout=60).close()
            page_s = time.perf_counter() - began
            first_s, next_s = asyncio.run(ask(base))
            memory = resident_mb(pid)
    return {
        "page_s": page_s,
        "first_token_s": first_s,
        "next_first_token_s": next_s,
        "resident_mb": memory,
    }


def generate(folder: Path) -> float:
    """Seconds until the command line shows the first of its text."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "gpt.generate", str(folder), "the cat", "--seed", "1"]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        first = process.stdout.read(1)
        took_s = time.perf_counter() - began
        process.stdout.read()
    if not first or process.returncode:
        raise RuntimeError(f"gpt.generate wrote nothing: exit status {process.returncode}")
    return took_s


def run(rounds: int, quick: bool) -> None:
    """Measure, print the table and the line of JSON."""
    values: dict[str, list[float]] = {name: [] for name in NAMES}
    with tempfile.TemporaryDirectory() as name:
        models = Path(name)
        if quick:
            save_characters(models / "stories", n_embd=32)
        else:
            (models / "stories").symlink_to(STORIES)
        compile_for(models / "stories")
        for _ in range(rounds):
            found: dict[str, Any] = app(models)
            found["generate_first_token_s"] = generate(models / "stories")
            for key, value in found.items():
                values[key] += [] if value is None else [value]
    rows = [
        [NAMES[key], middle(each, ".0f") + " MB" if "mb" in key else middle(each, ".2f") + " s"]
        for key, each in values.items()
        if each
    ]
    result = {key: median(each) if each else None for key, each in values.items()}
    show([table(["", "median (lowest to highest)"], rows)], result)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.start",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a tiny model, a test of the bench")
    args = parser.parse_args(argv)
    run(args.rounds, args.quick)


if __name__ == "__main__":
    main()
