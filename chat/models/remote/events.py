"""Server-sent events out of the bytes that a stranger sends: bounded, or refused."""

import asyncio

MOST_EVENT = 500_000
"""Bytes of one event; a token with its twenty likeliest has about 3,000."""
MOST_STREAM = 100_000_000
"""Bytes of an answer."""


SPENT = 20_000
"""Bytes to be read before the others have a turn; a piece of them counts for `EACH` more."""
EACH = 200


class Turns:
    """Lets the other tasks of the event loop have their turns: to read what came already needs no
    waiting, so a server that sends millions of tiny pieces would hold all of them up."""

    def __init__(self) -> None:
        self._spent = 0

    async def spend(self, size: int) -> None:
        """Call it with each piece that is read, of so many bytes."""
        self._spent += EACH + size
        if self._spent >= SPENT:
            self._spent = 0
            await asyncio.sleep(0)


class TooMuchError(ValueError):
    """More came than any answer holds."""


class Events:
    """Reads one stream, a chunk at a time.

    A line that the stream breaks off in is none; comments and fields other than data are passed
    over.
    """

    def __init__(self) -> None:
        self._came = 0
        self._rest: list[bytes] = []
        """The line that has begun, in the chunks it came in."""
        self._rest_size = 0
        self._data: list[bytes] = []
        self._data_size = 0

    def push(self, chunk: bytes) -> list[bytes]:
        """The data of each event that the chunk brings to its end.

        Raises:
            TooMuchError: A line, an event or the whole is beyond the bounds.
        """
        self._came += len(chunk)
        if self._came > MOST_STREAM:
            raise TooMuchError(f"more than {MOST_STREAM:,} bytes")
        return [data for line in self._lines(chunk) if (data := self._taken(line)) is not None]

    def end(self) -> list[bytes]:
        """The event that no blank line has ended, as nothing more will come."""
        data, self._data = self._data, []
        return [b"\n".join(data)] if data else []

    def _taken(self, line: bytes) -> bytes | None:
        """Add a line; give the data of the event that it ends."""
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
            self._data_size += len(line)
            if self._data_size > MOST_EVENT:
                raise TooMuchError(f"an event of more than {MOST_EVENT:,} bytes")
        if line or not self._data:
            return None
        data, self._data, self._data_size = self._data, [], 0
        return b"\n".join(data)

    def _lines(self, chunk: bytes) -> list[bytes]:
        r"""The lines that a chunk ends, however they end: \n, \r\n or \r."""
        self._rest.append(chunk)
        self._rest_size += len(chunk)
        lines: list[bytes] = []
        # A \r at the end of the chunk before may have been the first half of \r\n.
        if b"\n" in chunk or b"\r" in chunk or self._rest[0].endswith(b"\r"):
            came = b"".join(self._rest)
            held = b"\r" if came.endswith(b"\r") else b""
            whole = came.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            *lines, last = whole.split(b"\n")
            self._rest, self._rest_size = [last + held], len(last) + len(held)
        if self._rest_size > MOST_EVENT:
            raise TooMuchError(f"a line of more than {MOST_EVENT:,} bytes")
        return lines
