"""A story far longer than the screen: what is near is drawn token by token, the rest as text."""

import random
import statistics
import uuid
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chat.accounts import LOCAL
from chat.story import Passage, Story, StoryToken, TokenChoice
from chat.story.export import from_file
from chat.story.kept import Kept
from chat.story.library import Library
from tests.browser.test_loop import settled
from tests.browser.test_page import send, story
from tests.support.app_server import other_work, running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser

LONG = 500_000
WORDS = ("the", "fox", "was", "and", "saw", "old", "house", "said", "she", "to", "of", "in", "tree")
WATCH = """
    globalThis.stalls = [];
    const keep = (list) => list.getEntries().forEach((each) => stalls.push(each.duration));
    new PerformanceObserver(keep).observe({ type: 'longtask' });
"""
KEYS = """async () => {
    const frame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
    document.querySelector('#chat-input').focus();
    const taken = [];
    for (let at = 0; at < 15; at++) {
        const began = performance.now();
        document.execCommand('insertText', false, 'x');
        await frame();
        taken.push(performance.now() - began);
    }
    return taken;
}"""
OPEN = """async (thread) => {
    const began = performance.now();
    document.querySelector(`a[href*='${thread}']`).click();
    const drawn = ['#story-retry', '#story-text .passage'];
    while (!drawn.every((each) => document.querySelector(each)))
        await new Promise(requestAnimationFrame);
    return performance.now() - began;
}"""
SCROLL = """async () => {
    const frame = document.querySelector('#story-text').closest('.overflow-y-auto');
    const taken = [];
    let last = performance.now();
    for (let at = 0; at < 60; at++) {
        frame.scrollTop -= 100;
        await new Promise(requestAnimationFrame);
        taken.push(performance.now() - last);
        last = performance.now();
    }
    return taken;
}"""


def long_story(size: int, top: tuple[TokenChoice, ...] = ()) -> Story:
    """A story of so many characters; a line has a few hundred, a passage some lines or a part.

    Args:
        top: What could have stood in the place of each token.
    """
    draw, made, length = random.Random(1), list[Passage](), 0
    while length < size:
        breaks = (
            draw.choice(WORDS) + ("\n\n" if draw.random() < 0.02 else " ") for _ in range(250)
        )
        tokens = tuple(StoryToken(1, each, 0.5, 0.5, 1.5, top) for each in breaks)
        text = "".join(each.text for each in tokens)
        author = "writer" if len(made) % 4 == 3 else "model"
        kept = tokens if author == "model" else ()
        made.append(Passage(author=author, text=text, tokens=kept, model="letters"))
        length += len(text)
    whole = Story()
    for each in made:
        whole = whole.append(each)
    return whole


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def base(browser: Browser, folder: Path, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", starters=["Once"], block_size=256)
    with running_app(folder, models) as base:
        yield base


def keep(folder: Path, whole: Story) -> str:
    """Put it into the library; give its thread."""
    library, thread = Library(folder / "stories" / "stories.sqlite"), str(uuid.uuid4())
    library.save(thread, LOCAL, Kept(story=whole, settings={}, model="letters"), new=True)
    library.close()
    return thread


def nodes(page: Page) -> int:
    return page.locator("#story-text *").count()


def imported(size: int) -> Story:
    """A text of so many characters that was opened: paragraphs of 300 letters, a passage each."""
    draw, lines, length = random.Random(1), list[str](), 0
    while length < size:
        lines.append(" ".join(draw.choice(WORDS) for _ in range(80)) + ".\n\n")
        length += len(lines[-1])
    return from_file("novel.txt", "".join(lines))


@pytest.mark.torture
@pytest.mark.parametrize("begun", [Story, partial(imported, LONG)], ids=["written", "imported"])
def test_a_story_of_500_kb_opens_in_a_second(blank, base, folder, begun):
    top = tuple(TokenChoice(at, f" word{at}", 0.5 / 3**at, 0.6 / 4**at) for at in range(10))
    whole = begun()
    for each in long_story(LONG if not whole.passages else 1, top).path:
        whole = whole.append(each)
    thread = keep(folder, whole)
    page = blank(base)
    page.goto(base)
    taken = list[float]()
    for _ in range(5):
        page.locator(f"a[href*='{thread}']").wait_for()
        page.wait_for_selector("#story-begin, #story-retry")
        taken.append(page.evaluate(OPEN, thread))
        page.wait_for_selector("#story-retry")
        assert story(page) == whole.text
        page.goto(base)
    print(f"opened after {', '.join(f'{each:.0f}' for each in taken)} ms")
    assert statistics.median(taken) < 1000 * other_work()


@pytest.mark.parametrize("size", [60_000, pytest.param(LONG, marks=pytest.mark.torture)])
def test_a_long_story_is_written_on_without_a_stall(page, base, folder, size):
    whole = long_story(size)
    page.add_init_script(WATCH)
    page.goto(f"{base}/thread/{keep(folder, whole)}")
    page.wait_for_selector("#story-retry")
    assert story(page) == whole.text
    assert nodes(page) < 6000 < len(whole.text) / 5
    keys, frames = page.evaluate(KEYS), page.evaluate(SCROLL)
    page.evaluate("stalls.length = 0")
    send(page, "/with max=200 end=0 t=1 and then")
    page.wait_for_selector(".story[data-busy=true]")
    written = settled(page)
    assert written.startswith(whole.text)
    stalls = page.evaluate("stalls")
    key, frame, worst = statistics.median(keys), statistics.median(frames), max([0, *stalls])
    print(f"{size}: a key {key:.0f} ms, a frame {frame:.0f} ms, longest stall {worst:.0f} ms")
    if size == LONG:  # a measurement wants an idle machine
        busy = other_work()
        assert key < 20 * busy
        assert frame < 20 * busy
        assert worst < 100 * busy

    # What is far away is there all the same, and its words can be clicked once they are near.
    page.locator("#story-text .passage").first.scroll_into_view_if_needed()
    expect(page.locator("#story-text .passage").first.locator("[data-i]").nth(3)).to_be_visible()
    page.locator("#story-text .passage").first.locator("[data-i]").nth(3).click()
    page.click(".act-edit")
    page.fill(".edit-words", "Other words.\n")
    page.click(".act-save")
    expect(page.locator("#story-text")).to_contain_text("Other words.")
    assert story(page) == "Other words.\n" + written[len(whole.path[0].text) :]
    assert nodes(page) < 6000
    page.click("#story-undo")
    page.wait_for_function(
        "() => !document.querySelector('#story-text').textContent.includes('Other')"
    )
    assert story(page) == written
