"""The list of stories, as Chainlit asks for it: answered by the library.

Chainlit's own layer for SQL keeps bubbles, and on SQLite loses some of them: it binds no lists,
lacks columns, gives JSON back as text, writes in any order, reads every step to list the threads,
and lets a browser name the row it overwrites. None of that can happen here, for no bubble is kept:
a story is in the library as a tree, and a thread is a view of it, made when it is asked for.
"""

import asyncio
import uuid
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from chainlit.data.base import BaseDataLayer
from chainlit.element import ElementDict
from chainlit.step import StepDict
from chainlit.types import (
    Feedback,
    PageInfo,
    PaginatedResponse,
    Pagination,
    ThreadDict,
    ThreadFilter,
)
from chainlit.user import PersistedUser, User
from fastapi import HTTPException

from chat.story.library import Library, Title

PAGE = 100
"""The most stories that are listed at once."""
NOT_SAVED_YET = "This story is not saved yet, so it cannot be renamed: try again once it is."
FIRST_S = 0.0
"""When an account began: it is asked for, and nothing depends on it."""
BUBBLE = uuid.uuid5(uuid.NAMESPACE_OID, "the bubble of a story")
"""Every story has the same: should one come to a page after another that it had left already, it
takes that one's place, and does not stand below it."""

T = TypeVar("T")


class Unsaved(Protocol):
    """The stories in memory, some of which are not in the library yet."""

    def find(self, thread: str) -> Title | None:
        """Whose story goes by this id, and what it is called; None where there is none."""

    def deleted(self, thread: str, owner: str) -> None:
        """It was taken out of the library."""


class LibraryLayer(BaseDataLayer):
    """Threads from the library, each with the elements that show it.

    Args:
        executor: Where the library is asked.
        elements: The custom elements that show a story, by name.
        unsaved: Asked for a story that the library does not have.
    """

    def __init__(
        self, library: Library, executor: Executor, elements: tuple[str, ...], unsaved: Unsaved
    ) -> None:
        self.library = library
        self.executor = executor
        self.elements = elements
        self.unsaved = unsaved

    async def _ask(self, question: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.executor, question)

    # People: who may come in is decided before, and an owner is known by name alone.

    async def get_user(self, identifier: str) -> PersistedUser:
        return PersistedUser(id=identifier, identifier=identifier, createdAt=_time(FIRST_S))

    async def create_user(self, user: User) -> PersistedUser:
        return await self.get_user(user.identifier)

    # Threads

    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        """An owner's stories, newest change first; the cursor counts those before."""
        owner, cursor = filters.userId, pagination.cursor or ""
        if not owner:
            raise ValueError("nobody's stories were asked for: userId is empty")
        skip = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) < 10 else 0
        limit = max(1, min(PAGE, pagination.first))
        titles, more = await self._ask(
            lambda: self.library.titles(owner, limit=limit, skip=skip, search=filters.search or "")
        )
        page = PageInfo(hasNextPage=more, startCursor=str(skip), endCursor=str(skip + len(titles)))
        return PaginatedResponse(pageInfo=page, data=[_thread(title) for title in titles])

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """A thread with one bubble, empty but for the elements that show the story."""
        title = await self._find(thread_id)
        if title is None:
            return None
        thread = _thread(title)
        thread["steps"] = [_step(title)]
        thread["elements"] = [_element(name, title) for name in self.elements]
        return thread

    async def get_thread_author(self, thread_id: str) -> str:
        title = await self._find(thread_id)
        return title.owner if title else ""

    async def _find(self, thread_id: str) -> Title | None:
        # The library first: by what stands in it, nobody can take the place of an owner.
        title = await self._ask(lambda: self.library.find(thread_id))
        return title or self.unsaved.find(thread_id)

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Rename a story. Chainlit also calls this with a user, to name a new thread after its
        first message, and with a session's data: a story has its own name and its own settings.

        Raises:
            HTTPException: 409, it is not in the library yet.
        """
        if name is None or user_id is not None:
            return
        if (title := await self._ask(lambda: self.library.find(thread_id))) is not None:
            await self._ask(lambda: self.library.rename(thread_id, title.owner, name[:200]))
        elif self.unsaved.find(thread_id) is not None:
            raise HTTPException(409, NOT_SAVED_YET)

    async def delete_thread(self, thread_id: str) -> None:
        """Chainlit has asked for the author before."""
        if (title := await self._find(thread_id)) is not None:
            self.unsaved.deleted(thread_id, title.owner)
            await self._ask(lambda: self.library.delete(thread_id, title.owner))

    # Bubbles, their elements and thumbs: none is kept.

    async def create_step(self, step_dict: StepDict) -> None:
        """A story's words are in the library."""

    async def update_step(self, step_dict: StepDict) -> None:
        """As `create_step`."""

    async def delete_step(self, step_id: str) -> None:
        """As `create_step`."""

    async def create_element(self, element: Any) -> None:
        """The elements of a thread are made by `get_thread`."""

    async def get_element(self, thread_id: str, element_id: str) -> ElementDict | None:
        return None

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """As `create_element`."""

    async def get_favorite_steps(self, user_id: str) -> list[StepDict]:
        return []

    async def upsert_feedback(self, feedback: Feedback) -> str:
        raise ValueError("there are no thumbs here, so none can be kept")

    async def delete_feedback(self, feedback_id: str) -> bool:
        return False

    async def build_debug_url(self) -> str:
        return ""

    async def close(self) -> None:
        await self._ask(self.library.close)


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def _thread(title: Title) -> ThreadDict:
    return ThreadDict(
        id=title.id,
        createdAt=_time(title.began_s),
        name=title.title,
        userId=title.owner,
        userIdentifier=title.owner,
        tags=[],
        metadata={},
        steps=[],
        elements=[],
    )


def element_id(name: str) -> str:
    """Of an element in the bubble of any story."""
    return str(uuid.uuid5(BUBBLE, name))


def _step(title: Title) -> StepDict:
    began = _time(title.began_s)
    return StepDict(
        id=str(BUBBLE),
        threadId=title.id,
        parentId=None,
        name="Inkling",
        type="assistant_message",
        input="",
        output="",
        streaming=False,
        isError=False,
        waitForAnswer=False,
        metadata={},
        createdAt=began,
        start=began,
        end=began,
    )


def _element(name: str, title: Title) -> ElementDict:
    return ElementDict(
        id=element_id(name),
        threadId=title.id,
        type="custom",
        name=name,
        display="inline",
        forId=str(BUBBLE),
        mime="application/json",
        props={},
    )
