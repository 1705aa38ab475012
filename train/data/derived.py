"""Tokens that were made of a text, held against the text as it is now.

data.json has the SHA-256 of every file that was read. Where one is another now, the tokens are
made anew and that is said, or, where a run is to go on with them, refused.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpt.checkpoint.provenance import texts as texts_of
from gpt.files import CheckpointError, MissingFileError, is_there, read_json, said
from gpt.files.strict_json import is_list, is_object
from gpt.tokenizers import Tokenizer, TokenizerError
from train.data.folder import Data, DataError, load_data
from train.data.prepare import Kind, prepare
from train.data.texts import SourceFile, fingerprints, is_text_of, split_texts, texts_in

VALID_FRACTION = 0.1
STORY = Path("data/story.txt")


def prepared(
    given: Path, folder: Path, *, kind: Kind | Tokenizer = "char", run: Path | None = None
) -> Data:
    """The text `given`, or those of a folder, as tokens in `folder`: made where there are none, and
    anew where they are of another text or cut by another tokenizer.

    Args:
        run: A run that is to go on, whose tokens are not replaced; None for none.

    Raises:
        DataError: the run is of another text, or its tokens are damaged; or there is none.
        ValueError, OSError: the text cannot be read, or the tokens not be written.
    """
    texts = texts_in(given)
    held = _facts(folder)
    now: list[SourceFile] = []
    if held is not None:
        known = _hashes(held)
        now = fingerprints(*split_texts(texts, (), VALID_FRACTION), known)
        same = known == [source.sha256 for source in now]
        if same and (data := _cut_by(kind, folder, run)) is not None:
            return data
        if run is not None and same:
            raise DataError(
                f"{said(folder)} was cut by another tokenizer than is asked for: give the options "
                f"that the run in {said(run)} was started with, or begin anew in another --out"
            )
        if run is not None:
            raise DataError(
                f"the run in {said(run)} learns from {_told(held)}, and {said(given)} is "
                f"{_listed(now)} now: put the text back as it was, or begin anew in another --out"
            )
    prepare(texts, folder, kind=kind, valid_fraction=VALID_FRACTION)
    if held is not None:
        print(
            f"{folder} did not hold {given} as it is now: prepared anew from {_listed(now)}; "
            f"before it was {_told(held)}"
        )
    return load_data(folder)


def default_text(preset: str) -> Path:
    """The text that a preset brings.

    Raises:
        DataError: the preset needs --data.
    """
    if preset != "story" or not STORY.exists():
        raise DataError(
            "expected --data FOLDER: make one with `python -m train.prepare YOUR.txt --out FOLDER`"
        )
    return STORY


def open_or_prepare(given: Path, out: Path, run: Path | None = None) -> Data:
    """A folder of train.prepare, or a text that is prepared in out/data, the one that ships in
    data/story; see `prepared`.

    Raises:
        DataError: there is nothing to train on, or as in `prepared`.
    """
    if not is_text(given):
        return load_data(given)
    return prepared(given, STORY.with_suffix("") if given == STORY else out / "data", run=run)


def is_text(given: Path) -> bool:
    """Whether it is a text file or a folder of them, rather than what train.prepare made."""
    if not given.is_dir() or is_there(given, "data.json"):
        return given.is_file()
    return any(is_text_of(path, given) for path in given.rglob("*"))


def same_data(begun: Mapping[str, Any], data: Data) -> bool:
    """Whether a run learnt from these very tokens, and is measured on them.

    Args:
        begun: config.json of the run.
    """
    told: Mapping[str, Any] = begun["data"]
    return all(
        told[split]["sha256"] == data.facts[split]["sha256"]
        for split in ("train", "valid")
        if is_object(told.get(split)) and "sha256" in told[split]
    )


def check_same_data(run: Path, begun: Mapping[str, Any], data: Data) -> None:
    """Raise a DataError, with both names, for a run that is to go on with other tokens."""
    if not same_data(begun, data):
        raise DataError(
            f"the run in {said(run)} learns from {_told(begun['data'])}, and {said(data.folder)} "
            f"holds {_told(data.facts)} as other tokens: it is of another text, or it has changed "
            "since. Give the --data it was started with, or begin anew in another --out"
        )


def _facts(folder: Path) -> dict[str, Any] | None:
    """data.json; None where there is none, {} where it cannot be read, so that it is of no text."""
    try:
        return read_json(folder, "data.json")
    except MissingFileError:
        return None
    except CheckpointError:
        return {}


def _hashes(held: Mapping[str, Any]) -> list[str]:
    """The SHA-256 of the files that data.json names."""
    sources = held.get("sources")
    listed = sources if is_list(sources) else []
    return [str(each.get("sha256")) for each in listed if is_object(each)]


def _cut_by(kind: Kind | Tokenizer, folder: Path, run: Path | None) -> Data | None:
    """The tokens in a folder; None where they are damaged, which a `run` is told, or cut by another
    tokenizer."""
    try:
        data = load_data(folder)
    except (DataError, TokenizerError, ValueError):
        if run is not None:
            raise
        return None
    if isinstance(kind, str):
        return data if data.tokenizer.kind == kind else None
    alike = data.tokenizer.pieces == kind.pieces and data.tokenizer.eos_id == kind.eos_id
    return data if alike else None


def _told(facts: Mapping[str, Any]) -> str:
    """The files that data.json names, each with its size and the first digits of its hash."""
    if not texts_of({"data": facts}):
        return "a text of which it says nothing"
    return ", ".join(
        f"{each.get('name')} ({each.get('bytes')} bytes, SHA-256 {str(each.get('sha256'))[:8]}…)"
        for each in facts["sources"]
    )


def _listed(sources: Sequence[SourceFile]) -> str:
    return ", ".join(
        f"{each.name} ({each.bytes} bytes, SHA-256 {each.sha256[:8]}…)" for each in sources
    )
