"""Did it copy? Over a session, a tiny model, and the text it is said to have learnt from."""

import asyncio
import json
import os
import re
import shutil
import time
from pathlib import Path
from threading import Lock

import numpy as np
import pytest

import gpt
from chat.models import find_models
from chat.models.engines import Engines
from chat.models.training_texts import NotHereError, TooLongError, TrainingTexts, _parts
from chat.panels import copied
from chat.panels.dispatch import answer_query
from chat.story import Passage
from gpt.text.memorization import ReferenceText
from gpt.text.run_hashes import RunHashes
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters
from train import copied_runs
from train.data.prepare import prepare
from train.data.texts import Text

TALE = "One fine day the old grey cat sat on the warm wall and slept. Nobody saw it."
OTHER = "The end of it all."


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("project")
    text, valid = root / "tales.txt", root / "valid.txt"
    text.write_text(f"{TALE}\n<|endoftext|>\n{OTHER}\n<|endoftext|>\n")
    valid.write_text("The end.")
    prepare([Text(path=text, valid=valid)], root / "data" / "tales", kind="char")
    facts = json.loads((root / "data" / "tales" / "data.json").read_text())
    save_characters(root / "checkpoints" / "tales", letters=TALE + OTHER + "\n", data=facts)
    save_characters(root / "checkpoints" / "unknown", data={"sources": [{"name": "lost.txt"}]})
    return root


def put(session, text: str, model: str = "tales") -> str:
    """Have the story end in words that a model is said to have written."""
    passage = Passage(author="model", text=text, model=model)
    session.history = session.history.change(session.story.append(passage))
    return passage.id


def test_what_stands_in_the_training_text_is_marked_and_the_rest_is_new(root):
    async def act(session, page):
        session.sources = TrainingTexts(root / "data")
        id = put(session, " A dog: the old grey cat sat on the warm wall. The end")
        found = await answer_query(session, {"query": "copied", "passage": id})
        assert found["pieces"] == [
            ("new", " A dog: "),
            ("longest", "the old grey cat sat on the warm"),
            ("new", " wall. The end"),
        ]
        assert found["longest"] == {
            "words": 8,
            "before": "One fine day",
            "quote": "the old grey cat sat on the warm",
            "after": "wall and slept. Nobody saw it.",
        }
        assert found["new"] == pytest.approx(5 / 13)
        assert "".join(text for _, text in found["pieces"]) == session.story.text

    in_a_session(root, act)


def test_a_passage_that_would_take_minutes_is_refused_before_it_is_begun(root, monkeypatch):
    async def act(session, page):
        session.sources = TrainingTexts(root / "data")
        passage = put(session, "the " * 1000)
        monkeypatch.setattr(copied, "MOST_PLACES", 2000)
        # "the" stands twice in the tale.
        assert "new" in await answer_query(session, {"query": "copied", "passage": passage})
        monkeypatch.setattr(copied, "MOST_PLACES", 1999)
        refused = await answer_query(session, {"query": "copied", "passage": passage})
        assert refused == {"error": copied.TOO_MUCH}

    in_a_session(root, act)


def test_one_writer_has_one_passage_looked_up_at_a_time(root, monkeypatch):
    at_once, most, free = 0, 0, Lock()
    overlap = ReferenceText.overlap

    def slow(self, text):
        nonlocal at_once, most
        with free:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.02)
        with free:
            at_once -= 1
        return overlap(self, text)

    monkeypatch.setattr(ReferenceText, "overlap", slow)

    async def act(session, page):
        session.sources, session.writer = TrainingTexts(root / "data"), ("ada", "page")
        passage = put(session, "the old grey cat")
        request = {"query": "copied", "passage": passage}
        found = await asyncio.gather(*(answer_query(session, request) for _ in range(6)))
        assert [each["words"] for each in found] == [4] * 6
        # Beyond what may wait one is told so.
        found = await asyncio.gather(*(answer_query(session, request) for _ in range(80)))
        assert any("try again" in each.get("error", "") for each in found)

    in_a_session(root, act)
    assert most == 1


def test_a_shorter_run_is_named_and_is_no_copy(root):
    async def act(session, page):
        session.sources = TrainingTexts(root / "data")
        found = await answer_query(
            session, {"query": "copied", "passage": put(session, "a grey cat sat down")}
        )
        assert (found["new"], found["longest"]["words"]) == (1.0, 3)
        assert ("longest", "grey cat sat") in found["pieces"]
        found = await answer_query(session, {"query": "copied", "passage": put(session, " zebra")})
        assert (found["longest"], found["pieces"]) == (None, [("new", " zebra")])

    in_a_session(root, act)


def test_the_folder_may_lie_anywhere_that_is_named(root, monkeypatch):
    async def act(session, page):
        request = {"query": "copied", "passage": put(session, "the old grey cat")}
        assert "not on this machine" in (await answer_query(session, request))["missing"]["why"]
        monkeypatch.setenv("INKLING_DATA", f"{root}/nowhere:{root}/data/tales")
        assert (await answer_query(session, request))["longest"]["words"] == 4

    in_a_session(root, act)


