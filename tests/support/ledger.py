"""What a writer can count on: each word that stood on a page for two seconds, until they remove it.

The writer's words are told apart by being made up, no two the same (`Vocabulary`); a model's, by
the passage that they stand in. What stands is what was in each of the samples of two seconds.
"""

import json
import re
import sqlite3
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from chat.story.kept import Kept, kept_of
from chat.story.tree import Story

STOOD_S = 2.0
MODEL = "model"
LETTERS = 8
"""Of a word."""
SHORTEST = 3
"""Letters of a word that is being typed before it counts."""
LOOK = """() => ({
    story: /\\/thread\\/([^/]+)/.exec(location.pathname)?.[1] ?? 'new',
    passages: [...document.querySelectorAll('#story-text .passage')].map(each => [each.dataset.id,
        each.dataset.author, [...each.querySelectorAll('.part')].map(p => p.textContent).join('')]),
    line: document.getElementById('chat-input')?.value ?? '',
    edit: (document.querySelector('.edit-words')?.textContent ?? '').replace(/\\n$/, ''),
    noted: [...document.querySelectorAll('.passage:has(.edit-note)')].map(each => each.dataset.id),
    left: document.querySelectorAll('.story > div > .edit-note').length,
    busy: document.querySelector('.story[data-busy=true]') !== null,
    redo: document.querySelector('#story-redo:not([disabled])') !== null,
    drafts: Object.entries(localStorage).filter(([key]) => key.startsWith('inkling.draft.'))
        .map(([key, draft]) => [...key.split('.').slice(2), JSON.parse(draft)]),
})"""
"""What is on a page, as `View` reads it."""


