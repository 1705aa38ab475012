"""What the next words are written with: the model's own settings, what the writer set for the chat,
the preset picked, and for once more.

These are the layers of chat/settings/values.py, weakest first. What stands in a message itself
comes over all of them, and is nobody's but the message's. The model's own come from its folder
(gpt/checkpoint/generation_config.py) and change with the model that is picked; what the writer set
stays.
"""

from collections.abc import Mapping
from typing import Any

from chat.settings import values as settings
from chat.settings.presets import AS_SET, BUILT_IN, Layer, OwnPresets, Preset, find_preset
from gpt.text.scripts import folded

MODELS_OWN = "the model's own"
OTHERS_SET = "The others are set."
FORMER = {"temperature", "top_k", "top_p", "min_p", "repetition_penalty", "max_new_tokens", "seed"}
"""All settings there were before models had some of their own."""


class SettingLayers:
    """The settings of one chat.

    Args:
        own: The presets that the writer saved; None for one who can save none.
    """

    def __init__(self, own: OwnPresets | None = None) -> None:
        self.own = own
        self.chosen: Layer = {}
        """What the writer set for the chat; of the rest the model decides."""
        self.preset: Preset | None = None
        self.once: Layer = {}
        """For the next message only."""
        self.changes = 0
        """How often any of it was changed: a page that shows it looks anew."""

    def presets(self) -> dict[str, Preset]:
        """All that can be picked, by name; it asks the database, so not on an event loop."""
        return self.own.all() if self.own else {preset.name: preset for preset in BUILT_IN}

    @property
    def wanted(self) -> Layer:
        """What the writer wants of every message, whichever model writes it."""
        return {**self.chosen, **(self.preset.settings if self.preset else {})}

    def standing(self, model: Layer) -> Layer:
        """What a message is written with that says nothing itself, nothing being for once.

        Args:
            model: The model's own settings; so below.
        """
        return {**settings.defaults(), **model, **self.wanted}

    def in_force(self, model: Layer) -> Layer:
        """What the next message is written with, if it says nothing itself."""
        return {**self.standing(model), **self.once}

    def decides(self, name: str, model: Layer) -> str:
        """Who decides a setting that stands, in words."""
        if self.preset and name in self.preset.settings:
            return f"from “{self.preset.name}”"
        if name in self.chosen:
            return "set by you"
        return MODELS_OWN if name in model else "as usual"

    @property
    def picked(self) -> str:
        """The name of what is picked."""
        return self.preset.name if self.preset else AS_SET

    def pick(self, name: str | None, presets: Mapping[str, Preset] | None = None) -> None:
        """Take a preset, or what the chat is set to.

        Args:
            presets: All that can be picked, where that is known.

        Raises:
            SettingsError: There is none of that name.
        """
        preset = find_preset(self.presets() if presets is None else presets, name)
        self.changes += preset != self.preset
        self.preset = preset

    def restore(self, raw: Mapping[str, object]) -> None:
        """Be set as a chat was that was kept.

        Raises:
            SettingsError: A value cannot be used; nothing has changed.
        """
        chosen, usual = settings.layer(raw), settings.defaults()
        if chosen.keys() == FORMER:
            # Kept before models had settings of their own: most of it was set by nobody.
            chosen = {name: value for name, value in chosen.items() if value != usual[name]}
        self.chosen = chosen

    def change(self, raw: Mapping[str, object], model: Layer) -> str | None:
        """Set the chat to the values of a form that showed what is `standing`.

        What is as it was shown stays whose it is. What is left empty, or set to just what the model
        has, is the model's own again. A preset that decides a value which was changed is given up,
        and the rest of it becomes the chat's.

        A value that cannot be used stays as it was, and the others are set.

        Returns:
            What the writer should hear: that the preset was given up, or which values could not be
            used, and why.

        Raises:
            SettingsError: One cannot be used, and no other was changed.
        """
        (new, refused), was = settings.usable(raw), self.standing(model)
        own = {**settings.defaults(), **model}
        asked = {name: new.get(name, own[name]) for name in settings.LABELS if name in raw}
        changed = {
            name: value
            for name, value in asked.items()
            if value != was[name] and name not in refused
        }
        if not changed:
            return _only(refused)
        note, preset = None, self.preset
        if preset and (ruled := [name for name in preset.settings if name in changed]):
            labels = ", ".join(settings.LABELS[name] for name in ruled)
            note = f"{labels}: from now on. The rest stays as in “{preset.name}”."
            self.chosen, self.preset = self.wanted, None
        kept = {name: value for name, value in self.chosen.items() if name not in changed}
        set_now = {name: value for name, value in changed.items() if value != own[name]}
        self.chosen = {**kept, **set_now}
        self.changes += 1
        said = [*refused.values(), OTHERS_SET] if refused else []
        return " ".join([*said, *([note] if note else [])]) or None

    def set_one(self, name: str, value: settings.Value) -> str:
        """Set one value for all that follows, whatever is picked; None: the model's own again.

        A preset that decides it is given up, and the rest of it becomes the chat's own.

        Returns:
            What is set now, in words.
        """
        back = value is None and name != "seed"
        shown = MODELS_OWN if back else settings.shown(name, value)
        said = f"{settings.LABELS[name]}: {shown}, from now on."
        if self.preset is not None and name in self.preset.settings:
            said += f" The rest stays as in “{self.preset.name}”."
            self.chosen, self.preset = self.wanted, None
        kept = {each: set_ for each, set_ in self.chosen.items() if each != name}
        self.chosen = kept if value is None else {**kept, name: value}
        self.changes += 1
        return said

    def arm(self, raw: Mapping[str, object]) -> str | None:
        """Take settings for the next message; none takes them back. One that cannot be used stays
        as it was armed before.

        Returns:
            What the writer should hear: which could not be used, and why.

        Raises:
            SettingsError: None can be used; what was armed before still is.
        """
        new, refused = settings.usable(raw)
        if refused and not new:
            return _only(refused)
        stay = {name: self.once[name] for name in refused if name in self.once}
        self.once = {**stay, **new}
        self.changes += 1
        return " ".join([*refused.values(), OTHERS_SET]) if refused else None

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
        if self.preset and folded(self.preset.name) == folded(name):
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
        # As text, for a browser's numbers are exact only to 2**53.
        chosen = {name: settings.typed(value) for name, value in self.chosen.items()}
        return {"preset": self.picked, "chosen": chosen, "once": armed, "changes": self.changes}

    def dials(self, model: Layer, undone: Mapping[str, str]) -> list[dict[str, Any]]:
        """Every setting as a form shows it: name, value and by whom it was set, in words.

        Args:
            undone: Settings that do nothing, each with that in words.
        """
        values = self.standing(model)
        own = {**settings.defaults(), **model}
        return [
            {
                "name": name,
                "value": values[name],
                "own": own[name],
                "by": undone.get(name) or self.decides(name, model),
            }
            for name in settings.LABELS
        ]


def _only(refused: Mapping[str, str]) -> None:
    """Raise what was refused, where there was nothing else.

    Raises:
        SettingsError: Something was.
    """
    if refused:
        raise settings.SettingsError(" ".join(refused.values()))
