"""`Page`: what a session asks of the page that shows it; implemented in frontend/socket_page.py."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from chat.models import Listing
from chat.settings.presets import Preset

ToldAs = Literal["info", "success", "warning", "error"]


class Page(Protocol):
    """The page of one session, without Chainlit: events to the story view, messages, pickers."""

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        """Send an event with JSON data to the story view."""

    async def offer(
        self,
        models: Mapping[str, Listing],
        model: str | None,
        presets: Mapping[str, Preset],
        preset: str,
        dials: Sequence[Mapping[str, Any]],
    ) -> None:
        """Let the writer pick a model and a preset for each message, and set the chat.

        Args:
            model: It is picked now; so is `preset`.
            dials: The settings as they are now; see `SettingLayers.dials`.
        """

    async def tell(self, message: str, kind: ToldAs = "info") -> None:
        """Say something in passing."""
