"""Models in memory: each is read once, off the event loop, and writes through one engine."""

import asyncio
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakSet

import gpt
from chat.errors import RefusedError
from chat.models import Listing, fetched, without_place
from chat.models.remote.engine import USUAL_LENGTH, RemoteCore, RemoteEngine
from chat.models.remote.line import Line
from gpt.checkpoint import Checkpoint, CheckpointError
from gpt.decode.choose import CoreError
from gpt.decode.core import Core
from gpt.engine import Engine
from gpt.text.prompt import window_start
from gpt.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in memory with the engine that runs it.

    Attributes:
        listing: Its entry in the catalogue: key, folder, own settings (`chat.models.Listing`).
        checkpoint: None of a model that a server of another program runs.
    """

    listing: Listing
    checkpoint: Checkpoint | None
    engine: Engine | RemoteEngine

    @property
    def tokenizer(self) -> Tokenizer:
        return self.engine.tokenizer

    @property
    def window(self) -> int:
        """How many tokens it reads; of a model on a server about how many."""
        remote = self.listing.remote
        return self.listing.block_size if remote is None else remote.window

    @property
    def takes_seeds(self) -> bool:
        """Whether a seed brings the same words again, or is at least listened to."""
        remote = self.listing.remote
        return remote is None or remote.dialect.seeds is not None

    def first_seen(
        self, count: int, draft: int = 0, length: int | None = None, kept: int = 0
    ) -> int:
        """Of so many tokens, the first that it reads before it writes the next one.

        Args:
            kept: Those beside them that it reads always.
            draft: Those at the end that it is writing now. What a server was sent does not slide
                while it writes.
            length: The most that it was asked to write, if it is writing.
        """
        remote = self.listing.remote
        if remote is None:
            return window_start(count, self.listing.block_size - kept)
        return remote.first_seen(count - draft, length or USUAL_LENGTH, kept)

    @property
    def idle(self) -> bool:
        return self.engine.active == 0 and self.engine.waiting == 0


class Lease:
    """The models taken through it stay in memory while it is open: between handing one out and
    queueing its request, loading another one must not unload it.
    """

    def __init__(self, engines: "Engines") -> None:
        self._engines = engines
        self._held: list[Loaded] = []

    async def get(self, listing: Listing) -> Loaded:
        """See `Engines.get`."""
        loaded = await self._engines.get(listing)
        # Nobody else ran since it was there, so nobody gave it up.
        self._held.append(loaded)
        return loaded

    def holds(self, loaded: Loaded) -> bool:
        return any(each.engine is loaded.engine for each in self._held)


class SpareLease(Lease):
    """Gives only models that are in memory."""

    async def get(self, listing: Listing) -> Loaded:
        """As `Engines.get`, but nothing is read for it.

        Raises:
            RefusedError: The model is not in memory.
        """
        loaded = self._engines.there(listing)
        if loaded is None:
            raise RefusedError(f"“{listing.key}” is not in memory.")
        self._held.append(loaded)
        return loaded


class Engines:
    """A least-recently-used cache of loaded models, one engine each. For one event loop.

    Args:
        max_loaded: How many stay loaded; beyond it the least recently used is unloaded, but never
            one that writes or is held by a `lease`.
        max_batch: Stories that each engine writes at once: see `gpt.engine.Engine`.
        load: Reads a checkpoint folder.
        fetch: Downloads a model that is still on the Hub.
    """

    def __init__(
        self,
        *,
        max_loaded: int = 3,
        max_batch: int | None = None,
        load: Callable[[Path], Checkpoint] = gpt.load,
        fetch: Callable[[Listing], Listing] = fetched,
    ) -> None:
        self.max_loaded = max_loaded
        self._max_batch = max_batch
        self._load = load
        self._fetch = fetch
        self._loaded: list[Loaded] = []
        self._remote: WeakSet[RemoteEngine] = WeakSet()
        """Those on servers that were asked for."""
        self._reading: dict[str, asyncio.Lock] = {}
        self._leases: list[Lease] = []
        self._spare: set[asyncio.Task[object]] = set()
        """Tasks that give way to any other."""

    @contextmanager
    def lease(self) -> Generator[Lease]:
        """Hold what is taken from it in memory until the end of the block."""
        for task in self._spare:
            task.cancel()
        with self._held(Lease(self)) as lease:
            yield lease

    @contextmanager
    def spare(self) -> Generator[Lease]:
        """A lease for work that may as well not be done: the task at hand is cancelled as soon as
        anyone takes a `lease`.

        Raises:
            RefusedError: Something is being done, so there is nothing to spare.
        """
        if not self.at_rest:
            raise RefusedError("The models are busy.")
        task = asyncio.current_task()
        assert task is not None
        self._spare.add(task)
        try:
            with self._held(SpareLease(self)) as lease:
                yield lease
        finally:
            self._spare.discard(task)

    @contextmanager
    def _held(self, lease: Lease) -> Generator[Lease]:
        self._leases.append(lease)
        try:
            yield lease
        finally:
            self._leases.remove(lease)

    @property
    def at_rest(self) -> bool:
        """Whether nothing is written, waits, or is about to be asked of any model."""
        return not (self._leases or self.active or self.waiting)

    def there(self, listing: Listing) -> Loaded | None:
        """The model if it is in memory as it is on disk, else None."""
        if listing.remote is not None:
            self._remote.add(listing.remote)
            return Loaded(listing, None, listing.remote)
        same = (each for each in self._loaded if _weights(each.listing) == _weights(listing))
        found = next(same, None)
        return found and replace(found, listing=listing)

    async def get(self, listing: Listing) -> Loaded:
        """The model, read now if it is not in memory, or was written anew on disk since.

        Two who know one folder by different names share it in memory; each has it by the name, and
        with the rights, of their own listing.

        Raises:
            CheckpointError: The folder holds no checkpoint that can be loaded, or a model on the
                Hub cannot be fetched.
        """
        if listing.broken:
            raise CheckpointError(listing.broken)
        if listing.remote is not None:  # in the memory of another program
            self._remote.add(listing.remote)
            return Loaded(listing, None, listing.remote)
        # Two chats that ask at once wait for one reading.
        async with self._reading.setdefault(str(listing.folder), asyncio.Lock()):
            loop = asyncio.get_running_loop()
            if listing.hub is not None:
                listing = await loop.run_in_executor(None, self._fetch, listing)
            same = (each for each in self._loaded if _weights(each.listing) == _weights(listing))
            there = next(same, None)
            if there is None:
                checkpoint = await loop.run_in_executor(None, self._read, listing.folder)
                engine = await loop.run_in_executor(None, self._engine, checkpoint)
                there = Loaded(listing, checkpoint, engine)
            else:
                self._loaded.remove(there)
            self._make_room(for_folder=listing.folder)
            self._loaded.append(there)
            return there if there.listing == listing else replace(there, listing=listing)

    async def warm_up(self, listing: Listing | None) -> Loaded | None:
        """Read a model that will most likely be asked for; None where that cannot be, for a fault
        shows when it is asked for."""
        # What is still on the Hub is fetched when it is asked for, and not before.
        if listing is None or listing.hub is not None:
            return None
        with suppress(CheckpointError, RefusedError, OSError):
            return await self.get(listing)
        return None

    @property
    def active(self) -> int:
        """Stories that are being written now, over all models."""
        return sum(loaded.engine.active for loaded in self._loaded) + sum(
            line.active for line in self._lines
        )

    @property
    def waiting(self) -> int:
        """Stories that wait in the queues, over all models."""
        return sum(loaded.engine.waiting for loaded in self._loaded) + sum(
            line.waiting for line in self._lines
        )

    @property
    def _lines(self) -> set[Line]:
        """Of the servers; models of one server share it."""
        return {engine.line for engine in self._remote}

    @property
    def decoding(self) -> list[str]:
        """What writes with each model: the core, its precision and its threads."""
        cores = (loaded.engine.core for loaded in self._loaded)
        return [_in_words(core) for core in cores if not isinstance(core, RemoteCore)]

    @property
    def names(self) -> list[str]:
        return [loaded.listing.key for loaded in self._loaded]

    def close(self) -> None:
        for loaded in self._loaded:
            loaded.engine.close()
        self._loaded.clear()

    def _read(self, folder: Path) -> Checkpoint:
        try:
            return self._load(folder)
        except CheckpointError as error:
            # Its own name stays: of many saved steps it tells which.
            raise CheckpointError(without_place(error, folder.parent)) from error

    def _engine(self, checkpoint: Checkpoint) -> Engine:
        try:
            return Engine(checkpoint.model, checkpoint.tokenizer, max_batch=self._max_batch)
        except CoreError as error:
            raise RefusedError(f"The model cannot write: {error}.") from error

    def _make_room(self, for_folder: Path) -> None:
        """Give up older weights of the same model, and the longest rested beyond the bound."""
        for loaded in [each for each in self._loaded if self._rests(each)]:
            too_many = len(self._loaded) >= self.max_loaded
            if too_many or loaded.listing.folder == for_folder:
                self._loaded.remove(loaded)
                loaded.engine.close()

    def _rests(self, loaded: Loaded) -> bool:
        return loaded.idle and not any(lease.holds(loaded) for lease in self._leases)


def _in_words(core: Core) -> str:
    """ "numba bfloat16, 2 threads"."""
    return f"{core.name}, {core.threads} thread{'' if core.threads == 1 else 's'}"


def _weights(listing: Listing) -> tuple[Path, int]:
    """What is read, whatever it is called."""
    return listing.folder, listing.version
