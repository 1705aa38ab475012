"""What outlives a chat: the library, and stories as files, in and out of the page."""

import asyncio
import base64
import sqlite3
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from chainlit.session import WebsocketSession

from chat.accounts import LOCAL
from chat.accounts.database import FILE, Database, SqliteFile
from chat.compare.votes import Ballot, Votes
from chat.errors import RefusedError
from chat.session import Session
from chat.settings.presets import OwnPresets
from chat.story import Context
from chat.story.books import BOOKS, manuscript_of
from chat.story.books.opened import READERS, Opened, opened_book
from chat.story.export import WRITERS, file_name, opened, to_json
from chat.story.library import Library
from chat.story.pieces import MAX_PART, FileError, FilePieces, Room, joined
from chat.story.tree import Story
from chat.turns import Turns
from frontend.history import LibraryLayer, Unsaved

Key = tuple[str, str]
"""Of a story: its owner, and the id of its thread."""
SHOWN_BY = (
    "StoryFiles",
    "StoryView",
    "StoryTakes",
    "StoryControls",
    "StoryAloud",
    "StoryBranches",
    "StoryCompare",
    "StoryCopied",
    "StoryContents",
    "StoryCounts",
    "StoryDice",
    "StoryFind",
    "StoryLook",
    "StoryMachine",
    "StoryMemory",
    "StoryModels",
    "StoryTrain",
    "StoryTune",
    "StoryWhy",
    "StoryTools",
    "StoryTokens",
)
"""The elements that show a story, from top to bottom."""

BYTES_OF_PART = MAX_PART // 4 * 3
"""Of a piece of a file that is no text: base64 makes four characters of three bytes."""
FILES_AT_ONCE = 2
"""Stories that are made into files, or read from them, at the same time."""


