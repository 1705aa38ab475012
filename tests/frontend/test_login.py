"""The door of the real app: who comes in, from where, and that whoever signs out is out."""

import asyncio
import re
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import httpx
import jwt
import pytest
from chainlit.session import ws_sessions_id
from socketio.exceptions import ConnectionError as RefusedError

from chat.accounts import Hash, read_accounts, write_account
from chat.accounts.throttle import FREE_TRIES
from chat.accounts.tokens import LIFETIME_S, Ended
from frontend import login
from frontend.cookies import address_of, ruled, well_named
from tests.chat.test_accounts import cheap
from tests.frontend.test_socket import Writer, until
from tests.support.app_server import PARTS, ROOT, START_S, other_work, running_app
from tests.support.forks import run_module
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

PROXY, HOME, STRANGER = "127.0.0.9", "127.0.0.2", "127.0.0.3"
RIGHT = {
    "ada": "correct horse",
    "bob": "battery staple",
    "eve": "open sesame",
    "kim": "pass phrase",
    "lou": "four words more",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    save_characters(folder / "letters", starters=["once upon"])
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("app")
    for name, password in RIGHT.items():
        write_account(folder / "stories", name, password)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path, models: Path) -> Iterator[str]:
    with running_app(folder, models, FORWARDED_ALLOW_IPS=PROXY) as base:
        yield base


@pytest.fixture(scope="module")
def guests(tmp_path_factory, models: Path) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("guests"), models, INKLING_GUESTS="1") as base:
        yield base


def at(base: str, address: str, **more) -> httpx.Client:
    """A browser at an address of its own."""
    transport = httpx.HTTPTransport(local_address=address)
    return httpx.Client(base_url=base, transport=transport, timeout=60, **more)


def enter(browser: httpx.Client, name: str, password: str = "wrong", **headers) -> httpx.Response:
    form = {"username": name, "password": password}
    return browser.post("/login", data=form, headers=headers)


def token_of(base: str, name: str) -> str:
    with at(base, HOME) as browser:
        answer = enter(browser, name, RIGHT[name])
    assert answer.status_code == 200
    return answer.cookies["access_token"]


def user(base: str, token: str) -> httpx.Response:
    return httpx.get(f"{base}/user", headers={"Cookie": f"access_token={token}"})


async def connected(base: str, token: str) -> Writer:
    """A page that is open with a token."""
    writer = Writer(base)
    auth = {"clientType": "webapp", "sessionId": writer.session, "threadId": "", "userEnv": "{}"}
    await writer.socket.connect(
        base,
        headers={"Cookie": f"access_token={token}"},
        transports=["websocket"],
        socketio_path="/ws/socket.io",
        auth=auth | {"chatProfile": ""},
    )
    await writer.socket.emit("connection_successful")
    await until(lambda: writer.count("story_state") > 0)
    return writer


def test_a_stranger_at_another_address_locks_nobody_out(base):
    with at(base, STRANGER) as stranger, at(base, HOME) as home:
        answers = [enter(stranger, "ada") for _ in range(FREE_TRIES + 2)]
        assert [each.status_code for each in answers] == [401] * FREE_TRIES + [429] * 2
        assert answers[0].json()["detail"] == "This name and this password do not fit."
        assert answers[-1].json()["detail"] == "Too many tries: wait 1 second."
        assert answers[-1].headers["Retry-After"] == "1"
        assert enter(home, "ada", RIGHT["ada"]).status_code == 200


def test_a_browser_that_was_in_before_has_tries_of_its_own(base):
    address = "127.0.0.4"
    with at(base, address) as known, at(base, address) as stranger:
        assert enter(known, "kim", RIGHT["kim"]).status_code == 200
        while enter(stranger, "kim").status_code != 429:
            pass
        assert enter(known, "kim", RIGHT["kim"]).status_code == 200
        # It speaks for the name that it was in with, and cannot be made up.
        mark = known.cookies["inkling_known"]
        forged = f"{mark.split('.')[0]}.{'0' * 32}"
        for cookie in (forged, mark[::-1], "é", ".", ""):
            said = {b"Cookie": f"inkling_known={cookie}".encode()}
            form = {"username": "kim", "password": RIGHT["kim"]}
            assert stranger.post("/login", data=form, headers=said).status_code == 429


