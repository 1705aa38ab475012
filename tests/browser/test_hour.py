"""An hour of writing with a browser that is reloaded, closed, cut off and opened twice, and a
server that is killed: no word that stood on a page for two seconds is lost.

`INKLING_HOUR_MINUTES`, `INKLING_HOUR_MISHAPS` (one in six kills) and `INKLING_HOUR_SEED` play it
shorter, calmer, or otherwise. Beyond ten minutes pytest's own limit must go:
`-o faulthandler_timeout=0`, as in `make torture`.
"""

import os
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import pytest
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as BrowserError

from chat.story import Passage, Story
from chat.story.library import Kept, Library
from tests.browser.hour import DisturbedError, Hour, Server
from tests.browser.test_page import PATIENCE_MS
from tests.support.app_server import lend_stories
from tests.support.ledger import Ledger, Shown, Vocabulary, kept_in, shown_in, shown_on
from tests.support.mishaps import plan

pytestmark = pytest.mark.browser

MINUTES = float(os.environ.get("INKLING_HOUR_MINUTES", "60"))
SEED = int(os.environ.get("INKLING_HOUR_SEED", "1"))
WORDS = "field => field.value ?? field.textContent.replace(/\\n$/, '')"
"""What stands in the composer, or in an edit."""
MISHAPS = int(os.environ.get("INKLING_HOUR_MISHAPS", "60"))
KILLS = MISHAPS // 6


class Writer:
    """Who writes: one thing after another, as it comes to mind."""

    def __init__(self, hour: Hour) -> None:
        self.hour, self.draw = hour, hour.draw
        self.acts = {
            self.send: 6,
            self.half_a_line: 2,
            self.clear: 1,
            self.add: 2,
            self.go_on: 3,
            self.retry: 2,
            self.edit: 3,
            self.open_note: 2,
            self.step: 2,
            self.undo: 2,
            self.redo: 2,
            self.stop: 1,
            self.other_window: 1,
            self.new_story: 0.5,
        }

    @property
    def page(self) -> Page:
        return self.hour.page

    def act(self) -> None:
        """Do one thing, as far as it can be done now."""
        (act,) = self.draw.choices(list(self.acts), list(self.acts.values()))
        name = act.__name__
        self.hour.note(name)
        try:
            self.hour.tick()
            act()
            self.hour.done[name] += 1
            self.hour.pause(self.draw.choice([0, 0.5, 2.5]))
        except DisturbedError:
            self.hour.done["cut short"] += 1
        except BrowserError as error:  # a button that is not there now
            self.hour.note(f"could not {name}: {str(error)[:300]}")
            self.hour.done[f"could not {name}"] += 1

    def type(self, at: str, words: int) -> None:
        """Letter by letter, at the end of what stands there."""
        self.page.locator(at).focus()
        self.page.keyboard.press("Control+End")
        text: str = self.page.locator(at).evaluate(WORDS)
        if text and not text.endswith((" ", "\n")):
            self.page.keyboard.type(" ")
        for letter in " ".join(self.hour.vocabulary.word() for _ in range(words)):
            self.page.keyboard.type(letter)
            self.page.wait_for_timeout(self.draw.choice([10, 30, 60]))
            self.hour.tick("typing")

    def press(self, what: str, key: str = "") -> None:
        """Press a button, or a key in a field: a moment at which words are on their way."""
        self.hour.let_go()
        if key:
            self.page.press(what, key)
        else:
            self.page.click(what)
        self.hour.tick("sent")

    def wait(self) -> None:
        """Until nobody writes, or not so long."""
        ends_s = self.hour.now_s + self.draw.choice([0, 1, 5, 30])
        self.hour.pause(0.3)
        while self.hour.busy and self.hour.now_s < ends_s:
            self.hour.pause(0.3)

    def send(self) -> None:
        field = self.page.locator("#chat-input")
        if not field.input_value():
            length = self.draw.choice([20, 60, 60, 600])
            self.page.locator("#chat-input").click()
            self.page.keyboard.type(f"/with max={length} t=1 ")
        self.type("#chat-input", self.draw.randint(2, 6))
        self.press("#chat-input", "Enter")
        self.wait()

    def half_a_line(self) -> None:
        self.type("#chat-input", self.draw.randint(1, 4))
        self.hour.pause(2.5)

    def clear(self) -> None:
        self.page.locator("#chat-input").click()
        self.hour.throw_away(self.page.locator("#chat-input").input_value())
        self.page.keyboard.press("Control+A")
        self.page.keyboard.press("Delete")

    def add(self) -> None:
        self.type("#chat-input", self.draw.randint(2, 5))
        self.press("#story-add")

    def go_on(self) -> None:
        self.press("#story-continue")
        self.wait()

    def retry(self) -> None:
        self.press("#story-retry")
        self.wait()

    def edit(self) -> None:
        passages = self.page.locator("#story-text .passage")
        at = self.draw.randrange(max(1, passages.count()))
        passages.nth(at).locator(".part").first.click()
        self.page.wait_for_selector(".edit-words:focus")
        self._change()

    def open_note(self) -> None:
        if self.page.locator(".edit-note .act-go-on").count():
            self.page.locator(".edit-note .act-go-on").first.click()
            self._change()
        elif self.page.locator(".edit-note .act-take").count():
            self.page.locator(".edit-note .act-take").first.click()

    def _change(self) -> None:
        """Write on in an edit, or anew; save it, or leave it open."""
        if self.draw.random() < 0.3:
            self.page.locator(".edit-words").focus()
            self.hour.throw_away(self.page.locator(".edit-words").evaluate(WORDS))
            self.page.keyboard.press("Control+A")
            self.page.keyboard.press("Delete")
        self.type(".edit-words", self.draw.randint(1, 4))
        if self.draw.random() < 0.6:
            self.press(".passage-row > .act-save")
        else:
            self.hour.pause(2.5)

    def step(self) -> None:
        self.press(self.draw.choice(["#story-previous", "#story-next"]))

    def undo(self) -> None:
        for _ in range(self.draw.randint(1, 3)):
            before = self.hour.on_page()
            self.page.click("#story-undo")
            self.hour.tick("sent")
            self.hour.come_through(before)

    def redo(self) -> None:
        self.page.click("#story-redo")
        self.hour.tick("sent")

    def stop(self) -> None:
        if self.hour.busy:
            self.page.click("#stop-button")

    def other_window(self) -> None:
        self.hour.page = self.draw.choice(self.hour.context.pages)
        self.page.bring_to_front()

    def new_story(self) -> None:
        self.page.click("#story-new")
        self.page.wait_for_selector("#story-begin")


