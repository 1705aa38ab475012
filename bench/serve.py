"""Many stories at once: tokens a second of all together, and how long a crowd waits.

    python -m bench.serve
    python -m bench.serve --rounds 3 --crowd 0

The shipped stories model in bfloat16, prompts of 32 tokens, 200 new ones each, greedy, no
alternatives; each side has all processors. Ours at once is one `Generator`, beside one story of
ours alone and the best that llama.cpp gives with 1 slot or as many as there are stories. Then
versions of one passage of 400 tokens, and writers at the app's own sockets, all in one moment
(`bench.crowd`).
"""

import argparse
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

from bench import crowd, gguf_files, workload
from bench.tables import in_turns, middle, ratios, show, table
from bench.workload import Work
from bench.writers import GREEDY, LlamaCpp
from gpt.decode.numba_core import NumbaCore
from gpt.generator import Generator
from gpt.sampling import N_ALTERNATIVES, SamplingParams

PASSAGE = 400
"""Tokens of a passage of which versions are asked for."""
VERSIONS = 8


class Together:
    """Stories of ours, written side by side by one `Generator`.

    Args:
        n_top: How many alternatives each token lists.
    """

    def __init__(self, work: Work, count: int, threads: int, *, n_top: int = 0) -> None:
        self._work, self._count, self._n_top = work, count, n_top
        self._generator = Generator(work.model, work.tokenizer, max_batch=count)
        cache, size = self._generator.cache, work.tokenizer.vocab_size
        core = NumbaCore(work.model, size, cache, precision="bfloat16", threads=threads)
        self._generator.use(core)

    def __call__(self) -> float:
        """Tokens a second of all together."""
        params = SamplingParams(
            temperature=GREEDY.temperature, seed=1, max_new_tokens=self._work.new_tokens
        )
        began, written = time.perf_counter(), 0
        for first in range(1, self._count + 1):
            prompt = [first, *self._work.prompt[1:]]
            self._generator.add(prompt, params, n_top=self._n_top)
        while self._generator.free < self._count:
            for _, token in self._generator.step():
                if isinstance(token, Exception):
                    raise token
                written += 1
        return written / (time.perf_counter() - began)

    def first_token_s(self, versions: int, passage: Sequence[int]) -> float:
        """Seconds until each of so many versions of what follows a passage has its first token."""
        params = SamplingParams(temperature=1, seed=1, n=versions, max_new_tokens=2)
        began, seen = time.perf_counter(), set[int]()
        stream = self._generator.stream(passage, params)
        for token in stream:
            seen.add(token.take)
            if len(seen) == versions:
                break
        took_s = time.perf_counter() - began
        stream.close()  # pyright: ignore[reportAttributeAccessIssue] - it is a generator
        return took_s

    def close(self) -> None:
        self._generator.close()


class LlamaTogether:
    """As many stories, asked of llama.cpp at once; it has its own slots and batches them itself."""

    def __init__(self, work: Work, file: Path, count: int, slots: int, threads: int) -> None:
        self._work, self._count = work, count
        self._server = LlamaCpp(work, file, threads, slots=slots)
        self._pool = ThreadPoolExecutor(count)

    def __call__(self) -> float:
        """Tokens a second of all together."""
        began = time.perf_counter()
        tokens = self._work.new_tokens
        answers = self._pool.map(
            lambda first: self._server.write(tokens, first), range(1, self._count + 1)
        )
        written = sum(answer["usage"]["completion_tokens"] for answer in answers)
        return written / (time.perf_counter() - began)

    def close(self) -> None:
        self._pool.shutdown()
        self._server.close()


def aggregate(
    work: Work, folder: Path, users: Sequence[int], threads: int, rounds: int, missing: set[str]
) -> dict[str, list[float]]:
    """Tokens a second of each way to write several stories, a value for each round."""
    sides: dict[str, Any] = {
        f"ours, {count} at once": Together(work, count, threads) for count in (1, *users)
    }
    most = max(users)
    listed = Together(work, most, threads, n_top=N_ALTERNATIVES)
    sides[f"ours, {most} at once, ten alternatives"] = listed
    with ExitStack() as stack:
        try:
            file = folder / "bfloat16.gguf"
            gguf_files.write_gguf(work.model, file, "bfloat16")
            for slots in (1, *users):
                sides[f"llama.cpp, {slots} slot(s)"] = LlamaTogether(
                    work, file, slots, slots, threads
                )
        except ImportError as error:
            missing.add(str(error.name))
        for side in sides.values():
            stack.callback(side.close)
        return in_turns(sides, rounds)


