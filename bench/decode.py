"""Tokens a second of one story, beside transformers, llama.cpp and a loop without a cache.

    python -m bench.decode
    python -m bench.decode --rounds 3 --threads 1 --models stories

Batch 1, a prompt of 32 tokens, 200 new ones, greedy; the same weights, and for each side the same
number of threads. Ours is `Generator.stream`, prompt and text included. transformers is timed
whole too; of llama.cpp it is its own count, without the prompt, where that is better for it.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from bench import gguf_files, picture, workload
from bench.reading import Reading
from bench.tables import in_turns, middle, ratios, show, table
from bench.workload import Work
from bench.writers import DTYPES, LlamaCpp, NoCache, Ours, Transformers, Writer
from gpt import checkpoint
from gpt.decode.weights import Precision
from gpt.sampling import SamplingParams

PRECISIONS: tuple[Precision, ...] = ("float32", "bfloat16", "int8")
SAMPLED = "ours bfloat16, temperature 1, top-p 0.95"
LISTED = "ours bfloat16, ten alternatives a token"
READING = "reading the bfloat16 weights"
Speeds = dict[str, list[float]]
"""Tokens a second of each writer, by its name, a value for each round."""


def writers(
    work: Work, folder: Path, threads: int, *, cacheless: bool, missing: set[str]
) -> dict[str, Writer]:
    """All who write, by their names; the names of packages that are not here go to `missing`."""
    found: dict[str, Writer] = {}

    def peer(name: str, package: str, make: Callable[[], Writer]) -> None:
        try:
            found[name] = make()
        except ImportError:
            missing.add(package)

    for p in PRECISIONS:
        found[f"ours {p}"] = Ours(work, p, threads)
        file = folder / f"{p}.gguf"
        peer(f"llama.cpp {p}", "xllamacpp", lambda file=file: LlamaCpp(work, file, threads))
        if p in DTYPES:
            peer(
                f"transformers {p}",
                "transformers",
                lambda p=p: Transformers(work, folder, p, threads),
            )
    params = SamplingParams(temperature=1, top_p=0.95)
    found[SAMPLED] = Ours(work, "bfloat16", threads, params=params)
    found[LISTED] = Ours(work, "bfloat16", threads, n_top=10)
    found[READING] = Reading(work, "bfloat16", threads)
    if cacheless:
        found["no cache float32"] = NoCache(work, threads)
    return found


def save(work: Work, folder: Path, missing: set[str]) -> None:
    """The model for the peers: a folder for transformers, and a GGUF of each precision."""
    checkpoint.save(folder, work.model, work.tokenizer, card="", training={})
    for precision in PRECISIONS:
        try:
            gguf_files.write_gguf(work.model, folder / f"{precision}.gguf", precision)
        except ImportError:
            missing.add("gguf")


def measure(sides: dict[str, Writer], rounds: int) -> Speeds:
    """Each in turn, once warmed."""
    for side in sides.values():
        side.warm()
    return in_turns(sides, rounds, warm_up=0)


@contextmanager
def opened(sides: dict[str, Writer]) -> Iterator[dict[str, Writer]]:
    with ExitStack() as stack:
        for side in sides.values():
            stack.callback(side.close)
        yield sides


def own_of(name: str) -> str:
    """Ours that a writer is held against: the one of its precision."""
    precision = next((p for p in PRECISIONS if p in name), "bfloat16")
    return f"ours {precision}"


def ratio(speeds: Speeds, name: str) -> float | None:
    """Ours over one writer, the median of all rounds; None where it is not here."""
    return median(ratios(speeds[own_of(name)], speeds[name])) if name in speeds else None


def summary(speeds: Speeds) -> dict[str, Any]:
    """The ratios of one model with one number of threads."""
    return {
        "transformers": {p: ratio(speeds, f"transformers {p}") for p in PRECISIONS[:2]},
        "llama.cpp": {p: ratio(speeds, f"llama.cpp {p}") for p in PRECISIONS},
        "no_cache": ratio(speeds, "no cache float32"),
    }


def agreement(ours: Writer, other: Writer) -> str:
    """How many tokens are the same before the first that differs."""
    pair = [getattr(one, "written", []) for one in (ours, other)]
    if not all(pair):
        return ""
    same = next((i for i, (a, b) in enumerate(zip(*pair, strict=False)) if a != b), len(pair[0]))
    return "all" if same == len(pair[0]) else f"{same}"


def rows(sides: dict[str, Writer], speeds: Speeds) -> list[list[str]]:
    """A row of the table for each writer."""
    found: list[list[str]] = []
    for name, values in speeds.items():
        own = own_of(name)
        same = "" if name in (own, SAMPLED) else agreement(sides[own], sides[name])
        over = "" if name == own else middle(ratios(speeds[own], values), ".2f")
        found.append([name, middle(values, ",.0f"), over, same])
    return found


@contextmanager
def busy_process() -> Iterator[None]:
    """Beside a process that never rests."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        process.kill()
        process.wait(10)


