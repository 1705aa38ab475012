"""A page reloaded while a model writes, two windows on one story, and a disk that was full."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.test_full_disk import FULL, SAID
from tests.browser.test_loop import press, settled
from tests.browser.test_page import PATIENCE_MS, open_page, send, story, write
from tests.support.app_server import start_app, status, wait_idle
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser

SECOND_MS = 1000
FIRST_IS_SLOW = """
    globalThis.asked = 0;
    globalThis.late = false;
    const ask = fetch;
    globalThis.fetch = async (address, options) => {
        const answer = await ask(address, options);
        if (`${address}`.includes('set-session-cookie') && !asked++) {
            await new Promise((resolve) => setTimeout(resolve, 1500));
            late = true;
        }
        return answer;
    };
"""
GROWN = "have => document.querySelectorAll('#story-text .part').length > have"


class App:
    """The app on a folder of its own, which a test may start anew."""

    def __init__(self, folder: Path, models: Path) -> None:
        self.folder, self.models = folder, models
        (folder / "full.py").write_text(FULL)
        self.process, self.base = start_app(folder, models, app="full.py")

    def end(self) -> None:
        self.process.terminate()
        self.process.wait(10)

    def start_anew(self) -> None:
        self.end()
        self.process, self.base = start_app(self.folder, self.models, app="full.py")


@pytest.fixture(scope="module")
def app(browser, tmp_path_factory) -> Iterator[App]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "noise", n_embd=512, n_layer=8, block_size=256)
    app = App(tmp_path_factory.mktemp("app"), models)
    yield app
    app.end()


@pytest.fixture(scope="module")
def base(app: App) -> str:
    return app.base


def parts(page: Page) -> int:
    return page.locator("#story-text .part").count()


def beside(page: Page) -> Page:
    """Another window on the same story, at its address."""
    other = page.context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#story-text .part")
    return other


def shows(page: Page, text: str, within_ms: int = PATIENCE_MS) -> None:
    page.wait_for_function(
        "text => [...document.querySelectorAll('#story-text .part')]"
        ".map(part => part.textContent).join('') === text",
        arg=text,
        timeout=within_ms,
    )


def same(one: Page, other: Page) -> None:
    """The other shows what this one does, within a second."""
    shows(other, story(one), SECOND_MS)


def test_a_page_opened_by_its_address_shows_the_story_whichever_connection_is_let_in_last(page):
    # Chainlit's page asks twice: for a new story, and at once again for the one of its address.
    text = write(page, "/with max=4 end=0 Once upon a time")
    page.wait_for_url("**/thread/*")
    other = page.context.new_page()
    other.add_init_script(FIRST_IS_SLOW)
    other.goto(page.url)
    shows(other, text, 10_000)
    assert other.evaluate("asked") == 2
    other.wait_for_function("late")
    other.wait_for_timeout(300)
    assert other.url == page.url
    assert story(other) == text
    other.close()


def test_a_page_reloaded_while_a_model_writes_grows_on_and_has_stop(page: Page, base: str):
    send(page, "/with max=2048 t=1 Once upon a time")
    page.wait_for_function(GROWN, arg=20)
    page.reload()
    page.wait_for_function(GROWN, arg=20)
    page.wait_for_function(GROWN, arg=parts(page) + 20)
    page.wait_for_selector("#stop-button")
    assert status(base)["active"] == 1
    page.click("#stop-button")
    expect(page.locator(".facts-below")).to_contain_text("stopped by you")
    wait_idle(base)
    expect(page.locator("#stop-button")).to_have_count(0)
    whole = settled(page)
    page.reload()
    page.wait_for_selector("#story-retry")
    assert story(page) == whole
    assert write(page, "/with max=5 then").startswith(whole)


def test_two_windows_show_the_same_story_whichever_changes_it(page: Page):
    write(page, "/with max=6 Once upon a time")
    other = beside(page)
    try:
        same(page, other)
        send(other, "/with max=900 t=1 and")
        page.wait_for_function(GROWN, arg=parts(page) + 20)
        page.wait_for_selector("#stop-button")
        page.click("#stop-button")
        expect(other.locator("#stop-button")).to_have_count(0)
        settled(other)
        same(other, page)
        other.click("#story-undo")
        other.wait_for_selector("#story-redo:not([disabled])")
        same(other, page)
        page.click("#story-redo")
        page.wait_for_function(GROWN, arg=10)
        same(page, other)
        press(page, "#story-retry")
        same(page, other)
        assert other.locator("#story-redo:not([disabled])").count() == 0
    finally:
        other.close()


def test_the_sign_says_that_a_story_is_not_saved_and_then_that_it_is(page: Page, base: str):
    urllib.request.urlopen(f"{base}/full?room=0", timeout=60).close()
    try:
        write(page, f"/with max=6 {'Once upon a time ' * 1500}")
        expect(page.locator("#story-unsaved")).to_have_text(f"Not saved: {SAID}")
        text = story(page)
        page.reload()
        expect(page.locator("#story-unsaved")).to_have_text(f"Not saved: {SAID}")
        assert story(page) == text
    finally:
        urllib.request.urlopen(f"{base}/full?room=100000", timeout=60).close()
    expect(page.locator("#story-saved")).to_have_text("Saved.")
    expect(page.locator("#story-unsaved")).to_have_count(0)


def test_undo_and_redo_are_there_after_the_app_was_started_anew(app: App, blank, context):
    page = blank(app.base)
    open_page(page, app.base)
    first = write(page, "/with max=6 Once upon a time")
    second = write(page, "/with max=6 there was")
    page.click("#story-undo")
    page.wait_for_selector("#story-redo:not([disabled])")
    path = page.url.removeprefix(app.base)
    page.close()
    app.start_anew()
    page = context.new_page()  # its cookie is for every port of this host
    page.goto(app.base + path)
    page.wait_for_selector("#story-redo:not([disabled])", timeout=PATIENCE_MS)
    shows(page, first)
    page.click("#story-redo")
    shows(page, second)
    page.click("#story-undo")
    shows(page, first)
    page.close()
