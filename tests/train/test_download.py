"""Downloads go on where they stopped, and say so when they cannot."""

import hashlib
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from train.data.download import NAMED_TEXTS, DownloadError, Remote, fetch

CONTENT = bytes(range(256)) * 4000


@dataclass
class Site:
    """A web site with one file, which can drop the connection or know no ranges."""

    url: str = ""
    ranges: bool = True
    drop_after: int | None = None
    requests: list[str | None] = field(default_factory=list)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers["Range"]
            site.requests.append(wanted)
            start = int(wanted[len("bytes=") : -1]) if wanted and site.ranges else 0
            if start >= len(CONTENT):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(CONTENT)}")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(CONTENT) - start))
            self.end_headers()
            self.wfile.write(CONTENT[start:][: site.drop_after])

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    site.url = f"http://127.0.0.1:{server.server_port}/text.txt"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield site
    server.shutdown()
    thread.join()
    server.server_close()


def remote(site: Site, content: bytes = CONTENT) -> Remote:
    return Remote(url=site.url, name="text.txt", sha256=hashlib.sha256(content).hexdigest())


def test_a_file_is_fetched_once(site: Site, tmp_path: Path):
    for _ in range(2):
        path = fetch(remote(site), tmp_path / "downloads")
        assert path.read_bytes() == CONTENT
    assert site.requests == [None]
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == ["text.txt"]


def test_a_broken_download_goes_on_where_it_stopped(site: Site, tmp_path: Path):
    site.drop_after = 300_000
    with pytest.raises(DownloadError, match="goes on after the 300,000 bytes that are here"):
        fetch(remote(site), tmp_path)
    assert not (tmp_path / "text.txt").exists()
    site.drop_after = None
    assert fetch(remote(site), tmp_path).read_bytes() == CONTENT
    assert site.requests == [None, "bytes=300000-"]


def test_a_server_without_ranges_sends_the_whole_again(site: Site, tmp_path: Path):
    (tmp_path / "text.txt.part").write_bytes(CONTENT[:1000])
    site.ranges = False
    assert fetch(remote(site), tmp_path).read_bytes() == CONTENT


def test_a_download_that_broke_off_at_its_end_is_complete(site: Site, tmp_path: Path):
    (tmp_path / "text.txt.part").write_bytes(CONTENT)
    assert fetch(remote(site), tmp_path).read_bytes() == CONTENT


def test_a_part_longer_than_the_file_is_fetched_anew(site: Site, tmp_path: Path):
    (tmp_path / "text.txt.part").write_bytes(CONTENT + b"more")
    assert fetch(remote(site), tmp_path).read_bytes() == CONTENT
    assert site.requests == [f"bytes={len(CONTENT) + 4}-", None]


def test_what_is_not_the_file_is_deleted(site: Site, tmp_path: Path):
    with pytest.raises(DownloadError, match=r"is not the file it should be .* run the command"):
        fetch(remote(site, b"another"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # taken, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/text.txt"
        advice = (
            rf"cannot download {re.escape(url)}: .*refused.* Check the connection and run the "
            "command again: it goes on after the 0 bytes .* give a text file of your own"
        )
        with pytest.raises(DownloadError, match=advice):
            fetch(Remote(url=url, name="text.txt"), tmp_path)


def test_named_texts_lie_where_their_authors_put_them():
    shakespeare = NAMED_TEXTS["shakespeare"]()
    assert shakespeare.valid is None
    assert shakespeare.train.url == (
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
    )
    stories = NAMED_TEXTS["tinystories"]()
    assert stories.valid is not None
    assert [stories.train.url, stories.valid.url] == [
        f"https://huggingface.co/datasets/roneneldan/TinyStories/resolve/main/{name}"
        for name in ("TinyStories-train.txt", "TinyStories-valid.txt")
    ]


def test_a_download_that_was_changed_since_is_not_taken_for_the_text(site: Site, tmp_path: Path):
    fetch(remote(site), tmp_path).write_bytes(CONTENT + b"more")
    with pytest.raises(DownloadError, match="move it away to download it again"):
        fetch(remote(site), tmp_path)
