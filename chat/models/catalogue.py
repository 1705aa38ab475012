"""Which models there are: every folder that holds a checkpoint, found anew each time one asks.

Beside them those on the Hugging Face Hub that INKLING_MODELS names, fetched when first used.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from chat.models.ownership import begun_in, begun_run_of
from chat.models.remote.engine import RemoteEngine
from gpt.checkpoint import INDEX, WEIGHTS, CheckpointError, read_config, read_training, version
from gpt.checkpoint.generation_config import usable_defaults
from gpt.checkpoint.hub import HubName, cached, fetch, on_hub
from gpt.files import is_there, printable

DEFAULT = "stories"
FOLDERS_VARIABLE = "INKLING_MODELS"

# Plain ASCII: the texts most models learn from have no curly quotes, and a character model refuses
# what it never saw.
GENERIC_STARTERS = ("Once upon a time", "It was a dark night, and", "She opened the door and")

READ = (
    *("config.json", "training.json", "generation_config.json", "tokenizer.json"),
    *(WEIGHTS, INDEX),
)
"""The files that a listing is made of."""

UNITS = {"char": "characters", "bpe": "word pieces", "sentencepiece": "word pieces"}
"""What the tokens of each kind of tokenizer are, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """A checkpoint that can be picked; nothing of its weights is read yet.

    Attributes:
        key: The name a page knows it by. A page never gives a path.
        version: Changes when the checkpoint is written again.
        own: The settings that its folder asks for, by name, as far as they can be used.
        hub: Where it is to be fetched from first; None once it is here.
        server: The name of the server of another program that has it, or was to say which it has;
            then there is no folder.
        remote: What writes with it there, once the server has said so.
        open_text: Whoever this listing is for may be shown what it learnt from.
        broken: Why it cannot be opened; "" for one that, as far as is known, can be.
    """

    key: str
    folder: Path
    version: int
    block_size: int
    summary: str
    starters: tuple[str, ...]
    own: Mapping[str, float | int] = field(default_factory=dict[str, float | int], hash=False)
    hub: HubName | None = None
    server: str = ""
    remote: RemoteEngine | None = None
    open_text: bool = False
    broken: str = ""

    @property
    def here(self) -> bool:
        """Whether its folder is there to be read."""
        return self.hub is None and not self.server


def find_models(
    root: Path,
    extra: str | None = None,
    *,
    owner: str | None = None,
    alone: bool = False,
    others: Callable[[], Mapping[str, Listing]] = dict,
) -> dict[str, Listing]:
    """The checkpoints that `owner` may see, by key: all in `root`/checkpoints, `root`/runs and the
    folders in `extra`, but of those that were trained from a page only the owner's own, and those
    that others share.

    Nothing else of a page's runs comes through here: not their names, and not that they are there.

    Args:
        root: The project's folder.
        extra: Folders with a colon between them, each a checkpoint, a run, or a folder of such,
            and names on the Hub (USER/NAME); None reads INKLING_MODELS.
        owner: Who asks; None for somebody who owns nothing.
        alone: Nobody is asked for a name here, so that LOCAL is the only writer, and sees all.
        others: What is known of models elsewhere (`chat.models.remote.directory`).
    """
    extra = os.environ.get(FOLDERS_VARIABLE, "") if extra is None else extra
    found: dict[str, Listing] = {}
    seen: set[Path] = set()
    named = {each: on_hub(each) for each in extra.split(":") if each}
    folders = [Path(each).expanduser() for each, hub in named.items() if hub is None]
    for name, origin, folder in _candidates(root, folders):
        # A page's run is its owner's, whatever folder or link leads to it.
        if folder.resolve() in seen or begun_run_of(folder) is not None:
            continue
        key = _free_key(found, _shown(name), origin)
        if (listing := read_listing(key, folder)) is not None:
            seen.add(folder.resolve())
            found[key] = replace(listing, open_text=True)
    for hub in named.values():
        if hub is not None and str(hub) not in found:
            found[str(hub)] = replace(_listing_of_hub(hub), open_text=True)
    for name, listing in others().items():
        key = _free_key(found, name, "server")
        found[key] = replace(listing, key=key)
    if owner is not None:
        _add_begun(found, root / "runs", owner, alone=alone)
    return found


def _add_begun(found: dict[str, Listing], runs: Path, owner: str, *, alone: bool) -> None:
    """Add what was trained from pages and `owner` may see: first their own, then the others'."""
    seen = [run for run in begun_in(runs) if run.seen_by(owner, alone=alone)]
    for run in sorted(seen, key=lambda run: run.owner != owner):
        mine = run.owner == owner
        called = run.name if mine else run.shared_name
        for name, origin, folder in _of_run(run.folder, "yours" if mine else "shared"):
            key = _free_key(found, called + name.removeprefix(run.name), origin)
            if (listing := read_listing(key, folder)) is not None:
                found[key] = replace(listing, open_text=run.read_by(owner, alone=alone))


def _free_key(found: Mapping[str, Listing], name: str, origin: str) -> str:
    key, count = name, 1
    while key in found:
        key = f"{name} ({origin})" if count == 1 else f"{name} ({origin} {count})"
        count += 1
    return key


