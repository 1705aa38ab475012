"""The saved steps of a run and its losses, as they lie on the disk."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from chat.models import find_models
from chat.models.engines import Engines
from chat.models.saved_steps import MOST_POINTS, Curve, find_steps, read_curve, step_listings
from gpt.engine import Engine
from gpt.sampling import SamplingParams
from tests.support.tiny_checkpoint import save_characters


@pytest.fixture
def root(tmp_path: Path) -> Path:
    run = tmp_path / "runs" / "mine"
    save_characters(run / "best", starters=["It began"], step=100, val_bpb=2.0)
    for step in (0, 3, 100, 1_000_000):
        measured: dict[str, Any] = (
            {"val_loss": 4.0 - step / 100, "val_bpb": 5.0} if step in (0, 100) else {}
        )
        save_characters(run / "steps" / f"{step:06}", step=step, tokens=step * 8, **measured)
    return tmp_path


def test_the_steps_of_a_run_are_listed_in_order_and_leave_the_picker_alone(root):
    models = find_models(root, "")
    assert list(models) == ["mine"]
    steps = find_steps(models)["mine"]
    assert [each.step for each in steps] == [0, 3, 100, 1_000_000]
    assert [each.listing.key for each in steps] == [
        *("mine@000000", "mine@000003", "mine@000100", "mine@1000000"),
    ]
    assert [each.val_loss for each in steps] == [4.0, None, 3.0, None]
    assert [each.tokens for each in steps] == [0, 24, 800, 8_000_000]
    assert {each.listing.starters for each in steps} == {("It began",)}
    assert list(step_listings(models)) == [each.listing.key for each in steps]


def test_a_saved_step_is_loaded_and_writes_like_any_model(root):
    async def run():
        engines = Engines(max_loaded=1, max_batch=1)
        loaded = await engines.get(step_listings(find_models(root, ""))["mine@000003"])
        assert isinstance(loaded.engine, Engine)
        request = loaded.engine.submit("Once", SamplingParams(max_new_tokens=3, seed=1))
        assert len([token async for token in request]) == 3
        assert loaded.engine.max_batch == 1
        engines.close()

    asyncio.run(run())


def test_what_is_no_step_is_left_out_and_a_removed_one_is_gone_at_the_next_look(root):
    steps = root / "runs" / "mine" / "steps"
    (steps / "notes").mkdir()
    (steps / "000007").mkdir()
    (steps / ".000008-half").mkdir()
    (steps / "000003" / "config.json").write_text("{")
    (steps / "000100" / "training.json").unlink()
    models = find_models(root, "")
    found = find_steps(models)["mine"]
    assert [each.step for each in found] == [0, 100, 1_000_000]
    assert (found[1].tokens, found[1].val_loss) == (None, None)
    shutil.rmtree(steps / "000000")
    assert [each.step for each in find_steps(models)["mine"]] == [100, 1_000_000]
    shutil.rmtree(steps)
    assert find_steps(models) == {}


def test_runs_named_in_the_environment_have_their_steps_too(root, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    for extra in (root / "runs", root / "runs" / "mine"):
        models = find_models(empty, str(extra))
        assert list(models) == ["mine"]
        assert len(find_steps(models)["mine"]) == 4


def test_the_curve_is_read_whole_or_cut_and_the_later_line_counts(tmp_path):
    lines = [
        '{"step": 0, "val_loss": 4.5, "val_bpb": 6.0}',
        '{"step": 10, "train_loss": 3.5}',
        "",
        "[1, 2]",
        '"step"',
        '{"step": "20", "train_loss": 3.0}',
        '{"step": -1, "train_loss": 3.0}',
        '{"step": 30, "train_loss": NaN}',
        '{"step": 40, "train_loss": true}',
        '{"step": 10, "train_loss": 3.25}',
        '{"step": 20, "val_loss": 3.0}',
        "[" * 100_000,
        '{"step": 50, "train_lo',
    ]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines), encoding="utf-8")
    curve = read_curve(tmp_path)
    assert curve == Curve(train=((10, 3.25),), valid=((0, 4.5), (20, 3.0)))
    # A checkpoint in the run finds it above, a folder elsewhere finds none.
    (tmp_path / "best").mkdir()
    assert read_curve(tmp_path / "best") == curve
    assert not read_curve(tmp_path / "other" / "best")
    (tmp_path / "metrics.jsonl").write_bytes(b'{"step": 1, "train_loss": 2}\n\xff\xfe\x00')
    assert read_curve(tmp_path).train == ((1, 2.0),)


def test_a_long_run_is_drawn_through_few_points_with_both_ends(tmp_path):
    records = [{"step": step, "train_loss": 1 / step} for step in range(1, 20_001)]
    text = "".join(json.dumps(record) + "\n" for record in records)
    (tmp_path / "metrics.jsonl").write_text(text)
    points = read_curve(tmp_path).train
    assert len(points) <= MOST_POINTS + 1
    assert points[0] == (1, 1.0)
    assert points[-1] == (20_000, 1 / 20_000)
    assert all(loss == 1 / step for step, loss in points)
