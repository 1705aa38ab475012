"""Models from the Hub, by the real client, from a server that answers as the Hub does."""

import hashlib
import json
import os
import pty
import random
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from safetensors.torch import load, save

from gpt.checkpoint.hub import HubName, hub_name, resolve
from tests.support.forks import ROOT
from tests.support.hub_client import NOBODY_LISTENS, Client, environment, running_client
from tests.support.hub_server import Hub, running_hub
from tests.support.tiny_checkpoint import save_characters

pytestmark = pytest.mark.slow
PART = 10 << 20
"""huggingface_hub writes a file in parts of 10 MiB, so that much of one is kept or nothing."""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        hub.tokens["secret"] = "ada"
        yield hub


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def client(hub: Hub, home: Path) -> Iterator[Client]:
    with running_client(hub.address, home) as client:
        yield client


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A model of some 300 kB, and what else may lie in a repository."""
    folder = save_characters(tmp_path_factory.mktemp("model") / "noise", n_embd=128)
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    more = ("pytorch_model.bin", "modeling.py", "onnx/model.safetensors", ".gitattributes")
    return files | dict.fromkeys(more, b"not for us")


def held(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


WANTED = {
    *("README.md", "config.json", "generation_config.json", "model.safetensors"),
    *("tokenizer.json", "tokenizer_config.json", "training.json"),
}


def test_a_model_is_fetched_once_and_only_what_it_needs(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    hub.add("ada/noise", files)
    assert client.ask("cached", "ada/noise") == "None"
    folder = client.ask("fetch", "ada/noise")
    assert held(folder) == {name: data for name, data in files.items() if name in WANTED}
    assert set(held(folder)) == WANTED
    assert client.ask("cached", "ada/noise") == folder
    assert client.ask("name", "ada/noise") == "ada/noise"
    assert len(hub.fetched("/store/")) == 1
    asked = len(hub.asked)
    assert client.ask("fetch", "ada/noise") == folder
    assert len(hub.asked) == asked + 1  # whether it is still the newest


def test_a_model_that_was_changed_is_fetched_anew_and_a_revision_stays(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    repository = hub.add("ada/changing", files | {"model.safetensors": b"weights"})
    hub.asked.clear()
    first, commit = client.ask("fetch", "ada/changing"), repository.commit
    repository.files["README.md"] = b"Better."
    second = client.ask("fetch", "ada/changing")
    assert second != first
    assert held(second)["README.md"] == b"Better."
    assert len(hub.fetched("/store/")) == 1  # the same weights, here already
    assert client.ask("fetch", f"ada/changing@{commit}") == first
    assert "no revision “v9”" in client.fails("fetch", "ada/changing@v9")


def test_a_sharded_model_is_fetched_by_its_index(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    weights = load(files["model.safetensors"])
    names = sorted(weights)
    halves = {"m-1.safetensors": names[::2], "m-2.safetensors": names[1::2]}
    shards = {
        shard: save({name: weights[name] for name in of}, {"format": "pt"})
        for shard, of in halves.items()
    }
    place = {name: shard for shard, of in halves.items() for name in of}
    index = {"model.safetensors.index.json": json.dumps({"weight_map": place}).encode()}
    small = {name: data for name, data in files.items() if name in WANTED - {"model.safetensors"}}
    hub.add("ada/shards", small | shards | index)
    assert held(client.ask("fetch", "ada/shards")) == small | shards | index
    assert client.ask("name", "ada/shards") == "ada/shards"
    hub.add("ada/lacking", small | index | {"m-1.safetensors": shards["m-1.safetensors"]})
    assert "lacks m-2.safetensors" in client.fails("fetch", "ada/lacking")
    bad = json.dumps({"weight_map": {"a": "../../m.safetensors"}}).encode()
    hub.add("ada/outside", small | {"model.safetensors.index.json": bad})
    assert "names a file that is no shard" in client.fails("fetch", "ada/outside")


def test_a_line_that_breaks_goes_on_where_it_was(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    data = random.Random(1).randbytes(3 * PART)
    repository = hub.add("ada/breaking", files | {"model.safetensors": data})
    hub.asked.clear()
    hub.cut_after["model.safetensors"] = [PART + 9, PART + 9]
    folder = client.ask("fetch", "ada/breaking")
    assert held(folder)["model.safetensors"] == data
    ranges = hub.fetched("/store/")
    assert ranges[0] is None
    starts = [int(range_.removeprefix("bytes=").rstrip("-")) for range_ in ranges[1:] if range_]
    assert len(starts) == 2
    assert starts == [PART, 2 * PART]
    assert repository.commit in folder


def test_a_fetch_that_was_killed_goes_on_in_the_next_run(
    hub: Hub, home: Path, client: Client, files: dict[str, bytes]
) -> None:
    data = random.Random(2).randbytes(2 * PART)
    hub.add("ada/killed", files | {"model.safetensors": data})
    hub.asked.clear()
    hub.cut_after["model.safetensors"] = [PART + 9, *[0] * 50]
    command = [
        sys.executable,
        "-c",
        "from gpt.checkpoint.hub import resolve; resolve('ada/killed')",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(hub.address, home), stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 120
        while len(hub.fetched("/store/")) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert client.ask("cached", "ada/killed") == "None"
    hub.asked.clear()
    hub.cut_after.clear()
    folder = client.ask("fetch", "ada/killed")
    assert held(folder)["model.safetensors"] == data
    assert hub.fetched("/store/") == [f"bytes={PART}-"]


def test_a_file_that_is_not_what_the_hub_promised_is_not_kept(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    data = files["model.safetensors"] + b"   "
    hub.add("ada/forged", files | {"model.safetensors": data})
    sha256 = hashlib.sha256(data).hexdigest()

    class Forged(dict[str, bytes]):
        def __getitem__(self, key: str) -> bytes:
            return bytes(len(data)) if key == sha256 else super().__getitem__(key)

    honest, hub.stored = hub.stored, Forged(hub.stored)
    assert "is not the model.safetensors it should be" in client.fails("fetch", "ada/forged")
    hub.stored = honest
    assert held(client.ask("fetch", "ada/forged"))["model.safetensors"] == data


def test_a_model_of_another_kind_is_refused_before_its_weights_are_fetched(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    config = json.loads(files["config.json"])
    for change, said in (
        ({"model_type": "mamba"}, "expected a gpt2 or llama model"),
        ({"auto_map": {"AutoModel": "modeling.Mine"}}, "code of its own"),
        ({"activation_function": "relu"}, "activation_function"),
    ):
        name = f"ada/other-{next(iter(change))}"
        hub.add(name, files | {"config.json": json.dumps(config | change).encode()})
        hub.asked.clear()
        error = client.fails("fetch", name)
        assert f"{name} on the Hub is not for Inkling" in error
        assert said in error
        assert not any("safetensors" in path or "tokenizer" in path for _, path, _ in hub.asked)


def test_what_cannot_be_had_is_one_sentence_that_says_what_to_do(
    hub: Hub, client: Client, files: dict[str, bytes]
) -> None:
    hub.add("ada/secret", files, private=True)
    hub.add("ada/gated", files, gated=True)
    hub.add("ada/pickled", {name: d for name, d in files.items() if "safetensors" not in name})
    hub.add("ada/text", {"README.md": b"Only words."})
    for name in ("ada/nothing", "ada/secret"):  # the Hub does not tell them apart
        assert "no model of that name on the Hub can be seen by you" in client.fails("fetch", name)
        assert "hf auth login" in client.fails("fetch", name)
    gated = client.fails("fetch", "ada/gated")
    assert "agree on https://huggingface.co/ada/gated, then log in" in gated
    assert "no model.safetensors" in client.fails("fetch", "ada/pickled")
    assert "is no model: it has no config.json" in client.fails("fetch", "ada/text")
    assert "no name the Hub has" in client.fails("fetch", "ada/a..b")


def test_a_private_model_is_fetched_by_whoever_it_belongs_to(
    hub: Hub, tmp_path: Path, files: dict[str, bytes]
) -> None:
    hub.add("ada/diary", files, private=True)
    with running_client(hub.address, tmp_path, HF_TOKEN="secret") as client:
        assert client.ask("name", "ada/diary") == "ada/diary"
    with running_client(hub.address, tmp_path / "b", HF_TOKEN="stale") as client:
        assert "your token does not fit" in client.fails("fetch", "ada/diary")


def test_without_a_network_what_was_fetched_is_taken_and_the_rest_is_said(
    hub: Hub, client: Client, home: Path, files: dict[str, bytes]
) -> None:
    hub.add("ada/kept", files)
    folder = client.ask("fetch", "ada/kept")
    for variables in ({}, {"HF_HUB_OFFLINE": "1"}):
        with running_client(NOBODY_LISTENS, home, **variables) as alone:
            assert alone.ask("fetch", "ada/kept") == folder
            assert alone.ask("name", "ada/kept") == "ada/kept"
            assert "the Hub cannot be reached" in alone.fails("fetch", "ada/elsewhere")


def test_the_command_line_writes_with_a_model_from_the_hub(
    hub: Hub, home: Path, files: dict[str, bytes]
) -> None:
    hub.add("ada/writer", files)
    command = [sys.executable, "-m", "gpt.generate", "ada/writer", "Once", "--json"]
    terminal, screen = pty.openpty()
    termios.tcsetwinsize(screen, (40, 100))
    done = subprocess.run(
        [*command, "--max-new-tokens", "5"],
        cwd=ROOT,
        env=environment(hub.address, home),
        stdout=subprocess.PIPE,
        stderr=screen,
        text=True,
        check=True,
    )
    os.close(screen)
    assert json.loads(done.stdout)["model"] == "ada/writer"
    assert b"model.safetensors: 100%" in os.read(terminal, 1 << 20)
    os.close(terminal)


def test_the_picker_lists_a_model_on_the_hub_and_fetches_it_when_it_is_used(
    hub: Hub, client: Client, tmp_path: Path, files: dict[str, bytes]
) -> None:
    hub.add("ada/picked", files)
    save_characters(tmp_path / "mine")
    extra = f"{tmp_path / 'mine'}:ada/picked:ada/nothing:{tmp_path / 'nowhere'}"
    hub.asked.clear()
    there = client.ask("picker", extra)
    assert list(there) == ["mine", "ada/picked", "ada/nothing"]
    assert there["ada/picked"] == "on the Hub, downloaded when first used"
    assert hub.asked == []
    assert client.ask("pick", extra, "ada/picked") == ["ada/picked", 64, True]
    assert len(hub.fetched("/store/")) == 1
    assert "reads 64 tokens" in client.ask("picker", extra)["ada/picked"]
    assert "can be seen by you" in client.fails("pick", extra, "ada/nothing")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("openai-community/gpt2", HubName("openai-community/gpt2")),
        ("a/b.c-d_1@v1.0", HubName("a/b.c-d_1", "v1.0")),
        ("a/b@refs/pr/1", HubName("a/b", "refs/pr/1")),
        ("gpt2", None),
        ("a/b/c", None),
        ("./a/b", None),
        ("/a/b", None),
        ("~/a", None),
        ("../b", None),
        ("a/..", None),
        ("a/b@", None),
        ("", None),
    ],
)
def test_a_name_on_the_hub_is_known_by_its_form(text: str, name: HubName | None) -> None:
    assert hub_name(text) == name


def test_a_folder_that_is_here_is_no_name_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ada" / "noise").mkdir(parents=True)
    (tmp_path / "ada" / ".cut.old").mkdir()  # what a save that was cut off leaves
    monkeypatch.chdir(tmp_path)
    assert resolve("ada/noise") == Path("ada/noise")
    assert resolve("ada/cut") == Path("ada/cut")
    assert resolve("no/such/folder") == Path("no/such/folder")