class Vocabulary:
    """Words that nobody wrote before."""

    def __init__(self, draw: Random) -> None:
        syllables = [a + b for a in "bdfghjklmnprtvz" for b in "aeiou"]
        self._draw, self._syllables = draw, syllables
        self.made: set[str] = set()
        self._begun: set[str] = set()

    def word(self) -> str:
        while (word := "".join(self._draw.choices(self._syllables, k=LETTERS // 2))) in self.made:
            pass
        self.made.add(word)
        self._begun |= {word[:length] for length in range(SHORTEST, len(word) + 1)}
        return word

    def words_in(self, *texts: str) -> set[str]:
        """Those of ours in the texts, the one that is being typed as far as it came, and those that
        another grew together with, where what was typed next came elsewhere than it was meant."""
        found = {word for text in texts for word in re.findall("[a-z]+", text)}
        grown = (each for each in found - self._begun if len(each) > LETTERS)
        parts = {each[at : at + LETTERS] for each in grown for at in range(len(each))}
        return found & self._begun | parts & self.made


@dataclass(slots=True)
class Shown:
    """What can be had, of the writer's words and, by passage, of the models'."""

    words: set[str] = field(default_factory=set[str])
    passages: dict[str, str] = field(default_factory=dict[str, str])

    def __or__(self, other: "Shown") -> "Shown":
        return Shown(self.words | other.words, {**self.passages, **other.passages})

    def has(self, word: str) -> bool:
        return any(each.startswith(word) for each in self.words)

    def has_text(self, text: str) -> bool:
        """Whether a passage begins with it: an edit moves those behind it, under other ids."""
        return any(each.startswith(text) for each in self.passages.values())


def passages_on(look: Any) -> list[tuple[str, str, str]]:
    """Id, author and text of the passages: one is drawn once for each paragraph that it is in."""
    texts: dict[str, tuple[str, str]] = {}
    for id, author, text in look["passages"]:
        texts[id] = author, texts.get(id, ("", ""))[1] + text
    return [(id, author, text) for id, (author, text) in texts.items()]


def shown_on(look: Any, vocabulary: Vocabulary, others: bool = True) -> Shown:
    """What a page shows, by what `LOOK` gave: also behind the note of an edit that is not saved.

    Args:
        others: And the drafts of the browser's other stories, which come back with those.
    """
    passages = passages_on(look)
    ids = {id for id, _, _ in passages}
    texts = [look["line"], look["edit"]]
    texts += [text for _, author, text in passages if author != MODEL]
    for kind, story, id, draft in look["drafts"]:
        elsewhere = others and story != look["story"]
        noted = id in look["noted"] or (id not in ids and look["left"])
        offered = kind == "edit" and story == look["story"] and noted and not draft.get("sent")
        if offered or (elsewhere and kind != "sent"):
            texts.append(draft["words"])
    models = {id: text for id, author, text in passages if author == MODEL and text}
    return Shown(vocabulary.words_in(*texts), models)


def shown_in(stories: Iterable[Story], vocabulary: Vocabulary) -> Shown:
    """All versions of all passages."""
    passages = [each for story in stories for each in story.passages]
    words = vocabulary.words_in(*(each.text for each in passages if each.author != MODEL))
    return Shown(words, {each.id: each.text for each in passages if each.author == MODEL})


def kept_in(library: Path) -> dict[str, Kept]:
    """The stories that are on the disk, by the id of their thread."""
    if not library.exists():
        return {}
    with closing(sqlite3.connect(f"{library.as_uri()}?mode=rw", uri=True, timeout=30)) as rows:
        rows.execute("BEGIN")
        heads = rows.execute("SELECT id, head, settings, model, changed_s FROM stories").fetchall()
        passages = "SELECT data FROM passages WHERE story = ? ORDER BY place"
        return {
            id: kept_of(head, [data for (data,) in rows.execute(passages, [id])])
            for id, *head in heads
        }


class Ledger:
    """What stood for two seconds, and may not be lost."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self.words: set[str] = set()
        self.passages: dict[str, str] = {}
        self.counted: Counter[str] = Counter()
        self._samples: dict[object, deque[tuple[float, Shown]]] = {}

    def forget_page(self, page: object) -> None:
        """What it showed was not there all the time: it went away, or was drawn anew."""
        self._samples.pop(page, None)

    def see(self, page: object, shown: Shown, now_s: float) -> None:
        """Take in a sample of a page."""
        samples = self._samples.setdefault(page, deque())
        samples.append((now_s, shown))
        while len(samples) > 1 and now_s - samples[1][0] >= STOOD_S:
            samples.popleft()
        if now_s - samples[0][0] < STOOD_S:
            return
        all_shown = [each for _, each in samples]
        stood = set.intersection(*(each.words for each in all_shown))
        self.counted["words"] += len(stood - self.words)
        self.words |= stood
        for id in set.intersection(*(set(each.passages) for each in all_shown)):
            text = min((each.passages[id] for each in all_shown), key=len)
            known = self.passages.get(id, "")
            if len(text) > len(known):
                self.counted["of the model's"] += len(text.split()) - len(known.split())
                self.passages[id] = text

    def release(self, gone: Shown, left: Shown) -> None:
        """The writer removes what is `gone` and is not `left` elsewhere."""
        words = {each for each in self.words if gone.has(each) and not left.has(each)}
        ids = [id for id, text in self.passages.items() if gone.has_text(text)]
        ids = [id for id in ids if not left.has_text(self.passages[id])]
        self.counted["removed by the writer"] += len(words)
        self.words -= words
        for id in ids:
            del self.passages[id]
        self._samples.clear()

    def missing(self, reachable: Shown) -> list[str]:
        """What is lost: words, and the beginnings of passages."""
        words = sorted(each for each in self.words if not reachable.has(each))
        return words + [each for each in self.passages.values() if not reachable.has_text(each)]

    def give_up(self, reachable: Shown) -> None:
        """Count what is missing as lost, and ask for it no more."""
        self.words = {each for each in self.words if reachable.has(each)}
        texts = self.passages.items()
        self.passages = {id: text for id, text in texts if reachable.has_text(text)}


def told(look: Any) -> str:
    """A page in a line, for who looks into a loss."""
    told = {key: look[key] for key in ("story", "line", "edit", "noted", "drafts", "busy", "redo")}
    ends = [[id[:6], author, text[:40]] for id, author, text in passages_on(look)[-6:]]
    return json.dumps({**told, "the last passages": ends}, ensure_ascii=False)
