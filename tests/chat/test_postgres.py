"""PostgreSQL in place of the file: what holds there holds here, and what goes wrong is said."""

import inspect
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from chat.accounts.database import (
    VARIABLE,
    DatabaseError,
    LibraryError,
    SqliteFile,
    open_database,
    postgres,
)
from chat.accounts.database.postgres import Postgres
from chat.accounts.database.tables import FORMAT
from chat.compare.votes import Side, Vote, Votes
from chat.settings import SettingsError
from chat.settings.presets import BUILT_IN, OwnPresets
from chat.story import Story
from chat.story.editing import edit
from chat.story.library import GoneError, Library
from tests.chat import test_library, test_presets
from tests.chat.test_library import kept, told
from tests.chat.test_story import wrote
from tests.support.postgres import PASSWORD, Cluster

TABLES = "stories, passages, votes, presets"


@pytest.fixture(scope="module")
def address(cluster: Cluster) -> str:
    return cluster.database()


@pytest.fixture(scope="module")
def shared(address: str) -> Iterator[Postgres]:
    database = Postgres(address)
    yield database
    database.close()


@pytest.fixture
def database(shared: Postgres) -> Postgres:
    with shared.transaction() as rows:
        rows.execute(f"TRUNCATE {TABLES}")
    return shared


@pytest.fixture
def library(database: Postgres) -> Library:
    return Library(database)


@pytest.mark.parametrize(
    "promise",
    [
        test_library.test_nobody_gets_or_changes_the_story_of_another,
        test_library.test_two_windows_on_one_story_lose_no_words_and_leave_a_tree,
        test_library.test_stories_are_listed_by_their_last_change_a_page_at_a_time,
        test_library.test_a_search_finds_words_in_the_text_and_in_the_name,
        test_library.test_a_search_does_not_mind_how_an_accent_or_a_capital_is_spelt,
        test_library.test_a_story_is_called_by_its_first_words_until_it_has_a_name,
        test_library.test_half_a_character_is_kept_as_it_is,
        test_library.test_many_threads_may_ask_at_once,
        test_library.test_a_search_is_linear_whatever_is_sought,
    ],
    ids=lambda promise: promise.__name__.removeprefix("test_"),
)
def test_what_holds_for_stories_in_a_file_holds_here(
    promise: Callable[..., None], library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"library": library, "monkeypatch": monkeypatch}
    promise(**{name: given[name] for name in inspect.signature(promise).parameters})


@pytest.mark.parametrize(
    "promise",
    [
        test_presets.test_a_saved_preset_is_there_again_and_only_for_its_owner,
        test_presets.test_a_preset_has_a_name_in_any_script_and_is_found_by_it_in_capitals_or_not,
    ],
    ids=lambda promise: promise.__name__.removeprefix("test_"),
)
def test_what_holds_for_presets_in_a_file_holds_here(
    promise: Callable[[OwnPresets], None], database: Postgres
) -> None:
    promise(OwnPresets(database, "ada"))


def test_a_story_with_all_that_belongs_to_it_comes_back_exactly(library: Library) -> None:
    first = told("Once\0", " there was", " a mouse")
    story = edit(first, first.path[1].id, " lived")
    state = replace(kept(story), past=(first,), preset="Careful")
    library.save("one", "ada", state, new=True)
    assert library.load("one", "ada") == state
    # A branch that comes back stands where it stood.
    library.save("one", "ada", kept(first), before=story)
    library.save("two", "ada", kept(told("between")), new=True)
    library.save("one", "ada", state, before=first)
    assert library.load("one", "ada") == state


def test_a_story_that_is_gone_takes_its_passages_along(library: Library) -> None:
    library.save("one", "ada", kept(told("Once")), new=True)
    library.delete("one", "ada")
    with pytest.raises(GoneError):
        library.save("one", "ada", kept(told("Once")), before=Story())
    with library.database.transaction() as rows:
        assert rows.execute("SELECT count(*) FROM passages").fetchone()[0] == 0


