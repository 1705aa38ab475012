"""What every measurement of `bench/` shares: turns, medians, ratios, the table and the JSON line.

Machines are shared and never quiet, so two sides are compared within one round, one right after
the other, and only the median of those ratios is called a result.
"""

import json
import os
import platform
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch

ROOT = Path(__file__).resolve().parents[1]
CPU_INFO = Path("/proc/cpuinfo")


def in_turns(
    sides: Mapping[str, Callable[[], float]], rounds: int, warm_up: int = 1
) -> dict[str, list[float]]:
    """What each side measures, once a round, after `warm_up` rounds that do not count.

    Who is first changes from round to round, so that a machine that grows busier is so for all.
    """
    found: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(-warm_up, rounds):
        order = list(sides) if number % 2 == 0 else list(reversed(sides))
        for name in order:
            value = sides[name]()
            if number >= 0:
                found[name].append(value)
    return found


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, round by round: above 1 we are faster where they are tokens per second."""
    return [own / other for own, other in zip(ours, theirs, strict=True)]


def middle(values: Sequence[float], form: str) -> str:
    """The median, with the lowest and the highest behind it."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def spread(values: Iterable[float], form: str) -> str:
    """Mean ± standard deviation (of a sample, n - 1); of one value the value alone."""
    values = list(values)
    if len(values) == 1:
        return format(values[0], form)
    return f"{mean(values):{form}} ± {stdev(values):{form}}"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, ending without a newline."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def environment(threads: int | None = None) -> str:
    """The processor, the threads, torch, the commit and the day: what a figure is true for.

    Args:
        threads: Of the measurement, by default torch's of this process.
    """
    used = torch.get_num_threads() if threads is None else threads
    return (
        f"{processor()}, {os.cpu_count()} cores, {used} thread(s), torch {torch.__version__}, "
        f"commit {commit()}, {datetime.now(UTC):%Y-%m-%d}"
    )


def processor() -> str:
    """The processor's name, and the widest of its instructions that matter here."""
    name = platform.processor() or platform.machine()
    if CPU_INFO.exists():
        lines = (line.partition(":") for line in CPU_INFO.read_text().splitlines())
        name = next((value.strip() for key, _, value in lines if "model name" in key), name)
    can = torch.cpu.get_capabilities()
    wide = [flag for flag in ("avx2", "avx512_bf16", "avx512_vnni", "amx_bf16") if can.get(flag)]
    return f"{name} ({', '.join(wide)})" if wide else name


def commit() -> str:
    """The commit that is measured, with a "+" where files differ from it; "unknown" without git."""

    def git(*words: str) -> str:
        said = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True)
        return said.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no")
        return git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def rounded(result: Any, digits: int = 3) -> Any:
    """The same nested dictionaries, with their numbers rounded for reading."""
    if isinstance(result, dict):
        return {key: rounded(value, digits) for key, value in result.items()}
    return round(result, digits) if isinstance(result, float) else result


def show(tables: Iterable[str], result: Mapping[str, Any], threads: int | None = None) -> None:
    """Print the tables, what they are true for, and as the last line `result` as a JSON object."""
    for each in tables:
        print(each + "\n")
    print(environment(threads) + "\n")
    print(json.dumps(rounded(result)), flush=True)
