"""Words that only the page has: each comes back, whatever happens to the page or to the server."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from chat.accounts import write_account
from tests.browser.conftest import blank
from tests.browser.test_loop import settled
from tests.browser.test_memory import enter
from tests.browser.test_page import open_page, send, start_anew, story, write
from tests.support.app_server import running_app, start_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser

STORED = "() => Object.keys(localStorage).filter(key => key.startsWith('inkling.draft.')).length"
NONE_STORED = f"() => !({STORED})()"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", starters=["Once"])
    return models


@pytest.fixture(scope="module")
def base(browser: Browser, models, tmp_path_factory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def line(page: Page):
    return page.locator("#chat-input")


def begin(page: Page, words: str = "/with max=6 t=1 Once upon a time") -> str:
    """A story of two passages; gives its text."""
    write(page, words)
    text = settled(page)
    page.wait_for_url("**/thread/*")
    return text


def reload(page: Page) -> None:
    page.reload()
    page.wait_for_selector(".story[data-busy=false]")
    page.wait_for_selector("#chat-settings-open-modal")


def edit(page: Page, words: str, passage: int = 0) -> None:
    """Change the words of a passage, and leave them unsaved."""
    page.locator(".passage").nth(passage).locator(".part").first.click()
    page.click(".act-edit")
    page.fill(".edit-words", words)


def test_a_half_written_line_comes_back_after_a_reload_one_for_each_story(page, base):
    line(page).fill("It was <b>night</b>")
    page.reload()
    page.wait_for_selector("#story-begin")
    expect(line(page)).to_have_value("It was <b>night</b>")
    line(page).fill("")
    begin(page)
    line(page).fill("and then")
    start_anew(page)
    expect(line(page)).to_have_value("")
    line(page).fill("Another")
    page.go_back()
    page.wait_for_selector("#story-retry")
    expect(line(page)).to_have_value("and then")
    # Nothing is left of a line that was sent.
    line(page).fill("")
    page.goto(base)
    page.wait_for_selector("#story-begin")
    expect(line(page)).to_have_value("Another")
    line(page).fill("")
    assert page.evaluate(NONE_STORED)


def test_a_line_that_was_sent_is_forgotten_once_it_is_kept(page):
    begin(page)
    page.wait_for_function(NONE_STORED)
    reload(page)
    expect(line(page)).to_have_value("")
