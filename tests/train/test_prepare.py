"""From text to a data folder: every character is in one split, and the files say what they hold."""

import hashlib
import json
import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gpt.dataset import open_tokens, read_tokens
from gpt.tokenizers import EOS, CharTokenizer, load_tokenizer
from tests.support.fuzzed_text import fuzzed_text
from tests.support.trained_tokenizers import STORY, TOKENIZERS
from train.data import encode
from train.data.encode import Part, token_dtype, write_tokens
from train.data.folder import load_data
from train.data.prepare import prepare
from train.data.texts import Text, sample_texts, text_files
from train.prepare import main

SHAKESPEARE = Path(__file__).parents[3] / "shared" / "data" / "tinyshakespeare.txt"


@pytest.fixture
def story(tmp_path: Path) -> Path:
    path = tmp_path / "story.txt"
    path.write_text(STORY, encoding="utf-8")
    return path


def read_split(folder: Path, split: str) -> np.ndarray:
    facts = json.loads((folder / "data.json").read_text())
    return np.array(open_tokens(folder / f"{split}.bin", facts["dtype"]))


@pytest.mark.parametrize(
    ("kind", "model_type"),
    [("char", "bpe"), ("bpe", "bpe"), ("sentencepiece", "bpe"), ("sentencepiece", "unigram")],
)
def test_the_folder_holds_the_text_and_says_so(kind, model_type, story: Path, tmp_path: Path):
    out = tmp_path / "out"
    facts = prepare([Text(path=story)], out, kind=kind, vocab_size=600, model_type=model_type)
    assert json.loads((out / "data.json").read_text()) == facts
    tokenizer = load_tokenizer(out)
    assert (facts["tokenizer"], facts["vocab_size"]) == (tokenizer.kind, tokenizer.vocab_size)
    assert (facts["format"], facts["dtype"], facts["eos_id"]) == (1, "uint16", tokenizer.eos_id)
    assert facts["sources"] == [
        {
            "name": "story.txt",
            "bytes": story.stat().st_size,
            "sha256": hashlib.sha256(story.read_bytes()).hexdigest(),
            "serves": "train, valid",
        }
    ]
    cut = int(0.9 * len(STORY))
    for split, start, stop in (("train", 0, cut), ("valid", cut, None)):
        text = read_tokens(story, tokenizer.encode, tokenizer.eos_id, start=start, stop=stop)
        tokens = read_split(out, split)
        assert tokens.tolist() == text.tokens.tolist()
        assert tokenizer.decode(tokens.tolist()) == STORY[start:stop].replace(f"{EOS}\n", "")
        assert facts[split] == {
            "tokens": len(tokens),
            "bytes": text.bytes,
            "documents": text.documents,
            "sha256": hashlib.sha256((out / f"{split}.bin").read_bytes()).hexdigest(),
        }


def test_files_follow_each_other_with_one_end_of_story_between(tmp_path: Path):
    files = {
        "one": f"ab\n{EOS}\n",
        "two": "ba",
        "empty": "",
        "three": f"{EOS}\nbb\n{EOS}",
        "valid": "abc\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    facts = prepare(
        [Text(path=tmp_path / name) for name in ("one", "empty", "two", "empty", "three")],
        tmp_path / "out",
        kind="char",
        valid_files=[tmp_path / "valid"],
    )
    assert facts["vocab_size"] == len("\nabc") + 1  # c is in the validation text alone
    assert read_split(tmp_path / "out", "train").tolist() == [4, 1, 2, 0, 4, 2, 1, 4, 2, 2, 0, 4]
    assert read_split(tmp_path / "out", "valid").tolist() == [4, 1, 2, 3, 0]
    assert (facts["train"]["documents"], facts["train"]["bytes"]) == (3, len("ab\nbabb\n"))


def test_a_text_with_validation_text_of_its_own_is_trained_on_whole(tmp_path: Path):
    for name, text in {"own": "aaaa", "own-valid": "bb", "other": "cccccddddd"}.items():
        (tmp_path / name).write_text(text)
    texts = [
        Text(path=tmp_path / "own", valid=tmp_path / "own-valid"),
        Text(path=tmp_path / "other"),
    ]
    out = tmp_path / "out"
    prepare(texts, out, kind="char", valid_fraction=0.5)
    decode = load_tokenizer(out).decode
    assert decode(read_split(out, "train").tolist()) == "aaaaccccc"
    assert decode(read_split(out, "valid").tolist()) == "bbddddd"


