"""Which servers the operator named in INKLING_ENGINE: in the variable itself, or in a file.

The variable may hold keys, so no error here quotes it.
"""

import logging
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from chat.models.remote.dialects import DIALECTS
from gpt.files import is_printable
from gpt.files.strict_json import is_object

log = logging.getLogger(__name__)

VARIABLE = "INKLING_ENGINE"
MOST_SERVERS = 20
MOST_FILE = 64_000
"""Bytes of the file that names them."""
NAME = re.compile(r"[\w.:-][\w.: -]{0,39}")
FIELDS = ("url", "key", "kind", "context", "patience")
OTHERWISE = "see docs/engines.md"
APART = f"a key with a comma or semicolon stands in a file, {OTHERWISE}"
"""Such a key looks like the next server, or the next field."""


class ServersError(ValueError):
    """What INKLING_ENGINE says cannot be used; the message says what would do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A program that serves models.

    Attributes:
        name: What a page knows it by.
        url: Where its API begins, as in http://127.0.0.1:8080/v1; no page is told.
        key: For its `Authorization`; "" for none.
        kind: A key of `DIALECTS`; None to tell it by its list of models.
        context: The tokens that its models read; None where they say.
        patience_s: How long to wait for the first word, and for each after it.
    """

    name: str
    url: str = field(repr=False)
    key: str = field(default="", repr=False)
    kind: str | None = None
    context: int | None = None
    patience_s: float = 120.0


def servers_in(environment: MutableMapping[str, str] | None = None) -> tuple[Server, ...]:
    """The servers that INKLING_ENGINE names. It is taken out of the environment, so that no program
    that is started from here has the keys.

    Raises:
        ServersError: It cannot be used.
    """
    environment = os.environ if environment is None else environment
    said = environment.pop(VARIABLE, "").strip()
    if not said:
        return ()
    found = tuple(_in_file(Path(said).expanduser()) if "://" not in said else _in_line(said))
    names = [each.name for each in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise ServersError(
            f"two servers in {VARIABLE} are called “{twice}”: give each a name of its own, as in "
            "lab=http://…/v1"
        )
    if len(found) > MOST_SERVERS:
        raise ServersError(f"{VARIABLE} names {len(found)} servers: up to {MOST_SERVERS} are asked")
    return found


def _in_line(said: str) -> Iterator[Server]:
    """name=http://host/v1;key=…;kind=…, several with a comma between them."""
    hint = f" ({APART})" if "key" in said else ""
    for place, entry in enumerate([part.strip() for part in said.split(",") if part.strip()], 1):
        where = f"server {place} in {VARIABLE}"
        first, *rest = entry.split(";")
        name, sign, url = first.partition("=")
        if not sign or "://" in name:
            name, url = "", first
        values: dict[str, Any] = {"url": url.strip()}
        for pair in rest:
            key, sign, value = pair.partition("=")
            if not sign or key.strip() not in FIELDS:
                raise ServersError(_unknown_field(where) + hint)
            values[key.strip()] = value.strip()
        yield _server(name.strip(), values, where, hint)


def _in_file(path: Path) -> Iterator[Server]:
    """A table for each in a TOML file: [lab], url = "http://…/v1", key = "…"."""
    try:
        with path.open("rb") as file:
            data, mode = file.read(MOST_FILE + 1), os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ServersError(
            f"the file that {VARIABLE} names cannot be read ({error.strerror}): name addresses, "
            f"as in http://127.0.0.1:8080/v1, or a TOML file of them, {OTHERWISE}"
        ) from error
    try:
        if len(data) > MOST_FILE:
            raise ValueError("it is too long")
        tables = tomllib.loads(data.decode())
    except (ValueError, RecursionError):
        # What the parser says may quote a key.
        raise ServersError(
            f"the file that {VARIABLE} names is no TOML of up to {MOST_FILE:,} bytes, {OTHERWISE}"
        ) from None
    if mode & 0o077 and any("key" in table for table in tables.values() if is_object(table)):
        log.warning("the file that %s names can be read by others: chmod 600", VARIABLE)
    for place, (name, table) in enumerate(tables.items(), 1):
        where = f"table {place} of the file in {VARIABLE}"
        if not is_object(table):
            raise ServersError(
                f'{where} is none: expected [NAME], and below it url = "http://…/v1"'
            )
        if not table.keys() <= {*FIELDS}:
            raise ServersError(_unknown_field(where))
        yield _server(name, table, where)


def _unknown_field(where: str) -> str:
    return f"{where} has something other than {', '.join(FIELDS)}: {OTHERWISE}"


def _server(name: str, values: Mapping[str, Any], where: str, hint: str = "") -> Server:
    url, key = str(values.get("url", "")).rstrip("/"), str(values.get("key", ""))
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        # As whoever connects reads it: a label may be too long, or be no name in any script.
        httpx.URL(url).host.encode("idna")
    except (ValueError, httpx.InvalidURL):
        host, parts, port = None, urlsplit(""), None
    if parts.scheme not in ("http", "https") or not host or not is_printable(url) or " " in url:
        raise ServersError(f"{where} has no address: expected http://HOST:PORT/v1{hint}")
    if parts.username is not None or parts.query or parts.fragment:
        raise ServersError(
            f"the address of {where} holds more than a host and a path: a key stands beside it, "
            "as in http://HOST/v1;key=…"
        )
    if not (key.isascii() and key.isprintable()):
        raise ServersError(f"the key of {where} is no line of plain ASCII")
    name = name or (f"{host}:{port}" if port else host)
    if not NAME.fullmatch(name):
        raise ServersError(
            f"the name of {where} must be up to 40 letters, digits, dots, hyphens and spaces"
        )
    kind = str(values["kind"]) if values.get("kind") else None
    if kind not in (None, *DIALECTS):
        raise ServersError(f"the kind of {where} must be one of {', '.join(DIALECTS)}")
    context, patience = values.get("context"), values.get("patience", 120)
    return Server(
        name=name,
        url=url,
        key=key,
        kind=kind,
        context=None if context is None else int(_number(context, 16, 1 << 24, "context", where)),
        patience_s=_number(patience, 0.1, 3600, "patience", where),
    )


def _number(value: object, low: float, high: float, name: str, where: str) -> float:
    try:
        number = float(str(value))
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise ServersError(f"the {name} of {where} must be a number, {low:g} to {high:g}")
    return number
