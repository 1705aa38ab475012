"""Retry, alternatives, edits, undo and takes in a real browser, as a writer meets them."""

import time
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt.text.sentences import ends_sentence
from tests.browser.test_page import send, story, write
from tests.support.app_server import lend_stories, other_work, running_app, status

STOP_S = 0.2
"""So soon after a Stop nothing is being written."""
IDLE = "document.querySelector('.tail[data-busy=false] #story-new')"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def soon_s() -> float:
    """`STOP_S`, and more by as much as the machine has other work."""
    return STOP_S * other_work()


def stop_while_it_writes(page: Page, base: str, written: str, *, stories: int) -> None:
    """Press Stop once words stand where the selector `written` says; the engine is idle at once."""
    page.wait_for_function(
        "query => document.querySelector('.tail[data-busy=true]') &&"
        " [...document.querySelectorAll(query)].some(each => each.textContent)",
        arg=written,
    )
    asked_s = time.monotonic()
    assert status(base)["active"] == stories
    latency_s = time.monotonic() - asked_s
    page.click("#stop-button")
    stopped_s = time.monotonic()
    while status(base)["active"]:
        assert time.monotonic() - stopped_s < soon_s() + 2 * latency_s
    settled(page)


def settled(page: Page) -> str:
    """Wait until nobody writes; give the whole story."""
    page.wait_for_function(IDLE)
    return story(page)


def press(page: Page, what: str) -> str:
    """Press what asks the model, wait for its words; give the whole story."""
    page.evaluate(
        "window.__wrote = false;"
        "new MutationObserver((_, own) => { if (document.querySelector('.tail[data-busy=true]'))"
        " { window.__wrote = true; own.disconnect(); } })"
        ".observe(document.body, {subtree: true, childList: true, attributes: true})"
    )
    if what.startswith("/"):
        send(page, what)
    else:
        page.click(what)
    page.wait_for_function("window.__wrote")
    return settled(page)


def tell(page: Page, command: str) -> None:
    """Give a command that needs no model."""
    send(page, command)
    field = page.locator("#chat-input")
    # While Chainlit has the line before in hand it takes no Enter; one that the server has no time
    # for comes back.
    page.wait_for_timeout(100)
    while field.input_value():
        page.wait_for_selector(".story[data-busy=false]", state="attached")
        field.press("Enter")
        page.wait_for_timeout(100)


def passage(page: Page, at: int):
    return page.locator("#story-text .passage").nth(at)


def select(page: Page, at: int, part: int = 0) -> None:
    passage(page, at).locator(".part").nth(part).click()
    page.wait_for_selector(".passage-row")


def test_a_retry_keeps_the_old_one_and_the_arrows_switch(page):
    first = write(page, "/with max=12 Once upon a time")
    expect(page.locator("#story-place")).to_have_count(0)
    second = press(page, "#story-retry")
    assert second != first
    assert second.startswith("Once upon a time")
    expect(page.locator("#story-place")).to_have_text("2/2")
    page.click("#story-previous")
    expect(page.locator("#story-place")).to_have_text("1/2")
    assert story(page) == first
    expect(page.locator("#story-previous")).to_be_disabled()
    # With keys: typing in the composer only with Alt, elsewhere the arrow alone.
    page.focus("#chat-input")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+Period")
    expect(page.locator("#story-place")).to_have_text("2/2")
    assert story(page) == second
    page.locator("#story-text").press("ArrowLeft")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#story-place")).to_have_text("1/2")
    # An alternative comes back with all that followed it.
    longer = write(page, "/with max=5")
    select(page, 1)
    page.click(".passage-row .act-next")
    expect(page.locator("#story-place")).to_have_text("2/2")
    assert story(page) == second
    page.click("#story-previous")
    expect(page.locator("#story-place")).to_have_text("1/2")
    assert story(page) == longer


def test_the_models_words_are_edited_and_it_goes_on_from_them(page):
    write(page, "/with max=10 Once upon a time")
    tail = write(page, "/with max=8")
    written = passage(page, 2).locator(".part").all_text_contents()
    select(page, 1)
    page.click(".act-edit")
    page.fill(".edit-words", " a cat sat.")
    page.keyboard.press("Control+Enter")
    expect(passage(page, 1)).to_have_attribute("data-author", "edited")
    kept = "Once upon a time a cat sat." + "".join(written)
    assert story(page) == kept != tail
    longer = write(page, "/with max=5")
    assert longer.startswith(kept)
    # The text as it was is one step to the left, with what followed.
    select(page, 1)
    page.click(".passage-row .act-previous")
    page.wait_for_function("text => document.querySelectorAll('.passage').length === 3", arg=tail)
    assert story(page) == tail
    # Save and continue: on from there, with the rest left out.
    tell(page, "/max 6")
    select(page, 0)
    page.click(".act-edit")
    page.fill(".edit-words", "One day")
    page.click(".act-go-on")
    page.wait_for_function("document.querySelectorAll('.passage').length === 2")
    assert settled(page).startswith("One day")


def test_branch_and_cut_go_on_from_the_place_that_was_clicked(page):
    write(page, "/with max=12 Once upon a time")
    whole = write(page, "/with max=6 and then")
    select(page, 1, part=4)
    parts = passage(page, 1).locator(".part").all_text_contents()
    page.click(".act-cut")
    expect(page.locator("#story-text .passage")).to_have_count(2)
    assert story(page) == "Once upon a time" + "".join(parts[:5])
    tell(page, "/undo")
    page.wait_for_function("document.querySelectorAll('.passage').length === 4")
    assert story(page) == whole
    select(page, 1)
    page.click(".act-branch")
    expect(page.locator("#story-text .passage")).to_have_count(2)
    branched = write(page, "/with max=5")
    assert branched.startswith("Once upon a time" + "".join(parts))
    expect(page.locator("#story-place")).to_have_text("2/2")