def test_votes_are_kept_for_their_owner_alone(database: Postgres) -> None:
    votes, side = (
        Votes(database),
        Side(model="stories", fingerprint="abc", settings={"temperature": 0.7}, text="Once"),
    )
    vote = Vote(a=side, b=side, choice="tie", prompt="\0", seed=2**64 - 1, voted_s=1.5)
    votes.cast("ada", vote)
    votes.cast("bob", vote)
    assert votes.all("ada") == [replace(vote, prompt="\ufffd")]
    assert (votes.forget("ada"), votes.all("ada"), len(votes.all("bob"))) == (1, [], 1)


# Two at once


def test_two_libraries_that_save_one_story_at_once_lose_no_passage(
    library: Library, address: str
) -> None:
    other = Library(Postgres(address))
    begun = told("Once")
    library.save("one", "ada", kept(begun), new=True)

    def write(mine: Library, word: str) -> list[str]:
        story, ids = begun, list[str]()
        for number in range(15):
            before, story = story, story.append(wrote(f" {word}{number}"))
            mine.save("one", "ada", kept(story), before=before)
            ids.append(story.path[-1].id)
        return ids

    with ThreadPoolExecutor(2) as pool:
        left, right = pool.map(write, (library, other), ("left", "right"))
    both = other.load("one", "ada").story
    assert both.at(left[-1]).text == "Once" + "".join(f" left{n}" for n in range(15))
    assert both.at(right[-1]).text == "Once" + "".join(f" right{n}" for n in range(15))
    other.close()


def test_two_that_bring_branches_back_at_once_take_no_place_twice(
    library: Library, address: str
) -> None:
    other = Library(Postgres(address))
    stories = {}
    for id in ("one", "two"):
        first = told("Once")
        stories[id] = first.append(wrote(" left")), first
        library.save(id, "ada", kept(stories[id][0]), new=True)
    for id, (whole, first) in stories.items():
        stories[id] = whole.at(first.current).append(wrote(" right")), whole, first
        library.save(id, "ada", kept(stories[id][0]), before=whole)

    def back_and_forth(mine: Library, id: str) -> None:
        everything, whole, first = stories[id]
        (left,) = set(whole.by_id) - set(first.by_id)
        others = tuple(each for each in everything.passages if each.id != left)
        without = replace(everything, passages=others)
        for _ in range(15):
            mine.save(id, "ada", kept(without), before=everything)
            mine.save(id, "ada", kept(everything), before=without)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(back_and_forth, (library, other), stories))
    for id, (everything, *_) in stories.items():
        assert library.load(id, "ada").story.by_id == everything.by_id
    other.close()


