"""The door: nobody is asked who they are, unless there are accounts.

Where strangers come by, as on a Space, each can be a guest who sees no story but their own.

Chainlit's tokens outlive their owner's sign-out, and anybody who holds one gets a fresh one for
it. So the door has tokens of its own (chat/accounts/tokens.py), and answers its own routes: who
signs out is out, on every open page.
"""

import asyncio
import math
import os
import secrets
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import chainlit as cl
import chainlit.auth
import chainlit.socket
from chainlit.auth.cookie import clear_auth_cookie, get_token_from_cookies, set_auth_cookie
from chainlit.config import config
from chainlit.session import WebsocketSession, ws_sessions_id
from fastapi import HTTPException, Request, Response
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from chat.accounts import LOCAL, LONGEST_NAME, SHORTEST_SECRET, Accounts, read_accounts, read_secret
from chat.accounts.throttle import CheckQueue, CheckQueueFullError
from chat.accounts.tokens import GUEST, Ended, Pass, Tokens
from frontend.cookies import SET_COOKIE, CookieRule, address_of, trust_no_proxy_by_itself
from gpt.files import printable

SECRET_VARIABLE = "CHAINLIT_AUTH_SECRET"
GUESTS_VARIABLE = "INKLING_GUESTS"
KNOWN_COOKIE = "inkling_known"
"""Tells a browser that was in before: it has tries of its own, whatever strangers do."""
KNOWN_S = 90 * 86_400
WATCH_S = 30.0
WRONG = "This name and this password do not fit."
BUSY = "Many are signing in at this moment: try again in a few seconds."


def open_door(server: Any, folder: Path, password: str | None) -> "Door":
    """Let the one local writer in without a question, or ask for a name and a password.

    With INKLING_GUESTS=1 and no accounts, every browser is a guest with stories of its own, which
    its cookie finds again.

    Args:
        server: `chainlit.server`.
        folder: Where accounts, the secret and the tokens that ended lie.
        password: Lets in whoever has no account.

    Raises:
        SystemExit: A file there cannot be used; the one sentence says which and what to do.
    """
    try:
        accounts = read_accounts(folder, password)
        secret = os.environ.get(SECRET_VARIABLE) or read_secret(folder)
        if len(secret) < SHORTEST_SECRET:
            raise ValueError(
                f"{SECRET_VARIABLE} has {len(secret)} characters: take at least {SHORTEST_SECRET}"
            )
        ended = Ended(folder / "ended")
    except (ValueError, OSError) as error:
        raise SystemExit(f"Inkling cannot start: {error}") from error
    # Chainlit does not start without.
    os.environ.setdefault(SECRET_VARIABLE, secret)
    door = Door(accounts, secret, ended, guests=os.environ.get(GUESTS_VARIABLE) == "1")
    door.serve(server)
    trust_no_proxy_by_itself()
    server.app.add_middleware(CookieRule)
    return door


