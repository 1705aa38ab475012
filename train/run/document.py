"""A page in parts, written as Markdown or as one HTML file that needs nothing beside it."""

import base64
import html
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

STYLE = """
:root { color-scheme: light dark; --line: #8885; --ink: #b5532a; }
body { font: 16px/1.55 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2, h3 { line-height: 1.25; margin: 2rem 0 .5rem; }
h2 { color: var(--ink); }
h3 { font-size: 1rem; }
img { max-width: 100%; background: #fff; border-radius: 6px; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--ink);
  margin: .5rem 0 1rem; padding: .25rem 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem 1rem .3rem 0; text-align: left;
  vertical-align: top; overflow-wrap: break-word; }
"""
# Even if something of a story were taken for HTML, a browser would load and run nothing.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


LINE_END = re.compile(r"[\r\n]")


@dataclass(frozen=True, slots=True)
class Heading:
    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of equal length under their heads; heads that are all empty are not shown in HTML."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Verbatim:
    """Text that is to be seen as it is: a story, a command."""

    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A PNG, which Markdown shows by its `name` in the same folder and HTML holds itself."""

    name: str
    png: bytes
    alt: str


Part = Heading | Paragraph | Table | Verbatim | Picture


def escaped(text: str) -> str:
    """Text in which Markdown sees no marks of its own, on one line."""
    return re.sub(r"([\\`*<>|\[\]])", r"\\\1", " ".join(text.split()))


def fenced(text: str) -> str:
    """Text as it is in Markdown: in a fence that is longer than any in it."""
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def code_span(text: str) -> str:
    """A name as code within a line of Markdown, its white space as single spaces.

    >>> code_span("runs/a"), code_span("`a`")
    ('`runs/a`', '`` `a` ``')
    """
    text, ticks = " ".join(text.split()), "`" * (_longest_ticks(text) + 1)
    space = " " * (len(ticks) > 1)
    return f"{ticks}{space}{text}{space}{ticks}"


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def shell_word(text: str) -> str:
    r"""Text as a word of a command line, on one line.

    >>> print(shell_word("ROMEO:\n"))
    $'ROMEO:\n'
    """
    if not LINE_END.search(text):
        return shlex.quote(text)
    for mark, said in (("\\", r"\\"), ("'", r"\'"), ("\n", r"\n"), ("\r", r"\r")):
        text = text.replace(mark, said)
    return f"$'{text}'"


def command_line(command: str) -> str:
    """A command on one line, so that the lines around it stay what they are."""
    if not LINE_END.search(command):
        return command
    try:
        return " ".join(map(shell_word, shlex.split(command)))
    except ValueError:  # a quotation mark that does not close
        return " ".join(command.split())


def told(opening: str, text: str) -> str:
    """A Markdown quotation of a story to the letter, line by line, its opening in bold.

    Spaces at the end of a line, and line ends at the end of the story, are left out.
    """
    lines: list[str] = []
    for line in opening.split("\n"):
        line = _plain(line)
        lines.append(f"**{line.strip()}**" if line.strip() else "")
    first, *rest = map(_plain, text.rstrip().split("\n"))
    lines[-1] += first
    return "\n".join(f"> {line}  " if line.strip() else ">" for line in [*lines, *rest]).rstrip()


def _plain(line: str) -> str:
    """A line in which Markdown sees no marks of its own."""
    line = re.sub(r"([\\`*_<>|\[\]~#&])", r"\\\1", line)
    return re.sub(r"^(\s*)([-+]|\d+[.)])", r"\1\\\2", line)  # what would begin a list


def markdown(parts: Iterable[Part]) -> str:
    """The page as Markdown with GitHub's tables."""
    return "\n\n".join(map(_markdown, parts)) + "\n"


def _markdown(part: Part) -> str:
    match part:
        case Heading():
            return "#" * part.level + " " + escaped(part.text)
        case Paragraph():
            return escaped(part.text)
        case Verbatim():
            return fenced(part.text)
        case Picture():
            return f"![{escaped(part.alt)}]({part.name})"
        case Table():
            lines = [list(map(escaped, line)) for line in (part.head, *part.rows)]
            lines.insert(1, ["---"] * len(part.head))
            return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(title: str, parts: Iterable[Part]) -> str:
    """The page as one HTML file: style and pictures inside, nothing loaded, nothing run."""
    body = "\n".join(map(_html, parts))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _html(part: Part) -> str:
    match part:
        case Heading():
            return f"<h{part.level}>{html.escape(part.text)}</h{part.level}>"
        case Paragraph():
            return f"<p>{html.escape(part.text)}</p>"
        case Verbatim():
            # HTML drops a line end right after <pre>.
            return f"<pre>\n{html.escape(part.text)}</pre>"
        case Picture():
            data = base64.b64encode(part.png).decode("ascii")
            return f'<img alt="{html.escape(part.alt)}" src="data:image/png;base64,{data}">'
        case Table():
            head = "".join(f"<th>{html.escape(cell)}</th>" for cell in part.head)
            lines = [f"<tr>{head}</tr>"] * any(part.head)
            for row in part.rows:
                lines.append("<tr>" + "".join(f"<td>{html.escape(c)}</td>" for c in row) + "</tr>")
            return '<div class="scroll"><table>\n' + "\n".join(lines) + "\n</table></div>"
