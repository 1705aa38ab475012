"""Stories outlive the page, the app and each other, seen in a real browser.

The models are tiny and write noise: what is tested is that not a character of it gets lost.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import docx
import httpx
import pytest
from docx.oxml import OxmlElement
from playwright.sync_api import Browser, Page, expect

from chat.accounts import write_account
from chat.story.joining import joint
from tests.browser.test_page import PATIENCE_MS, open_page, send, set_values, story, write
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = [pytest.mark.browser, pytest.mark.fresh]


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", block_size=128, starters=["Once"])
    save_characters(models / "others", block_size=128)
    return models


@pytest.fixture(scope="module")
def base(browser: Browser, models: Path, tmp_path_factory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def opened(page: Page) -> str:
    """The story of a page that was just opened, once it is there."""
    page.wait_for_selector("#story-new")
    return story(page)


def thread_of(page: Page) -> str:
    page.wait_for_url("**/thread/*")
    return page.url.rsplit("/", 1)[1]


def save_as(page: Page, ending: str) -> Path:
    page.click("#story-file-menu")
    with page.expect_download() as download:
        page.click(f"#story-save-{ending}")
    assert download.value.suggested_filename.endswith(f".{ending}")
    return Path(download.value.path())


def open_file(page: Page, path: Path) -> None:
    """Open a file, and wait until the page has gone to its story."""
    before = page.url
    page.set_input_files("#story-file", path)
    page.wait_for_function("before => location.href !== before", arg=before)
    page.wait_for_selector("#story-new")


def test_reload_and_restart_keep_the_story_its_tree_settings_and_model(blank, models, tmp_path):
    with running_app(tmp_path, models) as base:
        open_page(page := blank(base), base)
        set_values(page, max_new_tokens="30")
        page.click("#mode-picker-trigger-model")
        page.locator("#mode-picker-popover-model").get_by_text("others", exact=True).click()
        write(page, "Once upon")
        text = write(page, "/with max=20 And then")
        thread = thread_of(page)
        tree = save_as(page, "json").read_text()
        page.reload()
        assert opened(page) == text
    with running_app(tmp_path, models) as base:
        page.goto(f"{base}/thread/{thread}")
        assert opened(page) == text
        assert save_as(page, "json").read_text() == tree
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("others")
        page.click("#chat-settings-open-modal")
        expect(page.locator("#chat-settings input#max_new_tokens")).to_have_value("30")
        page.keyboard.press("Escape")
        # And it is written on.
        after = text + joint(text, "on") + "on"
        assert write(page, "/with max=5 on").startswith(after)
        page.close()


def test_a_story_is_found_renamed_and_deleted_in_the_list(page):
    write(page, "/with max=5 A heron stood")
    thread = thread_of(page)
    entry = page.locator(f"#thread-{thread}")
    expect(entry).to_contain_text("A heron stood")
    entry.hover()
    entry.locator("xpath=ancestor-or-self::*[.//*[@id='thread-options']][1]").locator(
        "#thread-options"
    ).first.click()
    page.click("#rename-thread")
    page.fill("input#name", "The bird")
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(entry).to_contain_text("The bird")
    # Words that stand in the story find it, under its new name.
    page.click("#search-chats-button")
    page.get_by_placeholder("Words of a story").fill("HERON")
    expect(page.get_by_role("option")).to_have_count(1)
    expect(page.get_by_role("option")).to_contain_text("The bird")
    page.keyboard.press("Escape")
    page.reload()
    assert opened(page).startswith("A heron stood")
    expect(entry).to_contain_text("The bird")
    entry.hover()
    entry.locator("xpath=ancestor-or-self::*[.//*[@id='thread-options']][1]").locator(
        "#thread-options"
    ).first.click()
    page.click("#delete-thread")
    page.get_by_role("button", name="Confirm", exact=True).click()
    expect(entry).to_have_count(0)
    page.reload()
    expect(page.locator("#thread-history")).to_be_visible()
    expect(entry).to_have_count(0)


def test_a_new_story_goes_on_with_the_settings_and_the_model(page):
    set_values(page, max_new_tokens="7", seed="5")
    page.click("#mode-picker-trigger-model")
    page.locator("#mode-picker-popover-model").get_by_text("others", exact=True).click()
    first = write(page, "Once")
    thread = thread_of(page)
    page.click("#story-new")
    page.wait_for_selector("#story-begin")
    assert write(page, "Once") == first
    assert thread_of(page) != thread
    expect(page.locator(".facts-below b")).to_have_text("others")


def test_what_is_saved_and_opened_again_is_the_same_story(page, tmp_path):
    write(page, "/with max=30 # *Once* <b>é</b>\n\n1. upon".replace("é", "e").replace("1", "x"))
    text = write(page, "/with max=10 Then")
    tree = save_as(page, "json")
    kept = tmp_path / "kept.json"
    kept.write_bytes(tree.read_bytes())
    assert save_as(page, "txt").read_text() == text
    assert "Temperature 0.8" in save_as(page, "md").read_text()
    written = docx.Document(str(save_as(page, "docx"))).paragraphs
    assert written[0].text == "*Once* <b>e</b>"
    assert written[1].text.startswith("x. upon")
    with ZipFile(save_as(page, "epub")) as book:
        assert book.infolist()[0].filename == "mimetype"
        assert "*Once* &lt;b&gt;e&lt;/b&gt;" in book.read("EPUB/chapter-0001.xhtml").decode()
    thread = thread_of(page)
    open_file(page, kept)
    assert thread_of(page) != thread
    assert story(page) == text
    assert save_as(page, "json").read_bytes() == kept.read_bytes()


def test_a_text_begins_a_story_and_a_bad_file_is_refused(page, tmp_path):
    page.wait_for_selector("#story-file-menu")
    for name, content, why in (
        ("a.json", b'{"format": 1}', "not a story"),
        ("b.txt", b"caf\xe9", "UTF-8"),
        ("c.txt", b" \n", "is empty"),
    ):
        (tmp_path / name).write_bytes(content)
        page.set_input_files("#story-file", tmp_path / name)
        expect(page.locator("[data-sonner-toast]").filter(has_text=why).first).to_be_visible()
    long = "It was a long day.\r\n" * 12_000
    (tmp_path / "day.txt").write_bytes(long.encode())
    open_file(page, tmp_path / "day.txt")
    assert story(page) == long.replace("\r\n", "\n")


def test_a_word_document_and_an_e_book_begin_stories_that_are_called_as_they_are(page, tmp_path):
    page.wait_for_selector("#story-file-menu")
    (tmp_path / "a.docx").write_bytes(b"%PDF-1.7")
    page.set_input_files("#story-file", tmp_path / "a.docx")
    toasts = page.locator("[data-sonner-toast]")
    expect(toasts.filter(has_text="it is a PDF: save it as plain text").first).to_be_visible()
    document = docx.Document()
    document.add_heading("The Rain", level=0)
    document.add_paragraph("It rained.")
    document.add_paragraph().add_run().element.append(OxmlElement("w:drawing"))
    document.save(str(tmp_path / "rain.docx"))
    open_file(page, tmp_path / "rain.docx")
    assert story(page) == "# The Rain\n\nIt rained."
    expect(toasts.filter(has_text="Opened without 1 picture")).to_be_visible()
    expect(page.locator("#thread-history").get_by_text("The Rain", exact=True)).to_be_visible()
    saved = save_as(page, "epub").rename(tmp_path / "rain.epub")
    open_file(page, saved)
    assert story(page) == "# The Rain\n\nIt rained."


def test_two_browsers_at_once_do_not_mix(browser, blank, base):
    pages = [blank(base), browser.new_page(viewport={"width": 1360, "height": 850})]
    for page in pages:
        page.set_default_timeout(PATIENCE_MS)
        open_page(page, base)
    for page, letter in zip(pages, "ab", strict=True):
        send(page, f"/with max=60 {letter * 20}")
    for page, letter in zip(pages, "ab", strict=True):
        page.wait_for_selector("#story-new")
        text = story(page)
        assert text.startswith(letter * 20)
        page.reload()
        assert opened(page) == text
    assert thread_of(pages[0]) != thread_of(pages[1])
    for page in pages:
        page.close()


def enter(page: Page, base: str, name: str, password: str) -> None:
    page.goto(base + "/login")
    page.fill("#email", name)
    page.fill("#password", password)
    page.press("#password", "Enter")


def test_with_accounts_nobody_gets_at_the_story_of_another(browser, blank, models, tmp_path):
    write_account(tmp_path / "stories", "ada", "correct horse")
    write_account(tmp_path / "stories", "bob", "battery staple")
    with running_app(tmp_path, models) as base:
        assert httpx.post(base + "/auth/header").status_code == 400
        ada, bob = blank(base), browser.new_page()
        for page in (ada, bob):
            page.set_default_timeout(PATIENCE_MS)
        enter(ada, base, "ada", "wrong horse")
        expect(ada.locator("form")).to_contain_text("do not fit")
        ada.fill("#password", "correct horse")
        ada.press("#password", "Enter")
        ada.wait_for_selector("#story-begin")
        write(ada, "/with max=5 Secret words")
        thread = thread_of(ada)
        enter(bob, base, "bob", "battery staple")
        bob.wait_for_selector("#story-begin")
        expect(bob.locator(f"#thread-{thread}")).to_have_count(0)
        listed = bob.request.post(
            base + "/project/threads",
            data={"pagination": {"first": 50}, "filter": {"userId": "ada"}},
        )
        assert json.loads(listed.text())["data"] == []
        assert bob.request.get(f"{base}/project/thread/{thread}").status == 401
        name = {"threadId": thread, "name": "mine"}
        assert bob.request.put(base + "/project/thread", data=name).status == 401
        assert bob.request.delete(base + "/project/thread", data=name).status == 401
        bob.goto(f"{base}/thread/{thread}")
        bob.wait_for_timeout(3000)
        assert "Secret" not in bob.content()
        assert httpx.get(f"{base}/project/thread/{thread}").status_code == 401
        ada.reload()
        assert opened(ada).startswith("Secret words")
        ada.close()
        bob.close()


def test_memory_and_note_say_what_they_cost_are_written_with_and_stay_after_a_reload(page):
    page.click("#open-memory")
    said, cost = page.locator("#memory-said"), page.locator(".memory-parts")
    expect(said).to_contain_text("“letters” reads 128 tokens at once; 63 of them may be")
    page.fill("#memory-memory", "Tom is a red fox.")
    page.fill("#memory-note", "It was sad.")
    page.fill("#memory-depth", "1")
    expect(said).to_contain_text("They take 30 of the 128 tokens")
    expect(said).to_contain_text("A small window")
    expect(page.locator("#memory-state")).to_have_text("Not set yet.")
    page.click("#memory-set")
    expect(page.locator("#memory-state")).to_have_text("In force.")
    set_values(page, max_new_tokens="150")
    text = write(page, "Once")
    assert "fox" not in text
    meter = page.locator(".meter")
    expect(meter).to_have_attribute("title", re.compile("Memory and note take 30 more"))
    assert int(meter.get_attribute("data-used") or 0) <= 128
    expect(page.locator('[data-setting="context"]').first).to_contain_text("memory, author’s note")
    expect(cost.locator('[data-part="story"]')).to_contain_text(f"97 of {len(text)}")
    data = json.loads(save_as(page, "json").read_text())
    assert data["context"] == {"memory": "Tom is a red fox.", "note": "It was sad.", "depth": 1}
    page.fill("#memory-memory", "x" * 100)
    expect(page.locator("#panel-memory .error")).to_contain_text("half is left for the story")
    # What is not set stays in the browser, and is no less not in force when it comes back.
    page.fill("#memory-memory", "Tom is a fox ")
    page.reload()
    assert opened(page) == text
    expect(page.locator("[data-sonner-toast]")).to_contain_text("Memory is back, and not in force")
    page.click("#open-memory")
    expect(page.locator("#memory-memory")).to_have_value("Tom is a fox ")
    expect(page.locator("#memory-note")).to_have_value("It was sad.")
    expect(page.locator("#memory-depth")).to_have_value("1")
    expect(page.locator("#memory-state")).to_have_text("Not set yet.")
    page.click("#memory-set")
    expect(page.locator("#memory-state")).to_have_text("In force.")
    expect(page.locator("#memory-memory")).to_have_value("Tom is a fox")
    page.reload()
    assert opened(page) == text
    page.click("#open-memory")
    expect(page.locator("#memory-memory")).to_have_value("Tom is a fox")
    expect(page.locator("#memory-state")).to_have_text("In force.")
    expect(page.locator("[data-sonner-toast]")).to_have_count(0)
