"""gpt.text.run_hashes against the exact search, and its file against whoever wrote it."""

import hashlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import gpt
from gpt.checkpoint.copied_runs import read_copied_runs
from gpt.text.memorization import ReferenceText
from gpt.text.run_hashes import DIGEST, HEADER, LEAST, LOW_BITS, MAGIC, ONE_IN, RunHashes
from tests.support.imports import ROOT

TEXT = "ab" * 32
WORDS = st.lists(st.sampled_from(["a", "b", "It", "it", "it,", "从"]), max_size=40)


def read_again(documents: list[str]) -> RunHashes:
    return RunHashes.from_bytes(RunHashes.of(documents, TEXT).to_bytes())


@given(WORDS, st.lists(WORDS, max_size=4), st.booleans())
def test_what_is_copied_is_always_found(text, documents, borrow):
    if borrow and documents:
        text = text[:5] + documents[0] + text[5:]
    written = [" ".join(words) for words in documents]
    exact = ReferenceText(written).overlap(" ".join(text))
    found = read_again(written).overlap(" ".join(text))
    assert found.words == exact.words
    longest = exact.longest.words if exact.longest else 0
    if longest >= LEAST:
        assert found.longest is not None
        assert found.longest[2] >= longest
        assert found.new <= 1 - longest / found.words
    runs = [" ".join(text)[start:end] for start, end in found.copied]
    assert all(len(run.split()) >= LEAST for run in runs) or "从" in "".join(runs)


def test_of_runs_that_do_not_stand_there_one_in_256_is_held_for_one_and_alone_marks_nothing():
    draw = random.Random(7)
    words = [f"w{n}" for n in range(2000)]
    hashes = read_again([" ".join(draw.choices(words, k=20_000))])
    # Words drawn anew share no run of eight with them: whatever is held for one is held wrongly.
    drawn = draw.choices(words, k=100_000)
    assert hashes.hits(drawn).mean() == pytest.approx(1 / (1 << LOW_BITS), rel=0.2)
    assert ONE_IN == 1 << 2 * LOW_BITS
    assert len(hashes.overlap(" ".join(drawn)).copied) < 8  # 1.5 are to be expected


def test_no_run_goes_from_one_document_into_the_next():
    one, other = "one two three four five", "six seven eight nine ten"
    assert read_again([one, other]).overlap(f"{one} {other}").longest is None
    whole = read_again([f"{one} {other}"])
    longest = whole.overlap(f"So: {one} {other}").longest
    assert longest == (4, 4 + len(f"{one} {other}"), 10)


def test_a_text_too_short_for_a_run_has_none_and_nothing_is_found_in_it():
    for documents in ([], ["one two"], [" ".join("abcdefgh")]):
        found = read_again(documents).overlap(" ".join("abcdefgh") + " \n")
        assert (found.longest, found.copied, found.new) == (None, (), 1.0)
    assert read_again(["one"]).overlap("").words == 0


def signed(data: bytes) -> bytes:
    return data + hashlib.sha256(data).digest()


def test_a_file_that_is_none_of_ours_or_damaged_is_refused_in_words():
    good = RunHashes.of(["one two three four five six seven eight nine ten"], TEXT).to_bytes()
    head, body = good[: HEADER.size], good[HEADER.size : -DIGEST]
    fields = list(HEADER.unpack(head))

    def told(*numbers: int, rest: bytes = body) -> bytes:
        return signed(HEADER.pack(MAGIC, fields[1], *numbers) + rest)

    assert RunHashes.from_bytes(signed(head + body)).source_words == 10
    for data, why in (
        (b"", "no hashes"),
        (good[1:], "no hashes"),
        (b"inkruns\x02" + good[8:], "version is 2, this Inkling reads 1"),
        (good[:-1], "its header tells of"),
        (told(10, 3, 1 << 60), "its header tells of"),
        (told(10, 1 << 60, 3), "its header tells of"),
        (told(10, 3, 2), "its header tells of"),
        (good[:-DIGEST] + bytes(DIGEST), "was changed"),
        (told(10, 3, 3, rest=body[:3] + b"\xff"), "bitmap does not tell"),
        (told(10, 3, 3, rest=bytes(3) + b"\xe0"), "not in order"),
    ):
        with pytest.raises(ValueError, match=why):
            RunHashes.from_bytes(data)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("stories", "together every day. The moral of the story is that it is"),
        ("shakespeare", "First Citizen: Before we proceed any further, hear me speak."),
    ],
)
def test_the_hashes_beside_a_shipped_model_know_its_text(name: str, words: str) -> None:
    hashes = read_copied_runs(gpt.load(ROOT / "checkpoints" / name))
    assert hashes is not None
    assert hashes.overlap(words).new == 0
    assert hashes.overlap(" ".join(reversed(words.split()))).new == 1
