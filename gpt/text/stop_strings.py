"""Stop strings: text that ends a story before it is shown."""

from collections.abc import Sequence


class StopStrings:
    """Text on its way out, held back for as long as it may be the beginning of a stop string."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held: str = ""

    def push(self, text: str) -> tuple[str, bool]:
        """Take in `text`; give what is free to go, and whether a stop string is complete.

        The one that is complete first counts, as if characters came one by one, so that it does
        not matter how the text is cut into tokens.
        """
        if not self._stops:
            return text, False
        text = self._held + text
        found = [(at + len(stop), at) for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self._held = ""
            return text[: min(found)[1]], True
        longest = max(map(len, self._stops), default=1) - 1
        free = max(0, len(text) - longest)
        while not any(stop.startswith(text[free:]) for stop in self._stops) and free < len(text):
            free += 1
        self._held = text[free:]
        return text[:free], False

    def flush(self) -> str:
        """What is still held, when no more text comes."""
        held, self._held = self._held, ""
        return held
