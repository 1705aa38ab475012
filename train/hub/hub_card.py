"""The README.md of a published model: its own card, and what it lacks for a reader on the Hub."""

from collections.abc import Iterator
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from gpt.checkpoint import Checkpoint
from gpt.generator import Generator
from gpt.sampling import SamplingParams
from gpt.tokenizers import UnknownCharacterError
from train.run.document import escaped, fenced, shell_word

TEMPERATURE, SEED, LENGTH = 0.8, 1, 120
"""How every sample is written, so that anyone can write it again."""
PROMPTS = ("Once upon a time", "")
DEFAULT_LICENSE = "unknown"
PICTURE = "![Training and validation loss](loss.png)"


def published_card(
    checkpoint: Checkpoint, repo: str, *, license: str | None = None, picture: bool = False
) -> str:
    """The card as it is published: the checkpoint's own words stay, what they lack is added.

    Args:
        repo: USER/NAME on the Hub.
        license: Replaces what the card says.
        picture: Whether loss.png is published with it.
    """
    own = ModelCard(checkpoint.card, ignore_metadata_errors=True)
    text = own.text.strip() or f"# {repo.split('/')[1]}\n\n{_kind(checkpoint)}"
    parts = [text]
    if "val_bpb" in checkpoint.training and "bits per byte" not in text:
        parts.append(_results(checkpoint.training))
    if picture and "(loss.png)" not in text:
        parts.append(PICTURE)
    if "## What it writes" not in text:
        parts.append("## What it writes\n\n" + "\n\n".join(samples(checkpoint, repo)))
    parts.append(_use(repo))
    data = front_matter(own.data.to_dict(), checkpoint.training, repo, license)
    head = data.to_yaml()  # pyright: ignore[reportUnknownMemberType]
    return f"---\n{head}\n---\n" + "\n\n".join(parts) + "\n"


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


def samples(checkpoint: Checkpoint, repo: str) -> Iterator[str]:
    """What the model writes after a few beginnings, each with the command that writes it again."""
    generator = Generator(checkpoint.model, checkpoint.tokenizer)
    length = min(LENGTH, checkpoint.config.block_size)
    params = SamplingParams(temperature=TEMPERATURE, seed=SEED, max_new_tokens=length)
    config = checkpoint.training.get("config", {})
    for prompt in dict.fromkeys([str(config.get("sample_prompt") or ""), *PROMPTS]):
        try:
            written = "".join(token.text for token in generator.stream(prompt, params))
        except UnknownCharacterError:
            continue  # a model of characters that never saw one of them
        command = (
            f"python -m gpt.generate {repo} {shell_word(prompt)} --temperature {TEMPERATURE} "
            f"--seed {SEED} --max-new-tokens {length}"
        )
        # A fence, for a story may hold what Markdown would take for its own.
        yield f"    {command}\n\n{fenced(prompt + written)}"


def _kind(checkpoint: Checkpoint) -> str:
    config = checkpoint.config
    return (
        f"A {config.family} model of {checkpoint.model.n_params:,} parameters that continues "
        f"stories: {config.n_layer} layers, {config.n_embd} wide, a window of {config.block_size} "
        f"tokens, {config.vocab_size:,} tokens in its vocabulary."
    )


def _results(training: dict[str, Any]) -> str:
    rows = [("validation, bits per byte", f"{training['val_bpb']:.4f}")]
    if "val_loss" in training:
        rows.append(("validation, nats per token", f"{training['val_loss']:.4f}"))
    for name, label in (("step", "steps"), ("tokens", "tokens seen"), ("date", "date")):
        if name in training:
            value = training[name]
            rows.append((label, f"{value:,}" if isinstance(value, int) else str(value)))
    table = "\n".join(f"| {label} | {escaped(value)} |" for label, value in rows)
    return f"## Results\n\nOn text it never saw in training.\n\n| | |\n| --- | --- |\n{table}"


def _use(repo: str) -> str:
    return f"""## Write with it

With Inkling, in the terminal, or in the browser with `INKLING_MODELS={repo} make chat`:

    python -m gpt.generate {repo} "Once upon a time"

With transformers:

    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = AutoModelForCausalLM.from_pretrained("{repo}")
    tokenizer = AutoTokenizer.from_pretrained("{repo}")"""
