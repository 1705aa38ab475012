"""What is asked of a model, and everything that is settled before it writes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from chat import settings
from chat.engines import Engines, Loaded
from chat.joining import joint, strip_trailing_spaces
from chat.models import Listing
from chat.sentences import ends_sentence
from chat.story import Passage, Story
from gpt.sampling import LIMITS, SamplingParams
from gpt.tokenizer import UnknownCharacterError
from gpt.tokenizer_pieces import whole_characters

DRAWN_SEEDS = 2**32
"""A seed that nobody chose is drawn below this: short enough to be copied by hand."""
FINISH_TOKENS = {"char": 240}
FINISH_TOKENS_OF_WORDS = 48
"""A sentence that is to be finished may take so many more tokens, in characters or in pieces."""
TAKES = range(1, int(LIMITS["n"].high or 1) + 1)
LAST = "last"
OTHER_PAGE = "This page asks for what this version does not know: reload it."
NO_MODEL = "There is no model yet. Train one: python -m train.pretrain --help"


class RefusedError(Exception):
    """The wish cannot be met; the message says why and what would do. The story stays as it was."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A wish for words.

    Attributes:
        words: The writer's own, which come first; none to just go on.
        model: Who shall write; None for whoever wrote last.
        retry: The passage to write another alternative of, or LAST: the last one a model wrote.
        takes: So many alternatives at once.
        sentence: Go on to the end of the sentence only.
    """

    words: str = ""
    model: str | None = None
    retry: str | None = None
    takes: int = 1
    sentence: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Everything that is settled before the model writes.

    Attributes:
        before: The story as it was when this was asked.
        story: The story up to where the model begins, the writer's new words included.
        notes: What the writer should hear of it.
    """

    ask: Ask
    before: Story
    story: Story
    loaded: Loaded
    params: SamplingParams
    prompt: list[int]
    notes: tuple[str, ...]


def from_page(data: Mapping[str, object], model: str | None) -> Ask:
    """The wish that a button of the page sends; untrusted.

    Args:
        data: `ask` is "continue", "retry" or "finish"; `passage`, `takes`: see `Ask`.

    Raises:
        RefusedError: It is no wish, or for too many takes.
    """
    takes, passage = data.get("takes", 1), data.get("passage", LAST)
    if not isinstance(takes, int) or takes not in TAKES:
        raise RefusedError(f"Not so many takes can be written at once: {LIMITS['n'].range}.")
    match data.get("ask"):
        case "retry":
            return Ask(retry=str(passage), takes=takes, model=model)
        case "finish":
            return Ask(sentence=True, model=model)
        case "continue":
            return Ask(takes=takes, model=model)
    raise RefusedError(OTHER_PAGE)


async def settle(
    ask: Ask,
    story: Story,
    *,
    models: Mapping[str, Listing],
    values: Mapping[str, float | int | None],
    engines: Engines,
) -> Turn:
    """Settle story, model, settings and prompt, changing nothing yet.

    Args:
        values: The settings of the chat.

    Raises:
        RefusedError, SettingsError, StoryError: The wish cannot be met.
        CheckpointError: The model cannot be read.
        UnknownCharacterError: The model never saw a character of the story.
    """
    before, key = story, ask.model
    if key is None or not models:
        raise RefusedError(NO_MODEL)
    if key not in models:
        raise RefusedError(f"There is no model “{key[:60]}” any more: pick another one.")
    wish, words = settings.directive(whole_characters(ask.words))
    words, stripped = strip_trailing_spaces(words)
    if ask.retry is not None:
        story = story.at(_to_retry(story, ask.retry).parent)
    loaded = await engines.get(models[key])
    tokenizer = loaded.checkpoint.tokenizer
    params = settings.resolve(values, wish, character_model=tokenizer.kind == "char")
    if words:
        text = joint(story.text, words, ended=story.ended) + words
        ids = tuple(tokenizer.encode(text))
        story = story.append(Passage(author="writer", text=text, ids=ids, model=key))
    elif story.ended:
        raise RefusedError("The story has ended. Write on yourself, or begin a new one.")
    if ask.sentence:
        if ends_sentence(story.text):
            raise RefusedError("The sentence is finished. Continue writes the next one.")
        length = FINISH_TOKENS.get(tokenizer.kind, FINISH_TOKENS_OF_WORDS)
        params = replace(params, max_new_tokens=length)
    params = _with_seed(replace(params, n=ask.takes), story, key, chosen="seed" in wish)
    if params.temperature == 0 and ask.retry and _same(params, story, key):
        raise RefusedError(
            "At temperature 0 the model always writes the same: raise it for another take."
        )
    notes = []
    if stripped and words:
        notes.append("A space at the end was left out: the next word brings its own.")
    if params.temperature == 0 and ask.takes > 1:
        notes.append("At temperature 0 all takes would be the same, so one is written.")
    return Turn(
        ask=ask,
        before=before,
        story=story,
        loaded=loaded,
        params=params,
        prompt=story.prompt_ids(key, tokenizer.encode, tokenizer.eos_id),
        notes=tuple(notes),
    )


def _to_retry(story: Story, passage_id: str) -> Passage:
    if passage_id == LAST:
        written = [each for each in story.path if each.author != "writer"]
        if not written:
            raise RefusedError("The model has written nothing yet that could be tried again.")
        return written[-1]
    passage = story.passage(passage_id)
    if passage.author == "writer":
        raise RefusedError("These words are your own: edit them, or retry what follows.")
    return passage


def _with_seed(params: SamplingParams, story: Story, key: str, *, chosen: bool) -> SamplingParams:
    """Draw a seed where nobody chose one. Where one is set for the whole chat, take the next ones
    that did not write here yet: the same again would be no other take.

    Args:
        chosen: The seed was given for just this message, and stays.
    """
    if params.seed is None:
        return replace(params, seed=secrets.randbelow(DRAWN_SEEDS))
    taken = {each.seed for each in _same(params, story, key)}
    while not chosen and taken & {take.seed for take in params.takes()}:
        params = replace(params, seed=((params.seed or 0) + 1) % 2**63)
    return params


def _same(params: SamplingParams, story: Story, key: str) -> list[Passage]:
    """What this model wrote here already with these settings, whatever the seed."""
    used = settings.used(params)
    return [each for each in story.following if each.model == key and dict(each.settings) == used]


def unknown(error: UnknownCharacterError, model: str) -> str:
    """Which characters the model cannot read, in words for the writer."""
    names = (
        c if c.isprintable() and not c.isspace() else f"U+{ord(c):04X}" for c in error.characters
    )
    listed = " ".join(list(names)[:20])
    return f"“{model}” never saw {listed}: write it without, or pick another model."
