"""Stories in and out of files: pure functions from a story to a file's text, and back.

`.txt` is the story and nothing else, `.md` the story, whose each word is and how it was made,
`.json` the whole tree: read back it is the same story. As .docx and .epub: chat/story/books/.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, get_args

from chat.settings import NO_NUMBERS, SettingsError, parse_value, told
from chat.story.authors import runs_in
from chat.story.context import NO_CONTEXT, Context, ContextError
from chat.story.joining import strip_trailing_spaces
from chat.story.json_parts import loads
from chat.story.paragraphs import paragraphs
from chat.story.passage import ENDINGS, FinishReason, Passage, StoryError, entry_of
from chat.story.pieces import FileError
from chat.story.tokens import StoryToken, TokenChoice
from chat.story.tree import Story
from gpt.files import plain_text
from gpt.files.strict_json import is_object
from gpt.files.text import text_known_as
from gpt.text.scripts import as_name

MAX_TEXT = 600_000
"""Characters of a text that can begin a story: a novel of a hundred thousand words."""
MAX_PASSAGES = 50_000
"""An edit early in a long story copies those after it."""
MAX_TOKENS = 100_000
"""Of all passages of a file together: a page is sent each token on the path."""
MAX_TREE_TEXT = 10 * MAX_TEXT
"""Characters of all passages together."""
LATEST_S = 10**11
"""Of the time a passage was written: three thousand years from now, which a browser can show."""
FAR = 2**64
"""No number of a passage is larger, its seed neither."""
MOST_SETTINGS = 100
LONGEST_NAME = 300
"""Of a model, as for whatever else a page names (frontend/ids.py)."""
CORE = re.compile(
    r"(?:torch|numba) (?:b?float|u?int)[0-9]{1,2}|[\w.+ -]{1,40} at [\w.:-][\w.: -]{0,39}", re.A
)
"""The name of what computed a passage: `gpt.decode.core.Core.name`, or a program and its server."""
# No line end may stand in the indent: from each of many empty lines it would be looked through
# to the last.
MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~&$:+\-=])|^([ \t]*\d+)([.)])", re.M)
INDENTED = re.compile(r"^(?:\t| (?= {3}| {0,2}\t))", re.M)
"""The white space with which a line would begin that Markdown takes for code."""


def to_text(story: Story) -> str:
    """The words as they are read, nothing added."""
    return story.text


def to_markdown(story: Story) -> str:
    """The words, so written that Markdown shows each character, and how each passage was made.

    The table says which characters of the text (as `to_text` has it, counted from 1) are whose.
    """
    lines = [f"# {_escaped(story.title)}", "", _escaped(story.text), "", "---", ""]
    lines.append("| words | characters | by | settings | seed | ended |")
    lines.append("| --- | --- | --- | --- | --- | --- |")
    end = 0
    for passage in story.path:
        for words, whose, *made in _rows(passage):
            start, end = end + 1, end + len(words)
            place = f"{start}–{end}" if words else ""
            cells = [_beginning(words), place, whose, *made]
            lines.append("| " + " | ".join(_escaped(cell) for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _rows(passage: Passage) -> Iterator[tuple[str, ...]]:
    """Words of a passage that have one author: the words, whose they are, and how they came."""
    settings = ", ".join(f"{label} {value}" for _, label, value in told(passage.settings))
    if passage.core:
        settings += f", Core {passage.core}"
    seed = "" if passage.seed is None else str(passage.seed)
    ended = ENDINGS.get(passage.finish_reason or "", "")
    if passage.author != "edited" or not passage.runs:
        yield passage.text, _whose(passage), settings, seed, ended
        return
    for words, mine in runs_in(passage.text, passage.runs):
        by_model = passage.model or "a model", settings
        yield words, *(("the writer", "") if mine else by_model), seed, ended


def to_json(story: Story, context: Context = NO_CONTEXT) -> str:
    """The whole tree with its tokens, and what is read beside it; `opened` gives the same back."""
    # Older versions know no context, and read over it.
    beside = {"context": context.to_dict()} if context else {}
    tree = replace(story, passages=()).to_dict()
    head = json.dumps({**beside, **tree, "passages": []}, allow_nan=False)
    # One passage at a time: nothing else runs while `json` is at a text.
    passages = (json.dumps(entry_of(passage), allow_nan=False) for passage in story.passages)
    return head.removesuffix("]}") + ", ".join(passages) + "]}"


WRITERS = {
    "txt": (to_text, "text/plain"),
    "md": (to_markdown, "text/markdown"),
    "json": (to_json, "application/json"),
}
"""What a story can be saved as: its text and its type, by the file's ending."""


def file_name(story: Story, ending: str) -> str:
    """A name that every system takes, from the story's first words."""
    return f"{as_name(story.title) or 'story'}.{ending}"


def from_file(name: str, text: str) -> Story:
    """The story in a file; see `opened`."""
    return opened(name, text)[0]


def opened(name: str, text: str) -> tuple[Story, Context]:
    """The story in a file, and what is read beside it: a tree that was saved here (`.json`), or a
    text to begin one with.

    Raises:
        FileError: It is neither; the message says what is wrong with it.
    """
    if "\0" in text:
        raise FileError(f"“{name}” is no text: open a .txt, or a .json that was saved here.")
    if name.lower().endswith(".json"):
        return _from_json(name, text)
    if known := text_known_as(text):
        raise FileError(f"“{name}” is {': '.join(known)}.")
    text = plain_text(text)
    if not text.strip():
        raise FileError(f"“{name}” is empty.")
    if len(text) > MAX_TEXT:
        raise FileError(
            f"“{name}” has {len(text):,} characters, and a story can begin with {MAX_TEXT:,}: "
            "open a part of it."
        )
    return begun(text), NO_CONTEXT