def test_an_address_that_is_forwarded_counts_only_from_a_proxy_that_is_trusted(base):
    with at(base, "127.0.0.5") as stranger, at(base, PROXY) as proxy:
        lies = [
            enter(stranger, "bob", **{"X-Forwarded-For": f"203.0.113.{number}"})
            for number in range(FREE_TRIES + 1)
        ]
        assert lies[-1].status_code == 429
        while enter(proxy, "bob", **{"X-Forwarded-For": "203.0.113.1"}).status_code != 429:
            pass
        truth = enter(proxy, "bob", RIGHT["bob"], **{"X-Forwarded-For": "203.0.113.2"})
        assert truth.status_code == 200


def test_every_cookie_is_http_only_and_secure_behind_tls(base):
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.5"}
    for address, secure in ((PROXY, True), (HOME, False)):
        with at(base, address) as browser:
            set_by = [
                enter(browser, "ada", RIGHT["ada"], **forwarded),
                browser.post("/logout", headers=forwarded),
            ]
        cookies = [each for answer in set_by for each in answer.headers.get_list("set-cookie")]
        assert len(cookies) >= 2
        for cookie in cookies:
            parts = cookie.lower().split("; ")
            assert parts.count("httponly") == parts.count("samesite=lax") == 1
            assert ("secure" in parts) is secure
            assert not any(part.startswith("domain") for part in parts)


@pytest.mark.parametrize(
    "name",
    ["access_token[x]", "access_token\xff", 'access_token"a', "access_token/", "access_token@"],
)
def test_a_cookie_of_another_program_by_no_name_keeps_nobody_in_or_out(base, name):
    with at(base, "127.0.0.11") as browser:
        header = {b"Cookie": f"{name}=1".encode("latin1")}
        form = {"username": "kim", "password": RIGHT["kim"]}
        entered = browser.post("/login", data=form, headers=header)
        assert entered.status_code == 200
        token = entered.cookies["access_token"]
        header = {b"Cookie": f"{name}=1; access_token={token}".encode("latin1")}
        browser.cookies.clear()
        assert browser.get("/user", headers=header).status_code == 200
        assert browser.post("/logout", headers=header).status_code == 200
        assert browser.get("/user", headers=header).status_code == 401


def test_a_cookie_comes_in_only_by_a_name_that_is_one():
    said = 'a=1; b[]=2;c=3; =4; ; d; "e"=5; access_token=x.y=; \xff=6'
    assert well_named(said) == "a=1; c=3; d; access_token=x.y="


def test_a_cookie_is_ruled_whatever_it_said_before():
    said = "a=b=c; Path=/; secure; SameSite=None; HTTPONLY; Max-Age=1"
    assert ruled(said, "lax", False) == "a=b=c; Path=/; Max-Age=1; HttpOnly; SameSite=lax"
    assert ruled("a=", "none", False) == "a=; HttpOnly; SameSite=none; Secure"


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("203.0.113.1", "203.0.113.1"),
        ("::ffff:203.0.113.1", "203.0.113.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::"),
        ("x" * 1000, "x" * 64),
        (None, ""),
    ],
)
def test_an_address_is_one_that_its_owner_has_not_many_of(host, address):
    client = SimpleNamespace(host=host) if host else None
    assert address_of(SimpleNamespace(client=client)) == address  # type: ignore[arg-type]


def test_a_token_ends_at_sign_out_on_every_open_page(base, folder):
    out, kept, bob = (token_of(base, name) for name in ("ada", "ada", "bob"))
    asyncio.run(sign_out_of_open_pages(base, out, kept, bob))
    assert user(base, kept).json()["identifier"] == "ada"
    assert "Traceback" not in (folder / "log").read_text()


