"""Compare in a real browser: side by side, blind, and what the votes say."""

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_loop import IDLE, press, settled, soon_s, tell
from tests.browser.test_page import PATIENCE_MS, open_page, story, write
from tests.support.app_server import lend_stories, running_app, status
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """The shipped stories model where it is, a tiny one of letters, and a run with saved steps."""
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    save_characters(models / "letters", n_embd=128, n_layer=4, block_size=256)
    save_characters(models / "mine" / "best")
    for step, n_embd in (("000000", 8), ("000100", 16)):
        save_characters(models / "mine" / "steps" / step, n_embd=n_embd)
    return models


@pytest.fixture(scope="module")
def base(browser: Browser, models: Path, tmp_path_factory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def compare(page: Page, one: str, other: str, *, blind: bool = False) -> None:
    """Open the panel and choose who writes."""
    if not page.locator("#panel-compare").count():
        page.click("#open-compare")
    page.select_option("#compare-side-1 select", one)
    page.select_option("#compare-side-2 select", other)
    page.set_checked("#compare-blind", blind)


def takes(page: Page) -> list[str]:
    page.wait_for_selector(".take:nth-child(2):not(:disabled)")
    return page.locator(".take-words").all_text_contents()


def names(page: Page) -> list[str]:
    """Who wrote each take; what their settings differ in stands behind it."""
    return [label.split(" · ")[0] for label in page.locator(".take-label").all_text_contents()]


def test_two_models_write_side_by_side_and_once_more_from_the_one_that_was_picked(page):
    before = write(page, "/with max=4 Once upon a time")
    tell(page, "/max 12")
    compare(page, "stories", "letters")
    page.click("#compare-begin")
    first = takes(page)
    assert names(page) == ["stories", "letters"]
    seeds = page.locator(".take-facts").all_text_contents()
    assert len({seed.split(" · ")[0] for seed in seeds}) == 1
    page.locator(".take").nth(1).click()
    page.click("#compare-again")
    second = takes(page)
    assert story(page) == before + first[1]
    page.locator(".take").first.click()
    expect(page.locator(".takes")).to_have_count(0)
    assert story(page) == before + first[1] + second[0]


def test_two_settings_and_two_saved_steps_are_compared_and_words_come_first(page):
    tell(page, "/max 8")
    compare(page, "letters", "letters")
    page.click("#compare-begin")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("Both would write the same")
    page.locator("#compare-side-2 summary").click()
    page.fill("#compare-side-2 [data-setting=temperature]", "9")
    page.fill("#chat-input", "Once upon")
    page.click("#compare-begin")
    expect(page.get_by_text("Temperature 9 is out of range")).to_be_visible()
    page.fill("#compare-side-2 [data-setting=temperature]", "0.3")
    page.fill("#chat-input", "Once upon")
    page.click("#compare-begin")
    takes(page)
    labels = page.locator(".take-label").all_text_contents()
    assert labels == ["Temperature 0.8", "Temperature 0.3"]
    assert story(page) == "Once upon"
    page.locator(".take").first.click()
    # A preset fills them in.
    page.locator("#compare-side-2").get_by_role("button", name="Wild").click()
    page.click("#compare-begin")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.take-label')].map(each => each.textContent).join()"
        " === 'Temperature 0.8 · Top-p 0.95 · Min-p Off,Temperature 1.4 · Top-p Off · Min-p 0.02'"
    )
    takes(page)
    page.locator(".take").first.click()
    page.locator("#compare-side-2").get_by_role("button", name="As set").click()
    compare(page, "mine@000000", "mine@000100")
    page.click("#compare-begin")
    page.wait_for_function(
        "() => [...document.querySelectorAll('.take-label')].map(each => each.textContent).join()"
        " === 'mine@000000,mine@000100'"
    )


def test_at_first_one_model_with_two_settings_is_proposed_and_another_model_takes_them_back(page):
    tell(page, "/max 6")
    page.fill("#chat-input", "Once")
    page.click("#open-compare")
    cold = page.locator("#compare-side-2 [data-setting=temperature]")
    expect(cold).to_have_value("0.5")
    chosen = [page.input_value(f"#compare-side-{side} select") for side in (1, 2)]
    assert chosen == ["stories", "stories"]
    page.click("#compare-begin")
    takes(page)
    labels = page.locator(".take-label").all_text_contents()
    assert "Temperature 0.5" in labels[1]
    assert not any("stories" in label for label in labels)
    page.select_option("#compare-side-2 select", "letters")
    expect(cold).to_have_value("")


def test_what_one_of_them_cannot_read_is_said_by_name(page):
    page.fill("#chat-input", "Once 你")
    compare(page, "stories", "letters")
    page.click("#compare-begin")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("“letters” never saw 你")
    expect(page.locator("#chat-input")).to_have_value("Once 你")


