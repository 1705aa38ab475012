"""A sentence ends where a reader says that it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpt.text.sentences import SentenceEnd, ends_sentence, sentence_end


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" sat down. The dog", " sat down."),
        (" sat down! The", " sat down!"),
        ("? The", "?"),
        (" said, “Come in.” The", " said, “Come in.”"),
        (' said, "Come in." The', ' said, "Come in."'),
        (" sat.\nThe", " sat."),
        (" sat.\nthe", " sat."),
        (" sat.\n", " sat."),
        (" waited… Then", " waited…"),
        (" waited... Then", " waited..."),
        # The sentence goes on after what was said.
        (" “Stop!” she said. Then", " “Stop!” she said."),
        (" Mr. Fox and Dr. J. Smith came. Then", " Mr. Fox and Dr. J. Smith came."),
        (" had 3.5 apples. Then", " had 3.5 apples."),
        (" sat (it was late.) Then", " sat (it was late.)"),
        ("他走了。第二天", "他走了。"),
        ("他说：「走吧！」「好」", "他说：「走吧！」"),
        ("「止まれ！」と言った。次の", "「止まれ！」と言った。"),
        ("他走了。“你好", "他走了。"),
        ("他走了……她哭了。次", "他走了……她哭了。"),
        ("他走了!她哭了。次", "他走了!"),
        ("彼は行った｡次", "彼は行った｡"),
        ("वह गया। फिर", "वह गया।"),
        ("هل جاء؟ ثم", "هل جاء؟"),
        ("وہ گیا۔ پھر", "وہ گیا۔"),
        ("Նա գնաց։ Հետո", "Նա գնաց։"),
        ("ሄደ። ከዚያ", "ሄደ።"),
        ("ထွက်သွားသည်။နောက်", "ထွက်သွားသည်။"),
        ("« Qui est là\xa0?\xa0» Il dit", "« Qui est là\xa0?\xa0»"),
        ("„Halt!“ Dann", "„Halt!“"),
        ("А. С. Пушкин ушёл. Потом", "А. С. Пушкин ушёл."),
        ("3．5個です。次", "3．5個です。"),
        ("彼は行った．彼女", "彼は行った．"),
        # Georgian has small letters alone.
        ("წავიდა. მოვიდა", "წავიდა."),
        ("Τι κάνεις; Καλά", "Τι κάνεις;"),
        ("Τι κάνεις\u037e Καλά", "Τι κάνεις\u037e"),
        ("ང་རང་བདེ་པོ་ཡིན། ཁྱེད", "ང་རང་བདེ་པོ་ཡིན།"),
        ("ሄደ፡፡ መጣ", "ሄደ፡፡"),
        ("בראשית ברא׃ והארץ", "בראשית ברא׃"),
    ],
)
def test_the_first_sentence_end_is_found_with_its_closing_quotes(text, sentence):
    end = sentence_end(text)
    assert end is not None
    assert text[:end] == sentence
    # And not before it is sure.
    assert sentence_end(text[:end]) is None
    assert sentence_end(text[:end], complete=True) == end


def test_in_thai_and_lao_which_have_no_marks_spaces_part_sentences():
    assert sentence_end("เขาไปตลาด เธออยู่บ้าน") == 9
    assert sentence_end("ລາວໄປ ນາງມາ") == 5
    # What stands beside a number, a foreign word or the mark for "again" does not.
    assert sentence_end("เขามี 3 บาท กับ Tom มาก ๆ") == 11
    # In Tai Viet spaces part words, and Tai Le has marks.
    assert sentence_end("ꪀꪱ ꪀꪱ") is None
    assert sentence_end("ᥐᥣ ᥐᥣ") is None
    out = SentenceEnd()
    assert out.push("เขาไป") == ("เขาไป", False)
    assert out.push(" ") == ("", False)
    assert out.push("เธอ") == ("", True)


def test_a_space_after_the_writer_s_last_letter_ends_no_sentence():
    text = "เขาไป เธออยู่ ฉัน"
    assert sentence_end(text, after=5) == sentence_end(text, after=6) == 13
    out = SentenceEnd("เขาไป")
    assert [out.push(" เธอ"), out.push("อยู่"), out.push(" ฉัน")] == [
        (" เธอ", False),
        ("อยู่", False),
        ("", True),
    ]


@pytest.mark.parametrize(
    "text", ["", " and so", " Mr. Fox", " “Stop!” she", " 3.5", " sat. ", " sat; Then", "เขาไป "]
)
def test_where_no_sentence_ends_none_is_found(text):
    assert sentence_end(text) is None


def test_an_end_in_the_words_before_does_not_count_again():
    assert sentence_end("He sat. Then he ran. So", after=7) == 20
    # But a quote that closes now ends what was said before.
    assert sentence_end("“Come in.” The", after=9) == 10


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("He sat.", True),
        ("He sat. ", True),
        ("He sat.\n", True),
        ("“Come in.”", True),
        ("He sat. Then", False),
        ("Mr.", False),
        ("", False),
        ("\n", False),
        ("He sat.\nROMEO:", False),
        ('"Go!"', True),
        ("It was the end. ", True),
        ("Why?\n", True),
        ("Well …", True),
        ("He met Mr", False),
        ("said Mr.", False),
        ("He", False),
    ],
)
def test_whether_a_text_stops_where_a_sentence_does(text, is_one):
    assert ends_sentence(text) is is_one


PIECES = st.lists(
    st.sampled_from(
        [
            *("a", "A", ".", "!", "”", '"', " ", "\n", "Mr", "x. B", "…", ". "),
            *("。", "人", "“", "\xa0", "؟", "ไ", "Τ", ";", "፡", "།", "ა"),
        ]
    )
)


@given(before=PIECES, pieces=PIECES)
def test_text_passes_to_its_first_end_however_it_is_cut(before, pieces):
    begun, whole = "".join(before), "".join(pieces)
    line = begun.rpartition("\n")[2]
    found = sentence_end(line + whole, after=len(line))
    out, ended, passed = SentenceEnd(begun), False, ""
    for piece in pieces:
        more, ended = out.push(piece)
        passed += more
        assert whole.startswith(passed)
        if ended:
            break
    assert ended == (found is not None)
    if not ended:
        more, ended = out.flush()
        found = sentence_end(line + whole, after=len(line), complete=True)
        passed += more
        assert ended == (found is not None)
    assert line + passed == (line + whole)[:found]


@given(pieces=PIECES)
def test_only_spaces_after_what_may_be_an_end_are_held_back(pieces):
    out, passed = SentenceEnd(), ""
    for at, piece in enumerate(pieces):
        more, ended = out.push(piece)
        passed += more
        if ended:
            return
        so_far = "".join(pieces[: at + 1])
        assert so_far.rstrip() == passed.rstrip()
        may_end = sentence_end(passed, complete=True) is not None or passed.endswith("ไ")
        assert passed == so_far or may_end


def test_text_that_is_let_by_is_not_looked_at_but_its_quote_may_close():
    out = SentenceEnd("He ran. ")
    out.let_by("“Stop. Now")
    assert out.push("! Go.") == ("!", True)
    out = SentenceEnd("He ran. ")
    out.let_by("“Stop.")
    assert out.push("”") == ("”", False)
    assert out.push(" He") == ("", True)
