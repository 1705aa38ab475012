"""A small server that answers as the Hugging Face Hub does, for the real client to talk to.

It knows what huggingface_hub 2.4 asks for when a model is fetched or published: repositories with
commits, files behind a redirect with ETags and ranges, tokens, large files by the LFS protocol
(github.com/git-lfs/git-lfs/blob/main/docs/api). Private, gated and broken are a word away.
"""

import base64
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

LARGE = (".safetensors", ".png")
KIND = "(?P<kind>models|spaces)"
REPO = r"(?P<repo>[^/]+/[^/]+)"


@dataclass
class Repository:
    """One model or Space: its files, and who may see them."""

    files: dict[str, bytes] = field(default_factory=dict)
    private: bool = False
    gated: bool = False
    sdk: str | None = None

    @property
    def commit(self) -> str:
        """Changes with the files, as a commit does."""
        digest = hashlib.sha1()
        for name, data in sorted(self.files.items()):
            digest.update(name.encode() + b"\0" + data)
        return digest.hexdigest()


@dataclass
class Hub:
    """All that the server knows, and what it was asked for."""

    repositories: dict[tuple[str, str], Repository] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Whose a token is."""
    organizations: tuple[str, ...] = ()
    read_only: set[str] = field(default_factory=set)
    """Whose tokens may only read."""
    cut_after: dict[str, list[int]] = field(default_factory=dict)
    """Of a file by its name: after how many bytes the next answers break off, and then no more."""
    stored: dict[str, bytes] = field(default_factory=dict)
    """Large files by their SHA-256."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """Method, path and range of every request."""
    address: str = ""

    def add(self, name: str, files: dict[str, bytes], **more: Any) -> Repository:
        self.repositories["models", name] = repository = Repository(dict(files), **more)
        return repository

    def fetched(self, name: str) -> list[str | None]:
        """The ranges that were asked of a file's content."""
        return [range_ for method, path, range_ in self.asked if method == "GET" and name in path]


