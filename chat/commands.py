"""Slash commands: a line in the composer that does something, in place of words for the story.

`/with t=1.2 Once upon …` is none of them: it brings words, and is read with these
(chat/settings/values.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chat import settings
from chat.generate.request import LADDER, LAST, TAKES, GenerationRequest, ladder
from gpt.sampling import LIMITS

EXAMPLES = {
    "banned": "suddenly, at that moment",
    "dry_breakers": r"\n, :",
    "no_end": "on",
    "heal": "off",
}
STEPS = 100
"""The most changes that one command undoes."""
LINE = re.compile(r"\s*/([A-Za-z_-]+)(?:\s+(.*))?", re.S)


class CommandError(ValueError):
    """No command, or one that cannot be followed; the message says what would do."""


@dataclass(frozen=True, slots=True)
class Act:
    """A change of the story without a model, as `chat.acts` reads it."""

    request: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Set:
    """A setting for all that follows, checked."""

    name: str
    value: settings.Value


@dataclass(frozen=True, slots=True)
class Pick:
    """A preset to be picked, by name; "" asks which there are."""

    name: str


@dataclass(frozen=True, slots=True)
class Again:
    """The last passage, written once more from its own seed."""


SlashCommand = GenerationRequest | Act | Set | Pick | Again | Literal["new", "help"]

KINDS = {
    "continue": (
        "/continue 3",
        "The model writes on; with a number, so many versions to pick from",
    ),
    "add": ("/add The next day …", "Your own words join the story; the model writes nothing"),
    "retry": ("/retry 3", "The model writes its last passage anew; the old one stays"),
    "finish": ("/finish", "The model writes on to the end of the sentence"),
    "ladder": (
        "/ladder",
        f"The model writes on {len(LADDER)} times, from careful to wild; pick one",
    ),
    "again": ("/again", "The same again: the last passage from its own settings and seed"),
    "preset": ("/preset wild", "Pick a preset; without a name, the list of them"),
    "previous": ("/previous", "Back to the alternative before"),
    "next": ("/next", "On to the alternative after"),
    "undo": ("/undo 2", "Take back the last change, or so many"),
    "redo": ("/redo", "Do again what was taken back"),
    "new": ("/new", "A blank page; this story is kept"),
    "help": ("/help", "These lines"),
}
"""Each command: how it is written, and what it does."""
SETTING_KINDS = (
    ("/temp 0.9", "A setting for all that follows; /k, /p, /minp, /rp, /max, /end, /seed likewise"),
    ("/temp own", "The model's own value again, and with another model that one's"),
    ("/ban fox, at once", "Words and phrases that are never written; /ban off takes them back"),
    ("/end off", "The story may not end; so for one message: /with end=off Once …"),
    ("/dry 0.8", "DRY, against loops: less likely what repeats a run of words; 0 is off"),
    ("/seed random", "A new seed each time, as it was at the beginning"),
    ("/with t=1.2 k=20 Once …", "Settings for this one message, then your words"),
    ("//so …", "Words of the story that begin with a slash: write two"),
)


def parse_line(line: str) -> SlashCommand | None:
    """The command that `line` is; None where it is words for the story.

    Raises:
        CommandError: It begins like a command and is none, or its number will not do.
    """
    found = LINE.fullmatch(line)
    if found is None or found[1].lower() == "with":
        return None
    typed, rest = found[1], (found[2] or "").strip()
    name = typed.lower().replace("-", "_")
    match name:
        case "continue":
            return GenerationRequest(takes=_number(typed, rest, TAKES[-1], "versions"))
        case "retry":
            return GenerationRequest(retry=LAST, takes=_number(typed, rest, TAKES[-1], "versions"))
        case "undo" | "redo":
            return Act({"act": name, "count": _number(typed, rest, STEPS, "changes")})
        case "preset":
            return Pick(rest)
        case "add":
            if not rest:
                raise CommandError("/add needs your words: as in /add The next day …")
            return Act({"act": "add", "text": rest})
        case _:
            pass
    if name in settings.ALIASES:
        return _setting(typed, rest.removeprefix("=").strip())
    if name not in KINDS:
        known = " ".join(f"/{each}" for each in KINDS)
        raise CommandError(
            f"There is no command /{typed[:30]}. These are: {known}, and /temp, /seed and other "
            "settings. To begin words of the story with a slash, write two."
        )
    if rest:
        raise CommandError(f"/{typed} takes nothing after it, so “{rest[:30]}” is too much.")
    match name:
        case "finish":
            return GenerationRequest(sentence=True)
        case "ladder":
            return GenerationRequest(variants=ladder())
        case "again":
            return Again()
        case "previous" | "next":
            by = 1 if name == "next" else -1
            return Act({"act": "step", "passage": LAST, "by": by})
        case _:
            return "new" if name == "new" else "help"


def words(line: str) -> str:
    """Words for the story, without the second slash that told them from a command."""
    return re.sub(r"^(\s*)//(?=[A-Za-z_-])", r"\1/", line)


def helped() -> list[dict[str, Any]]:
    """What /help shows: how each command is written, and what it does."""
    lines = (*KINDS.values(), *SETTING_KINDS)
    return [{"usage": usage, "about": about} for usage, about in lines]


def _number(typed: str, rest: str, most: int, counted: str) -> int:
    if not rest:
        return 1
    if not re.fullmatch(r"[0-9]{1,9}", rest) or not 1 <= int(rest) <= most:
        raise CommandError(f"/{typed} takes a number of {counted}, 1 to {most}, not “{rest[:30]}”.")
    return int(rest)


def _setting(typed: str, value: str) -> Set:
    """`/temp 0.9` or `/temp = 0.9`; a seed can be left to chance, all others to the model."""
    name, value = settings.named(typed, value)
    assert name is not None  # it is one of ALIASES
    if value.lower() == ("random" if name == "seed" else "own"):
        return Set(name, None)
    if not value:
        usual = settings.defaults()[name]
        example = EXAMPLES.get(name) or ("7" if usual is None else f"{usual:g}")
        raise CommandError(
            f"/{typed} needs a value, {LIMITS[name].range}: as in /{typed} {example}"
        )
    try:
        return Set(name, settings.parse_value(name, value))
    except settings.SettingsError as error:
        raise CommandError(str(error)) from error
