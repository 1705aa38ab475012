"""Every field of `TrainConfig` as a command-line option, its docstring as the help."""

import argparse
import ast
import inspect
from collections.abc import Collection
from dataclasses import fields, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

from train.config import PRESETS, TrainConfig


def field_help() -> dict[str, str]:
    """The docstring under each field of `TrainConfig`, by its name."""
    body = ast.parse(inspect.getsource(TrainConfig)).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for line, below in zip(body.body, body.body[1:], strict=False):
        if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
            documented = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = str(below.value.value) if documented else ""  # pyright: ignore
            found[line.target.id] = " ".join(text.split())
    return found


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add `--preset` and an option for each field; a field not given keeps the preset's value."""
    parser.add_argument(
        "--preset", choices=sorted(PRESETS), default="story", help="where the other values start"
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
    """The preset with what was given on the command line put over it.

    Raises:
        ValueError: a value out of its range.
    """
    return replace(PRESETS[arguments.preset](), **given_fields(arguments))


def given_fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """The fields that were given on the command line."""
    given = vars(arguments)
    return {field.name: given[field.name] for field in fields(TrainConfig) if field.name in given}