class Memory:
    """The library, and the files on their way to and from each session.

    Args:
        folder: The home.
        database: Where the library is; None: a SQLite file in the home.
    """

    def __init__(self, folder: Path, database: Database | None = None) -> None:
        self.folder = folder
        self.database = database or SqliteFile(folder / FILE)
        self.library = Library(self.database)
        self.votes = Votes(self.database)
        # One thread: what is asked first is done first.
        self.executor = ThreadPoolExecutor(1, thread_name_prefix="library")
        self.pieces: dict[str, FilePieces] = {}
        self.room = Room()
        """For files that are on their way from pages."""
        self._files = Turns(FILES_AT_ONCE, each=1)

    def layer(self, unsaved: Unsaved) -> LibraryLayer:
        """The list of stories, for Chainlit."""
        return LibraryLayer(self.library, self.executor, SHOWN_BY, unsaved)

    def votes_of(self, websocket: WebsocketSession) -> Ballot:
        """Where the votes of a session's writer are kept."""
        return Ballot(self.votes, self.owner(websocket), self.executor)

    def presets_of(self, websocket: WebsocketSession) -> OwnPresets:
        """What a session's writer saved to pick from."""
        return OwnPresets(self.database, self.owner(websocket))

    async def send_file(self, websocket: WebsocketSession, session: Session, ending: str) -> None:
        """Give the page its story as a file in pieces, to be saved by the browser."""
        story, context = session.story, session.context
        kind = (WRITERS if ending in WRITERS else BOOKS)[ending][1]
        try:
            # To the last piece: those of two files at once would be one file for the page.
            async with self._files.turn(writer_of(websocket)):
                made = await self._file(websocket, story, context, ending)
                name = file_name(story, ending)
                size = BYTES_OF_PART if isinstance(made, bytes) else MAX_PART
                of = max(1, -(-len(made) // size))
                for part in range(of):
                    piece = made[part * size : (part + 1) * size]
                    data = {"name": name, "type": kind, "part": part, "of": of, **_sent(piece)}
                    await session.page.emit("story_file", data)
                    await asyncio.sleep(0)  # others have a word in between
        except RefusedError as error:
            await session.page.tell(str(error), "error")

    async def _file(
        self, websocket: WebsocketSession, story: Story, context: Context, ending: str
    ) -> str | bytes:
        """What stands in the file of a story; RefusedError where it cannot be made."""
        if ending == "json":
            return await asyncio.to_thread(to_json, story, context)
        if ending in WRITERS:
            return await asyncio.to_thread(WRITERS[ending][0], story)
        name, began_s = await self._called(websocket, story)
        return await asyncio.to_thread(
            lambda: BOOKS[ending][0](manuscript_of(story, name, began_s))
        )

    async def _called(self, websocket: WebsocketSession, story: Story) -> tuple[str, float | None]:
        """The name that its writer gave a story, "" where it has none, and when it was begun."""
        loop, find = asyncio.get_running_loop(), self.library.find
        try:
            title = await loop.run_in_executor(self.executor, find, websocket.thread_id)
        except (sqlite3.Error, OSError):
            title = None  # a story can be saved as a file where the library fails
        if title is None or title.owner != self.owner(websocket):
            return "", None
        return "" if title.title == story.title else title.title, title.began_s

    async def take_piece(
        self,
        websocket: WebsocketSession,
        session: Session,
        name: str,
        part: int,
        of: int,
        text: str,
    ) -> None:
        """Take in a piece of a file; the whole becomes a story of its own, and the page goes there.

        Nothing is done to the story that is open.
        """
        if websocket.id not in self.pieces:
            self.pieces[websocket.id] = FilePieces(room=self.room, owner=self.owner(websocket))
        try:
            parts = self.pieces[websocket.id].add(name, part, of, text)
            if parts is None:
                return
            async with self._files.turn(writer_of(websocket)):
                read = await asyncio.to_thread(_read, _short(name), parts)
        except (FileError, RefusedError) as error:
            return await session.page.tell(str(error), "error")
        kept = replace(session.kept(read.story), context=read.context)
        thread, owner = str(uuid.uuid4()), self.owner(websocket)

        def keep() -> None:
            self.library.save(thread, owner, kept, new=True)
            if read.title not in ("", read.story.title):
                self.library.rename(thread, owner, read.title)

        await asyncio.get_running_loop().run_in_executor(self.executor, keep)
        await session.page.emit("story_opened", {"thread": thread, "left_out": read.left_out})

    def serve_files(self, sio: Any, sessions: Mapping[str, Session]) -> None:
        """Answer "story_save" and "story_piece", socket events that only our own page can send."""

        async def save(sid: str, data: object) -> None:
            match _at(sid, sessions), data:
                case (websocket, session), {"ending": str(ending)} if (
                    ending in WRITERS or ending in BOOKS
                ):
                    await self.send_file(websocket, session, ending)

        async def piece(sid: str, data: object) -> None:
            match _at(sid, sessions), data:
                case (websocket, session), {
                    "name": str(name),
                    "part": int(part),
                    "of": int(of),
                    "text": str(text),
                }:
                    await self.take_piece(websocket, session, name, part, of, text)

        sio.on("story_save", handler=save)
        sio.on("story_piece", handler=piece)

    @staticmethod
    def owner(websocket: WebsocketSession) -> str:
        """Whose stories, votes and presets a session works on."""
        return websocket.user.identifier if websocket.user else LOCAL


def _short(name: str) -> str:
    """The name of a file for a message, with its ending, which says what it is."""
    stem, dot, ending = name.rpartition(".")
    return f"{stem[:90]}.{ending[:8]}" if dot else name[:100]


def _read(name: str, parts: list[str]) -> Opened:
    """The story in a file that came in parts; one of bytes came as base64."""
    if name.rpartition(".")[2].lower() not in READERS:
        return Opened(*opened(name, joined(parts)))
    try:
        data = base64.b64decode("".join(parts), validate=True)
    except ValueError as error:
        raise FileError(f"“{name}” did not arrive whole: open it again.") from error
    return opened_book(name, data)


def key_of(websocket: WebsocketSession) -> Key:
    """The story that a session is at: it is its owner's alone, whoever knows its id."""
    return Memory.owner(websocket), websocket.thread_id


def writer_of(websocket: WebsocketSession) -> tuple[str, str]:
    """Who asks for places and turns, from the larger group to the smaller: (account, page)."""
    return Memory.owner(websocket), websocket.id


def _sent(piece: str | bytes) -> dict[str, Any]:
    """A piece of a file as the page is sent it."""
    if isinstance(piece, bytes):
        return {"text": base64.b64encode(piece).decode(), "base64": True}
    return {"text": piece}


def _at(sid: str, sessions: Mapping[str, Session]) -> tuple[WebsocketSession, Session] | None:
    """The session of a socket and its session."""
    websocket = WebsocketSession.get(sid)
    return (websocket, sessions[websocket.id]) if websocket and websocket.id in sessions else None
