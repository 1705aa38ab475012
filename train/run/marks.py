"""Text of others as it can stand in Markdown and in a command line: escaped at this one door.

A file's name, a prompt or a story may hold whatever its writer typed: line ends, `<b>`, `|`, `](`.
Templates for Markdown (train/run/document.py) escape each value with `escaped`; what is code, a
story or a command goes through one of the others here.
"""

import re
import shlex
from collections.abc import Iterable

_MARKS = re.compile(
    r"[\\`*<>|\[\]~$]"
    r"|&(?=#?\w+;)"  # what HTML would take for a character's name
    r"|(?<!\w)_|_(?!\w)"  # within a word it is no mark
)
_UNSEEN = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, those that turn the direction of a line, and halves of a character (a file's
name that is no UTF-8 has them), which no file of UTF-8 can hold."""
_BLOCK = re.compile(r"^(\s*)(?:([-+=#])|(\d+)([.)])(?=\s|$))")
"""What would begin a list, a heading or a line under one."""
_LINE_END = re.compile(r"\r\n?|\n")
_SAID = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def escaped(text: str) -> str:
    r"""Text in which Markdown sees no marks of its own, on one line.

    >>> print(escaped("<b>\n a|b_c &lt; _d_"))
    \<b\> a\|b_c \&lt; \_d\_
    """
    return _MARKS.sub(r"\\\g<0>", _one_line(text))


def paragraph(text: str) -> str:
    r"""The same at the beginning of a line, where more is a mark.

    >>> print(paragraph("# 1"), paragraph("1. a"))
    \# 1 1\. a
    """
    return _BLOCK.sub(_unblocked, escaped(text))


def fenced(text: str) -> str:
    """Text as it is in Markdown: in a fence that is longer than any in it."""
    fence = "`" * max(3, _longest_ticks(text) + 1)
    return f"{fence}text\n{text}\n{fence}"


def code_span(text: str) -> str:
    """A name as code within a line of Markdown, its white space as single spaces.

    >>> code_span("runs/a"), code_span("`a`")
    ('`runs/a`', '`` `a` ``')
    """
    text = _one_line(text)
    ticks = "`" * (_longest_ticks(text) + 1)
    space = " " * (len(ticks) > 1)
    return f"{ticks}{space}{text}{space}{ticks}"


def indented(text: str) -> str:
    """Text as it is in Markdown: a block of lines that begin with four spaces."""
    return "\n".join("    " + line for line in text.splitlines())


def shell_word(text: str) -> str:
    r"""Text as a word of a command line, on one line and to be seen.

    >>> print(shell_word("ROMEO:\n"))
    $'ROMEO:\n'
    """
    if text.isprintable():
        return shlex.quote(text)
    return f"$'{''.join(map(_said, text))}'"


def command_line(command: str) -> str:
    """A command on one line, so that the lines around it stay what they are."""
    if command.isprintable():
        return command
    try:
        return " ".join(map(shell_word, shlex.split(command)))
    except ValueError:  # a quotation mark that does not close
        return _one_line(command)


def command_of(module: str, words: Iterable[str]) -> str:
    r"""A command as it is noted and told: words that a shell reads as they were given, but for what
    is no UTF-8 in a name, which is U+FFFD.

    >>> command_of("train.pretrain", ["--out", "my run", "caf\udce9.txt"]).encode()
    b"python -m train.pretrain --out 'my run' 'caf\xef\xbf\xbd.txt'"
    """
    # A name that is no UTF-8 can stand in no file of it.
    return f"python -m {module} {writable(shlex.join(words))}"


def generate_command(model: str, prompt: str, options: str) -> str:
    """The command that writes on from a prompt, which may look like an option, as a model may.

    >>> generate_command("runs/a b", "-Non", "--seed 1")
    "python -m gpt.generate --seed 1 -- 'runs/a b' -Non"
    """
    words = f"{shell_word(model)} {shell_word(prompt)}"
    dashes = model.startswith("-") or prompt.startswith("-")
    words = f"{options} -- {words}" if dashes else f"{words} {options}"
    return f"python -m gpt.generate {words}"


def told(opening: str, text: str) -> str:
    """A Markdown quotation of a story to the letter, line by line, its opening in bold.

    Spaces at the end of a line, and line ends at the end of the story, are left out.
    """
    lines: list[str] = []
    for line in _LINE_END.split(opening):
        line = _story_line(line)
        lines.append(f"**{line.strip()}**" if line.strip() else "")
    first, *rest = map(_story_line, _LINE_END.split(text.rstrip()))
    lines[-1] += first
    return "\n".join(f"> {line}  " if line.strip() else ">" for line in [*lines, *rest]).rstrip()


def writable(text: str) -> str:
    """The text with what no file of UTF-8 can hold as U+FFFD."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)


def _one_line(text: str) -> str:
    return _UNSEEN.sub("\ufffd", " ".join(text.split()))


def _longest_ticks(text: str) -> int:
    return max(map(len, re.findall("`+", text)), default=0)


def _said(character: str) -> str:
    """A character within $'…'."""
    if character in _SAID:
        return _SAID[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 1 << 16 else f"\\U{code:08x}"


def _story_line(line: str) -> str:
    """A line in which Markdown sees no marks of its own."""
    return _BLOCK.sub(_unblocked, re.sub(r"([\\`*_<>|\[\]~#&$])", r"\\\1", line))


def _unblocked(found: re.Match[str]) -> str:
    space, mark, number, point = found.groups()
    return f"{space}\\{mark}" if mark else f"{space}{number}\\{point}"
