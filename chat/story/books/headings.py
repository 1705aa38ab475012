"""Which lines of a story are headings and which part scenes, as far as a line alone is certain.

What is not certain is a paragraph: a heading that was missed reads as it was written, and a
sentence that was taken for one would not.
"""

import re
from collections.abc import Iterable

from gpt.text.scripts import compiled

BREAK = 0
"""The level of a line that parts two scenes; that of a heading is 1 to 6."""
LONGEST = 90
"""Characters of a heading by its name and number; a longer line is a paragraph."""
LONGEST_MARKED = 300
LONGEST_BREAK = 40
LONGEST_TITLE = 60
"""Of a title that follows a number without a mark between them."""

_BREAK = re.compile(
    r"(?:[*•·◦○●⁂⁑※§❦❧☙✻✽✦❖◆◇~] {0,3})+|(?:[-–_] ?){3,}|(?:— ?){2,}|⸻|#(?: ?#){0,5}"
)
_MARKED = re.compile(r"(#{1,6})[ \t]+([^#\s].*)")
_ROMAN = r"(?=[IVXLC])C{0,3}(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})"
_ONES = "one|two|three|four|five|six|seven|eight|nine"
_TEENS = (
    "ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|"
    "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety"
)
_ORDINALS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|last"
_NUMBER = (
    rf"(?:\d{{1,4}}|{_ROMAN}|(?:the )?(?:{_ORDINALS})"
    rf"|(?:{_TEENS})(?:[- ](?:{_ONES}))?|{_ONES})"
)
_NAMES = {
    "part|book|volume|teil|buch|band|partie|livre|parte|libro|livro|deel|часть|книга": 1,
    "chapter|kapitel|chapitre|capítulo|capitolo|hoofdstuk|rozdział|kapitola|глава|розділ": 2,
    "act|scene|canto|akt|szene|acte|scène|acto|escena|atto|scena|действие|явление": 3,
}
"""What the divisions of a book are called, and the level of each."""
_NUMBERED = [
    (
        compiled(
            rf"(?i:{names})[ \t]+(?i:{_NUMBER})"
            r"(?:[.:]?|[ \t]*[.:–—-][ \t]*(?P<title>\S.*)|[ \t]+(?P<bare>\p{Lu}.*))"
        ),
        level,
    )
    for names, level in _NAMES.items()
]
_UNNUMBERED = re.compile(
    r"(?:prologue|epilogue|interlude|preface|foreword|afterword|prolog|epilog|vorwort|nachwort"
    r"|prólogo|epílogo|prologo|epilogo|préface|épilogue|пролог|эпилог|序章|終章|终章|楔子)[.:]?",
    re.I,
)
_CHINESE = (
    r"第\s?[\d０-９〇零一二三四五六七八九十百千两兩]{1,7}\s?"
    r"(?:(?P<part>[卷部集篇])|[章回節节話话幕])"
)
_EASTERN = re.compile(rf"(?:{_CHINESE}|제\s?\d{{1,4}}\s?[장화막])(?:[\s\u3000:：.、・-]+\S.*)?")
_ALONE = re.compile(rf"(?:(?P<digits>\d{{1,3}})|(?P<roman>{_ROMAN}))\.?")
_ROMAN_DIGITS = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100}


def level_of(line: str, *, apart: bool) -> int | None:
    """The level of a heading, or BREAK; None for a line that is neither.

    Args:
        line: Without white space around it.
        apart: An empty line stands before it, or a heading, or nothing.
    """
    if len(line) <= LONGEST_BREAK and _BREAK.fullmatch(line):
        return BREAK
    if line.startswith("#"):
        found = _MARKED.fullmatch(line) if len(line) <= LONGEST_MARKED else None
        return len(found[1]) if found else None
    if len(line) > LONGEST:
        return None
    for form, level in _NUMBERED:
        if found := form.fullmatch(line):
            title, bare = found["title"], found["bare"]
            # A name and a number alone are sure wherever they stand.
            sure = apart or not (title or bare)
            return level if sure and _is_title(title or "", bare or "") else None
    if found := _EASTERN.fullmatch(line):
        return 1 if found["part"] is not None else 2
    return 2 if apart and _UNNUMBERED.fullmatch(line) else None


def title_of(line: str) -> str:
    """What a heading says, without Markdown's marks."""
    found = _MARKED.fullmatch(line)
    return (found[2].rstrip("#").rstrip() or found[2]) if found else line


def counted(lines: Iterable[str]) -> set[int]:
    """Where numbers alone on a line are headings, for they count on: 1, 2, 3 …

    Args:
        lines: All of a text's; each is counted from 0.
    """
    found: set[int] = set()
    before, last, apart = 0, 0, True
    for place, whole in enumerate(lines):
        line = whole.strip() if len(whole) < LONGEST else whole
        number = _number(line) if apart and line else 0
        apart = not line
        if not number:
            continue
        if last and number == last + 1:
            found |= {before, place}
        before, last = (place, number) if number in (1, last + 1) else (0, 0)
    return found


def _number(line: str) -> int:
    """What a number that stands alone counts; 0 for another line."""
    found = _ALONE.fullmatch(line) if len(line) < 12 else None
    if not found:
        return 0
    if found["digits"]:
        return int(found["digits"])
    values = [_ROMAN_DIGITS[each] for each in found["roman"]]
    return sum(
        -own if own < after else own for own, after in zip(values, [*values[1:], 0], strict=True)
    )


def _is_title(title: str, bare: str) -> bool:
    """Whether what follows a number is a title, and no sentence."""
    if bare:
        return len(bare) <= LONGEST_TITLE and not bare.endswith(tuple('.,;:!?…"”»'))
    return not title.endswith((".", ",", ";"))
