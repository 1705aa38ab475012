"""The walk: every route and every event of the running app, tried by whoever has no business there.

What is served is asked of the app itself, so a route or an event that nobody has said here how to
try makes the walk fail.
"""

import asyncio
import base64
import hmac
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from chat.accounts import write_account
from chat.panels.dispatch import COMMANDS, QUERIES
from chat.panels.settings import SETTING_ACTS
from frontend.events import ANSWERED
from tests.support.app_server import PARTS, ROOT, running_app
from tests.support.door import (
    NO_TLS,
    PASSWORDS,
    PATIENCE_S,
    RAW_ERROR,
    Visitor,
    come_as_guest,
    faults_in,
    message,
    sign_in,
)
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

SECRET = "the hidden heron of ada"
OWN_PRESET = "Adas own dice"

ROUTES: dict[str, list[dict[str, Any]]] = {
    "HEAD /": [{}],
    "GET /": [{}],
    "GET /login": [{}],
    "GET /login/callback": [{}],
    "GET /thread": [{}],
    "GET /thread/{thread_id}": [{"path": "/thread/THREAD"}],
    "GET /auth/config": [{}],
    "GET /favicon": [{}],
    "GET /logo": [{}],
    "GET /health": [{}],
    "GET /inkling/status": [{}],
    "GET /public/{name:path}": [
        {"path": "/public/../stories/stories.sqlite"},
        {"path": "/public/..%2fstories%2fsecret"},
        {"path": "/public/%2e%2e/stories/users"},
    ],
    "GET /assets/{name:path}": [{"path": "/assets/..%2f..%2fserver.py"}],
    "GET /user": [{}],
    "GET /project/settings": [{}, {"path": "/project/settings?chat_profile=SESSION"}],
    "GET /project/translations": [{}],
    "POST /auth/header": [{}],
    "POST /login": [{"data": {"username": "ada"}}],
    "POST /logout": [{}],
    "POST /set-session-cookie": [{"json": {"session_id": "SESSION"}}],
    "POST /project/threads": [
        {"json": {"pagination": {"first": 50}, "filter": {"userId": "OWNER", "search": search}}}
        for search in ("", "heron", "%")
    ],
    "GET /project/thread/{thread_id}": [{"path": "/project/thread/THREAD"}],
    "PUT /project/thread": [{"json": {"threadId": "THREAD", "name": "taken"}}],
    "DELETE /project/thread": [{"json": {"threadId": "THREAD"}}],
    "* /ws/socket.io": [{"method": "POST", "path": "/ws/socket.io/?EIO=4&transport=polling"}],
}
"""Every route with what a stranger would try there; capital words stand for what is Ada's."""
OWNED = ("GET /project/thread/{thread_id}", "PUT /project/thread", "DELETE /project/thread")
"""These are a story's owner's alone, so all others are refused."""
GONE = [
    ("GET", "/project/thread/THREAD/element/PASSAGE", None),
    ("GET", "/project/share/THREAD", None),
    ("PUT", "/project/thread/share", {"threadId": "THREAD", "isShared": True}),
    ("GET", "/project/file/PASSAGE?session_id=SESSION", None),
    ("POST", "/project/file?session_id=SESSION", None),
    ("POST", "/project/action", {"sessionId": "SESSION", "action": {"name": "x", "payload": {}}}),
    ("PUT", "/project/element", {"sessionId": "SESSION", "element": {"type": "custom"}}),
    ("DELETE", "/project/element", {"sessionId": "SESSION", "element": {"type": "custom"}}),
    ("PUT", "/feedback", {"sessionId": "SESSION", "feedback": {"forId": "PASSAGE", "value": 1}}),
    ("DELETE", "/feedback", {"feedbackId": "PASSAGE"}),
    ("POST", "/mcp", {"sessionId": "SESSION", "name": "x"}),
    ("DELETE", "/mcp", {"sessionId": "SESSION", "name": "x"}),
    ("POST", "/auth/jwt", None),
    ("GET", "/auth/oauth/github", None),
    ("GET", "/copilot/index.js", None),
    ("GET", "/avatars/default", None),
]
"""What Chainlit also has and Inkling does not serve, to its owner neither."""

