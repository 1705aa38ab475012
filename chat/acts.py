"""What a writer does to the story without a model: one act, one step that can be undone.

Acts come from a page, as plain data, and are checked here.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from chat.errors import RefusedError
from chat.generate.prompt import MAX_STORY, too_long
from chat.generate.request import LAST, OTHER_PAGE
from chat.story import Passage, Story
from chat.story.branches import delete_branch, name_branch
from chat.story.editing import cut, edit
from chat.story.finding import Place, SearchError, Wanted, replaced
from chat.story.joining import joined_on, strip_trailing_spaces
from chat.story.undo import History
from gpt.tokenizers.pieces import whole_characters


def act(history: History, request: Mapping[str, object]) -> History:
    """The history after one act.

    Args:
        request: `act` and what it needs: "undo" and "redo" `count` times; "add" `text` of the
            writer's own at the end, for which no model is asked; "edit" a `passage` to be
            `text` (with `rest` False the story ends there); "replace" the words `find` (see
            `Wanted.of`) by `text`, all or those `at` a place, counted as a browser does; "branch"
            (go on from the end of a `passage`); "cut" a `passage` after its first `tokens` tokens;
            "step" from a `passage` to the alternative `by` places on; "pick" one, and with it the
            branch that it begins; "name_branch" it, and "delete_branch" with all that follows it. A
            passage is an id; to step, LAST is the last one that has alternatives.

    Raises:
        RefusedError: There is nothing to be done, or it is no act; the message says so.
        StoryError: There is no such place in the story.
    """
    story = history.story
    match request:
        case {"act": "undo"}:
            return _changed(
                history, history.undo(_count(request)), "There is nothing to take back."
            )
        case {"act": "redo"}:
            return _changed(history, history.redo(_count(request)), "Nothing was taken back.")
        case {"act": "add", "text": str(text)}:
            return history.change(_added(story, whole_characters(text)))
        case {"act": "edit", "passage": str(id), "text": str(text)}:
            rest = request.get("rest") is not False
            return history.change(edit(story, id, whole_characters(text), rest=rest))
        case {"act": "replace", "find": str(), "text": str(text)}:
            return history.change(_replaced(story, request, whole_characters(text)))
        case {"act": "branch", "passage": str(id)}:
            return history.change(story.at(id))
        case {"act": "cut", "passage": str(id), "tokens": int(tokens)}:
            return history.change(cut(story, id, tokens))
        case {"act": "step", "passage": str(id), "by": int(by)}:
            stepped = story.step(_with_alternatives(story) if id == LAST else id, by)
            which = "before" if by < 0 else "after"
            why = f"There is no alternative {which} this one. Retry writes another."
            return _changed(history, history.change(stepped), why)
        case {"act": "pick", "passage": str(id)}:
            return history.change(story.choose(id))
        case {"act": "name_branch", "passage": str(id), "name": str(name)}:
            return history.change(name_branch(story, id, name))
        case {"act": "delete_branch", "passage": str(id)}:
            return history.change(delete_branch(story, id))
        case _:
            raise RefusedError(OTHER_PAGE)


def _added(story: Story, text: str) -> Story:
    """The story with the writer's words at its end; a model that reads them encodes them."""
    words, whole = strip_trailing_spaces(text)
    if not words.strip():
        raise RefusedError("There are no words to add.")
    if len(story.text) + len(words) > MAX_STORY:
        raise RefusedError(too_long(MAX_STORY))
    text = joined_on(story.text, words, ended=story.ended)
    return story.append(Passage(author="writer", text=text, whole=whole))


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a story was looked through for; of another story it says nothing."""

    story: Story
    places: Sequence[Place] | SearchError


async def prepared(story: Story, request: Mapping[str, object]) -> Mapping[str, object]:
    """The request with what takes a while already found out, in a thread: others write on."""
    if request.get("act") != "replace":
        return request
    places = await asyncio.to_thread(_places, story.text, request)
    return {**request, "prepared": Prepared(story, places)}


def _places(text: str, request: Mapping[str, object]) -> Sequence[Place] | SearchError:
    """Where words are to be replaced, or why none are."""
    at = request.get("at")
    try:
        wanted = Wanted.of(request)
        return wanted.all_in(text) if at is None else [wanted.one_in(text, at)]
    except SearchError as error:
        return error


def _replaced(story: Story, request: Mapping[str, object], text: str) -> Story:
    """The story with other words in the places that were found."""
    match request.get("prepared"):
        case Prepared(story=known, places=places) if known is story:
            pass
        case _:
            places = _places(story.text, request)
    if isinstance(places, SearchError):
        raise RefusedError(str(places)) from places
    if len(story.text) + sum(len(text) - (end - start) for start, end in places) > MAX_STORY:
        raise RefusedError(too_long(MAX_STORY))
    after = replaced(story, places, text)
    if after is story:
        raise RefusedError("These words stand there already: nothing would change.")
    return after


def _count(request: Mapping[str, object]) -> int:
    count = request.get("count", 1)
    return count if isinstance(count, int) else 1


def _changed(before: History, after: History, why_not: str) -> History:
    if after is before:
        raise RefusedError(why_not)
    return after


def _with_alternatives(story: Story) -> str:
    for passage in reversed(story.path):
        if len(story.alternatives(passage.id)) > 1:
            return passage.id
    raise RefusedError("No passage has an alternative yet. Retry writes one.")
