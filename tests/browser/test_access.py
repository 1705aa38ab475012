"""The desk with the keyboard alone, and for who listens: axe-core over every state of the page."""

import os
import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_look import VOICES
from tests.browser.test_loop import IDLE, settled
from tests.browser.test_page import send, story, write
from tests.support.app_server import ROOT, lend_stories, running_app

PANEL = ":is(.panel, #find)"
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
FIND = """async ([within, rules]) => {
  const { violations } = await axe.run(within, {
    runOnly: rules, resultTypes: ['violations'], preload: false,
  });
  return violations.filter(({ impact }) => /serious|critical/.test(impact))
    .map(({ id, nodes: [first, ...more] }) =>
      `${id}, ${more.length + 1} times: ${first.target} ${first.html.slice(0, 120)}` +
      first.failureSummary.split('\\n')[1]);
}"""
STILL = "*, *::before, *::after { transition: none !important; animation: none !important; }"
"""Chainlit's colours fade into each other; what is half-way is no fault."""
SETTLED = """() => new Promise(done => {
  setTimeout(done, 5000);
  let timer = setTimeout(done, 200);
  new MutationObserver((_, own) => {
    clearTimeout(timer);
    timer = setTimeout(() => { own.disconnect(); done(); }, 200);
  }).observe(document.body, { childList: true, subtree: true, attributes: true });
})"""
"""Nothing has changed for a moment: what was asked came, and what Chainlit drew is mended."""
HEARD = """() => {
  window.heard = [];
  new MutationObserver(records => records.forEach(({ addedNodes }) => addedNodes.forEach(node => {
    if (node.parentNode?.id === 'story-heard') window.heard.push(node.textContent);
  }))).observe(document.body, { childList: true, subtree: true });
}"""
WORD = re.compile(r"\w")
LONG = " The sea was calm, and the boat was far away." * 60

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        if os.environ.get("INKLING_REQUIRE_BROWSER") == "1":
            pytest.fail("no axe-core in node_modules/: make lint installs it")
        pytest.skip("no axe-core in node_modules/: make lint installs it")
    return AXE.read_text(encoding="utf-8")


class Checked:
    """A page, and what axe-core found in the states that it went through."""

    def __init__(self, page: Page, axe: str) -> None:
        self.page, self.found = page, list[str]()
        page.evaluate(axe)
        page.add_style_tag(content=STILL)

    def check(self, state: str, within: str = "body") -> None:
        self.page.evaluate(SETTLED)
        found = self.page.evaluate(FIND, [within, RULES])
        self.found += [f"{state}: {each}" for each in found]

    def panels(self, where: str) -> None:
        """Each panel that the tools offer, opened and closed by keys."""
        tools = self.page.locator(".tools [id^=open-]")
        names = [tool.get_attribute("id") or "" for tool in tools.all()]
        assert len(names) > 5
        for name in names:
            self.page.focus(f"#{name}")
            self.page.keyboard.press("Enter")
            expect(self.page.locator(f"{PANEL}:focus-within")).to_be_visible()
            self.check(f"{where}: {name}", PANEL)
            self.page.keyboard.press("Escape")
            expect(self.page.locator(f"#{name}")).to_be_focused()

    def settings(self, where: str) -> None:
        self.page.focus("#chat-settings-open-modal")
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector("#chat-settings #confirm")
        self.check(f"{where}: the settings", "#chat-settings")
        self.page.keyboard.press("Escape")
        expect(self.page.locator("#chat-settings-open-modal")).to_be_focused()

    def dark(self) -> None:
        self.page.click("#theme-toggle")
        self.page.get_by_role("menuitem", name="Dark Theme").click()
        self.page.wait_for_selector("html.dark [data-sidebar], html.dark #story-text")
        self.page.wait_for_selector("[role=menu]", state="detached")