REQUESTS: dict[str, list[dict[str, Any]]] = {
    "act": [
        *({"act": act, "count": 3} for act in ("undo", "redo")),
        {"act": "edit", "passage": "PASSAGE", "text": "taken"},
        {"act": "add", "text": "taken"},
        {"act": "replace", "find": "taken", "text": "x", "match_case": False, "whole_words": False},
        {"act": "branch", "passage": "PASSAGE"},
        {"act": "cut", "passage": "PASSAGE", "tokens": 1},
        {"act": "step", "passage": "PASSAGE", "by": 1},
        {"act": "pick", "passage": "PASSAGE"},
        {"act": "name_branch", "passage": "PASSAGE", "name": "taken"},
        {"act": "delete_branch", "passage": "PASSAGE"},
        {"act": "vote", "choice": "a"},
        {"act": "reveal"},
        {"act": "once", "settings": {"temperature": 2}},
        {"act": "context", "memory": "taken", "note": "", "depth": 3},
        {"act": "preset", "name": OWN_PRESET},
        {"act": "preset_keep", "name": OWN_PRESET, "settings": {"temperature": 2}},
        {"act": "preset_forget", "name": OWN_PRESET},
    ],
    "query": [
        {"query": "branches"},
        {"query": "card", "model": "letters"},
        {"query": "compare", "models": ["letters"]},
        {"query": "context", "memory": "taken", "note": "", "depth": 3, "model": "letters"},
        {"query": "copied", "passage": "PASSAGE"},
        {"query": "dice", "model": "letters", "words": ""},
        {"query": "find", "find": "taken", "match_case": False, "whole_words": False},
        {"query": "ghost", "words": "taken", "model": "letters"},
        {"query": "models"},
        {"query": "runs"},
        {"query": "standing", "model": "letters"},
        {"query": "token", "passage": "PASSAGE", "at": 0},
        {"query": "training"},
        {"query": "tune", "passage": "PASSAGE"},
        {"query": "votes"},
        {"query": "votes_csv"},
    ],
    "command": [
        {"command": "training_halt", "key": "letters", "for_good": True},
        {"command": "training_plan", "source": "letters"},
        {"command": "training_resume", "key": "letters"},
        {"command": "training_share", "key": "letters", "shared": True},
        {"command": "training_start"},
        {"command": "training_text", "name": "a.txt", "part": 1, "of": 2, "text": "x"},
        {"command": "votes_forget"},
    ],
    "ask": [
        {"ask": "retry", "passage": "PASSAGE"},
        {"ask": "again", "passage": "PASSAGE"},
        {"ask": "fork", "passage": "PASSAGE", "at": 0, "token": 1},
        {"ask": "finish"},
        {"ask": "continue"},
        {"ask": "ladder"},
        {"ask": "compare", "contestants": [{"model": "letters", "settings": {}}] * 2},
    ],
    "type": [
        {"type": "story_sync", "revision": 0, "have": 0},
        {"type": "story_like", "settings": {}, "model": "letters", "preset": OWN_PRESET},
        {"type": "story_model", "model": "letters"},
    ],
}
"""Every request that a page can have, each so that it would reach for what is Ada's."""
SHORT = "/with max=2 "
EVENTS: dict[str, list[Any]] = {
    "connection_successful": [None],
    "story_act": REQUESTS["act"],
    "story_query": [*REQUESTS["query"], *({"query": name} for name in COMMANDS)],
    "story_command": [*REQUESTS["command"], *({"command": name} for name in QUERIES)],
    "window_message": REQUESTS["type"],
    "client_message": [
        message(f"{SHORT}once", threadId="THREAD", parentId="PASSAGE"),
        *(
            message("", metadata={**request, "settings": {"max_new_tokens": 2}})
            for request in REQUESTS["ask"]
        ),
    ],
    "chat_settings_change": [{"temperature": 2}],
    "story_save": [{"ending": ending} for ending in ("txt", "md", "json", "docx", "epub")],
    "story_piece": [{"name": "a.txt", "part": 1, "of": 2, "text": "the end"}],
    "machine_write": [
        {"job": "1", "steps": ["letters@1"], "prompt": "x", "temperature": 1, "seed": "1"}
    ],
    "machine_stop": [None],
    "stop": [None],
    "clear_session": [None],
    # The socket's own, sent as if they were a page's.
    "connect": [{"HTTP_COOKIE": "COOKIE"}],
    "disconnect": [None],
    # Chainlit's, which Inkling does not serve.
    "edit_message": [{"message": {"id": "PASSAGE", "output": "taken"}}],
    "message_favorite": [{"message": {"id": "PASSAGE", "metadata": {"favorite": True}}}],
    "fetch_favorites": [None],
    "audio_start": [None],
    "audio_chunk": [{"isStart": True, "mimeType": "x", "elapsedTime": 0, "data": b""}],
    "audio_end": [None],
    "chat_settings_edit": [{"temperature": 2}],
}


