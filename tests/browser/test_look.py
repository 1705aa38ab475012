"""How the page looks and reads: the room that text, margin and panels leave each other, the
writer's own look of the text, and the story read aloud."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

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
FIRST = """new MutationObserver((_, own) => {
  const story = document.querySelector('#story-text');
  if (!story) return;
  window.firstLook = [getComputedStyle(story).fontSize, story.offsetWidth];
  own.disconnect();
}).observe(document, { childList: true, subtree: true });"""
PRESS = "name => document.getElementById(name).click()"
VOICES = """() => {
  window.voice = (name, lang, localService) =>
    ({ voiceURI: name, name, lang, localService, default: false });
  window.spoken = [];
  window.silenced = 0;
  window.fakeVoices = [];
  window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
  Object.defineProperty(window, 'speechSynthesis', { value: {
    getVoices: () => window.fakeVoices,
    speak: each => window.spoken.push(each),
    cancel: () => { window.silenced += 1; },
  } });
  window.sayOn = () => window.spoken.at(-1).onend({});
}"""


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", block_size=128, starters=["Once"])
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def add(page: Page, words: str) -> None:
    page.fill("#chat-input", words)
    page.press("#chat-input", "Shift+Enter")
    expect(page.locator("#chat-input")).to_have_value("")


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


def style(page: Page, selector: str, name: str) -> str:
    return page.locator(selector).evaluate("(node, name) => getComputedStyle(node)[name]", name)


def turn(page: Page, dial: str, key: str, times: int) -> None:
    page.focus(f"#look-{dial}")
    for _ in range(times):
        page.keyboard.press(key)


def gap(page: Page) -> float:
    """From the top of one line of the story to that of the next, in lines."""
    return page.evaluate(
        """() => {
          const story = document.getElementById('story-text');
          const [one, other] = ['One', 'Two'].map(word => {
            const part = [...story.querySelectorAll('.part')].find(
              each => each.textContent.startsWith(word));
            const range = document.createRange();
            range.setStart(part.firstChild, 0);
            range.setEnd(part.firstChild, 3);
            return range.getBoundingClientRect().top;
          });
          return (other - one) / parseFloat(getComputedStyle(story).lineHeight);
        }"""
    )


def looks(page: Page) -> dict[str, Any]:
    """Sizes in px."""
    return {
        "size": float(style(page, "#story-text", "fontSize").removesuffix("px")),
        "typed": float(style(page, "#chat-input", "fontSize").removesuffix("px")),
        "line": float(style(page, "#story-text", "lineHeight").removesuffix("px")),
        "font": style(page, "#story-text", "fontFamily"),
        "width": page.locator("#story-text").evaluate("node => node.offsetWidth"),
        "gap": round(gap(page), 1),
    }


def test_the_text_looks_as_the_writer_likes_it_from_the_first_paint_on(page):
    add(page, "One line.\nTwo lines.\nThree.")
    own = looks(page)
    assert own["gap"] == 1
    page.click("#open-look")
    page.check("#look-face-typed")
    turn(page, "size", "ArrowRight", 5)
    turn(page, "gap", "ArrowRight", 4)
    turn(page, "width", "Home", 1)
    expect(page.locator("#panel-look output").nth(3)).to_have_text("1 line")
    now = looks(page)
    assert [now["size"], now["typed"]] == pytest.approx([1.5 * own["size"], 1.5 * own["typed"]])
    assert now["gap"] == 2
    assert "Courier New" in now["font"]
    assert style(page, "#chat-input", "fontFamily") == now["font"]
    page.keyboard.press("Escape")
    page.locator(".passage").first.click()
    page.click(".act-edit")
    assert style(page, ".edit-words", "fontFamily") == now["font"]
    page.keyboard.press("Escape")
    now = looks(page)
    page.add_init_script(FIRST)
    page.reload()
    page.wait_for_selector("#story-text .part")
    assert page.evaluate("window.firstLook") == [f"{now['size']:g}px", now["width"]]
    assert looks(page) == now
    # With the browser's own font twice as large, all of it is.
    page.evaluate("() => { document.documentElement.style.fontSize = '32px'; }")
    assert looks(page)["size"] == pytest.approx(2 * now["size"])
    page.evaluate("() => { document.documentElement.style.fontSize = ''; }")
    page.click("#open-look")
    page.click("#look-reset")
    expect(page.locator("#look-reset")).to_be_focused()
    page.keyboard.press("Escape")
    assert looks(page) == own
    assert page.evaluate("localStorage.getItem('inkling.look')") is None


MARKED = """() => [...(CSS.highlights.get('story-spoken') ?? [])].map(({
  startContainer, startOffset, endContainer, endOffset }) => {
    const range = document.createRange();
    range.setStart(startContainer, startOffset);
    range.setEnd(endContainer, endOffset);
    return [...range.cloneContents().textContent].join('');
}).join()"""


def spoken(page: Page, so_many: int) -> str:
    """The words that are said, once so many pieces were."""
    page.wait_for_function("many => window.spoken.length === many", arg=so_many)
    return page.evaluate("window.spoken.at(-1).text")


def test_the_story_is_read_aloud_sentence_by_sentence_and_followed(page):
    read, bar = page.locator("#story-aloud"), page.locator("#aloud")
    expect(read).to_be_disabled()
    add(page, "The fox ran. The owl saw it and " + "flew over the sea, " * 200 + "away.")
    add(page, "The end came.")
    page.evaluate(VOICES)
    read.click()
    expect(page.locator("#aloud-said")).to_contain_text("no voice to read with")
    page.click("#aloud-stop")
    expect(bar).to_have_count(0)
    expect(read).to_be_focused()
    page.evaluate("window.fakeVoices = [voice('Far', 'en-GB', false)]")
    read.click()
    expect(page.locator("#aloud-said")).to_contain_text("send the words")
    assert page.evaluate("window.spoken.length") == 0
    page.click("#aloud-stop")
    page.evaluate("window.fakeVoices.unshift(voice('Eve', 'en-US', true))")
    # From the passage that is chosen, each sentence marked and in sight.
    page.locator(".passage").first.locator(".part").first.click()
    page.click(".act-aloud")
    assert spoken(page, 1) == "The fox ran."
    assert page.evaluate(MARKED) == "The fox ran."
    expect(read).to_have_text("Stop reading")
    page.evaluate("sayOn()")
    assert spoken(page, 2).startswith("The owl saw it")
    for at in range(3, 25):
        page.evaluate("sayOn()")
        spoken(page, at)
    seen = page.evaluate(
        "() => { const [{ startContainer: node }] = CSS.highlights.get('story-spoken');"
        " const { top } = node.parentElement.getBoundingClientRect();"
        " return top > 0 && top < innerHeight; }"
    )
    assert seen
    page.click("#aloud-pause")
    assert page.evaluate(MARKED) == ""
    before = page.evaluate("window.spoken.at(-1).text")
    page.click("#aloud-pause")
    assert spoken(page, 25) == before
    page.select_option("#aloud-rate", "1.5")
    assert spoken(page, 26) == before
    assert page.evaluate("[spoken.at(-1).rate, spoken.at(-1).voice.name]") == [1.5, "Eve"]
    # The words change under it.
    page.keyboard.press("Alt+KeyZ")
    page.keyboard.press("Alt+KeyZ")
    expect(page.locator("#aloud-said")).to_contain_text("were changed")
    assert page.evaluate(MARKED) == ""
    page.click("#aloud-stop")
    page.keyboard.press("Alt+Shift+KeyZ")
    page.wait_for_selector(".passage")
    # What is selected, and no more; with the pace that was kept.
    page.evaluate(
        "() => { const part = document.querySelectorAll('#story-text .part')[1].firstChild;"
        " document.getSelection().setBaseAndExtent(part, 0, part, part.length); }"
    )
    page.click("#story-aloud")
    assert spoken(page, 27) == "fox"
    assert page.evaluate("spoken.at(-1).rate") == 1.5
    page.evaluate("sayOn()")
    expect(bar).to_have_count(0)
    expect(read).to_have_text("Read aloud")
    expect(page.locator("#story-text")).to_have_attribute("lang", "en")