def test_ids_do_not_depend_on_the_number_of_threads_or_processes(tmp_path: Path):
    tokenizer = TOKENIZERS["bpe"]
    tokenizer.save(tmp_path / "tokenizer")
    for seed, file in enumerate(["one", "two"]):  # more batches than processes have waiting
        text = "".join(fuzzed_text(20_000, seed)).replace("\r", "\n").replace("\0", "")
        (tmp_path / file).write_text(f"{text}\n{EOS}\n{STORY}", encoding="utf-8")
    written = [
        write_tokens(
            [Part(path=tmp_path / name, start=1000) for name in ("one", "two", "one", "two")],
            tmp_path / "tokenizer",
            tmp_path / f"{workers}.bin",
            dtype="uint16",
            eos_id=tokenizer.eos_id,
            workers=workers,
            progress=lambda n: None,
        )
        for workers in (1, 2, encode.MOST_THREADS + 1)
    ]
    assert written == written[:1] * 3
    assert len({path.read_bytes() for path in tmp_path.glob("?.bin")}) == 1


def test_memory_is_flat_whatever_the_size_of_the_text(tmp_path: Path):
    peaks = []
    for name, copies in (("small", 100), ("large", 1000)):
        path = tmp_path / name
        path.write_text((STORY + "\n") * copies, encoding="utf-8")
        tracemalloc.start()
        prepare([Text(path=path)], tmp_path / "out", kind="char")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_a_long_text_is_sampled_evenly_and_a_short_one_is_taken_whole(tmp_path: Path):
    path = tmp_path / "text.txt"
    documents = [f"{i:04}\n" for i in range(1000)]
    path.write_text(f"{EOS}\n".join(documents))
    part = Part(path=path)
    assert list(sample_texts([part], 1 << 20)) == documents
    taken = [int(text) for text in sample_texts([part], 1000)]
    assert 40 <= len(taken) <= 60
    assert max(b - a for a, b in zip([0, *taken], [*taken, 1000], strict=True)) < 30


def test_a_failure_leaves_the_old_folder_as_it_was(story: Path, tmp_path: Path):
    out = tmp_path / "out"
    prepare([Text(path=story)], out, kind="sentencepiece", vocab_size=400)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(ValueError, match="is the most it can give"):
        prepare([Text(path=story)], out, kind="sentencepiece", vocab_size=60_000)
    (tmp_path / "empty").write_text("a")
    with pytest.raises(ValueError, match="no text in the train part"):
        prepare([Text(path=tmp_path / "empty")], out, kind="char")
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_another_tokenizer_replaces_the_one_before(story: Path, tmp_path: Path):
    out = tmp_path / "out"
    prepare([Text(path=story)], out, kind="sentencepiece", vocab_size=400)
    (out / ".part-killed").mkdir()
    prepare([Text(path=story)], out, kind="char")
    assert isinstance(load_tokenizer(out), CharTokenizer)
    assert {path.name for path in out.iterdir()} == {
        *("data.json", "train.bin", "valid.bin", "tokenizer.json", "tokenizer_config.json")
    }


def test_validation_text_that_is_trained_on_is_refused(story: Path, tmp_path: Path):
    copy = tmp_path / "copy.txt"
    copy.write_bytes(story.read_bytes())
    with pytest.raises(ValueError, match=r"copy.txt is both training and validation text"):
        prepare([Text(path=story)], tmp_path / "out", kind="char", valid_files=[copy])
    with pytest.raises(ValueError, match="both training and validation text"):
        prepare([Text(path=story), Text(path=copy)], tmp_path / "out", kind="char")


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_a_fraction_outside_its_range_is_refused(fraction: float, story: Path, tmp_path: Path):
    with pytest.raises(ValueError, match=f"between 0 and 1, not {fraction}"):
        prepare([Text(path=story)], tmp_path / "out", kind="char", valid_fraction=fraction)


def test_ids_take_two_bytes_up_to_65536_of_them():
    assert token_dtype(65_536) == "uint16"
    assert token_dtype(65_537) == "uint32"


def test_the_command_prepares_a_text(story: Path, tmp_path: Path, capsys):
    out = tmp_path / "out"
    (tmp_path / "valid.txt").write_text("The fox slept.\n")
    command = f"{story} --tokenizer sentencepiece --vocab-size 500 --model-type unigram"
    main([*command.split(), "--valid", str(tmp_path / "valid.txt"), "--out", str(out)])
    assert "500 tokens in the vocabulary" in capsys.readouterr().out
    tokenizer = load_tokenizer(out)
    assert tokenizer.decode(read_split(out, "valid").tolist()) == "The fox slept.\n"
    assert (out / "spiece.model").exists()


