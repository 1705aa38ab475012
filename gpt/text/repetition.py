"""Notice when a model goes round in a loop. Pure text, so it is the same for any tokens.

A small model falls into saying the same thing over and over, for ever. A story repeats words too
("no, no, no", a refrain, a row of stars), so a loop is only what both

- comes at least TIMES times without a break, to the letter, and
- fills at least LENGTH characters in all.

A word of five letters may thus stand thirteen times in a row, a sentence of sixty characters three
times; a story that has the same sixty characters four times with nothing between them is stuck.
"""

TIMES = 4
LENGTH = 80
LONGEST = 240
"""A cycle longer than this is not looked for: it is a passage, and the reader sees it."""
SIGHT = max(TIMES * LONGEST, LENGTH)
"""Characters at the end of a text that are looked at; those before make no difference."""


def length_of_loop(period: int) -> int:
    """The characters that a cycle of `period` characters must fill without a break."""
    return max(TIMES * period, LENGTH)


def loop(text: str) -> str | None:
    """What `text` repeats at its end without a break, once; None where it is in no loop."""
    for period in range(1, LONGEST + 1):
        span = length_of_loop(period)
        if span > len(text):
            return None
        tail = text[-span:]
        if tail[period:] == tail[:-period]:
            return tail[-period:]
    return None
