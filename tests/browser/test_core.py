"""A story of the compiled core in a real browser: its page looks and works as with PyTorch."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_loop import press, select, settled
from tests.browser.test_page import pytestmark, send, write  # noqa: F401 - it marks this file
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "slow", n_embd=128, n_layer=4, block_size=256)
    with running_app(tmp_path_factory.mktemp("app"), models, INKLING_CORE="numba") as base:
        yield base


def test_a_story_of_the_compiled_core_is_stopped_retried_and_written_the_same_again(page):
    send(page, "/with max=2048 t=2 p=1 Once upon a time")
    page.wait_for_function("document.querySelectorAll('.passage:nth-child(2) .part').length > 12")
    page.keyboard.press("Escape")
    part = settled(page)
    whole = write(page, "/with max=14 And then")
    assert whole.startswith(part)
    expect(page.locator(".facts-below")).to_contain_text("· numba bfloat16")
    assert press(page, "#story-retry") != whole
    page.click("#story-previous")
    expect(page.locator("#story-place")).to_have_text("1/2")
    select(page, 3)
    assert press(page, ".passage-row .act-again") == whole
    toast = page.locator("[data-sonner-toast]").first
    expect(toast).to_contain_text("The same again, to the letter")
    expect(page.locator("#story-place")).to_have_text("1/2")
