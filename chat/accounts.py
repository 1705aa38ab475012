"""Who may come in: nobody is asked, or a name and a password are.

Passwords are kept as scrypt hashes (RFC 7914), one line for each name in the file `users`:
`name:n:r:p:salt:hash`. To add one, or to change its password:

    python -m chat.accounts NAME
"""

import argparse
import getpass
import hashlib
import hmac
import os
import re
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chat.home import home

LOCAL = "local"
"""Who writes where nobody is asked, and who comes in with INKLING_PASSWORD."""
PASSWORD_VARIABLE = "INKLING_PASSWORD"
NAME = re.compile(r"[\w.@-]{1,64}")
SHORTEST = 8
FREE_TRIES = 5
LONGEST_WAIT_S = 60.0


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
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        hashes: dict[str, Hash],
        password: str | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._hashes = dict(hashes)
        self._others = Hash.of(password) if password else None
        # A name that is not known takes as long to refuse as one that is.
        self._nobody = Hash.of(secrets.token_hex())
        self._clock = clock
        self._failures: dict[str, tuple[int, float]] = {}

    @property
    def asked(self) -> bool:
        """Whether anybody has to say who they are."""
        return bool(self._hashes or self._others)

    def wait_s(self, name: str) -> float:
        """So long must this name wait before it may try again; 0 most of the time."""
        count, last_s = self._failures.get(self._known(name), (0, 0.0))
        if count < FREE_TRIES:
            return 0.0
        pause_s = min(LONGEST_WAIT_S, 2.0 ** (count - FREE_TRIES))
        return max(0.0, last_s + pause_s - self._clock())

    def enter(self, name: str, password: str) -> str | None:
        """Whose stories open with this name and password; None where none do.

        Takes a while, on purpose: not for an event loop.
        """
        if self.wait_s(name) > 0:
            return None
        known = self._known(name)
        fits = self._hashes.get(known) or self._others or self._nobody
        if fits.fits(password[:1000]) and fits is not self._nobody:
            self._failures.pop(known, None)
            return known or LOCAL
        count, _ = self._failures.get(known, (0, 0.0))
        self._failures[known] = (count + 1, self._clock())
        return None

    def _known(self, name: str) -> str:
        """The name, or "" for all that are not known: they share their tries."""
        return name if name in self._hashes else ""


def read_accounts(folder: Path, password: str | None) -> Accounts:
    """The accounts in `folder`/users, and the one of INKLING_PASSWORD.

    Raises:
        ValueError: A line of the file is none of ours.
    """
    path = folder / "users"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return Accounts(dict(_read(line, path) for line in lines if line.strip()), password)


def _read(line: str, path: Path) -> tuple[str, Hash]:
    try:
        name, n, r, p, salt, digest = line.split(":")
        return name, Hash(bytes.fromhex(salt), bytes.fromhex(digest), int(n), int(r), int(p))
    except ValueError as error:
        raise ValueError(
            f"{path}: “{line[:40]}” is no account: write it with python -m chat.accounts NAME"
        ) from error


def write_account(folder: Path, name: str, password: str) -> None:
    """Add a name to `folder`/users, or give it another password.

    Raises:
        ValueError: The name or the password will not do; the message says what would.
    """
    if not NAME.fullmatch(name) or name == LOCAL:
        raise ValueError(
            f"“{name}” is no name: 1 to 64 letters, digits, . @ _ or -, and not “{LOCAL}”"
        )
    if len(password) < SHORTEST:
        raise ValueError(f"the password has {len(password)} characters: take at least {SHORTEST}")
    path = folder / "users"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    lines = [line for line in lines if line.strip() and not line.startswith(f"{name}:")]
    write_private(path, "\n".join([*lines, Hash.of(password).line(name)]) + "\n")


def read_secret(folder: Path) -> str:
    """What sessions are signed with: made once, read by nobody else."""
    path = folder / "secret"
    if not path.is_file():
        write_private(path, secrets.token_urlsafe(48))
    return path.read_text(encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m chat.accounts", description="Let somebody in, with stories of their own."
    )
    parser.add_argument("name", help="who: letters, digits, . @ _ or -")
    name = parser.parse_args(arguments).name
    try:
        write_account(home(Path.cwd()), name, getpass.getpass(f"Password for {name}: "))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{name} can come in once Inkling is started again.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
