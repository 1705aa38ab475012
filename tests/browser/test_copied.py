"""Did it copy? In a real browser, with a model whose training text lies on the machine."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from chat.story import Passage, Story
from tests.browser.test_loop import passage
from tests.browser.test_memory import open_file
from tests.browser.test_page import story
from tests.chat.test_copied import OTHER, TALE
from tests.chat.test_copied import root as trained
from tests.support.app_server import lend_stories, running_app
from tests.support.tiny_checkpoint import save_characters

root = trained
KNOWN = "together every day. The moral of the story is that it is"
"""Words in a row of the text that the shipped model learnt from."""
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, root: Path, tmp_path_factory) -> Iterator[str]:
    folder, data = tmp_path_factory.mktemp("app"), root / "data" / "tales"
    save_characters(root / "checkpoints" / "other", letters=TALE + OTHER)
    lend_stories(root / "checkpoints")
    with running_app(folder, root / "checkpoints", INKLING_DATA=str(data)) as base:
        yield base


def test_copied_words_are_marked_and_a_model_without_its_text_says_so(page, tmp_path):
    path = tmp_path / "told.json"
    told = Story()
    for words, model in (
        ("One day", None),
        (" a dog said: the old grey cat sat on the warm wall.", "tales"),
        (" The end.", "other"),
        (f" And they sang {KNOWN} said.", "stories"),
    ):
        author = "model" if model else "writer"
        told = told.append(Passage(author=author, text=words, model=model))
    path.write_text(json.dumps(told.to_dict()))
    open_file(page, path)
    passage(page, 1).locator(".part").first.click()
    page.click(".passage-row .act-copied")
    expect(page.locator("#copied-text mark")).to_have_text("the old grey cat sat on the warm")
    expect(page.locator("#copied-share")).to_have_text("33% new")
    expect(page.locator("#copied-quote b")).to_have_text("the old grey cat sat on the warm")
    assert page.locator("#copied-text").text_content() == told.path[1].text
    page.keyboard.press("Escape")
    expect(page.locator("#panel-copied")).to_have_count(0)
    # By its button in the row of tools it looks at what was written last: here by hashes alone.
    page.click("#open-copied")
    expect(page.locator("#copied-text mark.longest")).to_have_text(KNOWN)
    expect(page.locator("#copied-longest")).to_have_text("The longest run has 12 words.")
    expect(page.locator("#copied-hashes")).to_contain_text("only hashes of every 8 words in a row")
    expect(page.locator("#copied-quote")).to_have_count(0)
    page.keyboard.press("Escape")
    passage(page, 2).locator(".part").first.click()
    page.click(".passage-row .act-copied")
    expect(page.locator("#copied-error")).to_contain_text("“other” learnt from is not on this")
    page.click("#copied-train")
    expect(page.locator("#panel-train")).to_be_visible()
    assert story(page) == told.text
