"""What the next words are written with: the chat's settings, the preset picked, and for once more.

These are the layers of chat/settings.py, weakest first. What stands in a message itself comes over
all of them, and is nobody's but the message's.
"""

from collections.abc import Mapping
from typing import Any

from chat import settings
from chat.presets import AS_SET, BUILT_IN, OwnPresets, Preset, find

Layer = Mapping[str, float | int | None]


class Tuning:
    """The settings of one chat.

    Args:
        own: The presets that the writer saved; None for one who can save none.
    """

    def __init__(self, own: OwnPresets | None = None) -> None:
        self.own = own
        self.values: Layer = settings.defaults()
        """What the chat is set to."""
        self.preset: Preset | None = None
        self.once: Layer = {}
        """For the next message only."""
        self.changes = 0
        """How often any of it was changed: a page that shows it looks anew."""

    def presets(self) -> dict[str, Preset]:
        """All that can be picked, by name."""
        return self.own.all() if self.own else {preset.name: preset for preset in BUILT_IN}

    @property
    def in_force(self) -> Layer:
        """What the next message is written with, if it says nothing itself."""
        return {**self.standing, **self.once}

    @property
    def standing(self) -> Layer:
        """The same, without what is for once only."""
        return {**self.values, **(self.preset.settings if self.preset else {})}

    @property
    def picked(self) -> str:
        """The name of what is picked."""
        return self.preset.name if self.preset else AS_SET

    def pick(self, name: str | None) -> None:
        """Take a preset, or what the chat is set to.

        Raises:
            SettingsError: There is none of that name.
        """
        preset = find(self.presets(), name)
        self.changes += preset != self.preset
        self.preset = preset

    def change(self, raw: Mapping[str, object]) -> str | None:
        """Set the chat to new values; those that are not named stay.

        Returns:
            What the writer should hear: that the preset which is picked still decides some of it.

        Raises:
            SettingsError: One cannot be used; nothing has changed.
        """
        new = settings.layer(raw)
        changed = {name for name, value in new.items() if value != self.values[name]}
        self.values = {**self.values, **new}
        self.changes += bool(changed)
        ruled = [name for name in self.preset.settings if name in changed] if self.preset else []
        if not ruled or self.preset is None:
            return None
        labels = ", ".join(settings.LABELS[name] for name in ruled)
        return f"“{self.preset.name}” decides {labels}. Pick “{AS_SET}” to use yours."

    def set_one(self, name: str, value: float | int | None) -> str:
        """Set one value for all that follows, whatever is picked.

        A preset that decides it is given up, and the rest of it becomes the chat's own.

        Returns:
            What is set now, in words.
        """
        said = f"{settings.LABELS[name]}: {settings.shown(name, value)}, from now on."
        if self.preset is not None and name in self.preset.settings:
            said += f" The rest stays as in “{self.preset.name}”."
            self.values, self.preset = self.standing, None
        self.values = {**self.values, name: value}
        self.changes += 1
        return said

    def arm(self, raw: Mapping[str, object]) -> None:
        """Take settings for the next message; none takes them back.

        Raises:
            SettingsError: One cannot be used; what was armed before still is.
        """
        self.once = settings.layer(raw)
        self.changes += 1

    def keep_preset(self, name: str, raw: Mapping[str, object]) -> Preset:
        """Save a preset of the writer's own, and pick it.

        Raises:
            SettingsError: See `OwnPresets.save`.
        """
        self.preset = self._shelf().save(name, raw)
        self.changes += 1
        return self.preset

    def forget_preset(self, name: str) -> None:
        """Take a preset of the writer's own away; what it decided is as the chat is set again.

        Raises:
            SettingsError: There is none of that name that is the writer's own.
        """
        self._shelf().delete(name)
        if self.preset and self.preset.name == name:
            self.preset = None
        self.changes += 1

    def _shelf(self) -> OwnPresets:
        if self.own is None:
            raise settings.SettingsError("Presets of one's own cannot be kept here.")
        return self.own

    def data(self) -> dict[str, Any]:
        """As a page shows it."""
        armed = [
            {"name": name, "label": settings.LABELS[name], "value": settings.shown(name, value)}
            for name, value in self.once.items()
        ]
        return {"preset": self.picked, "once": armed, "changes": self.changes}
