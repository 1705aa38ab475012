"""What outlives a chat: the library, and stories as files, in and out of the page."""

import asyncio
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from chainlit.session import WebsocketSession

from chat.accounts import LOCAL
from chat.compare.votes import Ballot, Votes
from chat.errors import RefusedError
from chat.session import Session
from chat.settings.presets import OwnPresets
from chat.story.export import WRITERS, file_name, opened, to_json
from chat.story.library import Library
from chat.story.pieces import MAX_PART, FileError, FilePieces, Room, joined
from chat.turns import Turns
from frontend.history import LibraryLayer, Unsaved

Key = tuple[str, str]
"""Of a story: its owner, and the id of its thread."""
SHOWN_BY = (
    "StoryFiles",
    "StoryView",
    "StoryTakes",
    "StoryControls",
    "StoryBranches",
    "StoryCompare",
    "StoryCopied",
    "StoryContents",
    "StoryCounts",
    "StoryDice",
    "StoryFind",
    "StoryMachine",
    "StoryMemory",
    "StoryModels",
    "StoryTrain",
    "StoryTune",
    "StoryTools",
    "StoryTokens",
)
"""The elements that show a story, from top to bottom."""

FILES_AT_ONCE = 2
"""Stories that are made into files, or read from them, at the same time."""


class Memory:
    """The library, and the files on their way to and from each session.

    Args:
        folder: Where the library lies.
    """

    def __init__(self, folder: Path) -> None:
        self.library = Library(folder / "stories.sqlite")
        self.votes = Votes(folder / "stories.sqlite")
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
        return OwnPresets(self.library.path, self.owner(websocket))

    async def send_file(self, websocket: WebsocketSession, session: Session, ending: str) -> None:
        """Give the page its story as a file in pieces, to be saved by the browser."""
        write, kind = WRITERS[ending]
        if ending == "json":
            write = partial(to_json, context=session.context)
        story = session.story
        try:
            async with self._files.turn(writer_of(websocket)):
                text = await asyncio.to_thread(write, story)
        except RefusedError as error:
            return await session.page.tell(str(error), "error")
        name, of = file_name(story, ending), max(1, -(-len(text) // MAX_PART))
        for part in range(of):
            piece = text[part * MAX_PART : (part + 1) * MAX_PART]
            data = {"name": name, "type": kind, "part": part, "of": of, "text": piece}
            await session.page.emit("story_file", data)
            await asyncio.sleep(0)  # others have a word in between

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
                read = partial(opened, name[:100])
                story, context = await asyncio.to_thread(lambda: read(joined(parts)))
        except (FileError, RefusedError) as error:
            return await session.page.tell(str(error), "error")
        kept = replace(session.kept(story), context=context)
        thread = str(uuid.uuid4())
        await asyncio.get_running_loop().run_in_executor(
            self.executor,
            lambda: self.library.save(thread, self.owner(websocket), kept, new=True),
        )
        await session.page.emit("story_opened", {"thread": thread})

    def serve_files(self, sio: Any, sessions: Mapping[str, Session]) -> None:
        """Answer "story_save" and "story_piece", socket events that only our own page can send."""

        async def save(sid: str, data: object) -> None:
            match _at(sid, sessions), data:
                case (websocket, session), {"ending": str(ending)} if ending in WRITERS:
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


def key_of(websocket: WebsocketSession) -> Key:
    """The story that a session is at: it is its owner's alone, whoever knows its id."""
    return Memory.owner(websocket), websocket.thread_id


def writer_of(websocket: WebsocketSession) -> tuple[str, str]:
    """Who asks for places and turns, from the larger group to the smaller: (account, page)."""
    return Memory.owner(websocket), websocket.id


def _at(sid: str, sessions: Mapping[str, Session]) -> tuple[WebsocketSession, Session] | None:
    """The session of a socket and its session."""
    websocket = WebsocketSession.get(sid)
    return (websocket, sessions[websocket.id]) if websocket and websocket.id in sessions else None