def test_the_tokenizer_of_another_folder_is_taken_as_it_is(story: Path, tmp_path: Path, capsys):
    tokenizer = TOKENIZERS["sentencepiece"]
    tokenizer.save(tmp_path / "model")
    out = tmp_path / "out"
    main([str(story), "--tokenizer", str(tmp_path / "model"), "--out", str(out)])
    text = STORY[: int(0.9 * len(STORY))].replace(f"{EOS}\n", "")
    assert load_tokenizer(out).pieces == tokenizer.pieces
    assert tokenizer.decode(read_split(out, "train").tolist()) == text
    with pytest.raises(SystemExit):
        main(
            [str(story), "--tokenizer", str(out), "--vocab-size", "9", "--out", str(out)],
        )
    assert "--vocab-size has no meaning with --tokenizer FOLDER" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("story.txt --tokenizer char --vocab-size 9", "--vocab-size has no meaning with .* char"),
        ("story.txt --tokenizer bpe --model-type unigram", "--model-type has no meaning"),
        ("story.txt --tokenizer wordpiece", "expected char, bpe, .* or a folder .* 'wordpiece'"),
        ("story.txt --tokenizer data", "no tokenizer in data"),
        ("story.txt --workers 0", "--workers must be at least 1, not 0"),
        ("story.txt --valid a --valid-fraction 0.1", "not allowed with"),
        ("no-such-text", "no file no-such-text, nor a text of that name.*shakespeare, tinystories"),
        ("story.txt --tokenizer char --valid gone.txt", "gone.txt"),
        ("story.txt --tokenizer bpe --vocab-size 50", "vocab_size=50 is too small.*257 at least"),
    ],
)
def test_a_wrong_command_ends_in_a_sentence(options: str, message: str, story: Path, capsys):
    given = [str(story) if word == "story.txt" else word for word in options.split()]
    with pytest.raises(SystemExit) as end:
        main([*given, "--out", str(story.parent / "out")])
    assert re.search(message, f"{end.value.code} {capsys.readouterr().err}")


@pytest.mark.skipif(not SHAKESPEARE.exists(), reason="tiny Shakespeare is not here")
def test_tiny_shakespeare_is_split_as_the_field_splits_it(tmp_path: Path):
    facts = prepare([Text(path=SHAKESPEARE)], tmp_path, kind="char")
    assert facts["vocab_size"] == 65 + 1
    assert (facts["train"]["bytes"], facts["valid"]["bytes"]) == (1_003_854, 111_540)


def test_a_folder_of_texts_is_prepared_file_by_file(tmp_path: Path) -> None:
    (tmp_path / "texts/more").mkdir(parents=True)
    (tmp_path / "texts/more/b.md").write_text("The dog ran. " * 9)
    (tmp_path / "texts/a.TXT").write_text("The cat sat. " * 9)
    (tmp_path / "texts/picture.png").write_bytes(b"\x89PNG")
    main([str(tmp_path / "texts"), "--tokenizer", "char", "--out", str(tmp_path / "data")])
    facts = load_data(tmp_path / "data").facts
    assert [source["name"] for source in facts["sources"]] == ["a.TXT", "b.md"]
    (tmp_path / "valid").mkdir()
    (tmp_path / "valid/c.txt").write_text("The dog sat on the cat.")
    valid = ["--valid", str(tmp_path / "valid"), "--tokenizer", "char"]
    main([str(tmp_path / "texts"), *valid, "--out", str(tmp_path / "two")])
    assert load_data(tmp_path / "two").facts["sources"][2]["serves"] == "valid"


def test_hidden_files_in_a_folder_are_no_texts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    for name in ("a.txt", "._a.txt", ".git/b.txt"):
        (tmp_path / name).write_text("Once upon a time.\n" * 40)
    (tmp_path / "._a.txt").write_bytes(b"\0\5\x16\7")
    assert text_files(tmp_path) == [tmp_path / "a.txt"]


def test_a_folder_without_texts_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"files ending in .txt or .md; there is none in"):
        main([str(tmp_path), "--out", str(tmp_path / "data")])


def test_a_file_whose_name_is_no_utf_8_is_prepared_and_opened(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.txt")
    path.write_text("Once upon a time.\n" * 40)
    main([str(path), "--out", str(tmp_path / "data"), "--tokenizer", "char"])
    assert load_data(tmp_path / "data").facts["sources"][0]["name"] == "caf\ufffd.txt"
