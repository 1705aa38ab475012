"""What a desk asks of the page that shows it."""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

from chat.models import Listing
from chat.presets import Preset

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
    ) -> None:
        """Let the writer pick a model and a preset for each message; these are picked now."""

    async def tell(self, message: str, kind: ToldAs = "info") -> None:
        """Say something in passing."""
