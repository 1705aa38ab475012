"""One door for files from strangers: what comes through it is bounded, whole, and in its place."""

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import gpt
from chat.jobs.training_jobs import TrainingJobs
from chat.models import default_model, find_models
from chat.models.engines import Engines
from chat.models.saved_steps import read_curve
from chat.panels.cards import card_data
from chat.panels.timeline import runs_data
from chat.session import Session
from gpt.checkpoint import CheckpointError, read_training
from gpt.checkpoint.training_json import hashes_of
from gpt.files import read_json_lines
from gpt.files.strict_json import MOST_LINE, json_lines
from gpt.tokenizers import BPETokenizer, TokenizerError, load_tokenizer
from tests.gpt.test_hub_layouts import save_theirs
from tests.support.tiny_checkpoint import save_bytes, save_characters

ROOT = Path(__file__).parents[2]


def within(seconds: float, do: Callable[[], Any]) -> Any:
    """What `do` gives; a failure where it is not done in time."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(do()), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it hangs, or raised"
    return found[0]


def refusal(folder: Path) -> str:
    def attempt() -> str:
        try:
            gpt.load(folder)
        except CheckpointError as error:
            return str(error)
        return "it opened"

    said = within(60, attempt)
    assert "\n" not in said
    return said


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_characters(tmp_path / "checkpoints" / "a", step=7)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_pipe_in_place_of_a_file_is_refused_at_once(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "no regular file" in refusal(folder)


@pytest.mark.parametrize("name", ["training.json", "generation_config.json", "README.md"])
def test_a_pipe_in_place_of_what_need_not_be_there_keeps_nobody_from_listing(
    folder: Path, name: str
) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    models = within(30, lambda: find_models(folder.parents[1], ""))
    assert list(models) == ["a"]
    within(30, lambda: card_data(models["a"]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"a":' + "[" * 100_000, "expected JSON"),
        ('{"a":' + "[" * 100 + "]" * 100 + "}", "nested deeper"),
        ('{"a": ' + "9" * 5000 + "}", "number of 5,000 digits"),
        ('{"a": NaN}', "not finite"),
        ('{"a": 1e999}', "not finite"),
        ('{"a": 1, "a": 2}', "stands twice"),
        ("\ufeff{}", "byte order mark"),
    ],
)
def test_json_beyond_its_bounds_is_refused_in_a_sentence(
    folder: Path, text: str, said: str
) -> None:
    for name in ("config.json", "tokenizer.json"):
        good = (folder / name).read_bytes()
        (folder / name).write_text(text)
        assert said in refusal(folder)
        (folder / name).write_bytes(good)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_link_out_of_the_folder_is_refused(folder: Path, name: str, tmp_path: Path) -> None:
    (folder / name).rename(tmp_path / name)
    (folder / name).symlink_to(tmp_path / name)
    assert "link out of its folder" in refusal(folder)


def test_a_folder_may_be_reached_by_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(folder)
    assert gpt.load(tmp_path / "link").tokenizer.kind == "char"


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_file_of_two_empty_gigabytes_is_refused_by_its_size(folder: Path, name: str) -> None:
    os.truncate(folder / name, 2_000_000_000)
    began = time.process_time()
    assert "2,000,000,000 bytes" in refusal(folder)
    assert time.process_time() - began < 2


def test_a_card_of_three_empty_gigabytes_keeps_no_model_from_opening(folder: Path) -> None:
    os.truncate(folder / "README.md", 3_000_000_000)
    assert len(gpt.load(folder).card) <= 2_000_000


def test_many_empty_tensors_are_refused_by_the_size_of_their_header(folder: Path) -> None:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"t{i}": entry for i in range(300_000)}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    began = time.process_time()
    assert "its header claims" in refusal(folder)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "values",
    [
        {"tie_word_embeddings": "no"},
        {"tie_word_embeddings": 1},
        {"rms_norm_eps": 1e300},
        {"rope_theta": 1e300},
        {"attention_bias": 0},
        {"num_hidden_layers": True},
        {"max_position_embeddings": 1 << 18, "head_dim": 1 << 10},
    ],
)
def test_a_value_of_another_kind_or_size_is_refused_not_taken_for_one(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    save_theirs("smollm", tmp_path, "llama-untied")
    change(tmp_path / "config.json", **values)
    assert "config.json" in refusal(tmp_path)


def test_a_config_that_claims_billions_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    save_theirs("smollm", tmp_path, "llama-untied")
    size = {"hidden_size": 1 << 16, "intermediate_size": 1 << 18, "num_hidden_layers": 1 << 10}
    change(tmp_path / "config.json", **size)
    began = time.process_time()
    assert "does not fit config.json" in refusal(tmp_path)
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    "vocab",
    [
        {"a": "10", "b": "9", "<|endoftext|>": "11"},
        {"a": 0, "b": 2, "<|endoftext|>": 3},
        {"a": 0, "b": 0, "<|endoftext|>": 1},
        {"a": -1, "b": 0, "<|endoftext|>": 1},
        {"a": 1, "<|endoftext|>": 0},
    ],
)
def test_ids_that_are_no_numbers_or_have_gaps_are_refused_not_numbered_anew(
    folder: Path, vocab: dict[str, Any]
) -> None:
    whole = json.loads((folder / "tokenizer.json").read_text())
    change(folder / "tokenizer.json", model={**whole["model"], "vocab": vocab}, added_tokens=[])
    change(folder / "training.json", sha256={})
    assert "not a tokenizer that Inkling can open" in refusal(folder)


ISOLATED: dict[str, Any] = {"behavior": "Isolated", "invert": False}


def steps(letter: str, count: int) -> list[dict[str, Any]]:
    return [{"type": "Replace", "pattern": {"String": letter}, "content": letter * 2}] * count


@pytest.mark.parametrize(
    "values",
    [
        {"normalizer": {"type": "Sequence", "normalizers": steps(" ", 20)}},
        {"decoder": {"type": "Sequence", "decoders": [*steps("e", 24), {"type": "Fuse"}]}},
        {"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], []]}},
        {"added_tokens": [{"id": 10**9, "content": "<far>", "special": True}]},
        *(
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "pattern": {"Regex": regex},
                    "behavior": "Isolated",
                }
            }
            for regex in ("(a+)+$", r"(?:a|aa)+$", r"(\w+\s?)+$", r"(a)\1+", "(")
        ),
    ],
)
def test_a_tokenizer_that_doubles_or_explodes_is_refused_in_time(
    tmp_path: Path, values: dict[str, Any]
) -> None:
    save_theirs("smollm", tmp_path, "llama-untied")
    change(tmp_path / "tokenizer.json", **values)
    began = time.process_time()
    assert "tokenizer" in refusal(tmp_path)
    assert time.process_time() - began < 2


@pytest.mark.parametrize("letter", ["\n", " ", "\t", "a", "人", "!", "1", "_"])
def test_more_of_one_kind_than_the_libraries_can_search_is_cut_before_it_reaches_them(
    letter: str,
) -> None:
    run = letter * 150_000
    began = time.process_time()
    tokenizer = BPETokenizer.train([f"A fox.{run}The end."], 264)
    assert tokenizer.decode(tokenizer.encode(f"a{run}b")) == f"a{run}b"
    assert time.process_time() - began < 5
    if letter == " ":
        assert len(BPETokenizer.train(["a b"], 257).encode(" " * 90_000 + "a")) == 90_001


def test_a_tokenizer_that_was_tried_is_not_tried_again(tmp_path: Path) -> None:
    save_theirs("smollm", tmp_path, "llama-untied")
    load_tokenizer(tmp_path)
    began = time.monotonic()
    load_tokenizer(tmp_path)
    once = time.monotonic() - began
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()), indent=2))  # the very bytes count
    began = time.monotonic()
    load_tokenizer(tmp_path)
    assert time.monotonic() - began > once


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_flipped_bit_in_what_we_saved_is_noticed(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    at = data.index(b"a", 900) if name == "tokenizer.json" else len(data) - 1
    data[at] ^= 1
    (folder / name).write_bytes(data)
    assert "SHA-256" in refusal(folder)


def test_a_folder_without_hashes_opens_as_before(folder: Path) -> None:
    values = json.loads((folder / "training.json").read_text())
    assert set(values.pop("sha256")) == {"model.safetensors", "tokenizer.json"}
    (folder / "training.json").write_text(json.dumps(values))
    assert gpt.load(folder).training == {"step": 7}


def test_what_training_json_misstates_is_left_out_and_the_rest_counts(folder: Path) -> None:
    wrong = {
        "starters": ["x", 7],
        "parameters": "many",
        "val_bpb": float("inf"),
        "date": 3,
        "data": {"tokenizer": ["char"], "vocab_size": 5, "train": {"tokens": -1, "bytes": 3}},
    }
    change(folder / "training.json", **wrong)
    data = {"vocab_size": 5, "train": {"bytes": 3}}
    assert read_training(folder) == {"step": 7, "data": data}
    card_data(find_models(folder.parents[1], "")["a"])


def spoil_config(folder: Path) -> None:
    (folder / "config.json").write_text("[" * 100_000)


def spoil_training(folder: Path) -> None:
    (folder / "training.json").write_text('{"a": ' + "[" * 100_000)


def spoil_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")


@pytest.mark.parametrize("spoil", [spoil_config, spoil_training, spoil_weights])
def test_a_folder_that_cannot_be_read_is_a_line_in_the_picker_that_says_why(
    tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    save_characters(tmp_path / "checkpoints" / "good")
    spoil(save_characters(tmp_path / "runs" / "bad\udcff\n" / "best"))
    models = within(30, lambda: find_models(tmp_path, ""))
    assert list(models) == ["good", "bad??".replace("??", "?\ufffd")]
    bad = list(models.values())[1]
    assert bad.summary.startswith("cannot be opened: ")
    json.dumps([bad.summary, bad.key]).encode()
    assert default_model({bad.key: bad, "good": models["good"]}) == "good"
    card_data(bad)
    assert runs_data(lambda: models) == []

    async def pick() -> None:
        with pytest.raises(CheckpointError, match="\\."):
            await Engines().get(bad)

    asyncio.run(pick())


def test_a_loop_of_links_and_a_locked_folder_keep_nobody_from_listing(tmp_path: Path) -> None:
    save_characters(tmp_path / "checkpoints" / "good")
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "loop").symlink_to(runs / "loop")
    (runs / "file").write_text("x")
    (runs / "9").mkdir(mode=0)
    assert list(find_models(tmp_path, "")) == ["good"]


def test_what_did_not_change_is_not_read_again(folder: Path) -> None:
    first = find_models(folder.parents[1], "")["a"]
    assert find_models(folder.parents[1], "")["a"] == first
    change(folder / "training.json", starters=["New"])
    assert find_models(folder.parents[1], "")["a"].starters == ("New",)


def test_lines_of_a_log_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    good = '{"step": 3, "train_loss": 2.5}'
    lines = ["[" * 100_000, '{"step": ' + "9" * 5000 + "}", '{"step": 1e5}', "7", "", good]
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 4, "train_lo']))
    assert read_curve(tmp_path).train == ((3, 2.5),)
    (tmp_path / "metrics.jsonl").unlink()
    os.mkfifo(tmp_path / "metrics.jsonl")
    assert not within(30, lambda: read_curve(tmp_path))


@pytest.mark.parametrize("about", ["[" * 100_000, '{"owner": "ada", "plan": {"steps": "x"}}', "7"])
def test_a_training_whose_notes_are_damaged_is_not_shown(tmp_path: Path, about: str) -> None:
    (tmp_path / "runs" / "x").mkdir(parents=True)
    (tmp_path / "runs" / "x" / "page.json").write_text(about)
    assert TrainingJobs(tmp_path).all("ada") == []


class Page:
    """Hears everything and shows nothing."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def heard(*_: object, **__: object) -> None:
            return None

        return heard


