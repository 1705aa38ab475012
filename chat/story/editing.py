"""What a writer does to words that stand there already. The old ones stay, as an alternative."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from chat.story.authors import rewritten
from chat.story.passage import Passage, StoryError, new_id, now_s
from chat.story.tokens import StoryToken
from chat.story.tree import Story
from gpt.tokenizers import Tokenizer


def edit(story: Story, passage_id: str, text: str, *, rest: bool = True) -> Story:
    """Put `text` in the place of a passage, and read on as before.

    The passage itself stays, an alternative with all that came after it. The words after it are
    kept too: the path that was read on from it is copied behind the new text, word for word and
    token for token, marked as `moved` where a model wrote it. (A writer who mends a word early in
    a story does not want to lose the rest; one who wants the rest written anew branches.) No seed
    brings the words, and a model that reads on encodes them itself; who wrote which of them:
    `chat.story.authors`. An empty text takes the passage out.

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
        story = story.append(rewritten(old, text))
    return append_copies(story, after) if rest else story


def cut(story: Story, passage_id: str, length: int) -> Story:
    """Read only the first `length` tokens of what a model wrote; the whole stays beside it.

    What is kept is the model's own: the same ids, tokens and seed, so it goes on from them as it
    would have. Tokens at the cut that hold no whole character yet go as well.

    Raises:
        StoryError: There is no such passage, it has fewer tokens, or its tokens are not
            what its text is made of.
    """
    whole = _to_cut(story, passage_id, length)
    tokens = list(whole.tokens[:length])
    while tokens and not tokens[-1].text:
        tokens.pop()
    return _beside(story, whole, _with_tokens(whole, tokens)) if tokens else story.at(whole.parent)


def fork(story: Story, passage_id: str, at: int, token_id: int, tokenizer: Tokenizer) -> Story:
    """Read a passage up to token `at`, and there another token that might have been drawn.

    The whole passage stays beside it. What is kept is the model's own, and the other token brings
    the chances it had. No seed writes these words, so the passage has none. The token that stands
    there already is no other: then it is a `cut` after it.

    Args:
        token_id: One of the likeliest that the token `at` was drawn among.
        tokenizer: Of the model that wrote the passage.

    Raises:
        StoryError: As `cut`; or it is not among the likeliest, it ends the story, or it brings no
            whole character.
    """
    whole = _to_cut(story, passage_id, at, at + 1)
    old = whole.tokens[at]
    if token_id == old.id:
        return cut(story, passage_id, at + 1)
    choice = next((each for each in old.top if each.id == token_id), None)
    if choice is None:
        raise StoryError("That token is not among the likeliest here: pick one of those shown.")
    if token_id in tokenizer.end_ids:
        raise StoryError("That token ends the story, so nothing could follow it.")
    kept = whole.tokens[:at]
    before, ids = "".join(token.text for token in kept), [*(token.id for token in kept), token_id]
    decoder = tokenizer.decoder()
    # Neither may bytes be left over, nor the words before come out other than they stand there.
    text = "".join([decoder.decode(id) for id in ids])
    if decoder.flush() or len(text) == len(before) or not text.startswith(before):
        raise StoryError(
            "That token is only a part of a character, which nothing would finish: pick another."
        )
    other = replace(
        old,
        id=token_id,
        text=text[len(before) :],
        raw_probability=choice.raw_probability,
        probability=choice.probability,
    )
    return _beside(story, whole, replace(_with_tokens(whole, [*kept, other]), seed=None))


def _to_cut(story: Story, passage_id: str, *lengths: int) -> Passage:
    """The passage, if it can be cut after each of `lengths` tokens; else StoryError."""
    whole = story.passage(passage_id)
    count = len(whole.tokens)
    if outside := [length for length in lengths if not 0 <= length <= count]:
        raise StoryError(f"the passage has {count} tokens: it has no place {outside[0]}")
    if whole.author != "edited" and whole.ids != tuple(token.id for token in whole.tokens):
        raise StoryError("the passage was shortened by a stop string: it cannot be cut at a token")
    return whole


def _with_tokens(whole: Passage, tokens: Sequence[StoryToken]) -> Passage:
    """What is left of a passage that was cut."""
    return replace(
        whole,
        id=new_id(),
        author="model",
        text="".join(token.text for token in tokens),
        runs=(),
        ids=tuple(token.id for token in tokens),
        tokens=tuple(tokens),
        finish_reason="cut",
        elapsed_s=None,
        written_s=now_s(),
    )


def _beside(story: Story, whole: Passage, kept: Passage) -> Story:
    """Read `kept` in the place of `whole`; where the same words stand there already, those."""
    there = next((each for each in story.alternatives(whole.id) if _same_words(each, kept)), None)
    return story.at(there.id) if there else story.at(whole.parent).append(kept)


def _same_words(one: Passage, other: Passage) -> bool:
    """Whether they can stand for each other: a story that ended cannot be gone on with."""
    return (one.ids, one.model, one.text) == (other.ids, other.model, other.text) and (
        one.finish_reason != "end"
    )


def append_copies(story: Story, passages: Iterable[Passage]) -> Story:
    """The story with copies of `passages` at its end, all at once: there may be thousands. What a
    model wrote is `moved`."""
    copies: list[Passage] = []
    parent = story.current
    for passage in passages:
        moved = passage.moved or passage.author == "model" or bool(passage.tokens)
        copies.append(replace(passage, id=new_id(), parent=parent, moved=moved))
        parent = copies[-1].id
    return replace(story, passages=(*story.passages, *copies)).at(parent) if copies else story
