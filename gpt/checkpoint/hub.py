"""Names on the Hugging Face Hub → folders on disk: fetched once, kept in the Hub's own cache.

`USER/NAME`, or `USER/NAME@REVISION`, stands wherever a checkpoint folder does. What a model needs
is fetched file by file, the weights last, so a folder that has them has all. No code is ever
fetched, and no pickle. Shared parts of the cache are links; other programs that use it, as
transformers, find what was fetched here and the other way round.
"""

import hashlib
import re
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from gpt.checkpoint import folder as checkpoint
from gpt.checkpoint.copied_runs import COPIED_RUNS
from gpt.checkpoint.folder import Checkpoint, CheckpointError
from gpt.checkpoint.shards import INDEX, weight_files
from gpt.checkpoint.training_json import WEIGHTS

CONFIG = "config.json"
SMALL_FILES = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.json",
    "merges.txt",
    "tokenizer.model",
    "spiece.model",
    "README.md",
    "training.json",
    "metrics.jsonl",
    "loss.png",
    COPIED_RUNS,
)
"""What may lie beside config.json and the weights; none of it must."""
NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*)(?:@([\w][\w./-]*))?")
SHA256 = re.compile(r"[0-9a-f]{64}")
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


class HubError(CheckpointError):
    """A model that cannot be had from the Hub, with the reason and what to do."""


@dataclass(frozen=True, slots=True)
class HubName:
    """A model on the Hub; without a revision its newest."""

    repo: str
    revision: str | None = None

    def __str__(self) -> str:
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def hub_name(text: str | Path) -> HubName | None:
    """The model that `text` names, by its form alone; None for what can only be a path."""
    match = NAME.fullmatch(str(text))
    return HubName(match[1], match[2]) if match else None


def on_hub(name: str | Path) -> HubName | None:
    """The model on the Hub that `name` stands for; None for a folder, which goes first."""
    return None if checkpoint.is_here(Path(name).expanduser()) else hub_name(name)


def resolve(name: str | Path) -> Path:
    """The folder of a model: itself where there is such a folder, else fetched from the Hub.

    Raises:
        HubError: it is no folder here, and the Hub has none that we can open or is out of reach.
    """
    wanted = on_hub(name)
    return Path(name).expanduser() if wanted is None else fetch(wanted)


def load(
    name: str | Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32
) -> Checkpoint:
    """Open a checkpoint folder, or a model on the Hub; nothing else is needed.

    Args:
        name: A folder or, where there is no such folder, USER/NAME or USER/NAME@REVISION.

    Raises:
        CheckpointError: there is no model there that we can open; a HubError where the Hub is why.
    """
    wanted = on_hub(name)
    folder = Path(name).expanduser() if wanted is None else fetch(wanted)
    opened = checkpoint.load(folder, device=device, dtype=dtype)
    return opened if wanted is None else replace(opened, name=str(wanted))


def cached(wanted: HubName) -> Path | None:
    """The folder of a model that was fetched before; None where some of it is lacking.

    Asks no network.
    """
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(wanted.repo, CONFIG, revision=wanted.revision)
    folder = Path(config).parent if isinstance(config, str) else None
    return folder if folder and _is_whole(folder) else None


def _is_whole(folder: Path) -> bool:
    """The weights come last, so where they are the rest is."""
    try:
        checkpoint.version(folder)
        return True
    except CheckpointError:
        return False


def fetch(wanted: HubName) -> Path:
    """The folder of a model in the Hub's cache, fetched first unless it is there and the newest.

    A file that broke off goes on where it stopped, in this run or the next. Without a network,
    what was fetched before is taken.

    Raises:
        HubError: it cannot be had. A model that we could not run is refused by its config.json,
            before anything large is fetched.
    """
    with _in_words(wanted):
        _ask_at_once(wanted)
        folder = _fetch_small(wanted, CONFIG, wanted.revision)
        if folder is None:
            raise HubError(f"{wanted} on the Hub is no model: it has no {CONFIG}")
        try:
            checkpoint.config_in(folder)
        except CheckpointError as error:
            raise HubError(f"{wanted} on the Hub is not for Inkling: {error}") from error
        if _is_whole(folder):
            return folder
        for name in SMALL_FILES:
            _fetch_small(wanted, name, folder.name)
        if _fetch_weights(wanted, WEIGHTS, folder.name):
            return folder
        if _fetch_small(wanted, INDEX, folder.name) is None:
            raise HubError(
                f"{wanted} on the Hub has no {WEIGHTS}: Inkling opens no other weights, for "
                "a pickle (.bin, .pt) could run code"
            )
        for name in weight_files(folder):
            if not _fetch_weights(wanted, name, folder.name):
                raise HubError(f"{wanted} on the Hub lacks {name}, which its {INDEX} names")
        return folder


def _ask_at_once(wanted: HubName) -> None:
    """Raise what is wrong with a model that is not here yet.

    huggingface_hub tries for half a minute when there is no network.
    """
    from huggingface_hub import (
        get_hf_file_metadata,  # pyright: ignore[reportUnknownVariableType]
        hf_hub_url,
    )
    from huggingface_hub.errors import RemoteEntryNotFoundError

    if cached(wanted) is None:
        with suppress(RemoteEntryNotFoundError):
            get_hf_file_metadata(hf_hub_url(wanted.repo, CONFIG, revision=wanted.revision))


