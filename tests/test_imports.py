"""The plan of docs/architecture.md, held against the code: imports run downward.

`ORDER` lists the places of each package, files and folders, from the bottom up: a place may import
those before it, and `BELOW` says which other packages it may. `OUTSIDE` says which packages from
elsewhere a place may use. A place that stands in no list is an error too, so that a new one begins
with saying where it belongs.
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
BELOW = {
    "gpt": (),
    "chat": ("gpt",),
    "frontend": ("chat", "gpt"),
    "app": ("frontend", "chat", "gpt"),
    "train": ("gpt",),
    "bench": ("train", "gpt"),
}
OURS = tuple(BELOW)
ORDER: dict[str, tuple[str, ...]] = {
    "gpt": (
        *(
            "config",
            "strict_json",
            "files",
            "fair_queue",
            "tokenizers",
            "sampling",
            "dataset",
            "text",
            "cache",
        ),
        *("distribution", "model", "checkpoint", "generator", "request", "engine", "generate"),
    ),
    "chat": (
        *("errors", "accounts", "settings", "turns", "models", "story", "page", "generate"),
        *("view", "acts", "commands", "compare", "jobs", "session_state", "session", "panels"),
    ),
    "train": (
        *("data", "loop", "adapt", "run", "quality", "hub", "reports", "studies"),
        *("report", "prepare", "pretrain", "finetune", "evaluate", "estimate", "explore"),
        *("search", "publish", "choose_sampling", "compare_tokenizers", "plot_temperature"),
        "sample_openings",
    ),
}
"""frontend/, bench/ and app.py have no order: each is one look."""


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
    Outside("gpt/text/memorization.py", ("numpy",)),
    Outside("gpt/checkpoint/schema.py", ("pydantic",)),
    Outside("gpt/checkpoint/provenance.py", ()),
    Outside("gpt/checkpoint/generation_config.py", ()),
    Outside("gpt/checkpoint/hf_format.py", ("pydantic", "torch")),
    Outside("gpt/checkpoint/hub.py", ("huggingface_hub", "torch")),
    Outside("gpt/checkpoint/*", ("safetensors", "torch")),
    Outside("gpt/text/*", ()),
    *(
        Outside(f"gpt/{name}.py", ())
        for name in ("__init__", "config", "fair_queue", "files", "strict_json")
    ),
    Outside("gpt/*", ("torch",)),
    Outside("chat/*", ("jwt", "numpy")),
    Outside("frontend/*", ("chainlit", "fastapi", "pydantic", "socketio", "starlette")),
    Outside("app.py", ("chainlit",)),
    Outside(
        "train/*",
        (
            *("huggingface_hub", "matplotlib", "numpy", "optuna", "safetensors", "sqlalchemy"),
            *("tokenizers", "torch", "tqdm"),
        ),
    ),
    Outside("bench/*", ("matplotlib", "numpy", "torch", "tqdm")),
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
        ("frontend/page.py", "import train.loop.config", "imports train.loop.config"),
        ("app.py", "import torch", "app.py:1 imports torch"),
    ],
)
def test_an_import_that_runs_upward_or_outside_is_found(
    tmp_path: Path, place: str, code: str, said: str
) -> None:
    for module in ("gpt/model.py", "gpt/sampling.py", "chat/story/__init__.py", place):
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


def reached(root: Path, start: str) -> set[str]:
    """The files of ours that `import start` runs, the folders' own __init__ files included."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        parts = waiting.pop().split(".")
        for name in (".".join(parts[: n + 1]) for n in range(len(parts))):
            path = root.joinpath(*name.split("."))
            file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
            if not file.is_file() or (place := file.relative_to(root).as_posix()) in found:
                continue
            found.add(place)
            typed = typing_only(ast.parse(file.read_text(encoding="utf-8")))
            for entry in imports(root, file):
                if entry.module.split(".")[0] in OURS and entry.line not in typed:
                    waiting.append(entry.module)
    return found


def typing_only(tree: ast.Module) -> set[int]:
    """The lines of imports that are there for types alone, so that nothing runs them."""
    guards = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
    ]
    return {
        child.lineno for node in guards for child in ast.walk(node) if isinstance(child, ast.stmt)
    }


def test_the_training_loop_imports_the_loop_and_little_else() -> None:
    assert len(reached(ROOT, "train.loop.train")) <= 20


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
