"""docs/architecture.md says what is true, no room is left out, and each make has a recipe."""

import re

import pytest

from tests.support.imports import ROOT
from tests.test_imports import ORDER

TEXT = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALKS = ("A text becomes a checkpoint", "A message becomes words on the page")


def part(title: str) -> str:
    """What stands under a heading, to the next one of its kind."""
    return re.split(r"^## ", TEXT.split(f"## {title}\n")[1], maxsplit=1, flags=re.M)[0]


@pytest.mark.parametrize("walk", WALKS)
def test_a_walk_has_at_most_fifteen_files_and_all_of_them_are_there(walk: str) -> None:
    files = re.findall(r"^\| \d+ \| `([^`]+)` \|", part(walk), re.M)
    assert 10 <= len(files) <= 15
    assert [file for file in files if not (ROOT / file).is_file()] == []
    assert len(set(files)) == len(files)


def test_every_file_that_it_names_is_there() -> None:
    named = set(re.findall(r"`((?:gpt|chat|frontend|train|public|tests)/[\w/]+\.\w+)`", TEXT))
    assert len(named) > 30
    assert [file for file in sorted(named) if not (ROOT / file).is_file()] == []


@pytest.mark.parametrize("package", list(ORDER))
def test_the_tables_name_every_folder_of_a_package_and_none_that_is_gone(package: str) -> None:
    table = part("The places, from the bottom up").split(f"### `{package}/`")[1].split("###")[0]
    folders = {path.name for path in (ROOT / package).iterdir() if (path / "__init__.py").is_file()}
    assert set(re.findall(r"`(\w+)/`", table)) == folders


@pytest.mark.parametrize("package", ["gpt", "chat"])
def test_the_tables_name_every_file_that_stands_on_top(package: str) -> None:
    table = part("The places, from the bottom up").split(f"### `{package}/`")[1].split("###")[0]
    files = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    assert set(re.findall(r"`(\w+)\.py`", table)) == files


def test_the_readme_s_tree_has_the_places_of_each_package() -> None:
    tree = (ROOT / "README.md").read_text(encoding="utf-8").split("## How it works")[1]
    for package in ("gpt", "chat"):
        for name in ORDER[package]:
            assert re.search(rf"\b{name}(\.py|/)", tree), name


@pytest.mark.parametrize("place", ["Makefile", "CONTRIBUTING.md", "README.md", "pyproject.toml"])
def test_every_make_that_is_named_has_a_recipe(place: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    rules = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    text = (ROOT / place).read_text(encoding="utf-8")
    named = re.findall(r"`make ([a-z-]+)", text)
    if place == "Makefile":
        named = makefile.replace("\\\n", " ").split(".PHONY:")[1].split("\n")[0].split()
    assert named
    assert [name for name in named if name not in rules] == []
