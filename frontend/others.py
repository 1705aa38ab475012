"""What other processes keep of the stories that are open here, where several share a database.

A page is at one process, and its next connection may be at another. Passages of both are kept
(`chat.story.library`); here the pages are shown what came from elsewhere.
"""

import asyncio
import logging
import sqlite3

from chat.errors import fault, in_one_line
from chat.story import StoryError
from chat.story.library import GoneError
from frontend.memory import Key, Memory
from frontend.stories import OpenStories
from frontend.tasks import Tasks

LOOK_S = 0.5
"""How often it is asked whether another process kept a story that is open here."""
PAUSE_S = 5.0
"""Before it is asked again, where the database does not answer."""
log = logging.getLogger(__name__)


class Others:
    """Looks after them.

    Args:
        writing: The tasks that write, by story: while one does, its story stays as it is.
    """

    def __init__(self, memory: Memory, stories: OpenStories, writing: Tasks) -> None:
        self._memory = memory
        self._stories = stories
        self._writing = writing

    async def watch(self) -> None:
        """Look again and again, as long as the app runs; not at all where nobody else is there."""
        while self._memory.database.shared:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except (sqlite3.Error, OSError) as error:
                log.warning("what others wrote cannot be read: %s", in_one_line(error))
                await asyncio.sleep(PAUSE_S)
            except Exception as error:  # noqa: BLE001 - `fault` logs it
                fault(log, "showing what another process wrote", error)

    async def look(self) -> None:
        """Read the stories anew that another process kept since they were read here.

        Raises:
            sqlite3.Error, OSError: They cannot be read now.
        """
        memory, quiet = self._memory, [key for key in self._stories.open if self._is_quiet(key)]
        changes = await asyncio.get_running_loop().run_in_executor(
            memory.executor, memory.library.changes, quiet
        )
        for key, changed_s in changes.items():
            if self._is_quiet(key) and self._stories.open[key].keeper.changed_s != changed_s:
                await self._take_anew(key, changed_s)

    def _is_quiet(self, key: Key) -> bool:
        """Whether nothing is in hand for a story that is open."""
        story = self._stories.open.get(key)
        if story is None or story.loading is not None or story.keeper.deleted:
            return False
        return not (story.session.writing or story.keeper.unsaved or self._writing.busy(key))

    async def _take_anew(self, key: Key, changed_s: float) -> None:
        story = self._stories.open[key]
        before = story.session.history
        try:
            kept = await story.keeper.read()
        except GoneError:
            return  # its writer hears of it with the next change
        except StoryError as error:
            log.warning("what another process kept cannot be read: %s", in_one_line(error))
            story.keeper.changed_s = changed_s  # read again once it changes again
            return

        def was_changed() -> bool:
            known = self._stories.open.get(key) is story and self._is_quiet(key)
            if not known or story.session.history is not before:
                return True
            story.keeper.adopt(kept)
            return False

        await story.session.take(kept, unless=was_changed)
