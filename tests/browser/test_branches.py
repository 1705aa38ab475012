"""The branches of a story in a real browser: by the keyboard, in two windows, on a phone."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chat.story import Story
from tests.browser.test_memory import open_file
from tests.browser.test_page import story
from tests.browser.test_windows import beside
from tests.chat.test_branches import told
from tests.chat.test_branches_panel import many
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser

NAME = "<b>Owl</b> & “she”"


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", block_size=128)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def open_story(page: Page, told_of: Story, folder: Path) -> None:
    path = folder / "told.json"
    path.write_text(json.dumps(told_of.to_dict()))
    open_file(page, path)
    page.wait_for_selector("#story-text .part")


def rows(page: Page) -> list[str]:
    return page.locator("#branch-list .branch-words").all_text_contents()


def test_branches_are_shown_named_deleted_and_brought_back_by_the_keyboard_in_both_windows(
    page, tmp_path
):
    open_story(page, told(" a fox ran.", " an owl sang.", " a hen."), tmp_path)
    page.locator("#open-branches").focus()
    page.keyboard.press("Enter")
    focused = page.locator(":focus")
    expect(focused).to_contain_text("fox ran.")  # of one branch, reached without a Tab
    assert rows(page) == ["… fox ran.", "an owl sang.", "… hen."]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#story-text .passage.found")).to_have_text(" an owl sang.")
    expect(page.locator("#branch-list [aria-current=true]")).to_contain_text("an owl sang.3 words")
    expect(page.locator("#branch-tree .tree-node[data-shown=true]")).to_have_count(1)
    page.keyboard.press("F2")
    page.keyboard.type(NAME)
    page.keyboard.press("Enter")
    expect(page.locator("#branch-list b")).to_have_text(NAME)
    # An arrow in the list is no step of the story, and Esc in the field leaves the panel open.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    expect(focused).to_contain_text(NAME)
    assert story(page) == "Once upon a time an owl sang."

    other = beside(page)
    other.click("#open-branches")
    expect(other.locator("#branch-list b")).to_have_text(NAME)
    page.keyboard.press("Delete")
    expect(page.locator("#panel-branches [role=status]")).to_contain_text(
        f"Deleted: {NAME} (3 words)"
    )
    for each in (page, other):
        expect(each.locator("#branch-list .branch")).to_have_count(2)
        assert story(each) == "Once upon a time a hen."
    expect(focused).to_contain_text("hen.")
    page.click("#branch-back")
    for each in (page, other):
        expect(each.locator("#branch-list b")).to_have_text(NAME)
        assert story(each) == "Once upon a time an owl sang."
    # By the tree too: each of its nodes says what it is.
    nodes = other.locator("#branch-tree .tree-node")
    expect(nodes.first).to_have_attribute(
        "aria-label", f"{NAME} · an owl sang. · 3 words · just now · shown"
    )
    other.locator("#branch-tree .tree-node[tabindex='0']").focus()
    other.keyboard.press("End")
    other.keyboard.press("Enter")
    expect(page.locator("#branch-list [aria-current=true]")).to_contain_text("hen.")
    other.close()


def test_of_hundreds_of_forks_some_are_drawn_and_a_phone_goes_to_the_branch(page, tmp_path):
    page.set_viewport_size({"width": 390, "height": 844})
    open_story(page, many(200), tmp_path)
    page.click("#open-branches")
    forks = page.locator("#branch-list .fork")
    expect(forks).to_have_count(20)
    expect(page.locator("#branch-tree .tree-node")).to_have_count(150)
    expect(page.locator(".tree figcaption")).to_contain_text("150 branches of 400 are drawn")
    page.click("#branches-more")
    expect(forks).to_have_count(40)
    wide = "document.documentElement.scrollWidth <= window.innerWidth"
    assert page.evaluate(wide)
    page.locator("#branch-list .branch[data-shown=false] .branch-show").nth(5).click()
    expect(page.locator("#panel-branches")).to_have_count(0)
    expect(page.locator("#story-text .passage.found")).to_be_in_viewport()
