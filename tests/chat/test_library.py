"""Stories on disk: they come back as they were, to their owner, after any crash."""

import json
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from chat.accounts.database.sqlite import SqliteFile
from chat.accounts.database.tables import FORMAT
from chat.story import Story, StoryError, StoryToken, TokenChoice
from chat.story.library import GoneError, Kept, Library, LibraryError
from chat.story.passage import entry_of
from tests.chat.test_story import stories, wrote

ROOT = Path(__file__).parents[2]


def kept(story: Story) -> Kept:
    return Kept(story=story, settings={"temperature": 0.7, "seed": 2**63 - 1}, model="a")


def told(*words: str) -> Story:
    story = Story()
    for word in words:
        story = story.append(wrote(word))
    return story


def file_of(library: Library) -> SqliteFile:
    assert isinstance(library.database, SqliteFile)
    return library.database


@pytest.fixture
def library(tmp_path) -> Iterator[Library]:
    library = Library(tmp_path / "home" / "stories.sqlite")
    yield library
    library.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """A file for stories of many examples, each under an id of its own."""
    return tmp_path_factory.mktemp("home") / "stories.sqlite"


def names(library: Library, owner: str = "ada", search: str = "") -> list[str]:
    return [title.title for title in library.titles(owner, limit=50, search=search)[0]]


@settings(max_examples=40, deadline=None)
@given(story=stories())
def test_a_story_comes_back_exactly(shared, story):
    library = Library(shared)
    library.save(story.id, "ada", kept(story), new=True)
    library.close()
    again = Library(shared)
    assert again.load(story.id, "ada") == kept(story)
    again.close()


@settings(max_examples=20, deadline=None)
@given(first=stories(), second=stories())
def test_only_the_difference_is_written_and_the_whole_comes_back(shared, first, second):
    """Going back and forth between two states of a story leaves the one that was kept last."""
    library, key = Library(shared), first.id
    library.save(key, "ada", kept(first), new=True)
    grown = first
    for passage in second.passages:
        grown = grown.append(passage)
    library.save(key, "ada", kept(grown), before=first)
    assert library.load(key, "ada").story == grown
    library.save(key, "ada", kept(first), before=grown)
    assert library.load(key, "ada").story == first
    library.close()


def test_a_passage_that_was_kept_is_not_written_again(library):
    story = told("Once")
    library.save("one", "ada", kept(story), new=True)
    library.database.connection.execute("UPDATE passages SET data = replace(data, 'Once', 'Then')")
    library.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
    assert library.load("one", "ada").story.text == "Then more"


def test_nobody_gets_or_changes_the_story_of_another(library):
    story = told("Once")
    library.save("one", "ada", kept(story), new=True)
    with pytest.raises(GoneError):
        library.load("one", "bob")
    for new in (True, False):
        with pytest.raises(GoneError):
            library.save("one", "bob", kept(told("mine")), new=new)
    library.rename("one", "bob", "mine")
    library.delete("one", "bob")
    assert names(library, "bob") == []
    assert names(library, "ada") == ["Once"]
    assert library.load("one", "ada").story == story


def test_a_deleted_story_stays_deleted_whatever_is_still_written(library):
    story = told("Once")
    library.save("one", "ada", kept(story), new=True)
    library.delete("one", "ada")
    with pytest.raises(GoneError):
        library.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
    assert library.find("one") is None
    assert library.database.connection.execute("SELECT count(*) FROM passages").fetchone() == (0,)


def test_two_windows_on_one_story_lose_no_words_and_leave_a_tree(library):
    story = told("Once")
    library.save("one", "ada", kept(story), new=True)
    left = story.append(wrote(" left"))
    right = story.append(wrote(" right"))
    library.save("one", "ada", kept(left), before=story)
    library.save("one", "ada", kept(right), before=story)
    both = library.load("one", "ada").story
    assert both.text == "Once right"
    assert both.at(left.current).text == "Once left"
    # The right one goes on from the words that the left one takes back.
    on = both.at(left.current).append(wrote(" and on"))
    library.save("one", "ada", kept(on), before=both)
    library.save("one", "ada", kept(story), before=left)
    assert library.load("one", "ada").story.at(on.current).text == "Once left and on"
    # And it brings back a passage that was taken out while it still had it.
    library.save("one", "ada", kept(story), before=right)
    library.save("one", "ada", kept(right.append(wrote(" side"))), before=right)
    assert library.load("one", "ada").story.text == "Once right side"


