"""Why is it gibberish? Over a session, for models that tell much, little and nothing."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chat.models.training_texts import TrainingTexts
from chat.panels.dispatch import answer_query
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters
from train.data.prepare import prepare
from train.data.texts import Text

TALE = "The cat sat on the mat. The dog ran in the fog. " * 40


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    (root / "tale.txt").write_text(TALE)
    prepare([Text(path=root / "tale.txt")], root / "data" / "tale", kind="char")
    facts = json.loads((root / "data" / "tale" / "data.json").read_text())
    told: dict[str, Any] = {"data": facts, "val_loss": 0.5, "val_bpb": 0.7, "step": 20}
    told["tokens"] = 9000
    save_characters(root / "runs" / "told" / "best", letters=TALE, **told)
    lines = [{"step": at, "val_loss": loss} for at, loss in ((0, 3.0), (10, 0.5), (20, 0.9))]
    metrics = root / "runs" / "told" / "metrics.jsonl"
    metrics.write_text("".join(json.dumps(each) + "\n" for each in lines))
    noted = {"loss": [3.0, 2.5, 1.0], "bpb": [4.0, 3.5, 1.5], "train_tokens": 1000}
    save_characters(root / "checkpoints" / "noted", **told, floor=noted)
    lost: dict[str, Any] = {**told, "data": {"tokenizer": "char"}}
    save_characters(root / "checkpoints" / "lost", **lost)
    save_characters(root / "checkpoints" / "bare")
    return root


def test_it_stands_by_its_notes_or_by_its_text_where_that_is_here(root):
    async def act(session, page):
        session.sources = TrainingTexts(root / "data")

        async def asked(model: str) -> dict:
            return await answer_query(session, {"query": "standing", "model": model})

        noted = await asked("noted")
        assert noted["model"] == "noted"
        assert [mark["bits"] for mark in noted["scale"]] == [4.0, 3.5, 1.5, 0.7]
        assert noted["level"] == "beyond"
        # Here the text is read, and the losses are those of the run's log.
        found = await asked("told")
        assert found["level"] in ("table", "level")
        assert len(found["scale"]) > 3
        assert found["advice"]["kind"] == "text"
        assert "Since step 10" in found["advice"]["text"]
        assert (await asked("lost"))["level"] == "unplaced"
        assert (await asked("bare"))["advice"]["kind"] == "measure"
        assert "There is no model “gone”" in (await asked("gone"))["error"]

    in_a_session(root, act)


def test_the_settings_are_named_where_they_spoil_what_the_model_knows(root):
    async def act(session, page):
        asked = {"query": "standing", "model": "noted"}
        assert (await answer_query(session, asked))["advice"]["kind"] != "temperature"
        await session.change_settings({"temperature": "1.7"})
        advice = (await answer_query(session, asked))["advice"]
        assert (advice["kind"], advice["panel"]) == ("temperature", "tune")
        assert "It stands at 1.7" in advice["text"]

    in_a_session(root, act)


def test_a_text_is_counted_once_and_not_for_whom_it_is_not_open(root, monkeypatch):
    counted = []
    count = "chat.models.training_texts.floor_of"
    monkeypatch.setattr(count, lambda *_, **__: counted.append(1) or {})

    async def act(session, page):
        asked = {"query": "standing", "model": "told"}
        session.sources = TrainingTexts(root / "data")
        shared = {
            key: replace(each, open_text=False) for key, each in session.find_models().items()
        }
        find, session.find_models = session.find_models, lambda: shared
        assert (await answer_query(session, asked))["level"] == "unplaced"
        assert counted == []
        session.find_models = find
        for _ in range(2):
            await answer_query(session, asked)
        assert counted == [1]

    in_a_session(root, act)


@pytest.mark.parametrize("wrong", ["train.bin", "data.json"])
def test_a_text_that_cannot_be_counted_leaves_it_without_a_floor(root, tmp_path, wrong):
    folder = tmp_path / "data" / "tale"
    folder.mkdir(parents=True)
    for path in (root / "data" / "tale").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    whole = (folder / wrong).read_bytes()
    (folder / wrong).write_bytes(b"\xff\xff" * 50 if wrong == "train.bin" else whole[:20])

    async def act(session, page):
        session.sources = TrainingTexts(tmp_path / "data")
        found = await answer_query(session, {"query": "standing", "model": "told"})
        assert found["level"] == "unplaced"

    in_a_session(root, act)
