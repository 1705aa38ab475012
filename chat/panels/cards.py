"""What is known of each model, for a reader: read from its folder, and "not known" where it is not.

A folder from elsewhere has no training.json, and one that was edited may hold anything in it.
"""

import asyncio
import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Any

from chat.errors import RefusedError
from chat.models import UNITS, Listing
from chat.models.remote.directory import facts_of as facts_of_server
from chat.models.saved_steps import Curve, number, read_curve
from chat.session import Session
from chat.settings.presets import in_words
from gpt.checkpoint import (
    CheckpointError,
    count_parameters,
    read_card,
    read_config,
    read_training,
    weight_files,
)
from gpt.checkpoint.generation_config import GenerationDefaults, usable_defaults
from gpt.checkpoint.provenance import judged_on, texts
from gpt.files import facts_of, read_bytes
from gpt.files.strict_json import is_list, is_object
from gpt.tokenizers import kind_in

NOT_KNOWN = "not known"
TOKENIZERS = {"char": "", "bpe": "byte pairs, ", "sentencepiece": "SentencePiece, "}
OWNERS_ONLY = ("Trained on", "Judged on", "Began from", "Taught by")
"""What the card of a model that another writer shares leaves out."""
FRONT_MATTER = re.compile(r"\A---\r?\n(.*?)\r?\n---\r?\n", re.S)


