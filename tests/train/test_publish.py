"""`python -m train.publish`: what is shared on the Hub, by the real client to a server like it."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import ModelCard

from deploy.dockerfile import read
from gpt import checkpoint
from gpt.config import GPTConfig
from gpt.tokenizers import CharTokenizer
from tests.support.app_server import free_port, wait_for
from tests.support.forks import ROOT, run_module
from tests.support.hub_client import NOBODY_LISTENS, environment, running_client
from tests.support.hub_server import Hub, running_hub
from tests.support.tiny import tiny_model
from tests.support.tiny_checkpoint import LETTERS, save_characters
from train import publish
from train.hub.hub_card import front_matter

TRAINING = {
    "command": "python -m train.pretrain --data data/mine",
    "config": {"sample_prompt": "Far away", "block_size": 64},
    "data": {"sources": [{"name": "tales.txt", "serves": "train and valid"}]},
    "step": 1200,
    "tokens": 1200 * 64,
    "val_loss": 1.23456,
    "val_bpb": 1.78123,
    "date": "2026-11-20",
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder as training leaves it, its best checkpoint in `best`."""
    run = tmp_path_factory.mktemp("runs") / "tales"
    save_characters(run / "best", **TRAINING)
    card = "---\nlicense: cc-by-4.0\nlanguage: en\n---\n# Tales\n\nOf my own.\n"
    (run / "best" / "README.md").write_text(card)
    records = [{"step": step, "train_loss": 3 / step, "val_loss": 4 / step} for step in (1, 2, 3)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(each) + "\n" for each in records))
    return run


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with running_hub() as hub:
        hub.tokens["secret"] = "ada"
        yield hub


def published(hub: Hub, home: Path, *arguments: str, token: str = "secret", **variables: str):
    """The command as a person runs it."""
    logged_in = {"HF_TOKEN": token} if token else {}
    variables = environment(hub.address, home, **logged_in) | variables
    return run_module("train.publish", *arguments, cwd=ROOT, environment=variables)


