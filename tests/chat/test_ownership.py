"""Who may see what was trained from a page: its owner, and whoever it is shared with."""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from chat.accounts import LOCAL
from chat.jobs.training_jobs import PlannedTraining, RefusedError, TrainingJobs
from chat.jobs.upload import Upload
from chat.models import find_models
from chat.models.engines import Engines
from chat.models.ownership import new_folder, place_of
from chat.models.training_texts import NotYoursError, TrainingTexts
from chat.panels.cards import card_data
from chat.panels.dispatch import answer_query, run_command
from chat.panels.time_machine import TimeMachine
from chat.session import Session
from chat.story import Passage
from chat.turns import Turns
from tests.chat.test_session import RecordingPage
from tests.support.begun import PATH, TALE, begin
from tests.support.tiny_checkpoint import save_characters


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A model that ships, a run of the command line, one each of ada's and bob's by one name, one
    that ada shares, one of the single writer's."""
    root = tmp_path_factory.mktemp("project")
    save_characters(root / "checkpoints" / "letters")
    save_characters(root / "runs" / "ours" / "best")
    for owner, name, shared in (
        ("ada", "tales", False),
        ("bob", "tales", False),
        ("ada", "songs", True),
        (LOCAL, "mine", False),
    ):
        begin(place_of(root / "runs", owner) / name, owner, shared=shared)
    return root


def seen(root: Path, owner: str | None, *, alone: bool = False) -> list[str]:
    return list(find_models(root, "", owner=owner, alone=alone))


def in_the_session_of(
    owner: str, root: Path, act: Callable[[Session, RecordingPage], Awaitable[None]]
) -> None:
    async def run() -> None:
        engines, page = Engines(), RecordingPage()
        try:
            models = partial(find_models, root, "", owner=owner)
            bench = Upload(TrainingJobs(root), owner)
            session = Session(
                page, engines, models, sources=TrainingTexts(root / "data"), upload=lambda: bench
            )
            await session.change_settings({"max_new_tokens": "5", "seed": "1"})
            await act(session, page)
        finally:
            engines.close()

    asyncio.run(run())


def put(session: Session, text: str, model: str) -> str:
    """Have the story hold words that a model is said to have written, as an import may."""
    passage = Passage(author="model", text=text, model=model)
    session.history = session.history.change(session.story.append(passage))
    return passage.id


def test_everybody_sees_what_ships_what_is_theirs_and_what_is_shared(root):
    assert seen(root, "ada") == ["letters", "ours", "songs", "tales"]
    assert seen(root, "bob") == ["letters", "ours", "tales", "songs by ada"]
    assert seen(root, "guest-1") == ["letters", "ours", "songs by ada"]
    # One who trained before there were accounts shares with nobody either.
    assert seen(root, LOCAL) == ["letters", "ours", "mine", "songs by ada"]
    assert seen(root, None) == ["letters", "ours"]


def test_the_one_writer_whom_nobody_asks_sees_all_and_nobody_else_does(root):
    all_of_them = ["letters", "ours", "mine", "songs by ada", "tales by ada", "tales by bob"]
    assert sorted(seen(root, LOCAL, alone=True)) == sorted(all_of_them)
    assert seen(root, "bob", alone=True) == seen(root, "bob")


def test_two_owners_of_one_name_each_have_their_own(root):
    folders = {each: find_models(root, "", owner=each)["tales"].folder for each in ("ada", "bob")}
    assert folders["ada"] != folders["bob"]
    for owner, folder in folders.items():
        assert json.loads((folder.parent / "page.json").read_text())["owner"] == owner


@pytest.mark.parametrize("path", ["runs", "runs/.writers", "link", "tales", "tales/steps", "best"])
def test_no_folder_that_is_named_leads_past_the_owner(root, tmp_path, path):
    hers = place_of(root / "runs", "ada") / "tales"
    (tmp_path / "link").symlink_to(root / "runs")
    (tmp_path / "best").symlink_to(hers / "best")
    extra = {
        "runs": root / "runs",
        "runs/.writers": hers.parent,
        "link": tmp_path,
        "tales": hers,
        "tales/steps": hers / "steps",
        "best": tmp_path / "best",
    }[path]
    models = find_models(root, str(extra), owner="bob")
    places = [each.folder.resolve() for each in models.values()]
    assert not [place for place in places if place.is_relative_to(hers)]


