"""What is written for people, by Jinja2 from templates/: Markdown, or one HTML file that needs
nothing beside it.

Every value that a template puts into the text is escaped for its kind, by the template's name:
for HTML in `.html`, for Markdown in `.md` (`train.run.marks`). What is Markdown already is a
`Markup`: what `render` returned, what a filter made, what a person wrote in a card.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from train.run.marks import (
    code_span,
    command_line,
    escaped,
    fenced,
    indented,
    paragraph,
    told,
    writable,
)

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True, slots=True)
class Heading:
    kind: ClassVar[str] = "heading"
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of equal length under their heads; heads that are all empty are not shown in HTML."""

    kind: ClassVar[str] = "table"
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is to be seen as it is: a story, a command."""

    kind: ClassVar[str] = "verbatim"
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, which Markdown shows by its `name` in the same folder and HTML holds itself."""

    kind: ClassVar[str] = "picture"
    name: str
    png: bytes
    alt: str

    @property
    def base64(self) -> str:
        return base64.b64encode(self.png).decode("ascii")


Part = Heading | Paragraph | Table | Verbatim | Picture


def markdown(parts: Iterable[Part]) -> Markup:
    """The page as Markdown with GitHub's tables."""
    return render("page.md", parts=parts)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Markup:
    """A table of GitHub's in Markdown, without a line end behind it."""
    return render("table.md", head=head, rows=rows)


def page(title: str, parts: Iterable[Part]) -> str:
    """The page as one HTML file: style and pictures inside, nothing loaded, nothing run."""
    return render("page.html", title=title, parts=parts)


def render(name: str, /, **values: Any) -> Markup:
    """What the template `name` makes of the values, each escaped unless it is a `Markup`."""
    engine = _MARKDOWN if name.endswith(".md") else _HTML
    return Markup(writable(engine.get_template(name).render(values)))


def _table(part: Table) -> Markup:
    return table(part.head, part.rows)


def _yaml(text: str) -> str:
    """A string of YAML, of which JSON is a part: `no` and `007` stay text."""
    return json.dumps(text, ensure_ascii=False)


def _thousands(number: float) -> str:
    return f"{number:,}"


def _percent(share: float) -> str:
    return f"{share:.0%}"


def _digits(number: float, places: int = 4) -> str:
    return f"{number:.{places}f}"


def _unless_marked(value: object) -> Markup:
    """A value as Markdown, before Jinja2 escapes it for HTML, which it spares a Markup."""
    return value if isinstance(value, Markup) else Markup(escaped(str(value)))


def _marked(make: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *values: Markup(make(*values))


def _environment(filters: Mapping[str, Callable[..., str]]) -> Environment:
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    numbers = {"digits": _digits, "percent": _percent, "thousands": _thousands}
    made.filters.update({**filters, **numbers})  # pyright: ignore[reportUnknownMemberType]
    return made


_MARKS = {
    "code": code_span,
    "command": command_line,
    "fenced": fenced,
    "indented": indented,
    "paragraph": paragraph,
    "table": _table,
    "told": told,
    "yaml": _yaml,
}
_HTML = _environment({})
_MARKDOWN = _environment({name: _marked(make) for name, make in _MARKS.items()})
_MARKDOWN.finalize = _unless_marked
