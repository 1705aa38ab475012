"""A line that is lost and found again, and an address that no story stands behind yet."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import test_loop
from tests.browser.test_loop import settled, soon_s
from tests.browser.test_page import PATIENCE_MS, send, story, write
from tests.support.app_server import running_app, status
from tests.support.tiny_checkpoint import save_characters

pytestmark = test_loop.pytestmark
STILL = """new Promise(async resolve => {
    const count = () => document.querySelectorAll('#story-text .part').length;
    for (let before = -1; before !== count(); await new Promise(each => setTimeout(each, 400)))
        before = count();
    resolve(true);
})"""
GROWN = "have => document.querySelectorAll('#story-text .part').length > have"


@pytest.fixture(scope="module")
def base(browser, tmp_path_factory) -> Iterator[str]:
    """With a model that takes its time, and never ends a story."""
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "noise", n_embd=512, n_layer=8, block_size=256)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def parts(page) -> int:
    return page.locator("#story-text .part").count()


def test_stop_works_after_the_page_was_offline_and_came_back(page, base):
    send(page, "/with max=2048 t=1 Once upon a time")
    page.wait_for_function(GROWN, arg=20)
    page.context.set_offline(True)
    # The line is down when nothing comes any more, though the model writes on.
    page.wait_for_function(STILL)
    assert status(base)["active"] == 1
    page.context.set_offline(False)
    page.wait_for_function(GROWN, arg=parts(page) + 5)
    page.wait_for_selector("#stop-button")
    asked_s = time.monotonic()
    assert status(base)["active"] == 1
    latency_s = time.monotonic() - asked_s
    page.click("#stop-button")
    stopped_s = time.monotonic()
    while status(base)["active"]:
        assert time.monotonic() - stopped_s < soon_s() + 2 * latency_s
    expect(page.locator(".facts-below")).to_contain_text("stopped by you")
    whole = settled(page)
    page.reload()
    page.wait_for_selector("#story-retry")
    assert story(page) == whole


@pytest.mark.parametrize("line", ["/with t=9 Once", "/help"])
def test_a_reload_after_a_first_line_that_wrote_nothing_gives_a_page_that_works(page, base, line):
    send(page, line)
    if line == "/help":
        expect(page.locator("#story-help")).to_be_visible()
    else:
        expect(page.locator("[data-sonner-toast]").first).to_contain_text("0 to 2")
    page.reload()
    page.wait_for_selector("#story-begin", timeout=PATIENCE_MS)
    text = write(page, "/with max=6 Once upon a time")
    assert text.startswith("Once upon a time")
    page.reload()
    page.wait_for_selector("#story-retry")
    assert story(page) == text


def test_who_asks_for_a_new_chat_while_a_story_is_on_its_way_sees_one_desk(page):
    write(page, "/with max=6 Once")
    page.reload()
    page.wait_for_selector("#thread-history")
    page.click("#new-chat-button")
    page.wait_for_selector("#story-begin, #story-new")
    send(page, "/with max=6 Then")
    expect(page.locator("#story-text").first).to_contain_text("Then")
    expect(page.locator("#story-text")).to_have_count(1)
