"""DESIGN.md's table of rooms, held against the code.

`ROOMS` is that table: one row for each place, the first that fits counts. A file that no row names
is an error too, so that a new place begins with saying what it may import.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("gpt", "chat", "frontend", "train", "bench", "app")
ANYTHING = ("*",)


@dataclass(frozen=True, slots=True)
class Room:
    """The files that `place` matches, and what their code may import.

    `ours` are modules of this project, each with all below it; `others` are packages from outside;
    the standard library is always allowed. `inside` asks that the others be imported in the
    function or class that needs them.
    """

    place: str
    ours: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    inside: bool = False


TORCH = ("torch",)
TOKENIZER_PARTS = (
    "gpt.files",
    "gpt.tokenizers.sentencepiece_scores",
    "gpt.tokenizers.checks",
    "gpt.tokenizers.errors",
    "gpt.tokenizers.fast",
    "gpt.tokenizers.files",
    "gpt.tokenizers.kinds",
    "gpt.tokenizers.pieces",
    "gpt.tokenizers.trial",
)
ROOMS = (
    Room("gpt/__init__.py", ("gpt.checkpoint", "gpt.config", "gpt.checkpoint.hub", "gpt.model")),
    Room("gpt/config.py"),
    Room("gpt/files.py"),
    Room("gpt/checkpoint/schema.py", (), ("pydantic",)),
    Room("gpt/tokenizers/fast.py", TOKENIZER_PARTS, ("tokenizers",), inside=True),
    Room("gpt/tokenizers/try_tokenizer.py", ("gpt.tokenizers", *TOKENIZER_PARTS)),
    Room(
        "gpt/tokenizers/kinds.py",
        TOKENIZER_PARTS,
        ("sentencepiece", "tiktoken", "tokenizers"),
        inside=True,
    ),
    Room("gpt/tokenizer_*.py", TOKENIZER_PARTS),
    Room("gpt/tokenizers/sentencepiece_scores.py", ("gpt.tokenizers.errors",)),
    Room("gpt/tokenizers/tokenizer.py", TOKENIZER_PARTS),
    Room("gpt/dataset.py", (), ("numpy", "torch")),
    Room("gpt/checkpoint/provenance.py", ("gpt.files",)),
    Room("gpt/text/memorization.py", (), ("numpy",)),
    Room("gpt/cache.py", ("gpt.config",), TORCH),
    Room("gpt/model.py", ("gpt.cache", "gpt.config"), TORCH),
    Room(
        "gpt/checkpoint/hf_format.py",
        ("gpt.config", "gpt.model", "gpt.checkpoint.schema"),
        ("pydantic", "torch"),
    ),
    Room(
        "gpt/checkpoint/weights.py", ("gpt.config", "gpt.files", "gpt.checkpoint.hf_format"), TORCH
    ),
    Room("gpt/sampling.py", (), TORCH),
    Room("gpt/distribution.py", ("gpt.sampling",), TORCH),
    Room("gpt/text/stop_strings.py"),
    Room("gpt/text/sentences.py"),
    Room(
        "gpt/text/streamer.py",
        ("gpt.sampling", "gpt.text.sentences", "gpt.text.stop_strings", "gpt.tokenizers"),
    ),
    Room("gpt/text/repetition.py"),
    Room("gpt/native/*", ("gpt.native",), TORCH),
    Room(
        "gpt/generator.py",
        (
            *("gpt.cache", "gpt.config", "gpt.model", "gpt.native", "gpt.text.streamer"),
            *("gpt.sampling", "gpt.tokenizers"),
        ),
        TORCH,
    ),
    Room("gpt/fair_queue.py"),
    Room("gpt/request.py", ("gpt.fair_queue", "gpt.generator", "gpt.sampling"), TORCH),
    Room(
        "gpt/engine.py",
        (
            *("gpt.fair_queue", "gpt.generator", "gpt.model", "gpt.request", "gpt.sampling"),
            "gpt.tokenizers",
        ),
        TORCH,
    ),
    Room(
        "gpt/checkpoint/folder.py",
        (
            *(
                "gpt.config",
                "gpt.files",
                "gpt.checkpoint.hf_format",
                "gpt.model",
                "gpt.checkpoint.schema",
                "gpt.text.sentences",
            ),
            *("gpt.tokenizers", "gpt.tokenizers.files", "gpt.checkpoint.weights"),
        ),
        ("safetensors", "torch"),
    ),
    Room("gpt/checkpoint/hub.py", ("gpt.checkpoint",), ("huggingface_hub", "torch")),
    Room("gpt/checkpoint/generation_config.py", ("gpt.files", "gpt.sampling", "gpt.tokenizers")),
    Room("gpt/export.py", ("gpt.checkpoint", "gpt.config", "gpt.model", "gpt.tokenizers"), TORCH),
    Room("gpt/generate.py", ("gpt",)),
    Room("gpt/server.py", ("gpt",), ("fastapi", "pydantic", "starlette", "uvicorn")),
    Room("chat/*", ("chat", "gpt"), ("httpx", "jwt", "numpy", "plotly")),
    Room(
        "frontend/*",
        ("frontend", "chat", "gpt"),
        ("aiosqlite", "chainlit", "fastapi", "pydantic", "socketio", "sqlalchemy", "starlette"),
    ),
    Room("app.py", ("frontend", "chat", "gpt"), ("chainlit",)),
    Room(
        "train/*",
        ("train", "gpt"),
        (
            *("huggingface_hub", "matplotlib", "numpy", "optuna", "safetensors", "sqlalchemy"),
            *("tokenizers", "torch", "tqdm"),
        ),
    ),
    Room("bench/*", ANYTHING, ANYTHING),
)
PICKLES = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
NO_ROOM = ("utils", "util", "helpers", "helper", "common", "manager", "misc")
DISTRIBUTIONS = {"jwt": "pyjwt", "socketio": "python-socketio"}  # where the import has another name


@dataclass(frozen=True, slots=True)
class Import:
    """One module that a file imports, and where."""

    module: str
    line: int
    inside: bool
    """Within a function or a class, so paid for only by who needs it."""


def code_files(root: Path) -> list[Path]:
    """Every file of ours that runs: the rooms and app.py, not the tests."""
    folders = [path for name in OURS for path in sorted((root / name).rglob("*.py"))]
    return folders + [root / "app.py"] * (root / "app.py").exists()


def is_module(root: Path, name: str) -> bool:
    path = root.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


def imports(root: Path, file: Path) -> Iterator[Import]:
    """Every import in `file`, wherever it stands; `from gpt import model` counts as gpt.model."""

    def walk(node: ast.AST, inside: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(alias.name, child.lineno, inside)
            elif isinstance(child, ast.ImportFrom):
                full = [f"{child.module}.{alias.name}" for alias in child.names]
                names = {name if is_module(root, name) else str(child.module) for name in full}
                for name in sorted(names):
                    yield Import("." * child.level + name, child.lineno, inside)
            within = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            yield from walk(child, inside or within)

    yield from walk(ast.parse(file.read_text(encoding="utf-8"), filename=str(file)), False)


def room_of(place: str) -> Room | None:
    return next((room for room in ROOMS if fnmatch(place, room.place)), None)


def allowed(module: str, names: tuple[str, ...]) -> bool:
    return names == ANYTHING or any(
        module == name or module.startswith(name + ".") for name in names
    )


def violations(root: Path) -> list[str]:
    """A sentence for each import that the table does not allow, and each file it does not name."""
    found: list[str] = []
    for file in code_files(root):
        place = file.relative_to(root).as_posix()
        room = room_of(place)
        if room is None:
            found.append(f"{place} stands in no row of ROOMS: say there what it may import")
            continue
        for entry in imports(root, file):
            where, top = f"{place}:{entry.line}", entry.module.split(".")[0]
            if top in OURS:
                if not allowed(entry.module, room.ours):
                    found.append(f"{where} imports {entry.module}, not one of {room.ours}")
            elif top not in sys.stdlib_module_names:
                if not allowed(entry.module, room.others):
                    found.append(f"{where} imports {entry.module}, not one of {room.others}")
                elif room.inside and not entry.inside:
                    found.append(f"{where} imports {entry.module} for all, not inside its class")
    return found


def dangers(file: Path) -> list[str]:
    """Whatever in `file` could run code out of a data file."""
    found: list[str] = []
    for entry in imports(ROOT, file):
        if entry.module.split(".")[0] in PICKLES:
            found.append(f"{file}:{entry.line} imports {entry.module}")
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name("torch"), attr="load"):
                found.append(f"{file}:{node.lineno} uses torch.load")
            case ast.keyword(arg="trust_remote_code" | "allow_pickle", value=value):
                if not (isinstance(value, ast.Constant) and value.value is False):
                    found.append(f"{file}:{node.lineno} sets {node.arg}")
            case _:
                pass
    return found


def named(requirements: str) -> set[str]:
    """The packages that a requirements file names, each as PyPI spells its address."""
    lines = (ROOT / requirements).read_text(encoding="utf-8").splitlines()
    names = [match[0] for line in lines if (match := re.match(r"[A-Za-z0-9][\w.-]*", line))]
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names}


def test_every_import_is_one_that_the_table_allows() -> None:
    assert violations(ROOT) == []


def test_every_row_of_the_table_names_a_known_room() -> None:
    assert {room.place.split("/")[0].removesuffix(".py") for room in ROOMS} == set(OURS)


@pytest.mark.parametrize(
    ("place", "code", "said"),
    [
        ("gpt/config.py", "import torch", "gpt/config.py:1 imports torch"),
        (
            "gpt/config.py",
            "def f():\n    from gpt import model",
            "gpt/config.py:2 imports gpt.model",
        ),
        ("gpt/tokenizers/kinds.py", "import tiktoken", "not inside its class"),
        ("gpt/novelty.py", "import json", "gpt/novelty.py stands in no row"),
        ("gpt/cache.py", "from .config import GPTConfig", "gpt/cache.py:1 imports .config"),
        ("chat/story/tree.py", "import chainlit", "chat/story/tree.py:1 imports chainlit"),
        ("chat/story/tree.py", "from chainlit.session import x", "imports chainlit.session"),
        ("train/run/folder.py", "import app", "train/run/folder.py:1 imports app"),
        ("train/run/folder.py", "if True:\n    from chat.story import Story", "imports chat.story"),
        ("frontend/page.py", "import train.loop.config", "imports train.loop.config"),
        ("app.py", "import torch", "app.py:1 imports torch"),
    ],
)
def test_an_import_against_the_table_is_found(
    tmp_path: Path, place: str, code: str, said: str
) -> None:
    for module in ("gpt/model.py", "chat/story/tree.py", place):
        (tmp_path / module).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / module).write_text("")
    (tmp_path / place).write_text(code)
    assert len(found := violations(tmp_path)) == 1
    assert said in found[0]


def test_the_modules_of_gpt_import_each_other_one_way() -> None:
    edges: dict[str, set[str]] = {}
    for file in (ROOT / "gpt").rglob("*.py"):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts)
        edges[name] = {
            entry.module for entry in imports(ROOT, file) if entry.module.startswith("gpt.")
        }
    assert "gpt.config" in edges["gpt.model"]
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(f"a loop of imports: {' → '.join(error.args[1])}")


def test_no_file_is_called_utils() -> None:
    bad = [str(file) for file in code_files(ROOT) if set(file.stem.split("_")) & set(NO_ROOM)]
    assert bad == []


def test_no_file_can_run_code_out_of_a_data_file() -> None:
    assert [found for file in code_files(ROOT) for found in dangers(file)] == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from joblib import load",
        "import torch\ntorch.load('x')",
        "AutoModel.from_pretrained('x', trust_remote_code=True)",
        "np.load('x', allow_pickle=flag)",
    ],
)
def test_code_that_would_run_a_data_file_is_found(tmp_path: Path, code: str) -> None:
    (tmp_path / "risky.py").write_text(code)
    assert len(dangers(tmp_path / "risky.py")) == 1


@pytest.mark.parametrize(
    ("folders", "requirements"),
    [(OURS, ["requirements.in"]), (("tests",), ["requirements.in", "requirements-dev.in"])],
)
def test_every_package_imported_is_named_in_requirements(
    folders: tuple[str, ...], requirements: list[str]
) -> None:
    files = code_files(ROOT) if folders == OURS else list((ROOT / "tests").rglob("*.py"))
    known = {name for file in requirements for name in named(file)}
    local = {"tests", *OURS, *sys.stdlib_module_names, *(file.stem for file in files)}
    tops = {entry.module.split(".")[0] for file in files for entry in imports(ROOT, file)} - local
    assert {DISTRIBUTIONS.get(top, top).replace("_", "-") for top in tops} <= known


def test_every_package_named_is_imported() -> None:
    tops = {e.module.split(".")[0] for file in code_files(ROOT) for e in imports(ROOT, file)}
    assert named("requirements.in") <= {
        DISTRIBUTIONS.get(top, top).replace("_", "-") for top in tops
    }


def test_every_package_named_is_pinned() -> None:
    pinned = named("requirements.txt")
    assert named("requirements.in") <= pinned
    assert named("requirements-dev.in") <= pinned | named("requirements-dev.txt")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_a_lock_holds_one_version_of_each_package_and_no_address(name: str) -> None:
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    assert [
        line for line in lines if not re.match(r"(#|-r requirements\.txt$|[\w.-]+==[\w.]+$)", line)
    ] == []
    pins = [line for line in lines if "==" in line]
    assert len(pins) == len(named(name))
