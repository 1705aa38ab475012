"""What was found in a text, for people: what stands out, tables, pictures."""

# matplotlib leaves out the types of what it passes on (`**kwargs`).
# pyright: reportUnknownMemberType=false

from collections.abc import Sequence
from pathlib import Path
from shlex import quote

import numpy as np
from markupsafe import Markup
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from gpt.tokenizers import Tokenizer
from train.adapt.language import Known
from train.data.statistics import Statistics
from train.run.document import Table, render, table
from train.run.plot import drawable, save_figure

INK = "#b5532a"
SMALL_BYTES, LARGE_BYTES = 300_000, 3_000_000
LITTLE_BYTES = 1_000_000
"""A model that learns a shorter text should go on from one that knows its language; the page
proposes it below the same (`chat.jobs.upload`)."""
MARKS = {" ": "␣", "\n": "↵", "\t": "⇥"}
SHOWN = 8
"""Examples of one kind in the report."""


def visible(text: str) -> str:
    """Text in which every character can be seen."""
    return "".join(MARKS.get(c, c if c.isprintable() else f"U+{ord(c):04X}") for c in text)


def cell(text: str) -> str:
    """The same with its spaces as they are."""
    return visible(text).replace(MARKS[" "], " ")


def advice(found: Statistics) -> str:
    """Which preset this amount of text is enough for."""
    if found.bytes < SMALL_BYTES:
        return (
            "small: cut it into characters (--tokenizer char), train --preset story, and stop early"
        )
    if found.bytes < LARGE_BYTES:
        return "middling: characters and --preset shakespeare, or fine-tune a model that exists"
    return "enough for pieces of words (--tokenizer sentencepiece) and --preset stories"


def where_to_begin(known: Known, base: str, text: str) -> str:
    """Whether a training on a short text should go on from a model."""
    needs = "cannot read it" if known.bpb is None else f"needs {known.bpb:.2f} bits per byte of it"
    figures = f"{base} {needs} without having learnt it, its letters alone take"
    figures += f" {known.letters_bpb:.2f}"
    if not known.known:
        return f"{figures}: that model does not know this language, so begin from nothing."
    return (
        f"{figures}: that model knows this language, so go on from it, with `python -m "
        f"train.finetune --from {quote(base)} --data {quote(text)}`. Of 18 kB of tales "
        "such a one made 1.11 bits per byte, and one from nothing 1.92 (docs/finetuning.md)."
    )


def remarks(found: Statistics, held_out: Statistics | None) -> list[str]:
    """What a person should know before training on it, the gravest first."""
    said: list[str] = []
    n, letters = len(found.lengths), sum(found.lengths)
    twice = sum(len(group) - 1 for group in found.duplicates.exact())
    if held_out and (leaked := held_out.duplicates.shared(found.duplicates)):
        said.append(
            f"{leaked:,} of {len(held_out.lengths):,} documents of the validation text also stand "
            "in the training text: the validation loss will look better than it is."
        )
    if broken := found.characters["�"]:
        said.append(
            f"{broken:,} replacement characters (U+FFFD): the text was once read in the wrong "
            "encoding, and what they stood for is lost; start again from the original."
        )
    if found.mojibake:
        said.append(
            f"{found.mojibake:,} places like “Ã©” or “â€™”: UTF-8 that was read as Windows-1252; "
            "convert the original anew."
        )
    if n == 1:
        said.append(
            "It is one document. If it holds several stories, put a line <|endoftext|> between "
            "them, so that the model learns where one ends."
        )
    if twice:
        said.append(f"{twice:,} documents ({twice / n:.1%}) are duplicates: deduplicate the text.")
    if pairs := len(found.duplicates.near()):
        said.append(f"{pairs:,} pairs of documents are nearly the same.")
    odd = [odd for odd in found.odd() if odd.character != "�"]
    if odd:
        said.append(
            f"{sum(o.count for o in odd):,} control, invisible or unusual space characters of "
            f"{len(odd)} kinds (below): with --tokenizer char each kind costs a token."
        )
    if found.openings:
        words, count = found.openings.most_common(1)[0]
        if n >= 20 and count > n / 10:
            said.append(f"{count / n:.0%} of the documents begin with “{words}”.")
    if n > 1 and max(found.lengths) > letters / 2:
        said.append("One document is longer than all others together.")
    said.append(f"{found.bytes:,} bytes are {advice(found)}.")
    return said


