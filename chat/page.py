"""What a desk asks of the page that shows it."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from chat.models import Listing
from chat.settings.presets import Preset

ToldAs = Literal["info", "success", "warning", "error"]


class Page(Protocol):
    """What shows the desk to its writer."""

    async def emit(self, event: str, data: Mapping[str, Any]) -> None:
        """Tell the story view something."""

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