def beside_busy(work: Work, folder: Path, threads: int, rounds: int) -> Speeds:
    """Ours and llama.cpp's in bfloat16, beside a busy process."""
    sides: dict[str, Writer] = {"ours bfloat16": Ours(work, "bfloat16", threads)}
    try:
        sides["llama.cpp bfloat16"] = LlamaCpp(work, folder / "bfloat16.gguf", threads)
    except ImportError:
        return {}
    with opened(sides), busy_process():
        return measure(sides, rounds)


HEAD = ["tokens a second", "ours over it", "the same tokens"]


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured with one model."""

    tables: list[str]
    speeds: dict[int, Speeds]
    """By the number of threads."""
    busy: Speeds
    """Beside a busy process; empty where that was not measured."""


def measure_model(name: str, args: argparse.Namespace, missing: set[str]) -> Found:
    """All writers with each number of threads; with stories beside a busy process too."""
    sizes = {"prompt_tokens": 8, "new_tokens": 12} if args.quick else {}
    work = workload.load(name, quick=args.quick, **sizes)
    found = Found([], {}, {})
    most = max(args.threads)
    with tempfile.TemporaryDirectory() as temporary:
        save(work, folder := Path(temporary), missing)
        for threads in args.threads:
            # Without a cache a large model takes minutes: once is enough.
            made = writers(work, folder, threads, cacheless=threads == most, missing=missing)
            with opened(made) as sides:
                speeds = found.speeds[threads] = measure(sides, args.rounds)
                head = [f"{name}, {threads} thread(s)", *HEAD]
                found.tables.append(table(head, rows(sides, speeds)))
        if name == "stories":
            found.busy.update(beside_busy(work, folder, most, args.rounds))
    if found.busy:
        own = found.busy["ours bfloat16"]
        cells = [
            [each, middle(values, ",.0f"), middle(ratios(own, values), ".2f")]
            for each, values in found.busy.items()
        ]
        head = [f"{name}, {most} thread(s), beside a busy process", *HEAD[:2]]
        found.tables.append(table(head, cells))
    return found


def result_of(found: Mapping[str, Found]) -> dict[str, Any]:
    """The line of JSON: ratios with the most threads, then with each number of them."""
    last = {name: one.speeds[max(one.speeds)] for name, one in found.items()}
    by_threads: dict[str, dict[str, Any]] = {}
    for name, one in found.items():
        for threads, speeds in one.speeds.items():
            by_threads.setdefault(str(threads), {})[name] = summary(speeds)
    busy = [one.busy for one in found.values() if one.busy]
    limits = {
        name: median(ratios(speeds["ours bfloat16"], speeds[READING]))
        for name, speeds in last.items()
    }
    return {
        "ratio": {name: summary(speeds) for name, speeds in last.items()},
        "threads": by_threads,
        "busy": {"llama.cpp": ratio(busy[0], "llama.cpp bfloat16") if busy else None},
        "limit": min(limits.values()),
        "limits": limits,
        "sampling": {
            name: median(ratios(speeds[SAMPLED], speeds["ours bfloat16"]))
            for name, speeds in last.items()
        },
    }


def run(args: argparse.Namespace) -> None:
    """Measure, print the tables and the line of JSON, draw the picture."""
    missing: set[str] = set()
    found = {name: measure_model(name, args, missing) for name in args.models}
    tables = [each for one in found.values() for each in one.tables]
    most = max(args.threads)
    if missing:
        tables.append(f"Not measured, for a package is missing: {', '.join(sorted(missing))}.")
    if args.picture:
        panels = {
            f"{name}, {most} thread(s)": {
                each: values for each, values in one.speeds[most].items() if each != READING
            }
            for name, one in found.items()
        }
        picture.draw(panels, args.picture)
    show(tables, result_of(found), most)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.decode",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--models", nargs="+", choices=workload.MODELS, default=workload.MODELS)
    parser.add_argument("--picture", type=Path, metavar="PNG", help="draw the speeds as well")
    parser.add_argument("--quick", action="store_true", help="tiny models, a test of the bench")
    run(parser.parse_args(argv))


if __name__ == "__main__":
    main()