def play(hour: Hour, length_s: float) -> None:
    """Write, whatever happens; at the end nothing is lost, in any story."""
    writer = Writer(hour)
    while hour.now_s < length_s or hour.mishaps:
        writer.act()
    with suppress(DisturbedError):
        while hour.is_disturbed:
            hour.pause(1)
    hour.visit_all()


def test_a_word_counts_once_it_stood_for_two_seconds_and_is_missed_until_its_writer_removes_it():
    ledger = Ledger(Vocabulary(Random(1)))
    word, other = ledger.vocabulary.word(), ledger.vocabulary.word()
    both, story = Shown({word, other}, {"p": " a cat"}), Shown({word}, {"p": " a cat sat"})
    for at_s, shown in [(0.0, both), (1.0, both), (2.0, story)]:
        assert ledger.missing(Shown()) == []
        ledger.see("page", shown, at_s)
    assert ledger.missing(Shown()) == [word, " a cat"]  # the other went before
    assert ledger.missing(Shown({word}, {"q": " a cat sat"})) == []
    ledger.release(story, left=Shown({word}))
    assert ledger.missing(Shown()) == [word]
    ledger.release(story, left=Shown())
    assert ledger.missing(Shown()) == []
    # What was away meanwhile begins anew.
    ledger.see("page", both, 3.0)
    ledger.forget_page("page")
    ledger.see("page", both, 6.0)
    assert ledger.missing(Shown()) == []


def test_a_word_is_found_where_another_grew_on_to_it():
    vocabulary = Vocabulary(Random(1))
    word, other = vocabulary.word(), vocabulary.word()
    assert vocabulary.words_in(f"a {word}{other[2:]} {other[:3]}") == {word, other[:3]}
    assert vocabulary.words_in(f"{other[2:]}{word}") == {word}
    assert vocabulary.words_in(word[1:], "unheard") == set()


def test_a_passage_that_is_drawn_in_two_stretches_is_one_text():
    drawn = [["p", "model", "One. "], ["q", "writer", "x"], ["p", "model", "Two."]]
    look = {"story": "s", "line": "", "edit": "", "noted": [], "left": 0, "drafts": []}
    shown = shown_on({**look, "passages": drawn}, Vocabulary(Random(1)))
    assert shown.passages == {"p": "One. Two."}


def test_the_stories_on_the_disk_are_read_with_all_their_versions(tmp_path: Path):
    path = tmp_path / "stories.sqlite"
    assert kept_in(path) == {}
    story = Story().append(Passage(author="writer", text="A cat"))
    story = story.append(Passage(author="model", text=" sat."))
    with closing(Library(path)) as library:
        library.save("s", "ada", Kept(story=story, settings={}, model="a"), new=True)
    assert kept_in(path)["s"].story == story
    assert shown_in([story], Vocabulary(Random(1))).passages == {story.passages[1].id: " sat."}


@pytest.mark.torture
def test_no_word_that_stood_for_two_seconds_is_lost_in_an_hour_of_mishaps(
    browser: Browser, tmp_path: Path
):
    draw, models = Random(SEED), tmp_path / "models"
    models.mkdir()
    lend_stories(models)
    (tmp_path / "app").mkdir()
    server = Server(tmp_path / "app", models)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    try:
        hour = Hour(server, context, draw, plan(draw, MINUTES * 60, count=MISHAPS, kills=KILLS))
        try:
            play(hour, MINUTES * 60)
        finally:
            counts = {**hour.done, **hour.ledger.counted}
            print(f"seed {SEED}, {hour.now_s / 60:.1f} minutes: {counts}; lost: {hour.lost}")
        assert hour.lost == []
    finally:
        context.close()
        server.process.kill()
        server.process.wait(10)
