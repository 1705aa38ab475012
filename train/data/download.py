"""Fetch the texts that train.prepare knows by name, and go on where a broken download stopped."""

import hashlib
import http.client
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from gpt.files import put_in_place

BLOCK_BYTES = 1 << 18
TIMEOUT_S = 30.0


class DownloadError(OSError):
    """A text could not be fetched; the message says how to go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remote:
    """A file on the network, and its fingerprint where it is known."""

    url: str
    name: str
    sha256: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedText:
    """A text that has a name: what to train on and, where it has one, its own validation text."""

    train: Remote
    valid: Remote | None = None


def shakespeare() -> NamedText:
    """Tiny Shakespeare, 1.1 MB: the text of Karpathy's char-rnn (2015) and of nanoGPT."""
    return NamedText(
        train=Remote(
            url="https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
            name="tinyshakespeare.txt",
            sha256="86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        )
    )


def tinystories() -> NamedText:
    """TinyStories (Eldan and Li 2023, arXiv 2305.07759), 1.9 GB and 19 MB, from the Hub."""
    from huggingface_hub import hf_hub_url

    def remote(name: str) -> Remote:
        # hf_hub_download begins a file anew in every run; its address alone lets us go on.
        url = hf_hub_url("roneneldan/TinyStories", name, repo_type="dataset")
        return Remote(url=url, name=name)

    return NamedText(train=remote("TinyStories-train.txt"), valid=remote("TinyStories-valid.txt"))


NAMED_TEXTS: Mapping[str, Callable[[], NamedText]] = {
    "shakespeare": shakespeare,
    "tinystories": tinystories,
}


def fetch(remote: Remote, folder: Path) -> Path:
    """The path of `remote` in `folder`, downloaded first unless it is there already.

    What has arrived is kept in a file `.part`; the next call asks for the rest only.

    Raises:
        DownloadError: There is no connection, it broke, or what came is not the file.
    """
    path = folder / remote.name
    if path.exists():
        if remote.sha256 is not None and _sha256(path) != remote.sha256:
            raise DownloadError(
                f"{path} is not the text that {remote.url} gives (SHA-256 {remote.sha256}): "
                "move it away to download it again, or give it by its path as a text of your own"
            )
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{remote.name}.part"
    try:
        _download(remote, part)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, DownloadError):
            raise
        have = part.stat().st_size if part.exists() else 0
        reason = getattr(error, "reason", None) or error
        raise DownloadError(
            f"cannot download {remote.url}: {reason}. Check the connection and run the command "
            f"again: it goes on after the {have:,} bytes that are here. "
            "Without a connection, give a text file of your own"
        ) from error
    if remote.sha256 is not None and _sha256(part) != remote.sha256:
        part.unlink()
        raise DownloadError(
            f"what {remote.url} gave is not the file it should be (SHA-256 {remote.sha256}); "
            "it was deleted: run the command again"
        )
    put_in_place(part, path)
    return path


def _download(remote: Remote, part: Path) -> None:
    """Bring `part` to the full length of the remote file."""
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": "inkling"} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(remote.url, headers=headers)
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        # Nothing lies beyond what is here: either that is all, or the file has changed.
        if error.headers.get("Content-Range") != f"bytes */{have}":
            part.unlink()
            _download(remote, part)
        return
    with response:
        goes_on = response.status == http.HTTPStatus.PARTIAL_CONTENT
        have = have if goes_on else 0  # a server that knows no ranges sends the whole again
        length = response.headers.get("Content-Length")
        total = None if length is None else have + int(length)
        with (
            part.open("ab" if goes_on else "wb") as file,
            tqdm(
                total=total, initial=have, unit="B", unit_scale=True, desc=remote.name, disable=None
            ) as bar,
        ):
            while block := response.read(BLOCK_BYTES):
                file.write(block)
                bar.update(len(block))
        size = part.stat().st_size
        if total is not None and size != total:
            raise ConnectionError(f"the connection ended after {size:,} of {total:,} bytes")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
