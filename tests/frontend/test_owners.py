"""Two accounts and guests at the real app: what one trains no other reads, unless it is shared."""

import asyncio
import json
import os
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from chat.accounts import write_account
from chat.story import Passage, Story
from chat.story.export import to_json
from tests.frontend.test_socket import Writer, until
from tests.support.app_server import running_app, status
from tests.support.begun import TALE, begin
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.heavy

PASSWORDS = {"ada": "her own words", "bob": "his own words"}


class Account(Writer):
    """A page of somebody with an account, or of a guest."""

    @staticmethod
    def enter(base: str, name: str | None = None) -> "Account":
        """Somebody with an account, else a guest."""
        path, data = "/auth/header", None
        if name is not None:
            path, data = "/login", {"username": name, "password": PASSWORDS[name]}
        entered = httpx.post(base + path, data=data, timeout=60)
        assert entered.status_code == 200, entered.text
        return Account(base, cookies=entered.cookies)

    @property
    def models(self) -> list[str]:
        return [each["key"] for each in self.state["models"]]

    @property
    def owner(self) -> str:
        return httpx.get(self.base + "/user", cookies=self.cookies).json()["identifier"]

    async def query(self, query: str, **more: Any) -> dict[str, Any]:
        answer = await self.socket.call("story_query", {"query": query, **more}, timeout=60)
        assert isinstance(answer, dict)
        return answer

    async def command(self, command: str, **more: Any) -> dict[str, Any]:
        answer = await self.socket.call("story_command", {"command": command, **more}, timeout=60)
        assert isinstance(answer, dict)
        return answer

    async def ask(self, words: str, model: str) -> None:
        """Let a model write, and wait for its words or for the reason why not."""
        done = self.count("story_refused") + len(self.state["passages"])
        await self.send(words, modes={"model": model})
        await until(
            lambda: (
                self.count("story_refused") + len(self.state["passages"]) > done
                and not self.state["writing"]
            )
        )

    async def machine(self, step: str) -> list[dict[str, Any]]:
        """All that the time machine tells of one step."""
        request = {"job": str(uuid.uuid4()), "steps": [step], "prompt": "cat", "temperature": 0.8}
        await self.socket.emit("machine_write", {**request, "seed": 1, "max_new_tokens": 4})

        def news() -> list[dict[str, Any]]:
            told = [data for event, data in self.events if event == "machine_news"]
            return [each for each in told if each["job"] == request["job"]]

        await until(lambda: any(each.get("over") for each in news()))
        return news()


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """An app's folder, with a home that others can read, and a model that ada trained."""
    folder = tmp_path_factory.mktemp("app")
    save_characters(folder / "models" / "letters")
    begin(folder / "runs" / "tales", "ada")
    (folder / "home").mkdir()
    for name, password in PASSWORDS.items():
        write_account(folder / "home", name, password)
    (folder / "home").chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def base(folder: Path) -> Iterator[str]:
    before = os.umask(0o022)
    try:
        with running_app(folder, folder / "models", INKLING_HOME=str(folder / "home")) as base:
            yield base
    finally:
        os.umask(before)


def together(act: Callable[..., Awaitable[None]], *writers: Account) -> None:
    async def run() -> None:
        try:
            for writer in writers:
                await writer.connect()
            for writer in writers:
                await until(lambda writer=writer: bool(writer.state))
            await act(*writers)
        finally:
            for writer in writers:
                await writer.socket.disconnect()

    asyncio.run(run())


async def refused_everywhere(writer: Account, names: tuple[str, ...]) -> None:
    """None of `names` opens a model for the writer: each is refused as one that is not there."""
    await writer.socket.emit("window_message", {"type": "story_model", "model": "letters"})
    told = json.dumps([await writer.query(each) for each in ("models", "runs", "training")])
    for name in names:
        assert name not in writer.models
        assert f'"{name}"' not in told
        refusals: list[list[str]] = []
        for key in (name, "no-such-model"):
            answers = [
                await writer.query("card", model=key),
                await writer.query("dice", model=key),
                await writer.command("training_share", key=key, shared=True),
                await writer.command("training_resume", key=key),
            ]
            news = await writer.machine(f"{key}@000001")
            said = [each["error"] for each in (*answers, *news) if "error" in each]
            assert len(said) == 5
            gone = f"“{key}” is no longer there."
            before = writer.said.count(gone)
            for message in (
                {"type": "story_model", "model": key},
                {"type": "story_like", "model": key, "settings": {}},
            ):
                await writer.socket.emit("window_message", message)
            await until(lambda gone=gone, before=before: writer.said.count(gone) > before)
            await writer.ask("once", key)
            said.append(writer.said[-1])
            side = {"model": key, "settings": {}}
            request = {"ask": "compare", "contestants": [side, {**side, "model": "letters"}]}
            refused = writer.count("story_refused")
            await writer.send("Compare", metadata=request, modes={"model": "letters"})
            await until(lambda refused=refused: writer.count("story_refused") > refused)
            said.append(writer.said[-1])
            assert writer.state["model"] != key
            refusals.append([each.replace(key, "NAME") for each in said])
        assert refusals[0] == refusals[1]