def test_stories_are_listed_by_their_last_change_a_page_at_a_time(library, monkeypatch):
    clock = iter(range(1, 100))
    monkeypatch.setattr("chat.story.library.time.time", lambda: float(next(clock)))
    for word in ("One", "Two", "Three"):
        library.save(word, "ada", kept(told(word)), new=True)
    library.save("One", "ada", kept(told("One", " again")), before=told("One"))
    assert names(library) == ["One again", "Three", "Two"]
    first, more = library.titles("ada", limit=2)
    rest, last = library.titles("ada", limit=2, skip=2)
    assert ([each.id for each in first], more) == (["One", "Three"], True)
    assert ([each.id for each in rest], last) == (["Two"], False)


def test_a_search_finds_words_in_the_text_and_in_the_name(library):
    library.save("a", "ada", kept(told("The fox slept 100% of the day")), new=True)
    library.save("b", "ada", kept(told("The cat sat_down")), new=True)
    library.rename("b", "ada", "Foxglove")
    assert sorted(names(library, search="FOX")) == ["Foxglove", "The fox slept 100% of the…"]
    assert names(library, search="100%") == ["The fox slept 100% of the…"]
    assert names(library, search="0%d") == []
    assert names(library, search="t_d") == ["Foxglove"]
    assert names(library, search="\\") == []
    assert names(library, "bob", search="fox") == []


def test_a_search_does_not_mind_how_an_accent_or_a_capital_is_spelt(library):
    library.save("a", "ada", kept(told("Über die Berge")), new=True)
    for search in ("über", "u\u0308ber", "ÜBER"):
        assert names(library, search=search) == ["Über die Berge"]
    library.rename("a", "ada", "Straße")
    assert names(library, search="STRASSE") == ["Straße"]


def test_a_story_is_called_by_its_first_words_until_it_has_a_name(library):
    story = told("Once upon a time")
    library.save("one", "ada", kept(story), new=True)
    library.rename("one", "ada", "  The well ")
    library.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
    assert names(library) == ["The well"]
    library.rename("one", "ada", " ")
    assert names(library) == ["Once upon a time more"]


def test_half_a_character_is_kept_as_it_is(library):
    story = told("a\ud83d")
    library.save("one", "ada", kept(story), new=True)
    assert library.load("one", "ada").story.text == "a\ud83d"
    assert names(library, search="a") == ["a?"]


def test_the_file_is_the_owners_alone_and_a_later_format_is_refused(tmp_path):
    path = tmp_path / "home" / "stories.sqlite"
    Library(path).close()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    rows = sqlite3.connect(path)
    rows.execute(f"PRAGMA user_version = {FORMAT + 1}")
    rows.commit()
    rows.close()
    with pytest.raises(LibraryError, match=f"format {FORMAT + 1}"):
        Library(path)


def test_a_file_that_is_no_library_is_refused(tmp_path):
    (tmp_path / "stories.sqlite").write_bytes(b"not a database " * 100)
    with pytest.raises(LibraryError, match="no library"):
        Library(tmp_path / "stories.sqlite")


def test_many_threads_may_ask_at_once(library):
    def write(number: int) -> None:
        story = Story()
        for _ in range(5):
            before, story = story, story.append(wrote(f" {number}"))
            library.save(str(number), "ada", kept(story), before=before, new=not before.passages)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    for number in range(8):
        assert library.load(str(number), "ada").story.text == f" {number}" * 5


KILLED = """
import os, sys
from pathlib import Path
from chat.story.library import Kept, Library
from chat.story import Passage, Story
library, story = Library(Path(sys.argv[1])), Story()
library.save("one", "ada", Kept(story=story, settings={}, model=None), new=True)
for number in range(20):
    before, story = story, story.append(Passage(author="writer", text=f" {number}"))
    if number == 19:
        # In the middle of the last save, after its passage was written.
        commit = library.database.connection
        class Rows:
            in_transaction = False
            def execute(self, query, *values):
                if query == "COMMIT":
                    os.kill(os.getpid(), 9)
                return commit.execute(query, *values)
        library.database._opened = Rows()
    library.save("one", "ada", Kept(story=story, settings={}, model=None), before=before)
"""


