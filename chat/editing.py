"""What a writer does to words that stand there already. The old ones stay, as an alternative."""

from collections.abc import Iterable
from dataclasses import replace

from chat.story import Passage, Story, StoryError, new_id


def edit(story: Story, passage_id: str, text: str, *, rest: bool = True) -> Story:
    """Put `text` in the place of a passage, and read on as before.

    The passage itself stays, an alternative with all that came after it. The words after it are
    kept too: the path that was read on from it is copied behind the new text, word for word and
    token for token, marked as `moved` where a model wrote it. (A writer who mends a word early in
    a story does not want to lose the rest; one who wants the rest written anew branches.) The
    words are the model's no longer, so they bring no tokens and no seed; a model that reads on
    encodes them itself. An empty text takes the passage out.

    Args:
        rest: Read on. Else the story ends with the new text, to be gone on with from there.

    Raises:
        StoryError: There is no such passage.
    """
    story = story.choose(passage_id)
    old = story.passage(passage_id)
    if text == old.text:
        return story if rest else story.at(passage_id)
    after = story.path[len(story.way_to(passage_id)) :]
    story = story.at(old.parent)
    if text:
        author = "writer" if old.author == "writer" else "edited"
        story = story.append(Passage(author=author, text=text))
    return _append_copies(story, after) if rest else story


def cut(story: Story, passage_id: str, length: int) -> Story:
    """Read only the first `length` tokens of what a model wrote; the whole stays beside it.

    What is kept is the model's own: the same ids, tokens and seed, so it goes on from them as it
    would have. Tokens at the cut that hold no whole character yet go as well.

    Raises:
        StoryError: There is no such passage, it has not so many tokens, or its tokens are not
            what its text is made of.
    """
    whole = story.passage(passage_id)
    if not 0 <= length <= len(whole.tokens):
        raise StoryError(f"the passage has {len(whole.tokens)} tokens: it has no place {length}")
    if whole.ids != tuple(token.id for token in whole.tokens):
        raise StoryError("the passage was shortened by a stop string: it cannot be cut at a token")
    tokens = list(whole.tokens[:length])
    while tokens and not tokens[-1].text:
        tokens.pop()
    if not tokens:
        return story.at(whole.parent)
    kept = replace(
        whole,
        id=new_id(),
        text="".join(token.text for token in tokens),
        ids=tuple(token.id for token in tokens),
        tokens=tuple(tokens),
        finish_reason="cut",
        elapsed_s=None,
    )
    there = next((each for each in story.alternatives(whole.id) if _same_words(each, kept)), None)
    return story.at(there.id) if there else story.at(whole.parent).append(kept)


def _same_words(one: Passage, other: Passage) -> bool:
    """Whether they can stand for each other: a story that ended cannot be gone on with."""
    return (one.ids, one.model, one.text) == (other.ids, other.model, other.text) and (
        one.finish_reason != "end"
    )


def _append_copies(story: Story, passages: Iterable[Passage]) -> Story:
    for passage in passages:
        moved = passage.moved or passage.author == "model"
        story = story.append(replace(passage, id=new_id(), moved=moved))
    return story