class Door:
    """Who is in, and how one comes in and goes out."""

    def __init__(self, accounts: Accounts, secret: str, ended: Ended, *, guests: bool) -> None:
        self.accounts = accounts
        self.guests = guests and not accounts.asked
        self.tokens = Tokens(secret, self._key_of, ended)
        self._row = CheckQueue()
        # One thread: checking a password is slow on purpose, and must not take every core.
        self._checking = ThreadPoolExecutor(1, thread_name_prefix="door")

    @property
    def alone(self) -> bool:
        """Whether there is one writer alone, LOCAL: without accounts, and without guests."""
        return not (self.accounts.asked or self.guests)

    def serve(self, server: Any) -> None:
        """Answer for Chainlit who is in, and its routes by which one comes in and goes out."""
        # Chainlit looks at these to tell the page what to show; the routes below never call them.
        if self.accounts.asked:
            cl.password_auth_callback(_nobody)
        else:
            cl.header_auth_callback(_nobody)
        asked: tuple[Any, Any] = chainlit.auth, chainlit.socket
        asked[0].decode_jwt = server.decode_jwt = self._user_of
        asked[1].get_current_user = self._user_of_socket
        server.create_jwt = self._token_for
        routes: list[tuple[str, Callable[..., Any]]] = [
            ("/login", self._login if self.accounts.asked else _not_here),
            ("/auth/header", _not_here if self.accounts.asked else self._enter_unasked),
            ("/logout", lambda request: self._logout(request, server.sio)),
        ]
        server.app.add_middleware(LetIn, door=self)
        # Before the others: Chainlit's own stand there too.
        server.app.router.routes[:0] = [
            APIRoute(
                config.run.root_path + path,
                _taking_request(answer),
                methods=["POST"],
            )
            for path, answer in routes
        ]

    async def watch(self, sio: Any) -> None:
        """Close, now and then, the pages whose token has ended: a day passes, an account goes."""
        # Where nobody is asked, nobody could be kept out either.
        while self.accounts.asked or self.guests:
            await asyncio.sleep(WATCH_S)
            await _close(sio, [each for each in ws_sessions_id.values() if not self._pass_of(each)])

    def _key_of(self, owner: str) -> str | None:
        if self.accounts.asked:
            return self.accounts.key_of(owner)
        return "unasked" if owner.startswith(GUEST) == self.guests else None

    def pass_for(self, request: HTTPConnection) -> str | None:
        """A new token for one who comes in unasked and has none that holds; None for any other."""
        if self.accounts.asked or self.tokens.read(get_token_from_cookies(request.cookies)):
            return None
        return self.tokens.issue(*self._unasked())

    def _unasked(self) -> tuple[str, str]:
        """Owner and shown name of one who comes in without a question."""
        return (GUEST + secrets.token_hex(16), "guest") if self.guests else (LOCAL, LOCAL)

    # What Chainlit asks.

    def _user_of(self, token: str | None) -> cl.User:
        found = self.tokens.read(token)
        if found is None:
            raise HTTPException(401, "Sign in first.")
        return cl.User(identifier=found.owner, display_name=found.name or None)

    def _token_for(self, user: cl.User) -> str:
        return self.tokens.issue(user.identifier, user.display_name or "")

    async def _user_of_socket(self, token: str | None) -> Any:
        # Chainlit logs a traceback for each token that does not hold.
        if self.tokens.read(token) is None:
            return None
        return await chainlit.auth.get_current_user(token)  # type: ignore[arg-type]

    # The routes.

    async def _enter_unasked(self, request: Request) -> JSONResponse:
        return self._let_in(request, *self._unasked())

    async def _login(self, request: Request) -> JSONResponse:
        try:
            form = await request.form(max_files=0, max_fields=10, max_part_size=10_000)
        except UnicodeError:  # of a charset that the request names
            return _refuse(400, "Name and password are not text in UTF-8.")
        name, password = (str(form.get(field, "")) for field in ("username", "password"))
        browser = self._browser(request, name)
        origin = browser or address_of(request)
        try:
            async with self._row.turn(origin):
                wait_s = math.ceil(self.accounts.wait_s(name, origin, known=bool(browser)))
                if wait_s > 0:
                    return _refuse(429, f"Too many tries: wait {_seconds(wait_s)}.", wait_s)
                owner = await asyncio.get_running_loop().run_in_executor(
                    self._checking,
                    lambda: self.accounts.enter(name, password, origin, known=bool(browser)),
                )
        except CheckQueueFullError:
            return _refuse(429, BUSY, 3)
        if owner is None:
            return _refuse(401, WRONG)
        shown = printable(name, "")[:LONGEST_NAME]
        answer = self._let_in(request, owner, shown)
        browser = browser or secrets.token_hex(8)
        value = f"{browser}.{self._mark(browser, name)}"
        answer.set_cookie(KNOWN_COOKIE, value, max_age=KNOWN_S)
        return answer

    async def _logout(self, request: Request, sio: Any) -> JSONResponse:
        answer = JSONResponse({"success": True})
        clear_auth_cookie(request, answer)
        found = self.tokens.read(await chainlit.auth.reuseable_oauth(request))
        if found:
            open_pages = [each for each in ws_sessions_id.values() if self._pass_of(each) == found]
            try:
                self.tokens.end(found)
            except OSError as error:
                print(f"A sign-out will not outlast a restart: {error}", file=sys.stderr)
            await _close(sio, open_pages)
        return answer

    def _let_in(self, request: Request, owner: str, name: str) -> JSONResponse:
        answer = JSONResponse({"success": True})
        set_auth_cookie(request, answer, self.tokens.issue(owner, name))
        return answer

    def _browser(self, request: Request, name: str) -> str:
        """The browser that signed in with this name before, "" for any other."""
        browser, _, mark = request.cookies.get(KNOWN_COOKIE, "").partition(".")
        known = secrets.compare_digest(mark.encode(), self._mark(browser, name).encode())
        return browser if known else ""

    def _mark(self, browser: str, name: str) -> str:
        return self.tokens.mark("known", browser, name)

    def _pass_of(self, websocket: WebsocketSession) -> Pass | None:
        """What the token says that the session's page came with, last time it connected."""
        cookies = websocket.environ.get("HTTP_COOKIE", "").encode("latin1", "replace")
        page = HTTPConnection({"type": "http", "headers": [(b"cookie", cookies)]})
        return self.tokens.read(get_token_from_cookies(page.cookies))


