"""Stories spoilt in one respect: by hand-made stories, in which it can be seen what differs."""

from difflib import SequenceMatcher
from random import Random

import pytest

from train.quality.coherence import LONGEST, PASSAGE, evenly_mixed, passages
from train.quality.lexicon import LEAST_SEEN, Lexicon
from train.quality.spoil import (
    SPOILINGS,
    Story,
    change_thing,
    foreign_ending,
    swap_he_and_she,
    swap_names,
    swap_sentences,
)

TALE = (
    "Once there was a girl named Lily. She had a ball, and Tim saw it. Tim had a dog. "
    "The sun was warm on the hill. Birds sang in the tall trees. A cloud came. "
    "“Look!” said Tim. Then Lily kicked the ball to Tim's dog. He was glad, and she laughed. "
    "LILY went home."
)
OTHER = "A hen sat. It ran. It ate. It slept. The moon rose above the barn. All was well."
WOODS = "By a house there was a wood. The house stood by the wood. "
THINGS = "Once a boy had a ball. The ball was red. Once a boy had a kite. The kite was red. "
GRAMMAR = (
    " ".join(f"{one}{two}" for one in "bcdfghjklnpr" for two in "aeiou") + " was had a the . by "
)
"""Words so frequent that none of the others is taken for one of them."""
LEXICON = Lexicon(
    [
        "So Lily met Tim, and Tim met Lily. Then Tim and Lily sat.",
        GRAMMAR * 50,
        *[THINGS + WOODS] * LEAST_SEEN,
    ]
)


def spoilt(way, text: str = TALE, other: str = OTHER, lexicon: Lexicon = LEXICON) -> str | None:
    return way(Story(text), lexicon, Story(other), Random(1))


def changes(text: str, copy: str) -> list[tuple[str, str]]:
    """The words that differ, before and after."""
    one, two = text.split(), copy.split()
    found = SequenceMatcher(None, one, two, autojunk=False).get_opcodes()
    return [
        (" ".join(one[a:b]), " ".join(two[c:d])) for kind, a, b, c, d in found if kind != "equal"
    ]


def test_sentences_are_whole_and_the_last_third_begins_with_one() -> None:
    story = Story(TALE)
    told = [TALE[start:end] for start, end in story.sentences]
    assert told[0] == "Once there was a girl named Lily."
    assert told[6:8] == ["“Look!” said Tim.", "Then Lily kicked the ball to Tim's dog."]
    assert " ".join(told) == TALE
    assert TALE[story.last_third :].startswith("Then Lily")
    assert Story("A cat").last_third == len("A cat")


def test_two_names_change_places_in_the_last_third_and_nothing_else() -> None:
    copy = spoilt(swap_names)
    assert copy
    assert changes(TALE, copy) == [("Lily", "Tim"), ("Tim's", "Lily's"), ("LILY", "Tim")]


def test_names_stay_where_a_story_has_one_or_the_two_are_one_persons() -> None:
    assert spoilt(swap_names, TALE.replace("Lily", "Tim").replace("LILY", "Tim")) is None
    assert spoilt(swap_names, TALE.replace("Tim", "Lily Tim")) is None
    assert spoilt(swap_names, "Lily met Tim. " + "It rained. " * 9) is None


def test_an_ending_is_two_sentences_of_another_story() -> None:
    copy = spoilt(foreign_ending)
    assert copy
    assert copy.endswith("Tim's dog. The moon rose above the barn. All was well.")
    assert TALE.startswith(copy.partition(" The moon")[0])
    assert spoilt(foreign_ending, other="A hen. It ran.") is None
    assert spoilt(foreign_ending, other="One. Two. Three. Four. " + TALE[-47:]) is None


def test_two_sentences_of_the_middle_change_places() -> None:
    copy = spoilt(swap_sentences)
    assert copy
    first, second = "Birds sang in the tall trees.", "A cloud came."
    assert copy == TALE.replace(f"{first} {second}", f"{second} {first}")
    assert spoilt(swap_sentences, "He ran. " * 12) is None
    assert spoilt(swap_sentences, "“He ran. " * 12) is None


def test_a_thing_named_before_becomes_another_of_its_kind() -> None:
    assert LEXICON.things["ball"].like[0] == "kite"
    copy = spoilt(change_thing)
    assert copy
    ((before, after),) = changes(TALE, copy)
    assert before == "ball"
    assert after in LEXICON.things["ball"].like
    assert spoilt(change_thing, TALE.replace("a ball", "a hat")) is None
    assert spoilt(change_thing, TALE + " The kites flew in the wood.") is None


def test_he_and_she_change_in_the_last_third() -> None:
    copy = spoilt(swap_he_and_she)
    assert copy
    assert changes(TALE, copy) == [("He", "She"), ("she", "he")]
    assert spoilt(swap_he_and_she, TALE.replace("She had", "There was")) is None
    assert spoilt(swap_he_and_she, OTHER) is None


@pytest.mark.parametrize(
    ("text", "ways"),
    [
        (
            "从前有一只狐狸。它住在山里。它每天看月亮。它很高兴。有一天它走了。它又回来。天黑了。大家都睡了。"
            * 2,
            2,
        ),
        (
            "كان يا ما كان. عاش ثعلب. رأى القمر. فرح به. ثم نام. جاء الصباح. ذهب بعيدا. عاد.",
            2,
        ),
        ("", 0),
        ("\u200b…!?。", 0),
    ],
)
def test_in_other_scripts_only_order_and_ending_are_spoilt(text: str, ways: int) -> None:
    lexicon = Lexicon([text])
    copies = [each.spoilt(Story(text), lexicon, Story(OTHER), Random(1)) for each in SPOILINGS]
    names = [each.name for each, copy in zip(SPOILINGS, copies, strict=True) if copy is not None]
    assert names == ["ending", "order"][:ways]


def test_a_long_document_is_read_in_passages_of_whole_paragraphs() -> None:
    paragraphs = [f"{at}. " + "The fox ran on. " * 20 for at in range(20)]
    found = [story.text for story in passages([TALE, " ", "\n".join(paragraphs)])]
    assert found[0] == TALE
    assert len(found) > 3
    assert all(text.endswith("on.") and len(text) <= min(PASSAGE, LONGEST) for text in found[1:])
    assert "\n".join(found[1:]).split() == " ".join(paragraphs).split()


def test_stories_are_evenly_spaced_and_every_beginning_of_them_is_spread() -> None:
    assert sorted(evenly_mixed(9, 3)) == [0, 3, 6]
    assert sorted(evenly_mixed(3, 9)) == [0, 1, 2]
    assert evenly_mixed(100, 50) == evenly_mixed(100, 50) != sorted(evenly_mixed(100, 50))