def test_a_crash_loses_at_most_what_was_being_written(tmp_path):
    path = tmp_path / "stories.sqlite"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], cwd=ROOT, check=False)
    assert killed.returncode == -9
    library = Library(path)
    story = library.load("one", "ada").story
    library.close()
    assert story.text == "".join(f" {number}" for number in range(19))


def test_a_search_is_linear_whatever_is_sought(library: Library) -> None:
    library.save("a", "ada", kept(told("a" * 300_000)), new=True)
    began = time.process_time()
    for words in ("a" * 20_000 + "b", "%" * 50_001, "_a" * 30_000):
        assert names(library, search=words) == []
    assert len(names(library, search="A" * 50_001)) == 1
    assert time.process_time() - began < 2


@pytest.mark.parametrize("column", ["head", "settings", "data"])
@pytest.mark.parametrize(
    "text", ["", "x", "[]", "7", "null", "{}", '{"a":' * 2000, "9" * 5000, '{"id": 7}', b"\xff\xfe"]
)
def test_a_damaged_row_is_a_story_that_cannot_be_opened(
    library: Library, column: str, text: str | bytes
) -> None:
    library.save("a", "ada", kept(told("Once")), new=True)
    with sqlite3.connect(file_of(library).path) as rows:
        rows.execute(
            f"UPDATE {'passages' if column == 'data' else 'stories'} SET {column} = ?", [text]
        )
    if column == "settings" and text in ("{}", '{"id": 7}'):
        assert library.load("a", "ada").story.text == "Once"
    else:
        with pytest.raises(StoryError, match=r"damaged|hold|not a story"):
            library.load("a", "ada")
    assert names(library, search="once") == ["Once"]


@pytest.mark.parametrize("table", ["stories", "passages"])
def test_a_file_of_our_format_without_its_tables_is_told_in_a_sentence(
    tmp_path: Path, table: str
) -> None:
    path = tmp_path / "stories.sqlite"
    Library(path).close()
    with sqlite3.connect(path) as rows:
        rows.execute(f"DROP TABLE {table}")
    with pytest.raises(LibraryError, match=f"cannot be used: no such table: {table}"):
        Library(path)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_taken_away_while_it_was_open_takes_no_story_in_silence(
    library: Library, replaced: bool
) -> None:
    library.save("a", "ada", kept(told("Once")), new=True)
    shutil.rmtree(file_of(library).path.parent)
    if replaced:
        Library(file_of(library).path).close()
    with pytest.raises(FileNotFoundError, match="removed or replaced while Inkling runs"):
        library.save("b", "ada", kept(told("Lost")), new=True)


def test_an_older_story_has_its_tokens_in_columns_once_it_was_opened(
    library,
):
    path = file_of(library).path
    top = (TokenChoice(1, " fox", 0.25, 0.5),)
    tokens = tuple(StoryToken(1, " fox", 0.25, 0.5, 1.5, top) for _ in range(30))
    passage = replace(wrote(" fox" * 30, author="model"), tokens=tokens)
    library.save("a", "ada", kept(told("Once").append(passage)), new=True)
    with closing(sqlite3.connect(path)) as rows, rows:
        story = library.load("a", "ada").story
        rows.executemany(
            "UPDATE passages SET data = ? WHERE id = ?",
            [(json.dumps(entry_of(each)), each.id) for each in story.passages],
        )
        rows.execute("PRAGMA user_version = 1")
    data = "SELECT data FROM passages WHERE id = ?"
    with (
        closing(Library(path)) as later,
        closing(sqlite3.connect(path)) as rows,
    ):
        (objects,) = rows.execute(data, [passage.id]).fetchone()
        first, second = later.load("a", "ada"), later.load("a", "ada")
        (columns,) = rows.execute(data, [passage.id]).fetchone()
        assert rows.execute("PRAGMA user_version").fetchone() == (FORMAT,)
    assert first == second
    assert second.story.passages[-1].tokens == tokens
    assert len(columns) < len(objects) / 2
