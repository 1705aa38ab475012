"""Many writers at the real app at once: each is served, told its place, and held up by nobody."""

import asyncio
import json
import random
import string
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chat.story import Passage, Story, StoryToken, TokenChoice
from chat.story.export import to_json
from chat.story.pieces import MAX_PART
from gpt.cache import MOST_STORIES
from tests.frontend.test_socket import Writer, until
from tests.support.app_server import lend_stories, other_work, running_app
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

MOST_LAG_S = 0.5


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("app")


@pytest.fixture(scope="module")
def base(folder: Path, tmp_path_factory) -> Iterator[str]:
    models = tmp_path_factory.mktemp("models")
    save_characters(models / "letters", n_embd=64, n_layer=2)
    with running_app(folder, models, INKLING_GUESTS="1") as base:
        yield base


def canary(number: int) -> str:
    """A word of its own for each writer, which no model of noise comes upon."""
    return "".join(random.Random(number).choices(string.ascii_lowercase, k=9))


def request(number: int, tokens: int, model: str) -> dict[str, Any]:
    words = f"/with max={tokens} end=0 seed={1000 + number} t=1.2 p=1 The {canary(number)} sat"
    return {"words": words, "modes": {"model": model}}


async def arrive(base: str, count: int) -> list[Writer]:
    """So many pages of a guest each, all of which have begun."""
    writers = [Writer(base) for _ in range(count)]
    for some in range(0, count, 10):
        await asyncio.gather(*(writer.connect() for writer in writers[some : some + 10]))
    for writer in writers:
        await until(lambda writer=writer: bool(writer.state))
    return writers


async def leave(*writers: Writer) -> None:
    for writer in writers:
        await writer.socket.emit("clear_session")
    await asyncio.gather(*(writer.socket.disconnect() for writer in writers))


async def crowd(base: str, count: int, tokens: int, model: str) -> tuple[int, float]:
    """`count` writers ask for `tokens` each at once.

    Returns:
        The most that one was told to be ahead, and the seconds until the last had its words.
    """
    writers = await arrive(base, count)
    began = time.monotonic()
    requests = [request(number, tokens, model) for number in range(count)]
    texts = await asyncio.gather(
        *(writer.write(**each) for writer, each in zip(writers, requests, strict=True))
    )
    took_s = time.monotonic() - began
    told: list[int] = []
    for number, (writer, text) in enumerate(zip(writers, texts, strict=True)):
        assert writer.count("story_refused") == 0, writer.said
        # The shipped model may come to an end of its own before.
        assert 0 < writer.state["passages"][-1]["facts"]["tokens"] <= tokens
        assert canary(number) in text
        wire = json.dumps(writer.events)
        others = [other for other in range(count) if other != number and canary(other) in wire]
        assert others == []
        statuses = [data["status"] for event, data in writer.events if event == "story_status"]
        assert any(status.startswith(("waiting, ", "next in line")) for status in statuses) or (
            writer.count("story_state") > 1
        )
        ahead = [int(each.split()[1]) for each in statuses if each.startswith("waiting, ")]
        assert ahead == sorted(ahead, reverse=True), "a place in line is lost to nobody"
        told += ahead[:1]
    # Of those for whom there was no place, all but the next in line were told how many are ahead.
    assert len(told) >= count - MOST_STORIES - 4
    draw = random.Random(1)
    await leave(*writers)
    for number in draw.sample(range(count), 3):
        (alone,) = await arrive(base, 1)
        assert await alone.write(**request(number, tokens, model)) == texts[number]
        await leave(alone)
    return max(told, default=0), took_s


def test_the_model_of_a_new_page_is_read_before_there_is_one(base):
    ended = time.monotonic() + 20
    while not httpx.get(f"{base}/inkling/status").json()["models"]:
        assert time.monotonic() < ended
        time.sleep(0.05)


def test_eighty_writers_who_ask_at_once_are_all_served_and_told_their_places(base):
    most, took_s = asyncio.run(crowd(base, 80, 20, "letters"))
    assert most >= 12
    print(f"80 writers, 20 tokens each: {took_s:.1f} s, the last was told {most} ahead")


