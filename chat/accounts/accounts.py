"""Who may come in: nobody is asked, or a name and a password are.

Passwords are kept as scrypt hashes (RFC 7914), one line for each name in the file `users`:
`name:n:r:p:salt:hash`. To add one, or to change its password:

    python -m chat.accounts NAME
"""

import argparse
import getpass
import hashlib
import hmac
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chat.accounts.home import home
from chat.accounts.private import (
    lock_out_others,
    read_private,
    version_of,
    write_private,
    write_private_once,
)
from chat.accounts.throttle import Throttle
from chat.accounts.tokens import GUEST

LOCAL = "local"
"""Who writes where nobody is asked, and who comes in with INKLING_PASSWORD."""
PASSWORD_VARIABLE = "INKLING_PASSWORD"
NAME = re.compile(r"[\w.@-]{1,64}")
LONGEST_NAME = 64
LINE = re.compile(
    r"(?P<name>[\w.@-]{1,64}):(?P<n>[0-9]{1,7}):(?P<r>[0-9]{1,3}):(?P<p>[0-9]{1,3})"
    r":(?P<salt>([0-9a-f]{2}){4,64}):(?P<digest>([0-9a-f]{2}){1,64})"
)
SHORTEST = 8
LONGEST = 1000
SHORTEST_SECRET = 32


@dataclass(frozen=True, slots=True)
class Hash:
    """A password that can be checked but not read."""

    salt: bytes
    digest: bytes
    n: int = 2**15
    r: int = 8
    p: int = 1

    @staticmethod
    def of(password: str) -> "Hash":
        blank = Hash(secrets.token_bytes(16), b"")
        return Hash(blank.salt, blank.compute(password))

    def compute(self, password: str) -> bytes:
        # scrypt needs 128·n·r bytes, and some more.
        memory = 256 * self.n * self.r + 2**20
        return hashlib.scrypt(
            password.encode("utf-8", "replace"),
            salt=self.salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=memory,
        )

    def fits(self, password: str) -> bool:
        return hmac.compare_digest(self.compute(password), self.digest)

    def line(self, name: str) -> str:
        return f"{name}:{self.n}:{self.r}:{self.p}:{self.salt.hex()}:{self.digest.hex()}"


class Accounts:
    """Names and passwords, and how often each was tried in vain.

    Args:
        hashes: By name.
        password: Lets any name without a hash of its own in, as the local writer.
        path: The file that the hashes stand in: it is read again when it changes.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        hashes: dict[str, Hash],
        password: str | None = None,
        *,
        path: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hashes = dict(hashes)
        self._password = password or None
        self._others = Hash.of(password) if password else None
        # A name that is not known takes as long to refuse as one that is.
        self._nobody = Hash.of(secrets.token_hex())
        self._path = path
        self._version = version_of(path) if path else ()
        self._throttle = Throttle(clock)
        self.asked = bool(self._hashes or self._others)
        """Whether anybody has to say who they are; settled once, so that no lost file opens it."""

    def wait_s(self, name: str, origin: str = "", *, known: bool = False) -> float:
        """Seconds until this name may be tried again from there; mostly 0.

        Args:
            origin: Where the try comes from; `known` where that is a browser that was in before.
        """
        name = name[:LONGEST_NAME]
        return self._throttle.wait_s(name, origin, self.target(name), known=known)

    def enter(
        self, name: str, password: str, origin: str = "", *, known: bool = False
    ) -> str | None:
        """Whose stories open with this name and password; None where none do.

        Takes a while, on purpose: not for an event loop.
        """
        if self.wait_s(name, origin, known=known) > 0:
            return None
        own = self._now().get(name)
        fits = own or self._others or self._nobody
        if fits.fits(password[:LONGEST]) and fits is not self._nobody:
            self._throttle.entered(name[:LONGEST_NAME], origin)
            return name if own else LOCAL
        name = name[:LONGEST_NAME]
        self._throttle.failed(name, origin, self.target(name), known=known)
        return None

    def target(self, name: str) -> str:
        """What a name's right password opens: all without an account share INKLING_PASSWORD."""
        return LOCAL if self._others and name not in self._now() else name

    def key_of(self, owner: str) -> str | None:
        """What lets an owner in: it changes with the password, and is None once nothing does."""
        if (own := self._now().get(owner)) is not None:
            return own.line(owner)
        return self._password if owner == LOCAL else None

    def _now(self) -> dict[str, Hash]:
        """The accounts as the file has them at present; as they were, where it has become none."""
        if self._path and (version := version_of(self._path)) != self._version:
            self._version = version
            try:
                self._hashes = _read_hashes(self._path)
            except ValueError as error:
                print(f"The accounts stay as they were: {error}", file=sys.stderr, flush=True)
        return self._hashes