def sizes(found: Statistics, tokenizer: Tokenizer | None) -> Markup:
    """The table of sizes."""
    lengths = np.array(found.lengths)
    low, middle, high = np.percentile(lengths, (25, 50, 75))
    once = sum(count == 1 for count in found.words.values())
    n_words = sum(found.words.values())
    rows: list[tuple[str, str]] = [
        ("bytes (UTF-8)", f"{found.bytes:,}"),
        ("characters", f"{lengths.sum():,}, {len(found.characters):,} different"),
        ("not ASCII", f"{sum(c for k, c in found.characters.items() if ord(k) > 127):,}"),
        ("lines", f"{found.lines:,}"),
        ("words", f"{n_words:,}, {len(found.words):,} different, {once:,} of them once only"),
        ("documents", f"{len(lengths):,}"),
        (
            "characters in a document",
            f"{lengths.min():,} to {lengths.max():,}; the middle half {low:,.0f} to {high:,.0f}, "
            f"median {middle:,.0f}",
        ),
    ]
    if tokenizer and found.token_lengths:
        tokens = np.array(found.token_lengths)
        used = len(found.tokens)
        rows += [
            ("tokens", f"{tokens.sum():,} ({tokenizer.kind}, {tokenizer.vocab_size:,} known)"),
            ("bytes in a token", f"{found.bytes / max(1, tokens.sum()):.2f}"),
            ("tokens never used", f"{tokenizer.vocab_size - used - 1:,}, end of story aside"),
            *(
                (f"documents that fit a window of {window}", f"{(tokens < window).mean():.0%}")
                for window in (64, 256, 512, 1024)
            ),
        ]
    return table(["", ""], rows)


def report(found: Statistics, stands_out: Sequence[str], tokenizer: Tokenizer | None) -> Markup:
    """explore.md without its title; the pictures lie beside it.

    Args:
        stands_out: What a person should know first, see `remarks`.
    """
    odd = [
        (f"U+{ord(o.character):04X}", o.name, f"{o.count:,}", f"{o.document:,}")
        for o in found.odd()[: 4 * SHOWN]
    ]
    rare = sorted(c for c, count in found.characters.items() if count < 10)
    pieces: list[tuple[str, int]] = []
    if tokenizer and tokenizer.kind != "char":
        most = found.tokens.most_common(30)
        pieces = [(visible(tokenizer.piece(id)), count) for id, count in most]
    return render(
        "text_report.md",
        remarks=stands_out,
        sizes=sizes(found, tokenizer),
        several=len(found.lengths) > 1,
        odd=Table(("", "name", "times", "first in document"), odd),
        rare=[visible(character) for character in rare[:80]],
        words=", ".join(f"{word} {count:,}" for word, count in found.words.most_common(30)),
        pieces=pieces,
        openings=Table(
            ("first words", "documents"),
            [(cell(words), f"{n:,}") for words, n in found.openings.most_common(SHOWN)],
        ),
        exact=len(found.duplicates.exact()),
        near=len(found.duplicates.near()),
        duplicates=Table(("documents", "", "begin with"), duplicates(found)),
    )


def duplicates(found: Statistics) -> list[tuple[str, str, str]]:
    """Some of the documents that stand twice, to the letter or nearly: which, how, their start."""
    exact, near, starts = (
        found.duplicates.exact(),
        found.duplicates.near(),
        found.duplicates.starts,
    )
    rows = [
        (", ".join(str(i) for i in group[:6]), "the same", cell(starts[group[0]]))
        for group in exact[:SHOWN]
    ]
    return rows + [
        (f"{a}, {b}", f"{share:.0%} alike", cell(starts[a])) for a, b, share in near[:SHOWN]
    ]


def _figure(path: Path, width: float = 7.0) -> tuple[Figure, Path]:
    # A Figure of its own, not pyplot: no global state and no window.
    figure = Figure(figsize=(width, 3.6), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, path


def draw(found: Statistics, folder: Path) -> list[Path]:
    """Write the pictures into `folder`; which ones."""
    drawn: list[Path] = []
    if len(found.lengths) > 1:
        figure, path = _figure(folder / "lengths.png")
        axes = figure.add_subplot()
        low, high = max(1, min(found.lengths)), max(found.lengths) + 1
        axes.hist(found.lengths, bins=np.geomspace(low, high, 40).tolist(), color=INK)
        axes.set_xscale("log")
        axes.set_xlabel("length of a document (characters)")
        axes.set_ylabel("documents")
        save_figure(figure, path)
        drawn.append(path)
    figure, path = _figure(folder / "characters.png", width=9.0)
    axes = figure.add_subplot()
    top = found.characters.most_common(60)
    axes.bar(range(len(top)), [count for _, count in top], color=INK, log=True)
    labels = [drawable(MARKS.get(c, c)) for c, _ in top]
    axes.set_xticks(range(len(top)), labels, fontsize=8, parse_math=False)
    axes.set_ylabel("times (log scale)")
    axes.margins(x=0.01)
    save_figure(figure, path)
    drawn.append(path)
    if found.words:
        figure, path = _figure(folder / "words.png")
        axes = figure.add_subplot()
        counts = sorted(found.words.values(), reverse=True)
        axes.loglog(range(1, len(counts) + 1), counts, color=INK)
        axes.set_xlabel("rank of a word, the most frequent first")
        axes.set_ylabel("times")
        axes.grid(alpha=0.25)
        save_figure(figure, path)
        drawn.append(path)
    return drawn
