"""Words that only the page has: each comes back, whatever happens to the page or to the server."""

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from chat.accounts import write_account
from tests.browser.test_loop import settled, tell
from tests.browser.test_memory import enter
from tests.browser.test_page import (
    PATIENCE_MS,
    open_page,
    set_values,
    start_anew,
    story,
    write,
)
from tests.support.app_server import running_app, start_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = [pytest.mark.browser, pytest.mark.fresh]

STORED = "() => Object.keys(localStorage).filter(key => key.startsWith('inkling.draft.')).length"
NONE_STORED = f"() => !({STORED})()"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    models = tmp_path_factory.mktemp("models")
    # Wide enough that a page which is held up sees it write, and can stop it.
    save_characters(models / "letters", n_embd=128, n_layer=4, block_size=256, starters=["Once"])
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
    page.locator(".passage").nth(passage).locator(".part:not(.blank)").first.click()
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


def test_a_closed_tab_leaves_its_line_to_the_next(page, context, base):
    line(page).fill("Half a line")
    page.close()
    page = context.new_page()
    open_page(page, base)
    expect(line(page)).to_have_value("Half a line")
    page.close()


def test_two_windows_on_one_story_write_one_line(page, context):
    begin(page)
    other = context.new_page()
    other.goto(page.url)
    other.wait_for_selector("#story-retry")
    line(page).fill("It was")
    expect(line(other)).to_have_value("It was")
    line(other).fill("It was night")
    expect(line(page)).to_have_value("It was night")
    line(page).fill("")
    expect(line(other)).to_have_value("")
    other.close()


def test_the_words_in_panels_come_back_after_a_reload_until_they_are_used(page):
    begin(page)
    page.click("#story-retry")
    settled(page)
    page.click("#open-branches")
    page.locator("#branch-list .branch").first.get_by_role("button", name="Name").click()
    page.fill(".branch-name input", "The long way home")
    page.click("#open-tune")
    page.fill("#tune-banned", "suddenly, dark and stormy")
    page.fill("#tune-name", "My own")
    page.wait_for_timeout(300)
    reload(page)
    page.click("#open-tune")
    expect(page.locator("#tune-banned")).to_have_value("suddenly, dark and stormy")
    expect(page.locator("#tune-name")).to_have_value("My own")
    page.click("#tune-once")
    page.click("#tune-save")
    page.click("#open-branches")
    page.locator("#branch-list .branch").first.get_by_role("button", name="Name").click()
    expect(page.locator(".branch-name input")).to_have_value("The long way home")
    page.press(".branch-name input", "Enter")
    expect(page.locator("#branch-list")).to_contain_text("The long way home")
    page.wait_for_function(NONE_STORED)


def test_esc_asks_before_the_words_of_an_edit_go(page):
    text = begin(page)
    edit(page, "Twice <i>upon</i> a time")
    page.keyboard.press("Escape")
    question = page.get_by_role("alertdialog")
    expect(question).to_contain_text("not saved")
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    expect(page.locator(".edit-words")).to_be_focused()
    expect(page.locator(".edit-words")).to_have_text("Twice <i>upon</i> a time")
    page.click(".passage-row > .act-cancel")
    question.locator(".act-drop").click()
    expect(page.locator(".edit-words, .edit-note")).to_have_count(0)
    assert story(page) == text
    # Nothing is asked where nothing would go.
    page.click(".act-edit")
    page.keyboard.press("Escape")
    expect(page.locator(".edit-words")).to_have_count(0)
    expect(question).to_have_count(0)
    edit(page, "Thrice")
    page.keyboard.press("Escape")
    question.locator(".act-save").click()
    expect(page.locator(".passage").first).to_contain_text("Thrice")
    page.wait_for_function(NONE_STORED)


def click_elsewhere(page: Page) -> None:
    page.locator(".passage").nth(1).locator(".part").first.click()


def go_on(page: Page) -> None:
    line(page).focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".passage >> nth=2")
    settled(page)


def send_a_line(page: Page) -> None:
    write(page, "/with max=3 And so")


