"""The browser of these files: Debian's own Chromium, `apt-get install chromium`.

To open a page costs 4.4 seconds of a processor where its browser knows nothing yet, 2.1 where
another fetched and compiled the code before, and half a second where it is open and begins a new
story. So the pages share a browser context and a process, and `page` is that of the test before
where it can begin anew: what was stored is gone, and so is every panel. What was compiled is known
by its address: the apps of the files have the same port, one after the other.
"""

import os
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, ViewportSize, sync_playwright

from tests.browser.test_page import ARGS, PATIENCE_MS, open_page

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ONE_PROCESS = "--process-per-site"
"""For all pages of a context: what one compiled is there for the next."""
VIEWPORT = ViewportSize(width=1360, height=850)
ANEW_MS = 10_000
"""In which a page begins anew, or another one is opened."""
NEW_STORY = """() => {
  if (!document.querySelector('#story-new, #story-begin')) throw new Error('it is not drawn yet');
  for (const key of Object.keys(localStorage))
    if (key !== 'inkling.drafts-of') localStorage.removeItem(key);
  document.querySelector('#story-new, #new-chat-button')?.click();
}"""
"""The writer stays who it was, whose drafts would be another's otherwise. Before a story has words
the page has the button of Chainlit's alone."""
PASSED = pytest.StashKey[bool]()
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
    context = browser.new_context(viewport=VIEWPORT, color_scheme="light")
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


@dataclass
class Desk:
    """A page that has a desk open, and what should not have happened on it."""

    page: Page
    base: str
    foreign: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def open(self) -> None:
        ours = (self.base, self.base.replace("http", "ws"), "data:", "blob:")
        self.page.on(
            "request", lambda r: None if r.url.startswith(ours) else self.foreign.append(r.url)
        )
        self.page.on("pageerror", lambda error: self.broken.append(str(error)))
        open_page(self.page, self.base)

    def begins_anew(self) -> bool:
        """Whether it is as it was when it was opened, but for the stories in the list, and for
        what a test had it run."""
        page = self.page
        try:
            page.context.set_offline(False)
            page.unroute_all()
            page.set_viewport_size(VIEWPORT)
            page.emulate_media(color_scheme="light")
            if page.locator("[role=dialog], [role=alertdialog], [data-sonner-toast]").count():
                return False
            page.evaluate(NEW_STORY)
            for part in ("#story-begin", "#chat-settings-open-modal", "#mode-picker-trigger-model"):
                page.wait_for_selector(part, timeout=ANEW_MS)
        except Error:
            return False
        return True


@pytest.fixture(scope="module")
def left() -> Iterator[list[Desk]]:
    """The desk of the test before in this file, whose app it is of, if that test passed."""
    left: list[Desk] = []
    yield left
    for desk in left:
        desk.page.close()


@pytest.fixture
def blank(
    context: BrowserContext, stays: Page, left: list[Desk]
) -> Iterator[Callable[[str], Page]]:
    """Gives a page that is nowhere yet, for which nothing is stored, to visit an app from.

    What the pages that it gave before had stored is gone with the next.
    """
    pages: list[Page] = []

    def opened(base: str) -> Page:
        while left:  # it would ask as nobody
            left.pop().page.close()
        pages.append(_blank(context, base))
        return pages[-1]

    yield opened
    for page in pages:
        page.close()


@pytest.fixture
def page(
    request: pytest.FixtureRequest,
    context: BrowserContext,
    stays: Page,
    left: list[Desk],
    base: str,
) -> Iterator[Page]:
    """A desk with a blank page; at the end nothing came from elsewhere, and nothing broke."""
    desk = left.pop() if left else None
    fresh = request.node.get_closest_marker("fresh")
    if desk and (fresh or desk.base != base or not desk.begins_anew()):
        desk.page.close()
        desk = None
    if not desk:
        desk = Desk(_blank(context, base), base)
        desk.open()
    yield desk.page
    well = request.node.stash.get(PASSED, False) and not (desk.foreign or desk.broken)
    if well and not desk.page.is_closed():
        left.append(desk)
    else:
        desk.page.close()
    assert desk.foreign == []
    assert desk.broken == []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "call":
        item.stash[PASSED] = report.passed
    return report