def begun(text: str) -> Story:
    """A story of a writer's text, one passage a paragraph."""
    passages: list[Passage] = []
    for words in paragraphs(strip_trailing_spaces(text)[0]):
        parent = passages[-1].id if passages else None
        passages.append(Passage(author="writer", text=words, parent=parent))
    return Story(passages=tuple(passages)).at(passages[-1].id)


def _from_json(name: str, text: str) -> tuple[Story, Context]:
    try:
        data = loads(text)
        if not is_object(data):
            raise StoryError("this is not a story that was exported here")
        story = Story.from_dict(data)
        _check(story)
        context = Context.of(data["context"]) if is_object(data.get("context")) else NO_CONTEXT
    except (ValueError, RecursionError) as error:
        known = isinstance(error, StoryError | ContextError)
        why = str(error) if known else "it is no JSON, or only a part of it"
        raise FileError(f"“{name}” cannot be opened: {why}.") from error
    return story, context


def _check(story: Story) -> None:
    """Refuse values of another kind than ours, before anything is done with them."""
    for count, most, what in (
        (len(story.passages), MAX_PASSAGES, "passages"),
        (sum(len(each.tokens) for each in story.passages), MAX_TOKENS, "tokens"),
        (sum(len(each.text) for each in story.passages), MAX_TREE_TEXT, "characters"),
    ):
        if count > most:
            raise StoryError(f"it has {count:,} {what}, and {most:,} can be read")
    wrong = [
        f"{each.name} of passage {index + 1}"
        for index, passage in enumerate(story.passages)
        for each in fields(Passage)
        if not _FITS[each.name](getattr(passage, each.name))
    ]
    if not re.fullmatch(r"[\w-]{1,64}", story.id, re.A):
        wrong.append("the id")
    if wrong:
        raise StoryError(f"{', '.join(wrong[:3])} cannot be read")


Fits = Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[\w-]{1,64}", value, re.A) is not None


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_number(value: object) -> bool:
    # Of whole numbers there are some that no float can be; NaN is in no range.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= FAR


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _are_whole(value: Sequence[object]) -> bool:
    return all(_is_whole(each) for each in value)


def _is_token(token: StoryToken) -> bool:
    return (
        _is_whole(token.id)
        and _is_text(token.text)
        and _is_number(token.raw_probability)
        and _is_number_or_none(token.probability)
        and _is_number_or_none(token.entropy)
        and all(_is_choice(choice) for choice in token.top)
    )


def _is_choice(choice: TokenChoice) -> bool:
    numbers = _is_number(choice.raw_probability) and _is_number_or_none(choice.probability)
    return _is_whole(choice.id) and _is_text(choice.text) and numbers


def _are_settings(value: object) -> bool:
    return (
        is_object(value)
        and len(value) <= MOST_SETTINGS
        and all(
            _is_text(name) and (each is None or _is_number(each) or _is_setting(name, each))
            for name, each in value.items()
        )
    )


def _is_setting(name: str, value: object) -> bool:
    """Whether it is one of those that are no numbers."""
    try:
        return name in NO_NUMBERS and parse_value(name, value) == value
    except SettingsError:
        return False


def _or_none(fits: Fits) -> Fits:
    return lambda value: value is None or fits(value)


_FITS: dict[str, Fits] = {
    "id": _is_id,
    "parent": _or_none(_is_id),
    "author": _is_text,
    "text": _is_text,
    "ids": _are_whole,
    "model": _or_none(lambda value: _is_text(value) and len(value) <= LONGEST_NAME),
    "tokens": lambda tokens: all(map(_is_token, tokens)),
    "runs": _are_whole,
    "settings": _are_settings,
    "seed": _or_none(_is_whole),
    "finish_reason": lambda value: value is None or value in get_args(FinishReason),
    "elapsed_s": _or_none(_is_number),
    "moved": lambda value: isinstance(value, bool),
    "whole": lambda value: isinstance(value, bool),
    "context": lambda value: value is None or isinstance(value, Context),
    "written_s": _or_none(lambda value: _is_number(value) and 0 <= value <= LATEST_S),
    "core": _or_none(lambda value: _is_text(value) and CORE.fullmatch(value) is not None),
}


def _escaped(text: str) -> str:
    """The text as Markdown that shows just these characters, its lines kept apart."""
    text = MARKUP.sub(
        lambda found: "\\" + found[1] if found[1] else f"{found[2]}\\{found[3]}", text
    )
    text = INDENTED.sub(lambda found: f"&#{ord(found[0])};", text)
    return re.sub(r"(?<=[^\n])\n(?=[^\n])", "\\\\\n", text)


def _whose(passage: Passage) -> str:
    if passage.author == "edited":
        return "a model, changed by the writer"
    return (passage.model or "a model") if passage.author == "model" else "the writer"


def _beginning(text: str) -> str:
    words = text.split()
    return " ".join(words[:6])[:60] + (" …" if len(words) > 6 else "")