@pytest.mark.parametrize(
    "page", ["", "{", "[]", "{}", '{"plan": {}}', '{"plan": {}, "owner": 3, "shared": true}']
)
def test_a_run_that_does_not_say_whose_it_is_is_nobodys(tmp_path, page):
    folder = begin(tmp_path / "runs" / "odd", "ada")
    assert seen(tmp_path, "ada") == ["odd"]
    (folder / "page.json").write_text(page)
    assert [seen(tmp_path, each) for each in ("ada", "bob", "", None)] == [[]] * 4
    assert len(seen(tmp_path, LOCAL, alone=True)) == 1


def test_what_is_not_there_and_what_is_not_yours_are_refused_in_the_same_words(root):
    async def act(session, page):
        session.upload().brought = ("a.txt", TALE * 40)
        for serve, request in (
            (answer_query, {"query": "card", "model": "NAME"}),
            (answer_query, {"query": "dice", "model": "NAME"}),
            (run_command, {"command": "training_plan", "source": "NAME"}),
            (run_command, {"command": "training_share", "key": "NAME", "shared": True}),
            (run_command, {"command": "training_halt", "key": "NAME"}),
            (run_command, {"command": "training_resume", "key": "NAME"}),
        ):
            answers = []
            for name in ("mine", "gone"):
                answer = await serve(
                    session, {k: name if v == "NAME" else v for k, v in request.items()}
                )
                answers.append(answer["error"].replace(name, "NAME"))
            assert answers[0] == answers[1]
        for name in ("mine", "gone"):
            await session.write("once", model=name)
            assert page.said[-1] == f"There is no model “{name}” any more: pick another one."
            said = (
                await answer_query(
                    session, {"query": "copied", "passage": put(session, TALE, name)}
                )
            )["error"]
            assert said == f"There is no model “{name}” any more, so this cannot be checked."
        told = json.dumps(
            [await answer_query(session, {"query": each}) for each in ("models", "runs")]
        )
        assert "mine" not in told
        assert "tales by" not in told

    in_the_session_of("bob", root, act)


def test_words_put_to_a_shared_model_tell_nothing_of_its_text(root):
    async def act(session, page):
        answers = []
        for words in (TALE, "the old grey cat sat", "zebra"):
            request = {"query": "copied", "passage": put(session, words, "songs by ada")}
            answers.append(await answer_query(session, request))
        # Were one answer other than the next, it would say which words stand there.
        assert answers[0] == answers[1] == answers[2]
        assert "another writer's text" in answers[0]["error"]

    in_the_session_of("bob", root, act)


def test_the_owner_is_quoted_the_text_of_a_model_whether_it_is_shared_or_not(root):
    async def act(session, page):
        for name in ("songs", "tales"):
            found = await answer_query(
                session, {"query": "copied", "passage": put(session, " old grey cat", name)}
            )
            assert found["longest"]["quote"] == "old grey cat"

    in_the_session_of("ada", root, act)


def test_two_who_share_a_model_in_memory_have_each_their_own_rights(root):
    async def run():
        engines, sources = Engines(), TrainingTexts(root / "data")
        hers = find_models(root, "", owner="ada")["songs"]
        his = find_models(root, "", owner="bob")["songs by ada"]
        for _ in range(2):
            one, other = await engines.get(hers), await engines.get(his)
            assert one.engine is other.engine
            assert len(await sources.get(one)) > 5
            with pytest.raises(NotYoursError):
                await sources.get(other)
        engines.close()

    asyncio.run(run())