def fetched(listing: Listing) -> Listing:
    """The listing of a model that is here now: fetched first where it has yet to be.

    Raises:
        CheckpointError: The Hub is out of reach, or has no such model that we can open.
    """
    if listing.hub is None:
        return listing
    folder = fetch(listing.hub)
    here = read_listing(listing.key, folder) or replace(listing, folder=folder, hub=None)
    return replace(here, open_text=listing.open_text)


def _listing_of_hub(hub: HubName) -> Listing:
    """What is known of a model on the Hub, without asking it."""
    folder, key = cached(hub), str(hub)
    return (folder and read_listing(key, folder)) or Listing(
        key=key,
        folder=Path(hub.repo),
        version=0,
        block_size=0,
        summary="on the Hub, downloaded when first used",
        starters=GENERIC_STARTERS,
        hub=hub,
    )


def default_model(models: Mapping[str, Listing]) -> str | None:
    """The stories model where there is one, else the first that was found."""
    keys = [key for key, listing in models.items() if not listing.broken]
    return DEFAULT if DEFAULT in keys else next(iter(keys), None)


def in_millions(parameters: int) -> str:
    """The size of a model in words.

    >>> in_millions(11752320), in_millions(123_456), in_millions(950)
    ('11.8 million parameters', '123 thousand parameters', '950 parameters')
    """
    if parameters >= 999_500:
        return f"{parameters / 1e6:.3g} million parameters"
    if parameters >= 1000:
        return f"{parameters / 1e3:.0f} thousand parameters"
    return f"{parameters} parameters"


def _candidates(root: Path, extra: list[Path]) -> Iterator[tuple[str, str, Path]]:
    """Folders that may hold a checkpoint: a name, where it comes from, the folder."""
    for folder in _folders(root / "checkpoints"):
        yield folder.name, "shipped", folder
    for run in _folders(root / "runs"):
        yield from _of_run(run, "run")
    for folder in extra:
        weights = (WEIGHTS, INDEX, f"best/{WEIGHTS}")
        if any(is_there(folder, name) for name in weights):
            yield from _of_run(folder, folder.parent.name)
            continue
        for inner in _folders(folder):
            yield from _of_run(inner, folder.name)


def _of_run(run: Path, origin: str) -> Iterator[tuple[str, str, Path]]:
    """A folder that may be a checkpoint, and those in it; `best` goes by the name of the run."""
    yield run.name, origin, run
    for inner in _folders(run):
        yield run.name if inner.name == "best" else f"{run.name}/{inner.name}", origin, inner


def _folders(folder: Path) -> list[Path]:
    """Its folders by name; a name that begins with a dot is somebody's work in progress."""
    try:
        inner = [each for each in folder.iterdir() if _is_folder(each)]
    except OSError:
        return []
    return sorted(inner, key=lambda each: (each.name != "best", each.name))


def _is_folder(path: Path) -> bool:
    try:
        return not path.name.startswith(".") and stat.S_ISDIR(path.stat().st_mode)
    except OSError:
        return False


def _shown(name: str) -> str:
    """The name of a folder as a page can show it: no half characters, no line ends, not endless."""
    whole = name.encode("utf-8", "replace").decode()
    return printable(whole)[:120]


def read_listing(key: str, folder: Path) -> Listing | None:
    """What can be told without the weights; None where no checkpoint lies.

    One that is there and cannot be read is listed too, with the reason.
    """
    if not any(is_there(folder, name) for name in (WEIGHTS, INDEX)):
        return None
    return replace(_listing(folder, _state(folder)), key=key)


def without_place(error: object, folder: Path) -> str:
    """What is wrong in a folder, as any page may be told: not where on this machine it lies."""
    said = str(error)
    for place in {str(folder), str(folder.resolve())}:
        said = said.replace(f"{place}/", "").replace(place, _shown(folder.name))
    return said


def _state(folder: Path) -> tuple[object, ...]:
    """What changes when a file of the folder does, so that what did not is not read again."""
    return tuple(_state_of(folder / name) for name in READ)


def _state_of(path: Path) -> tuple[int, ...] | None:
    for read in (path.stat, path.lstat):
        try:
            facts = read()
        except OSError:
            continue
        return facts.st_mode, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
    return None


@lru_cache(maxsize=2048)
def _listing(folder: Path, state: tuple[object, ...]) -> Listing:
    """The listing of a folder in that state, its key still to be set."""
    try:
        config, training = read_config(folder), read_training(folder)
        written = version(folder)
    except CheckpointError as error:
        why = without_place(error, folder)
        return Listing(
            key="",
            folder=folder,
            version=0,
            block_size=0,
            summary=f"cannot be opened: {why[:300]}",
            starters=GENERIC_STARTERS,
            broken=why,
        )
    starters = training.get("starters") or GENERIC_STARTERS
    facts = [f"{config.n_layer} layers of {config.n_embd}", f"reads {config.block_size} tokens"]
    parameters = training.get("parameters")
    if parameters is not None:
        facts[0] = in_millions(parameters)
    kind = training.get("data", {}).get("tokenizer")
    if kind in UNITS:
        facts[1] = f"reads {config.block_size} {UNITS[kind]}"
    return Listing(
        key="",
        folder=folder,
        version=written,
        block_size=config.block_size,
        summary=" · ".join(facts),
        starters=tuple(starters)[:6],
        own=usable_defaults(folder).values,
    )
