"""Who is in: a token says so for a day at most, and not after its owner signed out.

A token is a JWT (RFC 7519), signed with the home's secret by HMAC-SHA256 and by nothing else. It
also names what let its owner in (`key`), so that it ends when the password is changed, the account
removed, or the door put under a password at all. What was signed out is remembered in the file
`ended` until it would have ended by itself, so that it stays so after a restart.
"""

import contextlib
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import jwt

from chat.accounts.private import (
    PrivateFileError,
    append_private,
    read_private,
    version_of,
    write_private,
)

LIFETIME_S = 86_400
LONGEST = 2000
"""Characters. Ours have about 400."""
ALGORITHM = "HS256"
# A token's first part says how it is signed. Ours is always this one: no other is even read.
HEADER = jwt.encode({}, "-" * 32, ALGORITHM).split(".")[0]
CLAIMS = ["sub", "jti", "iat", "exp", "key"]
GUEST = "guest-"
MOST_EACH = 200
"""The most sign-outs of one account that are kept one by one; beyond, by their time."""
MOST_GUESTS = 20_000
"""The same for all guests together."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What a token says."""

    id: str
    owner: str
    name: str
    """As the page shows it."""
    issued_s: int
    ends_s: int
    """Both in seconds since 1970."""

    @property
    def group(self) -> str:
        """Whose sign-outs are counted together."""
        return GUEST if self.owner.startswith(GUEST) else self.owner


@dataclass(slots=True)
class Group:
    """The tokens of one account that were signed out."""

    ids: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Each with when it was issued and when it would have ended."""
    before_s: int = 0
    """All that were issued up to then have ended too."""
    until_s: int = 0
    """Until when that matters, in seconds since 1970."""

    def merge(self, most: int) -> bool:
        """Remember the older half by its time alone, where there are too many."""
        if len(self.ids) <= most:
            return False
        oldest = sorted(self.ids, key=lambda each: self.ids[each][0])[: most // 2 + 1]
        for issued_s, ends_s in (self.ids.pop(each) for each in oldest):
            self.before_s = max(self.before_s, issued_s)
            self.until_s = max(self.until_s, ends_s)
        return True


class Ended:
    """The tokens that were signed out, in a file of a line each: `id group issued ends`.

    Bounded: what would have ended by itself is dropped, and of one account's many sign-outs the
    older half becomes "all until then" (`* group issued ends`), which signs out a few too many.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._version: tuple[int, ...] = ()
        self._groups: dict[str, Group] = {}
        self._read()

    def has(self, token: Pass) -> bool:
        """Whether this token was signed out, here or by another Inkling of this home."""
        if version_of(self._path) != self._version:
            try:
                self._read()
            except PrivateFileError:
                return True  # who signed out is no longer known, so nobody is in
        group = self._groups.get(token.group)
        return group is not None and (token.id in group.ids or token.issued_s <= group.before_s)

    def add(self, token: Pass) -> None:
        """Sign a token out.

        Raises:
            OSError: It could not be written down; it has ended until a restart all the same.
        """
        group = self._groups.setdefault(token.group, Group())
        group.ids[token.id] = token.issued_s, token.ends_s
        if group.merge(MOST_GUESTS if token.group == GUEST else MOST_EACH):
            self._write()
            return
        before, line = version_of(self._path), _line(token.id, token.group, *group.ids[token.id])
        append_private(self._path, line)
        after = version_of(self._path)
        # Nobody else wrote in between: the file need not be read for what is known.
        if before == self._version and (not before or after[1] == before[1] + len(line)):
            self._version = after

    def _read(self) -> None:
        self._version = version_of(self._path)
        text = read_private(self._path, 2**24)
        lines = text.splitlines()
        entries = [entry for line in lines if (entry := _entry(line)) is not None]
        now_s = self._clock()
        for name, group, issued_s, ends_s in entries:
            if ends_s < now_s:
                continue
            known = self._groups.setdefault(group, Group())
            if name == "*":
                known.before_s = max(known.before_s, issued_s)
                known.until_s = max(known.until_s, ends_s)
            else:
                known.ids[name] = issued_s, ends_s
        self._forget()
        stale = len(lines) > 100 + 2 * sum(len(each.ids) for each in self._groups.values())
        # What is added to a line that was cut off would be lost with it.
        if stale or (text and not text.endswith("\n")):
            with contextlib.suppress(OSError):  # a longer file than need be does no harm
                self._write()

    def _forget(self) -> None:
        """Drop what would have ended by itself."""
        now_s = self._clock()
        for name, group in list(self._groups.items()):
            group.ids = {id: when for id, when in group.ids.items() if when[1] >= now_s}
            if group.until_s < now_s:
                group.before_s = group.until_s = 0
            if not group.ids and not group.before_s:
                del self._groups[name]

    def _write(self) -> None:
        self._forget()
        lines: list[str] = []
        for name, group in self._groups.items():
            lines += [_line(id, name, *when) for id, when in group.ids.items()]
            if group.before_s:
                lines.append(_line("*", name, group.before_s, group.until_s))
        write_private(self._path, "".join(lines))
        self._version = version_of(self._path)


