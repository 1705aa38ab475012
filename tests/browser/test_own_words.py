"""Words without the model in a real browser: Add, on after the end, what is never written."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import test_loop
from tests.browser.test_loop import press, settled
from tests.browser.test_page import send, story, write
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = test_loop.pytestmark


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "short", ends=True)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def test_one_s_own_words_join_the_story_and_the_model_writes_nothing(page):
    field = page.locator("#chat-input")
    field.fill("Once upon a time.")
    field.press("Shift+Enter")
    expect(page.locator(".passage")).to_have_count(1)
    expect(field).to_have_value("")
    field.fill("It was dark")
    field.press("Alt+Enter")
    field.type("and cold.")
    page.click("#story-add")
    expect(page.locator(".passage")).to_have_count(2)
    assert story(page) == "Once upon a time. It was dark\nand cold."
    page.keyboard.press("Alt+Z")
    expect(page.locator(".passage")).to_have_count(1)
    send(page, "/add Then")
    expect(page.locator(".passage")).to_have_count(2)
    assert story(page) == "Once upon a time. Then"


def test_after_the_end_it_goes_on_as_if_it_were_not_there(page):
    write(page, "Once")
    expect(page.locator("#story-end")).to_be_visible()
    expect(page.locator("#story-ladder")).to_be_enabled()
    ended = story(page)
    expect(page.locator("#story-continue")).to_have_text("Go on anyway")
    press(page, "#story-continue")
    settled(page)
    assert len(story(page)) > len(ended)
    send(page, "/with end=off max=7 on")
    settled(page)
    expect(page.locator("#story-end")).to_have_count(0)


def test_what_is_banned_is_shown_where_the_settings_are(page):
    send(page, "/ban fox, at once")
    page.click("#open-tune")
    expect(page.locator("#tune-banned")).to_have_value("fox, at once")
    expect(page.locator("#tune-heal")).to_be_checked()
    page.locator("#tune-banned").fill("wolf")
    page.locator("#tune-no_end").check()
    page.click("#tune-once")
    expect(page.locator("#armed")).to_contain_text("Never end On, Banned words wolf")
    page.keyboard.press("Escape")
    write(page, "Once")
    expect(page.locator(".facts-settings").first).to_contain_text("wolf")