def test_a_text_that_was_trained_on_as_it_was_is_found_beside_its_model(root, tmp_path):
    copied = shutil.copytree(root / "checkpoints" / "tales", tmp_path / "runs" / "mine" / "best")
    shutil.copytree(copied, tmp_path / "runs" / "mine" / "steps" / "000001")
    data = shutil.copytree(root / "data" / "tales", tmp_path / "runs" / "mine" / "data")
    for folder in (copied, tmp_path / "runs" / "mine" / "steps" / "000001"):
        assert TrainingTexts().find(folder, gpt.load(folder).training) == data


def test_the_command_that_brings_a_text_is_the_one_of_the_card(root, tmp_path):
    folder = shutil.copytree(root / "checkpoints" / "unknown", tmp_path / "unknown")
    start = "python -m train.prepare lost.txt"
    for card, command in (
        (f"By\n\n    {start} \\\n        --out data/x\n    python -m x\n", f"{start} --out data/x"),
        (f"    {start}; rm x\n", f"{start} --tokenizer {folder} --out data/unknown"),
    ):
        (folder / "README.md").write_text(card)
        assert NotHereError(gpt.load(folder)).command == command


def test_what_cannot_be_checked_is_said(root):
    async def act(session, page):
        session.sources = TrainingTexts(root / "data")
        lost = await answer_query(
            session, {"query": "copied", "passage": put(session, "x", "unknown")}
        )
        assert "“unknown” learnt from (lost.txt) is not on this machine" in lost["missing"]["why"]
        folder = root / "checkpoints" / "unknown"
        assert lost["missing"]["command"] == (
            f"python -m train.prepare lost.txt --tokenizer {folder} --out data/unknown"
        )
        gone = await answer_query(
            session, {"query": "copied", "passage": put(session, "x", "gone")}
        )
        assert "no model “gone” any more" in gone["error"]
        passage = Passage(author="writer", text=" Once")
        session.history = session.history.change(session.story.append(passage))
        own = await answer_query(session, {"query": "copied", "passage": passage.id})
        assert "no model's" in own["error"]

    in_a_session(root, act)


def test_without_the_text_its_hashes_tell_what_is_copied_and_not_where(root: Path) -> None:
    folder = shutil.copytree(root / "checkpoints" / "tales", root / "checkpoints" / "hashed")
    assert copied_runs.main([str(folder), "--data", str(root / "data/tales")]) == 0

    async def act(session, page):
        async def ask(text: str):
            id = put(session, text, "hashed")
            return await answer_query(session, {"query": "copied", "passage": id})

        found = await ask(" A dog: the old grey cat sat on the warm wall. The end")
        # Of 8 words alone hashes tell nothing.
        assert (found["pieces"][0][0], found["new"], found["longest"]) == ("new", 1.0, None)
        found = await ask(" A dog: the old grey cat sat on the warm wall and ran")
        assert found["pieces"] == [
            ("new", " A dog: "),
            ("longest", "the old grey cat sat on the warm wall and"),
            ("new", " ran"),
        ]
        assert found["longest"] == {"words": 10, "before": "", "quote": "", "after": ""}
        assert (found["new"], found["copied_words"]) == (pytest.approx(3 / 13), 9)
        assert found["hashed"]["one_in"] == 65536
        assert found["hashed"]["command"].startswith("python -m train.prepare tales.txt")
        session.sources = TrainingTexts(root / "data")  # the text itself tells more
        found = await ask(" the old grey cat sat on the warm dog")
        assert (found["hashed"], found["longest"]["words"]) == (None, 8)

        session.sources = TrainingTexts()
        path = folder / "copied.runs"
        for spoilt, said in (
            (path.read_bytes()[:-1], "cannot be used: its header tells of"),
            (b"x" * 200, "holds no hashes"),
            (RunHashes.of([TALE], "0" * 64).to_bytes(), "is of another text"),
        ):
            path.write_bytes(spoilt)
            answer = await ask("the old grey cat")
            assert re.search(said, answer["error"])

    in_a_session(root, act)


def test_a_folder_that_lies_of_its_text_does_not_fill_the_memory(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "runs" / "mine"
    shutil.copytree(root / "checkpoints" / "tales", run / "best")
    shutil.copytree(root / "data" / "tales", run / "data")
    tokens = run / "data" / "train.bin"
    whole = tokens.read_bytes()

    async def ask() -> None:
        loaded = await Engines().get(find_models(tmp_path, "")["mine"])
        await TrainingTexts().get(loaded)

    os.truncate(tokens, 10**12)
    with pytest.raises(TooLongError, match="bytes of tokens, too many"):
        asyncio.run(ask())
    tokens.write_bytes(whole)
    asyncio.run(ask())
    monkeypatch.setattr("chat.models.training_texts.MOST_BYTES", 10)
    with pytest.raises(TooLongError, match="bytes, too many"):
        asyncio.run(ask())


def test_a_long_text_is_read_in_parts_that_end_between_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chat.models.training_texts.PART_TOKENS", 3)
    pieces = (b"a", b"bc ", b"\n", "é".encode()[:1], "é".encode()[1:])
    ids = [0, 1, 0, 3, 4, 0, 1, 2, 0, 0, 0, 0]
    parts = list(_parts(np.array(ids, np.uint16), pieces))
    assert "".join(parts) == b"".join(pieces[id] for id in ids).decode()
    assert [part for part in parts[:-1] if part and not part[-1].isspace()] == []
