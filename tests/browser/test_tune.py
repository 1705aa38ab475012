"""Settings for each message in a real browser: what is shown is what is used, and only there."""

import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser import test_loop
from tests.browser.test_loop import passage, press, select, settled, tell
from tests.browser.test_page import open_page, send, set_values, setting, start_anew, story, write
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

base = test_loop.base
pytestmark = test_loop.pytestmark


def pick(page, preset: str) -> None:
    page.click("#mode-picker-trigger-preset")
    page.locator("#mode-picker-popover-preset").get_by_text(preset, exact=True).click()
    expect(page.locator("#mode-picker-trigger-preset")).to_contain_text(preset)


def turn(page, **values: str) -> None:
    """Turn dials of the open panel."""
    for name, value in values.items():
        dial = page.locator(f"#tune-{name}")
        expect(dial).to_be_visible()
        dial.fill(value)


def test_what_is_armed_holds_for_one_message_and_stands_with_it(page):
    set_values(page, max_new_tokens="8")
    page.click("#open-tune")
    turn(page, temperature="1.5", top_k="7", seed="11")
    page.click("#tune-once")
    expect(page.locator("#armed")).to_contain_text("Temperature 1.5, Top-k 7, Seed 11")
    page.keyboard.press("Escape")
    write(page, "Once upon a time")
    used = ("temperature", "top_k", "seed", "max_new_tokens")
    assert [setting(page, name) for name in used] == ["1.5", "7", "11", "8"]
    expect(page.locator("#armed")).to_have_count(0)
    press(page, "#story-continue")
    assert setting(page, "temperature") != "1.5"
    assert setting(page, "top_k") != "7"
    assert setting(page, "seed") != "11"


def test_what_was_armed_is_taken_back_and_a_refused_message_leaves_it(page):
    page.click("#open-tune")
    turn(page, max_new_tokens="5")
    page.click("#tune-once")
    send(page, "/with t=9 Once")
    said = page.locator("[data-sonner-toast]").first
    expect(said).to_contain_text("0 to 2")
    # What is said hides nothing of the open panel, nor the composer.
    page.wait_for_timeout(500)  # it slides in
    toast, panel, composer = (
        each.bounding_box() or {}
        for each in (said, page.locator("#panel-tune"), page.locator("#message-composer"))
    )
    assert toast["x"] + toast["width"] <= panel["x"]
    assert toast["y"] + toast["height"] < composer["y"] / 2
    expect(page.locator("#armed")).to_contain_text("Length 5")
    turn(page, max_new_tokens="99999")
    page.click("#tune-once")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("1 to 2048")
    expect(page.locator("#armed")).to_contain_text("Length 5")
    page.click("#disarm")
    expect(page.locator("#armed")).to_have_count(0)


def test_a_passage_is_written_anew_with_other_settings_and_the_old_one_stays(page):
    first = write(page, "/with max=12 t=0.5 seed=3 Once upon a time")
    select(page, 1)
    page.click(".passage-row .act-retry-with")
    expect(page.locator("#tune-temperature")).to_have_value("0.5")
    expect(page.locator("#tune-max_new_tokens")).to_have_value("12")
    expect(page.locator("#tune-seed")).to_have_value("")
    turn(page, temperature="1.3")
    second = press(page, "#tune-retry")
    assert second != first
    assert (setting(page, "temperature"), setting(page, "max_new_tokens")) == ("1.3", "12")
    expect(page.locator("#story-place")).to_have_text("2/2")
    page.click("#story-previous")
    expect(page.locator("#story-place")).to_have_text("1/2")
    assert (story(page), setting(page, "temperature")) == (first, "0.5")


def test_same_again_writes_the_same_text_to_the_letter(page):
    write(page, "/with max=14 t=1.2 Once upon a time")
    whole = press(page, "#story-retry")
    select(page, 1)
    assert press(page, ".passage-row .act-again") == whole
    toast = page.locator("[data-sonner-toast]").first
    expect(toast).to_contain_text("The same again, to the letter")
    expect(page.locator("#story-place")).to_have_text("2/2")
    # One that was stopped goes on past where it was.
    send(page, "/with max=400 t=2 p=1 seed=1 And then")
    fourth = "document.querySelectorAll('.passage:nth-child(4) .part').length"
    page.wait_for_function(f"{fourth} > 12")
    page.keyboard.press("Escape")
    part = settled(page)
    assert part.startswith(whole)
    send(page, "/again")
    page.wait_for_function(
        "text => [...document.querySelectorAll('#story-text .part')]"
        ".map(each => each.textContent).join('').length > text.length + 9",
        arg=part,
    )
    page.keyboard.press("Escape")
    assert settled(page).startswith(whole)


