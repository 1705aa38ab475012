"""Our three tokenizers: characters, byte-pair encoding (tiktoken), SentencePiece.

Each has the interface `gpt.tokenizers.Tokenizer`, inherits decoding from `Pieces`
(gpt/tokenizers/pieces.py), can be trained on any text, is saved as gpt/tokenizers/files.py writes
it and opened again by `load_tokenizer` (gpt/tokenizers/tokenizer.py). A story and a document are
the same here: what `eos_id` ends.
"""

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

from gpt.tokenizers.errors import (
    TokenizerError,
    UnknownCharacterError,
    panics_said,
    sentencepiece_error,
    too_large,
    too_small,
)
from gpt.tokenizers.files import (
    GPT2_SPLIT,
    SENTENCEPIECE_FILES,
    SPACE,
    UNK,
    byte_characters,
    byte_pair_json,
    character_json,
    config_json,
    sentencepiece_bpe_json,
    sentencepiece_unigram_json,
    write_files,
)
from gpt.tokenizers.pieces import EOS, Pieces, whole_characters
from gpt.tokenizers.runs import (
    has_too_many_spaces,
    without_long_runs,
    without_rows_of_spaces,
)
from gpt.tokenizers.sentencepiece_scores import round_scores

ModelType = Literal["bpe", "unigram"]

# A line end, or a line, or 4,096 characters of it and on to the next space between two words: no
# piece crosses these places, so the ids are those of the whole.
_STRETCH = re.compile(r"\n|[^\n]{4096}[^\n]*?\S(?= \S)|[^\n]+")


