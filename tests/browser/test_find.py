"""Find and replace, the contents and the counts in a real browser."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from chat.story import Passage, Story, StoryToken
from tests.browser import test_loop
from tests.browser.test_memory import open_file
from tests.browser.test_page import story
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = test_loop.pytestmark

MARKED = """name => [...(CSS.highlights.get(name) || [])].map(each => {
    const range = document.createRange();
    range.setStart(each.startContainer, each.startOffset);
    range.setEnd(each.endContainer, each.endOffset);
    return range.toString();
})"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters")
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def told(*passages: tuple[str, ...]) -> Story:
    """A story of a writer's passages, and of a model's where there are tokens."""
    told = Story()
    for parts in passages:
        tokens = tuple(StoryToken(at, part) for at, part in enumerate(parts))
        own = len(parts) == 1
        told = told.append(
            Passage(
                author="writer" if own else "model",
                text="".join(parts),
                tokens=() if own else tokens,
            )
        )
    return told


def show(page: Page, told: Story, folder: Path) -> None:
    path = folder / "told.json"
    path.write_text(json.dumps(told.to_dict()))
    open_file(page, path)
    page.wait_for_selector("#story-counts")


def test_words_are_found_over_every_border_and_replaced_as_one_change(page, tmp_path):
    before = told(("😀 The Über",), ("r", "abbit ran. The ÜB", "ERRABB", "IT hid."), (" Tail",))
    show(page, before, tmp_path)
    page.keyboard.press("Control+Shift+F")
    expect(page.locator("#find-words")).to_be_focused()
    page.keyboard.type("überrabbit")
    said = page.locator("#find-said")
    expect(said).to_have_text("1 of 2")
    assert page.evaluate(MARKED, "story-found-now") == ["Überrabbit"]
    assert page.evaluate(MARKED, "story-found") == ["ÜBERRABBIT"]
    page.keyboard.press("Shift+Enter")
    expect(said).to_have_text("2 of 2")
    assert page.evaluate(MARKED, "story-found-now") == ["ÜBERRABBIT"]
    # One place, then all that are left; the passage without any keeps its author and its id.
    page.fill("#find-text", "hare")
    page.press("#find-text", "Enter")
    expect(said).to_have_text("1 replaced, 1 left")
    assert story(page) == "😀 The Überrabbit ran. The hare hid. Tail"
    page.click("#find-replace-all")
    expect(said).to_have_text("1 replaced, none left")
    assert story(page) == "😀 The hare ran. The hare hid. Tail"
    authors = [each.get_attribute("data-author") for each in page.locator(".passage").all()]
    assert authors == ["writer", "edited", "writer"]
    page.click("#find-undo")
    expect(said).to_have_text("1 of 1")
    page.click("#find-case")
    expect(said).to_have_text("Not found")
    page.keyboard.press("Escape")
    expect(page.locator("#find")).to_have_count(0)
    assert page.evaluate("CSS.highlights.size") == 0
    page.keyboard.press("Alt+Z")
    expect(page.locator(".passage").nth(1)).to_have_attribute("data-author", "model")
    assert story(page) == before.text


def test_the_contents_are_gone_through_with_the_keys_and_all_is_counted(page, tmp_path):
    chapters = [
        (f"Chapter {n}\n\n" + "It rained all day.\n\n" * 30 + "* * *\n\nThe sun rose.\n\n",)
        for n in (1, 2, 3)
    ]
    show(page, told(*chapters), tmp_path)
    counts = page.locator("#story-counts")
    expect(counts).to_have_text("375 words, 1,899 characters")
    page.keyboard.press("Alt+G")
    entries = page.locator("#panel-contents li button")
    expect(entries).to_have_text(
        [each for n in (1, 2, 3) for each in (f"Chapter {n}123", "⁂ The sun rose.")]
    )
    expect(page.locator("#panel-contents [aria-current]")).to_be_focused()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_function(f"() => ({MARKED})('story-found-now')[0] === 'Chapter 2'")
    seen = "node => node.getBoundingClientRect().top > 0 && node.getBoundingClientRect().top < 500"
    assert page.locator(".passage").nth(1).locator(".part").first.evaluate(seen)
    expect(page.locator("#panel-contents [aria-current]")).to_have_text("Chapter 2123")
    page.keyboard.press("Escape")
    page.locator(".passage").nth(1).locator(".part").first.click()
    expect(counts).to_contain_text("This passage: 125 words, 633 characters")
    page.evaluate(
        "document.getSelection().selectAllChildren(document.querySelectorAll('.passage .part')[0])"
    )
    expect(counts).to_contain_text("Selected: 1 word, 7 characters")
