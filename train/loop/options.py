"""Every field of `TrainConfig` as a command-line option, its docstring as the help."""

import argparse
import ast
import inspect
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from gpt.config import Shape
from gpt.files import CheckpointError, read_json
from train.loop.config import PRESETS, TrainConfig


def field_help() -> dict[str, str]:
    """The docstring under each field of `TrainConfig`, by its name; those of a shape included."""
    found: dict[str, str] = {}
    for each in (Shape, TrainConfig):
        found |= _documented(each)
    return found


def _documented(of: type) -> dict[str, str]:
    body = ast.parse(inspect.getsource(of)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for line, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            match below:
                case ast.Expr(ast.Constant(str(text))):
                    found[line.target.id] = " ".join(text.split())
                case _:
                    found[line.target.id] = ""
    return found


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add `--preset`, `--config` and an option for each field; one not given keeps its value."""
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--preset", choices=sorted(PRESETS), default="story", help="where the other values start"
    )
    start.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="start from a JSON file instead: best.json of a search, or config.json of a run",
    )
    add_field_options(parser, "the config (each overrides the preset)")


def add_field_options(
    parser: argparse.ArgumentParser, title: str, *, without: Collection[str] = ()
) -> None:
    """Add an option for each field but those of `without`; one not given is not in the result."""
    group = parser.add_argument_group(title)
    hints, documented = get_type_hints(TrainConfig), field_help()
    for field in fields(TrainConfig):
        if field.name in without:
            continue
        option = "--" + field.name.replace("_", "-")
        hint: Any = hints[field.name]
        more: dict[str, Any] = {"type": hint, "metavar": getattr(hint, "__name__", "").upper()}
        if get_origin(hint) is Literal:
            more = {"choices": get_args(hint)}
        elif hint is bool:
            more = {"action": argparse.BooleanOptionalAction}
        text = documented[field.name].replace("%", "%%")
        group.add_argument(option, default=argparse.SUPPRESS, help=text, **more)


def config_from(arguments: argparse.Namespace) -> TrainConfig:
    """The preset, or the file, with what was given on the command line put over it.

    Raises:
        ValueError: a value out of its range, or a file that holds no config.
    """
    start = read_config(arguments.config) if arguments.config else PRESETS[arguments.preset]()
    return replace(start, **given_fields(arguments))


def given_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that were given on the command line."""
    given = vars(arguments)
    return {field.name: given[field.name] for field in fields(TrainConfig) if field.name in given}


def read_config(path: Path) -> TrainConfig:
    """The config in a JSON file: all of it, or under "config" as a run has it.

    Raises:
        ValueError: there is no such file, or no config in it.
    """
    try:
        values = read_json(path.parent, path.name)
        return TrainConfig.from_dict(values.get("config", values))
    except (CheckpointError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"expected a training config in {path}, as train.search and every run write it: {error}"
        ) from error
