"""Ghost text in a real browser, with the shipped model."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import test_loop
from tests.browser.test_page import story, write
from tests.support.app_server import lend_stories, running_app

pytestmark = test_loop.pytestmark


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def test_likely_words_stand_in_grey_at_a_pause_and_are_taken_by_keys(page):
    line, words = page.locator("#chat-input"), page.locator(".ghost-words")
    line.focus()
    page.keyboard.type("The little")
    expect(page.locator("#story-ghost")).to_have_attribute("aria-pressed", "false")
    page.wait_for_timeout(600)
    assert words.count() == 0
    page.click("#story-ghost")
    line.focus()
    expect(words).to_be_visible()
    expect(page.locator("#ghost-said")).to_contain_text("Suggested: ")
    whole = words.text_content()
    first = " " + whole.split()[0]
    page.keyboard.press("Tab")
    expect(line).to_have_value(f"The little{first}")
    expect(line).to_be_focused()
    # What is typed as it was suggested stays; any other key goes on.
    page.keyboard.type(whole[len(first)])
    expect(words).to_have_text(whole[len(first) + 1 :])
    page.keyboard.type("Q")
    expect(words).to_have_count(0)
    expect(line).to_have_value(f"The little{first} Q")
    expect(words).to_be_visible()
    page.keyboard.press("ArrowLeft")
    expect(words).to_have_count(0)
    page.keyboard.press("End")
    expect(words).to_be_visible()
    rest = words.text_content()
    page.keyboard.press("Control+ArrowRight")
    expect(line).to_have_value(f"The little{first} Q{rest}")
    # The browser's own undo takes it back.
    page.keyboard.press("Control+Z")
    expect(line).to_have_value(f"The little{first} Q")
    expect(words).to_be_visible()
    page.keyboard.press("Escape")
    expect(words).to_have_count(0)
    page.keyboard.press("Tab")
    expect(line).not_to_be_focused()
    page.click("#story-ghost")
    expect(page.locator("#story-ghost")).to_have_attribute("aria-pressed", "false")
    drafts = page.evaluate("JSON.stringify(localStorage)")
    assert f"The little{first} Q" in drafts
    assert rest not in drafts


def test_a_word_that_the_model_completes_stands_in_the_page_as_it_is_kept(page):
    for words in ("Lily looked up and saw a beautiful butterf", "It was a most mag"):
        drawn = write(page, f"/with temperature=0 max=12 {words}")
        assert words in drawn
        page.reload()
        expect(page.locator("#story-text")).to_contain_text(words)
        assert drawn == story(page)
