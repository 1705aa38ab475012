"""What a model takes for the likelier story, and slips against sense in what is written."""

import json
from pathlib import Path

import numpy as np
import pytest

import gpt
from gpt.text.prompt import prompt_ids
from tests.support.tales import corpus
from tests.support.tiny_checkpoint import LETTERS, save_characters
from train.evaluate import main
from train.loop.loss_eval import score
from train.quality.coherence import Judge, Judged, coherence
from train.quality.lexicon import LEAST_SEEN, Lexicon
from train.quality.sense import coherence_rows
from train.quality.slips import Pair, from_nowhere, said_twice, sex_changed, thing_changed
from train.quality.spoil import SPOILINGS

STORY = (
    "Once Lily met Tim. She had a ball, and Tim saw it. Tim had a dog. It sat down. "
    "Birds sang in a tree, and a cloud came over it. It rained. "
    "Then Lily gave the ball to Tim. He was glad, and she laughed."
)
LEXICON = Lexicon(
    [
        " ".join(f"{one}{two}" for one in "bcdfghjklnpr" for two in "aeiou") * 50,
        "So Lily met Tim, and Tim met Lily and Ann and Ann and Sam and Sam. " * LEAST_SEEN,
        "Lily sat. She ran. Tim sat. He ran. " * LEAST_SEEN,
        "“Oh,” said the fox. “Oh,” said the hen. " * LEAST_SEEN,
        *["Once a boy had a ball. The ball was red. Once a boy had a kite. The kite was red."] * 20,
        "was had a the . " * 90,
    ]
)


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    folder = tmp_path_factory.mktemp("noise")
    return gpt.load(save_characters(folder / "noise", block_size=512, ends=False))


def test_a_copy_is_scored_as_if_all_of_it_were_read(noise) -> None:
    def nats(text: str) -> np.ndarray:
        ids = np.array(prompt_ids(noise.tokenizer, text), np.uint32)
        return score(noise.model, ids, noise.config.block_size).numpy()

    judge = Judge(noise, STORY)
    for at in (100, 20, 60):  # a later change than the one before, and an earlier one
        for letter in "xyzXYZ":
            copy = STORY[:at] + letter + STORY[at + 1 :]
            likelier = nats(STORY).sum() < nats(copy).sum()
            assert judge.prefers_true(copy, per_token=False) == likelier
            longer = copy + letter * 40
            likelier = nats(STORY)[at:].mean() < nats(longer)[at:].mean()
            assert judge.prefers_true(longer, per_token=True) == likelier
    assert not judge.prefers_true(STORY, per_token=True)


def test_a_story_longer_than_the_window_is_judged_too(tmp_path: Path) -> None:
    checkpoint = gpt.load(save_characters(tmp_path / "noise", block_size=32))
    found = coherence(checkpoint, [STORY])
    assert found.judged[0].of == 1
    assert found.tokens > 2 * len(STORY)


def test_stories_are_counted_that_could_be_spoilt_and_that_could_not(noise, monkeypatch) -> None:
    asked: list[str] = []

    def prefers_true(judge: Judge, copy: str, *, per_token: bool) -> bool:
        asked.append(copy)
        return "Tim gave" in copy

    monkeypatch.setattr(Judge, "prefers_true", prefers_true)
    found = coherence(noise, [STORY, "Once a hen sat."] * 6, stories=12)
    by_name = {each.spoiling.name: each for each in found.judged}
    assert found.stories == 12
    assert (by_name["names"].right, by_name["names"].of, by_name["names"].skipped) == (6, 6, 6)
    assert (by_name["he, she"].right, by_name["he, she"].of) == (0, 6)
    assert (by_name["names"].share, by_name["names"].error) == (1, 0)
    assert (by_name["things"].share, by_name["things"].error) == (None, None)
    rows = {does: (share, of) for does, share, of in coherence_rows(found)}
    assert rows[by_name["names"].spoiling.does] == ("1.000 ± 0.000", "6 of 12")
    share, of = rows[by_name["things"].spoiling.does]
    assert share == "cannot be judged"
    assert of.startswith("none of 12 stories has an English thing")
    again = list(asked)
    coherence(noise, [STORY, "Once a hen sat."] * 6, stories=12)
    assert asked[len(again) :] == again


