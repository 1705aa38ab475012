"""No text from a page costs more than its length: twice as long takes about twice the time."""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from chat import commands, settings
from chat.models import training_texts
from chat.models.remote.vocabulary import RemoteTokenizer
from chat.panels import cards
from chat.story import Passage, Story, export, joining
from chat.story.editing import edit
from chat.story.json_parts import loads
from chat.view import story_data
from gpt.sampling import SamplingParams
from gpt.text.memorization import ReferenceText
from gpt.text.repetition import SIGHT, loop
from gpt.text.sentences import SentenceEnd, ends_sentence, sentence_end
from gpt.text.streamer import TextStreamer
from gpt.tokenizers import CharTokenizer
from tests.support.tiny_checkpoint import LETTERS

LONG = 100_000
"""Characters; a story can begin with three times as many."""
MOST_S = 2.0
"""A linear one takes 0.2 s at most where nothing else runs; a quadratic one minutes."""


def by_the_writer(text: str) -> Story:
    return Story().append(Passage(author="writer", text=text))


def tokens_through(text: str) -> None:
    """The last tokens of a story that is one long line, as they leave a model."""
    tokenizer = CharTokenizer.train([LETTERS + "…”"])
    params = SamplingParams(max_new_tokens=1, finish_chars=400)
    streamer = TextStreamer(tokenizer, params, tokenizer.encode(text))
    for id in tokenizer.encode("a." * 30):
        streamer.push(id)


def long_edit(passages: int) -> None:
    story = Story(
        passages=tuple(
            Passage(id=f"p{i}", parent=f"p{i - 1}" if i else None, author="writer", text="a")
            for i in range(passages)
        ),
        current=f"p{passages - 1}",
    )
    edit(story, "p0", "another")


def refused(error: type[Exception], work: Callable[..., Any], *args: Any) -> None:
    with pytest.raises(error):
        work(*args)


def file_of(passages: int, text: str) -> str:
    return export.to_json(
        Story(
            passages=tuple(
                Passage(id=f"p{i}", author="writer", text=text) for i in range(passages)
            ),
            current="p0",
        )
    )