@dataclass
class House:
    """A running app with Ada in it, and who else comes by.

    Attributes:
        strangers: By what they are, the cookie that they show.
        enter: Signs in the one of them who may come in; its cookie.
    """

    base: str
    folder: Path
    ada: str
    strangers: dict[str, str]
    enter: Callable[[], str]

    @property
    def second(self) -> str:
        return self.strangers["second"]

    def comes_again(self) -> None:
        """The second one, who just tried the way out too, comes in anew."""
        self.strangers["second"] = self.enter()

    def owner(self) -> str:
        """What the app calls Ada."""
        return httpx.get(self.base + "/user", headers={"Cookie": self.ada}, verify=NO_TLS).json()[
            "identifier"
        ]


@pytest.fixture(scope="module", params=["accounts", "guests"])
def house(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[House]:
    models, folder = tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("app")
    save_characters(models / "letters")
    asked = request.param == "accounts"
    for name, password in PASSWORDS.items() if asked else ():
        write_account(folder / "stories", name, password)
    with running_app(folder, models, INKLING_GUESTS="0" if asked else "1") as base:

        def enter(name: str) -> str:
            return sign_in(base, name) if asked else come_as_guest(base)

        there = House(base, folder, enter("ada"), {}, lambda: enter("bob"))
        there.strangers = {"nobody": "", **forged(there)}
        there.comes_again()
        there.strangers["signed out"] = ended = enter("ada")
        httpx.post(base + "/logout", headers={"Cookie": ended}).raise_for_status()
        yield there
    assert faults_in(folder / "log") == []


def forged(house: House) -> dict[str, str]:
    """Cookies that say they are Ada's, and that nobody gave her."""
    secret = (house.folder / "stories" / "secret").read_text()
    says = {"identifier": house.owner(), "display_name": "ada", "metadata": {}}
    late = {**says, "exp": time.time() - 60}
    soon = {**says, "exp": time.time() + 3600}
    by_another = token(soon, secret + "x")
    tokens = {
        "forged": by_another,
        "unsigned": token(soon, "", "none").rpartition(".")[0] + ".",
        "cut": by_another.rpartition(".")[0] + ".",
        "past": token(late, secret),
        "garbled": base64.b64encode(b"\xff\x00" * 40).decode(),
    }
    return {name: f"access_token={token}" for name, token in tokens.items()}


def token(says: dict[str, Any], secret: str, algorithm: str = "HS256") -> str:
    """A JSON web token (RFC 7519)."""

    def text(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).decode().rstrip("=")

    head = {"alg": algorithm, "typ": "JWT"}
    signed = ".".join(text(json.dumps(part).encode()) for part in (head, says))
    return f"{signed}.{text(hmac.digest(secret.encode(), signed.encode(), 'sha256'))}"


class Ada:
    """Her page, with a story that she alone may know."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.page = Visitor(house.base, house.ada)
        self.client = httpx.AsyncClient(base_url=house.base, timeout=PATIENCE_S, verify=NO_TLS)
        self.thread = ""
        self.before: dict[str, Any] = {}

    async def write(self) -> None:
        """Begin her story, and remember all that is hers."""
        assert await self.page.connect()
        await until(lambda: bool(self.page.state))
        await self.page.socket.emit("client_message", message(f"/with max=5 {SECRET}"))
        await until(
            lambda: len(self.page.state["passages"]) == 2 and not self.page.state["writing"]
        )
        keep = {"act": "preset_keep", "name": OWN_PRESET, "settings": {"temperature": 0.3}}
        await self.page.socket.emit("story_act", keep)
        await until(lambda: self.page.state["tuning"]["preset"] == OWN_PRESET)
        await until(lambda: bool(self.listed()))
        self.thread = self.listed()[0]["id"]
        self.before = await self.hers()

    async def close(self) -> None:
        await self.page.close()
        await self.client.aclose()

    def listed(self) -> list[dict[str, Any]]:
        said = {"pagination": {"first": 20}, "filter": {}}
        address = self.house.base + "/project/threads"
        answer = httpx.post(address, json=said, headers={"Cookie": self.house.ada}, verify=NO_TLS)
        return answer.json()["data"]

    async def hers(self) -> dict[str, Any]:
        """All that nobody else may change."""
        told = len(self.page.told)
        sync = {"type": "story_sync", "revision": -1, "have": 0}
        await self.page.socket.emit("window_message", sync)
        await until(lambda: any(name == "story_state" for name, _ in self.page.told[told:]))
        named = [(each["id"], each["name"]) for each in self.listed()]
        tune = await self.page.query({"query": "tune"})
        state = {name: self.page.state[name] for name in ("passages", "model", "tuning")}
        return {**state, "listed": named, "tune": tune}

    def of_hers(self, tried: Any) -> Any:
        """What a stranger tries, with what is Ada's in the place of the capital words."""
        passage = self.page.state["passages"][1]["id"]
        words = {
            "THREAD": self.thread,
            "SESSION": self.page.session,
            "PASSAGE": passage,
            "COOKIE": self.house.ada,
            "OWNER": self.house.owner(),
        }
        if isinstance(tried, str):
            for word, hers in words.items():
                tried = tried.replace(word, hers)
        elif isinstance(tried, dict):
            tried = {key: self.of_hers(value) for key, value in tried.items()}
        elif isinstance(tried, list):
            tried = [self.of_hers(each) for each in tried]
        return tried

    def is_told(self, told: str) -> list[str]:
        """What of hers stands in what a stranger was told."""
        texts = ["".join(each["tokens"]) for each in self.page.state["passages"]]
        return [hers for hers in (*texts, "heron", OWN_PRESET) if hers in told]


async def until(true: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> dict[str, list[str]]:
    """What the app itself says that it serves: routes and events."""
    folder = tmp_path_factory.mktemp("served")
    for part in PARTS:
        (folder / part).symlink_to(ROOT / part)
    code = """
import json, app
from chainlit.server import app as asgi, sio
def flat(routes):
    for route in routes:
        inner = getattr(route, "original_router", None)
        yield from flat(inner.routes) if inner else [route]
routes = [f"{m} {r.path}" for r in flat(asgi.routes) for m in getattr(r, "methods", None) or "*"]
print(json.dumps({"routes": sorted(set(routes)), "events": sorted(sio.handlers["/"])}))
"""
    others = {name: value for name, value in os.environ.items() if "INKLING" not in name}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**others, "CHAINLIT_APP_ROOT": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(ran.stdout.splitlines()[-1])


def test_every_route_and_every_event_that_is_served_is_one_that_the_walk_knows(served):
    assert set(served["routes"]) == set(ROUTES)
    assert set(served["events"]) == set(EVENTS)


def test_every_query_command_act_and_ask_of_a_page_is_one_that_the_walk_knows():
    def named(file: str, key: str) -> set[str]:
        return set(re.findall(rf'"{key}": "(\w+)"', (ROOT / file).read_text(encoding="utf-8")))

    assert {each["query"] for each in REQUESTS["query"]} == set(QUERIES)
    assert {each["command"] for each in REQUESTS["command"]} == set(COMMANDS)
    acts = named("chat/acts.py", "act") | set(SETTING_ACTS) | {"vote", "reveal"}
    assert {each["act"] for each in REQUESTS["act"]} == acts
    asked = named("chat/generate/request.py", "ask") | {"again", "compare"}
    assert {each["ask"] for each in REQUESTS["ask"]} == asked
    assert {each["type"] for each in REQUESTS["type"]} == named("app.py", "type")


def test_no_route_tells_or_changes_what_is_anothers(house):
    async def run() -> None:
        ada = Ada(house)
        await ada.write()
        for who, cookie in house.strangers.items():
            for route, tries in ROUTES.items():
                for tried in ada.of_hers(tries):
                    method, _, path = route.partition(" ")
                    asked = {"method": method, "path": path, **tried}
                    answer = await _try(ada, cookie, **asked)
                    assert answer.status_code < 500, (who, route)
                    assert ada.is_told(answer.text) == [], (who, route)
                    if "html" not in answer.headers.get("content-type", ""):
                        assert not RAW_ERROR.search(answer.text), (who, route)
                    if route in OWNED:
                        assert answer.status_code in (401, 403, 404), (who, route)
        house.comes_again()
        assert await ada.hers() == ada.before
        # It is hers all the same.
        mine = await _try(ada, house.ada, "GET", f"/project/thread/{ada.thread}")
        assert mine.json()["id"] == ada.thread
        await ada.close()

    asyncio.run(run())


def test_what_is_not_served_is_not_there_for_anybody(house):
    async def run() -> None:
        ada = Ada(house)
        await ada.write()
        for who, cookie in {"nobody": "", "second": house.second, "ada": house.ada}.items():
            for method, path, body in ada.of_hers([list(each) for each in GONE]):
                answer = await _try(ada, cookie, method, path, json=body)
                assert answer.status_code in (404, 405), (who, method, path)
                assert ada.is_told(answer.text) == []
        assert await ada.hers() == ada.before
        await ada.close()

    asyncio.run(run())


async def _try(ada: Ada, cookie: str, method: str, path: str, **more: Any) -> httpx.Response:
    """Ask for something with this cookie alone: none that came before is sent along."""
    ada.client.cookies.clear()
    return await ada.client.request(method, path, headers={"Cookie": cookie}, **more)


def test_nobody_comes_in_by_anothers_session_or_story(house):
    async def run() -> None:
        ada = Ada(house)
        await ada.write()
        for who, cookie in house.strangers.items():
            for session, thread in (
                (ada.page.session, ""),
                (str(uuid.uuid4()), ada.thread),
                (ada.page.session, ada.thread),
            ):
                page = Visitor(house.base, cookie, session=session, thread=thread)
                assert not await page.connect(), who
                assert page.told == []
        assert await ada.hers() == ada.before
        # Her page is still the one that is told.
        said = len(ada.page.told)
        await ada.page.socket.emit("client_message", message("/temp 0.5"))
        await until(lambda: len(ada.page.told) > said)
        await ada.close()

    asyncio.run(run())


def test_no_event_tells_or_changes_what_is_anothers(house):
    async def run() -> None:
        ada = Ada(house)
        await ada.write()
        for who, cookie in house.strangers.items():
            page = Visitor(house.base, cookie)
            came_in = await page.connect()
            assert came_in == (who == "second")
            if not came_in:
                continue
            await until(lambda page=page: bool(page.state))
            for event, payloads in EVENTS.items():
                for payload in ada.of_hers(payloads):
                    if event in ANSWERED:
                        answer = await page.socket.call(event, payload, timeout=PATIENCE_S)
                        page.told.append((event, answer))
                    else:
                        await page.socket.emit(event, payload)
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            own = page.heard.replace(json.dumps(OWN_PRESET), "")  # it may keep one by that name
            assert "heron" not in own
            assert not RAW_ERROR.search(page.heard)
            await page.close()
        assert await ada.hers() == ada.before
        await ada.close()

    asyncio.run(run())


def test_a_session_that_ended_leaves_nothing_to_who_comes_by_its_id(house):
    async def run() -> None:
        ada = Ada(house)
        await ada.write()
        await ada.page.socket.emit("clear_session")
        await asyncio.sleep(0.2)
        await ada.close()
        await asyncio.sleep(0.3)
        page = Visitor(house.base, house.second, session=ada.page.session)
        assert await page.connect()
        await until(lambda: bool(page.state))
        await page.socket.emit("window_message", {"type": "story_sync", "revision": -1, "have": 0})
        await page.socket.emit("story_save", {"ending": "txt"})
        await asyncio.sleep(0.5)
        assert page.state["passages"] == []
        assert "heron" not in page.heard
        await page.close()

    asyncio.run(run())