class CharTokenizer(Pieces):
    """One id per character, sorted by code point; the end of a story is the last id."""

    kind = "char"

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self._ids = {character: i for i, character in enumerate(self.characters)}
        super().__init__([*(c.encode() for c in self.characters), b""], eos_id=len(self.characters))

    @classmethod
    def train(cls, texts: Iterable[str]) -> "CharTokenizer":
        """Learn the distinct characters of `texts`."""
        characters = {character for text in texts for character in set(whole_characters(text))}
        if not characters:
            raise TokenizerError("there is no text to learn characters from")
        return cls(sorted(characters))

    def encode(self, text: str) -> list[int]:
        """The ids of `text`; UnknownCharacterError names what is not in the vocabulary."""
        text = whole_characters(text)
        try:
            return [self._ids[character] for character in text]
        except KeyError:
            unknown = dict.fromkeys(c for c in text if c not in self._ids)
            raise UnknownCharacterError(unknown, self.characters) from None

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json."""
        tokenizer = character_json(self.characters, self.eos_id)
        write_files(folder, tokenizer, config_json("PreTrainedTokenizerFast"))


class BPETokenizer(Pieces):
    """Byte-level byte-pair encoding with GPT-2's split (Radford et al. 2019), run by tiktoken.

    Args:
        ranks: The id of each piece of bytes, all single bytes among them; lower are joined first.
        eos_id: The id of the end of a story, which `ranks` leaves free.
    """

    kind = "bpe"

    def __init__(self, ranks: Mapping[bytes, int], eos_id: int) -> None:
        from tiktoken import Encoding

        by_id = {id: piece for piece, id in ranks.items()} | {eos_id: b""}
        super().__init__([by_id[id] for id in range(len(ranks) + 1)], eos_id)
        self._ranks = dict(sorted(ranks.items(), key=lambda item: item[1]))
        self.encoding = Encoding(
            "inkling", pat_str=GPT2_SPLIT, mergeable_ranks=self._ranks, special_tokens={}
        )

    @classmethod
    def gpt2(cls) -> "BPETokenizer":
        """GPT-2's own 50,257 tokens, which tiktoken downloads once; offline a TokenizerError."""
        import tiktoken

        try:
            encoding = tiktoken.get_encoding("gpt2")
        except OSError as error:
            raise TokenizerError(
                "GPT-2's vocabulary is not on this machine and could not be downloaded: connect to "
                "the internet once, or set TIKTOKEN_CACHE_DIR to a folder with tiktoken's copy"
            ) from error
        ranks = {encoding.decode_single_token_bytes(id): id for id in range(encoding.eot_token)}
        return cls(ranks, encoding.eot_token)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "BPETokenizer":
        """Learn `vocab_size` tokens, the 256 bytes and (the last id) the end of a story included.

        Raises:
            TokenizerError: `vocab_size` is below 257, or above what the text can give.
        """
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        if vocab_size < 257:
            raise too_small(vocab_size, 257)
        letters = byte_characters()
        model = Tokenizer(models.BPE())
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - 1, initial_alphabet=letters, show_progress=False
        )
        parts = (part for text in texts for part in without_long_runs(whole_characters(text)))
        model.train_from_iterator(parts, trainer)
        vocab = model.get_vocab()
        if len(vocab) < vocab_size - 1:
            raise too_large(vocab_size, len(vocab) + 1)
        return cls(ranks_of(vocab), eos_id=vocab_size - 1)

    @property
    def ranks(self) -> Mapping[bytes, int]:
        """The id of each piece of bytes, in order; lower ones are joined first."""
        return self._ranks

    def encode(self, text: str) -> list[int]:
        """The ids of `text`."""
        text = whole_characters(text)
        with panics_said():
            if not has_too_many_spaces(text):
                return self.encoding.encode_ordinary(text)
            encoded = map(self.encoding.encode_ordinary, without_rows_of_spaces(text))
            return [id for ids in encoded for id in ids]

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json."""
        tokenizer = byte_pair_json(self._ranks, self.eos_id)
        write_files(folder, tokenizer, config_json("PreTrainedTokenizerFast"))


class SentencePieceTokenizer(Pieces):
    """A SentencePiece model, byte-pair or unigram; bytes stand for characters it has no piece for.

    A space is the letter ▁ (U+2581) in its pieces, so this one letter, typed by a user, comes back
    as a space, as it does from transformers and llama.cpp. All other text comes back as it was.
    """

    kind = "sentencepiece"

    def __init__(self, model: bytes, model_type: ModelType = "bpe") -> None:
        from sentencepiece import SentencePieceProcessor

        self.model_type: ModelType = model_type
        self._model = model
        self._processor = SentencePieceProcessor(model_proto=model)
        self._names = [
            self._processor.id_to_piece(id) for id in range(self._processor.get_piece_size())
        ]
        if self._names[:2] != [UNK, EOS]:
            raise TokenizerError(
                f"this SentencePiece model begins with {self._names[:2]}, not with {[UNK, EOS]}: "
                "only models that Inkling trained can be opened"
            )
        super().__init__([self._bytes(id) for id in range(len(self._names))], eos_id=1)

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, model_type: ModelType = "bpe"
    ) -> "SentencePieceTokenizer":
        r"""Learn `vocab_size` pieces; the 256 bytes and three more are among them.

        The three are the unknown piece, which no text gives, the end of a story, and "\n".

        Raises:
            TokenizerError: `vocab_size` is below what the text needs or above what it can give.
        """
        from sentencepiece import SentencePieceTrainer

        # No piece crosses a line end, so lines are all the trainer needs.
        lines = (line for text in texts for line in whole_characters(text).split("\n") if line)
        model = io.BytesIO()
        try:
            SentencePieceTrainer.Train(
                sentence_iterator=lines,
                model_writer=model,
                model_type=model_type,
                vocab_size=vocab_size,
                byte_fallback=True,
                add_dummy_prefix=False,
                remove_extra_whitespaces=False,
                normalization_rule_name="identity",
                unk_id=0,
                unk_piece=UNK,
                eos_id=1,
                eos_piece=EOS,
                bos_id=-1,
                pad_id=-1,
                user_defined_symbols=["\n"],
                max_sentence_length=1 << 30,  # the default drops every line above 4,192 bytes
                num_threads=4,  # unigram sums by thread: a fixed number gives the same everywhere
                minloglevel=2,
            )
        except RuntimeError as error:
            raise sentencepiece_error(str(error), vocab_size) from error
        learnt = model.getvalue()
        return cls(round_scores(learnt) if model_type == "unigram" else learnt, model_type)

    def encode(self, text: str) -> list[int]:
        """The ids of `text`."""
        # Line by line is several times faster, and a unigram model's float32 sums stay exact.
        stretches = _STRETCH.findall(whole_characters(text))
        encoded = cast("list[list[int]]", self._processor.encode(stretches, num_threads=1))
        return [id for ids in encoded for id in ids]

    @property
    def names(self) -> Sequence[str]:
        """Each piece as SentencePiece writes it: ▁ for a space, `<0x0A>` for a byte."""
        return self._names

    @property
    def scores(self) -> list[float]:
        """Of each piece: the pair with the highest is joined first, or its log probability."""
        return [self._processor.get_score(id) for id in range(self.vocab_size)]

    def is_byte(self, id: int) -> bool:
        """Whether a piece stands for one byte of a character that has no piece."""
        return self._processor.is_byte(id)

    def piece(self, id: int) -> str:
        """As in `Tokenizer`; the unknown piece, which has no text, as `<unk>`."""
        return UNK if id == 0 else super().piece(id)

    def save(self, folder: Path) -> None:
        """Write tokenizer.json, tokenizer_config.json and the model itself."""
        scores = self.scores
        if self.model_type == "unigram":
            tokenizer = sentencepiece_unigram_json(list(zip(self._names, scores, strict=True)))
            config = config_json("PreTrainedTokenizerFast", unk_token=UNK)
            write_files(folder, tokenizer, config, {SENTENCEPIECE_FILES["unigram"]: self._model})
            return
        ordinary = [id for id in range(2, self.vocab_size) if not self.is_byte(id)]
        ordinary.sort(key=lambda id: -scores[id])
        ranks = {self._names[id]: rank for rank, id in enumerate(ordinary)}
        tokenizer = sentencepiece_bpe_json(self._names, ranks)
        # Both keys, or transformers puts a space before the text.
        config = config_json("LlamaTokenizer", unk_token=UNK, add_prefix_space=False, legacy=False)
        write_files(folder, tokenizer, config, {SENTENCEPIECE_FILES["bpe"]: self._model})

    def _bytes(self, id: int) -> bytes:
        if self._processor.is_control(id) or self._processor.is_unknown(id):
            return b""
        if self.is_byte(id):
            return bytes([int(self._names[id][1:-1], 16)])  # "<0x0A>"
        return self._names[id].replace(SPACE, " ").encode()


def ranks_of(vocab: Mapping[str, int]) -> dict[bytes, int]:
    """The bytes and id of each piece, from names in which a character stands for a byte (GPT-2)."""
    byte_of = {letter: byte for byte, letter in enumerate(byte_characters())}
    return {bytes(byte_of[letter] for letter in name): id for name, id in vocab.items()}
