"""The windows of one writer, what goes wrong with them, and what must be there all the same."""

import signal
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

from playwright.sync_api import BrowserContext
from playwright.sync_api import Error as BrowserError

from chat.story import Story
from tests.browser.test_page import PATIENCE_MS, open_page
from tests.support.app_server import other_work, start_app
from tests.support.ledger import (
    LOOK,
    Ledger,
    Shown,
    Vocabulary,
    kept_in,
    passages_on,
    shown_in,
    shown_on,
    told,
)
from tests.support.mishaps import Mishap

SAMPLE_S = 0.25
FIRM_MS = 1200
"""So long a writer tries to press something that is not there just now."""
COMES_S = 10.0
"""So long a writer waits to see that something was undone, and the play until it is kept."""
BACK_S = 20.0
"""So soon all is there again, once the page is; more on a busy machine."""
STANDS = """() => window.inkling?.desk?.isConnected() && document.getElementById('chat-input') &&
    document.querySelector('#story-begin, #story-text .part, #story-redo, #stop-button')"""


class DisturbedError(Exception):
    """Something went wrong in the midst of what the writer was doing."""


class Server:
    """The app on a folder and a port of its own."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder, self.models = folder, models
        self.process, self.base = start_app(folder, models)

    @property
    def library(self) -> Path:
        return self.folder / "stories" / "stories.sqlite"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def start(self) -> None:
        port = int(self.base.rsplit(":", 1)[1])
        self.process, self.base = start_app(self.folder, self.models, port=port)


class Hour:
    """The windows, what goes wrong with them, and what must be there all the same."""

    def __init__(
        self, server: Server, context: BrowserContext, draw: Random, mishaps: list[Mishap]
    ) -> None:
        self.server, self.context, self.draw, self.mishaps = server, context, draw, mishaps
        self.vocabulary = Vocabulary(draw)
        self.ledger = Ledger(self.vocabulary)
        self.done: Counter[str] = Counter()
        self.lost: list[str] = []
        self._lately: deque[str] = deque(maxlen=40)
        """What was done, and what came, for who looks into a loss."""
        self.page = context.new_page()
        open_page(self.page, server.base)
        self.page.set_default_timeout(FIRM_MS)
        self.busy = False
        self.killed = False
        """Since then a model's words stand on pages of a server that is no more: what came within
        the last second is not kept, and a page that goes on showing it proves nothing."""
        self._began_s = time.monotonic()
        self._sampled_s = 0.0
        self._ends: tuple[float, Mishap] | None = None

    @property
    def now_s(self) -> float:
        return time.monotonic() - self._began_s

    def note(self, what: str) -> None:
        """Remember what is being done."""
        self._lately.append(f"{self.now_s:.1f} s: {what}")

    # What is there

    def look(self, *, elsewhere: bool = True) -> tuple[Shown, list[str]]:
        """What all windows show; and each in a line.

        Args:
            elsewhere: And what they keep for other stories.
        """
        shown, lines = Shown(), list[str]()
        for page in self.context.pages:
            try:
                look = page.evaluate(LOOK)
            except BrowserError:  # it is being loaded
                self.ledger.forget_page(page)
                continue
            each = shown_on(look, self.vocabulary, elsewhere)
            if self.killed:
                each = Shown(each.words)
            self.ledger.see(page, each, self.now_s)
            shown, lines = shown | each, [*lines, told(look)]
            if page == self.page:
                self.busy = look["busy"]
        self._sampled_s = self.now_s
        return shown, lines

    def reachable(self) -> tuple[Shown, list[str]]:
        """What windows show, and all versions, what was undone among them."""
        shown, lines = self.look()
        kept = kept_in(self.server.library).values()
        states = [state for each in kept for state in (each.story, *each.past, *each.future)]
        return shown | shown_in(states, self.vocabulary), lines

    def missing(self, here: set[str]) -> list[str]:
        """What is not to be had, nor of `here` on a page."""
        found, _ = self.reachable()
        on_page, _ = self.look(elsewhere=False)
        absent = sorted(each for each in here & self.ledger.words if not on_page.has(each))
        return self.ledger.missing(found) + absent

    def on_page(self) -> list[str]:
        """The ids of the passages that the page shows."""
        return [id for id, _, _ in passages_on(self.page.evaluate(LOOK))]

    def come_through(self, before: list[str]) -> None:
        """Wait, but not for long, until an undo is seen: the page shows others than `before`."""
        ends_s = self.now_s + COMES_S
        while self.now_s < ends_s and self.on_page() == before:
            self.pause(0.1)

    def _is_kept(self) -> bool:
        """Whether the library has the story as the page shows it, as far as nobody writes."""
        kept = kept_in(self.server.library).get(self.page.evaluate(LOOK)["story"])
        return kept is None or self.busy or [each.id for each in kept.story.path] == self.on_page()

    def let_go(self) -> None:
        """The story is about to change: what was undone can be done again no more."""
        ends_s = self.now_s + COMES_S
        while self.now_s < ends_s and not self._is_kept():
            self.pause(0.1)
        shown, _ = self.look()
        kept = kept_in(self.server.library).values()
        undone = shown_in([state for each in kept for state in each.future], self.vocabulary)
        left = shown_in(
            [state for each in kept for state in (each.story, *each.past)], self.vocabulary
        )
        self.ledger.release(undone, shown | left)

    def throw_away(self, *texts: str) -> None:
        """The writer removes words that were never sent."""
        kept = kept_in(self.server.library).values()
        stories: list[Story] = [state for each in kept for state in (each.story, *each.future)]
        gone = Shown(self.vocabulary.words_in(*texts))
        self.ledger.release(gone, shown_in(stories, self.vocabulary))

    def visit_all(self) -> None:
        """Go to each story: what was begun in it is there."""
        drafts = self.page.evaluate(LOOK)["drafts"]
        begun = {story for _, story, *_ in drafts} - {"new"}
        for story in ["new", *sorted(begun)]:
            path = "" if story == "new" else f"/thread/{story}"
            with self._patiently():
                self.page.goto(self.server.base + path)
            self.done["stories visited at the end"] += 1
            words = [draft["words"] for _, at, _, draft in drafts if at == story]
            with suppress(DisturbedError):
                self.check(f"end, in {story} with {words}", self.vocabulary.words_in(*words))

    # What goes wrong

    @property
    def is_disturbed(self) -> bool:
        """Whether the line is down, or the server away."""
        return self._ends is not None

    def tick(self, *moments: str) -> None:
        """Time goes by: look at the pages, and let come what is due.

        Raises:
            DisturbedError: Something came, and all is well again.
        """
        if self.now_s - self._sampled_s >= SAMPLE_S:
            self.look()
        if self._ends:
            ends_s, mishap = self._ends
            if self.now_s >= ends_s:
                self._ends = None
                self._mend(mishap)
                self.check(f"{mishap.kind} ({mishap.moment})")
        elif self.mishaps:
            now = {*moments, *(["writing"] if self.busy else [])}
            if self.mishaps[0].comes(self.now_s, now):
                self._begin(self.mishaps.pop(0))

    def pause(self, seconds: float) -> None:
        ends_s = self.now_s + seconds
        while self.now_s < ends_s:
            self.page.wait_for_timeout(50)
            self.tick()

    def _begin(self, mishap: Mishap) -> None:
        self.done[mishap.kind] += 1
        self.done[f"{mishap.moment}:"] += 1
        self.note(f"{mishap.kind} ({mishap.moment})")
        print(f"{self.now_s:.0f} s: {mishap.kind} ({mishap.moment})", flush=True)
        time.sleep(mishap.delay_s)
        if mishap.kind == "kill":
            self.killed = True
            if mishap.delay_s and self.draw.random() < 0.5:  # it hears no more, and no page knows
                self.server.process.send_signal(signal.SIGSTOP)
                self.done["stopped before it was killed"] += 1
                time.sleep(mishap.delay_s)
            self.server.kill()
        elif mishap.kind == "offline":
            self.context.set_offline(True)
        if mishap.kind in ("kill", "offline"):
            self._ends = self.now_s + mishap.lasts_s, mishap
            return
        with self._patiently():
            if mishap.kind == "reload":
                self.ledger.forget_page(self.page)
                self.page.reload()
            elif mishap.kind == "close":
                self._close(mishap.lasts_s / 2)
            else:
                self._second_window()
        self.check(f"{mishap.kind} ({mishap.moment})")

    def _close(self, away_s: float) -> None:
        """Close all windows, and go to the same address in a new one."""
        url = self.page.url
        for page in self.context.pages:
            self.ledger.forget_page(page)
            page.close()
        time.sleep(away_s)
        self.page = self.context.new_page()
        self.page.goto(url)

    def _second_window(self) -> None:
        old = self.page
        for page in self.context.pages:
            if page != old:
                self.ledger.forget_page(page)
                page.close()
        self.page = self.context.new_page()
        self.page.goto(old.url)

    def _mend(self, mishap: Mishap) -> None:
        if mishap.kind == "kill":
            self.server.start()
        else:
            self.context.set_offline(False)

    @contextmanager
    def _patiently(self) -> Iterator[None]:
        for page in self.context.pages:
            page.set_default_timeout(PATIENCE_MS)
        yield
        for page in self.context.pages:
            page.set_default_timeout(FIRM_MS)

    def check(self, what: str, here: set[str] | None = None) -> None:
        """Wait until the pages stand again; then all is there.

        Args:
            what: It comes after.
            here: Words that are on a page, and not only to be had elsewhere.

        Raises:
            DisturbedError: Always, for whoever was in the midst of something.
        """
        with self._patiently():
            for page in self.context.pages:
                page.wait_for_function(STANDS)
        ends_s = self.now_s + BACK_S * other_work()
        while missing := self.missing(here or set()):
            if self.now_s > ends_s:
                found, lines = self.reachable()
                self.lost += [f"{what}, at {self.now_s:.0f} s: {each!r}" for each in missing]
                lately = "  ".join(self._lately)
                print(f"LOST after {what}: {missing}", lately, *lines, sep="\n", flush=True)
                self.ledger.give_up(found)
                break
            self.page.wait_for_timeout(200)
        self.killed = False
        self.done["checked"] += len(self.ledger.words) + len(self.ledger.passages)
        raise DisturbedError
