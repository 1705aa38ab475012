"""Which models there are, and which of them are in memory."""

import asyncio
import os
import time
from pathlib import Path

import gpt
from chat.models import default_model, find_models
from chat.models.engines import Engines
from tests.support.tiny_checkpoint import save_characters


def test_models_are_found_in_checkpoints_runs_and_folders_that_are_named(tmp_path):
    save_characters(tmp_path / "checkpoints" / "stories", val_bpb=0.9)
    save_characters(tmp_path / "runs" / "mine" / "best", starters=["It began"])
    save_characters(tmp_path / "runs" / "mine" / "last")
    save_characters(tmp_path / "elsewhere" / "one")
    (tmp_path / "runs" / "mine" / "config.json").write_text("{}")
    (tmp_path / "runs" / "empty").mkdir()
    extra = f"{tmp_path}/elsewhere:{tmp_path}/elsewhere/one:{tmp_path}/nowhere"
    models = find_models(tmp_path, extra)
    assert list(models) == ["stories", "mine", "mine/last", "one"]
    # Models judged on different texts stand side by side in the picker.
    assert "bits per byte" not in models["stories"].summary
    assert models["mine"].starters == ("It began",)
    assert models["stories"].starters[0].startswith("Once upon a time")
    assert models["one"].block_size == 64


def test_two_models_of_one_name_keep_both(tmp_path):
    save_characters(tmp_path / "checkpoints" / "stories")
    save_characters(tmp_path / "runs" / "stories" / "best")
    assert list(find_models(tmp_path, "")) == ["stories", "stories (run)"]


def test_a_model_just_trained_appears(tmp_path):
    assert find_models(tmp_path, "") == {}
    assert default_model({}) is None
    save_characters(tmp_path / "runs" / "new" / "best")
    assert default_model(find_models(tmp_path, "")) == "new"
    save_characters(tmp_path / "checkpoints" / "stories")
    assert default_model(find_models(tmp_path, "")) == "stories"


def counting(loads: list[Path]):
    def load(folder):
        loads.append(folder)
        time.sleep(0.05)
        return gpt.load(folder)

    return load


def test_a_model_is_read_once_however_many_ask_at_once(tmp_path):
    save_characters(tmp_path / "checkpoints" / "a")
    loads: list[Path] = []

    async def run():
        engines = Engines(load=counting(loads))
        listing = find_models(tmp_path, "")["a"]
        first, second = await asyncio.gather(engines.get(listing), engines.get(listing))
        assert first is second
        engines.close()

    asyncio.run(run())
    assert len(loads) == 1


def test_the_event_loop_runs_on_while_a_model_is_read(tmp_path):
    save_characters(tmp_path / "checkpoints" / "a")

    async def run():
        engines = Engines(load=counting([]))
        reading = asyncio.create_task(engines.get(find_models(tmp_path, "")["a"]))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0.005)
            turns += 1
        assert turns > 3
        engines.close()

    asyncio.run(run())


def test_a_model_written_anew_is_read_anew(tmp_path):
    folder = save_characters(tmp_path / "checkpoints" / "a")
    loads: list[Path] = []

    async def run():
        engines = Engines(load=counting(loads))
        await engines.get(find_models(tmp_path, "")["a"])
        os.utime(folder / "model.safetensors", (1, 1))
        await engines.get(find_models(tmp_path, "")["a"])
        assert engines.names == ["a"]
        engines.close()

    asyncio.run(run())
    assert len(loads) == 2


def test_only_a_few_models_stay_in_memory_the_longest_rested_goes_first(tmp_path):
    for name in "abc":
        save_characters(tmp_path / "checkpoints" / name)

    async def run():
        engines, models = Engines(max_loaded=2), find_models(tmp_path, "")
        for name in "abac":
            await engines.get(models[name])
        assert engines.names == ["a", "c"]
        engines.close()

    asyncio.run(run())