class LetIn:
    """Has the page itself bring the cookie of one who comes in unasked.

    Chainlit's page would ask who is in, be told nobody, load the page of the sign-in, ask again,
    be let in by "/auth/header", and load itself a third time.
    """

    def __init__(self, app: Any, door: Door) -> None:
        self.app = app
        self.door = door

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            return await self.app(scope, receive, send)

        async def send_with_cookie(message: Any) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                request = Request(scope)
                if (token := self.door.pass_for(request)) is not None:
                    letting_in = Response()
                    set_auth_cookie(request, letting_in, token)
                    cookies = [each for each in letting_in.raw_headers if each[0] == SET_COOKIE]
                    # Nobody who keeps the page for others may keep one writer's cookie with it.
                    more = [*cookies, (b"cache-control", b"private, no-cache")]
                    message = {**message, "headers": [*message["headers"], *more]}
            await send(message)

        await self.app(scope, receive, send_with_cookie)


def _is_page(start: Any) -> bool:
    """Whether an answer, by ASGI's first message of it, is a page."""
    kinds = [value for name, value in start["headers"] if name.lower() == b"content-type"]
    return start["status"] == 200 and any(kind.startswith(b"text/html") for kind in kinds)


async def _close(sio: Any, sessions: list[WebsocketSession]) -> None:
    """Close the pages of these sessions for good; one that fails to close keeps no other open."""
    for websocket in sessions:
        websocket.to_clear = True
    closing = (sio.disconnect(websocket.socket_id) for websocket in sessions)
    await asyncio.gather(*closing, return_exceptions=True)


def _taking_request(answer: Callable[[Request], Any]) -> Callable[..., Any]:
    async def route(request: Request) -> JSONResponse:
        return await answer(request)

    return route


async def _not_here(request: Request) -> JSONResponse:
    return _refuse(400, "Nobody comes in by this door.")


async def _nobody(*_: Any) -> None:
    return None


def _refuse(status: int, sentence: str, retry_s: int = 0) -> JSONResponse:
    headers = {"Retry-After": str(retry_s)} if retry_s else None
    return JSONResponse({"detail": sentence}, status, headers)


def _seconds(count: int) -> str:
    return "1 second" if count == 1 else f"{count} seconds"
