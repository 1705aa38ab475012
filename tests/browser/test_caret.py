"""The caret stands where one clicks, and words typed there are the writer's."""

import json
from pathlib import Path

from playwright.sync_api import Page, expect

from chat.story import Passage, Story, StoryToken, TokenChoice
from tests.browser import test_find, test_loop
from tests.browser.test_loop import settled
from tests.browser.test_memory import open_file
from tests.browser.test_page import send, story

pytestmark = test_loop.pytestmark

TEXT = (
    "One 😀 two, a e\u0301tude.\n\nThe king said: שלום עולם היה.\n\nA third, and\nits last line.\n"
)
CLICK = """([word, into]) => {
    const box = document.querySelector('#story-text');
    const texts = document.createTreeWalker(box, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const node = texts.currentNode;
        const at = node.data.indexOf(word);
        if (at < 0 || !node.parentElement.getClientRects().length) continue;
        const range = document.createRange();
        range.setStart(node, at + into);
        range.setEnd(node, at + into + 1);
        const { left, right, top, height } = range.getBoundingClientRect();
        return [left + (right - left) * 0.2, top + height / 2];
    }
    throw new Error(`“${word}” is not there`);
}"""
AROUND = """() => {
    const field = document.activeElement;
    if (!field.matches('.edit-words')) return null;
    const { anchorNode, anchorOffset } = document.getSelection();
    const range = document.createRange();
    range.setStart(field, 0);
    range.setEnd(anchorNode, anchorOffset);
    const at = range.toString().length;
    return [field.textContent.slice(Math.max(0, at - 4), at), field.textContent.slice(at, at + 4)];
}"""
OWN = """at => [...document.querySelectorAll('.passage')[at].querySelectorAll('.part')]
    .map(each => (each.matches('[data-own]') ? 'W' : 'M') + each.textContent)"""


base = test_find.base


def click(page: Page, word: str, into: int = 0) -> list[str]:
    """Click a letter of a word; gives what stands before the caret, and behind it."""
    page.mouse.click(*page.evaluate(CLICK, [word, into]))
    page.wait_for_selector(".edit-words:focus")
    return page.evaluate(AROUND)


def opened(page: Page, path: Path, passages: int) -> None:
    open_file(page, path)
    expect(page.locator("#story-text .passage")).to_have_count(passages)


def wrote(*words: str) -> Passage:
    tokens = tuple(
        StoryToken(1, each, 0.5, 0.5, 1.0, (TokenChoice(1, each, 0.5, 0.5),)) for each in words
    )
    text, ids = "".join(words), (1,) * len(words)
    return Passage(author="model", text=text, ids=ids, model="letters", tokens=tokens)


