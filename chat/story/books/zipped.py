"""A zip whose bytes depend on what is in it alone, neither on the clock nor on the system."""

from collections.abc import Iterable
from io import BytesIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

Entry = tuple[str, Iterable[bytes]]
"""A file's name, and its bytes part after part."""
FIRST_DAY = (1980, 1, 1, 0, 0, 0)
UNIX = 3
AT_ONCE = 100_000
"""Bytes that are compressed at once: it takes far longer for one paragraph after the other."""


def zipped(entries: Iterable[Entry], stored: str = "") -> bytes:
    """The files as a zip, in their order; `stored` names one that is not compressed."""
    held = BytesIO()
    with ZipFile(held, "w") as archive:
        for name, parts in entries:
            entry = ZipInfo(name, FIRST_DAY)
            entry.compress_type = ZIP_STORED if name == stored else ZIP_DEFLATED
            entry.create_system, entry.external_attr = UNIX, 0o600 << 16
            with archive.open(entry, "w") as file:
                held_back = bytearray()
                for part in parts:
                    held_back += part
                    if len(held_back) > AT_ONCE:
                        file.write(held_back)
                        held_back = bytearray()
                file.write(held_back)
    return held.getvalue()