def test_the_card_of_a_shared_model_has_figures_and_no_names_paths_or_quotations(root):
    hers = card_data(find_models(root, "", owner="ada")["songs"])
    his = card_data(find_models(root, "", owner="bob")["songs by ada"])
    for secret in ("text.txt", PATH, "parent", "grey cat"):
        assert secret in json.dumps(hers)
        assert secret not in json.dumps(his)
    assert dict(his["facts"])["Window"] == dict(hers["facts"])["Window"]


@pytest.mark.parametrize(("owner", "key"), [("ada", "songs"), ("bob", "songs by ada")])
def test_the_time_machine_counts_known_words_for_the_owner_alone(root, owner, key):
    async def run():
        engines, page = Engines(max_batch=1), RecordingPage()
        models = partial(find_models, root, "", owner=owner)
        machine = TimeMachine(page, engines, models, Turns(1, each=1), TrainingTexts(root / "data"))
        settings = {"temperature": 0.8, "seed": 1, "max_new_tokens": 4}
        machine.start({"job": "j", "steps": [f"{key}@000001"], "prompt": "cat", **settings})
        await machine.ended()
        engines.close()
        news = [data for event, data in page.events if event == "machine_news"]
        assert any(each.get("tokens") == 4 for each in news)
        assert any("known" in each for each in news) == (owner == "ada")

    asyncio.run(run())


def test_sharing_and_taking_it_back_hold_from_the_next_query_on(tmp_path):
    begin(tmp_path / "runs" / "tales", "ada")
    shop = TrainingJobs(tmp_path)
    with pytest.raises(RefusedError, match="no training “tales” of yours"):
        shop.share("bob", "tales", True)
    assert seen(tmp_path, "bob") == []
    shop.share("ada", "tales", True)
    assert (seen(tmp_path, "bob"), shop.all("ada")[0]["shared"]) == (["tales by ada"], True)
    # The owner's stories go on with the name that they know.
    assert seen(tmp_path, "ada") == ["tales"]
    shop.share("ada", "tales", False)
    assert (seen(tmp_path, "bob"), shop.all("ada")[0]["shared"]) == ([], False)


@pytest.mark.parametrize("asked", [{}, {"key": "tales"}, {"key": "tales", "shared": "yes"}])
def test_a_request_to_share_that_says_neither_yes_nor_no_shares_nothing(tmp_path, asked):
    begin(tmp_path / "runs" / "tales", "ada")

    async def act(session, page):
        assert "error" in await run_command(session, {"command": "training_share", **asked})
        assert seen(tmp_path, "bob") == []

    in_the_session_of("ada", tmp_path, act)


def test_what_a_guest_is_found_by_stands_in_no_name_of_what_they_share(tmp_path):
    begin(tmp_path / "runs" / "tales", "guest-0123456789abcdef", shared=True)
    (key,) = seen(tmp_path, "bob")
    assert key.startswith("tales by guest ")
    assert "0123" not in key


def test_the_names_of_others_runs_are_free(tmp_path):
    begin(tmp_path / "runs" / "old", "ada")
    names = {}
    for owner in ("ada", "bob", LOCAL):
        names[owner] = [new_folder(tmp_path / "runs", owner, "Secret.txt") for _ in range(2)]
        for folder in names[owner]:
            (folder / "page.json").write_text(json.dumps({"owner": owner, "plan": {}}))
    for folders in names.values():
        assert [each.name for each in folders] == ["secret", "secret-2"]
    assert new_folder(tmp_path / "runs", "ada", "old.txt").name == "old-2"
    assert new_folder(tmp_path / "runs", "bob", "old.txt").name == "old"


@pytest.mark.parametrize("owner", ["..", ".", "a/../b", "ada@x.org", "Ä" * 64, "\ud800"])
def test_no_name_of_an_owner_leads_out_of_the_runs(tmp_path, owner):
    folder = new_folder(tmp_path / "runs", owner, "x.txt")
    assert folder.parent.parent == tmp_path / "runs" / ".writers"


