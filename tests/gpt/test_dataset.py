"""Documents, token files and windows: what is in the text is in the tokens, and nothing else."""

import os
import random
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from gpt.dataset import (
    END_OF_DOCUMENT,
    SlidingWindowDataset,
    open_tokens,
    read_chunks,
    read_tokens,
    validation_start,
)
from gpt.tokenizers import EOS, CharTokenizer
from tests.support.fuzzed_text import fuzzed_text
from tests.support.trained_tokenizers import MAKERS, STORY, TOKENIZERS, encodable


@pytest.mark.parametrize("length", range(2, 20))
@pytest.mark.parametrize("block_size", [1, 2, 5, 8])
@pytest.mark.parametrize("stride", [1, 2, 3, 5, 8, 30])
def test_windows_are_brute_force_slices(length: int, block_size: int, stride: int):
    tokens = np.arange(100, 100 + length, dtype=np.uint16)
    starts = [start for start in range(0, length, stride) if start + block_size + 1 <= length]
    if not starts:
        with pytest.raises(ValueError, match=f"{length} tokens is too short .* = {block_size + 1}"):
            SlidingWindowDataset(tokens, block_size, stride)
        return
    dataset = SlidingWindowDataset(tokens, block_size, stride)
    assert len(dataset) == len(starts)
    for index, start in enumerate(starts):
        x, y = dataset[index]
        assert (x.dtype, x.shape) == (torch.long, (block_size,))
        assert x.tolist() == tokens[start : start + block_size].tolist()
        assert y.tolist() == tokens[start + 1 : start + block_size + 1].tolist()
    assert torch.equal(dataset[-1][1], dataset[len(starts) - 1][1])
    with pytest.raises(IndexError):
        dataset[len(starts)]


@pytest.mark.parametrize(("block_size", "stride"), [(4, -1), (4, 0), (0, 4), (-2, 1)])
def test_a_size_that_is_not_positive_is_refused(block_size: int, stride: int):
    with pytest.raises(ValueError, match=f"at least 1, not {block_size} and {stride}"):
        SlidingWindowDataset(np.arange(100), block_size, stride)


def test_tokens_of_two_dimensions_are_refused():
    with pytest.raises(ValueError, match="one dimension"):
        SlidingWindowDataset(np.zeros((9, 9)), 4, 4)


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_a_token_file_is_mapped_as_it_was_written(dtype: str, tmp_path: Path):
    ids = [0, 1, 40_000, 65_535]
    path = tmp_path / "train.bin"
    path.write_bytes(b"".join(id.to_bytes(np.dtype(dtype).itemsize, "little") for id in ids))
    tokens = open_tokens(path, dtype)
    assert isinstance(tokens, np.memmap)
    assert tokens.tolist() == ids
    with pytest.raises(ValueError, match="read-only"):
        tokens[0] = 1


@pytest.mark.parametrize("size", [0, 3])
def test_a_broken_token_file_is_refused(size: int, tmp_path: Path):
    path = tmp_path / "train.bin"
    path.write_bytes(bytes(size))
    with pytest.raises(ValueError, match=f"holds {size} bytes"):
        open_tokens(path, "uint16")