def test_a_token_ends_with_the_password_at_once(base, folder):
    lou, bob = token_of(base, "lou"), token_of(base, "bob")
    write_account(folder / "stories", "lou", "four other words")
    assert [user(base, each).status_code for each in (lou, bob)] == [401, 200]


async def sign_out_of_open_pages(base: str, out: str, kept: str, bob: str) -> None:
    pages = [await connected(base, token) for token in (out, out, kept, bob)]
    assert (await asyncio.to_thread(sign_out, base, out)).json() == {"success": True}
    await until(lambda: not any(page.socket.connected for page in pages[:2]))
    assert user(base, out).status_code == 401
    with pytest.raises(RefusedError):
        await connected(base, out)
    for page in pages[2:]:
        await page.send("/help")
        assert page.socket.connected
        await page.socket.disconnect()


def sign_out(base: str, token: str) -> httpx.Response:
    return httpx.post(f"{base}/logout", headers={"Cookie": f"access_token={token}"})


def test_a_guest_who_signs_out_is_out(guests):
    one, two = (httpx.post(f"{guests}/auth/header").cookies["access_token"] for _ in range(2))
    assert user(guests, one).json()["identifier"] != user(guests, two).json()["identifier"]
    sign_out(guests, one)
    assert [user(guests, each).status_code for each in (one, two)] == [401, 200]


def test_the_page_brings_the_cookie_of_a_guest_who_has_none_that_holds(guests):
    story = f"{guests}/thread/{uuid.uuid4()}"
    page = httpx.get(story)
    assert page.headers["cache-control"] == "private, no-cache"
    token = page.cookies["access_token"]
    guest = user(guests, token).json()["identifier"]
    assert guest.startswith("guest-")
    headers = {"Cookie": f"access_token={token}"}
    again = httpx.get(guests, headers=headers)
    assert not again.cookies
    assert "cache-control" not in again.headers
    sign_out(guests, token)
    other = httpx.get(guests, headers=headers).cookies["access_token"]
    assert user(guests, other).json()["identifier"] != guest
    # What is no page, or is asked for in another way, brings none.
    for path in ("/public/inkling.js", "/auth/config", "/user", "/health"):
        assert not httpx.get(guests + path).cookies
    assert not httpx.head(guests).cookies
    assert not httpx.post(story).cookies


def test_no_page_brings_a_cookie_where_accounts_are_asked_for(base):
    for path in ("/", "/login", f"/thread/{uuid.uuid4()}"):
        answer = httpx.get(base + path)
        assert answer.status_code == 200
        assert not answer.cookies


def test_no_token_is_renewed_and_none_lasts_longer_than_a_day(base, guests):
    for each, token in (
        (base, token_of(base, "ada")),
        (guests, httpx.post(f"{guests}/auth/header").cookies["access_token"]),
    ):
        claims = jwt.decode(token, options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == LIFETIME_S
        headers = {"Authorization": f"Bearer {token}", "Cookie": f"access_token={token}"}
        for path in ("/auth/jwt", "/login", "/logout/", "/user", "/project/settings"):
            for ask in (httpx.get, httpx.post):
                assert "access_token" not in ask(each + path, headers=headers).cookies
        assert httpx.post(f"{each}/auth/jwt", headers=headers).status_code == 404


def test_a_token_that_is_not_ours_is_refused_without_a_traceback(base, folder):
    secret = (folder / "stories" / "secret").read_text()
    now_s = int(time.time())
    claims = {"identifier": "ada", "sub": "ada", "exp": now_s + 999, "iat": now_s, "metadata": {}}
    tokens = [
        jwt.encode(claims, secret, "HS256"),
        jwt.encode(claims, "guess" * 20, "HS256"),
        jwt.encode(claims, None, "none"),  # type: ignore[arg-type]
        "a.b.c",
        "x" * 3000,
        "." * 100,
    ]
    for token in tokens:
        assert user(base, token).status_code == 401
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{base}/user", headers=bearer).status_code == 401
        with pytest.raises(RefusedError):
            asyncio.run(connected(base, token))
    assert "Traceback" not in (folder / "log").read_text()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"username=ada",
        b"username=%ED%A0%80&password=%00&password=x",
        b"username=" + b"%F0%9F%8C%99" * 300 + b"&password=x",
        b"&".join(b"username=a" for _ in range(50)),
        b"username=" + b"a" * 100_000,
        b'{"username": "ada", "password": "x"}',
        b"\xff\xfe=\xff&username=\xff",
    ],
)
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "application/json", ""])
def test_a_form_that_is_none_is_refused(base, content, kind):
    with at(base, "127.0.0.6") as browser:
        answer = browser.post("/login", content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 401, 413, 422, 429)


