"""`python -m bench.prepare --text FOLDER`: train.data's encoding beside the library's own batches.

The texts under FOLDER are repeated until there are enough megabytes. Ours is what train.prepare
does: a file is read in a stream, checked, cut at documents, encoded by several processes, hashed
and written. The peer is `encode_ordinary_batch` of tiktoken, which holds our pieces, with as many
threads, over pieces of the same text that are in memory already; what it makes is a list that
nobody keeps. Each turn is a process of its own, whose memory is watched, its children's added.

The last line is one JSON object: how many times the library's speed ours is, and its memory.
"""

import argparse
import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import torch

from bench.tables import ROOT, in_turns, middle, ratios, show, table
from gpt.tokenizers.kinds import BPETokenizer
from train.data.encode import token_dtype, write_tokens
from train.data.texts import Part

PIECE_CHARACTERS = 1 << 18
LEARN_CHARACTERS = 1 << 22
"""The most text that the pieces are learnt from."""


def write_text(source: Path, path: Path, size: int) -> str:
    """Repeat the .txt files under `source` in `path` up to `size` bytes; the beginning of it.

    Raises:
        SystemExit: there is none.
    """
    texts = [each.read_bytes() for each in sorted(source.rglob("*.txt"))]
    if not any(texts):
        raise SystemExit(f"bench.prepare: expected .txt files under {source}, found none")
    whole, written = b"\n".join(texts) + b"\n", 0
    with path.open("wb") as file:
        while written < size:
            # Cut at a line end, so that no character is cut.
            part = whole if len(whole) <= size - written else whole[: size - written]
            part = part[: part.rfind(b"\n") + 1] or whole
            file.write(part)
            written += len(part)
            if len(part) < len(whole):
                break
    return whole.decode()[:LEARN_CHARACTERS]


def ours(text: Path, tokenizer: Path, workers: int) -> float:
    """Seconds in which `text` becomes a token file, as train.prepare makes it."""
    kind = vocabulary(tokenizer)
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        write_tokens(
            [Part(path=text)],
            tokenizer,
            Path(folder) / "train.bin",
            dtype=token_dtype(kind.vocab_size),
            eos_id=kind.eos_id,
            workers=workers,
            progress=lambda size: None,
        )
        return time.perf_counter() - began


def theirs(text: Path, tokenizer: Path, workers: int) -> float:
    """Seconds in which the library encodes `text`, that is read and cut before."""
    encoding = vocabulary(tokenizer).encoding
    whole = text.read_text(encoding="utf-8")
    pieces = [whole[i : i + PIECE_CHARACTERS] for i in range(0, len(whole), PIECE_CHARACTERS)]
    seconds = 0.0
    for i in range(0, len(pieces), 4 * workers):  # all at once, its lists would fill the memory
        began = time.perf_counter()
        encoding.encode_ordinary_batch(pieces[i : i + 4 * workers], num_threads=workers)
        seconds += time.perf_counter() - began
    return seconds


def vocabulary(tokenizer: Path) -> BPETokenizer:
    """The tokenizer in a folder, which this file saved there."""
    from gpt.tokenizers import load_tokenizer

    found = load_tokenizer(tokenizer, tried=True)
    assert isinstance(found, BPETokenizer)
    return found


class Watch:
    """The most memory that this process's children had together, in MB, while it was open."""

    def __enter__(self) -> "Watch":
        self.most, self._done = 0.0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            self.most = max(self.most, sum(map(megabytes, descendants())))


def descendants() -> list[int]:
    """The processes below this one, by their ids."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has just ended
    found, level = list[int](), {multiprocessing.current_process().pid}
    while level := {pid for pid, parent in parents.items() if parent in level}:
        found += level
    return found


def megabytes(pid: int) -> float:
    """What a process holds, with what it shares divided among those that share it (PSS)."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1e3


def alone(side: Callable[[], float], memory: list[float]) -> float:
    """The seconds of `side` in a new process; its memory goes to `memory`."""
    context = multiprocessing.get_context("spawn")
    with Watch() as watch, ProcessPoolExecutor(1, mp_context=context) as pool:
        seconds = pool.submit(side).result()
    memory.append(watch.most)
    return seconds


def main(arguments: list[str] | None = None) -> None:
    """Measure both in turns; print the table and the JSON line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.prepare",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--text", type=Path, default=ROOT / "data", help="folder of .txt files")
    parser.add_argument("--megabytes", type=int, default=200, help="of text")
    parser.add_argument("--vocab-size", type=int, default=1024, help="pieces learnt from the text")
    parser.add_argument("--rounds", type=int, default=5, help="that count")
    parser.add_argument("--workers", type=int, default=torch.get_num_threads())
    options = parser.parse_args(arguments)
    memory: dict[str, list[float]] = {"Inkling": [], "tiktoken": []}
    with tempfile.TemporaryDirectory() as name:
        text, folder = Path(name) / "text.txt", Path(name) / "tokenizer"
        folder.mkdir()
        sample = write_text(options.text, text, options.megabytes * 1_000_000)
        BPETokenizer.train([sample], options.vocab_size).save(folder)
        size = text.stat().st_size / 1e6
        sides = {"Inkling": ours, "tiktoken": theirs}
        turns = {
            name: partial(alone, partial(side, text, folder, options.workers), memory[name])
            for name, side in sides.items()
        }
        seconds = in_turns(turns, options.rounds, warm_up=0)
    speeds = {name: [size / each for each in found] for name, found in seconds.items()}
    over = ratios(speeds["Inkling"], speeds["tiktoken"])
    rows = [[name, middle(speeds[name], ".1f"), f"{max(memory[name]):.0f}", ""] for name in speeds]
    rows[1][3] = middle(over, ".2f")
    head = [
        f"{size:.0f} MB, {options.vocab_size:,} pieces",
        "MB/s",
        "MB of memory",
        "Inkling over it",
    ]
    result = {"ratio": {"tiktoken": median(over)}, "memory_mb": max(memory["Inkling"])}
    show([table(head, rows)], result, options.workers)


if __name__ == "__main__":
    main()