def test_a_slow_tokenizer_holds_up_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bytes(tmp_path / "checkpoints" / "slow", noise="abc")
    encode = BPETokenizer.encode

    def slow(self: BPETokenizer, text: str) -> list[int]:
        time.sleep(0.4)
        return encode(self, text)

    longest = [0.0]

    async def watch() -> None:
        while True:
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest[0] = max(longest[0], time.monotonic() - began)

    async def run() -> None:
        page: Any = Page()
        engines = Engines()
        session = Session(page, engines, lambda: find_models(tmp_path, ""))
        await session.change_settings({"max_new_tokens": 2})
        await session.write("abc")
        monkeypatch.setattr(BPETokenizer, "encode", slow)
        watching = asyncio.create_task(watch())
        await asyncio.sleep(0.05)
        await session.write("cab")
        await session.act({"act": "undo"})
        await session.act({"act": "edit", "passage": session.story.path[0].id, "text": "bca"})
        watching.cancel()
        engines.close()

    asyncio.run(run())
    assert 0 < longest[0] < 0.35


def test_two_shipped_folders_have_the_hashes_of_their_files() -> None:
    for name in ("shakespeare", "stories"):
        folder = ROOT / "checkpoints" / name
        noted = json.loads((folder / "training.json").read_text())["sha256"]
        assert noted == hashes_of(folder)


