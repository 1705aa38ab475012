"""What a tokenizer.json from anywhere may say, before any library sees it.

Its steps are a small program: they may lengthen a text, search it by regular expressions and name
any ids. Here the shapes are checked and the steps bounded; what only shows when it runs is tried in
a process of its own (gpt/tokenizers/trial.py).
"""

import base64
import binascii
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

from gpt.tokenizers.errors import TokenizerError

MAX_ID = 1 << 21
MAX_PIECE = 2048
"""Characters of one piece; GPT-2's longest has 128."""
MAX_STEPS = 24
MAX_GROWTH = 16
"""How many times longer the steps together may make a text."""
MAX_PATTERN = 20_000
MAX_NORMALIZED = 64
"""Bytes that a compiled table may put for one character; NFKC's longest has 33."""


def check_tokenizer(values: Mapping[str, Any]) -> None:
    """Raise TokenizerError, saying what was expected, unless the file is shaped as it should be."""
    model = values.get("model")
    if not isinstance(model, dict):
        raise TokenizerError(f"expected its model to be an object, not {model!r:.60}")
    names = _names(cast("dict[str, Any]", model))
    _check_merges(cast("dict[str, Any]", model).get("merges"))
    for token in added_tokens(values):
        match token:
            case {"id": int(id), "content": str(content), "special": bool()} if content:
                _check_piece(content, id)
            case _:
                raise TokenizerError(f"expected id, content and special, not {token!r:.80}")
        if names.get(content, id) != id:
            raise TokenizerError(f"{content[:60]!r} has two ids, {names[content]} and {id}")
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        _check_steps(part, values.get(part))


