"""The dice laid open in a real browser: tokens, live dice, the ladder, noise to the letter."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_loop import settled, stop_while_it_writes, tell
from tests.browser.test_page import story, write
from tests.support.app_server import lend_stories, running_app
from tests.support.tiny_checkpoint import save_bytes, save_characters

NOISE = " *#_<b>/:word\n"
HALVES = "\U0001f642é a"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    save_characters(models / "noise", letters=NOISE, block_size=256)
    save_bytes(models / "halves", noise=HALVES)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def parts(page: Page):
    return page.locator("#story-text .part[data-odds]")


def pick_model(page: Page, name: str) -> None:
    page.click("#mode-picker-trigger-model")
    page.get_by_text(name, exact=True).last.click()
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text(name)


def shade(page: Page) -> None:
    page.click("#story-tokens")
    expect(page.locator("#odds-legend")).to_be_visible()
    expect(page.locator("#story-text")).to_have_class("story-text shaded")


def test_pointing_at_a_token_shows_the_ten_likeliest_and_a_click_branches_there(page):
    whole = write(page, "/with max=14 t=1 Once upon a time")
    tokens = page.locator("#story-text .passage").nth(1).locator(".part").all_text_contents()
    shade(page)
    assert story(page) == whole
    parts(page).nth(5).hover()
    expect(page.locator(".odds-row.own")).to_have_count(1)
    assert page.locator(".odds-row").count() in (10, 11)
    expect(page.locator("#odds")).to_contain_text("equally likely choice")
    expect(page.locator(".odds-head")).to_contain_text("raw")
    expect(page.locator(".odds-head")).to_contain_text("after samplers")
    # The writer's own words claim nothing.
    assert page.locator(".passage[data-author=writer] [data-odds]").count() == 0
    tell(page, "/max 6")
    tell(page, "/end 0")
    parts(page).nth(5).click()
    row = page.locator(".odds-row:not(.own)").first
    chosen = row.get_attribute("data-token")
    row.click()
    page.wait_for_function("document.querySelectorAll('#story-text .passage').length === 3")
    new = settled(page)
    forked = page.locator("#story-text .passage").nth(1).locator(".part").all_text_contents()
    assert forked[:5] == tokens[:5]
    assert forked[5] != tokens[5]
    assert new.startswith("Once upon a time" + "".join(forked))
    expect(page.locator("#story-text .passage").nth(1)).to_have_attribute("data-place", "2/2")
    # What was drawn is shaded, and the other token has its own dice.
    assert parts(page).count() == 12
    parts(page).nth(5).click()
    expect(page.locator(".odds-row.own")).to_have_attribute("data-token", chosen or "")
    page.keyboard.press("Escape")
    tell(page, "/undo")
    page.wait_for_function("document.querySelectorAll('#story-text .passage').length === 2")
    assert story(page) == whole


def test_a_token_that_stands_there_is_gone_on_from(page):
    write(page, "/with max=10 Once upon a time")
    tokens = parts(page).all_text_contents()
    shade(page)
    # With keys alone: along the tokens, into the list.
    parts(page).first.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".odds-row.own")).to_be_visible()
    page.keyboard.press("Enter")
    page.locator(".odds-row.own").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelectorAll('#story-text [data-odds]').length === 4")
    assert story(page) == "Once upon a time" + "".join(tokens[:4])


def test_the_dice_reshape_as_the_settings_move(page):
    write(page, "/with max=5 seed=1 Once upon a time")
    before = story(page)
    page.click("#open-dice")
    rows = page.locator("#dice-rows .dice-row")
    expect(rows).to_have_count(20)
    # A cut that one sure token fills alone would hide what the temperature does.
    page.fill("#dice-top_p", "1")
    expect(page.locator("#dice-rows .dice-row.cut")).to_have_count(0)
    raw = page.locator(".dice-row[data-token] span:nth-of-type(1)").all_text_contents()
    after = "els => els.map(each => each.lastElementChild.textContent)"
    warm = rows.evaluate_all(after)
    page.fill("#dice-temperature", "0.2")
    page.wait_for_function(
        "warm => [...document.querySelectorAll('#dice-rows .dice-row')]"
        ".some((each, i) => each.lastElementChild.textContent !== warm[i])",
        arg=warm,
    )
    assert page.locator(".dice-row[data-token] span:nth-of-type(1)").all_text_contents() == raw
    page.fill("#dice-temperature", "2")
    page.fill("#dice-top_p", "1")
    page.fill("#dice-top_k", "4")
    expect(page.locator("#dice-told b")).to_have_text("4")
    expect(page.locator("#dice-rows .dice-row.cut")).to_have_count(16)
    # Words in the composer count, before they are sent.
    page.fill("#chat-input", "the wolf")
    expect(page.locator("#dice-after")).to_contain_text("the wolf")
    assert story(page) == before
    page.click("#dice-go")
    page.wait_for_function("document.querySelectorAll('#story-text .passage').length === 4")
    assert "the wolf" in settled(page)
    expect(page.locator(".facts-below [data-setting=top_k] i")).to_have_text("4")
    expect(page.locator(".facts-below [data-setting=temperature] i")).to_have_text("2")
    expect(page.locator("#chat-input")).to_have_value("")


def test_a_ladder_stands_in_order_and_one_is_picked(page):
    before = write(page, "/with max=4 Once upon a time")
    tell(page, "/max 10")
    page.click("#story-ladder")
    page.wait_for_selector(".take:nth-child(5):not(:disabled)")
    labels = page.locator(".take-label").all_text_contents()
    assert labels == [f"Temperature {t}" for t in ("0.2", "0.5", "0.8", "1.0", "1.3")]
    takes = page.locator(".take-words").all_text_contents()
    page.locator(".take").nth(3).click()
    expect(page.locator(".take")).to_have_count(0)
    assert story(page) == before + takes[3]
    expect(page.locator(".facts-below [data-setting=temperature] i")).to_have_text("1")


@pytest.mark.parametrize("how", ["fork", "ladder"])
def test_stop_leaves_the_engine_idle_and_keeps_what_came(page, base, how):
    write(page, "/with max=8 Once upon a time")
    tell(page, "/max 2000")
    tell(page, "/temp 1.5")
    settled(page)
    if how == "fork":
        shade(page)
        parts(page).nth(3).click()
        page.locator(".odds-row:not(.own)").first.click()
    else:
        page.click("#story-ladder")
    written = ".take-words" if how == "ladder" else ".passage:last-child .part:nth-child(n + 12)"
    stop_while_it_writes(page, base, written, stories=5 if how == "ladder" else 1)
    if how == "ladder":
        assert any(page.locator(".take-words").all_text_contents())
    else:
        assert page.locator("#story-text .passage").count() == 3
        expect(page.locator(".facts-below")).to_contain_text("stopped by you")


@pytest.mark.parametrize("model", ["noise", "halves"])
def test_noise_shows_exactly_as_it_was_written(page, model):
    pick_model(page, model)
    page.click("#story-begin")
    shown = settled(page)
    # Every letter of it, or characters cut in half.
    assert set(NOISE if model == "noise" else "\ufffd") <= set(shown)
    # The file is the server's story, to the letter.
    saved = saved_text(page)
    assert shown == saved
    shade(page)
    assert story(page) == shown
    assert page.locator("#story-text .part *").count() == 0
    if model == "halves":
        at = parts(page).evaluate_all("all => all.findIndex(each => !each.textContent)")
        assert at >= 0
        parts(page).nth(at).click()
        expect(page.locator(".odds-row.own")).to_contain_text("\\x")
        page.keyboard.press("Escape")


def test_keys_work_while_the_dice_of_a_token_lie_open_and_undo_closes_them(page):
    whole = write(page, "/with max=10 Once upon a time")
    shade(page)
    legend, tools = (page.locator(each).bounding_box() for each in ("#odds-legend", ".tools"))
    assert legend
    assert tools
    assert legend["y"] < tools["y"]
    parts(page).nth(3).click()
    expect(page.locator(".odds-row.own")).to_be_visible()
    page.keyboard.press("Alt+KeyZ")
    expect(page.locator("#story-text .passage")).to_have_count(0)
    expect(page.locator("#odds")).to_have_count(0)
    page.keyboard.press("Alt+Shift+KeyZ")
    expect(page.locator("#story-text .passage")).to_have_count(2)
    assert story(page) == whole


def saved_text(page: Page) -> str:
    """The story as a file gives it."""
    page.click(".story-files summary")
    with page.expect_download() as download:
        page.click("#story-save-txt")
    return Path(download.value.path()).read_bytes().decode()
