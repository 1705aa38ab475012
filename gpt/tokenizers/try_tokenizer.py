"""What runs in the process in which a tokenizer is tried: `python -m gpt.tokenizers.try_tokenizer
SECONDS`.

A `Spec` comes in as JSON; the exit code says whether it is good, and a sentence why not. Its bounds
are set before anything of the tokenizer is touched; see gpt/tokenizers/trial.py.
"""

import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gpt.tokenizers.checks import literals
from gpt.tokenizers.errors import TokenizerError
from gpt.tokenizers.tokenizer import build
from gpt.tokenizers.trial import MEMORY, REFUSED, Spec

MOST_IDS_PER_BYTE = 24


def probes(text: str) -> Iterator[str]:
    """Texts on which a bad tokenizer shows: prose, and long runs of one letter or of two."""
    yield "Once upon a time, “there” was a girl’s café; 中文, 😀 too.\n\n  She said: no! 123\t<s>"
    single = "aZz0 \n\t!-_.,'\"é\u00a0ж中▁😀\x00ﷺ"
    for letter in dict.fromkeys([*single, *literals(json.loads(text))]):
        yield letter * 2500 + "!"
        yield f"{letter}a" * 600 + "\x01"
    for letter in "a 0\n!":
        yield letter * 50_000 + "\x01"


def _limit(cpu_s: float) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    whole = int(cpu_s) + 2
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_PROF, cpu_s)


def _run(spec: Spec) -> None:
    tokenizer = build(spec)
    for probe in probes(spec.text):
        ids = tokenizer.encode(probe)
        if len(ids) > MOST_IDS_PER_BYTE * len(probe.encode()) + 100:
            raise TokenizerError(f"it makes {len(ids):,} tokens of {len(probe):,} characters")
        if any(not 0 <= id < tokenizer.vocab_size for id in ids):
            raise TokenizerError("it gives ids that its vocabulary does not have")
        tokenizer.decode(ids)


def main() -> None:
    """Try what comes in; exit with REFUSED and a sentence where it is bad."""
    sys.excepthook = _refuse  # whatever is raised, a panic of the library too, is the verdict
    data: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    _limit(float(sys.argv[1]))
    _run(replace(Spec(**data), ends=tuple(data["ends"])))
    os._exit(0)


def _refuse(kind: type[BaseException], error: BaseException, _: object) -> None:
    why = " ".join(str(error).split()) or kind.__name__
    sys.stdout.write(f"its tokenizer cannot be read or does not work: {why[:300]}")
    sys.stdout.flush()
    os._exit(REFUSED)


if __name__ == "__main__":
    main()
