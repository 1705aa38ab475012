"""What a COPY may see: the files that .dockerignore lets through, and their way into a folder."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from deploy.dockerfile import DockerfileError


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of a .dockerignore: whether it lets in, what it says, and which paths that is."""

    lets_in: bool
    said: str
    fits: re.Pattern[str]


def rules(text: str) -> list[Rule]:
    """The lines of a .dockerignore.

    Raises:
        DockerfileError: A line has more than names, `*` within one, and `**/` before all.
    """
    found: list[Rule] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        said = line.strip().removeprefix("!")
        name = said.removeprefix("**/")
        if not re.fullmatch(r"[\w./*-]+", name) or "**" in name:
            raise DockerfileError(f".dockerignore: {line[:80]} is not understood")
        pattern = re.escape(name).replace(r"\*", "[^/]*")
        anywhere = "(.*/)?" if said != name else ""
        # What lies below goes the way of its folder.
        found.append(Rule(line.startswith("!"), said, re.compile(f"{anywhere}{pattern}(/.*)?")))
    return found


def let_in(root: Path, ignore: str) -> Iterator[str]:
    """The files below `root` that a .dockerignore lets in, as paths from there: the last line that
    fits decides."""
    lines = rules(ignore)

    def stays_out(name: str) -> bool:
        fitting = [rule for rule in lines if rule.fits.fullmatch(name)]
        return bool(fitting) and not fitting[-1].lets_in

    for top in sorted(path for path in root.iterdir() if not path.is_symlink()):
        # A folder of which nothing comes in is not walked: .venv has 40,000 files.
        below = any(rule.lets_in and rule.said.startswith(f"{top.name}/") for rule in lines)
        if stays_out(top.name) and not below:
            continue
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            name = path.relative_to(root).as_posix()
            if path.is_file() and not stays_out(name):
                yield name


def copy(root: Path, ignore: str, sources: tuple[str, ...], target: Path) -> int:
    """Do what COPY does with files and with `.`; how many files came.

    Raises:
        DockerfileError: A source is not there, or is another folder than `.`.
    """
    seen = list(let_in(root, ignore))
    came = 0
    for source in sources:
        chosen = seen if source == "." else [name for name in seen if name == source]
        if not chosen:
            raise DockerfileError(f"COPY {source}: .dockerignore lets no such file in")
        for name in chosen:
            to = target / (name if source == "." else Path(name).name)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to)
            came += 1
    return came
