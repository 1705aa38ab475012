"""Cookies and addresses: what a request says about where it comes from, and what we leave there.

Chainlit's cookies are Secure never, or always, and one of its two is SameSite=None on some
addresses. Here one rule holds for all: HttpOnly, one SameSite, and Secure wherever the page came
over TLS.

Who stands behind a proxy, and whether it was spoken to over TLS, a proxy says in X-Forwarded-For
and X-Forwarded-Proto, which anybody can write. uvicorn believes them of the addresses in
FORWARDED_ALLOW_IPS; by itself it would believe every program of this machine.
"""

import ipaddress
import os
import re
from typing import Any

from fastapi.requests import HTTPConnection

PROXIES_VARIABLE = "FORWARDED_ALLOW_IPS"
SAMESITE_VARIABLE = "CHAINLIT_COOKIE_SAMESITE"
SET_COOKIE = b"set-cookie"
RULED = ("secure", "httponly", "samesite")
NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", re.A)
"""Of a cookie, as RFC 6265 has it."""


def trust_no_proxy_by_itself() -> None:
    """Believe a proxy only where FORWARDED_ALLOW_IPS names it."""
    os.environ.setdefault(PROXIES_VARIABLE, "")


def over_tls(connection: HTTPConnection) -> bool:
    """Whether the browser speaks TLS, with us or with a proxy that is believed."""
    return connection.scope.get("scheme") in ("https", "wss")


def address_of(connection: HTTPConnection) -> str:
    """Where a request comes from: an address, of which one writer has only one.

    An IPv6 address counts by its first 64 bits: the rest is its owner's to choose.
    """
    host = connection.client.host if connection.client else ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host[:64]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), 64), strict=False).network_address)


def ruled(cookie: str, samesite: str, secure: bool) -> str:
    """A Set-Cookie header by our rule."""
    first, *rest = cookie.split(";")
    kept = [part.strip() for part in rest if part.split("=")[0].strip().lower() not in RULED]
    # A browser takes SameSite=None only together with Secure.
    secured = ["Secure"] if secure or samesite == "none" else []
    return "; ".join([first, *kept, "HttpOnly", f"SameSite={samesite}", *secured])


def well_named(cookies: str) -> str:
    """A Cookie header without what no server may have set: to take back such a name, as Chainlit
    does with each that begins like its own, is an error."""
    pairs = (each.strip() for each in cookies.split(";"))
    return "; ".join(each for each in pairs if NAME.fullmatch(each.partition("=")[0].strip()))


class CookieRule:
    """Has every cookie that leaves keep the rule, whoever sets it, and lets none come in by a name
    that is none: another program at this host may have set it."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.samesite = os.environ.get(SAMESITE_VARIABLE, "lax")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self.app(scope, receive, send)
        scope = {**scope, "headers": [_named(*each) for each in scope["headers"]]}
        if scope["type"] == "websocket":
            return await self.app(scope, receive, send)
        secure = over_tls(HTTPConnection(scope))

        async def send_ruled(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = [
                    (name, ruled(value.decode("latin1"), self.samesite, secure).encode("latin1"))
                    if name.lower() == SET_COOKIE
                    else (name, value)
                    for name, value in message.get("headers", [])
                ]
                message = {**message, "headers": headers}
            await send(message)

        await self.app(scope, receive, send_ruled)


def _named(name: bytes, value: bytes) -> tuple[bytes, bytes]:
    if name.lower() != b"cookie":
        return name, value
    return name, well_named(value.decode("latin1")).encode("latin1")