async def models(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """`models`: every model in a line, to be compared; figures are None where they are not known.

    Each has key, parameters, val_bpb (bits per byte on text it was not trained on), judged (which
    text that was: its name, and an id that models judged on the same share, or None where that is
    not known or another writer's), date, and unit (what its tokens are).
    """
    session.models = await asyncio.to_thread(session.find_models)
    listings = list(session.models.values())
    return {"models": await asyncio.to_thread(lambda: [line(each) for each in listings])}


async def card(session: Session, request: Mapping[str, object]) -> dict[str, Any]:
    """The card of the model `model`; see `card_data`.

    Raises:
        RefusedError: There is no such model any more.
    """
    session.models = await asyncio.to_thread(session.find_models)
    key = str(request.get("model"))
    if key not in session.models:
        raise RefusedError(f"There is no model “{key[:60]}” any more: pick another one.")
    return await asyncio.to_thread(card_data, session.models[key])


def line(listing: Listing) -> dict[str, Any]:
    training = training_of(listing)
    judged = judged_on(training) if listing.open_text else None
    return {
        "key": listing.key,
        "parameters": _parameters(listing, training),
        "val_bpb": number(training.get("val_bpb")),
        "judged": None if judged is None else {"name": judged[0], "id": judged[1]},
        "date": training["date"] if isinstance(training.get("date"), str) else None,
        "unit": UNITS.get(_kind(listing, training)),
    }


def card_data(listing: Listing) -> dict[str, Any]:
    """All that its folder says of a model.

    Returns:
        key; facts: [label, value] in the order they are read; commands; text: the card without
        what is for machines; curve: {train, valid}, and where there is none, picture: loss.png
        as a data URL, or None. Of a model whose text is another writer's only the figures.
    """
    if listing.server:
        return _served(listing)
    training, (head, text) = training_of(listing), _readme(listing)
    curve = Curve() if listing.hub else read_curve(listing.folder)
    facts = [[label, value or NOT_KNOWN] for label, value in _facts(listing, training, head)]
    commands = [each for each in [training.get("command")] if isinstance(each, str)]
    if not listing.open_text:
        # A name, a path or a quotation would tell of a text, or of models, that are not shared.
        facts = [fact for fact in facts if fact[0] not in OWNERS_ONLY]
        commands, text = [], ""
    return {
        "key": listing.key,
        "facts": facts,
        "commands": commands,
        "text": text,
        "curve": {"train": curve.train, "valid": curve.valid},
        "picture": None if curve or listing.hub else _picture(listing),
    }


def _served(listing: Listing) -> dict[str, Any]:
    """The card of a model on a server of another program, of which nothing more can be known."""
    return {
        "key": listing.key,
        "facts": [[label, value] for label, value in facts_of_server(listing)],
        "commands": [],
        "text": "",
        "curve": {"train": (), "valid": ()},
        "picture": None,
    }


def _facts(
    listing: Listing, training: Mapping[str, Any], head: str
) -> list[tuple[str, str | None]]:
    data, config = _part(training, "data"), _part(training, "config")
    own = GenerationDefaults() if listing.hub else usable_defaults(listing.folder)
    parameters, kind = _parameters(listing, training), _kind(listing, training)
    vocabulary = _vocabulary(listing)
    tokenizer = TOKENIZERS.get(kind)
    if tokenizer is not None:
        tokenizer = f"{tokenizer}{vocabulary} {UNITS[kind]}"
    nats, bits = number(training.get("val_loss")), number(training.get("val_bpb"))
    seen = f"{listing.block_size:,} tokens are all it sees at once"
    return [
        *[("Cannot be opened", why) for why in [listing.broken] if why],
        ("Parameters", None if parameters is None else f"{parameters:,}"),
        ("Tokenizer", tokenizer),
        ("Window", seen if listing.block_size else None),
        ("Trained on", _sources(training)),
        ("Training text", _text_size(data)),
        ("Began from", _began(training)),
        *[("Taught by", names) for names in _teachers(training)],
        ("Steps", _steps(training, config)),
        ("On new text", None if bits is None else f"{bits:.4f} bits per byte"),
        ("Judged on", judged[0] if (judged := judged_on(training)) else None),
        ("Validation loss", None if nats is None else f"{nats:.4f} nats per token"),
        ("Training time", _duration(number(training.get("elapsed_s")))),
        ("Machine", _machine(_part(training, "machine"))),
        ("Date", training["date"] if isinstance(training.get("date"), str) else None),
        ("Licence", _licence(training, head)),
        ("Writes with", in_words(own.values)),
        *[("Left out", note) for note in own.notes],
        ("On the disk", _size(listing)),
    ]


def training_of(listing: Listing) -> dict[str, Any]:
    try:
        # One on the Hub has no folder yet, and one on a server none at all.
        return read_training(listing.folder) if listing.here else {}
    except CheckpointError:
        return {}


def _size(listing: Listing) -> str | None:
    if listing.hub:
        return "nothing yet: downloaded from the Hub when first used"
    try:
        files = [facts_of(listing.folder, name) for name in weight_files(listing.folder)]
        return f"{sum(each.st_size for each in files) / 1e6:.1f} MB of weights"
    except CheckpointError:
        return None


def _part(training: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = training.get(name)
    return part if is_object(part) else {}


def _parameters(listing: Listing, training: Mapping[str, Any]) -> int | None:
    said = training.get("parameters")
    return said if isinstance(said, int) else _counted(listing)


def _kind(listing: Listing, training: Mapping[str, Any]) -> str:
    said = _part(training, "data").get("tokenizer")
    return said if isinstance(said, str) and said in UNITS else _opened(listing)


@lru_cache(maxsize=256)
def _counted(listing: Listing) -> int | None:
    try:
        return count_parameters(read_config(listing.folder)) if listing.here else None
    except CheckpointError:
        return None


@lru_cache(maxsize=256)
def _opened(listing: Listing) -> str:
    """The kind of the tokenizer; "" for one that cannot be opened."""
    try:
        return kind_in(listing.folder) if listing.here else ""
    except (OSError, ValueError):
        return ""


def _vocabulary(listing: Listing) -> str:
    try:
        return f"{read_config(listing.folder).vocab_size:,}"
    except CheckpointError:
        return NOT_KNOWN


def _sources(training: Mapping[str, Any]) -> str | None:
    """The names of the texts it learnt from."""
    return ", ".join(name for name, serves in texts(training) if "train" in serves) or None


def _names(things: Iterable[object]) -> str:
    named = [each["name"] for each in things if is_object(each) and "name" in each]
    return ", ".join(name for name in named if isinstance(name, str))


def _text_size(data: Mapping[str, Any]) -> str | None:
    train = _part(data, "train")
    size, tokens = number(train.get("bytes")), number(train.get("tokens"))
    if size is None:
        return None
    return f"{size:,.0f} bytes" + ("" if tokens is None else f", {tokens:,.0f} tokens")


def _began(training: Mapping[str, Any]) -> str:
    match training.get("from"):
        case {"name": str(name)} | str(name):
            return name
        case None if training.get("command"):
            return "nothing: random numbers"
        case _:
            return ""


def _teachers(training: Mapping[str, Any]) -> Iterator[str]:
    """The models that it learnt from beside its text; nothing where there were none."""
    taught = _part(training, "distilled")
    teachers, share = taught.get("teachers"), number(taught.get("share"))
    if is_list(teachers) and (names := _names(teachers)):
        yield names + ("" if share is None else f", {share:.0%} of the loss")


def _steps(training: Mapping[str, Any], config: Mapping[str, Any]) -> str | None:
    step, most = number(training.get("step")), number(config.get("max_steps"))
    if step is None:
        return None
    return f"{step:,.0f}" + ("" if most is None else f" of {most:,.0f}")


def _duration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def _machine(machine: Mapping[str, Any]) -> str | None:
    device, threads = machine.get("device"), machine.get("threads")
    if not isinstance(device, str):
        return None
    many = isinstance(threads, int) and device == "cpu"
    return (device.upper() if device == "cpu" else device) + (
        f", {threads} thread{'s' * (threads != 1)}" if many else ""
    )


def _licence(training: Mapping[str, Any], head: str) -> str | None:
    said = training.get("license")
    if isinstance(said, str):
        return said
    found = re.search(r"^license:([^\n]*)$", head, re.M)
    return found[1].strip()[:100] or None if found else None


def _readme(listing: Listing) -> tuple[str, str]:
    """The head of the card, which is for machines, and its text."""
    if listing.hub:
        return "", ""
    whole = read_card(listing.folder)
    head = FRONT_MATTER.match(whole)
    return (head[1], whole[head.end() :]) if head else ("", whole)


def _picture(listing: Listing) -> str | None:
    for folder in (listing.folder, listing.folder.parent):
        with suppress(CheckpointError):
            data = read_bytes(folder, "loss.png")
            if data.startswith(b"\x89PNG"):
                return "data:image/png;base64," + base64.b64encode(data).decode()
    return None
