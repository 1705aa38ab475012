"""The real app and the shipped models in a real browser, as a writer meets them.

INKLING_REQUIRE_BROWSER=1 makes the absence of a Chromium a failure; INKLING_BROWSER_MODELS names a
folder of other models to write with.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.app_server import ROOT, running_app, wait_idle

ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SHORT = re.compile(r"^\d{1,4}$")
PATIENCE_MS = 90_000
"""A model on a busy machine may take its time."""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = Path(os.environ.get("INKLING_BROWSER_MODELS", ROOT / "checkpoints"))
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def open_page(page: Page, base: str) -> None:
    page.goto(base)
    page.wait_for_selector("#story-begin")
    page.wait_for_selector("#chat-settings-open-modal")
    page.wait_for_selector("#mode-picker-trigger-model")


def story(page: Page) -> str:
    """The text as it stands in the page, to the letter."""
    return "".join(page.locator("#story-text .part").all_text_contents())


def send(page: Page, words: str) -> None:
    page.fill("#chat-input", words)
    page.press("#chat-input", "Enter")


def write(page: Page, words: str) -> str:
    """Send words, wait for the model's to end, give the whole story."""
    before = story(page)
    send(page, words)
    page.wait_for_function(
        "before => document.querySelector('.story[data-busy=false]') &&"
        " [...document.querySelectorAll('#story-text .part')]"
        ".map(part => part.textContent).join('') !== before",
        arg=before,
    )
    return story(page)


def start_anew(page: Page) -> None:
    page.click("#story-new")
    page.wait_for_selector("#story-begin")


def set_values(page: Page, *, temperature: str | None = None, **fields: str) -> None:
    """Fill the settings dialog as a hand would; a temperature is a key on its slider."""
    page.click("#chat-settings-open-modal")
    page.wait_for_selector("#chat-settings #confirm")
    if temperature is not None:
        page.locator("#chat-settings #temperature [role=slider]").focus()
        page.keyboard.press("Home")
        for _ in range(int(temperature) * 10):
            page.keyboard.press("PageUp")
    for name, value in fields.items():
        page.fill(f"#chat-settings input#{name}", value)
    page.click("#chat-settings #confirm")
    page.wait_for_selector("#chat-settings", state="detached")


def setting(page: Page, name: str) -> str:
    """The value that stands with the last passage."""
    return page.locator(f".facts-below [data-setting={name}] i").inner_text()


