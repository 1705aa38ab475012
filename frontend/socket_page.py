"""One window, as `chat.session` sees a page: events over Chainlit's own socket."""

from collections.abc import Mapping, Sequence
from typing import Any

from chainlit.session import WebsocketSession

from chat.models import Listing
from chat.page import ToldAs
from chat.settings.presets import Preset
from frontend.widgets import model_picker, preset_picker, setting_widgets


class SocketPage:
    """Sends to whichever socket the session has now, so that a reconnected page hears on."""

    def __init__(self, websocket: WebsocketSession) -> None:
        self.websocket = websocket

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        await self.websocket.emit(event, data)  # type: ignore[misc]

    async def name_thread(self, title: str) -> None:
        """Have the page fetch its list of stories anew, and show the thread as one of them."""
        # It does so when this text changes; quotes tell it from the writer's first message.
        data = {"interaction": f"“{title}”", "thread_id": self.websocket.thread_id}
        await self.websocket.emit("first_interaction", data)  # type: ignore[misc]

    async def offer(
        self,
        models: Mapping[str, Listing],
        model: str | None,
        presets: Mapping[str, Preset],
        preset: str,
        dials: Sequence[Mapping[str, Any]],
    ) -> None:
        pickers = [model_picker(models, model), preset_picker(presets, preset)]
        modes = [picker.to_dict() for picker in pickers]
        await self.websocket.emit("set_modes", modes)  # type: ignore[misc]
        # As chainlit.ChatSettings sends it, which needs a message or the like to answer.
        widgets = [widget.to_dict() for widget in setting_widgets(dials)]
        await self.websocket.emit("chat_settings", widgets)  # type: ignore[misc]

    async def tell(self, message: str, kind: ToldAs = "info") -> None:
        await self.websocket.emit("toast", {"message": message, "type": kind})  # type: ignore[misc]
