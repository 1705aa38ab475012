"""The report card of a training as parts of a page: what was found, in the order one asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from gpt.text.memorization import COPIED_WORDS
from train.quality.final_eval import LENGTH, TEMPERATURE, Copied, Scores
from train.quality.sense import Sense
from train.reports.sense_parts import duration, sense_parts
from train.reports.standing_parts import standing_parts
from train.run.document import Heading, Paragraph, Part, Picture, Table, Verbatim
from train.run.marks import command_line, generate_command
from train.run.samples import text_part, written

SHOWN = 10
"""Evaluations in the table."""
SHOWN_SAMPLES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """All that the report of a run tells.

    Attributes:
        about: config.json of the run.
        training: training.json of its best checkpoint; empty where there is none yet.
        records, samples: The lines of metrics.jsonl and of samples.jsonl.
        picture: loss.png.
        cost_per_hour: None where it is not known.
        scores: None where the data is not on this machine.
        sense: None where the data is not on this machine.
        compared_tokens: How many tokens of the training text were searched for `copied`.
        finetuned: report.json of train.finetune.
    """

    name: str
    best: str
    about: dict[str, Any]
    training: dict[str, Any]
    records: list[dict[str, Any]]
    samples: list[dict[str, Any]]
    picture: bytes
    cost_per_hour: float | None
    scores: Scores | None
    copied: list[Copied]
    sense: Sense | None
    compared_tokens: int
    finetuned: dict[str, Any] | None


def parts(found: Found) -> list[Part]:
    """The whole report."""
    return [
        *_summary(found),
        *_losses(found),
        *standing_parts(found.name, found.training, found.records),
        *_held_out(found),
        *_finetuned(found),
        *sense_parts(found.sense, found.name, found.scores.text if found.scores else ""),
        *_copied(found),
        *_samples(found),
        *_data(found),
        *_config(found),
        *_again(found),
    ]


def evenly_chosen(items: Sequence[Any], count: int) -> list[Any]:
    """The first, the last and others evenly between them, `count` at the most.

    >>> evenly_chosen(range(11), 3)
    [0, 5, 10]
    """
    if len(items) <= count:
        return list(items)
    return [items[round(i * (len(items) - 1) / (count - 1))] for i in range(count)]


def _summary(found: Found) -> Iterator[Part]:
    training, last, config = found.training, found.records[-1], found.about["config"]
    yield Heading(f"The training of {found.name}", 1)
    rows = [("steps", _steps(found.records, config))]
    if training:
        rows.insert(
            0,
            (
                "model",
                f"{training['parameters']:,} parameters, family {config['family']}: "
                f"{config['n_layer']} layers, {config['n_embd']} wide, "
                f"window {training.get('window', config['block_size'])}",
            ),
        )
        if "val_loss" in training and "val_bpb" in training:
            where = f"at step {training['step']:,}, in {found.best}"
            rows.append(("best", f"{_both(training['val_loss'], training['val_bpb'])} {where}"))
    if before := found.about.get("from"):
        rows.insert(1, ("begun from", f"{before['name']}, {found.about['finetune']['said']}"))
    seconds = last["elapsed_s"]
    rows.append(("time", duration(seconds)))
    if found.cost_per_hour is not None:
        cost = seconds / 3600 * found.cost_per_hour
        rows.append(("cost", f"{cost:.3g}, at {found.cost_per_hour:g} an hour"))
    if training:
        machine = training["machine"]
        rows += [
            (
                "machine",
                f"{machine['device']}, {machine['threads']} threads, {machine['cores']} cores, "
                f"PyTorch {machine['torch']}",
            ),
            ("code", training.get("commit") or "not a git checkout"),
            ("date", training["date"]),
        ]
    yield Table(("", ""), rows)


def _steps(records: list[dict[str, Any]], config: dict[str, Any]) -> str:
    """How far it came and, where it ended before its time, why."""
    last = records[-1]
    said = f"{last['step']:,} of {config['max_steps']:,}, {last['tokens']:,} tokens"
    best = min((r for r in records if "val_loss" in r), key=lambda r: r["val_loss"], default=last)
    patience = config.get("patience", 0)
    waited = last["step"] - best["step"] >= patience * config["eval_every"]
    if patience and waited and last["step"] < config["max_steps"]:
        said += f"; ended early: no evaluation was better, {patience} times in a row"
    return said


def _both(nats: float, bits: float) -> str:
    return f"{nats:.4f} nats per token, {bits:.4f} bits per byte"


def _losses(found: Found) -> Iterator[Part]:
    yield Heading("How the loss fell")
    yield Picture("loss.png", found.picture, "Training and validation loss over the steps")
    yield Paragraph(
        "The loss is the mean surprise at the next token, in nats: lower is better. Where the "
        "validation loss rises while the training loss falls, the model learns its text by heart; "
        "the best checkpoint is from before that."
    )
    rows: list[tuple[str, ...]] = []
    learnt = ""
    for record in found.records:
        if "train_loss" in record:
            learnt = f"{record['train_loss']:.4f}"
        elif "val_loss" in record and "val_bpb" in record:
            step, took = f"{record['step']:,}", duration(record["elapsed_s"])
            rows.append(
                (step, took, learnt, f"{record['val_loss']:.4f}", f"{record['val_bpb']:.4f}")
            )
    head = ("step", "time", "training, nats", "validation, nats", "validation, bits per byte")
    yield Table(head, evenly_chosen(rows, SHOWN))


def _held_out(found: Found) -> Iterator[Part]:
    yield Heading("Loss on text it never saw")
    if found.scores is None:
        yield Paragraph(
            "Not measured: the data of this training, or a checkpoint, is not on this machine "
            "(give --data FOLDER)."
        )
        return
    said, text = found.scores.found, found.scores
    part = f"all of its {said['tokens']:,} tokens"
    if said["tokens"] < text.of_tokens:
        part = (
            f"the first {said['tokens']:,} of its {text.of_tokens:,} tokens "
            "(train.report --whole takes all)"
        )
    yield Paragraph(
        f"Scored on the validation text, {text.text}: {part}, {said['bytes']:,} bytes, each token "
        "once, in float32. In disjoint windows a token at the start of a window is predicted from "
        "little before it; in sliding ones nearly every token has seven eighths of a window. Only "
        "figures of the same protocol on the same text can be compared; bits per byte also between "
        "tokenizers."
    )
    yield Table(
        ("protocol", "nats per token", "bits per byte"),
        (
            ("disjoint windows", f"{said['val_loss']:.4f}", f"{said['val_bpb']:.4f}"),
            (
                "sliding windows",
                f"{said['val_loss_sliding']:.4f}",
                f"{said['val_bpb_sliding']:.4f}",
            ),
        ),
    )


def _finetuned(found: Found) -> Iterator[Part]:
    if (report := found.finetuned) is None:
        return
    yield Heading("What it gained, and what it forgot")
    rows: list[tuple[str, ...]] = []
    for kind in ("new", "old"):
        if (text := report[kind]) is None:
            continue
        cells = ["cannot be compared"] * 3
        if text["before"] is not None:
            before, after = text["before"], text["after"]
            cells = [
                f"{before['loss']:.4f} → {after['loss']:.4f}",
                f"{before['bpb']:.4f} → {after['bpb']:.4f}",
                f"{after['bpb'] - before['bpb']:+.4f}",
            ]
        rows.append((f"{kind} text, {text['text']}", *cells))
    yield Table(("", "nats per token", "bits per byte", "change"), rows)
    if report["old"] is None:
        yield Paragraph(
            "What it forgot is not known: there was no text that the model was good at before "
            "(--old-text FILE of train.finetune)."
        )


def _copied(found: Found) -> Iterator[Part]:
    yield Heading("Did it copy?")
    if not found.copied:
        yield Paragraph("Not measured: the text that the model learnt from is not on this machine.")
        return
    words = sum(each.words for each in found.copied)
    new = sum(each.new * each.words for each in found.copied) / words if words else 1.0
    whole = found.about["data"]["train"]["tokens"]
    text = f"all {whole:,} tokens of the training text"
    if found.compared_tokens < whole:
        text = (
            f"the first {found.compared_tokens:,} of {whole:,} tokens of the training text: copies "
            "from the rest are not seen (train.report --whole reads all)"
        )
    yield Paragraph(
        f"{new:.1%} of the words of {len(found.copied)} samples are its own: they stand in no run "
        f"of {COPIED_WORDS} or more words in a row that is in the training text just so, with "
        f"punctuation and capitals. The samples were drawn at temperature {TEMPERATURE} and held "
        f"against {text}."
    )
    yield Table(
        ("seed", "words", "new", "longest run, words", "which is"),
        [
            (str(c.seed), f"{c.words:,}", f"{c.new:.1%}", f"{c.longest:,}", f"“{c.quote}”")
            for c in found.copied
        ],
    )
    core = found.copied[0].core
    yield Paragraph(f"A sample, which {core} computed, is written again by")
    command = generate_command(
        found.best,
        found.about["config"]["sample_prompt"],
        f"--temperature {TEMPERATURE} --seed {found.copied[0].seed} --max-new-tokens {LENGTH}",
    )
    yield Verbatim(f"INKLING_CORE={core.split()[0]} {command}")


def _samples(found: Found) -> Iterator[Part]:
    if not found.samples:
        return
    yield Heading("What it wrote as it learnt")
    yield Paragraph(
        "Drawn at temperature 0.8 with the same seed each time; at the last step also what it "
        "holds most probable after fixed beginnings. samples.md has all of them, of every "
        "evaluation."
    )
    *before, last = evenly_chosen(found.samples, SHOWN_SAMPLES)
    for record in before:
        yield Heading(f"Step {record['step']:,}", 3)
        yield text_part(record["text"])
    yield from written(last, level=3)


def _data(found: Found) -> Iterator[Part]:
    data = found.about["data"]
    train, valid, last = data["train"], data["valid"], found.records[-1]
    yield Heading("The data")
    rows = [
        ("sources", ", ".join(dict.fromkeys(source["name"] for source in data["sources"]))),
        ("training text", f"{train['bytes']:,} bytes, {train['tokens']:,} tokens"),
        ("validation text", f"{valid['bytes']:,} bytes, {valid['tokens']:,} tokens"),
        ("tokenizer", f"{data['tokenizer']}, {data['vocab_size']:,} tokens"),
        ("epochs", f"{last['tokens'] / train['tokens']:.1f}"),
        ("fingerprint", f"SHA-256 {train['sha256'][:16]} (training), {valid['sha256'][:16]}"),
    ]
    yield Table(("", ""), rows)


def _config(found: Found) -> Iterator[Part]:
    yield Heading("The settings")
    yield Table(
        ("name", "value"), [(name, str(value)) for name, value in found.about["config"].items()]
    )


def _again(found: Found) -> Iterator[Part]:
    yield Heading("To do it again")
    yield Verbatim(command_line(found.about["command"]))
