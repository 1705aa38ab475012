"""How the page looks: the room that text, margin and panels leave each other."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.test_page import write
from tests.support.app_server import running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.browser

WIDTHS = (1024, 1100, 1280, 1440, 1920)
BOXES = """() => {
  const box = node => {
    const { left, right } = node.getBoundingClientRect();
    return [left, right];
  };
  const one = query => { const node = document.querySelector(query); return node && box(node); };
  const story = document.getElementById('story-text');
  const frame = story.closest('.overflow-y-auto');
  const panel = document.querySelector('.panel');
  const edge = panel ? panel.getBoundingClientRect().right : 0;
  return {
    frame: box(frame), story: box(story), panel: panel && box(panel),
    composer: one('#message-composer'), counts: one('#story-counts'),
    facts: [...story.querySelectorAll('.facts')].map(box).filter(([left, right]) => right > left),
    beyond: panel ? [...panel.querySelectorAll('*')].filter(
      node => node.getBoundingClientRect().right > edge + 1).map(node => node.outerHTML) : [],
    scrolls: document.documentElement.scrollWidth > innerWidth,
  };
}"""
STILL = """() => new Promise(done => {
  let [before, same] = ['', 0];
  const look = () => {
    const boxes = [...document.querySelectorAll('#story-text, #message-composer, .panel *')];
    const now = boxes.map(each => each.getBoundingClientRect().right).join();
    same = now === before ? same + 1 : 0;
    before = now;
    if (same > 1) done(); else requestAnimationFrame(look);
  };
  look();
})"""
"""Nothing moves any more: the list of stories slides in and out, and what a panel shows comes."""
PRESS = "name => document.getElementById(name).click()"


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", block_size=128, starters=["Once"])
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def boxes(page: Page) -> dict[str, Any]:
    page.evaluate(STILL)
    return page.evaluate(BOXES)


def faults(boxes: dict[str, Any], width: int, aside: int) -> list[str]:
    """What does not stand where it has room."""
    (left, right), (begin, end), panel = boxes["frame"], boxes["story"], boxes["panel"]
    found = [
        name for name in ("story", "composer", "counts") if not within(boxes[name], (left, right))
    ]
    found += ["facts" for each in boxes["facts"] if each[0] < end or each[1] > right]
    found += [f"beyond the panel: {each[:80]}" for each in boxes["beyond"]]
    found += ["the page scrolls sideways"] if boxes["scrolls"] else []
    found += ["the story is no wider than a phone"] if end - begin < 380 else []
    if panel:
        found += ["the panel is over the story"] if panel[0] < right - 1 else []
        # Beside an open list of stories a panel of half the page would have none: 320 px at least.
        half = width / 2 if width / 2 - aside >= 320 else width - aside - 320
        found += [f"{right - left} of {width} px for the story"] if right - left < half - 1 else []
    return found


def within(inner: list[float], outer: tuple[float, float]) -> bool:
    return inner[0] >= outer[0] - 1 and inner[1] <= outer[1] + 1


def test_text_margin_and_panels_leave_each_other_room_from_1024_px_on(page):
    write(page, "/with max=30 seed=1 Once upon a time, by the sea")
    write(page, "/with max=30 seed=2 and then the fox came to it")
    every = [each.get_attribute("id") or "" for each in page.locator(".tools [id^=open-]").all()]
    assert len(every) > 8
    found, margins = [], set()
    for side, aside in (("open", 256), ("shut", 0)):
        if side == "shut":
            page.click("#sidebar-trigger-button")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 850})
            now = boxes(page)
            margins |= {(side, width)} if now["facts"] else set()
            found += [f"{side} {width}: {each}" for each in faults(now, width, aside)]
            # One that is wide and one that is not; where there is least room, each of them.
            for name in every if (side, width) == ("open", 1024) else ("open-models", "open-tune"):
                page.evaluate(PRESS, name)
                page.wait_for_selector(":is(.panel, #find)")
                now = boxes(page)
                found += [f"{side} {width} {name}: {each}" for each in faults(now, width, aside)]
            page.keyboard.press("Escape")
    assert not found, "\n" + "\n".join(found)
    # There is room for them, and so they stand there.
    assert margins == {("shut", each) for each in WIDTHS} | {("open", w) for w in WIDTHS[2:]}
