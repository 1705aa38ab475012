"""Where the writer's next words are put, and with what between."""

import pytest

from chat.story.joining import joined_on, joint, strip_trailing_spaces


@pytest.mark.parametrize(
    ("before", "words", "between"),
    [
        ("", "Once", ""),
        ("She ran.", "Then", " "),
        ("She ran. ", "Then", ""),
        ("She ran.\n", "Then", ""),
        ("She ran.", " Then", ""),
        ("She ran.", "\nThen", ""),
        ("She ran", ", and", ""),
        ("She ran", "!", ""),
        ("the dog", "'s bone", ""),
        ("we did", "n’t", " "),
        ('He said, "Run', '" and ran', ""),
        ("He said,", '"Run!"', " "),
        ('He said, "', "Run", ""),
        ('He said, "Run!"', "Then", " "),
        ("a well-", "known", ""),
        ("(", "so", ""),
        ("the deed.", "ROMEO:\nO", "\n\n"),
        ("the deed.\n", "ROMEO:", "\n"),
        ("the deed.\n\n", "First Citizen:\n", ""),
        ("the deed.", "Note: this", " "),
        ("x", "*bold*", " "),
        # Headings and what parts scenes.
        ("so he did.", "# Two: The Boat", "\n\n"),
        ("so he did.\n", "Chapter 2", "\n"),
        ("so he did.\n\n", "* * *", ""),
        ("so he did.", "***\nIn the morning", "\n\n"),
        ("Chapter 2", "In the morning", "\n\n"),
        ("so he did.\n\n# Two", "In the morning", "\n\n"),
        ("in #", "Two", " "),
        ("as told in", "chapter 3", " "),
        ("He said no.", "chapter 3", "\n\n"),
        ("He read", " part two", ""),
        ("Chapter 1", ": The Fall", ""),
        ("List:\n* ", "milk", ""),
        ("Ende", "~", " "),
        ("in C", "#", " "),
        ("***", "\ufe0f", ""),
        ("the chapter", "Chapter house", " "),
        ("他走了。", "第二天", ""),
        ("他走了", "，她", ""),
        ("他走", "了", ""),
        ("“走吧。”", "他说", ""),
        ("彼は", "「はい」", ""),
        ("ฉันไป", "ตลาด", ""),
        ("그는 갔다.", "다음", " "),
        ("वह गया।", "फिर", " "),
        ("वह गया", "।", ""),
        ("هل جاء", "؟", ""),
        ("جاء", "، ثم", ""),
        ("„Halt!“", "sagte er", " "),
        ("Er rief: »", "Halt", ""),
        ("Er rief", "»Halt!«", " "),
        ("« Oui\xa0", "»", ""),
        ("Il dit\xa0: «\xa0", "Oui", ""),
        ("дело.", "РОМЕО:\nО", "\n\n"),
        ("😀", "Then", " "),
        ("(“", "Then", ""),
        ("ཁོང་", "ཕྱིན", ""),
        ("¡", "Hola", ""),
        ("Hola", "¿Qué?", " "),
        ("ሄደ፡", "መጣ", ""),
        ("ሄደ፡፡", "መጣ", " "),
        ('ሄደ፡፡"', "መጣ", " "),
        # What is a part of the letter before it.
        ("cafe", "\u0301", ""),
        ("क", "ा", ""),
        ("👩\u200d", "👧", ""),
        ("👍", "\U0001f3fd", ""),
        ("🇩🇪", "🇫🇷", " "),
        ("🇩", "🇪", ""),
        # A virama ends a word, and the next is no part of it.
        ("ആണ്", "പക്ഷേ", " "),
        ("బస్", "కోసం", " "),
        ("अर्थात्", "वह", " "),
        ("അവന്\u200d", "വന്നു", " "),
    ],
)
def test_words_are_joined_as_a_writer_expects(before, words, between):
    assert joint(before, words) == between


def test_words_after_the_end_begin_a_new_paragraph():
    assert joint("The end.", "But", ended=True) == "\n"
    assert joint("The end.\n", "But", ended=True) == ""


@pytest.mark.parametrize(
    ("text", "stripped"),
    [("Once ", "Once"), ("Once \t ", "Once"), ("Once\n", "Once\n"), ("Once", "Once"), ("  ", "")],
)
def test_spaces_at_the_end_are_stripped_and_newlines_stay(text, stripped):
    assert strip_trailing_spaces(text) == (stripped, text != stripped)


def test_what_follows_a_heading_or_a_scene_break_begins_after_an_empty_line():
    assert joined_on("", "# Part One") == "# Part One\n\n"
    assert joined_on("He slept.", "***") == "\n\n***\n\n"
    assert joined_on("He slept.", "# Two\nIt rained.\n\nPrologue") == (
        "\n\n# Two\nIt rained.\n\nPrologue\n\n"
    )
    assert joined_on("He slept.", "Then he woke") == " Then he woke"
    assert joined_on("# Two\n\n", "It rained.") == "It rained."
    assert joined_on("He read", " part two") == " part two"
    assert joined_on("as told in", "chapter 3") == " chapter 3"
    assert joined_on("他说", "——") == "——"