def compared(speeds: Mapping[str, Sequence[float]], users: Sequence[int]) -> dict[str, Any]:
    """The ratios of each number of stories: over one of ours, and over llama.cpp's best."""
    alone = speeds["ours, 1 at once"]
    theirs = [values for name, values in speeds.items() if name.startswith("llama.cpp")]
    best = [max(values) for values in zip(*theirs, strict=True)]
    found: dict[str, Any] = {}
    for count in users:
        own = speeds[f"ours, {count} at once"]
        found[str(count)] = {
            "tokens_per_s": median(own),
            "one_story": median(ratios(own, alone)),
            "llama.cpp": median(ratios(own, best)) if best else None,
        }
    return found


def waits(work: Work, passage: Sequence[int], threads: int, rounds: int) -> dict[str, list[float]]:
    """Seconds until the first token of one version of a passage, and of several."""
    together = Together(work, VERSIONS, threads)
    sides = {
        f"{count} version(s)": lambda count=count: together.first_token_s(count, passage)
        for count in (1, VERSIONS)
    }
    found = in_turns(sides, rounds, warm_up=2)
    together.close()
    return found


def least(users: Mapping[str, Mapping[str, Any]], over: str) -> float | None:
    """The smallest ratio of all numbers of stories."""
    values = [each[over] for each in users.values()]
    return None if None in values else min(values)


def run(args: argparse.Namespace) -> None:
    """Measure, print the tables and the line of JSON."""
    threads = len(os.sched_getaffinity(0))
    sizes = {"prompt_tokens": 8, "new_tokens": 12} if args.quick else {}
    work = workload.load("stories", quick=args.quick, **sizes)
    missing: set[str] = set()
    with tempfile.TemporaryDirectory() as folder:
        speeds = aggregate(work, Path(folder), args.users, threads, args.rounds, missing)
    alone = speeds["ours, 1 at once"]
    rows = [
        [name, middle(values, ",.0f"), middle(ratios(values, alone), ".2f")]
        for name, values in speeds.items()
    ]
    tables: list[str] = [table(["stories", "tokens a second", "over one of ours"], rows)]
    users = compared(speeds, args.users)
    passage = (work.prompt * PASSAGE)[: min(PASSAGE, work.model.config.block_size - 8)]
    first = waits(work, passage, threads, args.rounds)
    rows = [
        [name, middle([1e3 * value for value in values], ",.0f")] for name, values in first.items()
    ]
    tables.append(table([f"{len(passage)} tokens", "ms until all have a token"], rows))
    ratio = {"llama.cpp": least(users, "llama.cpp"), "one_story": least(users, "one_story")}
    one, several = first.values()
    result: dict[str, Any] = {
        "ratio": ratio,
        "users": users,
        "versions": median(ratios(several, one)),
    }
    if args.crowd:
        try:
            result["crowd"] = crowd.measure(args.crowd, quick=args.quick)
            tables.append(crowd.in_table(result["crowd"]))
        except (AssertionError, OSError, RuntimeError) as error:  # what was measured before counts
            result["crowd"] = None
            tables.append(f"The crowd was not measured: {error}.")
    if missing:
        tables.append(f"Not measured, for a package is missing: {', '.join(sorted(missing))}.")
    show(tables, result, threads)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.serve",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--users", type=int, nargs="+", default=[8, 16], help="stories at once")
    parser.add_argument("--crowd", type=int, default=60, help="writers at the app; 0 for none")
    parser.add_argument("--quick", action="store_true", help="a tiny model, a test of the bench")
    run(parser.parse_args(argv))


if __name__ == "__main__":
    main()
