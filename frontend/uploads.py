"""The text that each window brought to train on: it is no part of the story that windows share."""

from chainlit.session import WebsocketSession

from chat.jobs.training_jobs import TrainingJobs
from chat.jobs.upload import Upload
from chat.story.pieces import Room
from frontend.windows import asking


class Uploads:
    """The `Upload` of each window, made when it first asks for one.

    Args:
        room, others: See `Upload`.
    """

    def __init__(self, jobs: TrainingJobs, room: Room, *, others: bool) -> None:
        self.by_session: dict[str, Upload] = {}
        self._jobs = jobs
        self._room = room
        self._others = others

    def of_who_asks(self) -> Upload:
        """That of the window whose request is at hand.

        Raises:
            LookupError: None is: a fault of the caller's.
        """
        asker = asking()
        if asker is None:
            raise LookupError("no window's request is at hand, so there is no text of its own")
        if asker.window not in self.by_session:
            self.by_session[asker.window] = Upload(
                self._jobs,
                asker.owner,
                (asker.owner, asker.window),
                self._room,
                others=self._others,
            )
        return self.by_session[asker.window]

    def stop(self, websocket: WebsocketSession) -> None:
        """Give up the estimate of a page that went away: only it would have shown that."""
        if websocket.id in self.by_session:
            self.by_session[websocket.id].leave()