def long_story(page: Page) -> None:
    """One with words that the model no longer sees, of the writer, of the model and of both."""
    write(page, "/with max=8 seed=1 Once upon a time")
    write(page, "/with max=8 seed=1 and")
    page.locator(".passage").nth(1).locator(".part").last.click()
    page.wait_for_selector(".edit-words:focus")
    page.keyboard.type(" x")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("[data-author=edited]")
    page.fill("#chat-input", LONG)
    page.press("#chat-input", "Shift+Enter")
    page.wait_for_selector("[data-author=model]:is(.unseen, :has(.unseen))")
    write(page, "/with max=8 seed=1")


def test_axe_finds_nothing_serious_wherever_a_writer_goes(page, axe):
    checked = Checked(page, axe)
    page.wait_for_selector(".starter")
    checked.check("the empty page")
    long_story(page)
    checked.check("a story")
    page.locator(".passage").nth(1).locator(".part").first.click()
    page.wait_for_selector(".passage-row")
    checked.check("the row of a passage")
    page.evaluate(VOICES)
    page.evaluate("fakeVoices.push(voice('Eve', 'en-US', true))")
    page.click(".act-aloud")
    page.wait_for_selector("#aloud-pause")
    checked.check("reading aloud", "#aloud")
    page.click("#aloud-stop")
    page.click(".act-edit")
    page.keyboard.type("x")
    page.wait_for_selector(".passage-row > .act-save")
    checked.check("an edit")
    page.keyboard.press("Escape")
    checked.check("an edit that is left")
    page.click(".edit-question .act-drop")
    page.click("#story-tokens")
    page.locator(".part[data-odds]").filter(has_text=WORD).last.click()
    page.wait_for_selector("#odds .odds-row")
    checked.check("the tokens and their dice")
    page.click("#story-tokens")
    checked.panels("light")
    checked.settings("light")
    page.click("#mode-picker-trigger-model")
    page.wait_for_selector("#mode-picker-popover-model")
    checked.check("a picker")
    page.keyboard.press("Escape")
    send(page, "/help")
    page.wait_for_selector("#story-help")
    page.click(".story-files summary")
    checked.check("the help and the menu of files")
    page.click(".story-files summary")
    page.select_option("#story-takes", "2")
    page.click("#story-continue")
    page.wait_for_selector(".take:nth-child(2):not(:disabled)")
    checked.check("versions to pick from")
    checked.dark()
    checked.check("dark: versions to pick from")
    page.click("#story-tokens")
    checked.check("dark: the tokens")
    page.click("#story-tokens")
    page.set_viewport_size({"width": 390, "height": 844})
    checked.check("a dark phone")
    checked.panels("a dark phone")
    checked.settings("a dark phone")
    page.click("#sidebar-trigger-button")
    page.wait_for_selector("#thread-history")
    checked.check("a dark phone: the stories")
    assert not checked.found, "\n" + "\n".join(checked.found)


def focus(page: Page, selector: str, key: str, at_most: int = 40) -> None:
    """Press the key until the focus stands where the selector says."""
    for _ in range(at_most):
        if page.evaluate("query => document.activeElement.matches(query)", selector):
            return
        page.keyboard.press(key)
    pytest.fail(f"{key} did not come to {selector}")


def line(page: Page, words: str) -> None:
    """Type a line into the composer, where the focus is, and send it."""
    expect(page.locator("#chat-input")).to_be_focused()
    page.keyboard.type(words)
    page.keyboard.press("Enter")


def heard(page: Page) -> str:
    page.wait_for_timeout(100)
    return " ".join(page.evaluate("window.heard.splice(0)"))


