"""Two write the same story on, side by side, and the writer chooses: names in sight, or blind.

While a blind contest waits for its vote, the two passages are no part of the session's story: so
nothing that reads the story (the page, a query, an export, the meter) can tell who wrote which.
They are in what the library keeps, and join the story with the vote, or with whatever else the
writer does.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from chat import settings
from chat.compare.vote_stats import VoteChoice
from chat.compare.votes import Side, Vote, differing, named
from chat.errors import RefusedError
from chat.generate.request import OTHER_PAGE, GenerationRequest, Variant
from chat.generate.resolve import ResolvedRequest, Writer
from chat.generate.takes import Takes
from chat.models import Listing
from chat.story import Passage, Story
from gpt.checkpoint import weight_files
from gpt.files import opened
from gpt.files.strict_json import is_list, is_object

LETTERS = ("A", "B")
CHOOSE_FIRST = (
    "Choose first: is A better, or B? Or take the round back with Undo; then it does not count."
)
NOTHING_TO_CHOOSE = "There is nothing to vote on: this round is over."
PROMPT_CHARACTERS = 200
"""How much of the story before is kept with a vote, in characters."""
FINGERPRINT_DIGITS = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Contest:
    """Two takes that are compared.

    Attributes:
        story: The story up to where both begin.
        names: What tells them apart, in the order they are shown.
        writers: Who writes, in that order; none where it was kept and comes back.
        fingerprints: Of both models' weights.
        blind: The names are hidden until a choice was made.
        passages: What they wrote, once both are done; none where the names are in sight.
        said: The outcome, in words.
    """

    story: Story
    names: tuple[str, str]
    writers: tuple[Writer, ...] = ()
    fingerprints: tuple[str, str]
    blind: bool
    passages: tuple[Passage, ...] = ()
    said: str = ""

    @property
    def waits(self) -> bool:
        """Whether both are there to be voted on."""
        return self.blind and len(self.passages) == 2 and not self.said

    def cards(self) -> list[dict[str, Any]]:
        """Both as they are shown while they wait."""
        return curtain({each.id: each.text for each in self.passages})

    def done(self, takes: Takes) -> "Contest":
        """The contest with what was written: a blind one waits, if both came to an end."""
        passages = takes.passages("stopped")
        if not self.blind:
            return self
        if len(passages) < 2 or any(each.finish_reason is None for each in takes.drafts):
            return replace(self, said="It ended before both were done, so there is no vote.")
        return replace(self, passages=tuple(passages))

    def named(self, choice: Mapping[str, str]) -> dict[str, str]:
        """Labels of takes with the names in place of the letters."""
        by_letter: dict[str, str] = dict(zip(LETTERS, self.names, strict=True))
        return {id: by_letter.get(label, label) for id, label in choice.items()}

    def data(self) -> dict[str, Any]:
        """As the page shows it; JSON."""
        return {"blind": self.blind, "waits": self.waits, "said": self.said}

    def kept(self) -> dict[str, Any]:
        """What brings it back where it waits, beside the story that both are in; see `resumed`."""
        ids = [each.id for each in self.passages]
        return {"passages": ids, "names": self.names, "fingerprints": self.fingerprints}

    def joined_story(self, choice: VoteChoice | None = None) -> Story:
        """The story with both, and the chosen one read; the first where none is better."""
        story = self.story
        for passage in self.passages:
            story = story.at(self.story.current).append(passage)
        return story.at(self.passages[1 if choice == "b" else 0].id)

    def outcome(self, choice: VoteChoice | None) -> str:
        """Who was who."""
        who = f"A was {self.names[0]}, and B was {self.names[1]}."
        chose = {"a": "You chose A.", "b": "You chose B.", "tie": "No difference, you say."}
        return f"{who} {chose[choice] if choice else 'No vote: it does not count.'}"

    def vote(self, choice: VoteChoice) -> Vote:
        """The choice, as it is kept."""
        a, b = (
            Side(
                model=each.model or "",
                fingerprint=fingerprint,
                settings=dict(each.settings),
                text=each.text,
            )
            for each, fingerprint in zip(self.passages, self.fingerprints, strict=True)
        )
        prompt, seed = self.story.text[-PROMPT_CHARACTERS:], self.passages[0].seed or 0
        return Vote(a=a, b=b, choice=choice, prompt=prompt, seed=seed, voted_s=time.time())


def contest_from_page(data: Mapping[str, object], model: str | None) -> GenerationRequest:
    """The request to compare that a page sends; untrusted.

    Args:
        data: `contestants`: two of {model, settings}; `blind`; `words` to come first, if any.

    Raises:
        RefusedError: It is no such request.
        SettingsError: A setting that cannot be used.
    """
    blind, words = data.get("blind", False), data.get("words", "")
    both = data.get("contestants")
    if (
        is_list(both)
        and len(both) == 2
        and all(map(is_object, both))
        and isinstance(blind, bool)
        and isinstance(words, str)
    ):
        variants = (_variant(both[0]), _variant(both[1]))
        return GenerationRequest(
            words=words, model=model, variants=variants, contest="blind" if blind else "open"
        )
    raise RefusedError(OTHER_PAGE)


def _variant(data: Mapping[str, object]) -> Variant:
    match data:
        case {"model": str(model), "settings": raw} if is_object(raw):
            if "seed" in raw:
                raise RefusedError(
                    "Both roll the same dice, so none has a seed of its own: set it for the chat."
                )
            return Variant(label="", model=model, settings=settings.layer(raw))
        case _:
            raise RefusedError(OTHER_PAGE)


async def introduce(resolved: ResolvedRequest) -> tuple[ResolvedRequest, Contest | None]:
    """Name those who write in a contest by what differs; in a blind one shuffle them, A and B.

    Raises:
        RefusedError: Nothing differs.
    """
    if resolved.request.contest is None:
        return resolved, None
    blind, writers = resolved.request.contest == "blind", list(resolved.writers)
    if blind and secrets.randbelow(2):
        writers.reverse()
    one, other = names(writers)
    if one == other:
        raise RefusedError(
            "Both would write the same: choose another model for one, or other settings."
        )
    prints = [await asyncio.to_thread(_fingerprint, writer.loaded.listing) for writer in writers]
    labels = LETTERS if blind else (one, other)
    resolved = replace(
        resolved,
        writers=tuple(
            replace(each, label=label) for each, label in zip(writers, labels, strict=True)
        ),
    )
    return resolved, Contest(
        story=resolved.story,
        names=(one, other),
        writers=(writers[0], writers[1]),
        fingerprints=(prints[0], prints[1]),
        blind=blind,
    )


def resumed(story: Story, kept: Mapping[str, object] | None) -> Contest | None:
    """The blind contest that waited for its vote when a story was kept: both passages are taken out
    of the story again, that nobody can read who wrote which.

    Args:
        kept: What `Contest.kept` gave.

    Returns:
        None where nothing waited, or another window has gone on from one of them since.
    """
    match kept:
        case {
            "passages": [str(a), str(b)],
            "names": [str(one), str(other)],
            "fingerprints": [str(mine), str(others)],
        } if {a, b} <= story.by_id.keys() and not {a, b} & {p.parent for p in story.passages}:
            passages = (story.passage(a), story.passage(b))
            before = story.at(passages[0].parent)
            rest = tuple(each for each in story.passages if each not in passages)
            return Contest(
                story=replace(before, passages=rest),
                names=(one, other),
                fingerprints=(mine, others),
                blind=True,
                passages=passages,
            )
        case _:
            return None


def names(writers: Sequence[Writer]) -> tuple[str, str]:
    """What tells two writers apart: model, settings, or both; the same where nothing does."""
    one, other = (each.loaded.listing.key for each in writers)
    used = [settings.used(each.params) for each in writers]
    mine, others = (
        named(differing(*each, same_model=one == other)) for each in (used, reversed(used))
    )
    if one == other and mine:
        return " · ".join(mine), " · ".join(others)
    return " · ".join([one, *mine]), " · ".join([other, *others])


def ends_contest(request: Mapping[str, object]) -> bool:
    """Whether an act is about a contest alone: a vote, or to show the names without one."""
    return request.get("act") in ("vote", "reveal")


def choice_of(request: Mapping[str, object]) -> VoteChoice | None:
    """The vote in an act; None in any other.

    Raises:
        RefusedError: It is a vote for nobody.
    """
    if request.get("act") != "vote":
        return None
    choices: dict[object, VoteChoice] = {"a": "a", "b": "b", "tie": "tie"}
    choice = choices.get(str(request.get("choice")))
    if choice is None:
        raise RefusedError(OTHER_PAGE)
    return choice


def curtain(texts: Mapping[str, str]) -> list[dict[str, Any]]:
    """Takes as the page shows them while nobody may know who wrote which.

    Each is one piece: the pieces of a text would tell its model's tokenizer.

    Args:
        texts: The words of each, by id.
    """
    return [
        {
            "id": id,
            "place": 1,
            "places": 1,
            "author": "model",
            "tokens": [text] if text else [],
            "facts": None,
            "finish": None,
            "label": letter,
        }
        for letter, (id, text) in zip(LETTERS, texts.items(), strict=True)
    ]


def _fingerprint(listing: Listing) -> str:
    if listing.remote is not None:  # its weights are out of reach: its name tells it from others
        return hashlib.sha256(listing.key.encode()).hexdigest()[:FINGERPRINT_DIGITS]
    return _digest(listing.folder, listing.version)


@lru_cache(maxsize=64)
def _digest(folder: Path, version: int) -> str:
    """Of the weights, the first file of several, as they were at `version`; read once."""
    with opened(folder, weight_files(folder)[0], most=1 << 40) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:FINGERPRINT_DIGITS]
