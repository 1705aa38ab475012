"""Where words stand in the story that the page shows."""

import asyncio
from collections.abc import Mapping
from typing import Any

from chat.errors import RefusedError
from chat.session import Session
from chat.story.finding import SearchError, Wanted, units

MOST_SHOWN = 50_000
"""Places that the page is told of; the others are counted."""


async def find(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """Where the words `find` stand; see `Wanted.of`. Not in what a model writes just now.

    Returns:
        count; places: start and end of the first of them, one after the other, in the text as the
        page has it (UTF-16 units); revision: of the story that they are of.

    Raises:
        RefusedError: There is nothing to look for, or too much.
    """
    try:
        wanted = Wanted.of(request)
    except SearchError as error:
        raise RefusedError(str(error)) from error
    revision = session.revision
    # Takes that wait to be picked from stand beside the text.
    path = [each for each in session.story.path if each.id not in session.choice]
    text = "".join(each.text for each in path)
    count, places = await asyncio.to_thread(_places, wanted, text)
    return {"count": count, "places": places, "revision": revision}


def _places(wanted: Wanted, text: str) -> tuple[int, list[int]]:
    unit, places, count = units(text), list[int](), 0
    for start, end in wanted.places(text):
        count += 1
        if count <= MOST_SHOWN:
            places += [unit(start), unit(end)]
    return count, places
