"""What a fine-tuned model gained on the new text and lost on the old one, before and after."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpt.checkpoint import Checkpoint
from gpt.dataset import TokenizedText, documents, read_tokens
from gpt.tokenizers import Tokenizer, UnknownCharacterError
from train.adapt.vocabulary import same_tokenizer
from train.data.folder import Data, find_data
from train.loop.loss_eval import score, summary

OLD_TOKENS = 100_000
"""The most of the old text that is scored: enough to see what was lost, and soon done."""
MOST_LEFT_OUT = 0.1
"""Share of the characters of a text without which it is the same text no more."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A text that no model was trained on, as ids of one tokenizer."""

    name: str
    ids: NDArray[np.unsignedinteger]
    tokenizer: Tokenizer

    def read_by(self, tokenizer: Tokenizer, without: Collection[str] = ()) -> TokenizedText:
        """The same text under any tokenizer, some of its characters left out.

        Raises:
            UnknownCharacterError: the tokenizer is one of characters that never saw some others.
        """
        ids = self.ids.astype(np.uint32)
        if without or not same_tokenizer(tokenizer, self.tokenizer):
            ids = np.array(list(self._again(tokenizer, without)), np.uint32)
        lengths = np.array([len(piece) for piece in tokenizer.pieces])
        ends = int((ids == tokenizer.eos_id).sum())
        return TokenizedText(tokens=ids, bytes=int(lengths[ids].sum()), documents=ends)

    def _again(self, tokenizer: Tokenizer, without: Collection[str]) -> Iterator[int]:
        for i, text in enumerate(self.documents()):
            if i:
                yield tokenizer.eos_id
            yield from tokenizer.encode("".join(c for c in text if c not in without))

    def documents(self) -> Iterator[str]:
        """The text between the ends of stories."""
        for part in documents(self.ids, self.tokenizer.eos_id):
            yield self.tokenizer.decode(part.tolist())


def held_out(data: Data) -> HeldOut:
    """The validation split of a data folder."""
    names = [source["name"] for source in data.facts["sources"] if "valid" in source["serves"]]
    return HeldOut(", ".join(names), data.valid, data.tokenizer)


def old_text(source: Checkpoint, file: Path | None) -> HeldOut | None:
    """The text that shows what `source` forgets, its first OLD_TOKENS: `file`, or its own.

    Its own is the validation split of the data folder it was trained from, where that lies on
    this machine: the one that its command names, or any in data/.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8, or holds characters that `source` has never seen.
    """
    if file is not None:
        tokenizer = source.tokenizer
        ids = read_tokens(file, tokenizer.encode, tokenizer.eos_id).tokens
        if len(ids) < 2:
            raise ValueError(f"expected some text in {file}, it holds none")
        return HeldOut(file.name, ids[:OLD_TOKENS], tokenizer)
    if (data := find_data(source.training, "valid")) is None:
        return None
    own = held_out(data)
    return HeldOut(own.name, own.ids[:OLD_TOKENS], own.tokenizer)


def losses_on(checkpoint: Checkpoint, text: HeldOut, without: Collection[str]) -> dict[str, Any]:
    """Nats per token ("loss") and bits per byte ("bpb") over disjoint windows, in float32."""
    read = text.read_by(checkpoint.tokenizer, without)
    nats = score(checkpoint.model, read.tokens, checkpoint.config.block_size)
    facts = summary(nats, read.tokens[1:], checkpoint.tokenizer.eos_id, read.bytes)
    return {**facts, "tokens": len(read.tokens) - 1, "bytes": read.bytes}


def losses_of_both(
    before: Checkpoint, after: Checkpoint, new: HeldOut, old: HeldOut | None
) -> dict[str, Any]:
    """report.json: both models on both texts; "old" is null where there is no old text.

    Characters that one of the two has never seen are left out for both, and counted in
    "left_out"; where they are more than MOST_LEFT_OUT of the text, both figures are null.
    """
    models = {"before": before, "after": after}

    def both(text: HeldOut) -> dict[str, Any]:
        counts = Counter(c for document in text.documents() for c in document)
        unknown = {c for model in models.values() for c in _unknown(model.tokenizer, counts)}
        left_out = sum(counts[c] for c in unknown)
        facts: dict[str, Any] = {"text": text.name, "left_out": left_out}
        if left_out > MOST_LEFT_OUT * counts.total():
            return facts | dict.fromkeys(models)
        return facts | {when: losses_on(model, text, unknown) for when, model in models.items()}

    return {
        "step": after.training["step"],
        "elapsed_s": after.training["elapsed_s"],
        "new": both(new),
        "old": both(old) if old else None,
    }


def _unknown(tokenizer: Tokenizer, characters: Iterable[str]) -> set[str]:
    """Which of `characters` the tokenizer refuses."""
    try:
        tokenizer.encode("".join(characters))
    except UnknownCharacterError as error:
        return set(error.characters)
    return set()


def losses_table(report: dict[str, Any]) -> str:
    """What `losses_of_both` gave as a few aligned lines."""
    lines = [f"{'':32} {'nats per token':>22} {'bits per byte':>22}"]
    for said in ("new", "old"):
        if (found := report[said]) is None:
            lines.append("what it forgot is not known: give a text it knew with --old-text FILE")
            continue
        label = f"{said} text, {found['text']}"
        cells = [_cell(found, "loss"), _cell(found, "bpb")]
        lines.append(f"{label[:32]:32} {cells[0]:>22} {cells[1]:>22}")
        if found["left_out"]:
            lines.append(f"  without {found['left_out']:,} characters that one of both cannot read")
    return "\n".join(lines)


def _cell(found: dict[str, Any], figure: str) -> str:
    if found["before"] is None:
        return "cannot be compared"
    before, after = (found[when][figure] for when in ("before", "after"))
    return f"{before:.4f} → {after:.4f} ({after - before:+.3f})"
