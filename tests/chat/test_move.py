"""From the file to PostgreSQL: all of it or none, as often as one likes, over nobody's words."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from chat.accounts.database import FILE, VARIABLE, SqliteFile
from chat.accounts.database.postgres import Postgres
from chat.accounts.database.tables import FORMAT
from chat.accounts.home import HOME_VARIABLE
from chat.accounts.move import main
from chat.compare.votes import Side, Vote, Votes
from chat.settings.presets import OwnPresets
from chat.story.editing import edit
from chat.story.library import Library
from tests.chat.test_library import kept, told
from tests.chat.test_story import wrote
from tests.support.postgres import PASSWORD, SPELT, Cluster

SIDE = Side(model="stories", fingerprint="abc", settings={"temperature": 0.7}, text="Once")
VOTE = Vote(a=SIDE, b=SIDE, choice="tie", prompt="Once", seed=2**64 - 1, voted_s=1.5)


@pytest.fixture
def address(cluster: Cluster) -> str:
    return cluster.database()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A home's file with two stories, a vote and a preset."""
    path = tmp_path / "home" / FILE
    first = told("Once\0", " there was", " a mouse")
    story = edit(first, first.path[1].id, " lived")
    library, votes = Library(path), Votes(path)
    library.save("one", "ada", replace(kept(story), past=(first,), preset="Mine"), new=True)
    library.save("two", "bob", kept(told("Über alles")), new=True)
    library.rename("two", "bob", "Straße")
    votes.cast("ada", VOTE)
    OwnPresets(SqliteFile(path), "ada").save("Mine", {"temperature": 0.4})
    votes.close()
    library.close()
    return path


@pytest.fixture
def target(address: str) -> Iterator[Postgres]:
    database = Postgres(address)
    yield database
    database.close()


def test_all_that_a_file_holds_is_there_and_goes_on(
    file: Path, address: str, target: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    before = file.read_bytes()
    assert main(["--to", address, "--from", str(file)]) == 0
    said = capsys.readouterr().out
    assert "Copied and compared: 2 stories, 6 passages, 1 votes, 1 presets" in said
    assert PASSWORD not in said
    assert SPELT not in said
    assert file.read_bytes() == before
    with closing(Library(file)) as old:
        library = Library(target)
        for id, owner in (("one", "ada"), ("two", "bob")):
            assert library.load(id, owner) == old.load(id, owner)
        assert library.titles("bob", limit=9) == old.titles("bob", limit=9)
        for words in ("strasse", "ÜBER"):
            assert [each.id for each in library.titles("bob", limit=9, search=words)[0]] == ["two"]
    assert Votes(target).all("ada") == [VOTE]
    assert "Mine" in OwnPresets(target, "ada").all()
    # What is written from now on comes after what came.
    story = library.load("one", "ada").story
    grown = story.append(wrote(" who sang"))
    library.save("one", "ada", kept(grown), before=story)
    assert library.load("one", "ada").story == grown
    Votes(target).cast("ada", replace(VOTE, choice="a"))
    assert [each.choice for each in Votes(target).all("ada")] == ["tie", "a"]


def test_to_move_again_copies_what_is_new_and_nothing_where_nothing_is(
    file: Path, address: str, target: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    move = ["--to", address, "--from", str(file)]
    assert [main(move), main(move)] == [0, 0]
    assert "All of it is there already: 2 stories" in capsys.readouterr().out
    with closing(Library(file)) as old:
        story = old.load("one", "ada").story
        old.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
        old.delete("two", "bob")
        old.save("three", "bob", kept(told("Then")), new=True)
        assert main(move) == 1  # the second story is in the database alone
        assert "stories in “t" in (said := capsys.readouterr().err)
        assert "did not come from this file, and would be lost" in said
        old.save("two", "bob", kept(told("Again")), new=True)
        assert main(move) == 0
        assert Library(target).load("one", "ada") == old.load("one", "ada")
    assert [each.id for each in Library(target).titles("bob", limit=9)[0]] == ["two", "three"]


def test_what_was_written_there_since_is_not_overwritten(
    file: Path, address: str, target: Postgres, capsys: pytest.CaptureFixture[str]
) -> None:
    move = ["--to", address, "--from", str(file)]
    assert main(move) == 0
    library = Library(target)
    story = library.load("one", "ada").story
    library.save("one", "ada", kept(grown := story.append(wrote(" there"))), before=story)
    assert main(move) == 1
    assert "were changed there since, and would be lost" in capsys.readouterr().err
    assert library.load("one", "ada").story == grown
    library.delete("one", "ada")
    Votes(target).cast("bob", VOTE)
    assert main(move) == 1
    assert "votes in “t" in capsys.readouterr().err


def test_a_damaged_row_comes_along_and_an_older_file_without_votes_too(
    tmp_path: Path, address: str, target: Postgres
) -> None:
    path = tmp_path / FILE
    with closing(Library(path)) as old:
        old.save("one", "ada", kept(told("Once")), new=True)
        old.save("two", "ada", kept(told("Twice")), new=True)
    with closing(sqlite3.connect(path)) as rows, rows:
        rows.execute("UPDATE stories SET head = ? WHERE id = 'two'", [b"\xff{"])
        rows.execute("PRAGMA user_version = 1")
    assert main(["--to", address, "--from", str(path)]) == 0
    assert Library(target).load("one", "ada").story.text == "Once"
    assert [each.id for each in Library(target).titles("ada", limit=9)[0]] == ["two", "one"]


@pytest.mark.parametrize(
    ("file_is", "match"),
    [
        ("missing", "there is no library at"),
        ("text", "cannot be read"),
        ("later", f"has format {FORMAT + 1}, and this version moves {FORMAT}"),
    ],
)
def test_a_file_that_cannot_be_moved_is_told_and_nothing_is(
    tmp_path: Path,
    address: str,
    file_is: str,
    match: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(VARIABLE, address)
    if file_is == "text":
        (tmp_path / FILE).write_bytes(b"not a database " * 100)
    elif file_is == "later":
        with closing(sqlite3.connect(tmp_path / FILE)) as rows:
            rows.execute(f"PRAGMA user_version = {FORMAT + 1}")
    assert main([]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Nothing was moved: ")
    assert match in said


def test_who_does_not_say_where_to_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SystemExit) as ended:
        main([])
    assert ended.value.code == 2
