"""The look at a text before training: what it counts, what it warns of, what it leaves behind."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.support.tiny_checkpoint import save_characters
from train.adapt.language import Known
from train.data.duplicates import Duplicates, signature
from train.data.prepare import prepare
from train.data.statistics import Statistics, is_odd, read_place
from train.data.texts import Text
from train.explore import main
from train.reports.text_report import advice, cell, remarks, visible, where_to_begin
from train.run.document import table

TALE = (
    "Once upon a time a fox lived under the old bridge. Every morning it counted the carts that "
    "went over its roof, and every evening it forgot how many there had been. One day no cart came "
    "at all, and the fox went up to see what was wrong with the road.\n"
)
END = "<|endoftext|>\n"


def look(*documents: str) -> Statistics:
    found = Statistics()
    for document in documents:
        found.add(document, None)
    return found


def test_sizes_are_those_of_the_text() -> None:
    found = look("The cat's café.\nThe end\n", "No")
    assert found.lengths == [24, 2]
    assert found.bytes == 24 + 1 + 2
    assert found.lines == 3
    assert found.words == {"the": 2, "cat's": 1, "café": 1, "end": 1, "no": 1}
    assert found.openings == {"the cat's café the": 1, "no": 1}
    assert found.characters["e"] == 3


def test_odd_characters_are_named_with_the_place_they_first_stand_at() -> None:
    found = look("fine\n", "a\u200bb\x07", "\u200b\ufeff\u00a0\ufffd\t")
    assert [(o.name, o.count, o.document) for o in found.odd()] == [
        ("ZERO WIDTH SPACE", 2, 2),
        ("control character", 1, 2),
        ("control character", 1, 3),
        ("NO-BREAK SPACE", 1, 3),
        ("ZERO WIDTH NO-BREAK SPACE", 1, 3),
        ("REPLACEMENT CHARACTER", 1, 3),
    ]
    assert not any(is_odd(c) for c in "aé語’“—\n 😀")


def test_copies_and_near_copies_are_found() -> None:
    changed = TALE.replace("the old bridge", "the grey bridge")
    other = "A completely different story about nine bottles of ink and a girl who washed them all."
    found = look(TALE, other, changed, "  " + TALE.replace(" ", "  "))
    assert found.duplicates.exact() == [[1, 4]]
    ((first, second, share),) = found.duplicates.near()
    assert (first, second) == (1, 3)
    assert 0.8 <= share < 1
    text = "\n".join(remarks(found, None))
    assert "1 documents (25.0%) are duplicates" in text
    assert "1 pairs of documents are nearly the same" in text


def test_a_signature_agrees_in_the_share_of_the_shingles() -> None:
    rng = np.random.default_rng(5)
    words = [f"w{i}" for i in rng.integers(10**6, size=2000)]
    whole, half = " ".join(words), " ".join(words[:1000])
    a, b = signature(whole), signature(half)
    assert a is not None
    assert b is not None
    assert (a == b).mean() == pytest.approx(996 / 1996, abs=0.15)
    assert signature("too short") is None
    assert Duplicates().near() == []


def test_what_stands_out_is_said() -> None:
    leaked = look(TALE, "Another story, that is held out.")
    found = look(TALE, "It was cafÃ© time, she said, and donâ€™t.", "lost: \ufffd\x07")
    said = "\n".join(remarks(found, leaked))
    assert "1 of 2 documents of the validation text also stand in the training text" in said
    assert "1 replacement characters" in said
    assert "2 places like" in said
    assert "1 control, invisible or unusual space characters of 1 kinds" in said
    assert "put a line <|endoftext|> between" in "\n".join(remarks(look(TALE * 5), None))
    assert "100% of the documents begin with “once upon a time”" in "\n".join(
        remarks(look(*(f"Once upon a time {i}" for i in range(20))), None)
    )


def test_advice_fits_the_size() -> None:
    found = Statistics()
    for size, preset in ((20_000, "story"), (1_000_000, "shakespeare"), (9_000_000, "stories")):
        found.bytes = size
        assert f"--preset {preset}" in advice(found) or f"train --preset {preset}" in advice(found)


def test_a_cell_holds_nothing_that_breaks_a_table() -> None:
    assert visible("a|b `c`\n\x00") == "a|b␣`c`↵U+0000"
    assert table(("",), [(visible("a|b `c`\n"),)]).endswith("| a\\|b␣\\`c\\`↵ |")
    assert cell("a b") == "a b"


def test_a_prepared_folder_is_read_as_the_text_it_was_made_of(tmp_path: Path) -> None:
    text = tmp_path / "tales.txt"
    text.write_text("".join(f"{i}. {TALE}{END}" for i in range(20)))
    prepare([Text(path=text)], tmp_path / "data", kind="sentencepiece", vocab_size=300)
    train, valid, tokenizer = read_place(tmp_path / "data", None)
    direct, none, _ = read_place(text, tmp_path / "data")
    assert valid is not None
    assert none is None
    assert tokenizer is not None
    assert train.bytes + valid.bytes == direct.bytes
    assert sum(train.characters.values()) + sum(valid.characters.values()) == sum(direct.lengths)
    assert train.token_lengths[:10] == direct.token_lengths[:10]
    assert tokenizer.eos_id not in train.tokens


def test_the_command_writes_a_report_with_its_pictures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    (folder / "a.txt").write_text(TALE + END + "Short one 語 $x$ | 😀.\n" + END)
    (folder / "b.md").write_text("Third.\n")
    (folder / "c.bin").write_bytes(b"\xff\xfe")
    main([str(folder), "--out", str(tmp_path / "look")])
    printed = capsys.readouterr().out
    assert "| documents | 3 |" in printed
    assert "--preset story" in printed
    text = (tmp_path / "look" / "explore.md").read_text()
    for name in ("lengths.png", "characters.png", "words.png"):
        assert f"]({name})" in text
        assert (tmp_path / "look" / name).read_bytes().startswith(b"\x89PNG")
    assert "| once upon a time | 1 |" in text


def test_it_says_where_a_training_on_a_short_text_should_begin(tmp_path, capsys) -> None:
    (tmp_path / "a.txt").write_text(TALE * 4)
    noise = save_characters(tmp_path / "noise", letters="".join(sorted(set(TALE))))
    main([str(tmp_path / "a.txt"), "--out", str(tmp_path / "look"), "--from", str(noise)])
    said = capsys.readouterr().out
    assert re.search(r"noise needs \d+\.\d\d bits per byte .* does not know this language", said)
    assert "begin from nothing" in (tmp_path / "look" / "explore.md").read_text()
    said = where_to_begin(Known(1.4, 4.3), "checkpoints/stories", "a.txt")
    assert "train.finetune --from checkpoints/stories --data a.txt" in said
    assert "cannot read it" in where_to_begin(Known(None, 4.3), "checkpoints/stories", "a.txt")
    (tmp_path / "long.txt").write_text("A hen. " * 150_000)
    main([str(tmp_path / "long.txt"), "--out", str(tmp_path / "look"), "--from", str(noise)])
    assert "language" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "there is no"),
        (lambda path: path.mkdir(), "expected a text file, or a folder with files ending in"),
        (lambda path: path.write_text(""), "expected some text"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is UTF-16: save it as UTF-8"),
    ],
)
def test_what_is_no_text_is_said_in_one_line(make, message: str, tmp_path: Path) -> None:
    make(tmp_path / "text.txt")
    with pytest.raises(SystemExit, match=message):
        main([str(tmp_path / "text.txt"), "--out", str(tmp_path / "look")])


def test_what_is_counted_and_yet_nothing_to_learn_from_is_said(tmp_path, capsys) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "page.txt").write_text("<!DOCTYPE html>\n<p>Once upon a time.</p>\n")
    (tmp_path / "texts" / "tale.txt").write_text(TALE)
    main([str(tmp_path / "texts"), "--out", str(tmp_path / "look")])
    (said,) = (line for line in capsys.readouterr().out.splitlines() if "No training" in line)
    assert "page.txt is HTML: save it as plain text" in said
    assert said in (tmp_path / "look" / "explore.md").read_text()
