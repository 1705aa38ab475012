"""The time machine and the models' cards in a real browser, on a run that is trained right here."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_loop import soon_s, tell
from tests.browser.test_page import open_page, write
from tests.support.app_server import ROOT, lend_stories, running_app, status
from tests.support.forks import run_module
from tests.support.tiny_checkpoint import save_characters
from train.data.prepare import prepare
from train.data.texts import Text

SMALL = {
    "--n-layer": 1,
    "--n-head": 2,
    "--n-embd": 32,
    "--block-size": 64,
    "--batch-size": 8,
    "--max-steps": 40,
    "--eval-every": 20,
    "--save-steps": 4,
    "--sample-tokens": 0,
    "--threads": 1,
}
STEPS = [0, 1, 6, 40]
SHIPPED = ROOT / "runs" / "shakespeare-small"

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(browser: Browser, tmp_path_factory) -> Path:
    """The app's folder, with a run that was trained for it, and one that writes without an end."""
    folder = tmp_path_factory.mktemp("app")
    data = folder / "data" / "story"
    prepare([Text(path=ROOT / "data" / "story.txt")], data, kind="char")
    options = [str(each) for pair in SMALL.items() for each in pair]
    run = ["--data", str(data), "--out", str(folder / "runs" / "tiny")]
    done = run_module("train.pretrain", "--preset", "story", *run, *options, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    for name in ("best", "steps/000000", "steps/000010"):
        save_characters(folder / "runs" / "endless" / name, n_embd=128, n_layer=4, block_size=256)
    (folder / "runs" / SHIPPED.name).symlink_to(SHIPPED)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    lend_stories(models)
    with running_app(folder, models) as base:
        yield base


def open_machine(page: Page, run: str = "tiny", length: int = 40) -> None:
    page.click("#open-machine")
    page.select_option("#machine-run", run)
    page.fill("#machine-length", str(length))


def wait_for_text(page: Page) -> str:
    """Wait until the chosen step has written; give its words."""
    page.wait_for_selector("#machine-text[data-done=true]")
    return written(page)


def written(page: Page) -> str:
    return page.locator("#machine-written").text_content() or ""


def cursor(page: Page) -> tuple[int, float]:
    """The step that the curve points at, and where."""
    line = page.locator("#machine-curve .cursor")
    return int(line.get_attribute("data-step") or -1), float(line.get_attribute("x1") or -1)


def there_and_back_s(page: Page, base: str) -> float:
    """How long a click and the server's answer take just now, whatever else the machine does."""
    took_s = []
    for _ in range(3):
        asked_s = time.monotonic()
        page.click("#machine-panel h2")
        status(base)
        took_s.append(time.monotonic() - asked_s)
    return max(took_s)


def test_the_same_beginning_at_each_step_and_the_same_text_again_when_slid_back(page, base):
    open_machine(page)
    assert page.locator(".machine-steps button").all_text_contents() == [str(n) for n in STEPS]
    expect(page.locator(".machine-says h3")).to_have_text("After 40 steps of training")
    page.fill("#machine-prompt", "The old")
    page.click("#machine-write")
    last, at_last = wait_for_text(page), cursor(page)
    assert 0 < len(last) <= 40
    expect(page.locator(".machine-foot")).to_contain_text("words stand in its training text")
    # With the keyboard, one step back: it is written without another click.
    page.focus("#machine-step")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".machine-says h3")).to_have_text("After 6 steps of training")
    before, at_before = wait_for_text(page), cursor(page)
    assert before != last
    assert (at_last[0], at_before[0]) == (40, 6)
    assert at_before[1] < at_last[1]
    page.keyboard.press("ArrowRight")
    expect(page.locator(".machine-says h3")).to_have_text("After 40 steps of training")
    assert page.locator("#machine-text[data-done=true]").count() == 1
    assert (written(page), cursor(page)) == (last, at_last)
    # From the server it is the same again too, for the dice are the same.
    page.reload()
    page.wait_for_selector("#open-machine")
    open_machine(page)
    page.fill("#machine-prompt", "The old")
    page.click("#machine-write")
    assert wait_for_text(page) == last
    page.fill("#machine-seed", "2")
    expect(page.locator("#machine-text")).to_have_attribute("data-done", "false")
    page.click("#machine-write")
    assert wait_for_text(page) != last
    # The story is not touched by any of it.
    assert page.locator("#story-text .passage").count() == 0


