"""The plan of docs/architecture.md, held against the code: imports run downward.

`ORDER` lists the places of each package, files and folders, from the bottom up: a place may import
those before it, and `BELOW` says which other packages it may. `OUTSIDE` says which packages from
elsewhere a place may use. A place that stands in no list is an error too, so that a new one begins
with saying where it belongs.
"""

import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.support.imports import OURS, ROOT, code_files, imports, reached

BELOW = {
    "gpt": (),
    "chat": ("gpt",),
    "frontend": ("chat", "gpt"),
    "app": ("frontend", "chat", "gpt"),
    "train": ("gpt",),
    "bench": ("train", "gpt"),
    "deploy": (),
}
ORDER: dict[str, tuple[str, ...]] = {
    "gpt": (
        *("config", "files", "tokenizers", "sampling", "dataset", "text", "cache"),
        *("distribution", "model", "decode", "checkpoint", "generator", "engine", "generate"),
        *("export", "server"),
    ),
    "chat": (
        *("errors", "accounts", "settings", "turns", "models", "story", "page", "generate"),
        *("view", "acts", "commands", "compare", "jobs", "session_state", "session", "panels"),
    ),
    "train": (
        *("data", "loop", "adapt", "run", "quality", "hub", "reports", "studies"),
        *("report", "prepare", "pretrain", "finetune", "evaluate", "estimate", "explore"),
        *("search", "publish", "choose_sampling", "compare_tokenizers", "plot_temperature"),
        *("sample_openings", "copied_runs", "floor"),
    ),
}
"""frontend/, bench/, deploy/ and app.py have no order: each is one look."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the files that `place` matches may import from elsewhere; the first row that fits.

    `inside` asks that it be imported in the function or class that needs it.
    """

    place: str
    packages: tuple[str, ...]
    inside: bool = False


OUTSIDE = (
    Outside("gpt/tokenizers/*", ("sentencepiece", "tiktoken", "tokenizers"), inside=True),
    Outside("gpt/dataset.py", ("numpy", "torch")),
    *(
        Outside(f"gpt/text/{name}.py", ("numpy",))
        for name in ("bias", "healing", "memorization", "ngram", "run_hashes")
    ),
    Outside("gpt/text/scripts.py", ("regex",)),
    Outside("gpt/checkpoint/schema.py", ("pydantic",)),
    *(
        Outside(f"gpt/checkpoint/{name}.py", ())
        for name in ("advice", "copied_runs", "evidence", "provenance", "standing")
    ),
    Outside("gpt/checkpoint/generation_config.py", ()),
    Outside("gpt/checkpoint/hf_format.py", ("pydantic", "torch")),
    Outside("gpt/checkpoint/training_json.py", ()),
    Outside("gpt/checkpoint/gguf.py", ("gguf", "numpy", "torch")),
    Outside("gpt/checkpoint/hub.py", ("huggingface_hub", "torch")),
    Outside("gpt/checkpoint/*", ("safetensors", "torch")),
    Outside("gpt/text/*", ()),
    Outside("gpt/sampling/params.py", ()),
    Outside("gpt/sampling/*", ("numpy", "torch")),
    Outside("gpt/engine/fair_queue.py", ()),
    Outside("gpt/decode/disk.py", ("platformdirs",)),
    Outside("gpt/decode/choose.py", ("numba",), inside=True),
    Outside("gpt/decode/*", ("llvmlite", "numba", "numpy", "torch")),
    *(Outside(f"gpt/{name}.py", ()) for name in ("__init__", "config")),
    Outside("gpt/server/prompts.py", ("torch",)),
    Outside("gpt/server/*", ("fastapi", "prometheus_client", "pydantic", "starlette", "uvicorn")),
    Outside("gpt/files/text.py", ("regex",)),
    Outside("gpt/files/*", ()),
    Outside("gpt/*", ("torch",)),
    Outside("chat/models/remote/*", ("httpx",)),
    Outside("chat/story/books/word_file.py", ("docx",), inside=True),
    Outside("chat/story/books/unzipped.py", ("lxml",), inside=True),
    Outside("chat/accounts/database/postgres.py", ("psycopg", "sqlalchemy")),
    Outside("chat/*", ("jwt", "numpy")),
    Outside("frontend/*", ("chainlit", "fastapi", "pydantic", "socketio", "starlette", "uvicorn")),
    Outside("app.py", ("chainlit",)),
    Outside(
        "train/*",
        (
            *("huggingface_hub", "jinja2", "markupsafe", "matplotlib", "numpy", "optuna"),
            *("safetensors", "sqlalchemy", "tokenizers", "torch", "tqdm"),
        ),
    ),
    Outside("bench/writers.py", ("torch", "transformers", "xllamacpp")),
    Outside("bench/gguf_files.py", ("gguf", "numpy", "torch")),
    *(Outside(f"bench/{name}.py", ("tests",)) for name in ("crowd", "start")),
    Outside("bench/reading.py", ("numba", "numpy")),
    Outside("deploy/*", ()),
    Outside("bench/*", ("matplotlib", "numpy", "safetensors", "torch", "tqdm")),
)


