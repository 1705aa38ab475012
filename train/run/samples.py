"""Samples at every evaluation from the same prompts: one drawn, one greedy for each prompt."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from gpt.generator import Generator
from gpt.model import GPT
from gpt.sampling import SamplingParams
from gpt.tokenizers import UnknownCharacterError
from train.data.folder import Data
from train.loop.config import TrainConfig
from train.run.document import Heading, Paragraph, Part, Verbatim, markdown

OPENING_WORDS = 6
"""Length of a prompt that is taken from the validation text."""
OPENING_TOKENS = 64
"""How many tokens of a document are decoded to find its first OPENING_WORDS words."""
GREEDY_TOKENS = 60
"""Length of a greedy sample: beyond it a small model only repeats itself."""


def prompts(config: TrainConfig, data: Data) -> tuple[str, ...]:
    """`sample_prompt` and two openings of the validation text, without duplicates.

    An opening is the first words of the first document, and of the first after the middle; where
    no document begins, of a line.
    """
    # From 1 on: the split begins where the text was cut, most often within a story.
    openings = (opening(data, at) for at in (1, len(data.valid) // 2))
    return tuple(dict.fromkeys([config.sample_prompt, *filter(None, openings)]))


def opening(data: Data, at: int) -> str:
    """The first OPENING_WORDS words of the first document (else line, else word) that begins at or
    after token `at` of the validation text."""
    decode, tokens = data.tokenizer.decode, data.valid
    starts = at + 1 + np.flatnonzero(tokens[at:-1] == data.tokenizer.eos_id)
    if len(starts):
        start, until = int(starts[0]), min(int(starts[0]) + OPENING_TOKENS, len(tokens))
        if len(starts) > 1:
            until = min(until, int(starts[1]) - 1)
        return _words(decode(tokens[start:until].tolist()))
    text = decode(tokens[at : at + 4 * OPENING_TOKENS].tolist())
    for boundary in ("\n", " "):  # what comes before it may be half of something
        after = text.partition(boundary)[2]
        if after.strip():
            return _words(after)
    return _words(text)


def _words(text: str) -> str:
    """The first words of the first line."""
    lines = text.strip().splitlines()
    words = " ".join(lines[0].split()[:OPENING_WORDS]) if lines else ""
    return words.rstrip("�")  # where the last token was half a character


def sample(model: GPT, config: TrainConfig, data: Data) -> str:
    """`sample_prompt` and `sample_tokens` tokens at temperature 0.8 and seed 1, so that evaluations
    can be compared."""
    params = SamplingParams(temperature=0.8, max_new_tokens=config.sample_tokens, seed=1)
    return config.sample_prompt + continuation(model, data, config.sample_prompt, params)


def greedy(model: GPT, config: TrainConfig, data: Data) -> list[dict[str, str]]:
    """The greedy continuation of each of `prompts`: "prompt" and "text". A prompt with characters
    that the tokenizer does not know is left out."""
    length = min(GREEDY_TOKENS, config.sample_tokens)
    params = SamplingParams(temperature=0, max_new_tokens=length)
    found: list[dict[str, str]] = []
    for prompt in prompts(config, data):
        try:
            text = continuation(model, data, prompt, params)
        except UnknownCharacterError:
            continue  # held-out text may have a character that training text has not
        found.append({"prompt": prompt, "text": text})
    return found


def continuation(model: GPT, data: Data, prompt: str, params: SamplingParams) -> str:
    """The text generated after `prompt`, without it; train or eval mode stays as it was."""
    was_training = model.training
    model.eval()
    stream = Generator(model, data.tokenizer).stream(prompt, params)
    text = "".join(token.text for token in stream)
    model.train(was_training)
    return text


def samples_page(records: Iterable[Mapping[str, Any]]) -> str:
    """The content of samples.md, from the records of samples.jsonl, newest last."""
    parts: list[Part] = [
        Heading("What it wrote, evaluation by evaluation", 1),
        Paragraph(
            "The same beginnings every time, so that only the model changes. “Most probable” takes "
            "at every place the token that the model holds likeliest (temperature 0: no chance in "
            "it); “drawn” leaves room for chance (temperature 0.8), with the same seed each time. "
            "The newest is last."
        ),
    ]
    for record in records:
        parts += written(record)
    return markdown(parts)


def written(record: Mapping[str, Any], *, level: int = 2) -> Iterator[Part]:
    """One record of samples.jsonl as parts of a document; `level` is that of its heading."""
    yield Heading(f"Step {record['step']:,}", level)
    for each in record.get("greedy", ()):
        begun = f"after “{each['prompt']}”" if each["prompt"] else "from nothing"
        yield Heading(f"Most probable, {begun}", level + 1)
        yield text_part(each["prompt"] + each["text"])
    yield Heading("Drawn", level + 1)
    yield text_part(record["text"])


def text_part(text: str) -> Part:
    """Generated text, verbatim."""
    return Verbatim(text) if text.strip() else Paragraph("Nothing: it ended the story at once.")
