"""Text files and their split into training and validation parts, which never overlap."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gpt.dataset import read_chunks, validation_start
from gpt.files.text import check_prose, check_text
from train.data.download import NAMED_TEXTS, fetch


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text file to train on; `valid` is its validation file, None to hold out its last part."""

    path: Path
    valid: Path | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """The characters start .. stop - 1 of a text file; stop None is its end."""

    path: Path
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SourceFile:
    """A text file as data.json lists it: base name, size, SHA-256 and split."""

    name: str
    bytes: int
    sha256: str
    serves: str
    """The splits it is read for: "train", "valid" or "train, valid"."""


def find_texts(name_or_file: str, downloads: Path) -> list[Text]:
    """A file, those of a folder, or else a text known by name, downloaded into `downloads` unless
    it is there.

    Raises:
        FileNotFoundError: It is neither.
        DownloadError: It could not be downloaded.
    """
    if Path(name_or_file).exists():
        return texts_in(Path(name_or_file))
    if name_or_file not in NAMED_TEXTS:
        raise FileNotFoundError(
            f"no file {name_or_file}, nor a text of that name; these can be downloaded: "
            f"{', '.join(NAMED_TEXTS)}, wildchat"
        )
    named = NAMED_TEXTS[name_or_file]()
    valid = fetch(named.valid, downloads) if named.valid else None
    return [Text(path=fetch(named.train, downloads), valid=valid)]


TEXT_ENDINGS = (".txt", ".md")


def texts_in(place: Path) -> list[Text]:
    """The file itself as a text, or the text files of a folder, in order.

    Raises:
        FileNotFoundError: there is none.
    """
    return [Text(path=path) for path in text_files(place)]


def is_text_of(path: Path, folder: Path) -> bool:
    """Whether it goes by a text's name. What is hidden is another program's, as the ._x.txt that
    macOS puts beside x.txt."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in TEXT_ENDINGS and not hidden


def text_files(place: Path) -> list[Path]:
    """See `texts_in`."""
    if not place.is_dir():
        return [place]
    found = sorted(path for path in place.rglob("*") if is_text_of(path, place) and path.is_file())
    if not found:
        raise FileNotFoundError(
            f"expected a text file, or a folder with files ending in {' or '.join(TEXT_ENDINGS)}; "
            f"there is none in {place}"
        )
    return found


def split_texts(
    texts: Sequence[Text], valid_files: Sequence[Path], valid_fraction: float
) -> tuple[list[Part], list[Part]]:
    """The parts to train on and the parts to validate on; no character is in both.

    Args:
        texts: The texts to train on.
        valid_files: The validation text; empty to take it from `texts`.
        valid_fraction: Share of the characters of a text without a validation file, at its end,
            that is held out; in (0, 1).

    Raises:
        ValueError: `valid_fraction` is out of range, or a file cannot be read as UTF-8.
    """
    if not 0 < valid_fraction < 1:
        raise ValueError(f"the validation fraction must be between 0 and 1, not {valid_fraction}")
    train: list[Part] = []
    valid = [Part(path=path) for path in valid_files]
    for text in texts:
        cut = None
        if not valid_files and text.valid is not None:
            valid.append(Part(path=text.valid))
        elif not valid_files:
            cut = validation_start(text.path, valid_fraction)
            valid.append(Part(path=text.path, start=cut))
        train.append(Part(path=text.path, stop=cut))
    return train, valid


def fingerprints(
    train: Iterable[Part], valid: Iterable[Part], known: Collection[str] = ()
) -> list[SourceFile]:
    """The files of all parts with their SHA-256, each once, in order.

    Args:
        known: The SHA-256 of files that were learnt from already, whatever they are.

    Raises:
        ValueError: A file, or a copy of it, is both training and validation text; or it is none to
            learn from, as JSON is.
    """
    parts_of: dict[str, list[Part]] = {}
    sources: dict[Path, SourceFile] = {}
    train, valid = list(train), list(valid)
    for part in [*train, *valid]:
        if part.path not in sources:
            splits = {"train": train, "valid": valid}.items()
            serves = [split for split, parts in splits if any(p.path == part.path for p in parts)]
            sources[part.path] = _fingerprint(part.path, ", ".join(serves), known)
        parts_of.setdefault(sources[part.path].sha256, []).append(part)
    for part in valid:
        source = sources[part.path]
        others = [other for other in parts_of[source.sha256] if other is not part]
        if any(other.stop is None or other.stop > part.start for other in others):
            raise ValueError(
                f"{source.name} is both training and validation text: validation needs text that "
                "the model was not trained on; leave it out of one of the two"
            )
    return list(sources.values())


def read_texts(parts: Iterable[Part]) -> Iterator[str]:
    """The text of `parts` without its `<|endoftext|>` lines, a chunk at a time."""
    for part in parts:
        for chunk in read_chunks(part.path, start=part.start, stop=part.stop):
            yield chunk.text


def sample_texts(parts: Sequence[Part], characters: int) -> Iterator[str]:
    """The text of `parts`; about `characters` of a longer one, taken evenly from all of it."""
    total = sum(part.path.stat().st_size for part in parts)
    seen = taken = 0
    for text in read_texts(parts):
        if taken * total <= seen * characters:
            yield text
            taken += len(text)
        seen += len(text)


def _fingerprint(path: Path, serves: str, known: Collection[str]) -> SourceFile:
    check_text(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    if digest.hexdigest() not in known:
        check_prose(path)
    size = path.stat().st_size
    # A name that is no UTF-8 can stand in no file of it.
    name = path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return SourceFile(name=name, bytes=size, sha256=digest.hexdigest(), serves=serves)
