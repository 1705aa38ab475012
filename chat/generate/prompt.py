"""What a model reads of a story: its ids, with the writer's new words at the end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import TypeVar

from chat.errors import RefusedError
from chat.models.engines import Loaded
from chat.story import Passage, Story
from chat.story.joining import joint
from gpt.tokenizers import TextError, UnknownCharacterError

LONGEST_S = 60
"""The longest wait for a text to be encoded; the longest stories take a second or two."""
_READERS = ThreadPoolExecutor(max_workers=8, thread_name_prefix="reading")
T = TypeVar("T")


async def off_the_loop(read: Callable[[], T]) -> T:
    """What `read` gives, which turns text into tokens; the event loop goes on meanwhile.

    Raises:
        RefusedError: It takes longer than any text should; or whatever `read` raises.
    """
    loop = asyncio.get_running_loop()
    reading = loop.run_in_executor(_READERS, read)
    late: asyncio.Future[None] = loop.create_future()
    # A timer that was cancelled stays in the loop until its time, and its context with it: in an
    # empty one it holds no session.
    timer = loop.call_later(LONGEST_S, _end, late, context=Context())
    try:
        await asyncio.wait({reading, late}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        reading.cancel()  # which one that is done does not mind
    if reading.cancelled():
        raise RefusedError(
            f"The model's tokenizer did not come to an end with this text in {LONGEST_S} seconds: "
            "pick another model."
        )
    return reading.result()


def _end(late: asyncio.Future[None]) -> None:
    if not late.done():
        late.set_result(None)


MAX_STORY = 3_000_000
"""Characters: each is encoded anew for a message, and sent to the page."""


def too_long(most: int) -> str:
    """The message to a writer whose story would have more than `most` characters."""
    return f"The story would have more than {most:,} characters: begin a new one, or cut it."


def with_words(story: Story, words: str, loaded: Loaded, *, whole: bool = False) -> Story:
    """The story with the writer's words at its end, as the model reads them.

    Args:
        words: Without a space at the end (`strip_trailing_spaces`); "" to just go on.
        whole: There was one.

    Raises:
        RefusedError: There is a character that the model does not know, or it gets too long.
    """
    if not words:
        return story
    if len(story.text) + len(words) > MAX_STORY:
        raise RefusedError(too_long(MAX_STORY))
    text = joint(story.text, words, ended=story.ended) + words
    ids = tuple(_read(loaded, lambda: loaded.tokenizer.encode(text)))
    own = loaded.listing.key
    words_of_writer = Passage(author="writer", text=text, ids=ids, model=own, whole=whole)
    return story.append(words_of_writer)


def prompt_of(story: Story, loaded: Loaded) -> list[int]:
    """The story as ids of the model; RefusedError where it does not know a character."""
    return _read(loaded, lambda: story.prompt_ids(loaded.listing.key, loaded.tokenizer))


def _read(loaded: Loaded, ids: Callable[[], list[int]]) -> list[int]:
    try:
        return ids()
    except UnknownCharacterError as error:
        raise RefusedError(_unknown(error, loaded.listing.key)) from error
    except TextError as error:
        why = f"“{loaded.listing.key}” cannot read this: {error}."
        raise RefusedError(why) from error


def _unknown(error: UnknownCharacterError, model: str) -> str:
    """Which characters the model cannot read, in words for the writer."""
    names = (
        c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in error.characters
    )
    listed = " ".join(list(names)[:20])
    return f"“{model}” never saw {listed}: write it without, or pick another model."
