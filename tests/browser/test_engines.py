"""Models on servers in a real browser: llama.cpp's own server with a GGUF of ours, and a fake one
that misbehaves."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from gpt.export import main as export
from tests.browser.test_dice import parts, pick_model, shade
from tests.browser.test_loop import press, settled, stop_while_it_writes, tell
from tests.browser.test_page import send, story, write
from tests.support.app_server import lend_stories, running_app
from tests.support.fake_engine import TEXT, FakeEngine, fake_engine, wait_until
from tests.support.llama_cpp import llama_cpp

KEY = "a-secret-key"

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeEngine]:
    with fake_engine() as server:
        yield server


@pytest.fixture(scope="module")
def base(browser: Browser, tmp_path_factory, fake: FakeEngine) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    file = tmp_path_factory.mktemp("gguf") / "tales.gguf"
    assert export([str(models / "stories"), str(file)]) == 0
    with llama_cpp(file, context=256) as llama:
        servers = (
            f"llama={llama.address}/v1",
            f"fake={fake.url};key={KEY};patience=1",
            f"down=http://127.0.0.1:9/v1;key={KEY}",
        )
        said = ",".join(servers)
        with running_app(tmp_path_factory.mktemp("app"), models, INKLING_ENGINE=said) as base:
            yield base


def test_llama_cpps_own_server_writes_stops_retries_and_shows_its_dice(page: Page) -> None:
    page.click("#mode-picker-trigger-model")
    picker = page.locator("#mode-picker-popover-model")
    expect(picker).to_contain_text("llama.cpp at “llama” · reads 256 tokens")
    expect(picker).to_contain_text("a server · “down” cannot be reached")
    page.keyboard.press("Escape")
    pick_model(page, "llama/tales.gguf")
    text = write(page, "/with max=14 t=1 seed=3 end=0 Once upon a time")
    assert len(text) > len("Once upon a time") + 14
    expect(page.locator(".meter")).to_contain_text("about ")
    expect(page.locator(".facts-below, .facts").last).to_contain_text("llama/tales.gguf")
    shade(page)
    parts(page).nth(3).click()
    expect(page.locator(".odds-row")).to_have_count(10)
    expect(page.locator("#odds")).to_contain_text("It is on a server")
    row = page.locator(".odds-row:not(.own)").first
    row.click()
    page.wait_for_function("document.querySelectorAll('#story-text .passage').length === 3")
    settled(page)
    tell(page, "/undo")
    page.wait_for_function("document.querySelectorAll('#story-text .passage').length === 2")
    page.click("#open-dice")
    expect(page.locator("#dice-rows .dice-row")).to_have_count(20)
    expect(page.locator("#dice-told")).to_contain_text("on a server")
    other = press(page, "#story-retry")
    assert other != text
    expect(page.locator("#story-place")).to_have_text("2/2")


def test_stop_reaches_the_server(page: Page, base: str, fake: FakeEngine) -> None:
    gone = fake.gone
    pick_model(page, "fake/slow")
    send(page, "/with max=400 Once upon a time")
    written = ".passage[data-author=model] .part"
    stop_while_it_writes(page, base, written, stories=1)
    assert wait_until(lambda: fake.gone == gone + 1)
    assert story(page).startswith("Once upon a time there")


@pytest.mark.parametrize(
    ("model", "kept", "said"),
    [
        ("hangs", " there was", "“fake” has sent nothing for 1 second,"),
        ("cut", " there was", "“fake” broke its answer off in the middle"),
        ("always-busy", "", "“fake” is busy (429)"),
        ("broken", "", "“fake” failed (500). It says: “out of memory”"),
    ],
)
def test_a_server_that_misbehaves_is_a_line_and_the_text_stays(page, fake, model, kept, said):
    pick_model(page, f"fake/{model}")
    send(page, "Once upon a time")
    expect(page.locator("[data-sonner-toast]").filter(has_text=said)).to_be_visible()
    assert settled(page) == "Once upon a time" + kept
    pick_model(page, "fake/fine")
    page.click("#story-continue")
    page.wait_for_function("document.body.innerText.includes('quiet hills')")
    assert settled(page) == "Once upon a time" + kept + TEXT
    assert KEY not in page.content()