def test_a_dry_run_writes_all_that_would_be_uploaded(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "look"
    arguments = [str(run / "best"), "ada/tales", "--space", "--dry-run", str(place)]
    assert publish.main(arguments) == 0
    assert "what would be uploaded as the space ada/tales" in capsys.readouterr().out
    model = place / "model"
    assert {path.name for path in model.iterdir()} == {
        *("README.md", "config.json", "generation_config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "training.json"),
        *("metrics.jsonl", "loss.png"),
    }
    assert (model / "loss.png").read_bytes().startswith(b"\x89PNG")
    for name in ("config.json", "model.safetensors", "training.json"):
        assert (model / name).read_bytes() == (run / "best" / name).read_bytes()
    assert publish.main(arguments) == 2
    assert "is not empty" in capsys.readouterr().err


def test_a_gguf_lies_beside_the_folder_where_one_is_asked_for(run: Path, tmp_path: Path) -> None:
    place = tmp_path / "look"
    asked = [str(run / "best"), "ada/tales", "--gguf", "--dry-run", str(place)]
    assert publish.main(asked) == 0
    model = place / "model"
    assert (model / "tales.gguf").read_bytes().startswith(b"GGUF")
    assert (model / "tales.Modelfile").read_text().startswith("FROM ./tales.gguf\n")
    assert "llama-server -m tales.gguf" in (model / "README.md").read_text()


def test_the_card_keeps_its_own_words_and_gains_what_a_reader_needs(
    run: Path, tmp_path: Path
) -> None:
    place = tmp_path / "look"
    publish.main([str(run / "best"), "ada/tales", "--dry-run", str(place)])
    card = ModelCard.load(place / "model" / "README.md")
    assert card.text.strip().startswith("# Tales\n\nOf my own.")
    assert "| validation, bits per byte | 1.7812 |" in card.text
    assert "![Training and validation loss](loss.png)" in card.text
    data = card.data.to_dict()
    assert (data["license"], data["language"]) == ("cc-by-4.0", "en")
    assert (data["library_name"], data["pipeline_tag"]) == ("transformers", "text-generation")
    assert data["tags"] == ["inkling"]
    (index,) = data["model-index"]
    (result,) = index["results"]
    assert (index["name"], result["dataset"]["name"]) == ("tales", "tales.txt")
    assert result["metrics"] == [
        {"type": "bits_per_byte", "value": 1.7812, "name": "bits per byte"}
    ]


def test_the_samples_are_what_the_command_beside_them_writes(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gpt import generate

    place = tmp_path / "look"
    publish.main([str(run / "best"), "ada/tales", "--dry-run", str(place)])
    card = (place / "model" / "README.md").read_text()
    assert "python -m gpt.generate ada/tales 'Far away' --temperature 0.8 --seed 1" in card
    capsys.readouterr()
    arguments = ["--temperature", "0.8", "--seed", "1", "--max-new-tokens", "64"]
    for prompt in ("Far away", "Once upon a time", ""):
        generate.main([str(run / "best"), prompt, *arguments])
        assert f"```text\n{prompt}{capsys.readouterr().out}\n```" in card


def test_a_card_is_made_for_a_model_without_one(tmp_path: Path) -> None:
    tokenizer = CharTokenizer.train([LETTERS.replace("O", "") + "`"])
    config = GPTConfig(
        vocab_size=tokenizer.vocab_size, block_size=16, n_layer=1, n_head=1, n_embd=8
    )
    folder = tmp_path / "bare"
    checkpoint.save(folder, tiny_model(config), tokenizer, card="", training={})
    (folder / "README.md").unlink()
    publish.main([str(folder), "ada/bare", "--dry-run", str(tmp_path / "a"), "--license", "mit"])
    card = ModelCard.load(tmp_path / "a" / "model" / "README.md")
    assert card.data.to_dict()["license"] == "mit"
    assert "model-index" not in card.data.to_dict()
    assert card.text.strip().startswith("# bare\n\nA llama model of")
    assert "'Once upon" not in card.text  # it never saw an O
    publish.main([str(folder), "ada/bare", "--dry-run", str(tmp_path / "b")])
    card = ModelCard.load(tmp_path / "b" / "model" / "README.md")
    assert card.data.to_dict()["license"] == "unknown"


def test_what_a_model_on_the_hub_was_tuned_from_is_named() -> None:
    tuned = {**TRAINING, "from": {"name": "ada/tales@v1", "sha256": "0"}}
    assert front_matter({}, tuned, "ada/new", None).to_dict()["base_model"] == "ada/tales"
    local = {**TRAINING, "from": {"name": "tales", "sha256": "0"}}
    assert "base_model" not in front_matter({}, local, "ada/new", None).to_dict()


@pytest.mark.parametrize("name", ["tales", "ada/tales@v1", "ada/my tales", "a/b/c", "ada/"])
def test_a_name_that_is_none_is_refused(
    name: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main([str(run / "best"), name]) == 2
    assert "expected a name like ada/tales" in capsys.readouterr().err


def test_what_is_no_checkpoint_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert publish.main([str(tmp_path), "ada/tales"]) == 2
    assert "no checkpoint in" in capsys.readouterr().err


@pytest.mark.slow
def test_what_was_published_is_fetched_back_byte_for_byte(
    hub: Hub, run: Path, tmp_path: Path
) -> None:
    look = tmp_path / "look"
    arguments = [str(run / "best"), "ada/tales", "--space"]
    assert publish.main([*arguments, "--dry-run", str(look)]) == 0
    done = published(hub, tmp_path / "home", *arguments)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (
        0,
        f"{hub.address}/spaces/ada/tales",
    ), done.stderr
    with running_client(hub.address, tmp_path / "elsewhere") as client:
        folder = Path(client.ask("fetch", "ada/tales"))
    sent = {path.name: path.read_bytes() for path in (look / "model").iterdir()}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == sent
    space = hub.repositories["spaces", "ada/tales"]
    assert space.sdk == "docker"
    assert {
        path.relative_to(look / "space").as_posix(): path.read_bytes()
        for path in (look / "space").rglob("*")
        if path.is_file()
    } == space.files
    again = published(hub, tmp_path / "home", *arguments[:2])
    assert again.returncode == 0
    assert "its files of the same names are replaced" in again.stdout
    private = published(hub, tmp_path / "home", *arguments[:2], "--private")
    assert (private.returncode, "and public: make it private" in private.stderr) == (2, True)


@pytest.mark.slow
def test_a_private_model_is_seen_by_its_owner_alone(hub: Hub, run: Path, tmp_path: Path) -> None:
    done = published(hub, tmp_path / "home", str(run / "best"), "ada/diary", "--private", "--space")
    assert done.returncode == 0, done.stderr
    assert "a secret HF_TOKEN that may read ada/diary" in done.stdout
    assert hub.repositories["models", "ada/diary"].private
    assert hub.repositories["spaces", "ada/diary"].private
    with running_client(hub.address, tmp_path / "elsewhere") as client:
        assert "can be seen by you" in client.fails("fetch", "ada/diary")


@pytest.mark.slow
def test_who_may_not_publish_is_told_what_to_do(hub: Hub, run: Path, tmp_path: Path) -> None:
    folder, home = str(run / "best"), tmp_path / "home"
    hub.organizations = ("inklings",)
    for name, more, said in (
        ("ada/new", {"token": ""}, "you are not logged in to the Hub: log in with `hf auth login`"),
        ("ada/new", {"token": "stale"}, "the Hub does not take your token"),
        ("bob/new", {}, "bob is somebody else: you are logged in as ada, so the name begins with "),
        ("ada/new", {"HF_ENDPOINT": NOBODY_LISTENS}, "the Hub cannot be reached"),
    ):
        done = published(hub, home, folder, name, **more)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    assert ("models", "ada/new") not in hub.repositories
    hub.read_only = {"ada"}
    done = published(hub, home, folder, "ada/new")
    hub.read_only = set()
    assert (done.returncode, "make a token that may write" in done.stderr) == (2, True)
    hub.organizations = ()


@pytest.mark.slow
def test_a_space_holds_all_that_the_chat_needs(run: Path, tmp_path: Path) -> None:
    """Its app runs from its files alone; a frame on the Hub may show it, guests are told apart."""
    publish.main([str(run / "best"), "ada/tales", "--space", "--dry-run", str(tmp_path)])
    space, port = tmp_path / "space", free_port()
    recipe = (space / "Dockerfile").read_text()
    assert "INKLING_MODELS=ada/tales" in recipe
    assert "useradd --create-home --uid 1000 inkling" in recipe
    assert "\nUSER inkling\n" in recipe
    assert ("7860, timeout" in recipe, "8000" in recipe) == (True, False)
    asked_for = next(step.words for step in read(recipe) if step.name == "COPY")
    assert all((space / name).is_file() for name in asked_for[:-1])
    assert "sdk: docker\napp_port: 7860" in (space / "README.md").read_text()
    settings = ("INKLING_GUESTS=1", "INKLING_FRAMED_BY=https://huggingface.co")
    assert all(setting in recipe for setting in settings)
    kept = {name: text for name, text in os.environ.items() if "INKLING" not in name}
    asked: dict[str, str] = {name: text for name, _, text in (s.partition("=") for s in settings)}
    assert 'CMD ["python", "-m", "frontend.start", "run", "app.py"' in recipe
    command = [sys.executable, "-m", "frontend.start", "run", "app.py", "-h", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=space,
            env=kept | asked | {"INKLING_HOME": str(tmp_path / "stories"), "PYTHONPATH": ""},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        base = f"http://127.0.0.1:{port}"
        wait_for(base, process, tmp_path / "log")
        with urllib.request.urlopen(base, timeout=30) as page:
            policy = page.headers["Content-Security-Policy"]
        assert "frame-ancestors https://huggingface.co" in policy
        guests = set()
        for _ in range(2):
            request = urllib.request.Request(base + "/auth/header", method="POST")
            with urllib.request.urlopen(request, timeout=30) as answer:
                cookie = answer.headers["Set-Cookie"].split(";")[0]
            request = urllib.request.Request(base + "/user", headers={"Cookie": cookie})
            with urllib.request.urlopen(request, timeout=30) as answer:
                guests.add(json.load(answer)["identifier"])
        assert len(guests) == 2
        assert all(guest.startswith("guest-") for guest in guests)
    finally:
        process.terminate()
        process.wait(30)
