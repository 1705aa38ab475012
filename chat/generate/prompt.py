"""What a model reads of a story: its ids, with the writer's new words at the end."""

import asyncio
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context as Variables
from functools import partial
from typing import TypeVar

from chat.errors import RefusedError
from chat.generate.placing import Prompt, placed
from chat.models.engines import Loaded
from chat.story import Context, Passage, Story
from chat.story.joining import joined_on
from gpt.text.straight import encode_straight, replaced
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
    timer = loop.call_later(LONGEST_S, _end, late, context=Variables())
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
    text = joined_on(story.text, words, ended=story.ended)
    ids = tuple(_read(loaded, lambda: encode_straight(text, loaded.tokenizer)))
    own = loaded.listing.key
    if replaced(text, loaded.tokenizer):
        ids = ()  # they would not say the text; it is encoded again wherever it is read
    words_of_writer = Passage(author="writer", text=text, ids=ids, model=own, whole=whole)
    return story.append(words_of_writer)


def prompt_of(story: Story, loaded: Loaded, context: Context) -> Prompt:
    """The story as ids of the model, with what it reads beside it.

    Raises:
        RefusedError: It does not know a character, or memory and note leave it less than half of
            its window for the story.
    """
    for text, what in ((context.memory, "memory"), (context.note, "note")):
        encode = partial(encode_straight, text, loaded.tokenizer)
        _read(loaded, encode, f" It stands in the {what}.")
    key, tokenizer = loaded.listing.key, loaded.tokenizer
    prompt = _read(loaded, lambda: placed(story, context, key, tokenizer))
    if prompt.memory + prompt.note > most_beside(loaded):
        raise RefusedError(_too_much(prompt, loaded))
    return prompt


def most_beside(loaded: Loaded) -> int:
    """How many tokens memory and note may have: the other half of the window is the story's, with
    the token that it begins after."""
    return max(0, loaded.window // 2 - 1)


def _too_much(prompt: Prompt, loaded: Loaded) -> str:
    about = "" if loaded.listing.remote is None else "about "
    return (
        f"Memory and author’s note have {about}{prompt.memory + prompt.note:,} tokens, and "
        f"“{loaded.listing.key}” reads {about}{loaded.window:,} at once: {most_beside(loaded):,} "
        "of them at most, so that half is left for the story. Shorten them, or pick a model that "
        "reads more."
    )


def _read(loaded: Loaded, read: Callable[[], T], where: str = "") -> T:
    try:
        return read()
    except UnknownCharacterError as error:
        raise RefusedError(_unknown(error, loaded.listing.key) + where) from error
    except TextError as error:
        why = f"“{loaded.listing.key}” cannot read this: {error}."
        raise RefusedError(why) from error


def _unknown(error: UnknownCharacterError, model: str) -> str:
    """Which characters the model cannot read, in words for the writer."""
    return f"{never_saw(error.characters, model)}: write it without, or pick another model."


def never_saw(characters: Iterable[str], model: str) -> str:
    """That a model does not know these, in words for the writer."""
    names = (c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in characters)
    return f"“{model}” never saw {' '.join(list(names)[:20])}"


def in_its_marks(story: Story, loaded: Loaded) -> str:
    """How the model reads marks that it does not know, in words for the writer; "" where it need
    not."""
    marks = replaced(story.text, loaded.tokenizer)
    if not marks:
        return ""
    read = ", ".join(
        f"{mark.strip() or 'a wide space'} as {plain.strip() or 'a space'}"
        for mark, plain in marks.items()
    )
    return (
        f"“{loaded.listing.key}” knows only a typewriter’s marks, so it reads {read}. The story "
        "keeps yours."
    )