def read_accounts(folder: Path, password: str | None) -> Accounts:
    """The accounts in `folder`/users, and the one of INKLING_PASSWORD.

    Raises:
        ValueError: A line of the file is none of ours, or the file is not to be read.
    """
    path = folder / "users"
    lock_out_others(path)
    return Accounts(_read_hashes(path), password, path=path)


def _read_hashes(path: Path) -> dict[str, Hash]:
    lines = [line for line in read_private(path).splitlines() if line.strip()]
    return dict(_read(line, path) for line in lines)


def _read(line: str, path: Path) -> tuple[str, Hash]:
    match = LINE.fullmatch(line)
    if match is None or match["name"] == LOCAL:
        raise ValueError(
            f"{path}: “{line[:40]}” is no account: write it with python -m chat.accounts NAME"
        )
    salt, digest = bytes.fromhex(match["salt"]), bytes.fromhex(match["digest"])
    n, r, p = (int(match[each]) for each in "nrp")
    # 128·n·r bytes are needed for each try.
    if n & (n - 1) or not (n > 1 and 0 < n * r <= 2**20 and 0 < p <= 4 and len(digest) == 64):
        raise ValueError(
            f"{path}: the hash of “{match['name']}” would take too long, or be too weak: give a "
            f"new password with python -m chat.accounts {match['name']}"
        )
    return match["name"], Hash(salt, digest, n, r, p)


def write_account(folder: Path, name: str, password: str) -> None:
    """Add a name to `folder`/users, or give it another password.

    Raises:
        ValueError: The name or the password will not do; the message says what would.
    """
    if not NAME.fullmatch(name) or name == LOCAL or name.startswith(GUEST):
        raise ValueError(
            f"“{name}” is no name: 1 to 64 letters, digits, . @ _ or -, not “{LOCAL}”, "
            f"and not “{GUEST}” at its beginning"
        )
    if not SHORTEST <= len(password) <= LONGEST:
        raise ValueError(
            f"the password has {len(password)} characters: take at least {SHORTEST}, and at most "
            f"{LONGEST:,}"
        )
    path = folder / "users"
    lines = [line for line in read_private(path).splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith(f"{name}:")]
    write_private(path, "\n".join([*lines, Hash.of(password).line(name)]) + "\n")


def read_secret(folder: Path) -> str:
    """What tokens are signed with: made once, read by nobody else.

    One that others could read is given up for a new one, and everybody signs in again.

    Raises:
        ValueError: The file is not to be read, or none of ours.
    """
    path = folder / "secret"
    if lock_out_others(path):
        print(f"Others could read {path}: everybody signs in again.", file=sys.stderr, flush=True)
        write_private(path, secrets.token_urlsafe(48))
    if not (secret := read_private(path).strip()):
        if path.exists():
            write_private(path, secrets.token_urlsafe(48))
        else:
            write_private_once(path, secrets.token_urlsafe(48))
        secret = read_private(path).strip()
    if len(secret) < SHORTEST_SECRET:
        raise ValueError(
            f"{path} has {len(secret)} characters, too few for a secret: delete it, and a new one "
            "is made"
        )
    return secret


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m chat.accounts", description="Let somebody in, with stories of their own."
    )
    parser.add_argument("name", help="who: letters, digits, . @ _ or -")
    name = parser.parse_args(arguments).name
    try:
        write_account(home(Path.cwd()), name, getpass.getpass(f"Password for {name}: "))
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(
        f"{name} can come in with this password, and with no other. An Inkling that runs with "
        "accounts knows it at once; one that asks nobody yet has to be started again."
    )
    return 0
