"""A tokenizer from elsewhere is tried in a process of its own before it serves.

Its library is native code that follows the steps of the file: it can crash, fill the memory or
search for ever, and takes the whole program along. The process has a bound on its memory and its
time, reads what it needs from its input, and writes nothing but a sentence. The verdict holds for
the very bytes that were tried, and is paid for once in each run of the program.
"""

import json
import os
import signal
import subprocess
import sys
from collections import OrderedDict
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Literal

from gpt.files import sha256
from gpt.tokenizers.errors import TokenizerError

Kind = Literal["char", "byte", "bpe", "unigram", "fast"]

CPU_S = 1.2
"""What a trial may take of one core, beside CPU_S_PER_MB for each megabyte of the file."""
CPU_S_PER_MB = 0.12
WALL_FACTOR = 6
"""The factor by which it may take longer on a busy machine."""
MEMORY = 380_000_000
"""Bytes of data that the process may have; beside them it maps its libraries."""
REFUSED = 3
KEPT = 256

_verdicts: "OrderedDict[str, str]" = OrderedDict()
_turn = Lock()


@dataclass(frozen=True, slots=True)
class Spec:
    """All that a tokenizer is made of.

    Attributes:
        kind: Which class opens it; "byte" is a byte-pair one that tiktoken runs.
        text: tokenizer.json.
        model: The SentencePiece model, Latin-1 letters for its bytes, where it has one.
        ends, begin: The tokens that end a text, and the one it begins after.
    """

    kind: Kind
    text: str
    model: str = ""
    ends: tuple[int, ...] = ()
    begin: int = 0


def check_trial(spec: Spec) -> None:
    """Try a tokenizer, unless it was tried before.

    Raises:
        TokenizerError: it ended badly, was too slow or took too much memory.
    """
    data = json.dumps(asdict(spec)).encode()
    key = sha256(data)
    with _turn:
        verdict = _verdicts.get(key)
    if verdict is None:
        verdict = _tried(data)
        with _turn:
            _verdicts[key] = verdict
            while len(_verdicts) > KEPT:
                _verdicts.popitem(last=False)
    if verdict:
        raise TokenizerError(verdict)


def _tried(data: bytes) -> str:
    """What is wrong with a tokenizer; "" where nothing is."""
    cpu_s = CPU_S + CPU_S_PER_MB * len(data) / 1e6
    hidden = {"TOKENIZERS_PARALLELISM": "false", "RUST_BACKTRACE": "0", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            [sys.executable, "-B", "-m", "gpt.tokenizers.try_tokenizer", str(cpu_s)],
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **hidden},
            timeout=cpu_s * WALL_FACTOR,
            check=False,
        )
    except subprocess.TimeoutExpired as error:  # maybe the machine is busy: no verdict to keep
        raise TokenizerError(_slow(cpu_s * WALL_FACTOR)) from error
    except OSError as error:
        raise TokenizerError(f"its tokenizer cannot be tried here: {error.strerror}") from error
    if done.returncode == 0:
        return ""
    if done.returncode == REFUSED:
        return done.stdout.decode("utf-8", "replace")[:400]
    if done.returncode in (-signal.SIGPROF, -signal.SIGXCPU, -signal.SIGKILL):
        return _slow(cpu_s)
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"code {done.returncode}"
    return f"its tokenizer ended the process in which it was tried ({how}): take another model"


def _slow(cpu_s: float) -> str:
    return (
        f"its tokenizer was not done with a few short texts after {cpu_s:.1f} seconds: take "
        "another model"
    )