def test_a_story_is_written_with_the_keyboard_alone_and_heard(page):
    press = page.keyboard.press
    page.evaluate(HEARD)
    line(page, "/with max=2000 t=2 p=1 seed=1 Once upon a time")
    page.wait_for_function("document.querySelectorAll('[data-author=model] .part').length > 20")
    press("Escape")
    first = settled(page)
    said = heard(page)
    assert said.endswith("(stopped by you)")
    # Each word that the model wrote was said, and once.
    told = first.removeprefix("Once upon a time") + "(stopped by you)"
    assert re.sub(r"\s", "", said) == re.sub(r"\s", "", told)
    line(page, "/max 12")
    expect(page.locator("[data-sonner-toast]").first).to_contain_text("12")
    expect(page.locator("#chat-input")).to_have_value("")
    page.wait_for_function(IDLE)  # no key does anything while a command is in hand
    press("Alt+KeyR")
    expect(page.locator("#story-place")).to_have_text("2/2")
    page.wait_for_function(IDLE)
    heard(page)
    press("Alt+Comma")
    expect(page.locator("#story-place")).to_have_text("1/2")
    assert heard(page).startswith("Version 1 of 2. The story ends: ")
    press("Alt+Period")
    expect(page.locator("#story-place")).to_have_text("2/2")
    # To the passages, into the row of one, to its words, and back.
    press("Alt+ArrowUp")
    expect(page.locator(".passage").nth(1)).to_be_focused()
    press("ArrowUp")
    expect(page.locator(".passage").nth(0)).to_be_focused()
    press("ArrowDown")
    before = story(page)
    press("Enter")
    focus(page, ".act-edit", "ArrowRight", 5)
    assert story(page) == before  # in the row arrows do not step through the alternatives
    press("Enter")
    expect(page.locator(".edit-words")).to_be_focused()
    page.keyboard.type(" a cat sat.")
    press("Control+Enter")
    expect(page.locator(".passage[data-author=edited]")).to_be_focused()
    assert "a cat sat." in story(page)
    press("Escape")
    press("Escape")
    expect(page.locator("#chat-input")).to_be_focused()
    heard(page)
    press("Alt+KeyZ")
    page.wait_for_function("!document.querySelector('[data-author=edited]')")
    assert story(page) == before
    assert "The story ends: " in heard(page)
    # A panel opens and closes, and Retry does its work, with the focus where it was.
    focus(page, "#open-tune", "Shift+Tab")
    press("Enter")
    expect(page.locator("#panel-tune")).to_be_focused()
    press("Escape")
    expect(page.locator("#open-tune")).to_be_focused()
    focus(page, "#story-retry", "Shift+Tab")
    press("Enter")
    expect(page.locator("#story-place")).to_have_text("3/3")
    expect(page.locator("#story-retry")).to_be_focused()
    # What is drawn above is read out before, in whichever order Chainlit has it; nothing without a
    # name can be pressed; and the words of the story are heard without a break.
    page.locator(".inline-custom:has(.tools)").evaluate("node => { node.style.order = -2; }")
    nodes = tree(page)
    roles = {"button", "link", "textbox", "combobox", "slider", "checkbox", "switch", "menuitem"}
    controls = [node for node in nodes if value(node, "role") in roles]
    assert len(controls) > 25
    assert [node for node in controls if not value(node, "name")] == []
    assert words(page, "The story") == story(page)
    parts = [value(node, "name") for node in nodes]
    assert parts.index("Tools") < parts.index("The story") < parts.index("Retry")


def tree(page: Page, name: str = "") -> list[dict[str, Any]]:
    """Chromium's accessibility tree as it is read out, or the part of this name."""
    cdp = page.context.new_cdp_session(page)
    nodes = cdp.send("Accessibility.getFullAXTree")["nodes"]
    cdp.detach()
    by_id = {node["nodeId"]: node for node in nodes}

    def read(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if not node["ignored"]:
            yield node
        for each in node.get("childIds", []):
            if each in by_id:
                yield from read(by_id[each])

    start = next(node for node in nodes if not name or value(node, "name") == name)
    return list(read(start))


def value(node: dict[str, Any], key: str) -> str:
    return str(node.get(key, {}).get("value", ""))


def words(page: Page, name: str) -> str:
    """What is heard of the part of this name."""
    said = [node for node in tree(page, name) if value(node, "role") == "StaticText"]
    return "".join(value(node, "name") for node in said)