@pytest.mark.torture
def test_sixty_writers_ask_the_shipped_model_for_a_hundred_tokens_each(tmp_path):
    (models := tmp_path / "models").mkdir()
    lend_stories(models)
    (folder := tmp_path / "app").mkdir()
    with running_app(folder, models, INKLING_GUESTS="1") as base:
        most, took_s = asyncio.run(crowd(base, 60, 100, "stories"))
    print(f"60 writers, 100 tokens each: {took_s:.1f} s, the last was told {most} ahead")


# Long work of one page beside the others


async def send_file(writer: Writer, name: str, text: str) -> str:
    """Open a file as a page does; the thread of the story it became."""
    of = -(-len(text) // MAX_PART)
    before = writer.count("story_opened")
    for part in range(of):
        piece = text[part * MAX_PART : (part + 1) * MAX_PART]
        data = {"name": name, "part": part, "of": of, "text": piece}
        await writer.socket.emit("story_piece", data)
    await until(lambda: writer.count("story_opened") > before)
    return [data for event, data in writer.events if event == "story_opened"][-1]["thread"]


async def save_file(writer: Writer, ending: str) -> str:
    """Save the story as a page does; its text."""
    since = len(writer.events)

    def pieces() -> list[dict[str, Any]]:
        return [data for event, data in writer.events[since:] if event == "story_file"]

    await writer.socket.emit("story_save", {"ending": ending})
    await until(lambda: bool(pieces()) and len(pieces()) == pieces()[0]["of"])
    assert [piece["part"] for piece in pieces()] == [*range(len(pieces()))]
    return "".join(piece["text"] for piece in pieces())


async def lag_beside(base: str, work: Callable[[Writer], Awaitable[None]]) -> float:
    """The longest that another page waits for an answer while one does `work`, in seconds."""
    busy, other = await arrive(base, 2)
    lags: list[float] = []
    done = asyncio.Event()  # a cancellation can be lost in the wait for an answer that just came

    async def ask() -> None:
        while not done.is_set():
            began = time.monotonic()
            asked = {"query": "nothing"}
            answer: Any = await other.socket.call("story_query", asked, timeout=60)
            assert "error" in answer
            lags.append(time.monotonic() - began)
            await asyncio.sleep(0.01)

    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.2)
    try:
        await work(busy)
    finally:
        done.set()
        await asking
    await leave(busy, other)
    return max(lags)


def a_tree(tokens: int) -> str:
    """A story file with so many tokens that a model is said to have written."""
    top = tuple(TokenChoice(i, "a", 0.123456789, 0.987654321) for i in range(10))
    token = StoryToken(id=1, text="a", raw_probability=0.5, probability=0.5, entropy=1.0, top=top)
    story = Story()
    for start in range(0, tokens, 1000):
        size = min(1000, tokens - start)
        passage = Passage(
            author="model", text="a" * size, ids=(1,) * size, model="gone", tokens=(token,) * size
        )
        story = story.append(passage)
    return to_json(story)


async def at_thread(busy: Writer, thread: str) -> Writer:
    """The same writer's page on another story."""
    page = Writer(busy.base)
    page.cookies = busy.cookies
    await page.connect(thread)
    await until(lambda: page.count("resume_thread") > 0)
    await page.socket.emit("window_message", {"type": "story_sync", "revision": -1, "have": 0})
    await until(lambda: bool(page.state.get("passages")))
    return page


