"""Files that come from pages in pieces, and how much of them may be held at once."""

import time
from collections.abc import Callable
from weakref import WeakSet

MAX_FILE = 32_000_000
"""Characters of a file that is read at all: a tree keeps ten likely tokens for each of its own."""
MAX_PART = 100_000
"""Characters of one piece: a socket takes no message above a million bytes."""
STALE_S = 60.0
"""A file of which nothing came for so long is given up where the room is needed."""


class FileError(ValueError):
    """The file cannot be read as a story; the message says why, for the one who opened it."""


class Room:
    """Bounds what is held of files that are still on their way.

    Args:
        most: Characters in all.
        each: Characters of one writer's.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        most: int = 8 * MAX_FILE,
        each: int = 2 * MAX_FILE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most, self._each = most, each
        self.clock = clock
        # A session that ends takes its own along.
        self._files: WeakSet[FilePieces] = WeakSet()

    def join(self, pieces: "FilePieces") -> None:
        self._files.add(pieces)

    def has(self, pieces: "FilePieces", size: int) -> bool:
        """Whether `size` more characters may be held; stale files make room."""
        if self._fits(pieces, size):
            return True
        for other in [each for each in self._files if each is not pieces]:
            if self.clock() - other.last_s > STALE_S:
                other.give_up()
        return self._fits(pieces, size)

    def _fits(self, pieces: "FilePieces", size: int) -> bool:
        held = [(each.owner, each.held) for each in self._files]
        mine = sum(count for owner, count in held if owner == pieces.owner)
        return mine + size <= self._each and sum(count for _, count in held) + size <= self._most


class FilePieces:
    """A file that comes in pieces from a page, which is not to be trusted.

    Args:
        most: Characters of the whole file.
        room: Shared by all pages; None for room that nobody else needs.
        owner: Whose page it is.
    """

    def __init__(
        self, most: int = MAX_FILE, *, room: Room | None = None, owner: str | None = None
    ) -> None:
        self.owner = owner
        self.held = 0
        """Characters that are here of a file that is not whole yet."""
        self.last_s = 0.0
        """When the last of them came."""
        self._most = most
        self._parts: list[str] = []
        self._of = 0
        self._room = room or Room()
        self._room.join(self)

    def add(self, name: str, part: int, of: int, text: str) -> list[str] | None:
        """Take in a piece; with the last one, all of them.

        Raises:
            FileError: It is too large, the pieces do not follow each other, or too much is on its
                way already.
        """
        name = name[:100]
        if part == 0:
            self.give_up()
            self._of = of
        if not 0 < of <= -(-self._most // MAX_PART):
            self.give_up()
            raise FileError(f"“{name}” is too large: {self._most:,} characters can be read.")
        if len(text) > MAX_PART or (part, of) != (len(self._parts), self._of):
            self.give_up()
            raise FileError(f"“{name}” did not arrive whole: open it again.")
        self.last_s = self._room.clock()
        if not self._room.has(self, len(text)):
            self.give_up()
            raise FileError(
                f"“{name}” cannot be taken in now, for other files are: try again in a minute."
            )
        self._parts.append(text)
        self.held += len(text)
        if len(self._parts) < of:
            return None
        parts = self._parts
        self.give_up()
        return parts

    def give_up(self) -> None:
        """Hold nothing any more."""
        self._parts, self._of, self.held = [], 0, 0


def joined(parts: list[str]) -> str:
    """The text of a file: a browser may cut a character in two, and its halves are one again."""
    whole = "".join(parts)
    try:
        whole.encode()
    except UnicodeEncodeError:
        return whole.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return whole