def test_undo_and_redo_with_buttons_keys_and_commands(page):
    first = write(page, "/with max=8 Once upon a time")
    second = write(page, "/with max=8 and")
    page.click("#story-undo")
    page.wait_for_function("document.querySelectorAll('.passage').length === 2")
    assert story(page) == first
    page.focus("#chat-input")
    page.keyboard.press("Alt+Shift+KeyZ")
    page.wait_for_function("document.querySelectorAll('.passage').length === 4")
    assert story(page) == second
    expect(page.locator("#story-redo")).to_be_disabled()
    tell(page, "/undo 2")
    expect(page.locator("#story-text .passage")).to_have_count(0)
    tell(page, "/redo")
    page.wait_for_function("document.querySelectorAll('.passage').length === 2")
    assert story(page) == first
    # In a text field Ctrl+Z is the field's own.
    page.fill("#chat-input", "words")
    page.keyboard.press("Control+KeyZ")
    assert story(page) == first
    page.fill("#chat-input", "")
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("Control+KeyZ")
    expect(page.locator("#story-text .passage")).to_have_count(0)


def test_a_text_that_reaches_its_length_goes_on_to_the_end_of_its_sentence(page):
    text = write(page, "/with max=3 t=0.5 Once upon a time there was a little")
    assert ends_sentence(text)
    expect(page.locator(".facts-below")).to_contain_text("finished the sentence")
    expect(page.locator("#story-continue")).to_be_visible()
    expect(page.locator("#story-finish")).to_be_disabled()


def test_a_sentence_is_finished(page):
    write(page, "/with max=3 end=0 t=0.5 Once upon a time there was a little")
    text = press(page, "#story-finish")
    expect(page.locator(".facts-below")).to_contain_text("finished the sentence")
    assert ends_sentence(text)
    send(page, "/finish")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("is finished")


def test_takes_stand_side_by_side_and_one_is_picked(page):
    before = write(page, "/with max=4 Once upon a time")
    tell(page, "/max 10")
    page.select_option("#story-takes", "3")
    page.click("#story-continue")
    page.wait_for_selector(".take:nth-child(3):not(:disabled)")
    takes = page.locator(".take-words").all_text_contents()
    assert len(takes) == 3
    assert len(set(takes)) > 1
    boxes = [page.locator(".take").nth(at).bounding_box() for at in range(3)]
    assert len({round(box["y"]) for box in boxes if box}) == 1
    assert story(page) == before
    page.locator(".take").nth(2).click()
    expect(page.locator(".takes")).to_have_count(0)
    assert story(page) == before + takes[2]
    expect(page.locator("#story-place")).to_have_text("3/3")
    page.click("#story-previous")
    expect(page.locator("#story-place")).to_have_text("2/3")
    assert story(page) == before + takes[1]


@pytest.mark.parametrize("how", ["retry", "continue", "takes", "edit"])
def test_stop_keeps_the_text_and_leaves_the_engine_idle(page, base, how):
    before = write(page, "/with max=4 end=0 Once upon a time")
    tell(page, "/temp 2")
    tell(page, "/p 1")  # no story ends so: each token is as good as another
    tell(page, "/seed 1")  # nor by chance
    tell(page, "/max 2000")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("2000")
    settled(page)
    if how == "takes":
        page.select_option("#story-takes", "3")
    if how == "edit":
        select(page, 0)
        page.click(".act-edit")
        page.fill(".edit-words", "One day")
        page.click(".act-go-on")
    else:
        page.click("#story-retry" if how == "retry" else "#story-continue")
    written = ".take-words" if how == "takes" else ".passage:last-child .part:nth-child(n + 12)"
    stop_while_it_writes(page, base, written, stories=3 if how == "takes" else 1)
    if how == "takes":
        kept = page.locator(".take-words").all_text_contents()
        assert any(kept)
        expect(page.locator(".take-facts").first).to_contain_text("stopped by you")
    else:
        expect(page.locator(".facts-below")).to_contain_text("stopped by you")
        start = {"retry": "Once upon a time", "continue": before, "edit": "One day"}[how]
        assert len(story(page)) > len(start)
        assert story(page).startswith(start)


def test_commands_do_the_same_and_say_what_is_wrong(page):
    write(page, "/with max=5 Once upon a time")
    tell(page, "/temp 0.4")
    tell(page, "/seed 7")
    tell(page, "/max 9")
    press(page, "/retry")
    facts = page.locator(".facts-below")
    expect(facts.locator("[data-setting=temperature] i")).to_have_text("0.4")
    expect(facts.locator("[data-setting=seed] i")).to_have_text("7")
    expect(facts.locator("[data-setting=max_new_tokens] i")).to_have_text("9")
    page.click("#chat-settings-open-modal")
    expect(page.locator("#chat-settings input#seed")).to_have_value("7")
    page.keyboard.press("Escape")
    page.wait_for_selector("#chat-settings", state="detached")
    press(page, "/continue 2")
    expect(page.locator(".take")).to_have_count(2)
    send(page, "/retry 99")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("1 to 8")
    expect(page.locator("#chat-input")).to_have_value("/retry 99")
    tell(page, "/help")
    expect(page.locator("#story-help")).to_contain_text("/retry 3")
    expect(page.locator("#story-help")).to_contain_text("Alt+R")
    for control in page.locator(".tail button, .tail select").all():
        assert control.get_attribute("title")
