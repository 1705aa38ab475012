"""Which servers the operator named, and what the picker lists of them."""

import asyncio
import time

import pytest

from chat.models.remote.connection import answer
from chat.models.remote.directory import Directory
from chat.models.remote.servers import Server, ServersError, servers_in
from tests.support.fake_engine import fake_engine


@pytest.fixture(scope="module")
def fake():
    with fake_engine() as server:
        yield server


def test_servers_come_from_the_variable_and_the_keys_leave_it():
    line = "lab=http://a:1/v1/;key=K;kind=vllm;context=99, https://b.example/v1;patience=7"
    environment = {"INKLING_ENGINE": line, "PATH": "x"}
    one, other = servers_in(environment)
    assert (one.name, one.url, one.key, one.kind, one.context) == (
        "lab",
        "http://a:1/v1",
        "K",
        "vllm",
        99,
    )
    assert (other.name, other.url, other.patience_s) == ("b.example", "https://b.example/v1", 7)
    assert environment == {"PATH": "x"}
    assert servers_in({}) == ()


def test_servers_come_from_a_file(tmp_path, caplog):
    file = tmp_path / "engines.toml"
    file.write_text(
        '[lab]\nurl = "http://a/v1"\nkey = "K,;="\ncontext = 99\n[home]\nurl="http://b"'
    )
    file.chmod(0o644)
    one, other = servers_in({"INKLING_ENGINE": str(file)})
    assert (one.name, one.key, one.context, other.name) == ("lab", "K,;=", 99, "home")
    assert "chmod 600" in caplog.text
    assert "K,;=" not in caplog.text


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("ftp://a/v1;key=K3Y", "no address"),
        ("http://;key=K3Y", "no address"),
        ("http://a:x/v1;key=K3Y", "no address"),
        ("http://K3Y:K3Y@a/v1", "more than a host and a path"),
        ("http://a/v1?key=K3Y", "more than a host and a path"),
        ("http://exa_mple☃.com/v1;key=K3Y", "no address"),
        ("http://xn--/v1;key=K3Y", "no address"),
        (f"http://{'a' * 70}.com/v1;key=K3Y", "no address"),
        ("http://a/v1;kee=K3Y", "something other than"),
        ("http://a/v1;K3Y", "something other than"),
        ("http://a/v1;kind=K3Y", "must be one of"),
        ("http://a/v1;context=K3Y", "must be a number"),
        ("http://a/v1;context=nan", "must be a number"),
        ("a/b=http://a/v1;key=K3Y", "the name of"),
        ("http://a/v1;key=K3Yé", "plain ASCII"),
        ("http://a/v1,http://a/v1", "two servers"),
        (",".join(f"s{at}=http://a/v1" for at in range(21)), "up to 20"),
        ("/nowhere/K3Y.toml", "cannot be read"),
    ],
)
def test_an_address_that_cannot_be_used_ends_the_start_and_is_not_quoted(said, why):
    with pytest.raises(ServersError, match=why) as told:
        servers_in({"INKLING_ENGINE": said})
    assert "K3Y" not in str(told.value)


@pytest.mark.parametrize(
    "text", ["K3Y", "[a\n", "[a]\nb = 1", "a = 'K3Y'", "a = 3", "key = [1]", "x" * 70_000]
)
def test_a_file_that_cannot_be_used_is_not_quoted(tmp_path, text):
    (tmp_path / "engines").write_text(text)
    with pytest.raises(ServersError) as told:
        servers_in({"INKLING_ENGINE": str(tmp_path / "engines")})
    assert "K3Y" not in str(told.value)


@pytest.mark.parametrize("key", ["K3Y,K3Y", "K3Y;K3Y", "K3Y;x=K3Y", "K3Y,x=K3Y"])
def test_a_key_that_the_variable_cannot_hold_belongs_in_the_file_and_the_error_says_so(key):
    with pytest.raises(ServersError, match="a key with a comma or semicolon stands in a file") as e:
        servers_in({"INKLING_ENGINE": f"lab=http://a/v1;key={key}"})
    assert "K3Y" not in str(e.value)


# The picker


def test_the_picker_lists_a_server_that_is_down_and_its_models_once_it_is_up():
    with fake_engine("library", ("one", "/a/two.gguf", "/b/two.gguf")) as fake:
        changes: list[int] = []
        directory = Directory([Server(name="lab", url=fake.url)], lambda: changes.append(1))
        assert [each.broken for each in directory.listings().values()] != [""]
        fake.up = False
        asyncio.run(directory.ask())
        (listing,) = directory.listings().values()
        assert listing.key == "lab"
        assert "“lab” broke the connection off" in listing.summary
        fake.up = True
        asyncio.run(directory.ask())
        found = directory.listings()
        assert list(found) == ["lab/one", "lab//a/two.gguf", "lab//b/two.gguf"]
        assert found["lab/one"].summary == (
            "Ollama at “lab” · reads 2,048 tokens · has no top-k, no min-p, no repetition penalty, "
            "no odds of its words"
        )
        kept = found["lab/one"].remote
        asyncio.run(directory.ask())
        assert directory.listings()["lab/one"].remote is kept
        fake.up = False
        asyncio.run(directory.ask())
        assert directory.listings()["lab/one"].remote is kept
        assert directory.listings()["lab/one"].summary.startswith("does not answer now")
        assert len(changes) == 3


@pytest.mark.parametrize("host", ["exa_mple☃.com", "xn--", "a" * 70 + ".com"])
def test_an_address_that_nothing_can_be_sent_to_is_a_clear_line(host):
    directory = Directory([Server(name="odd", url=f"http://{host}/v1")])
    asyncio.run(directory.ask())
    assert "“odd” cannot be reached" in directory.listings()["odd"].broken


def test_a_fault_nobody_thought_of_at_one_server_leaves_the_others(fake, monkeypatch, caplog):
    def wrong(server, path):
        if server.name == "odd":
            raise ZeroDivisionError("of the first server")
        return answer(server, path)

    monkeypatch.setattr("chat.models.remote.directory.answer", wrong)
    directory = Directory([Server(name=name, url=fake.url) for name in ("odd", "lab")])
    asyncio.run(directory.ask())
    found = directory.listings()
    assert "lab/fine" in found
    assert "went wrong on our side" in found["odd"].broken
    assert "of the first server" in caplog.text


def test_a_server_that_hangs_slows_nobody(monkeypatch):
    monkeypatch.setattr("chat.models.remote.directory.ASK_S", 0.2)

    async def silent(reader, writer):
        try:
            await asyncio.sleep(5)
        finally:
            writer.close()

    async def run():
        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        directory = Directory([Server(name="lab", url=f"http://127.0.0.1:{port}/v1")])
        watch = asyncio.ensure_future(directory.watch())
        began = time.monotonic()
        await asyncio.sleep(0)
        assert directory.listings()["lab"].broken
        assert time.monotonic() - began < 0.1
        while "does not answer" not in directory.listings()["lab"].summary:
            await asyncio.sleep(0.02)
        watch.cancel()
        server.close()

    asyncio.run(asyncio.wait_for(run(), 5))