def test_the_standard_error_is_that_of_a_share() -> None:
    found = Judged(SPOILINGS[0], right=3, of=4, skipped=2)
    assert (found.share, found.error) == (0.75, (0.75 * 0.25 / 4) ** 0.5)


def test_no_story_is_begun_beyond_the_tokens_but_for_the_least(noise) -> None:
    assert coherence(noise, [STORY] * 40, most_tokens=1).stories == 10
    assert coherence(noise, [STORY] * 40, stories=3, most_tokens=1).stories == 3


def test_what_no_script_can_do_without_is_said_and_nothing_breaks(tmp_path: Path) -> None:
    text = "从前有一只狐狸。它住在山里。它每天看月亮。它很高兴。有一天它走了。它又回来。天黑了。"
    model = gpt.load(save_characters(tmp_path / "han", letters="".join(sorted(set(text)))))
    found = coherence(model, [text, text[8:] + text[:8], text[14:] + text[:14]])
    assert {each.spoiling.name for each in found.judged if not each.of} == {
        *("names", "things", "he, she"),
    }
    assert [share for _, share, _ in coherence_rows(found)].count("cannot be judged") == 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" Then Tim came with a kite.", (1, 1)),
        (" A boy named Tim came. Tim ran.", (0, 1)),
        (" Her friend, Tim, came.", (0, 1)),
        (" Lily's dog saw Tim, a boy.", (0, 1)),
        (" Lily ran home.", (0, 0)),
        (" Sam sat. Then a girl named Ann sat by Sam.", (1, 2)),
    ],
)
def test_who_comes_from_nowhere_was_introduced_by_no_word(text: str, found: Pair) -> None:
    assert from_nowhere("Once Lily sat.", text, LEXICON) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Lily sat. She ran.", (0, 1)),
        ("Lily sat. Then she ran. Lily sat. He ran.", (1, 1)),
        ("Her little brother, Lily, was nervous.", (1, 1)),
        ("Ann sat. He ran. Ann sat. She ran.", (1, 1)),
        ("Ann saw the fox. He ran. Ann sat. She ran.", (0, 1)),
        ("Ann and Sam sat. He ran. “Ann, he ran,” she said.", (0, 0)),
    ],
)
def test_who_is_he_and_she_changes_sex(text: str, found: Pair) -> None:
    assert LEXICON.sexes == {"lily": "she", "tim": "he"}
    assert sex_changed(text, LEXICON) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" Then the kite flew.", (1, 1)),
        (" Then the red kite flew, and the kite fell.", (1, 1)),
        (" Then she found a kite. The kite flew.", (0, 1)),
        (" Then the ball fell.", (0, 0)),
    ],
)
def test_a_thing_changes_where_another_of_its_kind_is_taken_for_known(text, found) -> None:
    assert thing_changed("Lily had a ball.", text, LEXICON) == found


def test_a_sentence_that_stood_there_before_is_said_twice() -> None:
    text = " So the fox ran home. He sat. The old fox sat down! So, the fox ran home. He sat."
    assert said_twice("The old fox sat down.", text) == (2, 3)


def test_the_command_says_both_and_what_it_could_not_judge(tmp_path: Path, capsys) -> None:
    data = corpus(tmp_path)
    words = [str(tmp_path / "noise"), "--text", str(tmp_path / "valid.txt"), "--coherence"]
    main([*words, "--data", str(data), "--openings", "3", "--stories", "5"])
    said = capsys.readouterr()
    found = json.loads(said.out.splitlines()[-1])
    assert [*found["coherence"]] == [each.name for each in SPOILINGS]
    assert found["coherence"]["names"] == {"share": None, "error": None, "of": 0}
    assert found["coherence"]["ending"]["of"] == 0  # all its stories end alike
    assert (found["stories"], found["val_loss"] > 0) == (5, True)
    assert "none of 5 stories has two names" in said.out
    assert set(found["written"]["the same sentence twice"]) == {"model", "human"}
    assert "words in no dictionary" in found["written"]
    (tmp_path / "data" / "train.bin").rename(tmp_path / "gone")
    main([*words, "--openings", "99"])
    said = capsys.readouterr()
    assert "words in no dictionary are not told: the text that noise learnt from" in said.err
    assert "what it writes was not looked at: expected 99 openings" in said.out
    assert "written" not in json.loads(said.out.splitlines()[-1])


def test_letters_of_the_tales_are_those_of_the_model() -> None:
    assert set(STORY) <= set(LETTERS)
