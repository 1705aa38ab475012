"""The text that each window brought to train on: it is no part of the story that windows share."""

from chainlit.session import WebsocketSession

from chat.jobs.training_jobs import TrainingJobs
from chat.jobs.upload import Upload
from chat.story.pieces import Room
from frontend.windows import OfEachWindow


class Uploads(OfEachWindow[Upload]):
    """The `Upload` of each window.

    Args:
        room, others: See `Upload`.
    """

    def __init__(self, jobs: TrainingJobs, room: Room, *, others: bool) -> None:
        super().__init__(
            lambda asker: Upload(
                jobs, asker.owner, (asker.owner, asker.window), room, others=others
            )
        )

    def stop(self, websocket: WebsocketSession) -> None:
        """Give up the estimate of a page that went away: only it would have shown that."""
        if websocket.id in self.by_session:
            self.by_session[websocket.id].leave()