@pytest.mark.parametrize(
    "text",
    ["a\n" * 140_000, "a" + "\n" * 290_000 + "b", "a." * 140_000],
    ids=["lines", "empty lines", "one line"],
)
def test_a_long_story_is_opened_saved_and_gone_on_with_while_others_are_answered(base, text):
    async def work(busy: Writer) -> None:
        page = await at_thread(busy, await send_file(busy, "a.txt", text))
        for ending in ("md", "json", "txt"):
            saved = await save_file(page, ending)
            if ending == "txt":
                assert saved == text
        await page.write("/with max=3 end=0 then")
        await page.socket.call("story_query", {"query": "dice"}, timeout=60)
        await page.socket.emit("story_act", {"act": "undo"})
        await leave(page)

    lag_s = asyncio.run(lag_beside(base, work))
    print(f"the longest wait beside it: {lag_s:.2f} s")
    assert lag_s < MOST_LAG_S * other_work()


@pytest.mark.parametrize(
    "tokens", [4000, pytest.param(26_000, marks=pytest.mark.torture)], ids=["large", "largest"]
)
def test_a_large_tree_is_opened_and_saved_while_others_are_answered(base, tokens):
    text = a_tree(tokens)
    saved: list[str] = []

    async def work(busy: Writer) -> None:
        page = await at_thread(busy, await send_file(busy, "a.json", text))
        saved.append(await save_file(page, "json"))
        await leave(page)

    lag_s = asyncio.run(lag_beside(base, work))
    assert json.loads(saved[0])["passages"] == json.loads(text)["passages"]
    print(f"{len(text) / 1e6:.0f} million characters; longest wait beside it: {lag_s:.2f} s")
    assert lag_s < MOST_LAG_S * other_work()


# Estimates


def estimates(folder: Path) -> list[int]:
    """The processes that estimate a training for the app in `folder`."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        try:
            plans = entry.name.isdigit() and b"train.estimate" in (entry / "cmdline").read_bytes()
            if plans and (entry / "cwd").resolve() == folder.resolve():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="counts processes in /proc")
def test_eight_estimates_of_one_page_are_one_process_which_ends_when_the_page_goes(base, folder):
    most = 0

    async def run() -> None:
        nonlocal most
        (page,) = await arrive(base, 1)
        text = "Once upon a time there was a mouse.\n" * 2000
        piece = {"command": "training_text", "name": "a.txt", "part": 0, "of": 1, "text": text}
        brought: Any = await page.socket.call("story_command", piece, timeout=60)
        assert brought["name"] == "a.txt"
        asked = [
            asyncio.create_task(
                page.socket.call("story_command", {"command": "training_plan"}, timeout=120)
            )
            for _ in range(8)
        ]
        ends, latest = time.monotonic() + 3, time.monotonic() + 3 + 10 * other_work()
        while time.monotonic() < ends or (
            time.monotonic() < latest
            and not (estimates(folder) and sum(task.done() for task in asked) >= 7)
        ):
            most = max(most, len(estimates(folder)))
            await asyncio.sleep(0.05)
        answers: list[Any] = [task.result() for task in asked if task.done()]
        assert len(answers) >= 7
        assert any("newer one" in answer.get("error", "") for answer in answers)
        if not asked[-1].done():
            await page.socket.disconnect()
            await until(lambda: not estimates(folder), 10 * other_work())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

    asyncio.run(run())
    assert most == 1


def test_the_folder_of_the_server_is_closed_to_others(folder, base):
    inner = [path for path in (folder / ".files").iterdir() if path.is_dir()]
    assert [oct(path.stat().st_mode & 0o777) for path in inner] == ["0o700"]
    assert inner[0].name.split("-")[0].isdigit()


def test_a_page_that_comes_back_soon_finds_its_session_as_it_was(base):
    async def run() -> None:
        (writer,) = await arrive(base, 1)
        await writer.write("/with max=4 end=0 once")
        await writer.socket.disconnect()
        back = Writer(base, writer.session)
        back.cookies = writer.cookies
        await back.connect()
        await back.socket.emit("window_message", {"type": "story_sync", "revision": -1, "have": 0})
        await until(lambda: bool(back.state.get("passages")))
        assert back.text == writer.text
        # What could be taken back still can.
        await back.socket.emit("story_act", {"act": "undo"})
        await until(lambda: not back.state["passages"])
        await back.socket.disconnect()

    asyncio.run(run())