def position(module: str) -> tuple[str, int] | None:
    """The package of a module of ours, and where its place stands there; None where nowhere.

    A package itself, which hands on what is in it, stands above all of its places.
    """
    package, *places = module.split(".")
    order = ORDER.get(package, ())
    if not order or not places or places == ["__init__"]:
        return package, len(order)
    return (package, order.index(places[0])) if places[0] in order else None


def violations(root: Path) -> list[str]:
    """A sentence for each import that the lists do not allow, and each place they do not name."""
    found: list[str] = []
    for file in code_files(root):
        place = file.relative_to(root).as_posix()
        mine = position(place.removesuffix(".py").replace("/", "."))
        outside = next((row for row in OUTSIDE if fnmatch(place, row.place)), None)
        if mine is None or outside is None:
            found.append(f"{place} stands in no list: say in ORDER and OUTSIDE where it belongs")
            continue
        for entry in imports(root, file):
            where, top = f"{place}:{entry.line}", entry.module.split(".")[0]
            if top in OURS:
                theirs = position(entry.module)
                up = theirs is None or (theirs[0] == mine[0] and theirs[1] > mine[1])
                if up or (top != mine[0] and top not in BELOW[mine[0]]):
                    found.append(f"{where} imports {entry.module}, which stands above it")
            elif top not in sys.stdlib_module_names:
                if top not in outside.packages:
                    found.append(f"{where} imports {entry.module}, not one of {outside.packages}")
                elif outside.inside and not entry.inside:
                    found.append(f"{where} imports {entry.module} for all, not inside its class")
    return found


def test_every_import_runs_downward() -> None:
    assert violations(ROOT) == []


def test_every_place_that_the_lists_name_is_there() -> None:
    for package, order in ORDER.items():
        there = {path.stem for path in (ROOT / package).iterdir() if path.stem != "__pycache__"}
        assert set(order) == there - {"__init__"}
    for row in OUTSIDE:
        assert any(
            fnmatch(file.relative_to(ROOT).as_posix(), row.place) for file in code_files(ROOT)
        )


@pytest.mark.parametrize(("package", "most"), [("gpt", 16), ("train", 24), ("chat", 16)])
def test_a_package_is_a_list_that_one_look_takes_in(package: str, most: int) -> None:
    assert len(ORDER[package]) <= most


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("gpt/config.py", "import torch", "gpt/config.py:1 imports torch"),
        (
            "gpt/config.py",
            "def f():\n    from gpt import model",
            "gpt/config.py:2 imports gpt.model, which stands above it",
        ),
        ("gpt/tokenizers/kinds.py", "from gpt import sampling", "which stands above it"),
        ("gpt/tokenizers/kinds.py", "import tiktoken", "not inside its class"),
        ("gpt/novelty.py", "import json", "gpt/novelty.py stands in no list"),
        ("gpt/cache.py", "from .config import GPTConfig", "gpt/cache.py:1 imports .config"),
        ("chat/story/tree.py", "import chainlit", "chat/story/tree.py:1 imports chainlit"),
        ("chat/story/tree.py", "from chainlit.session import x", "imports chainlit.session"),
        ("chat/story/tree.py", "from chat.session import Session", "which stands above it"),
        ("train/loop/run.py", "import app", "train/loop/run.py:1 imports app"),
        ("train/loop/run.py", "if True:\n    from chat.story import S", "imports chat.story"),
        ("train/loop/run.py", "from train.run import card", "which stands above it"),
        ("frontend/socket_page.py", "import train.loop.config", "imports train.loop.config"),
        ("app.py", "import torch", "app.py:1 imports torch"),
    ],
)
def test_an_import_that_runs_upward_or_outside_is_found(
    tmp_path: Path, place: str, code: str, said: str
) -> None:
    for module in ("gpt/model.py", "gpt/sampling/samplers.py", "chat/story/__init__.py", place):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_text("")
    for module in ("chat/session.py", "train/run/card.py"):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_text("")
    (tmp_path / place).write_text(code)
    assert len(found := violations(tmp_path)) == 1
    assert said in found[0]


def test_modules_import_each_other_one_way() -> None:
    edges: dict[str, set[str]] = {}
    for file in code_files(ROOT):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        edges[name] = {
            entry.module for entry in imports(ROOT, file) if entry.module.split(".")[0] in OURS
        }
    assert "gpt.config" in edges["gpt.model"]
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(f"a loop of imports: {' → '.join(error.args[1])}")


def test_the_training_loop_imports_the_loop_and_little_else() -> None:
    files = [each for each in reached(ROOT, "train.loop.train") if "__init__" not in each]
    assert len(files) <= 20
