"""What each file of ours imports, read from its text: nothing of it is run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("gpt", "chat", "frontend", "app", "train", "bench", "deploy")


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
