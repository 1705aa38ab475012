"""The time machine of each page, on socket events that only our own page can send."""

from collections.abc import Callable
from typing import Any

from chainlit.session import WebsocketSession

from chat.models.engines import Engines
from chat.models.training_texts import TrainingTexts
from chat.panels.time_machine import FindModels, TimeMachine
from chat.turns import Turns
from frontend.memory import writer_of
from frontend.socket_page import SocketPage

AT_ONCE = 2


class TimeMachines:
    """The machines of all sessions; they share the engines that read saved steps.

    Args:
        models_of: For a session, what finds the models that its writer may see.
        sources: The texts that models learnt from.
    """

    def __init__(
        self, models_of: Callable[[WebsocketSession], FindModels], sources: TrainingTexts
    ) -> None:
        self.engines = Engines(max_loaded=AT_ONCE, max_batch=1)
        self.by_session: dict[str, TimeMachine] = {}
        self._models_of = models_of
        self._sources = sources
        self._turns = Turns(AT_ONCE, each=AT_ONCE)

    def serve(self, sio: Any) -> None:
        """Answer "machine_write" and "machine_stop"; see `chat.panels.time_machine`."""

        async def write(sid: str, data: object) -> None:
            if (websocket := WebsocketSession.get(sid)) is None or not isinstance(data, dict):
                return
            if websocket.id not in self.by_session:
                page = SocketPage(websocket)
                self.by_session[websocket.id] = TimeMachine(
                    page,
                    self.engines,
                    self._models_of(websocket),
                    self._turns,
                    self._sources,
                    writer_of(websocket),
                )
            self.by_session[websocket.id].start(data)

        async def stop(sid: str, data: object = None) -> None:
            if (websocket := WebsocketSession.get(sid)) is not None:
                self.stop(websocket)

        sio.on("machine_write", handler=write)
        sio.on("machine_stop", handler=stop)

    def stop(self, websocket: WebsocketSession) -> None:
        """Write no more for a page that went away, or does not want it any longer."""
        if websocket.id in self.by_session:
            self.by_session[websocket.id].stop()
