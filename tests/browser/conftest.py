"""The browser of these files: Debian's own Chromium, `apt-get install chromium`.

To open a page costs 4.4 seconds of a processor where its browser knows nothing yet, and 2.1 where
another fetched and compiled the code before: so the pages share a browser context and a process,
and each finds them without a cookie or anything else that the one before had stored. What was
compiled is known by its address: the apps of the files have the same port, one after the other.
"""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.test_page import ARGS, PATIENCE_MS, open_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ONE_PROCESS = "--renderer-process-limit=1"
"""For all pages of a context: what one compiled is there for the next."""
STORED = "cookies,local_storage,indexeddb,service_workers,cache_storage"
"""What a page can leave to the next; what was fetched is no part of it."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        if os.environ.get("INKLING_REQUIRE_BROWSER") == "1":
            pytest.fail("no chromium on the PATH: apt-get install chromium")
        pytest.skip("no chromium on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, ONE_PROCESS])
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1360, "height": 850}, color_scheme="light")
    context.set_default_timeout(PATIENCE_MS)
    yield context
    context.close()


def _blank(context: BrowserContext, base: str) -> Page:
    page = context.new_page()
    where = {"origin": base, "storageTypes": STORED}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", where)
    context.clear_cookies()
    context.set_offline(False)
    return page


@pytest.fixture(scope="package")
def stays(context: BrowserContext) -> Iterator[Page]:
    """A page that does nothing, by which the process of the others stays."""
    page = context.new_page()
    page.route("**", lambda route: route.fulfill(body=""))
    page.goto("http://127.0.0.1/")  # Chromium tells sites apart without the port
    yield page
    page.close()


@pytest.fixture
def blank(context: BrowserContext, stays: Page) -> Iterator[Callable[[str], Page]]:
    """Gives a page that is nowhere yet, for which nothing is stored, to visit an app from.

    What the pages that it gave before had stored is gone with the next.
    """
    pages: list[Page] = []

    def opened(base: str) -> Page:
        pages.append(_blank(context, base))
        return pages[-1]

    yield opened
    for page in pages:
        page.close()


@pytest.fixture
def page(blank: Callable[[str], Page], base: str) -> Iterator[Page]:
    """A desk with a blank page; at the end nothing came from elsewhere, and nothing broke."""
    page = blank(base)
    foreign: list[str] = []
    broken: list[str] = []
    ours = (base, base.replace("http", "ws"), "data:", "blob:")
    page.on("request", lambda r: None if r.url.startswith(ours) else foreign.append(r.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    open_page(page, base)
    yield page
    page.close()
    assert foreign == []
    assert broken == []
