"""The login page says what the server says, and a page that was signed out of is out."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from chat.accounts import write_account
from chat.accounts.throttle import FREE_TRIES
from tests.browser.test_memory import enter
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    app, models = tmp_path_factory.mktemp("app"), tmp_path_factory.mktemp("models")
    save_characters(models / "letters", starters=["Once"])
    write_account(app / "stories", "ada", "correct horse")
    write_account(app / "stories", "bob", "battery staple")
    with running_app(app, models) as base:
        yield base


@pytest.fixture
def page(blank: Callable[[str], Page], base: str) -> Page:
    return blank(base)


def test_the_page_says_whether_it_is_wrong_or_too_often_and_how_long_to_wait(page: Page, base: str):
    notice = page.locator("form [role=alert]")
    enter(page, base, "ada", "wrong horse")
    expect(notice).to_have_text("This name and this password do not fit.")
    for number in range(FREE_TRIES):
        page.fill("#password", f"wrong horse {number}")
        with page.expect_response("**/login"):
            page.press("#password", "Enter")
    expect(notice).to_have_text("Too many tries: wait 1 second.")


def test_the_page_says_so_where_the_server_is_not_reached(page: Page, base: str):
    page.goto(base + "/login")
    page.route("**/login", lambda route: route.abort())
    page.fill("#email", "ada")
    page.fill("#password", "correct horse")
    page.press("#password", "Enter")
    expect(page.locator("form [role=alert]")).to_have_text(
        "Inkling cannot be reached: does it still run?"
    )


def test_signing_out_closes_the_other_pages_of_the_browser(page: Page, base: str):
    context = page.context
    other = context.new_page()
    enter(page, base, "bob", "battery staple")
    page.wait_for_selector("#story-begin")
    other.goto(base)
    other.wait_for_selector("#story-begin")
    token = context.cookies(base)
    page.click("#user-nav-button")
    page.get_by_role("menuitem", name="Logout").click()
    page.wait_for_selector("#password")
    # Whoever took the cookie has nothing: it is not only gone from the browser.
    context.add_cookies(token)  # pyright: ignore[reportArgumentType]
    assert page.request.get(base + "/user").status == 401
    other.reload()
    other.wait_for_selector("#password")
    other.close()