def test_a_tokenizer_error_stays_a_tokenizer_error(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "tokenizer.json")
    with pytest.raises(TokenizerError, match="no regular file"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("line", [b"{}\n", b'{"x":[[[[[[]]]]]]}\n', b'{"a":1,"b":2,"c":3}\n'])
def test_a_log_of_endless_entries_is_refused_before_it_fills_the_memory(
    tmp_path: Path, line: bytes
) -> None:
    (tmp_path / "metrics.jsonl").write_bytes(line * (50_000_000 // len(line)))
    with pytest.raises(CheckpointError, match="are the most of a log"):
        read_json_lines(tmp_path, "metrics.jsonl")


def test_the_objects_of_a_log_are_read_and_what_is_none_is_left_out() -> None:
    lines = [b'{"step": 1}', b"[2]", b"", b'{"step": 3', b'{"step": NaN}', b' {"step": 5}']
    deep = b'{"a":' + b"[" * 100_000
    found = json_lines(b"\n".join([*lines, deep, b'{"step": 6}']))
    assert [str(each) for each in found] == ["{'step': 1}", "{'step': nan}", "{'step': 6}"]
    long = b'{"a": "' + b"x" * MOST_LINE + b'"}'
    assert json_lines(long) == []
    assert len(json_lines(long, longest=None)) == len(json_lines(long, longest=len(long))) == 1
    assert json_lines(long, longest=len(long) - 1) == []


def test_a_log_of_a_folder_is_read_as_its_objects(tmp_path: Path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1}\n{"st')
    assert read_json_lines(tmp_path, "metrics.jsonl") == [{"step": 1}]
    with pytest.raises(CheckpointError, match=r"notes\.jsonl"):
        read_json_lines(tmp_path, "notes.jsonl")


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "\u202eb", "a\udcffb", "n" * 255, "-rf"])
@pytest.mark.parametrize("file", ["config.json", "tokenizer.json", "generation_config.json"])
def test_a_folder_of_any_name_is_refused_in_one_line(tmp_path: Path, name: str, file: str) -> None:
    folder = save_characters(tmp_path / "plain").rename(tmp_path / name)
    (folder / file).write_text("[")
    if file == "generation_config.json":
        assert gpt.load(folder).name == name
        (folder / "model.safetensors").write_bytes(b"x")
    assert refusal(folder).isprintable()
    with pytest.raises((TokenizerError, CheckpointError)) as error:
        load_tokenizer(folder / "nowhere")
    assert str(error.value).isprintable()


@pytest.mark.parametrize("name", ["n" * 256, "a/" * 3000, "a\0b"])
def test_a_name_that_no_file_could_have_holds_no_checkpoint(tmp_path: Path, name: str) -> None:
    assert "no checkpoint in" in refusal(tmp_path / name)
