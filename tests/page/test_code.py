"""The page's code and what checks it: the rules that Biome and TypeScript do not hold."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CODE = sorted(
    path
    for folder in ("public", "tests/page")
    for path in (ROOT / folder).rglob("*")
    if path.suffix in {".js", ".jsx", ".ts"}
)


def test_no_line_of_the_page_s_code_is_longer_than_120_characters():
    """Biome breaks code, but neither comments nor text."""
    assert len(CODE) > 30
    long = [
        f"{path.relative_to(ROOT)}:{at}"
        for path in CODE
        for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 120
    ]
    assert long == []


def test_every_file_of_the_page_is_held_by_its_types():
    untyped = [
        str(path.relative_to(ROOT))
        for path in CODE
        if path.suffix != ".ts"
        and not path.read_text(encoding="utf-8").startswith("// @ts-check\n")
    ]
    assert untyped == []


@pytest.mark.parametrize(
    "path", sorted((ROOT / "public" / "shared").glob("*.js")), ids=lambda path: path.name
)
def test_what_elements_share_imports_nothing_but_its_neighbours(path):
    """It is served as it is, so a package of npm's would not be found; and runs under Node.js."""
    imported = re.findall(r"^(?:import|export) .*from '([^']+)'", path.read_text(), re.M)
    beside = {f"./{each.name}" for each in path.parent.glob("*.js")}
    assert set(imported) <= beside


def test_the_page_s_tools_are_pinned_and_their_lock_names_no_host():
    wanted = json.loads((ROOT / "package.json").read_text())
    lock = json.loads((ROOT / "package-lock.json").read_text())
    assert "dependencies" not in wanted
    assert all(re.fullmatch(r"[\d.]+", each) for each in wanted["devDependencies"].values())
    packages = {name: each for name, each in lock["packages"].items() if name}
    assert len(packages) >= len(wanted["devDependencies"])
    assert [name for name, each in packages.items() if "resolved" in each] == []
    assert [name for name, each in packages.items() if "sha512-" not in each["integrity"]] == []