def test_a_preset_is_picked_kept_and_taken_away(page):
    page.click("#open-tune")
    pick(page, "Careful")
    # The dials follow what is picked at once, before any message.
    expect(page.locator("#tune-temperature")).to_have_value("0.5")
    page.keyboard.press("Escape")
    write(page, "/with max=6 Once upon a time")
    assert (setting(page, "temperature"), setting(page, "top_p")) == ("0.5", "0.9")
    page.click("#open-tune")
    turn(page, temperature="1.1")
    page.fill("#tune-name", "My own")
    page.click("#tune-save")
    expect(page.locator("#mode-picker-trigger-preset")).to_contain_text("My own")
    press(page, "#story-continue")
    assert (setting(page, "temperature"), setting(page, "top_p")) == ("1.1", "0.9")
    page.reload()
    page.wait_for_selector("#story-retry")  # it may have come to its end: no Continue then
    expect(page.locator("#mode-picker-trigger-preset")).to_contain_text("My own")
    # A command for one value gives the preset up, and keeps the rest of it.
    tell(page, "/temp 0.3")
    expect(page.locator("#mode-picker-trigger-preset")).to_contain_text("As set")
    send(page, "/max 6")
    press(page, "/retry")
    assert (setting(page, "temperature"), setting(page, "top_p")) == ("0.3", "0.9")
    start_anew(page)
    page.click("#open-tune")
    page.locator(".tune-preset").filter(has_text="My own").locator(".tune-forget").click()
    expect(page.locator(".tune-preset").filter(has_text="My own")).to_have_count(0)
    expect(passage(page, 0)).to_have_count(0)


def test_the_tools_stand_in_groups_of_a_line_each_on_a_phone_too(page):
    page.set_viewport_size({"width": 390, "height": 800})
    groups = page.locator(".tools-group")
    expect(groups).to_have_count(5)
    expect(groups.nth(0)).to_contain_text("WriteLadderTuneMemoryCompare", timeout=10_000)
    for at in range(5):
        tops = (
            groups.nth(at)
            .locator("button")
            .evaluate_all(
                "nodes => nodes.map(each => [Math.round(each.getBoundingClientRect().top),"
                " each.getBoundingClientRect().right <= innerWidth])"
            )
        )
        assert len(tops) > 1
        assert len({top for top, _ in tops}) == 1
        assert all(fits for _, fits in tops)
    for control in page.locator(".tools button, .tools-name").all():
        assert control.get_attribute("title")


@pytest.fixture(scope="module")
def two(browser: Browser, tmp_path_factory) -> Iterator[str]:
    """An app with two models that have settings of their own."""
    models = tmp_path_factory.mktemp("two")
    for name, own in (("cool", {"temperature": 0.4, "top_k": 9}), ("warm", {"temperature": 1.1})):
        save_characters(models / name)
        (models / name / "generation_config.json").write_text(json.dumps(own))
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def test_the_dials_and_the_gear_follow_the_model_that_is_picked(blank, two):
    open_page(page := blank(two), two)
    set_values(page, max_new_tokens="6")
    page.click("#open-tune")
    warmth = page.locator(".dial").first
    expect(warmth).to_contain_text("0.4 · the model's own")
    page.click("#mode-picker-trigger-model")
    page.locator("#mode-picker-popover-model").get_by_text("warm", exact=True).click()
    expect(warmth).to_contain_text("1.1 · the model's own")
    page.keyboard.press("Escape")
    write(page, "Once")
    used = ("temperature", "top_k", "max_new_tokens")
    assert [setting(page, name) for name in used] == ["1.1", "Off", "6"]
    page.click("#chat-settings-open-modal")
    expect(page.locator("#chat-settings")).to_contain_text("Now the model's own.")
    expect(page.locator("#chat-settings")).to_contain_text("Now set by you; otherwise 200.")
    page.fill("#chat-settings input#top_k", "5")
    page.click("#chat-settings #confirm")
    page.wait_for_selector("#chat-settings", state="detached")
    # What was set goes along to another page and another model, and nothing else does.
    start_anew(page)
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("warm")
    page.click("#mode-picker-trigger-model")
    page.locator("#mode-picker-popover-model").get_by_text("cool", exact=True).click()
    write(page, "Once")
    assert [setting(page, name) for name in used] == ["0.4", "5", "6"]
    page.close()
