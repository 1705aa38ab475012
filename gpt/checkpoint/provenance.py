"""What a model learnt from, by what its training.json says: the files, the tokens, the command."""

import hashlib
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from gpt.files import CheckpointError, read_json


def called(folder: Path) -> str:
    """What a model is called; the best of a run goes by the name of the run."""
    return folder.parent.name if folder.name == "best" else folder.name


def texts(about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The files, each with what it served for: "train", "valid" or "train, valid".

    Args:
        about: training.json of a checkpoint, or config.json of a run; it may say nothing of them.
    """
    sources = _facts(about.get("data")).get("sources")
    listed = cast(list[object], sources) if isinstance(sources, list) else []
    named = [each for each in map(_facts, listed) if each.get("name")]
    return [(str(each["name"]), str(each.get("serves", "train"))) for each in named]


def judged_on(about: Mapping[str, Any]) -> tuple[str, str] | None:
    """The text that a model's validation loss was taken on: its name, and its fingerprint.

    By bits per byte two models can be held against each other where the fingerprints are the same,
    whatever their tokenizers: it is made of those of the files and of how much of them was kept
    back. None where that is not known.
    """
    data = _facts(about.get("data"))
    listed = data.get("sources")
    sources = map(_facts, cast(list[object], listed) if isinstance(listed, list) else [])
    held = [each for each in sources if "valid" in str(each.get("serves", ""))]
    size = _facts(data.get("valid")).get("bytes")
    if not held or not size or not all(each.get("sha256") for each in held):
        return None
    kept = [f"{each['sha256']} {each.get('serves')}" for each in held]
    told = hashlib.sha256("\n".join([str(size), *sorted(kept)]).encode()).hexdigest()
    return ", ".join(str(each.get("name", "a text without a name")) for each in held), told


def token_folders(about: Mapping[str, Any], split: str, places: Iterable[Path]) -> Iterator[Path]:
    """Those of `places` with the tokens of the training, known by the fingerprint it noted.

    Args:
        split: "train" or "valid".
    """
    wanted = _facts(_facts(about.get("data")).get(split)).get("sha256")
    for folder in places:
        try:
            facts = read_json(folder, "data.json", finite=False)
        except CheckpointError:
            continue
        if wanted and _facts(facts.get(split)).get("sha256") == wanted:
            yield folder


def command_words(about: Mapping[str, Any]) -> list[str]:
    """The words of the training's command; none where it notes none that a shell could read."""
    try:
        return shlex.split(str(about.get("command", "")))
    except ValueError:  # a quotation mark that does not close
        return []


def prepare_command(about: Mapping[str, Any], tokenizer: str, out: str) -> str:
    """The command that makes the data of the training; "" where nobody knows of which files.

    Args:
        tokenizer: A kind, or a folder that has it.
    """
    names = texts(about)
    if not names:
        return ""
    data = about["data"]
    words = [name for name, serves in names if serves == "train"]
    words += [name for name, serves in names if serves == "train, valid"]
    held = [name for name, serves in names if serves == "valid"]
    if held:
        words += ["--valid", *held]
    elif valid := _facts(data.get("valid")).get("bytes"):
        train = _facts(data.get("train")).get("bytes") or 0
        words += ["--valid-fraction", f"{valid / (train + valid):.3g}"]
    words += ["--tokenizer", tokenizer]
    if not Path(tokenizer).is_dir() and tokenizer != "char":
        words += ["--vocab-size", str(data.get("vocab_size", 4096))]
    return "python -m train.prepare " + shlex.join([*words, "--out", out])


def _facts(value: object) -> dict[str, Any]:
    """`value` where it is an object of JSON; whatever else stands there says nothing."""
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}