def test_play_goes_through_all_steps_and_the_curve_is_the_runs_own(page, folder):
    open_machine(page)
    page.click("#machine-play")
    expect(page.locator("#machine-play")).to_have_text("Pause")
    page.wait_for_function("document.querySelector('#machine-play').textContent.includes('Play')")
    expect(page.locator("#machine-count")).to_have_text("4 of 4 written")
    assert cursor(page)[0] == 40
    expect(page.locator("#machine-all")).to_be_disabled()
    lines = (folder / "runs" / "tiny" / "metrics.jsonl").read_text().splitlines()
    measured = [json.loads(line) for line in lines if "val_loss" in line]
    expect(page.locator("#machine-curve .valid-dot")).to_have_count(len(measured))
    # A click on the curve goes to the nearest step that was kept.
    box = page.locator("#machine-curve svg").bounding_box()
    assert box
    page.mouse.click(box["x"] + 60, box["y"] + 40)
    expect(page.locator(".machine-says h3")).to_have_text("After 0 steps of training")
    expect(page.locator(".machine-says")).to_contain_text("it has read nothing")
    assert cursor(page)[0] == 0


def test_the_run_that_ships_slides_from_noise_to_verse(page):
    open_machine(page, SHIPPED.name, 200)
    expect(page.locator("#machine-prompt")).to_have_value("ROMEO:\n")
    found = {}
    for key in ("Home", "End"):
        page.focus("#machine-step")
        page.keyboard.press(key)
        expect(page.locator(".machine-says")).to_contain_text("characters")
        found[key] = wait_for_text(page)
    # Of the 66 characters 26 are small letters; of what Shakespeare wrote, three quarters are.
    small = {key: sum(map(str.islower, text)) / len(text) for key, text in found.items()}
    assert small["Home"] < 0.55
    assert small["End"] > 0.65
    assert page.locator("#machine-curve .valid-dot").count() > 5


@pytest.mark.parametrize("how", ["close", "escape", "stop", "leave"])
def test_a_closed_panel_or_page_leaves_the_engine_idle(page, base, how):
    open_machine(page, "endless", 2048)
    page.locator("#machine-temperature").fill("1.5")
    page.click("#machine-all")
    page.wait_for_function("document.querySelector('#machine-written').textContent.length > 20")
    assert status(base)["active"] == 1
    latency_s = there_and_back_s(page, base)
    if how == "close":
        page.click("#machine-panel header button")
    elif how == "escape":
        page.keyboard.press("Escape")
    elif how == "stop":
        page.click("#machine-stop")
    else:
        page.goto("about:blank")
    stopped_s = time.monotonic()
    while status(base)["active"]:
        assert time.monotonic() - stopped_s < soon_s() + 2 * latency_s, latency_s
    if how == "leave":
        return open_page(page, base)
    if how == "stop":
        expect(page.locator(".machine-foot")).to_have_text("stopped before it was done")
        return None
    expect(page.locator("#machine-panel")).to_have_count(0)
    time.sleep(0.3)
    assert status(base)["active"] == 0
    return None


def test_what_cannot_be_written_is_said_in_the_panel(page, folder):
    hurt = folder / "runs" / "hurt"
    shutil.copytree(folder / "runs" / "tiny", hurt)
    open_machine(page, "hurt")
    page.fill("#machine-prompt", "naïve 7")
    page.click("#machine-write")
    expect(page.locator("#machine-panel .error")).to_contain_text("never saw")
    page.fill("#machine-prompt", "The old")
    shutil.rmtree(hurt / "steps" / "000006")
    weights = hurt / "steps" / "000001" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-9])
    page.click("#machine-all")
    page.wait_for_selector("#machine-stop", state="detached")
    page.locator(".machine-steps button").nth(2).click()
    expect(page.locator("#machine-panel .error")).to_contain_text("no longer there")
    page.locator(".machine-steps button").nth(1).click()
    expect(page.locator("#machine-panel .error")).to_contain_text("000001")
    page.locator(".machine-steps button").nth(3).click()
    assert len(wait_for_text(page)) > 0
    expect(page.locator("#machine-panel .error")).to_have_count(0)
    # Opened again, it knows which steps there are now.
    page.keyboard.press("Escape")
    page.click("#open-machine")
    expect(page.locator(".machine-steps button")).to_have_count(3)
    shutil.rmtree(hurt)


