"""The README.md of a published model: its own card, and what it lacks for a reader on the Hub."""

from collections.abc import Iterator
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData
from markupsafe import Markup

from gpt.checkpoint import Checkpoint
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.tokenizers import UnknownCharacterError
from train.run.document import render
from train.run.marks import generate_command

TEMPERATURE, SEED, LENGTH = 0.8, 1, 120
"""How every sample is written, so that anyone can write it again."""
PROMPTS = ("Once upon a time", "")
DEFAULT_LICENSE = "unknown"


def published_card(
    checkpoint: Checkpoint,
    repo: str,
    *,
    license: str | None = None,
    picture: bool = False,
    gguf: bool = False,
) -> str:
    """The card as it is published: the checkpoint's own words stay, what they lack is added.

    Args:
        repo: USER/NAME on the Hub.
        license: Replaces what the card says.
        picture: Whether loss.png is published with it.
        gguf: Whether a GGUF is.
    """
    own = ModelCard(checkpoint.card, ignore_metadata_errors=True)
    training, text = checkpoint.training, own.text.strip()
    data = front_matter(own.data.to_dict(), training, repo, license)
    return render(
        "hub_card.md",
        front=Markup(data.to_yaml()),  # pyright: ignore[reportUnknownMemberType]
        text=Markup(text),
        repo=repo,
        config=checkpoint.config,
        parameters=checkpoint.model.n_params,
        results=_results(training) if "bits per byte" not in text else [],
        picture=picture and "(loss.png)" not in text,
        gguf=repo.split("/")[1] if gguf else "",
        samples=list(samples(checkpoint, repo)) if "## What it writes" not in text else [],
    )


def front_matter(
    own: dict[str, Any], training: dict[str, Any], repo: str, license: str | None
) -> ModelCardData:
    """What the Hub reads: the card's own keys first, then ours; the score where it is known."""
    given = {name: value for name, value in own.items() if name != "model-index"}
    given["license"] = license or given.get("license") or DEFAULT_LICENSE
    given["library_name"] = given.get("library_name") or "transformers"
    given["pipeline_tag"] = given.get("pipeline_tag") or "text-generation"
    given["tags"] = list(dict.fromkeys([*(given.get("tags") or []), "inkling"]))
    source: dict[str, Any] = training.get("from") or {}
    origin = str(source.get("name", ""))
    if "/" in origin:  # a model on the Hub; one of a folder goes by a single name
        given.setdefault("base_model", origin.split("@")[0])
    scores: list[EvalResult] = []
    if isinstance(training.get("val_bpb"), float | int):
        sources = training.get("data", {}).get("sources", [])
        names = [each["name"] for each in sources if "valid" in each.get("serves", "")]
        scores.append(
            EvalResult(
                task_type="text-generation",
                dataset_type="text",
                dataset_name=", ".join(names) or "held-out text",
                metric_type="bits_per_byte",
                metric_name="bits per byte",
                metric_value=round(float(training["val_bpb"]), 4),
            )
        )
    name = repo.split("/")[1]
    return ModelCardData(**given, model_name=name, eval_results=scores or None)


def samples(checkpoint: Checkpoint, repo: str) -> Iterator[tuple[str, str]]:
    """The command that writes a sample, and the sample with its beginning; of a few beginnings."""
    generator = Generator(checkpoint.model, checkpoint.tokenizer)
    length = min(LENGTH, checkpoint.config.block_size)
    params = SamplingParams(temperature=TEMPERATURE, seed=SEED, max_new_tokens=length)
    config = checkpoint.training.get("config", {})
    for prompt in dict.fromkeys([str(config.get("sample_prompt") or ""), *PROMPTS]):
        try:
            written = "".join(token.text for token in generator.stream(prompt, params))
        except UnknownCharacterError:
            continue  # a model of characters that never saw one of them
        options = f"--temperature {TEMPERATURE} --seed {SEED} --max-new-tokens {length}"
        yield generate_command(repo, prompt, options), prompt + written


def _results(training: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of a table; none where the loss is not known."""
    if "val_bpb" not in training:
        return []
    rows = [("validation, bits per byte", f"{training['val_bpb']:.4f}")]
    if "val_loss" in training:
        rows.append(("validation, nats per token", f"{training['val_loss']:.4f}"))
    for name, label in (("step", "steps"), ("tokens", "tokens seen"), ("date", "date")):
        if name in training:
            value = training[name]
            rows.append((label, f"{value:,}" if isinstance(value, int) else str(value)))
    return rows