def test_a_first_visit_loads_the_page_once_and_leaves_the_console_empty(blank, base):
    page = blank(base)
    pages, said = [], []
    page.on("request", lambda r: pages.append(r.url) if r.resource_type == "document" else None)
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("response", lambda r: said.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    open_page(page, base)
    page.wait_for_selector(".starter")
    assert pages == [f"{base}/"]
    assert said == []


def test_a_story_grows_while_it_streams_and_goes_on_from_the_words(page):
    page.evaluate(
        """() => {
          window.lengths = new Set();
          const seen = () => lengths.add(document.querySelector('#story-text')?.textContent.length);
          new MutationObserver(seen).observe(document.body, { childList: true, subtree: true });
        }"""
    )
    text = write(page, "/with max=90 Once upon a time, there was a little fox who")
    # Each time that the page drew it: a machine may write all of it between two looks from here.
    assert page.evaluate("lengths.size") > 5
    assert text.startswith("Once upon a time, there was a little fox who ")
    assert text.count("Once upon a time, there was a little fox who") == 1
    # The writer's words and the model's are told apart.
    assert page.locator(".passage[data-author=writer]").count() == 1
    assert page.locator(".passage[data-author=model]").count() == 1
    longer = write(page, "/with max=20 Then")
    assert longer.startswith(text)
    assert longer[len(text) :].strip().startswith("Then")


def test_stop_keeps_the_text_and_leaves_the_engine_idle(page, base):
    send(page, "/with max=2000 t=2 p=1 seed=1 The sea was calm and")
    page.wait_for_function("document.querySelectorAll('#story-text .part').length > 20")
    page.click("#stop-button")
    wait_idle(base)
    page.wait_for_selector("#story-continue")
    kept = story(page)
    assert len(kept) > len("The sea was calm and")
    expect(page.locator(".facts-below")).to_contain_text("stopped by you")
    expect(page.get_by_text("Task manually stopped")).to_have_count(0)
    page.wait_for_timeout(500)
    assert story(page) == kept
    assert write(page, "/with max=8").startswith(kept)


def test_temperature_0_writes_the_same_twice_and_two_seeds_differ_at_1(page):
    set_values(page, temperature="0", max_new_tokens="40")
    first = write(page, "Once upon a time")
    assert setting(page, "temperature").startswith("0")
    start_anew(page)
    assert write(page, "Once upon a time") == first
    wild = []
    for seed in ("1", "2", "1"):
        start_anew(page)
        set_values(page, temperature="1", seed=seed)
        wild.append(write(page, "Once upon a time"))
        assert (setting(page, "seed"), setting(page, "temperature")) == (seed, "1")
    assert wild[0] == wild[2] != wild[1]


def test_every_character_stands_as_it_was_written(page):
    words = (
        "  *One* _two_ # three <b>four</b> :word: `five` $x$ [a](b)\n\n    six\n1. seven — é 你 😀"
    )
    text = write(page, words)
    assert text.startswith(words)
    assert (
        page.locator("#story-text")
        .evaluate("node => getComputedStyle(node).whiteSpace")
        .startswith("pre-wrap")
    )
    assert page.locator("#story-text b:not(.facts b), #story-text em").count() == 0


def test_a_setting_out_of_range_is_refused_with_the_range(page):
    set_values(page, max_new_tokens="99999")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("1 to 2048")
    page.click("#chat-settings-open-modal")
    expect(page.locator("#chat-settings input#max_new_tokens")).to_have_value(SHORT)


def test_the_model_is_picked_in_the_composer(page):
    page.click("#mode-picker-trigger-model")
    picker = page.locator("#mode-picker-popover-model")
    expect(picker.get_by_text("stories", exact=True)).to_be_visible()
    picker.get_by_text("shakespeare", exact=True).click()
    expect(page.locator(".starter").first).to_have_text("ROMEO:")
    page.locator(".starter").first.click()
    page.wait_for_selector("#story-new")
    expect(page.locator(".facts-below b")).to_have_text("shakespeare")
    assert story(page).startswith("ROMEO:\n")
    # It knows no such letters: they are listed, and the words wait in the input.
    before = story(page)
    send(page, "你好, Juliet")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("你 好")
    expect(page.locator("#chat-input")).to_have_value("你好, Juliet")
    assert story(page) == before


def test_enter_on_an_empty_line_begins_a_story_and_continues_it(page):
    set_values(page, max_new_tokens="20")
    first = write(page, "   ")
    assert first
    assert page.locator(".passage").count() == 1
    expect(page.locator("#chat-input")).to_have_value("")
    assert write(page, "").startswith(first)


def test_the_tail_is_followed_unless_the_reader_scrolls_up(page):
    send(page, "/with max=500 t=2 p=1 seed=1 " + "A line.\n" * 40)
    at_end = "(frame => frame.scrollHeight - frame.scrollTop - frame.clientHeight < 80)"
    frame = "document.querySelector('#story-text').closest('.overflow-y-auto')"
    page.wait_for_function("document.querySelectorAll('[data-author=model] .part').length > 15")
    assert page.evaluate(f"{at_end}({frame})")
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -600)
    page.wait_for_timeout(300)
    top = page.evaluate(f"{frame}.scrollTop")
    page.wait_for_timeout(700)
    assert abs(page.evaluate(f"{frame}.scrollTop") - top) < 2
    page.keyboard.press("Escape")
    page.wait_for_selector("#story-continue")


def test_a_phone_shows_it_all(blank, base, tmp_path):
    page = blank(base)
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    open_page(page, base)
    write(page, "/with max=60 One day")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for control in ("#chat-submit", "#mode-picker-trigger-model", "#chat-settings-open-modal"):
        box = page.locator(control).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 390
    page.locator(".facts-below").scroll_into_view_if_needed()
    expect(page.locator(".facts-below")).to_contain_text("Temperature ")
    page.screenshot(path=tmp_path / "phone.png")


@pytest.mark.parametrize(
    "begins",
    [
        '<textarea id="chat-input" style="width: 400px">',
        '<div class="story-text">',
        '<span class="take-words" style="display: block">',
        '<li id="thread-1"><a href="#" style="display: block">',
        '<blockquote class="train-sample">',
    ],
)
def test_a_line_stands_as_its_own_script_is_read(browser: Browser, begins: str):
    page = browser.new_page()
    style = (ROOT / "public/style.css").read_text(encoding="utf-8")
    ends = "</textarea>" if "textarea" in begins else ""
    page.set_content(f"<style>{style}</style>{begins}המלך הזקן.\nThe old king.{ends}")
    found = page.evaluate(
        """() => {
          const all = [...document.body.querySelectorAll('*')];
          const style = getComputedStyle(all.at(-1));
          return [style.unicodeBidi, style.textAlign];
        }"""
    )
    assert found == ["plaintext", "start"]
    page.close()
