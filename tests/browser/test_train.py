"""A file is dropped, a model learns from it, one writes with it meanwhile: in a real browser."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_page import open_page, story, write
from tests.support.app_server import ROOT, running_app, status
from tests.support.begun import begin
from tests.support.tiny_checkpoint import save_characters

pytestmark = [pytest.mark.browser, pytest.mark.slow]
SIZE = re.compile("300 steps, 51.1 passes over the text, 0.8 million parameters")
PATIENCE_MS = 240_000
"""A training begins with torch, and a machine may be busy."""
DROP = """(node, [name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: 'text/plain' }));
  const how = { dataTransfer: data, bubbles: true, cancelable: true };
  node.dispatchEvent(new DragEvent('drop', how));
}"""


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters")
    (models / "stories").symlink_to(ROOT / "checkpoints" / "stories")
    return models


def at_the_desk(page: Page, base: str) -> Page:
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    open_page(page, base)
    return page


def drop(page: Page, name: str, text: str) -> None:
    page.locator("#train-drop").evaluate(DROP, [name, text])


def test_a_dropped_file_is_trained_on_written_with_and_found_again(blank, models, tmp_path):
    text = (ROOT / "data" / "story.txt").read_text(encoding="utf-8")
    with running_app(tmp_path, models) as base:
        page = at_the_desk(blank(base), base)
        page.click("#open-train")
        drop(page, "short.txt", "Too short.")
        expect(page.locator("#train-error")).to_contain_text("nothing to learn from")
        drop(page, "My Tales.txt", text)
        expect(page.locator("#train-text")).to_contain_text("20 kB")
        # To go on from a model that knows English is proposed, and the writer chooses.
        expect(page.locator("#train-language")).to_contain_text("“stories” knows this language")
        go_on, from_nothing = page.locator(".train-way").all()
        expect(go_on).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#train-source")).to_have_value("stories")
        expect(page.locator("#train-plan")).to_contain_text("It already writes as “stories” does")
        from_nothing.click()
        expect(from_nothing).to_have_attribute("aria-pressed", "true")
        expect(page.locator("#train-plan")).to_contain_text("it will read your text 51 times over")
        expect(page.locator("#train-plan p").first).to_have_attribute("title", SIZE)
        page.click("#train-start")
        run = page.locator(".train-run[data-key=my-tales]")
        expect(run).to_have_attribute("data-state", "training")
        # It learns: the curve is drawn, a sample stands there, and the step counts on.
        expect(run.locator(".train-curve svg")).to_be_visible()
        expect(run.locator(".train-sample")).not_to_be_empty()
        page.wait_for_function("document.querySelector('.train-run progress').value >= 10")
        # One writes with it while it does.
        run.locator(".train-write").click()
        expect(page.locator("#mode-picker-trigger-model")).to_contain_text("my-tales")
        page.keyboard.press("Escape")
        said = write(page, "/with max=30 end=0 The")
        assert len(said) > len("The")
        expect(page.locator(".facts-below b")).to_have_text("my-tales")
        # The page is left and comes back, and so does the app; the training went on.
        page.reload()
        page.wait_for_selector("#story-new")
        assert story(page) == said
        page.click("#open-train")
        expect(run).to_have_attribute("data-state", "training")
        page.close()
    with running_app(tmp_path, models) as base:
        page = at_the_desk(blank(base), base)
        page.click("#open-train")
        run = page.locator(".train-run[data-key=my-tales]")
        expect(run).to_have_attribute("data-state", "training")
        run.locator(".train-pause").click()
        expect(run).to_have_attribute("data-state", "paused")
        before = int(page.locator(".train-run progress").get_attribute("value") or 0)
        run.locator(".train-resume").click()
        expect(run).to_have_attribute("data-state", "training")
        page.wait_for_function(
            "before => document.querySelector('.train-run progress').value > before", arg=before
        )
        run.locator(".train-stop").click()
        expect(run).to_have_attribute("data-state", "stopped")
        assert status(base)["active"] == 0
        page.close()


def test_a_model_is_shared_and_taken_back_by_its_owner(blank, models, tmp_path):
    with running_app(tmp_path, models, INKLING_GUESTS="1") as base:
        page = at_the_desk(blank(base), base)
        owner = page.evaluate("fetch('/user').then((answer) => answer.json())")["identifier"]
        run = begin(tmp_path / "runs" / "songs", owner)
        page.click("#open-train")
        share = page.locator(".train-run[data-key=songs] .train-share")
        for label, shared in (("Share", True), ("Stop sharing", False)):
            expect(share).to_have_text(label)
            expect(share).to_have_attribute("aria-pressed", str(not shared).lower())
            share.click()
            expect(share).to_have_attribute("aria-pressed", str(shared).lower())
            assert json.loads((run / "page.json").read_text())["shared"] is shared
        page.close()