def test_windows_of_a_large_file_take_no_memory(tmp_path: Path):
    path = tmp_path / "train.bin"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # a sparse file
    tracemalloc.start()
    dataset = SlidingWindowDataset(open_tokens(path, "uint16"), block_size=256, stride=256)
    for index in range(0, len(dataset), len(dataset) // 50):
        assert dataset[index][0].sum() == 0
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(dataset) == ((1 << 29) - 257) // 256 + 1
    assert peak < 1 << 20


def documents_of(text: str) -> list[tuple[str, bool]]:
    """(document, whether a marker ends it), by the definition and in one go."""
    *ended, last = re.split(r"(?:<\|endoftext\|>|<\|startoftext\|>)\n?", text)
    documents = [*((document, True) for document in ended), (last, False)]
    return [(document, ends) for document, ends in documents if document]


def test_documents_are_what_lies_between_markers(tmp_path: Path):
    rng = random.Random(0)
    path = tmp_path / "text.txt"
    scraps = ["a", "bc d", " ", "\n", "<|", EOS, f"{EOS}\n", f"\n{EOS}\n", f" {EOS}\n", f"{EOS} "]
    scraps += ["<|startoftext|>", "<|startoftext|>\n", "<", "<|end", "oftext|>"]
    for _ in range(1500):
        text = "".join(rng.choices(scraps, k=rng.randrange(30)))
        path.write_text(text, newline="\n")
        documents, current = [], ""
        for chunk in read_chunks(path, size=rng.randrange(1, 40)):
            assert chunk.starts_document == (current == "")
            current += chunk.text
            if chunk.ends_document:
                documents.append((current, True))
                current = ""
        if current:
            documents.append((current, False))
        assert documents == documents_of(text)


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("size", [20, 70, 300])
def test_a_text_in_parts_has_the_ids_of_the_whole(name: str, size: int, tmp_path: Path):
    tokenizer = TOKENIZERS[name]
    path = tmp_path / "text.txt"
    rng = random.Random(size)
    for text in encodable(
        tokenizer, [STORY, *fuzzed_text(100, seed=4), " ".join(fuzzed_text(300, seed=5))]
    ):
        # Places to cut are never far apart here, as in any text of words.
        for left_out in ("\r", "\ufeff", "\0", EOS):
            text = text.replace(left_out, "")
        words = text.split(" ")
        text = "".join(word + rng.choice([" ", "\n", "\n\n", "  ", " so "]) for word in words)
        path.write_text(text, encoding="utf-8", newline="\n")
        chunks = list(read_chunks(path, size=size))
        assert len(chunks) > len(text) // (16 * size)
        ids = [id for chunk in chunks for id in tokenizer.encode(chunk.text)]
        assert ids == tokenizer.encode(text)


def test_a_long_document_is_read_in_parts_of_bounded_length(tmp_path: Path):
    path = tmp_path / "text.txt"
    for text in ("word " * 5000, "word\n" * 5000, "x" * 25_000, " " * 25_000):
        path.write_text(text)
        chunks = list(read_chunks(path, size=100))
        assert "".join(chunk.text for chunk in chunks) == text
        assert max(len(chunk.text) for chunk in chunks) <= 1700
        assert len(chunks) > 10


def test_reading_a_large_file_takes_no_more_memory_than_a_small_one(tmp_path: Path):
    peaks = []
    for name, lines in (("small", 40_000), ("large", 400_000)):
        path = tmp_path / name
        path.write_text("Once upon a time there was a fox.\n" * lines)
        tracemalloc.start()
        assert sum(len(chunk.text) for chunk in read_chunks(path)) == path.stat().st_size
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < path.stat().st_size / 2


def test_line_ends_of_any_system_and_a_byte_order_mark_are_read_alike(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\r<|endoftext|>\r\nthree\n")
    assert [(chunk.text, chunk.ends_document) for chunk in read_chunks(path)] == [
        ("one\ntwo\n", True),
        ("three\n", False),
    ]


def test_markers_within_a_line_part_documents_and_are_no_text(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text("".join(f"<|startoftext|>Tale {n}.<|endoftext|>\n" for n in range(80)))
    chunks = list(read_chunks(path))
    assert [chunk.text for chunk in chunks] == [f"Tale {n}." for n in range(80)]
    assert all(chunk.ends_document for chunk in chunks)


LINE = "The old king opened a door.\n"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LINE.encode("utf-16-le"), "UTF-16 without a byte order mark"),
        (LINE.encode("utf-16-be"), "UTF-16 without a byte order mark"),
        (LINE.encode("utf-16"), "is UTF-16: save it as UTF-8"),
        (LINE.encode("utf-32"), "is UTF-32"),
        ("Старый король.\nОткрыл дверь.\n".encode("utf-16-le"), "UTF-16 without a byte order"),
        ("国王打开了门。\n".encode("utf-16-be") * 3, "UTF-16 without a byte order"),
        (b"\xff\xfe\0\0" + LINE.encode("utf-32-le"), "is UTF-32"),
        (LINE.encode() * 300 + b"\0", "is no text, it holds NUL"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"PK\x03\x04word/document.xml", "a zip archive, as .docx, .odt and .epub are"),
        (b"%PDF-1.7 ...", "is a PDF"),
        (b"{\\rtf1 text}", "is RTF"),
        (b"\x1f\x8b\x08", "is gzip: unpack it first"),
        (b"PAR1....", "is Parquet"),
        (b"GGUF\x03\0\0\0", "llama.cpp"),
    ],
)
def test_a_file_that_is_no_text_is_refused_by_its_name(data: bytes, said: str, tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(str(path))) as error:
        list(read_chunks(path))
    assert said in str(error.value)


def test_a_pipe_is_not_waited_for(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="is a pipe or a device"):
        validation_start(tmp_path / "pipe", 0.1)


def test_a_folder_is_no_text(tmp_path: Path):
    with pytest.raises(ValueError, match="is a folder: expected a text file"):
        list(read_chunks(tmp_path))


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path):
    path = tmp_path / "latin.txt"
    path.write_bytes("Märchen".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin.txt is not UTF-8 text .* save it as UTF-8"):
        list(read_chunks(path))


def test_tokens_begin_with_the_end_of_a_story_and_never_hold_two_in_a_row(tmp_path: Path):
    path = tmp_path / "text.txt"
    path.write_text(f"{EOS}\nab\n{EOS}\n{EOS}\né\n{EOS}\n{EOS}", encoding="utf-8")
    tokenizer = CharTokenizer.train(["abé\n"])
    text = read_tokens(path, tokenizer.encode, tokenizer.eos_id)
    eos = tokenizer.eos_id
    assert text.tokens.tolist() == [eos, 1, 2, 0, eos, 3, 0, eos]
    assert (text.bytes, text.documents) == (len("ab\né\n".encode()), 2)


def test_the_last_part_starts_where_the_field_cuts(tmp_path: Path):
    path = tmp_path / "text.txt"
    for n in (1, 7, 10, 99, 1000):
        path.write_text("é" * n, encoding="utf-8")
        assert validation_start(path, 0.1) == int(0.9 * n)
    path.write_text("abcdefghij")
    chunks = list(read_chunks(path, start=validation_start(path, 0.3)))
    assert [chunk.text for chunk in chunks] == ["hij"]


@pytest.mark.parametrize("before", ["a", "ab\n", "\n", ""])
@pytest.mark.parametrize("after", ["\nxy", "\n", "", "z", f"\n{EOS}\nx", EOS])
def test_a_cut_neither_breaks_a_marker_line_nor_makes_one(before: str, after: str, tmp_path: Path):
    path = tmp_path / "text.txt"
    text = before + EOS + after
    path.write_text(text)
    for cut in range(len(text)):
        fraction = (len(text) - cut - 0.5) / len(text)
        start = validation_start(path, fraction)
        parts = [read_chunks(path, stop=start), read_chunks(path, start=start)]
        documents = [chunk.text for part in parts for chunk in part]
        assert "".join(documents) == "".join(text for text, _ in documents_of(text))
        assert cut <= start <= cut + len(EOS)
        assert start == cut or EOS in text[max(0, cut - len(EOS)) : start + len(EOS)]


def test_the_marker_is_how_the_end_of_a_story_is_written():
    assert END_OF_DOCUMENT == EOS
