"""A long story comes smoothly: measured in a real browser, frame by frame, until all is still."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.test_loop import settled
from tests.browser.test_page import send, start_anew, story
from tests.support.app_server import other_work, running_app
from tests.support.tiny_checkpoint import save_characters

TOKENS = 2000
LEAST_RATE = 200
"""Tokens a second that reach the page."""
LONGEST_GAP_MS = 100
"""Between two frames: a longer one is seen as a freeze."""
TRIES = 5
"""One good run shows what the page can; a busy machine also gets more time, by `other_work`."""

# Gaps count from the first token on, and on past the last: the facts and the buttons come then.
WATCH = """() => {
  const seen = { gap_ms: 0, first_s: 0, last_s: 0, shown: 0, frames: 0 };
  let before = 0;
  const frame = (now_ms) => {
    const last = document.querySelector('#story-text .passage[data-author=model]:last-child');
    const shown = last ? last.querySelectorAll('.part').length : 0;
    if (shown && !seen.first_s) seen.first_s = now_ms / 1000;
    else if (before && seen.first_s) seen.gap_ms = Math.max(seen.gap_ms, now_ms - before);
    if (shown > seen.shown) seen.last_s = now_ms / 1000;
    seen.shown = shown;
    seen.frames += 1;
    before = now_ms;
    if (!window.__enough) requestAnimationFrame(frame);
  };
  window.__enough = false;
  window.__seen = seen;
  requestAnimationFrame(frame);
}"""

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    # Its window is left behind, so dimming and the meter are at work as well.
    save_characters(models / "letters", block_size=512)
    with running_app(tmp_path_factory.mktemp("app"), models) as base:
        yield base


def watched(page: Page) -> dict[str, float]:
    """Let a long story come, and tell how it came."""
    page.evaluate(WATCH)
    send(page, f"/with max={TOKENS} t=1 p=1 seed=1 Once")
    page.wait_for_selector(".tail[data-busy=true]")
    text = settled(page)
    page.wait_for_timeout(500)
    page.evaluate("window.__enough = true")
    assert len(text) == len("Once") + TOKENS
    assert text == story(page)
    seen = page.evaluate("window.__seen")
    assert seen["shown"] == TOKENS
    return {"rate": TOKENS / (seen["last_s"] - seen["first_s"]), "gap_ms": seen["gap_ms"]}


def test_two_thousand_tokens_stream_without_a_freeze(page):
    came = []
    for _ in range(TRIES):
        came.append(watched(page))
        longest_gap_ms = LONGEST_GAP_MS * other_work()
        if came[-1]["rate"] >= LEAST_RATE and came[-1]["gap_ms"] <= longest_gap_ms:
            break
        start_anew(page)
    print([{name: round(value) for name, value in each.items()} for each in came])
    assert came[-1]["rate"] >= LEAST_RATE
    assert came[-1]["gap_ms"] <= longest_gap_ms
