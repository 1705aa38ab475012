"""`GenerationRequest` (what the page asks for) → `ResolvedRequest` (what the engines get).

The class `Writer` is a model; "the writer" in text and `author == "writer"` are the person.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from chat import settings
from chat.errors import RefusedError
from chat.generate.placing import Prompt
from chat.generate.prompt import in_its_marks, off_the_loop, prompt_of, with_words
from chat.generate.request import LAST, TAKES, GenerationRequest, Variant
from chat.models import Listing
from chat.models.engines import Lease, Loaded
from chat.models.remote.dialects import NEEDED, possible
from chat.story import Context, Passage, Story
from chat.story.editing import fork
from chat.story.joining import strip_trailing_spaces
from gpt.sampling import LIMITS, SamplingParams
from gpt.text.sentences import FINISH_CHARS, ends_sentence
from gpt.tokenizers.pieces import whole_characters

DRAWN_SEEDS = 2**32
"""A seed that nobody chose is drawn below this: short enough to be copied by hand."""
CORE_S = 5.0
"""Seconds to wait for the core that wrote a passage, which is on its way after a start."""
NO_MODEL = "There is no model yet. Train one: python -m train.pretrain --help"


@dataclass(frozen=True, kw_only=True, slots=True)
class Writer:
    """A model that will write (no person), and its input, `prompt`: one engine request of
    `params.n` takes, of which take i has seed + i."""

    loaded: Loaded
    params: SamplingParams
    prompt: Prompt
    context: Context = field(default_factory=Context)
    """What of the prompt stands beside the story."""
    label: str = ""
    left_out: tuple[str, ...] = ()
    """Settings that were wanted, and that its engine cannot do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolvedRequest:
    """A request with models loaded, settings merged, seeds drawn and prompts encoded.

    Attributes:
        before: The story as it was when this was asked.
        story: The story up to where the model begins, the writer's new words included.
        writers: The models that write: one, or one for each of `request.variants`.
        notes: Sentences to show the writer.
    """

    request: GenerationRequest
    before: Story
    story: Story
    writers: tuple[Writer, ...]
    notes: tuple[str, ...]

    @property
    def loaded(self) -> Loaded:
        """The model that the story's tokens are counted by."""
        return self.writers[0].loaded

    def new_marks(self, told: set[tuple[str, str]]) -> list[str]:
        """How the models read marks of the story that they do not know, where it was not said yet.

        Args:
            told: Stories and models of which it was; those it is said of now are added.
        """
        notes: list[str] = []
        # In a blind contest it would tell who writes.
        for writer in self.writers if self.request.contest != "blind" else ():
            key = (self.story.id, writer.loaded.listing.key)
            note = "" if key in told else in_its_marks(self.story, writer.loaded)
            if note:
                told.add(key)
                notes.append(note)
        return notes


async def resolve_request(
    request: GenerationRequest,
    story: Story,
    *,
    models: Mapping[str, Listing],
    values: Mapping[str, settings.Value],
    engines: Lease,
) -> ResolvedRequest:
    """Load the models, merge the settings, draw the seed, encode the prompt; change nothing yet.

    Args:
        models: All that may write, by key.
        values: The settings of the chat, a layer above the model's own.
        engines: A lease, kept open until the request is queued, so that no model is unloaded.

    Raises:
        RefusedError, SettingsError, StoryError: The request cannot be met.
        CheckpointError: A model cannot be read.
    """
    if request.fork is not None:
        # The token is one of the vocabulary of whoever wrote there.
        request = replace(request, model=story.passage(request.fork.passage).model or request.model)
    before, key = story, request.model
    _check(request, models)
    inline, words = settings.directive(whole_characters(request.words))
    words, stripped = strip_trailing_spaces(words)
    if request.retry is not None:
        story = story.at(_to_retry(story, request.retry).parent)
    variants = request.variants or (Variant(label=""),)
    loaded = [await engines.get(models[variant.model or key or ""]) for variant in variants]
    for each in loaded:
        if request.core not in (None, each.engine.core.name):
            await each.engine.settled(CORE_S)
        if request.again and not each.takes_seeds:
            raise RefusedError(
                f"“{each.listing.key}” runs on a server that takes no seed: what it wrote cannot "
                "come again. Retry writes another."
            )
    if request.fork is not None:
        asked = request.fork
        _learn(loaded[0], story.passage(asked.passage))
        story = fork(story, asked.passage, asked.at, asked.token, loaded[0].tokenizer)
    begun = story
    story = await off_the_loop(lambda: with_words(begun, words, loaded[0], whole=stripped))
    if request.sentence and ends_sentence(story.text):
        raise RefusedError("The sentence is finished. Continue writes the next one.")

    def layers(each: Loaded) -> tuple[Mapping[str, settings.Value], ...]:
        return each.listing.own, values, request.settings, inline

    seeded = "seed" in inline or "seed" in request.settings
    writers: list[Writer] = []
    for variant, each in zip(variants, loaded, strict=True):
        wanted = (*layers(each), variant.settings)
        writer = await off_the_loop(
            partial(_writer, request, story, each, wanted, label=variant.label)
        )
        # All variants have one seed, so that only what is compared differs.
        seed = writers[0].params.seed if writers else _seed(writer, story, chosen=seeded)
        writers.append(replace(writer, params=replace(writer.params, seed=seed)))
    params = writers[0].params
    other = request.retry and not request.again and not request.variants
    if params.temperature == 0 and other and _same(writers[0], story):
        raise RefusedError(
            "At temperature 0 the model always writes the same: raise it for another version."
        )
    notes = [_left_out(each) for each in writers if each.left_out]
    if stripped and words:
        notes.append("A space at the end was left out: the next word brings its own.")
    if params.temperature == 0 and request.takes > 1:
        notes.append("At temperature 0 all versions would be the same, so one is written.")
    return ResolvedRequest(
        request=request, before=before, story=story, writers=tuple(writers), notes=tuple(notes)
    )