def test_a_click_puts_the_caret_there_in_any_script_and_the_row_beside_it(page, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(TEXT, encoding="utf-8")
    opened(page, path, 3)
    assert story(page) == TEXT
    assert click(page, "two") == [" 😀 ", "two,"]
    expect(page.locator(".passage.selected .passage-row .act-branch")).to_be_visible()
    # Whatever else is done with the passage, its words stand there as before.
    page.click(".act-branch")
    page.wait_for_function("document.querySelectorAll('.passage').length === 1")
    expect(page.locator(".edit-words")).to_have_count(0)
    page.keyboard.press("Alt+Z")
    page.wait_for_function("document.querySelectorAll('.passage').length === 3")
    assert click(page, "tude", 1)[1] == "ude."
    # Read from the right, the left side of a letter is its end.
    before, behind = click(page, "עולם", 2)
    assert before.endswith("עול")
    assert behind.startswith("ם")
    # Words that are marked with the mouse can be copied, and nothing is edited.
    page.keyboard.press("Escape")
    expect(page.locator(".edit-words, .passage-row")).to_have_count(0)
    page.mouse.move(*page.evaluate(CLICK, ["third", 0]))
    page.mouse.down()
    page.mouse.move(*page.evaluate(CLICK, ["line", 2]))
    page.mouse.up()
    assert page.evaluate("document.getSelection().toString()") == "third, and\nits last li"
    expect(page.locator(".edit-words")).to_have_count(0)
    # The line ends of a passage stay as they are, also where one writes at its end.
    assert click(page, "étude".replace("é", "e\u0301"), 4)[1].startswith("de.")
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    page.keyboard.type("New   ones")
    page.keyboard.press("Enter")
    page.keyboard.press("Backspace")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#story-text")).to_contain_text("New   ones")
    assert story(page) == TEXT.replace("tude.", "tude.\nNew   ones")
    page.keyboard.press("Alt+Z")
    page.wait_for_function("!document.querySelector('#story-text').textContent.includes('New')")
    assert story(page) == TEXT


def test_words_typed_into_the_models_are_the_writers_and_no_others(page, tmp_path):
    told = Story().append(Passage(author="writer", text="Once"))
    told = told.append(wrote(" the", " old", " cat", " sat", " down.")).append(
        wrote(" The", " end.")
    )
    path = tmp_path / "a.json"
    path.write_text(json.dumps(told.to_dict()), encoding="utf-8")
    opened(page, path, 3)
    assert click(page, " cat", 1) == ["old ", "cat "]
    expect(page.locator(".passage-row .act-cut")).to_have_text("Cut after “cat”")
    page.keyboard.type("red ")
    expect(page.locator(".passage-row > .act-save")).to_be_visible()
    expect(page.locator(".passage-row .act-retry")).to_have_count(0)
    # Another passage, a reload: what was typed is offered where it stood.
    click(page, " end", 1)
    note = page.locator(".passage").nth(1).locator(".edit-note")
    expect(note).to_contain_text("not saved")
    page.reload()
    page.wait_for_selector(".story[data-busy=false]")
    note.locator(".act-go-on").click()
    expect(page.locator(".edit-words")).to_have_text(" the old red cat sat down.")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".passage").nth(1)).to_have_attribute("data-author", "edited")
    parts = ["M the", "M old", "M ", "Wred", "W ", "Mcat", "M sat", "M down."]
    assert page.evaluate(OWN, 1) == parts
    colours = "[...document.querySelectorAll('.passage')].slice(0, 3).flatMap(each => " + (
        "[...each.querySelectorAll('.part')].map(part => getComputedStyle(part).color))"
    )
    mine, *rest = page.evaluate(colours)
    assert [each == mine for each in rest] == [False] * 3 + [True] * 2 + [False] * 5
    # The dice of what stands before are still there.
    page.click("#story-tokens")
    expect(page.locator(".passage").nth(1).locator(".part[data-odds]")).to_have_text(
        [" the", " old"]
    )
    page.locator(".part[data-odds]").nth(1).click()
    expect(page.locator("#odds")).to_contain_text("old")
    expect(page.locator(".edit-words")).to_have_count(0)
    page.click("#story-tokens")
    # While the model writes nothing is edited.
    send(page, "/with max=2000 end=0 and")
    page.wait_for_selector(".story[data-busy=true]")
    page.mouse.click(*page.evaluate(CLICK, ["Once", 1]))
    expect(page.locator(".edit-words")).to_have_count(0)
    assert page.locator(".story[data-busy=true]").count()
    page.keyboard.press("Escape")
    settled(page)
    expect(page.locator(".edit-words")).to_have_count(0)


FRAME = "document.querySelector('#story-text').closest('.overflow-y-auto')"
BETWEEN_LINES = """() => {
    const parts = [...document.querySelectorAll('.part')];
    const rects = parts.flatMap(each => [...each.getClientRects()]);
    const { left, bottom, height } = rects.find(({ top }) => top > 250);
    const line = parseFloat(getComputedStyle(parts[0]).lineHeight);
    return [left + 40, bottom + (line - height) / 2 - 1];
}"""
ROW_IN_SIGHT = """() => {
    const { top, bottom } = document.querySelector('.passage-row').getBoundingClientRect();
    const below = document.getElementById('message-composer').getBoundingClientRect().top;
    return top > 100 && bottom <= below;
}"""


def test_a_passage_taller_than_the_window_has_its_row_in_sight_and_to_leave_it_moves_nothing(
    page, tmp_path
):
    path = tmp_path / "tall.txt"
    tall = "Nobody had seen the fox since morning, so they went home and sat by the fire.\n" * 60
    path.write_text(f"{tall}\n\n{tall}\n\nThe end.")
    opened(page, path, 5)  # a long one is drawn in parts
    page.mouse.move(600, 300)
    page.mouse.wheel(0, -10_000)
    page.wait_for_function(f"{FRAME}.scrollTop === 0")
    page.mouse.wheel(0, 600)
    page.wait_for_function(f"{FRAME}.scrollTop === 600")
    page.wait_for_timeout(300)  # until it stands still
    page.mouse.click(*page.evaluate(BETWEEN_LINES))
    page.wait_for_selector(".edit-words:focus")
    page.wait_for_function(ROW_IN_SIGHT)
    before = page.evaluate(f"{FRAME}.scrollTop")
    page.keyboard.press("Escape")
    expect(page.locator(".edit-words, .passage-row")).to_have_count(0)
    page.wait_for_timeout(300)
    assert page.evaluate(f"{FRAME}.scrollTop") == before
    # What is sent from there is seen where it comes.
    page.click("#chat-input")
    send(page, "/add Then it slept.")
    page.wait_for_function(f"{FRAME}.scrollTop + {FRAME}.clientHeight + 2 > {FRAME}.scrollHeight")
