"""Settings that hold texts: several in one, with commas between them."""

import re
from collections.abc import Sequence

OFF = "off"
"""What says that there are no texts."""
_ESCAPED = {"n": "\n", "t": "\t"}


def texts_of(text: str) -> tuple[str, ...]:
    r"""The texts in one text with commas between them; \n is a line end, \t a tab, \, a comma.

    >>> texts_of("fox, the cat"), texts_of("off"), texts_of("off,")
    (('fox', 'the cat'), (), ('off',))
    """
    if text.strip().lower() == OFF:
        return ()
    parts = re.findall(r"(?:\\.|[^,\\]|\\$)+", text, re.S)
    plain = (
        re.sub(
            r"\\(.)", lambda found: _ESCAPED.get(found[1], found[1]), part.strip(" "), flags=re.S
        )
        for part in parts
    )
    return tuple(dict.fromkeys(each for each in plain if each))


def text_of(texts: Sequence[str]) -> str:
    """What `texts_of` reads."""
    escaped = [re.sub(r"[\\,]", r"\\\g<0>", each) for each in texts]
    text = ", ".join(each.replace("\n", r"\n").replace("\t", r"\t") for each in escaped)
    return f"{text}," if text.lower() == OFF else text or OFF