HEAVY = {
    "empty lines": "\n" * LONG + "a",
    "lines": "a\n" * (LONG // 2),
    "blanks": " " * LONG + "a",
    "tabs": "\t" * LONG + ")",
    "no-break blanks": "\u00a0" * LONG + "a",
    "wide line ends": "\u2028" * LONG + "1",
    "digits": "1" * LONG,
    "numbered": "1.\n" * (LONG // 3),
    "indented digits": " 1" * (LONG // 2),
    "one word": "a" * LONG,
    "full stops": "." * LONG,
    "short sentences": "a." * (LONG // 2),
    "titles": "Mr. " * (LONG // 4),
    "sentences of blanks": (". " + " " * 98) * (LONG // 100),
    "closing quotes": ".”" * (LONG // 2),
    "quotes": "”" * LONG,
    "markup": "*" * LONG,
    "backslashes": "\\" * LONG,
    "apostrophes": "a'" * (LONG // 2),
    "settings": "/with" + " t=1" * (LONG // 4),
    "half settings": "/with" + " t" * (LONG // 2),
    "settings that end oddly": "/with" + " t=1" * (LONG // 4) + "\x0b!",
    "slash and blanks": "/" + "a" * (LONG // 2) + " " * (LONG // 2) + "\x00",
    "names": "A" * (LONG // 2) + ":",
    "speakers": "Ada:\n" * (LONG // 5),
}
READERS: dict[str, Callable[[str], Any]] = {
    "save as .md": lambda text: export.to_markdown(by_the_writer(text)),
    "save as .txt": lambda text: export.to_text(by_the_writer(text)),
    "save as .json": lambda text: export.to_json(by_the_writer(text)),
    "name of the file": lambda text: export.file_name(by_the_writer(text), "md"),
    "open": lambda text: export.from_file("a.txt", "b" + text.replace("\0", "")),
    "open as json": lambda text: refused(export.FileError, export.from_file, "a.json", "{" + text),
    "title": lambda text: by_the_writer(text).title,
    "view": lambda text: story_data(by_the_writer(text)),
    "command": lambda text: commands.LINE.fullmatch(text),
    "command's words": commands.words,
    "settings beside words": lambda text: settings.DIRECTIVE.match(text),
    "a setting": lambda text: refused(
        settings.SettingsError, settings.parse_value, "top_k", "x" + text
    ),
    "joint": lambda text: joining.joint(text, text),
    "joint with words": lambda text: joining.joint("before ", text),
    "trailing blanks": joining.strip_trailing_spaces,
    "sentence's end": sentence_end,
    "sentence whole": ends_sentence,
    "sentence let by": lambda text: SentenceEnd(text).push(text),
    "tokens after it": lambda text: tokens_through("".join(c for c in text if c in LETTERS)),
    "loop": lambda text: loop(text[-SIGHT:]),
    "copied": lambda text: ReferenceText(["once upon a time"]).overlap(text),
    "front matter": lambda text: cards.FRONT_MATTER.match("---\n" + text),
    "licence": lambda text: cards._licence({}, "license: a" + text),
    "estimated tokens": lambda text: RemoteTokenizer().encode(text),
    "command of a card": lambda text: training_texts.COMMAND.search(
        "    python -m train.prepare " + text
    ),
}


def seconds(work: Callable[[], Any]) -> float:
    """The processor's time, so that other work beside it does not count."""
    began = time.thread_time()
    work()
    return time.thread_time() - began


@pytest.mark.parametrize("reader", READERS)
def test_no_long_text_takes_long(reader: str) -> None:
    slow = {}
    for name, text in HEAVY.items():
        # A short one first: were the long one quadratic, nobody would wait for it.
        tenth = seconds(lambda text=text: READERS[reader](text[: LONG // 10]))
        assert tenth < MOST_S / 2, f"{reader}: {tenth:.1f} s for a tenth of “{name}”"
        took = seconds(lambda text=text: READERS[reader](text))
        if took > MOST_S:
            slow[name] = took
    assert not slow


def test_card_commands_that_go_on_and_on_are_read_in_time() -> None:
    card = "    python -m train.prepare \\\n" * 10_000 + "!"
    assert seconds(lambda: training_texts.COMMAND.search(card)) < MOST_S


@pytest.mark.parametrize(
    "work",
    [
        lambda: long_edit(5000),
        lambda: export.from_file("a.json", file_of(5000, "a" * 500)),
        lambda: loads('{"a": [' + "1," * 90_000 + "1]}"),
        lambda: refused(ValueError, loads, '{"a": [' + "1," * 1_000_000),
        lambda: refused(ValueError, loads, '{"a": "' + "b" * 5_000_000),
    ],
)
def test_trees_of_thousands_of_passages_are_read_and_edited_in_time(work) -> None:
    assert seconds(work) < MOST_S


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda one: [one] * 50_001, "50,001 passages, and 50,000 can be read"),
        (lambda one: [{**one, "text": "a" * 3_000_001}] * 2, "6,000,002 characters"),
    ],
)
def test_a_tree_that_no_page_could_show_is_refused_with_the_bound(change, why) -> None:
    one = Story().append(Passage(author="writer", text="a")).to_dict()
    passages = [
        {**each, "id": f"p{i}", "parent": None} for i, each in enumerate(change(one["passages"][0]))
    ]
    data = {**one, "passages": passages, "current": "p0", "read": {}}
    with pytest.raises(export.FileError, match=why):
        export.from_file("a.json", json.dumps(data))


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"a": 1}',
        ' { "a" : [ ] , "b":[1,2 , {"c": [3]}],"d":"x" } ',
        '{"a": -1.5e3, "b": [[1], [2]]}',
        '{"a": "' + "é" * 50_000 + '", "b": ' + "[" + "7" * 19_999 + "]}",
        "[1]",
        "7",
    ],
)
def test_json_in_parts_is_json(text: str) -> None:
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(0)
    try:
        assert loads(text) == json.loads(text)
    finally:
        sys.set_int_max_str_digits(before)


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"a"}', '{"a": 1', '{"a": 1,}', '{"a": [1,]}', '{"a": [1', "{} {}", "{1: 2}", "{,}"],
)
def test_json_in_parts_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        loads(text)
