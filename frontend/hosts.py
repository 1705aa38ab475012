"""Under which names this server may be asked, and whether a request comes from a page of its own.

A page elsewhere can have its name lead to this machine (DNS rebinding): then a browser takes the
two for one, and only the name that the request was sent to tells that it was meant for another.
"""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address, ip_address

HOSTS_VARIABLE = "INKLING_HOSTS"
"""More names that this server is called by, with a comma between them."""
SPACE_VARIABLE = "SPACE_HOST"
"""A Space's own name; Hugging Face sets it."""

NAME = r"\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253}"
HOST = re.compile(rf"({NAME})(?::([0-9]{{1,5}}))?", re.A)
ORIGIN = re.compile(rf"(https?)://({NAME})(?::([0-9]{{1,5}}))?", re.A)
PORTS = {"http": 80, "https": 443}


def own_names(environment: Mapping[str, str], bound: str = "") -> frozenset[str]:
    """The names that are ours beside the local ones and the addresses that requests come in at.

    Args:
        bound: The host name or address the server listens on.

    Raises:
        ValueError: INKLING_HOSTS holds something that is no name.
    """
    said = [each.strip() for each in environment.get(HOSTS_VARIABLE, "").split(",")]
    for each in said:
        if each and not re.fullmatch(NAME, each):
            raise ValueError(
                f"{HOSTS_VARIABLE}: “{each[:60]}” is no host name. Write names alone, without "
                "https:// and port, as in tales.example.org,192.168.1.20"
            )
    others = [environment.get(SPACE_VARIABLE, ""), bound]
    return frozenset(_plain(each) for each in (*said, *others) if each)


def is_ours(host: str, names: frozenset[str], came_in_at: str | None) -> bool:
    """Whether a Host header names this server.

    A browser sends an address as Host only where the reader opened that very address, so none can
    be led here by a name: the local ones are ours, and the one that the connection came in at.

    Args:
        names: See `own_names`.
        came_in_at: The address of our own end of the connection.
    """
    found = HOST.fullmatch(host)
    if found is None:
        return False
    name = _plain(found[1])
    if name in names or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        address = _address(name)
    except ValueError:
        return False
    return address.is_loopback or str(address) == _shown(came_in_at)


def is_own_page(origin: str, host: str) -> bool:
    """Whether a page of `origin` was sent by the very server that `host` names, at its port.

    "null" is the origin of a page that has none: a file, or a frame in a sandbox.
    """
    page, server = ORIGIN.fullmatch(origin), HOST.fullmatch(host)
    if page is None or server is None:
        return False
    usual = PORTS[page[1]]
    ports = [int(each) if each else usual for each in (page[3], server[2])]
    return _plain(page[2]) == _plain(server[1]) and ports[0] == ports[1]


def _plain(name: str) -> str:
    """A name as it is compared: small letters, no brackets, no dot at the end."""
    return name.lower().strip("[]").removesuffix(".")


def _address(text: str) -> IPv4Address | IPv6Address:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _shown(text: str | None) -> str:
    try:
        return str(_address(text or ""))
    except ValueError:  # a socket of the file system has no address
        return ""