class Handler(BaseHTTPRequestHandler):
    """One request; `ROUTES` says what is done with which path."""

    protocol_version = "HTTP/1.1"
    hub: Hub

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: `Hub.asked` has it all."""

    def do_GET(self) -> None:
        self._answer()

    def do_HEAD(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.hub.asked.append((self.command, self.path, self.headers.get("Range")))
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            self.body = self._chunks()
        path = unquote(urlsplit(self.path).path)
        for method, pattern, act in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and self.command in method.split():
                return act(self, **match.groupdict())
        self.say(404, {"error": f"{self.command} {path}: not a path of this Hub"})

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def say(self, status: int, value: Any, **headers: str) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers.items():
            self.send_header(name.replace("_", "-"), text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    @property
    def user(self) -> str | None:
        return self.hub.tokens.get(self.headers.get("Authorization", "").removeprefix("Bearer "))

    @property
    def writable(self) -> tuple[str | None, ...]:
        """Under which names this user may publish."""
        return () if self.user in self.hub.read_only else (self.user, *self.hub.organizations)

    def seen(self, kind: str, name: str) -> Repository | None:
        """The repository, if whoever asks may see it; says why not."""
        given, repository = (
            self.headers.get("Authorization"),
            self.hub.repositories.get((kind, name)),
        )
        if given and self.user is None:
            error = "Invalid credentials in Authorization header"
            self.say(401, {"error": error}, X_Error_Message=error)
        elif repository is None or (repository.private and self.user != name.split("/")[0]):
            # Without a token the Hub does not tell the missing from the private.
            status = 404 if self.user else 401
            self.say(status, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        elif repository.gated:
            self.say(403 if self.user else 401, {"error": "gated"}, X_Error_Code="GatedRepo")
        else:
            return repository
        return None

    # What is asked for

    def info(self, kind: str, repo: str, revision: str | None = None) -> None:
        if repository := self.seen(kind, repo):
            siblings = [{"rfilename": name} for name in repository.files]
            about = {"id": repo, "sha": repository.commit, "siblings": siblings, "tags": []}
            self.say(200, about | {"private": repository.private, "downloads": 0, "likes": 0})

    def file(self, repo: str, revision: str, name: str) -> None:
        repository = self.seen("models", repo)
        if repository is None:
            return
        commit = repository.commit
        if revision not in ("main", commit):
            return self.say(404, {"error": "Invalid rev"}, X_Error_Code="RevisionNotFound")
        if name not in repository.files:
            headers = {"X_Error_Code": "EntryNotFound", "X_Repo_Commit": commit}
            return self.say(404, {"error": "Entry not found"}, **headers)
        data = repository.files[name]
        if name.endswith(LARGE):
            sha256 = hashlib.sha256(data).hexdigest()
            self.hub.stored[sha256] = data
            self.send_response(302)
            # As the Hub's, the store has another name: no token is to be sent there.
            store = self.hub.address.replace("127.0.0.1", "localhost")
            self.send_header("Location", f"{store}/store/{sha256}/{name}")
            self.send_header("X-Linked-Etag", f'"{sha256}"')
            self.send_header("X-Linked-Size", str(len(data)))
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        etag = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
        self.content(data, name, {"ETag": f'"{etag}"', "X-Repo-Commit": commit})

    def stored(self, sha256: str, name: str) -> None:
        if "Authorization" in self.headers:
            return self.say(400, {"error": "a token was sent to where it does not belong"})
        self.content(self.hub.stored[sha256], name, {"ETag": f'"{sha256}"'})

    def content(self, data: bytes, name: str, headers: dict[str, str]) -> None:
        """The bytes of a file, from where they are asked for, or some of them and a broken line."""
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(match[1]) if match else 0
        self.send_response(206 if match else 200)
        for header, text in headers.items():
            self.send_header(header, text)
        if match:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        if self.command == "HEAD":
            return
        cuts = self.hub.cut_after.get(name)
        if not cuts:
            self.wfile.write(data[start:])
            return
        self.wfile.write(data[start : start + cuts.pop(0)])
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def whoami(self) -> None:
        if self.user is None:
            return self.say(401, {"error": "Invalid username or password."})
        orgs = [{"name": name} for name in self.hub.organizations]
        self.say(200, {"type": "user", "name": self.user, "orgs": orgs})

    def create(self) -> None:
        said = json.loads(self.body)
        kind = {"space": "spaces"}.get(said.get("type"), "models")
        owner = said.get("organization") or self.user
        name = f"{owner}/{said['name']}"
        if owner not in self.writable:
            return self.say(403, {"error": "You don't have the rights"})
        url = {"url": f"{self.hub.address}/{'spaces/' if kind == 'spaces' else ''}{name}"}
        if (kind, name) in self.hub.repositories:
            return self.say(409, url | {"error": "You already created this repo"})
        private = said.get("visibility") == "private" or bool(said.get("private"))
        made = Repository(private=private, sdk=said.get("sdk"))
        self.hub.repositories[kind, name] = made
        self.say(200, url)

    def validate(self) -> None:
        self.say(200, {"warnings": [], "errors": []})

    def preupload(self, kind: str, repo: str, revision: str) -> None:
        files = [
            {
                "path": each["path"],
                "uploadMode": "lfs" if each["path"].endswith(LARGE) else "regular",
                "shouldIgnore": False,
            }
            for each in json.loads(self.body)["files"]
        ]
        self.say(200, {"files": files})

    def batch(self, repo: str) -> None:
        objects = [
            each | {"actions": {"upload": {"href": f"{self.hub.address}/upload/{each['oid']}"}}}
            for each in json.loads(self.body)["objects"]
        ]
        self.say(200, {"transfer": "basic", "objects": objects})

    def upload(self, sha256: str) -> None:
        if hashlib.sha256(self.body).hexdigest() != sha256:
            return self.say(400, {"error": "what came has another SHA-256"})
        self.hub.stored[sha256] = self.body
        self.say(200, {})

    def commit(self, kind: str, repo: str, revision: str) -> None:
        if repo.split("/")[0] not in self.writable:
            return self.say(403, {"error": "You don't have the rights"})
        repository = self.hub.repositories[kind, repo]
        for line in self.body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                repository.files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                repository.files[value["path"]] = self.hub.stored[value["oid"]]
        commit = repository.commit
        url = f"{self.hub.address}/{repo}/commit/{commit}"
        self.say(200, {"success": True, "commitOid": commit, "commitUrl": url})


ROUTES: list[tuple[str, str, Any]] = [
    ("GET", rf"/api/{KIND}/{REPO}", Handler.info),
    ("GET", rf"/api/{KIND}/{REPO}/revision/(?P<revision>.+)", Handler.info),
    ("GET HEAD", rf"/{REPO}/resolve/(?P<revision>[^/]+)/(?P<name>.+)", Handler.file),
    ("GET HEAD", r"/store/(?P<sha256>[0-9a-f]{64})/(?P<name>.+)", Handler.stored),
    ("GET", r"/api/whoami-v2", Handler.whoami),
    ("POST", r"/api/repos/create", Handler.create),
    ("POST", r"/api/validate-yaml", Handler.validate),
    ("POST", rf"/api/{KIND}/{REPO}/preupload/(?P<revision>.+)", Handler.preupload),
    ("POST", rf"/(?:spaces/)?{REPO}\.git/info/lfs/objects/batch", Handler.batch),
    ("PUT", r"/upload/(?P<sha256>[0-9a-f]{64})", Handler.upload),
    ("POST", rf"/api/{KIND}/{REPO}/commit/(?P<revision>.+)", Handler.commit),
]


@contextmanager
def running_hub() -> Iterator[Hub]:
    """The server on a free port of this machine, empty."""
    hub = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"hub": hub}))
    server.daemon_threads = True
    hub.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