def test_who_cannot_read_the_story_is_said_before_and_a_new_one_is_offered(page):
    write(page, "/with max=4 Once 1")
    compare(page, "stories", "letters")
    expect(page.locator("#compare-unread")).to_contain_text("“letters” never saw 1")
    expect(page.locator("#compare-begin")).to_be_disabled()
    page.click("#compare-anew")
    expect(page.locator("#story .part")).to_have_count(0)
    expect(page.locator("#compare-side-2 select")).to_have_value("letters")
    expect(page.locator("#compare-unread")).to_have_count(0)
    expect(page.locator("#compare-begin")).to_be_enabled()


def test_names_are_hidden_until_the_choice_and_the_votes_outlive_a_restart(blank, models, tmp_path):
    folder = tmp_path / "app"
    folder.mkdir()
    with running_app(folder, models) as base:
        open_page(page := blank(base), base)
        before = write(page, "/with max=4 Once upon a time")
        tell(page, "/max 12")
        expect(page.locator("[data-sonner-toast]").first).to_contain_text("12")
        settled(page)
        for choice, votes in (("#vote-b", 1), ("#vote-tie", 2)):
            compare(page, "stories", "letters", blind=True)
            page.click("#compare-begin")
            written = takes(page)
            assert page.locator(".take-label").all_text_contents() == ["A", "B"]
            assert page.locator(".take-facts").count() == 0
            page.click(choice)
            expect(page.locator("#verdict")).to_contain_text("A was ")
            expect(page.locator("#panel-compare h3")).to_have_text(f"Your votes so far: {votes}")
            before += written[1 if choice == "#vote-b" else 0]
            assert story(page) == before
        # A list: of one pair, and what stands there where it is not so.
        expect(page.locator(".compare-pair")).to_contain_text(["Not enough to say"])
        table = page.locator(".compare-pair").inner_text()
        page.close()
    with running_app(folder, models) as base:
        open_page(page := blank(base), base)
        page.click("#open-compare")
        expect(page.locator("#panel-compare h3")).to_have_text("Your votes so far: 2")
        assert page.locator(".compare-pair").inner_text() == table
        with page.expect_download() as download:
            page.click("#votes-csv")
        with Path(download.value.path()).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["choice"] for row in rows] == ["b", "tie"]
        assert {row["a_model"] for row in rows} <= {"stories", "letters"}
        page.click("#votes-forget")
        page.click("#votes-forget")
        expect(page.locator("#panel-compare h3")).to_have_count(0)


@pytest.mark.parametrize("blind", [False, True])
def test_stop_while_both_write_leaves_the_engines_idle(page, base, blind):
    before = write(page, "/with max=4 Once upon a time")
    tell(page, "/max 2000")
    tell(page, "/temp 1.5")
    settled(page)
    compare(page, "stories", "letters", blind=blind)
    page.click("#compare-begin")
    if blind:
        page.wait_for_function(
            "document.querySelector('.tail .status')?.textContent.startsWith('writing')"
        )
    else:
        page.wait_for_function(
            "() => [...document.querySelectorAll('.take-words')]"
            ".filter(each => each.textContent).length === 2"
        )
    begun_s = time.monotonic()
    while True:
        asked_s = time.monotonic()
        if status(base)["active"] == 2:
            break
        # A blind vote says that it writes before its models have begun to.
        assert blind
        assert asked_s - begun_s < PATIENCE_MS / 1000
    latency_s = time.monotonic() - asked_s
    page.click("#stop-button")
    stopped_s = time.monotonic()
    while status(base)["active"]:
        assert time.monotonic() - stopped_s < soon_s() + 2 * latency_s
    page.wait_for_function(IDLE)
    if blind:
        # One of them may not have come to its first word.
        expect(page.locator("#verdict")).to_contain_text("no vote")
        assert story(page).startswith(before)
    else:
        expect(page.locator(".take-facts").first).to_contain_text("stopped by you")
        assert names(page) == ["stories", "letters"]
        assert story(page) == before


def test_a_phone_shows_the_vote_and_every_control_says_what_it_does(page):
    page.set_viewport_size({"width": 390, "height": 844})
    tell(page, "/max 12")
    page.fill("#chat-input", "Once")
    compare(page, "stories", "letters", blind=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in page.locator("#panel-compare :is(button, select, summary)").all():
        assert control.get_attribute("title")
    page.click("#compare-begin")
    expect(page.locator("#panel-compare")).to_have_count(0)
    takes(page)
    for control in page.locator(".choosing button").all():
        box = control.bounding_box()
        assert control.get_attribute("title")
        assert box is not None
        assert box["x"] + box["width"] <= 390
    page.click("#vote-a")
    expect(page.locator("#verdict")).to_contain_text("You chose A")
    press(page, "#compare-again")
