"""Read the Dockerfile: the few instructions that it uses, in the few forms that it uses them in.

Whatever else stands there is refused, so that `deploy.image_check` never passes over a line that
Docker would heed.
"""

import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

BASE = re.compile(r"debian:([a-z]+)-slim")
NAME = r"[A-Za-z_][A-Za-z0-9_]*"


class DockerfileError(ValueError):
    """A line is not understood; the message says which."""


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction.

    Attributes:
        line: Where it begins, from 1.
        words: What it is given: the suite of FROM, the pairs of ENV and ARG as NAME=VALUE, the
            command of RUN as one word, sources and destination of COPY.
    """

    line: int
    name: str
    words: tuple[str, ...]


def read(text: str) -> list[Step]:
    """The steps of a Dockerfile.

    Raises:
        DockerfileError: Something in it is not understood.
    """
    steps: list[Step] = []
    for line, whole in _instructions(text):
        name, _, rest = whole.partition(" ")
        reader = READERS.get(name)
        words = reader(rest.strip()) if reader else None
        if not words:
            raise DockerfileError(f"line {line} is not understood: {whole[:80]}")
        steps.append(Step(line, name, words))
    if [step.name for step in steps].count("FROM") != 1 or steps[0].name != "FROM":
        raise DockerfileError("one FROM is expected, and before everything else")
    return steps


def expand(value: str, known: dict[str, str]) -> str:
    """`value` with $NAME replaced.

    Raises:
        DockerfileError: It has a name that nobody has set, or another form of a variable.
    """

    def replaced(found: re.Match[str]) -> str:
        if found[1] not in known:
            raise DockerfileError(f"{value}: nobody has set {found[0]}")
        return known[found[1]]

    return re.sub(rf"\$({NAME}|)", replaced, value)


def _instructions(text: str) -> list[tuple[int, str]]:
    """Each instruction in one line, with the number of its first; comments are gone."""
    found: list[tuple[int, str]] = []
    open_line = False
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.strip()
        if number == 1 and re.match(r"#\s*(syntax|escape|check)\s*=", plain):
            raise DockerfileError(f"line 1 is not understood: {plain[:80]}")
        if not plain or plain.startswith("#"):
            continue
        goes_on = plain.endswith("\\")
        part = plain.removesuffix("\\").rstrip()
        if open_line:
            found[-1] = (found[-1][0], f"{found[-1][1]} {part}")
        else:
            found.append((number, part))
        open_line = goes_on
    if open_line or not found:
        raise DockerfileError("the last instruction has no end")
    return found


def _base(rest: str) -> tuple[str, ...]:
    match = BASE.fullmatch(rest)
    return (match[1],) if match else ()


def _pairs(rest: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(rest))
    except ValueError:
        return ()
    return words if all(re.match(rf"{NAME}=", word) for word in words) else ()


def _shell(rest: str) -> tuple[str, ...]:
    return () if rest.startswith(("[", "--")) or "<<" in rest else (rest,)


def _copied(rest: str) -> tuple[str, ...]:
    words = tuple(rest.split())
    plain = all(re.fullmatch(r"[\w./-]+", word) and not word.startswith("-") for word in words)
    inside = all(not word.startswith("/") and ".." not in word for word in words[:-1])
    return words if len(words) > 1 and plain and inside else ()


def _one(pattern: str) -> Callable[[str], tuple[str, ...]]:
    return lambda rest: (rest,) if re.fullmatch(pattern, rest) else ()


def _listed(rest: str) -> tuple[str, ...]:
    try:
        said: Any = json.loads(rest)
    except ValueError:
        return ()
    words = cast("list[Any]", said) if isinstance(said, list) else []
    return tuple(words) if all(isinstance(word, str) for word in words) else ()


def _health(rest: str) -> tuple[str, ...]:
    """The command alone: Docker's times are for a container that lives on."""
    return _listed(
        re.sub(r"^(--(interval|timeout|start-period)=\d+s |--retries=\d+ )*CMD ", "", rest)
    )


READERS: dict[str, Callable[[str], tuple[str, ...]]] = {
    "FROM": _base,
    "ARG": _pairs,
    "ENV": _pairs,
    "RUN": _shell,
    "COPY": _copied,
    "WORKDIR": _one(r"/[\w./-]+"),
    "USER": _one(r"[a-z][a-z0-9-]*"),
    "EXPOSE": _one(r"\d{1,5}"),
    "VOLUME": _listed,
    "HEALTHCHECK": _health,
    "CMD": _listed,
}
