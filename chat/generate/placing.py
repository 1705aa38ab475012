"""Where memory and note stand among the ids of a story (`chat.story.context`)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chat.story import Context, Passage, Story
from chat.story.tree import ids_of
from gpt.text.prompt import Keep, window_of
from gpt.text.straight import encode_straight
from gpt.tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class Prompt:
    """What a model is given: ids, and which of them stay in its window when it slides."""

    ids: list[int]
    keep: Keep = ()

    @property
    def memory(self) -> int:
        """Tokens of the memory, its line end included."""
        return max(0, sum(len(part) for part in self.keep if not part.start) - 1)

    @property
    def note(self) -> int:
        """Tokens of the note, its line end included."""
        return sum(len(part) for part in self.keep if part.start)

    @property
    def of_story(self) -> list[int]:
        """The ids but for those that stay."""
        rest = list(self.ids)
        for part in reversed(self.keep):
            del rest[part.start : part.stop]
        return rest

    def seen(self, window: int) -> list[int]:
        """What is read of it where the window has so many tokens."""
        return window_of(self.ids, window, self.keep)


def placed(story: Story, context: Context, model: str, tokenizer: Tokenizer) -> Prompt:
    """What `model` reads: what a story begins after, the memory, and the story with the note in it.

    Raises:
        UnknownCharacterError: The tokenizer never saw a character of the story.
    """
    if not context:
        return Prompt(story.prompt_ids(model, tokenizer))
    place = note_place(story.text, context.depth) if context.note else 0
    before, after = halves(story.path, place, tokenizer)
    memory, note = (
        encode_straight(on_lines(text), tokenizer) for text in (context.memory, context.note)
    )
    ids = [tokenizer.bos_id, *memory, *ids_of(before, model, tokenizer)]
    first, at = range(1 + len(memory)), range(len(ids), len(ids) + len(note))
    keep = (*([first] if memory else []), *([at] if note else []))
    return Prompt([*ids, *note, *ids_of(after, model, tokenizer)], keep)


def on_lines(text: str) -> str:
    """A text as it stands beside a story: a line end parts it from what follows."""
    return text + "\n" if text else ""


def note_place(text: str, depth: int) -> int:
    """Where the last `depth` paragraphs of a story begin: the place in its text for a note.

    A paragraph is a line with something on it. A story with fewer of them has the note before it.
    """
    place = len(text)
    for _ in range(depth):
        end = place
        while end and text[end - 1].isspace():
            end -= 1
        place = text.rfind("\n", 0, end) + 1
        if not place:
            break
    return place


def halves(
    passages: Sequence[Passage], place: int, tokenizer: Tokenizer
) -> tuple[list[Passage], list[Passage]]:
    """The passages before and after a place in their text; one that it goes through becomes two.

    Their ids are parted there. Where a token goes across it, they have none, and a model that reads
    them encodes them anew.
    """
    for index, passage in enumerate(passages):
        if place < len(passage.text):
            if not place:
                return [*passages[:index]], [*passages[index:]]
            one, other = _parted(passage, place, tokenizer)
            return [*passages[:index], one], [other, *passages[index + 1 :]]
        place -= len(passage.text)
    return [*passages], []


def _parted(passage: Passage, place: int, tokenizer: Tokenizer) -> tuple[Passage, Passage]:
    count = length = 0
    decoder = tokenizer.decoder()
    if all(0 <= id < tokenizer.vocab_size for id in passage.ids):
        while length < place and count < len(passage.ids):
            length += len(decoder.decode(passage.ids[count]))
            count += 1
    ids = (passage.ids[:count], passage.ids[count:]) if length == place else ((), ())
    texts = (passage.text[:place], passage.text[place:])
    one, other = (
        replace(passage, text=text, ids=own, tokens=())
        for text, own in zip(texts, ids, strict=True)
    )
    return one, other
