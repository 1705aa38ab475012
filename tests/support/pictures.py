"""`python -m tests.support.pictures [OUT]`: the pictures in docs/, taken from the running app.

The time machine is shown with the run that ships. With INKLING_DATA naming the data folder that
`stories` learnt from, “Did it copy?” is taken too.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.test_page import ARGS, PATIENCE_MS, open_page, send, start_anew, story, write
from tests.support.app_server import ROOT, running_app

WIDE, PHONE = (1360, 850), (390, 844)
RUN = ROOT / "runs" / "shakespeare-small"
STORY = "/with seed=1 max=71 Once upon a time"


def page_of(browser: Browser, base: str, size: tuple[int, int], scheme: str) -> Page:
    viewport = {"width": size[0], "height": size[1]}
    page = browser.new_page(viewport=viewport, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE_MS)
    open_page(page, base)
    return page


def desk(page: Page, shoot: Callable[[Page, str], None], name: str) -> None:
    write(page, STORY)
    write(page, "/with seed=5 max=45 The next day the fox came back with a friend.")
    shoot(page, name)


def dice_and_others(page: Page, shoot: Callable[[Page, str], None]) -> None:
    """Each panel in turn, over one story."""
    write(page, "/with seed=1 max=31 Once upon a time")
    page.click("#story-tokens")
    page.locator(".part[data-odds]").nth(12).hover()
    page.wait_for_selector("#odds")
    shoot(page, "tokens")
    page.mouse.move(5, 400)
    page.click("#story-tokens")
    page.click("#open-dice")
    page.wait_for_selector("#dice-rows")
    page.locator("#dice-temperature").fill("0.5")
    shoot(page, "dice")
    page.click("#open-tune")
    page.wait_for_selector("#tune-temperature")
    shoot(page, "tune")
    page.click("#open-machine")
    page.click("#machine-all")
    page.wait_for_selector("#machine-text[data-done=true]")
    page.wait_for_function(
        "() => { const [done, all] = document.querySelector('#machine-count')"
        ".textContent.match(/[0-9]+/g); return done === all; }"
    )
    page.locator("#machine-step").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    shoot(page, "time-machine")
    page.click("#open-models")
    page.wait_for_selector("#models-table")
    shoot(page, "models")
    page.click("#open-why")
    page.select_option("#why-model", RUN.name)
    page.wait_for_selector("#why-scale")
    shoot(page, "why")
    if "INKLING_DATA" in os.environ:
        page.click("#open-copied")
        page.wait_for_selector("#copied-share")
        shoot(page, "copied")
    page.keyboard.press("Escape")
    start_anew(page)
    write(page, "/with seed=1 max=5 One day, a fox")
    send(page, "/max 40")
    send(page, "/seed 4")
    page.click("#story-ladder")
    page.wait_for_selector(".take:nth-child(5):not(:disabled)")
    page.locator("#story-text").scroll_into_view_if_needed()
    shoot(page, "ladder")


def branches(page: Page, shoot: Callable[[Page, str], None]) -> None:
    """A story that was retried here and there, and one of its branches with a name."""
    for seed, words in (
        (1, "Once upon a time there was a little fox."),
        (5, "One day it met an owl."),
    ):
        write(page, f"/with seed={seed} max=25 {words}")
        send(page, "/max 25")
        for _ in range(2):
            before = story(page)
            page.click("#story-retry")
            page.wait_for_function(
                "before => document.querySelector('.tail[data-busy=false]') &&"
                " document.querySelector('#story-text').innerText.length !== before.length",
                arg=before,
            )
    page.click("#open-branches")
    page.locator("#branch-list .branch-show").nth(1).focus()
    page.keyboard.press("F2")
    page.keyboard.type("A friend")
    page.keyboard.press("Enter")
    page.wait_for_selector("#branch-list b")
    page.mouse.move(5, 400)
    page.locator("#story-text").scroll_into_view_if_needed()
    page.wait_for_selector("[data-sonner-toast]", state="detached")
    shoot(page, "branches")


def main(out: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    # Made absolute: the app runs in a folder of its own.
    data = os.environ.get("INKLING_DATA", "")
    data = data and str(Path(data).resolve())

    def shoot(page: Page, name: str) -> None:
        page.wait_for_timeout(600)
        page.screenshot(path=out / f"{name}.png")

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        (Path(folder) / "runs").mkdir()
        (Path(folder) / "runs" / RUN.name).symlink_to(RUN)
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGS)
        with running_app(Path(folder), ROOT / "checkpoints", INKLING_DATA=data) as base:
            desk(page_of(browser, base, WIDE, "light"), shoot, "desk")
            desk(page_of(browser, base, WIDE, "dark"), shoot, "desk-dark")
            desk(page_of(browser, base, PHONE, "light"), shoot, "desk-phone")
            dice_and_others(page_of(browser, base, WIDE, "light"), shoot)
            branches(page_of(browser, base, WIDE, "light"), shoot)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs")
