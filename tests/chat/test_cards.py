"""What the page is told of each model: what its folder says, and "not known" where it does not."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from chat.models import find_models
from chat.models.saved_steps import find_steps
from chat.panels.cards import NOT_KNOWN, card_data, line
from chat.panels.dispatch import answer_query
from gpt.checkpoint import count_parameters, load, read_config
from gpt.checkpoint.hub import HubName
from tests.chat.test_session import in_a_session
from tests.support.tiny_checkpoint import save_characters

TRAINING: dict[str, Any] = {
    "command": "python -m train.pretrain --preset story",
    "data": {
        "tokenizer": "char",
        "vocab_size": 70,
        "train": {"tokens": 12_345, "bytes": 12_400},
        "sources": [
            {"name": "mine.txt", "serves": "train and valid", "sha256": "a" * 64},
            {"name": "test.txt", "serves": "valid", "sha256": "b" * 64},
        ],
        "valid": {"tokens": 100, "bytes": 120},
    },
    "config": {"max_steps": 300},
    "parameters": 1_234_567,
    "step": 250,
    "val_loss": 1.5,
    "val_bpb": 2.25,
    "elapsed_s": 125.0,
    "machine": {"device": "cpu", "threads": 2},
    "date": "2026-01-02",
}
CARD = "---\nlicense: mit\ntags: [inkling]\n---\n# A model\n\nIt writes <b>stories</b>.\n"


def facts(folder: Path) -> dict[str, str]:
    (listing,) = find_models(folder, "").values()
    return dict(card_data(listing)["facts"])


def test_a_card_shows_what_the_training_left(tmp_path):
    folder = save_characters(tmp_path / "runs" / "mine" / "best", **TRAINING)
    (folder / "README.md").write_text(CARD)
    (tmp_path / "runs" / "mine" / "metrics.jsonl").write_text('{"step": 5, "val_loss": 2.5}\n')
    known = facts(tmp_path)
    size = (folder / "model.safetensors").stat().st_size / 1e6
    assert known == {
        "Parameters": "1,234,567",
        "Tokenizer": f"{read_config(folder).vocab_size} characters",
        "Window": "64 tokens are all it sees at once",
        "Trained on": "mine.txt",
        "Training text": "12,400 bytes, 12,345 tokens",
        "Began from": "nothing: random numbers",
        "Steps": "250 of 300",
        "On new text": "2.2500 bits per byte",
        "Judged on": "mine.txt, test.txt",
        "Validation loss": "1.5000 nats per token",
        "Training time": "2 minutes",
        "Machine": "CPU, 2 threads",
        "Date": "2026-01-02",
        "Licence": "mit",
        "Writes with": "Temperature 0.8, Top-p 0.95, Length 32",
        "On the disk": f"{size:.1f} MB of weights",
    }
    (folder / "generation_config.json").write_text('{"temperature": 9, "top_k": 40}')
    assert facts(tmp_path) == {
        **known,
        "Writes with": "Top-k 40",
        "Left out": "generation_config.json: temperature must be a number, 0 to 2, not 9: it is "
        "left out.",
    }
    card = card_data(find_models(tmp_path, "")["mine"])
    assert card["commands"] == [TRAINING["command"]]
    assert card["text"] == "# A model\n\nIt writes <b>stories</b>.\n"
    assert card["curve"]["valid"] == ((5, 2.5),)
    assert card["picture"] is None
    told = line(find_models(tmp_path, "")["mine"])
    assert told.pop("judged")["name"] == "mine.txt, test.txt"
    assert told == {
        "key": "mine",
        "parameters": 1_234_567,
        "val_bpb": 2.25,
        "date": "2026-01-02",
        "unit": "characters",
    }


def test_models_are_judged_on_the_same_text_where_files_and_what_was_kept_back_are_the_same(
    tmp_path,
):
    def judged(model: str, **data: Any) -> Any:
        told = copy.deepcopy(TRAINING)
        told["data"] |= data
        save_characters(tmp_path / "runs" / model, **told)
        return line(find_models(tmp_path, "")[model])["judged"]

    one = {"name": "a.txt", "serves": "valid", "sha256": "a" * 64}
    learnt = {"name": "b.txt", "serves": "train", "sha256": "b" * 64}
    first = judged("first", sources=[one])
    assert first["name"] == "a.txt"
    # Another tokenizer, another training text and another name leave the text what it is.
    other = judged("other", sources=[learnt, {**one, "name": "c.txt"}], tokenizer="bpe")
    assert other == {"name": "c.txt", "id": first["id"]}
    for key, data in {
        "content": {"sources": [{**one, "sha256": "c" * 64}]},
        "part": {"sources": [one], "valid": {"tokens": 100, "bytes": 121}},
        "kept": {"sources": [{**one, "serves": "train, valid"}]},
    }.items():
        assert judged(key, **data)["id"] != first["id"]
    for key, data in {
        "none": {"sources": [learnt]},
        "unsigned": {"sources": [{"name": "a.txt", "serves": "valid"}]},
        "unmeasured": {"sources": [one], "valid": {}},
    }.items():
        assert judged(key, **data) is None


def test_a_model_that_learnt_from_others_names_them(tmp_path):
    told: dict[str, Any] = {
        **TRAINING,
        "distilled": {"teachers": [{"name": "a"}, {"name": "b"}], "share": 0.5},
        "machine": {"device": "cpu", "threads": 1},
    }
    save_characters(tmp_path / "runs" / "mine", **told)
    known = facts(tmp_path)
    assert known["Taught by"] == "a, b, 50% of the loss"
    assert known["Machine"] == "CPU, 1 thread"


@pytest.mark.parametrize(
    "taught", [None, 3, {}, {"teachers": 3}, {"teachers": [3, {}]}, {"teachers": [], "share": "x"}]
)
def test_teachers_that_cannot_be_read_are_left_out(tmp_path, taught):
    told: dict[str, Any] = {**TRAINING, "distilled": taught}
    save_characters(tmp_path / "runs" / "mine", **told)
    assert "Taught by" not in facts(tmp_path)


def test_a_folder_from_elsewhere_says_what_can_be_counted_and_not_known_for_the_rest(tmp_path):
    folder = save_characters(tmp_path / "runs" / "theirs")
    for name in ("training.json", "README.md"):
        (folder / name).unlink()
    known, counted = facts(tmp_path), load(folder).model.n_params
    assert known["Parameters"] == f"{counted:,}" == f"{count_parameters(read_config(folder)):,}"
    assert known["Tokenizer"].endswith(" characters")
    for label in ("Trained on", "Training text", "Began from", "Steps", "On new text"):
        assert known[label] == NOT_KNOWN
    for label in ("Validation loss", "Training time", "Machine", "Date", "Licence"):
        assert known[label] == NOT_KNOWN
    card = card_data(find_models(tmp_path, "")["theirs"])
    assert (card["commands"], card["text"], card["picture"]) == ([], "", None)


def test_a_model_that_is_still_on_the_hub_says_so_and_reads_no_folder_of_that_name(
    tmp_path, monkeypatch
):
    # Beside the app lies something that is called the same.
    save_characters(tmp_path / "who" / "what", **TRAINING)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("chat.models.catalogue.on_hub", lambda name: HubName("who/what"))
    monkeypatch.setattr("chat.models.catalogue.cached", lambda hub: None)
    models = find_models(tmp_path / "app", "who/what")
    (listing,) = models.values()
    card = card_data(listing)
    said = dict(card["facts"])
    assert said.pop("On the disk").startswith("nothing yet: downloaded from the Hub")
    assert set(said.values()) == {NOT_KNOWN}
    assert (card["text"], card["picture"], card["commands"]) == ("", None, [])
    assert (line(listing)["parameters"], line(listing)["val_bpb"]) == (None, None)
    assert find_steps(models) == {}


@pytest.mark.parametrize("wrong", [None, [], "x", -1, True, {"a": []}, float("inf")])
def test_whatever_stands_in_training_json_the_card_can_be_read(tmp_path, wrong):
    folder = save_characters(tmp_path / "runs" / "odd")
    for training in (
        dict.fromkeys(TRAINING, wrong),
        {"data": dict.fromkeys(TRAINING["data"], wrong), "machine": {"device": wrong}},
        {"data": {"sources": [wrong, {"name": wrong}]}, "from": wrong, "license": wrong},
    ):
        (folder / "training.json").write_text(json.dumps(training))
        listing = find_models(tmp_path, "")["odd"]
        card = card_data(listing)
        assert card["key"] == "odd"
        assert all(isinstance(said, str) and said for fact in card["facts"] for said in fact)
        json.dumps([card, line(listing)], allow_nan=False)


def test_the_picture_is_sent_where_no_log_is_and_nothing_else_as_one(tmp_path):
    folder = save_characters(tmp_path / "runs" / "mine")
    (folder / "loss.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    listing = find_models(tmp_path, "")["mine"]
    assert card_data(listing)["picture"] == "data:image/png;base64,iVBORw0KGgpyZXN0"
    (folder / "loss.png").write_bytes(b"<svg onload=x>")
    assert card_data(listing)["picture"] is None


def test_a_page_looks_at_all_models_and_at_one_by_its_name_alone(tmp_path):
    save_characters(tmp_path / "checkpoints" / "one", val_bpb=1.5)
    save_characters(tmp_path / "checkpoints" / "two")

    async def act(session, page):
        rows = (await answer_query(session, {"query": "models"}))["models"]
        assert [(row["key"], row["val_bpb"]) for row in rows] == [("one", 1.5), ("two", None)]
        assert (await answer_query(session, {"query": "card", "model": "two"}))["key"] == "two"
        for name in ("../checkpoints/two", "three", None):
            answer = await answer_query(session, {"query": "card", "model": name})
            assert "There is no model" in answer["error"]
        assert (await answer_query(session, {"query": "runs"})) == {"runs": []}

    in_a_session(tmp_path, act)
