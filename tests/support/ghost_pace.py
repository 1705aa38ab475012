"""`python -m tests.support.ghost_pace`: how long after the last key the ghost text stands there.

With the shipped `stories`, in Chromium; the median of ten lines behind a story, in milliseconds.
"""

import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.browser.test_page import ARGS, PATIENCE_MS, open_page, write
from tests.support.app_server import lend_stories, running_app

LINES = (
    *("The little fox ran into the", "One day a girl named Lily went to the"),
    *("Tom was sad because he", "Her mother said that they could", "The bird sang on the tall"),
    *("In the dark wood there lived an", "They played until the sun"),
    *("He gave his red ball to the", "The old man opened the", "She found a big umb"),
)
WATCH = """() => {
    document.addEventListener('keydown', () => { window.pressed = performance.now(); }, true);
    new MutationObserver(() => {
        if (document.querySelector('.ghost-words')) window.stood ??= performance.now();
    }).observe(document.body, { subtree: true, childList: true });
}"""
SETTLED_MS = 10_000
"""For the compiled core, which comes a moment after the start."""


def main() -> None:
    folder, models = Path(tempfile.mkdtemp()), Path(tempfile.mkdtemp())
    lend_stories(models)
    taken: list[float] = []
    with (
        running_app(folder, models, forked=False, INKLING_CORE="numba") as base,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        open_page(page, base)
        write(page, "/with seed=1 max=150 Once upon a time there was a fox.")
        page.wait_for_timeout(SETTLED_MS)
        page.evaluate(WATCH)
        page.click("#story-ghost")
        for line in LINES:
            page.fill("#chat-input", "")
            page.keyboard.press("Escape")
            page.keyboard.type(line, delay=30)
            page.evaluate("() => { delete window.stood; }")
            page.wait_for_selector(".ghost-words")
            taken.append(page.evaluate("window.stood - window.pressed"))
            print(f"{taken[-1]:6.0f}  {line}|{page.text_content('.ghost-words')}")
        browser.close()
    print(f"{statistics.median(taken):6.0f}  median")


if __name__ == "__main__":
    main()