@pytest.mark.parametrize("charset", ["utf-16", "idna", "undefined", "hex", "no such", "utf-7"])
def test_a_form_in_an_odd_charset_is_refused(base, charset):
    lines = ["--x", 'Content-Disposition: form-data; name="username"', "", "\u00ffa.é", "--x--", ""]
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    with at(base, "127.0.0.7") as browser:
        content = "\r\n".join(lines).encode()
        answer = browser.post("/login", content=content, headers={"Content-Type": kind})
    assert answer.status_code in (400, 401, 429)


def test_a_flood_of_tries_does_not_hold_the_others(base):
    with ThreadPoolExecutor(30) as pool, at(base, STRANGER) as stranger, at(base, HOME) as home:
        flood = [pool.submit(enter, stranger, f"name {number}") for number in range(60)]
        started_s = time.monotonic()
        assert enter(home, "eve", RIGHT["eve"]).status_code == 200
        assert time.monotonic() - started_s < 5 * other_work()
        codes = {each.result().status_code for each in flood}
    assert 429 in codes
    assert codes <= {401, 429}


def test_a_page_is_closed_once_its_token_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr(login, "WATCH_S", 0.01)
    monkeypatch.setattr(Hash, "of", staticmethod(cheap))
    write_account(tmp_path, "ada", RIGHT["ada"])
    write_account(tmp_path, "bob", RIGHT["bob"])
    ended = Ended(tmp_path / "ended")
    door = login.Door(read_accounts(tmp_path, None), "s" * 48, ended, guests=False)
    closed: list[str] = []
    sessions = {
        name: SimpleNamespace(
            environ={"HTTP_COOKIE": f"access_token={door.tokens.issue(name)}"},
            socket_id=name,
            to_clear=False,
        )
        for name in ("ada", "bob")
    }

    async def disconnect(socket_id: str) -> None:
        closed.append(socket_id)
        monkeypatch.delitem(ws_sessions_id, socket_id)

    async def watch() -> None:
        watching = asyncio.create_task(door.watch(SimpleNamespace(disconnect=disconnect)))
        await asyncio.sleep(0.1)
        assert closed == []
        write_account(tmp_path, "ada", "another horse")
        await until(lambda: closed == ["ada"], 5)
        watching.cancel()

    for name, session in sessions.items():
        monkeypatch.setitem(ws_sessions_id, name, session)
    asyncio.run(watch())
    assert sessions["ada"].to_clear


def test_a_home_that_cannot_be_used_ends_in_one_sentence(tmp_path):
    for part in PARTS:
        (tmp_path / part).symlink_to(ROOT / part)
    (tmp_path / "stories").mkdir()
    (tmp_path / "stories" / "users").write_text("ada:secret\n")
    command = ("run", "app.py", "-h", "--port", "0")
    done = run_module("chainlit", *command, cwd=tmp_path, timeout=START_S)
    assert done.returncode == 1
    assert re.search("Inkling cannot start: .*“ada:secret” is no account", done.stderr)
    assert "Traceback" not in done.stdout + done.stderr