def test_a_training_does_not_begin_from_what_is_shared_no_longer(tmp_path):
    folder = begin(tmp_path / "runs" / "tales", "ada", shared=True)
    begin(tmp_path / "runs" / "his", "bob", about={"from": str(folder / "best")})

    async def act(session, page):
        plan = {"module": "train.finetune", "options": [], "steps": 5}
        source = session.models["tales by ada"].folder
        session.upload().planned = PlannedTraining(
            name="b.txt", text=TALE, plan=plan, checkpoint=source
        )
        TrainingJobs(tmp_path).share("ada", "tales", False)
        # What was there at the last query is not looked into either.
        answer = await answer_query(session, {"query": "dice", "model": "tales by ada"})
        assert "There is no model" in answer["error"]
        for request in (
            {"command": "training_start"},
            {"command": "training_resume", "key": "his"},
        ):
            assert "is not there any more" in (await run_command(session, request))["error"]
        assert [each["key"] for each in session.upload().jobs.all("bob")] == ["his"]
        session.model = "tales by ada"
        await session.warm_up()

    in_the_session_of("bob", tmp_path, act)


def test_what_was_begun_with_an_open_folder_is_shut_once_the_app_starts(tmp_path):
    folder = begin(tmp_path / "runs" / "tales", "ada")
    outside = tmp_path / "outside.txt"
    outside.write_text("x")
    (folder / "link").symlink_to(outside)
    before = outside.stat().st_mode
    for each in (folder, *folder.rglob("*")):
        if not each.is_symlink():
            each.chmod(0o755)
    TrainingJobs(tmp_path)
    kept = [each for each in (folder, *folder.rglob("*")) if not each.is_symlink()]
    assert {each.stat().st_mode & 0o777 for each in kept if each.is_dir()} == {0o700}
    assert {each.stat().st_mode & 0o777 for each in kept if each.is_file()} == {0o600}
    assert outside.stat().st_mode == before


MAKES = """
import pathlib, sys
out = pathlib.Path(sys.argv[-1])
(out / "made").mkdir()
(out / "made.txt").touch()
"""


def test_what_a_training_is_begun_with_and_makes_is_its_owners_alone_whatever_the_umask(tmp_path):
    shop, before = TrainingJobs(tmp_path), os.umask(0)
    try:
        # In the place of a training: what makes a file and a folder in --out.
        (tmp_path / "train").mkdir()
        (tmp_path / "train" / "pretrain.py").write_text(MAKES)
        plan = {"module": "train.pretrain", "options": [], "steps": 5}
        key = shop.start("ada", PlannedTraining(name="Tales.txt", text=TALE, plan=plan))
        while shop.all("ada")[0]["state"] == "training":
            pass
    finally:
        os.umask(before)
    folder = shop.folder("ada", key)
    modes = {each.name: each.stat().st_mode & 0o777 for each in folder.iterdir()}
    files = dict.fromkeys(("text.txt", "page.json", "log.txt", "made.txt"), 0o600)
    assert modes == {**files, "made": 0o700}
    assert [folder.parents[i].stat().st_mode & 0o777 for i in (0, 1)] == [0o700] * 2
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_text_with_half_a_character_is_refused_before_a_folder_is_made(tmp_path):
    bench = Upload(TrainingJobs(tmp_path), "ada")
    with pytest.raises(RefusedError, match="halves of characters"):
        bench.open("a.txt", bench.bring("a.txt", 0, 1, TALE * 40 + "\ud800") or [])
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_what_is_wrong_with_a_model_does_not_tell_where_it_lies(tmp_path, file):
    folder = begin(place_of(tmp_path / "runs", "ada") / "songs", "ada", shared=True)
    (folder / "best" / file).write_bytes(b"{")

    async def act(session, page):
        told = [
            await answer_query(session, {"query": "card", "model": "songs by ada"}),
            await answer_query(session, {"query": "dice", "model": "songs by ada", "words": "on"}),
        ]
        await session.write("on", model="songs by ada")
        said = json.dumps([told, page.said, page.events, session.snapshot()], default=str)
        assert file in said
        assert str(tmp_path) not in said
        assert folder.parent.name not in said

    in_the_session_of("bob", tmp_path, act)