@pytest.mark.parametrize("leave", [click_elsewhere, go_on, send_a_line, reload])
def test_an_edit_that_is_left_is_offered_where_its_passage_stands(page, leave):
    begin(page)
    edit(page, "Twice <i>upon</i> a time")
    leave(page)
    if leave is not send_a_line:  # from the composer the page goes back to the edit by itself
        note = page.locator(".passage").first.locator(".edit-note")
        expect(note).to_contain_text("not saved")
        expect(page.locator(".passage").first.locator(".edit-words")).to_have_count(0)
        note.locator(".act-go-on").click()
    expect(page.locator(".edit-words")).to_have_text("Twice <i>upon</i> a time")
    page.click(".passage-row > .act-save")
    expect(page.locator(".passage").first).to_contain_text("Twice <i>upon</i> a time")
    expect(page.locator(".edit-note")).to_have_count(0)


def test_an_edit_that_opens_only_once_the_model_has_written_leaves_the_caret_where_one_types(page):
    begin(page)
    edit(page, "Twice")
    reload(page)
    line(page).focus()
    # While a page that was reloaded comes back to its socket it says so, and keeps the line.
    tell(page, "/with max=2048 t=1 And")
    page.wait_for_selector(".story[data-busy=true]")
    page.click(".edit-note .act-go-on")
    line(page).focus()
    page.keyboard.type("then ")
    page.evaluate("document.getElementById('stop-button').click()")  # leaves the focus
    page.wait_for_selector(".edit-words")
    page.keyboard.type("a cat")
    expect(line(page)).to_have_value("then a cat")
    expect(page.locator(".edit-words")).to_have_text("Twice")


def test_an_edit_of_words_that_are_gone_can_be_had_all_the_same(page):
    begin(page)
    edit(page, "Other words", passage=1)
    page.click("#story-retry")
    settled(page)
    note = page.locator(".story > div > .edit-note")
    expect(note).to_contain_text("“Other words”")
    note.locator(".act-take").click()
    expect(line(page)).to_have_value("Other words")
    expect(page.locator(".edit-note")).to_have_count(0)


def test_a_line_that_cannot_be_sent_stays_in_the_composer(page):
    begin(page)
    told = page.locator("[data-sonner-toast]")
    # Chromium breaks so many words into lines for ten seconds.
    page.add_style_tag(content="#chat-input { white-space: pre !important }")
    page.evaluate("() => inkling.composer.setInput('word '.repeat(220_000))")
    line(page).press("Enter")
    expect(told.first).to_contain_text("1,100,")
    expect(told.first).to_contain_text("at most 990,000")
    assert page.evaluate("() => inkling.composer.input().value.length") == 1_100_000
    page.evaluate("() => inkling.composer.setInput('It was night')")
    page.context.set_offline(True)
    page.evaluate("() => inkling.desk.unsent.connect()")
    line(page).press("Enter")
    expect(told.filter(has_text="no connection")).to_be_visible()
    expect(line(page)).to_have_value("It was night")
    page.context.set_offline(False)
    line(page).fill("")