def test_cards_show_what_is_true_and_the_model_that_was_picked_writes(page, folder):
    page.click("#open-models")
    page.click("tr[data-model=tiny] button")
    card = page.locator("#model-card[data-model=tiny]")
    said = json.loads((folder / "runs" / "tiny" / "best" / "training.json").read_text())
    expect(card).to_contain_text(f"{said['parameters']:,}")
    expect(card).to_contain_text(f"{said['val_bpb']:.4f} bits per byte")
    expect(card).to_contain_text(f"{said['step']} of {SMALL['--max-steps']}")
    expect(card).to_contain_text("story.txt")
    expect(card).to_contain_text(said["command"])
    expect(card.locator("[data-known=false] dt")).to_have_text(["Licence"])
    assert card.locator("svg.curve .valid-dot").count() > 0
    page.click("#model-text summary")
    expect(page.locator("#model-text")).to_contain_text("Trained with Inkling on story.txt")
    # Sorted by size, one way and the other.
    rows = page.locator("#models-table tbody tr")
    beside = page.locator("#models-table tbody", has=page.locator("[data-model=tiny]"))
    expect(beside.locator("tr").first).to_have_text("Judged on story.txt")
    expect(page.locator("#models-table .models-text")).not_to_have_count(1)
    page.click("#sort-parameters")
    expect(rows.first).to_have_attribute("data-model", "stories")
    page.click("#sort-parameters")
    expect(rows.first).to_have_attribute("data-model", "tiny")
    page.click("#model-write")
    expect(page.locator("#mode-picker-trigger-model")).to_contain_text("tiny")
    expect(page.locator("#model-write")).to_be_disabled()
    page.keyboard.press("Escape")
    write(page, "/with max=5 The old")
    expect(page.locator(".facts-below .facts-head")).to_contain_text("tiny")


@pytest.mark.fresh
def test_why_it_is_gibberish_is_said_of_each_model_with_what_would_help_it(page):
    page.click("#open-models")
    page.click("tr[data-model=tiny] button")
    page.click("#model-why")
    expect(page.locator("#why-model")).to_have_value("tiny")
    expect(page.locator("#why-where")).to_contain_text("letters are common")
    expect(page.locator("#why-advice")).to_contain_text("More steps, or else a larger model")
    rows = page.locator("#why-scale li")
    expect(rows.first).to_contain_text("Noise: any letter, as likely as any other")
    expect(page.locator("#why-scale li[data-kind=model]")).to_contain_text("This model, tiny")
    bits = [float(each.split()[0]) for each in page.locator(".why-bits").all_text_contents()]
    assert bits == sorted(bits, reverse=True)
    widths = page.locator(".why-bar i").evaluate_all("all => all.map(each => each.offsetWidth)")
    assert widths == sorted(widths, reverse=True)
    # One that ships is beyond all tables of its text; of one without notes it is said.
    page.select_option("#why-model", "stories")
    expect(page.locator("#why-where")).to_contain_text("far beyond any table of its text")
    page.select_option("#why-model", "endless")
    expect(page.locator("#why-where")).to_contain_text("no notes of a training")
    expect(rows).to_have_count(0)
    page.select_option("#why-model", "tiny")
    page.click("#why-go")
    expect(page.locator("#panel-train")).to_be_visible()
    # By its button it is the one that writes; where the dice are too wild, that comes first.
    page.click("#open-why")
    expect(page.locator("#why-model")).to_have_value("stories")
    tell(page, "/temp 1.8")
    expect(page.locator("#why-advice")).to_contain_text("A lower temperature. It stands at 1.8")
    page.click("#why-go")
    expect(page.locator("#panel-tune")).to_be_visible()


def test_every_control_says_what_it_does_and_fits_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 844})
    drawn = {"machine": "#machine-step", "models": "#model-card", "why": "#why-scale"}
    for name, sign in drawn.items():
        page.click(f"#open-{name}")
        page.wait_for_selector(sign)
        panel = page.locator(f"#{name}-panel, #panel-{name}")
        assert panel.evaluate("node => node.scrollWidth <= node.clientWidth")
        for control in panel.locator("button, select, input, textarea, summary").all():
            assert control.get_attribute("title")
        panel.locator("header button").click()
