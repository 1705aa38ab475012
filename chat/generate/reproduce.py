"""Same again: a passage written once more, from the settings and the seed that made it."""

from chat import settings
from chat.errors import RefusedError
from chat.generate.request import LAST, GenerationRequest
from chat.story import OLDER_CORE, Context, Passage, Story

IN_PART = ("stopped", "failed", "cut")
"""Endings that came from outside: the model itself would have gone on."""


def again(story: Story, passage_id: str) -> GenerationRequest:
    """The request that writes a passage again, bit for bit.

    Args:
        passage_id: Or LAST, the last one that a model wrote on the path.

    Raises:
        RefusedError: It cannot come again; the message says why.
        StoryError: There is no such passage.
        SettingsError: A story from elsewhere has settings that cannot be used.
    """
    passage = _last(story) if passage_id == LAST else story.passage(passage_id)
    if passage.author == "writer":
        raise RefusedError("These words are your own: no dice were rolled for them.")
    if passage.author == "edited" or passage.seed is None or passage.model is None:
        raise RefusedError(
            "No seed brings these words again: they were changed by hand, or written by a server "
            "that takes none."
        )
    if passage.moved:
        raise RefusedError(
            "The words before this passage were changed since, and the model would read others "
            "now: its seed cannot bring it again."
        )
    made = settings.as_made(passage.settings)
    if settings.LABELS.keys() - {"seed"} - made.keys():
        raise RefusedError(
            "Some of the settings that made this passage are not kept with it, so its seed alone "
            "cannot bring it again."
        )
    return GenerationRequest(
        retry=passage.id,
        model=passage.model,
        settings=settings.layer({**made, "seed": passage.seed}),
        again=True,
        context=passage.context or Context(),
        core=passage.core or OLDER_CORE,
    )


def same(old: Passage, new: Passage) -> bool:
    """Whether it came again, bit for bit."""
    return (new.text, new.ids) == (old.text, old.ids)


def compared(old: Passage, new: Passage) -> str:
    """What came of it, in words for the writer."""
    if same(old, new):
        return "The same again, to the letter."
    if new.finish_reason in IN_PART and old.text.startswith(new.text):
        return "The same again, as far as it was written."
    if old.finish_reason in IN_PART and new.text.startswith(old.text):
        return "The same again, and on from where it was stopped."
    if new.core != (then := old.core or OLDER_CORE):
        return (
            f"This may differ: it was written with {then}, which is not here now, and this with "
            f"{new.core}. The old one is kept, see the arrows."
        )
    if " at " in (new.core or ""):
        return (
            f"This is not the same, though {new.core} was sent the same words, settings and seed: "
            "no server promises more. The old one is kept, see the arrows."
        )
    return (
        "This is not the same: the model was trained anew since, or a word of this passage was "
        "picked by hand. The old one is kept, see the arrows."
    )


def _last(story: Story) -> Passage:
    written = [each for each in story.path if each.author != "writer"]
    if not written:
        raise RefusedError("The model has written nothing yet that could come again.")
    return written[-1]
