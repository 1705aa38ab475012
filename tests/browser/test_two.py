"""Two browsers at once: each writes its own story, and sees no other."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.test_compare import compare, takes
from tests.browser.test_loop import settled, tell
from tests.browser.test_page import PATIENCE_MS, open_page, send, story
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser

CATS, DOGS = "The cats went out and", "A dog came in and"


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    for name in ("one", "other"):
        save_characters(models / name, n_embd=64, n_layer=2, block_size=256)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


@pytest.fixture
def pages(browser: Browser, blank: Callable[[str], Page], base: str) -> Iterator[list[Page]]:
    """Two browsers that share nothing, each at a blank page."""
    other = browser.new_page(viewport={"width": 1360, "height": 850})
    pages = [blank(base), other]
    for page in pages:
        page.set_default_timeout(PATIENCE_MS)
        open_page(page, base)
    yield pages
    other.close()


def test_two_browsers_write_at_once_and_each_shows_only_its_own(pages):
    starts = (CATS, DOGS)
    for page, start in zip(pages, starts, strict=True):
        send(page, f"/with max=300 t=1.3 {start}")
    for page in pages:
        page.wait_for_function("document.querySelectorAll('[data-author=model] .part').length > 9")
    # Both are at it now, or were; look again and again until both are done.
    while any(page.locator(".story[data-busy=true]").count() for page in pages):
        for page, own, other in zip(pages, starts, reversed(starts), strict=True):
            text = story(page)
            assert text.startswith(own)
            assert other not in text
        pages[0].wait_for_timeout(50)
    texts = [settled(page) for page in pages]
    assert [len(text) for text in texts] == [len(start) + 300 for start in starts]
    # After a reload each still has its own.
    for page, text in zip(pages, texts, strict=True):
        page.reload()
        page.wait_for_function(f"document.querySelectorAll('.part').length > {len(text) // 2}")
        assert story(page) == text


def test_two_browsers_compare_at_once_and_vote_each_for_its_own(pages):
    for page in pages:
        tell(page, "/max 30")
        compare(page, "one", "other", blind=True)
    for page, start in zip(pages, (CATS, DOGS), strict=True):
        page.fill("#chat-input", start)
        page.click("#compare-begin")
    written = [takes(page) for page in pages]
    pages[0].click("#vote-a")
    pages[0].wait_for_selector("#verdict")
    # The other one still waits for its own choice.
    assert pages[1].locator(".take-label").all_text_contents() == ["A", "B"]
    pages[1].click("#vote-b")
    pages[1].wait_for_selector("#verdict")
    assert story(pages[0]) == CATS + written[0][0]
    assert story(pages[1]) == DOGS + written[1][1]
