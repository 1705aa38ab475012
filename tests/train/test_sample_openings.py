"""Openings, what a model makes of them, and the page about it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import gpt
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from tests.support.tales import SENTENCE, TALE, corpus, story
from tests.support.tiny_checkpoint import save_characters
from train.data.folder import DataError
from train.quality.continuations import Continuation, bits, ends_within, first_words, write_on
from train.quality.openings import LEAST_LEFT, LEAST_WORDS, Opening, cut, openings
from train.quality.reference_text import open_model_texts
from train.quality.thresholds import length_for
from train.run.marks import told
from train.sample_openings import main


def test_an_opening_is_whole_sentences_and_the_rest_is_how_it_goes_on() -> None:
    found = cut("\n" + TALE)
    assert found
    assert found == Opening((SENTENCE * 3).rstrip(), " " + SENTENCE * 6)
    assert len(found.text.split()) >= LEAST_WORDS


def test_an_opening_whose_sentence_does_not_end_is_cut_at_a_word() -> None:
    found = cut("hen " * 300)
    assert found
    assert found.text.split() == ["hen"] * 60
    assert len(found.rest.split()) == 240


def test_a_text_too_short_to_go_on_gives_no_opening() -> None:
    assert cut("hen " * (LEAST_WORDS + LEAST_LEFT - 1)) is None
    found = cut("hen " * (LEAST_WORDS + LEAST_LEFT))
    assert found
    assert len(found.text.split()) == LEAST_WORDS


def test_openings_are_evenly_spaced_over_the_documents() -> None:
    found = openings([story(at) for at in range(8)] + [" ", "too short"], 4)
    assert [opening.text[6] for opening in found] == ["a", "c", "e", "g"]


def test_one_long_document_gives_paragraphs_but_not_its_first() -> None:
    found = openings(["broken off. " + TALE + "\n\n" + "\n\n".join(map(story, range(4)))], 4)
    assert [opening.text[6] for opening in found] == ["a", "b", "c", "d"]
    assert "Story b" in found[0].rest


def test_too_few_openings_is_an_error_that_says_how_many_there_are() -> None:
    with pytest.raises(ValueError, match=r"expected 9 openings .* it has 8.*--openings"):
        openings(map(story, range(8)), 9)


def test_each_opening_is_gone_on_from_as_if_it_were_alone(tmp_path: Path) -> None:
    checkpoint = gpt.load(save_characters(tmp_path / "noise"))
    found = openings(map(story, range(8)), 3)
    params = SamplingParams(seed=3, max_new_tokens=20)
    written = write_on(checkpoint, found, params)
    for at, one in enumerate(written):
        alone = Generator(checkpoint.model, checkpoint.tokenizer)
        tokens = alone.stream(found[at].text, replace(params, seed=3 + at))
        assert one.text == "".join(token.text for token in tokens)
        assert (one.seed, one.tokens, one.reason) == (3 + at, 20, "length")
        assert one.core == "torch float32"
    assert len({one.text for one in written}) == 3


def test_a_model_that_ends_at_once_is_over_with_nothing_written(tmp_path: Path) -> None:
    checkpoint = gpt.load(save_characters(tmp_path / "mute", ends=True))
    (one,) = write_on(checkpoint, [Opening("The fox.", " Ran.")], SamplingParams(seed=1))
    assert (one.text, one.tokens, one.over) == ("", 1, True)


def test_bits_are_those_of_the_continuation_alone(tmp_path: Path) -> None:
    checkpoint = gpt.load(save_characters(tmp_path / "noise"))
    parts = bits(checkpoint, "The ", "fox") + bits(checkpoint, "The fox", " ran")
    assert parts == pytest.approx(bits(checkpoint, "The ", "fox ran"), rel=1e-5)
    assert bits(checkpoint, "The", "") == 0


def test_a_persons_text_is_cut_at_words_and_its_end_as_a_models_is(tmp_path: Path) -> None:
    assert first_words(" The  fox\nran home.", 3) == " The  fox\nran"
    assert first_words("The fox", 9) == "The fox"
    tokenizer = gpt.load(save_characters(tmp_path / "noise")).tokenizer

    def ends(length: int, room: int) -> bool:
        params = SamplingParams(max_new_tokens=length, finish_chars=room)
        return ends_within(tokenizer, "Once", "A hen. A fox sat", params)

    assert [ends(length, 0) for length in (5, 6, 8, 16)] == [False, True, False, True]
    assert [ends(length, 3) for length in (2, 3, 6, 8, 14)] == [False, True, True, False, True]


def test_the_length_is_what_enough_of_the_stories_need() -> None:
    written = [Continuation(Opening("", ""), 0, tokens=n, reason="end") for n in range(1, 21)]
    assert length_for(written) == 19
    written[4].reason = written[7].reason = "length"
    assert length_for(written) is None


def test_what_was_written_stands_in_the_page_to_the_letter() -> None:
    text = "A *star* _fell_\n- on <b>\n\n1. it\n# [x](y)"
    lines = re.sub(r"\\(.)", r"\1", told("", text)).split("\n")
    assert "\n".join(line[2:].removesuffix("  ") for line in lines) == text
    assert told("One\n\ntwo.", " Three.\n") == "> **One**  \n>\n> **two.** Three."
    assert told("ROMEO:\n", "O!") == "> **ROMEO:**  \n> O!"


def test_the_page_has_every_continuation_and_the_command(tmp_path, capsys, monkeypatch) -> None:
    data = corpus(tmp_path)
    out = tmp_path / "docs" / "samples.md"
    words = [str(tmp_path / "noise"), "--data", str(data), "--openings", "4", "--out", str(out)]
    main(words)
    page = out.read_text()
    checkpoint = gpt.load(tmp_path / "noise")
    params = SamplingParams(temperature=0.9, max_new_tokens=12, seed=1)
    for one in write_on(checkpoint, openings(map(story, range(8)), 4), params):
        assert f"\n{told(one.opening.text, one.text)}\n" in page
    assert f"python -m train.sample_openings {tmp_path}" in page
    assert "`--temperature 0.9 --max-new-tokens 12`" in page
    assert len(re.findall(r"^### \d+$", page, re.M)) == 4
    assert "distinct-3" in capsys.readouterr().out
    main([*words, "--length", "5"])
    assert out.read_text() != page


def test_a_training_text_that_is_not_here_is_named_with_the_command_that_makes_it(
    tmp_path: Path,
) -> None:
    corpus(tmp_path)
    checkpoint = gpt.load(tmp_path / "noise")
    with pytest.raises(DataError, match=r"fingerprint [0-9a-f]{16}.*train\.prepare train\.txt"):
        open_model_texts(checkpoint, [tmp_path])
    with pytest.raises(DataError, match=r"expected a training\.json"):
        open_model_texts(gpt.load(save_characters(tmp_path / "other")), [tmp_path / "data"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--openings", "99"], "expected 99 openings"),
        (["--length", "0"], "max_new_tokens must be a whole number, 1 to 2048, not 0"),
    ],
)
def test_what_cannot_be_sampled_is_one_line(tmp_path: Path, more, message) -> None:
    data = corpus(tmp_path)
    with pytest.raises(SystemExit, match=f"train.sample_openings: {message}"):
        main([str(tmp_path / "noise"), "--data", str(data), *more])
