"""What comes from elsewhere is named and pinned, and no data file can run code."""

import ast
import re
import sys
from pathlib import Path

import pytest

from tests.support.imports import OURS, ROOT, code_files, imports

PICKLES = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve")
NO_ROOM = ("utils", "util", "helpers", "helper", "common", "manager", "misc")
# Where the import has another name.
DISTRIBUTIONS = {
    "docx": "python-docx",
    "jwt": "pyjwt",
    "socketio": "python-socketio",
    "PIL": "pillow",
    "yaml": "pyyaml",
}


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
    [
        ([name for name in OURS if name != "bench"], ["requirements.in"]),
        (["bench", "tests"], ["requirements.in", "requirements-dev.in"]),
    ],
)
def test_every_package_imported_is_named_in_requirements(
    folders: list[str], requirements: list[str]
) -> None:
    files = [file for name in folders for file in (ROOT / name).rglob("*.py")]
    files += [ROOT / f"{name}.py" for name in folders if (ROOT / f"{name}.py").exists()]
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