def _line(name: str, group: str, issued_s: int, ends_s: int) -> str:
    return f"{name} {group} {issued_s} {ends_s}\n"


def _entry(line: str) -> tuple[str, str, int, int] | None:
    """What a line says; None for one that was cut off: nobody was told that it held."""
    match line.split(" "):
        case [name, group, issued, ends] if issued.isdecimal() and ends.isdecimal():
            return name, group, int(issued[:18]), int(ends[:18])
        case _:
            return None


class Tokens:
    """Makes and reads tokens.

    Args:
        secret: What they are signed with; at least 32 characters.
        key_of: What lets an owner in at present, such as the line of an account; None where
            nothing does. It goes into a token only as a keyed hash.
        ended: Those that were signed out.
        clock: Seconds since 1970.
    """

    def __init__(
        self,
        secret: str,
        key_of: Callable[[str], str | None],
        ended: Ended,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secret = secret
        self._key_of = key_of
        self._ended = ended
        self._clock = clock

    def issue(self, owner: str, name: str = "") -> str:
        """A token for a day.

        Raises:
            KeyError: Nothing lets this owner in.
        """
        key = self._key(owner)
        if key is None:
            raise KeyError(owner)
        now_s = int(self._clock())
        claims = {
            "sub": owner,
            "name": name,
            "jti": secrets.token_hex(16),
            "iat": now_s,
            "exp": now_s + LIFETIME_S,
            "key": key,
        }
        return jwt.encode(claims, self._secret, ALGORITHM)

    def read(self, token: str | None) -> Pass | None:
        """What a token says; None where it is not ours, has ended, or nothing opens for it."""
        if not token or len(token) > LONGEST or not token.startswith(f"{HEADER}."):
            return None
        try:
            claims = jwt.decode(token, self._secret, [ALGORITHM], options={"require": CLAIMS})
        except (jwt.InvalidTokenError, UnicodeError):
            return None
        match claims:
            case {"sub": str(owner), "jti": str(id), "iat": int(issued_s), "exp": int(ends_s)}:
                found = Pass(id, owner, str(claims.get("name", "")), issued_s, ends_s)
            case _:
                return None
        # It is signed, so comparing its claims gives nothing away.
        opened = claims["key"] == self._key(owner) and ends_s - issued_s <= LIFETIME_S
        return found if opened and not self._ended.has(found) else None

    def end(self, token: Pass) -> None:
        """Sign a token out; see Ended.add."""
        self._ended.add(token)

    def mark(self, *words: str) -> str:
        """What only this home can have said about these words."""
        text = "\0".join(words).encode("utf-8", "replace")
        return hmac.new(self._secret.encode(), text, hashlib.sha256).hexdigest()[:32]

    def _key(self, owner: str) -> str | None:
        key = self._key_of(owner)
        return None if key is None else self.mark("key", owner, key)