def added_tokens(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Its added tokens, those of them that are objects as the others.

    Raises:
        TokenizerError: they are no list.
    """
    added: object = values.get("added_tokens") or []
    if not isinstance(added, list):
        raise TokenizerError(f"expected its added_tokens to be a list, not {added!r:.60}")
    return cast("list[dict[str, Any]]", added)


def _names(model: Mapping[str, Any]) -> dict[str, int]:
    """The vocabulary, its ids checked."""
    vocab = model.get("vocab")
    if isinstance(vocab, list):
        for id, entry in enumerate(cast("list[object]", vocab)):
            match entry:
                case [str(name), int() | float() as score] if not isinstance(score, bool):
                    _check_piece(name, id)
                    if not math.isfinite(score):
                        raise TokenizerError(f"the score of {name[:60]!r} is not finite")
                case _:
                    raise TokenizerError(f"expected a piece and its score, not {entry!r:.60}")
        return {}
    if not isinstance(vocab, dict):
        raise TokenizerError("expected its vocabulary to be an object or a list of pieces")
    names = cast("dict[str, int]", vocab)
    for name, id in names.items():
        _check_piece(name, id)
    if len(set(names.values())) != len(names):
        raise TokenizerError("two pieces of its vocabulary have the same id")
    return names


def _check_piece(name: str, id: object) -> None:
    if type(id) is not int or not 0 <= id < MAX_ID:
        raise TokenizerError(
            f"the id of {name[:60]!r} is {id!r:.60}: expected a whole number, 0 to {MAX_ID - 1}"
        )
    if len(name) > MAX_PIECE:
        raise TokenizerError(f"a piece of {len(name):,} characters: {MAX_PIECE:,} is the most")


def _check_merges(merges: object) -> None:
    if not isinstance(merges, list | None):
        raise TokenizerError(f"expected its merges to be a list, not {merges!r:.60}")
    for pair in cast("list[object]", merges or []):
        parts = pair.split(" ") if isinstance(pair, str) else pair
        match parts:
            case [str(), str()]:
                continue
            case _:
                raise TokenizerError(f"expected a merge to be of two pieces, not {pair!r:.60}")


def check_ids_of_characters(vocab: Mapping[str, int], eos: str) -> None:
    """Raise TokenizerError unless each character has its id, in one row, and the end the last."""
    if sorted(vocab.values()) != list(range(len(vocab))) or vocab[eos] != len(vocab) - 1:
        raise TokenizerError(
            f"the ids of its characters have gaps: expected 0 to {len(vocab) - 1}, {eos} the last"
        )
    if long := next((name for name in vocab if len(name) != 1 and name != eos), None):
        raise TokenizerError(f"expected single characters in its vocabulary, got {long[:60]!r}")


def _check_steps(part: str, step: object) -> None:
    steps, growth = list(_flat(part, step)), 1.0
    if len(steps) > MAX_STEPS:
        raise TokenizerError(f"its {part} has {len(steps)} steps: {MAX_STEPS} are the most")
    for each in steps:
        growth *= _growth(part, each)
        if (pattern := _regex(part, each)) is not None:
            check_pattern(pattern)
    if growth > MAX_GROWTH:
        raise TokenizerError(
            f"its {part} can make a text {growth:,.0f} times as long: {MAX_GROWTH} is the most"
        )


def _flat(part: str, step: object) -> Iterator[Mapping[str, Any]]:
    if step is None:
        return
    match step:
        case {"type": "Sequence"}:
            for name in ("normalizers", "pretokenizers", "decoders"):
                steps: object = cast("dict[str, object]", step).get(name, [])
                if not isinstance(steps, list):
                    raise TokenizerError(f"expected the steps of its {part} to be a list")
                for each in cast("list[object]", steps):
                    yield from _flat(part, each)
        case {"type": str()}:
            yield cast("dict[str, Any]", step)
        case _:
            raise TokenizerError(f"expected a step of its {part} to have a type, not {step!r:.60}")


def _growth(part: str, step: Mapping[str, Any]) -> float:
    """How many times longer one step may make a text."""
    match step:
        case {"type": "Replace", "pattern": {"String": str(old)}, "content": str(new)}:
            if not old:
                raise TokenizerError(f"its {part} replaces nothing by {new[:20]!r} everywhere")
            return max(1.0, len(new) / len(old))
        case {"type": "Replace", "pattern": {"Regex": str()}, "content": str(new)}:
            return len(new) + 1
        case {"type": "Replace"}:
            raise TokenizerError(f"its {part} has a Replace without pattern and content")
        case {"type": "Prepend", "prepend": str(first)}:
            return 1.0 if len(first) <= MAX_GROWTH else len(first)
        case {"type": "Precompiled"}:
            _check_table(step.get("precompiled_charsmap"))
        case _:
            pass
    return 1.0


def _check_table(table: object) -> None:
    """A table of SentencePiece: a length, a trie of that length, texts with a 0 between them."""
    try:
        data = base64.b64decode(table if isinstance(table, str) else "", validate=True)
    except (binascii.Error, ValueError) as error:
        raise TokenizerError(f"its precompiled table is no base64: {error}") from error
    trie = int.from_bytes(data[:4], "little")
    if len(data) < 8 or trie % 4 or not 4 <= trie <= len(data) - 4:
        raise TokenizerError("its precompiled table is damaged: its parts do not fit its length")
    if max(map(len, data[4 + trie :].split(b"\0"))) > MAX_NORMALIZED:
        raise TokenizerError(
            f"its precompiled table puts more than {MAX_NORMALIZED} bytes for a character"
        )


def _regex(part: str, step: Mapping[str, Any]) -> str | None:
    pattern = step.get("pattern")
    if pattern is None:
        return None
    match pattern:
        case {"Regex": str(regex)}:
            return regex
        case {"String": str()}:
            return None
        case _:
            raise TokenizerError(f"expected a String or a Regex in its {part}, not {pattern!r:.60}")


def check_pattern(pattern: str) -> None:
    """Raise TokenizerError for a regular expression that takes for ever on some text.

    A repetition of what holds a repetition, as (a+)+, can part a text in 2ⁿ ways, and tries all
    before it gives up; what refers back to a group is as bad. The splits of GPT-2, Llama and their
    like have neither.
    """
    if len(pattern) > MAX_PATTERN:
        raise TokenizerError(f"a regular expression of {len(pattern):,} characters")
    groups, repeats = [False], False  # whether each open group, and the last item, repeats inside
    for item in _ITEM.finditer(pattern):
        kind = item.lastgroup
        if kind == "back":
            raise TokenizerError(f"a regular expression refers back to a group: {pattern[:80]!r}")
        if kind == "open":
            groups.append(False)
            repeats = False
        elif kind == "close" and len(groups) > 1:
            repeats = groups.pop()
            groups[-1] |= repeats
        elif kind == "many":
            if repeats:
                raise TokenizerError(
                    f"a regular expression repeats a repetition, which can take for ever: "
                    f"{pattern[:80]!r}"
                )
            groups[-1] = repeats = True
        elif kind != "few":
            repeats = False


_ITEM = re.compile(
    r"""
    (?P<back>\\(?:[1-9]|[kgK][<{'])|\(\?(?:\(|R\)|&|P[=>]|\d)) |
    (?P<escape>\\(?:[pPxu]\{[^}]*\}|.)) |
    (?P<set>\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]) |
    (?P<open>\((?:\?(?:[:=!>~]|<[=!]|<\w+>|[imsx-]+:?|\#[^)]*))?) |
    (?P<close>\)) |
    (?P<many>(?:[*+]|\{\d*,\}|\{\d*,\d{2,}\})[?+]?) |
    (?P<few>(?:\?|\{\d+(?:,\d)?\})[?+]?) |
    (?P<letter>.)
    """,
    re.X | re.S,
)


def literals(values: Mapping[str, Any]) -> list[str]:
    """The letters that the expressions of its steps name, to try texts that are made of them."""
    found: dict[str, None] = {}
    for part in ("normalizer", "pre_tokenizer"):
        for step in _flat(part, values.get(part)):
            for text in _texts_in(step):
                found |= dict.fromkeys(c for c in text if c.isalnum() or c in " -_.,'\"")
    return list(found)[:48]


def _texts_in(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value[:4000]
    elif isinstance(value, dict):
        for each in cast("dict[str, object]", value).values():
            yield from _texts_in(each)
    elif isinstance(value, Sequence):
        for each in cast("Sequence[object]", value):
            yield from _texts_in(each)
