"""The ways of cutting a text that `train.compare_tokenizers` holds side by side."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from gpt.dataset import read_tokens
from gpt.tokenizers import EOS, FastTokenizer, Tokenizer
from gpt.tokenizers.errors import too_large, too_small
from gpt.tokenizers.files import byte_characters, byte_level_json
from train.data.folder import Data, load_data
from train.data.prepare import SAMPLE_CHARACTERS, Kind, ModelType, prepare
from train.data.texts import Part, Text, sample_texts, split_texts

Name = Literal["char", "bpe", "bpe-nosplit", "bpe-dropout", "sp-bpe", "sp-unigram"]
TITLES: dict[Name, str] = {
    "char": "characters",
    "bpe": "byte-pair, words split first",
    "bpe-nosplit": "byte-pair across words",
    "bpe-dropout": "byte-pair with dropout",
    "sp-bpe": "SentencePiece byte-pair",
    "sp-unigram": "SentencePiece unigram",
}
# Every line with the line ends after it; a line without an end in sight is parted, or learning
# from it would take time with the square of its length.
_LINE = re.compile(r"[^\n]{1,4096}\n*|\n+")


@dataclass(frozen=True, slots=True)
class TokenizerVariant:
    """A tokenizer to learn."""

    name: Name
    vocab_size: int
    """Tokens, the end of a story included; 0 for characters: as many as there are."""

    def __str__(self) -> str:
        return f"{self.name}-{self.vocab_size}" if self.vocab_size else self.name


def parse_variants(words: Iterable[str], sizes: Sequence[int]) -> list[TokenizerVariant]:
    """The variants that `words` name: bpe for one of each of `sizes`, bpe:512,2048 for its own.

    Raises:
        ValueError: a name or a size that means nothing.
    """
    found: dict[TokenizerVariant, None] = {}
    for word in words:
        given, colon, own = word.partition(":")
        name = next((known for known in get_args(Name) if known == given), None)
        if name is None or (name == "char" and colon):
            raise ValueError(
                f"expected {', '.join(get_args(Name))} as a variant, each but char with vocabulary "
                f"sizes or without (bpe:512,2048), not {word!r}"
            )
        try:
            chosen = [int(size) for size in own.split(",")] if colon else sizes
        except ValueError:
            raise ValueError(f"expected whole numbers after the colon, not {word!r}") from None
        for size in [0] if name == "char" else chosen:
            if name != "char" and size < 257:
                raise ValueError(f"a vocabulary must hold the 256 bytes and more, not {size}")
            found[TokenizerVariant(name, size)] = None
    return list(found)


def cut(
    variant: TokenizerVariant, texts: Sequence[Text], folder: Path, valid_fraction: float
) -> Data:
    """The texts as `variant` cuts them, in `folder`; what is there already is opened.

    Raises:
        ValueError: the text is too short for the vocabulary.
    """
    if not (folder / "data.json").exists():
        kind: Kind | Tokenizer
        model_type: ModelType = "unigram" if variant.name == "sp-unigram" else "bpe"
        if variant.name == "bpe-nosplit":
            train, _ = split_texts(texts, (), valid_fraction)
            kind = learn_unsplit(sample_texts(train, SAMPLE_CHARACTERS), variant.vocab_size)
        elif variant.name == "char":
            kind = "char"
        else:
            kind = "sentencepiece" if variant.name.startswith("sp-") else "bpe"
        prepare(
            texts,
            folder,
            kind=kind,
            vocab_size=variant.vocab_size,
            model_type=model_type,
            valid_fraction=valid_fraction,
        )
    return load_data(folder)


def learn_unsplit(texts: Iterable[str], vocab_size: int) -> FastTokenizer:
    """Byte-pair encoding without a split into words, so a piece may hold several, in one line.

    Raises:
        TokenizerError: `vocab_size` is below 257, or above what the text can give.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    if vocab_size < 257:
        raise too_small(vocab_size, 257)
    model = Tokenizer(models.BPE())
    model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - 1, initial_alphabet=byte_characters(), show_progress=False
    )
    model.train_from_iterator((line for text in texts for line in _LINE.findall(text)), trainer)
    learnt = json.loads(model.to_str())["model"]
    if len(learnt["vocab"]) < vocab_size - 1:
        raise too_large(vocab_size, len(learnt["vocab"]) + 1)
    eos_id = vocab_size - 1
    values = byte_level_json(learnt["vocab"] | {EOS: eos_id}, learnt["merges"], {EOS: eos_id})
    values["pre_tokenizer"]["use_regex"] = False
    return FastTokenizer(json.dumps(values), [eos_id], eos_id)


def with_dropout(data: Data, parts: Sequence[Part], dropout: float, passes: int) -> Data:
    """`data` with its training text cut anew for each of `passes`, one after another.

    BPE-dropout (Provilkov et al. 2020): each join is left out with probability `dropout`. The
    validation text keeps its one cut.
    """
    encode = dropped(data.folder, dropout)
    eos_id = data.tokenizer.eos_id
    cuts: list[np.ndarray] = []
    for part in list(parts) * passes:
        ids = read_tokens(part.path, encode, eos_id, start=part.start, stop=part.stop).tokens
        ended = bool(cuts) and cuts[-1][-1] == eos_id
        cuts.append(ids[1:] if ended else ids)
    tokens = np.concatenate(cuts)
    about = {"tokens": len(tokens), "dropout": dropout, "passes": passes}
    facts = {**data.facts, "train": {**data.facts["train"], **about}}
    return replace(data, facts=facts, train=tokens)


def dropped(folder: Path, dropout: float) -> Callable[[str], list[int]]:
    """An encoder that cuts a text in another way each time, for the tokenizer in `folder`."""
    from tokenizers import Tokenizer

    values = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    values["model"]["dropout"] = dropout
    tokenizer = Tokenizer.from_str(json.dumps(values))
    tokenizer.encode_special_tokens = True  # a typed <|endoftext|> is text like any other
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