def _left_out(writer: Writer) -> str:
    labels = ", ".join((settings.LABELS | NEEDED)[name] for name in writer.left_out)
    key = writer.loaded.listing.key
    return f"“{key}” runs on a server that cannot do this, so it is off: {labels}."


def _learn(loaded: Loaded, passage: Passage) -> None:
    """Have the tokenizer of a model on a server know the tokens of a passage, which another process
    may have met."""
    if loaded.listing.remote is not None:
        for token in passage.tokens:
            for text in (token.text, *(each.text for each in token.top)):
                loaded.listing.remote.tokenizer.id_of(text)


def opening(request: GenerationRequest, models: Mapping[str, Listing]) -> str:
    """The status line while the models are loaded."""
    keys = dict.fromkeys(key or "" for key in _models(request))
    coming = [key for key in keys if key in models and models[key].hub is not None]
    if coming:
        return f"downloading {' and '.join(coming)} from the Hub, this once"
    return "opening the model"


def _models(request: GenerationRequest) -> tuple[str | None, ...]:
    """The keys of all that shall write, the request's own first; None for whoever wrote last."""
    return (request.model, *(variant.model for variant in request.variants))


def _check(request: GenerationRequest, models: Mapping[str, Listing]) -> None:
    if request.model is None or not models:
        raise RefusedError(NO_MODEL)
    for key in _models(request):
        if key is not None and key not in models:
            raise RefusedError(f"There is no model “{key[:60]}” any more: pick another one.")
    if len(request.variants) > TAKES[-1]:
        raise RefusedError(f"Not so many versions can be written at once: {LIMITS['n'].range}.")


def _writer(
    request: GenerationRequest,
    story: Story,
    loaded: Loaded,
    layers: tuple[Mapping[str, settings.Value], ...],
    *,
    label: str,
) -> Writer:
    """What one model is given; the seed is still what the settings say, maybe None."""
    is_character = loaded.tokenizer.kind == "char"
    params = settings.sampling_params(*layers, character_model=is_character)
    # The tokens that a model wrote are its own, wherever they end; those of a server are not known.
    last = story.last
    breaks_off = last is not None and last.author != "model" and not last.whole
    heals = breaks_off and not is_character and loaded.listing.remote is None
    # Who goes on after the end does not want to read that it has ended.
    least = 1 if story.ended else 0
    params = replace(params, heal=params.heal and heals, min_new_tokens=least)
    left_out: list[str] = []
    if loaded.listing.remote is not None:
        params, left_out = possible(params, loaded.listing.remote.dialect)
    if request.sentence:
        # A token, and on from there to the end of its sentence.
        room = params.finish_chars or FINISH_CHARS
        params = replace(params, max_new_tokens=1, finish_chars=room)
    context = request.context or Context()
    prompt = prompt_of(story, loaded, context)
    takes = 1 if request.variants else request.takes
    return Writer(
        loaded=loaded,
        params=replace(params, n=takes),
        prompt=prompt,
        context=context,
        label=label,
        left_out=tuple(left_out),
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


def _seed(writer: Writer, story: Story, *, chosen: bool) -> int:
    """Draw a seed where nobody chose one. Where one is set for the whole chat, take the next ones
    that did not write here yet: the same again would be no other take.

    Args:
        chosen: The seed was given for just this message, and stays.
    """
    params = writer.params
    if params.seed is None:
        return secrets.randbelow(DRAWN_SEEDS)
    # Older versions forgot that a word was whole, so what is `BY_STORY` may differ.
    taken = {each.seed for each in _same(writer, story, but=settings.BY_STORY)}
    while not chosen and taken & {take.seed for take in params.takes()}:
        params = replace(params, seed=((params.seed or 0) + 1) % 2**63)
    return params.seed or 0


def _same(writer: Writer, story: Story, *, but: tuple[str, ...] = ()) -> list[Passage]:
    """What this model wrote here already with these settings, whatever the seed and those `but`."""

    def compared(values: Mapping[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in settings.as_made(values).items() if k not in but}

    key, used = writer.loaded.listing.key, compared(settings.used(writer.params))
    return [
        each
        for each in story.following
        if each.model == key
        and compared(each.settings) == used
        and (each.context or Context()) == writer.context
    ]