def _fetch_small(wanted: HubName, name: str, revision: str | None) -> Path | None:
    """The folder that now holds a small file; None where the model has no such file."""
    from huggingface_hub import hf_hub_download  # pyright: ignore[reportUnknownVariableType]
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        path = hf_hub_download(wanted.repo, name, revision=revision)
    except RemoteEntryNotFoundError:
        return None
    return Path(path).parent


def _fetch_weights(wanted: HubName, name: str, commit: str) -> bool:
    """Fetch a large file into the cache, with a progress bar; whether the model has such a file.

    huggingface_hub begins a file anew in every run, and finds in its cache what we put there.
    """
    from huggingface_hub import (
        get_hf_file_metadata,  # pyright: ignore[reportUnknownVariableType]
        hf_hub_download,  # pyright: ignore[reportUnknownVariableType]
        hf_hub_url,
    )
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.errors import RemoteEntryNotFoundError
    from huggingface_hub.file_download import repo_folder_name
    from huggingface_hub.utils import WeakFileLock

    url = hf_hub_url(wanted.repo, name, revision=commit)
    try:
        facts = get_hf_file_metadata(url)
    except RemoteEntryNotFoundError:
        return False
    if facts.etag is None or not re.fullmatch(r"[\w-]+", facts.etag):
        raise HubError(f"the Hub does not say which version of {name} it has: try again later")
    folder = repo_folder_name(repo_id=wanted.repo, repo_type="model")
    blob = Path(HF_HUB_CACHE) / folder / "blobs" / facts.etag
    lock = Path(HF_HUB_CACHE) / ".locks" / folder / f"{facts.etag}.lock"
    for each in (blob, lock):
        each.parent.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock):
        if not blob.exists():
            part = blob.with_name(f"{blob.name}.resumed.incomplete")
            _download(url, part, size=facts.size, name=name)
            _check(part, facts.etag, name)
            part.replace(blob)
    hf_hub_download(wanted.repo, name, revision=commit)  # links the folder to it
    return True


def _download(url: str, part: Path, *, size: int | None, name: str) -> None:
    """Bring `part` to its full length, from where it is; tried anew for as long as more comes."""
    from huggingface_hub.file_download import (
        http_get,  # pyright: ignore[reportUnknownVariableType]
    )
    from huggingface_hub.utils import (
        build_hf_headers,  # pyright: ignore[reportUnknownVariableType]
        httpx,
    )

    with part.open("ab") as file:
        while True:
            have = file.tell()
            try:
                return http_get(
                    url,
                    file,
                    resume_size=have,
                    headers=build_hf_headers(),
                    expected_size=size,
                    displayed_filename=name,
                )
            except httpx.TransportError:
                if file.tell() <= have:
                    raise


def _check(part: Path, etag: str, name: str) -> None:
    """Large files are known by their SHA-256; one that is another is deleted."""
    if SHA256.fullmatch(etag):
        with part.open("rb") as file:
            same = hashlib.file_digest(file, "sha256").hexdigest() == etag
        if not same:
            part.unlink()
            raise HubError(f"what came is not the {name} it should be, and was deleted: try again")


@contextmanager
def _in_words(wanted: HubName) -> Generator[None]:
    """Turn what huggingface_hub raises into one sentence that says what to do."""
    from huggingface_hub import errors
    from huggingface_hub.constants import HF_HUB_CACHE
    from huggingface_hub.utils import httpx

    try:
        yield
    except errors.GatedRepoError as error:
        raise HubError(
            f"{wanted.repo} is shared only with those who agree to its terms: agree on "
            f"https://huggingface.co/{wanted.repo}, then {LOG_IN}"
        ) from error
    except errors.RepositoryNotFoundError as error:
        raise HubError(
            f"{wanted} is no folder here, and no model of that name on the Hub can be seen by "
            f"you: check the spelling, or, if it is private, {LOG_IN}"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise HubError(f"{wanted.repo} on the Hub has no revision “{wanted.revision}”") from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        todo = f"your token does not fit: {LOG_IN} anew" if status == 401 else "try again later"
        raise HubError(f"the Hub answered {status} when asked for {wanted}; {todo}") from error
    except (
        errors.LocalEntryNotFoundError,
        errors.FileMetadataError,
        errors.OfflineModeIsEnabled,
        httpx.TransportError,
    ) as error:
        raise HubError(
            f"{wanted} is no folder here, the Hub cannot be reached, and its cache "
            f"({HF_HUB_CACHE}) does not hold the whole model: connect once and run this again "
            "(what has arrived is kept), or give a folder"
        ) from error
    except errors.HFValidationError as error:
        raise HubError(f"{wanted} is no folder here, and no name the Hub has: {error}") from error
    except CheckpointError:
        raise
    except OSError as error:
        raise HubError(f"{wanted} cannot be kept in {HF_HUB_CACHE}: {error}") from error
