"""What a training's command gave, in the words that shlex made of it."""

from collections.abc import Collection, Sequence
from itertools import takewhile


def option(words: Sequence[str], name: str) -> str:
    """The last value given to the option `name`, as `--data X` or `--data=X`; "" where none is.

    >>> option(["train", "--data", "tales of two"], "--data")
    'tales of two'
    """
    return (all_given(words, name) or [""])[-1]


def all_given(words: Sequence[str], name: str) -> list[str]:
    """The values given to an option, which may take several; as argparse, of the last time.

    >>> all_given(["--teachers", "a", "b", "--out=c"], "--teachers")
    ['a', 'b']
    """
    found: list[str] = []
    for at, word in enumerate(words):
        if word == name:
            found = list(takewhile(lambda each: not each.startswith("--"), words[at + 1 :]))
        elif word.startswith(f"{name}="):
            found = [word.removeprefix(f"{name}=")]
    return found


def without(words: Sequence[str], names: Collection[str]) -> list[str]:
    """The words without these options and the one value of each.

    >>> without(["train", "--device", "cpu", "--seed=1", "--device=mps"], {"--device"})
    ['train', '--seed=1']
    """
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in names:
            next(rest, None)
        elif word.partition("=")[0] not in names:
            kept.append(word)
    return kept