def test_each_save_says_what_came_before_it_and_no_two_say_the_same(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chat.story.library.time.time", lambda: 7.0)  # a clock that stands still
    story = told("Once")
    first = library.save("one", "ada", kept(story), new=True)
    second = library.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
    assert (first.before_s, second.before_s) == (None, first.now_s)
    assert second.now_s > first.now_s
    assert library.load("one", "ada").changed_s == second.now_s
    assert library.changes([("ada", "one"), ("bob", "one"), ("ada", "none")]) == {
        ("ada", "one"): second.now_s
    }


def hasty(library: Library) -> None:
    with library.database.transaction() as rows:
        rows.execute("SET LOCAL lock_timeout = '50ms'")
        rows.execute("DELETE FROM stories")


def test_who_waits_for_another_that_hangs_is_told_that_it_is_busy(library: Library) -> None:
    library.save("one", "ada", kept(told("Once")), new=True)
    held, free = threading.Event(), threading.Event()

    def hang() -> None:
        with library.database.transaction() as rows:
            rows.execute("SELECT 1 FROM stories FOR UPDATE")
            held.set()
            free.wait(30)

    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(hang)
        assert held.wait(30)
        try:
            with pytest.raises(DatabaseError, match=r"the database is busy: .*lock timeout"):
                hasty(library)
        finally:
            free.set()
        hanging.result(30)


# What goes wrong


@pytest.mark.parametrize(
    ("said", "match"),
    [
        ("mysql://ada:secret@host/x", "begins with “mysql…”"),
        ("secret", "begins with “secret”"),
        ("postgresql://ada:secret@host:port/x", "cannot be read: write postgresql://name:password"),
        ("postgresql://ada:sec@ret@[::1/x", "cannot be read"),
    ],
)
def test_an_address_that_is_none_is_told_with_what_would_do(said: str, match: str) -> None:
    with pytest.raises(LibraryError, match=match) as told:
        Postgres(said)
    assert "secret" not in str(told.value) or said == "secret"
    assert told.value.__suppress_context__ or told.value.__context__ is None


def test_a_wrong_password_and_a_port_without_a_server_are_told_and_no_password_is(
    cluster: Cluster, address: str
) -> None:
    with pytest.raises(LibraryError, match="authentication failed") as told:
        Postgres(cluster.address("postgres", password="wrong-one"))
    assert "wrong-one" not in str(told.value)
    with pytest.raises(LibraryError, match=r"refused.*see that PostgreSQL runs") as told:
        Postgres(address.replace(f":{cluster.port}/", ":1/"))
    assert PASSWORD not in str(told.value)


def test_a_database_that_will_not_do_is_told(cluster: Cluster) -> None:
    with pytest.raises(LibraryError, match="does not exist"):
        Postgres(cluster.address("nowhere"))
    with pytest.raises(LibraryError, match=r"keeps text as LATIN1.*createdb --encoding=UTF8"):
        Postgres(cluster.database(ENCODING="'LATIN1'", TEMPLATE="template0"))
    cluster.do(others := cluster.database(), "CREATE TABLE stories (id INTEGER)")
    with pytest.raises(LibraryError, match=r"stories. already exists"):
        Postgres(others)
    Postgres(later := cluster.database()).close()
    cluster.do(later, f"UPDATE inkling_format SET format = {FORMAT + 1}")
    with pytest.raises(LibraryError, match=f"has format {FORMAT + 1}, and this version reads"):
        Postgres(later)


def test_the_variable_decides_where_stories_are(
    tmp_path: Path, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")
    assert isinstance(open_database(tmp_path), SqliteFile)
    monkeypatch.setenv(VARIABLE, address.replace("postgresql://", "postgres://"))
    (database := open_database(tmp_path)).close()
    assert database.kind == "postgresql"
    # No program that the app starts inherits the password.
    assert VARIABLE not in os.environ


def test_a_database_that_goes_away_is_told_in_words_and_serves_again_once_it_is_back(
    cluster: Cluster,
) -> None:
    database = Postgres(cluster.database())
    library, presets = Library(database), OwnPresets(database, "ada")
    story = told("Once")
    library.save("one", "ada", kept(story), new=True)
    presets.save("Mine", {"temperature": 0.4})
    assert "Mine" in presets.all()
    cluster.stop()
    try:
        for _ in range(2):
            with pytest.raises(OSError, match="the database does not answer") as failed:
                library.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
            assert failed.value.strerror == "the database does not answer"
            assert PASSWORD not in str(failed.value)
        # A page is not kept from opening: it offers what was there.
        assert [*presets.all()] == [*(each.name for each in BUILT_IN), "Mine"]
        with pytest.raises(OSError, match="does not answer"):
            presets.delete("Mine")
    finally:
        cluster.start()
    library.save("one", "ada", kept(story.append(wrote(" more"))), before=story)
    assert library.load("one", "ada").story.text == "Once more"
    presets.delete("Mine")
    with pytest.raises(SettingsError):
        presets.delete("Mine")
    database.close()


def test_who_waited_for_a_machine_that_is_gone_does_not_wait_again_at_once(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "CONNECT_S", 1)
    database = Postgres(address)
    database.close()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = f"postgresql+psycopg://ada@127.0.0.1:{silent.getsockname()[1]}/x"
        database._engine = create_engine(there, connect_args={"connect_timeout": 2})
        waited_s: list[float] = []
        for _ in range(2):
            began_s = time.monotonic()
            with pytest.raises(DatabaseError, match="does not answer"):
                Library(database).delete("one", "ada")
            waited_s.append(time.monotonic() - began_s)
    assert waited_s[1] < 1 < waited_s[0]