async def bring_story(writer: Account, text: str, model: str) -> "Account":
    """A page with an imported story whose words a model is said to have written."""
    passage = Passage(author="model", text=text, model=model)
    piece = {"name": "x.json", "part": 0, "of": 1, "text": to_json(Story().append(passage))}
    await writer.socket.emit("story_piece", piece)
    await until(lambda: writer.count("story_opened") > 0)
    thread = next(data["thread"] for event, data in writer.events if event == "story_opened")
    page = Account(writer.base, cookies=writer.cookies, thread=thread)
    await page.connect()
    await until(lambda: bool(page.state.get("passages")))
    return page


def test_one_account_sees_its_model_and_the_other_finds_it_nowhere(base):
    async def act(ada: Account, bob: Account) -> None:
        assert (ada.models, bob.models) == (["letters", "tales"], ["letters"])
        await refused_everywhere(bob, ("tales", "tales by ada"))
        assert (await ada.query("card", model="tales"))["key"] == "tales"

    together(act, Account.enter(base, "ada"), Account.enter(base, "bob"))


def test_an_imported_story_with_chosen_words_spells_nobody_elses_text_out(base):
    async def act(ada: Account, bob: Account) -> None:
        for writer, name in ((bob, "tales"), (bob, "tales by ada"), (ada, "tales")):
            await ada.command("training_share", key="tales", shared=name != "tales")
            writer.events.clear()
            page = await bring_story(writer, " old grey cat", name)
            found = await page.query("copied", passage=page.state["passages"][0]["id"])
            await page.socket.disconnect()
            if writer is ada:
                assert found["longest"]["after"].startswith("sat on the warm wall")
            else:
                assert found.keys() == {"error"}
                assert "sat" not in found["error"]
        await ada.command("training_share", key="tales", shared=False)

    together(act, Account.enter(base, "ada"), Account.enter(base, "bob"))


def test_a_shared_model_is_written_with_and_its_text_stays_its_owners(base):
    async def act(ada: Account, bob: Account) -> None:
        assert await ada.command("training_share", key="tales", shared=True) == {}
        keys = [each["key"] for each in (await bob.query("models"))["models"]]
        assert keys == ["letters", "tales by ada"]
        await bob.ask("/with max=6 seed=1 cat", "tales by ada")
        assert bob.text.startswith("cat")
        assert (
            "another writer's text"
            in (await bob.query("copied", passage=bob.state["passages"][-1]["id"]))["error"]
        )
        assert TALE not in json.dumps(await bob.query("card", model="tales by ada"))
        his, hers = await bob.machine("tales by ada@000001"), await ada.machine("tales@000001")
        assert [any("known" in each for each in news) for news in (his, hers)] == [False, True]
        # Nothing but figures is told to whoever asks how busy it is.
        assert set(map(type, status(base).values())) == {int}
        assert await ada.command("training_share", key="tales", shared=False) == {}
        await refused_everywhere(bob, ("tales", "tales by ada"))

    together(act, Account.enter(base, "ada"), Account.enter(base, "bob"))


def test_all_that_the_app_keeps_is_private_where_its_home_was_open(base, folder):
    async def act(ada: Account) -> None:
        await ada.ask("/with max=3 once", "letters")

    together(act, Account.enter(base, "ada"))
    kept = [folder / "home", *(folder / "home").iterdir(), folder / "runs" / "tales"]
    kept += folder.glob(".files")
    assert "stories.sqlite-wal" in [each.name for each in kept]
    assert [str(each) for each in kept if each.stat().st_mode & 0o077] == []


def test_a_guest_sees_what_is_their_own_and_neither_an_accounts_nor_another_guests(folder):
    home = folder / "guests"
    home.mkdir()
    home.chmod(0o755)
    (home / "other things").touch()
    with running_app(folder, folder / "models", INKLING_HOME=str(home), INKLING_GUESTS="1") as base:
        # Not ours to shut, so the one who started it is told.
        assert f"can look into {home}" in (folder / "log").read_text()
        one, other = Account.enter(base), Account.enter(base)
        begin(folder / "runs" / "songs", one.owner)

        async def act(one: Account, other: Account) -> None:
            assert (one.models, other.models) == (["letters", "songs"], ["letters"])
            await refused_everywhere(other, ("songs", "tales"))
            await refused_everywhere(one, ("tales",))

        together(act, one, other)


def test_a_home_that_cannot_be_used_ends_the_app_with_one_sentence(folder):
    (folder / "note").write_text("no folder")
    with (
        pytest.raises(RuntimeError) as ended,
        running_app(folder, folder / "models", INKLING_HOME=str(folder / "note")),
    ):
        pass
    said = (folder / "log").read_text().splitlines()[-1]
    assert said.startswith(f"Inkling cannot start: {folder / 'note'} is no folder")
    assert "Traceback" not in str(ended.value)