def test_a_page_that_cannot_ask_who_is_signed_in_stays(page):
    """Chainlit asks again when its window is looked at, and would leave for the sign-in."""
    line(page).fill("Half a line")
    page.route("**/user", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.evaluate("setInterval(() => window.dispatchEvent(new Event('focus')), 200); 0")
    with page.expect_event("requestfailed"):  # it is asked again
        pass
    expect(line(page)).to_have_value("Half a line")
    assert "/login" not in page.url
    page.unroute("**/user")
    line(page).fill("")


def test_words_are_copied_with_the_line_ends_of_the_story(page, context, base):
    begin(page)
    write(page, "/with max=6 t=1 Then")
    whole = settled(page)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
    page.evaluate(
        "() => document.getSelection().selectAllChildren(document.getElementById('story-text'))"
    )
    page.keyboard.press("Control+C")
    assert page.evaluate("() => navigator.clipboard.readText()") == whole
    # From the middle of a passage to beyond the story.
    page.evaluate(
        "() => document.getSelection().setBaseAndExtent("
        "document.querySelector('.passage .part').firstChild, 2,"
        " document.body, document.body.childNodes.length)"
    )
    page.keyboard.press("Control+C")
    assert page.evaluate("() => navigator.clipboard.readText()") == whole[2:]


def test_a_browser_that_keeps_nothing_says_so_once(page):
    page.evaluate(
        "() => { Storage.prototype.setItem = () => {"
        " throw new DOMException('full', 'QuotaExceededError'); } }"
    )
    line(page).fill("Half")
    line(page).fill("Half a line")
    expect(page.locator("[data-sonner-toast]")).to_have_count(1)
    expect(page.locator("[data-sonner-toast]")).to_contain_text("no room for drafts")
    expect(line(page)).to_have_value("Half a line")


def test_beside_a_bad_value_the_good_ones_of_the_gear_are_set(page):
    set_values(page, max_new_tokens="99999", seed="7")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("1 to 2048")
    page.click("#chat-settings-open-modal")
    expect(page.locator("#chat-settings input#seed")).to_have_value("7")


def test_the_dials_of_a_retry_that_was_refused_come_back_as_they_were_turned(page):
    text = begin(page, "/with max=6 t=1 seed=5 Once upon a time")
    page.locator(".passage[data-author=model] .part").filter(
        has_text=re.compile("[a-z]")
    ).first.click()
    page.click(".act-retry-with")
    page.fill("#tune-seed", "7")
    page.fill("#tune-max_new_tokens", "99999")
    page.click("#tune-retry")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("1 to 2048")
    expect(page.locator("#tune-seed")).to_have_value("7")
    expect(page.locator("#tune-max_new_tokens")).to_have_value("99999")
    page.fill("#tune-max_new_tokens", "3")
    page.click("#tune-retry")
    expect(page.locator(".facts-below")).to_contain_text("Seed 7")
    expect(page.locator("#panel-tune")).to_have_count(0)
    assert story(page) != text


def sign_out(page: Page) -> None:
    leave = page.get_by_role("menuitem", name="Logout")
    page.click("#user-nav-button")
    leave.click()
    expect(leave).to_have_count(0)


def test_a_sign_out_asks_and_leaves_no_draft_to_the_next_account(browser, models, tmp_path):
    for name in ("ada", "bob"):
        write_account(tmp_path / "stories", name, "correct horse")
    with running_app(tmp_path, models) as base:
        context = browser.new_context()
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        enter(page, base, "ada", "correct horse")
        page.wait_for_selector("#story-begin")
        line(page).fill("A secret of Ada's")
        asked: list[str] = []
        page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
        sign_out(page)
        expect(page.locator("[data-sonner-toast]")).to_contain_text("still signed in")
        assert "A draft is in this browser" in asked[0]
        page.once("dialog", lambda dialog: dialog.accept())
        sign_out(page)
        page.wait_for_selector("#password")
        assert page.evaluate("() => JSON.stringify(localStorage)").count("secret") == 0
        # Nor where nobody signed out: a token ended.
        enter(page, base, "ada", "correct horse")
        page.wait_for_selector("#story-begin")
        line(page).fill("A secret of Ada's")
        context.clear_cookies()
        enter(page, base, "bob", "correct horse")
        page.wait_for_selector("#story-begin")
        expect(line(page)).to_have_value("")
        page.wait_for_function("() => !JSON.stringify(localStorage).includes('secret')")
        context.close()


def test_a_server_that_was_killed_costs_no_word(browser, models, tmp_path):
    process, base = start_app(tmp_path, models)
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    try:
        open_page(page, base)
        begin(page)
        page.wait_for_function(NONE_STORED)
        edit(page, "Twice upon a time")
        page.locator(".tail").click(position={"x": 1, "y": 1})
        line(page).fill("Half a line")
        # Chainlit sends no line while it takes the one before for unfinished.
        expect(page.locator("#stop-button")).to_have_count(0)
        # A stopped server hears the line no more, and the page does not know.
        process.send_signal(signal.SIGSTOP)
        line(page).fill("A line that nobody heard")
        line(page).press("Enter")
        expect(line(page)).to_have_value("")
        line(page).fill("Half a line")
        process.kill()
        process.wait(10)
        page.wait_for_function("() => !inkling.desk.isConnected()")
        line(page).press("Enter")
        expect(page.locator("[data-sonner-toast]").first).to_contain_text("no connection")
        process, base = start_app(tmp_path, models, port=int(base.rsplit(":", 1)[1]))
        expect(line(page)).to_have_value("A line that nobody heard\nHalf a line", timeout=60_000)
        expect(page.locator(".passage").first).to_contain_text("Once upon a time")
        reload(page)
        expect(line(page)).to_have_value("A line that nobody heard\nHalf a line")
        page.click(".edit-note .act-go-on")
        expect(page.locator(".edit-words")).to_have_text("Twice upon a time")
    finally:
        context.close()
        process.kill()
        process.wait(10)
