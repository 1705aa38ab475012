"""Text to ids and back: characters, byte-pair encoding (tiktoken), SentencePiece.

Three small classes on one interface. Each token stands for some bytes of UTF-8; to decode is to join them, and a
`StreamDecoder` does the same one token at a time without ever giving out half a character.
"""

import codecs
import io
import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from gpt.tokenizer_files import (
    EOS,
    GPT2_SPLIT,
    SPACE,
    UNK,
    byte_characters,
    byte_pair_json,
    character_json,
    config_json,
    sentencepiece_bpe_json,
    write_bytes,
    write_json,
)

if TYPE_CHECKING:
    pass

__all__ = [
    "EOS",
    "BPETokenizer",
    "CharTokenizer",
    "SentencePieceTokenizer",
    "StreamDecoder",
    "Tokenizer",
    "TokenizerError",
    "UnknownCharacterError",
    "load_tokenizer",
]


class Tokenizer(Protocol):
    """What every tokenizer can do. Text is ordinary text: `<|endoftext|>` typed by a user is thirteen characters."""

    kind: str
    """"char", "bpe" or "sentencepiece"."""
    vocab_size: int
    """Number of ids, the special ones included: 0 .. vocab_size - 1."""
    eos_id: int
    """The end-of-story token. `encode` never gives it; `decode` gives "" for it."""

    def encode(self, text: str) -> list[int]:
        """The ids of `text`. Half a surrogate pair, which is no text, is read as U+FFFD."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; bytes that are no character become U+FFFD."""
        ...

    def piece(self, id: int) -> str:
        r"""How one token is shown alone: bytes that are no whole character as e.g. `\xe2`."""
        ...

    def decoder(self) -> "StreamDecoder":
        """A fresh decoder for one story, whose pieces joined are `decode` of all its ids."""
        ...

    def save(self, folder: Path) -> None:
        """Write the files that `load_tokenizer` and transformers' `AutoTokenizer` open."""
        ...


class TokenizerError(ValueError):
    """A tokenizer cannot be trained, fetched or loaded; the message says why and what to do."""


class UnknownCharacterError(ValueError):
    """Text holds characters that the character tokenizer never saw in training.

    Attributes:
        characters: The distinct unknown characters, in the order in which they first come.
    """

    def __init__(self, characters: Iterable[str], known: Iterable[str]) -> None:
        self.characters = list(characters)
        self.known = list(known)
        count = len(self.characters)
        what = "a character" if count == 1 else f"{count} characters"
        super().__init__(
            f"the text has {what} that this model has never seen: {_described(self.characters)}; "
            f"it knows these {len(self.known)}: {_listed(self.known)}"
        )

    def __reduce__(self) -> tuple[type["UnknownCharacterError"], tuple[list[str], list[str]]]:
        return UnknownCharacterError, (self.characters, self.known)


class StreamDecoder:
    """Turns ids into text one at a time, holding back bytes until they make a whole character."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def decode(self, id: int) -> str:
        """The text that became whole with this token, maybe ""."""
        return self._utf8.decode(_at(self._pieces, id))

    def flush(self) -> str:
        """What is left at the end: U+FFFD for a character cut in two, else ""."""
        text = self._utf8.decode(b"", final=True)
        self._utf8.reset()
        return text


class _Pieces:
    """What the three share: every id stands for some bytes, the end of a story for none."""

    def __init__(self, pieces: Sequence[bytes], eos_id: int) -> None:
        self._pieces = pieces
        self.vocab_size = len(pieces)
        self.eos_id = eos_id

    def decode(self, ids: Sequence[int]) -> str:
        return b"".join([_at(self._pieces, id) for id in ids]).decode(errors="replace")

    def piece(self, id: int) -> str:
        if id == self.eos_id:
            return EOS
        return _at(self._pieces, id).decode(errors="backslashreplace")

    def decoder(self) -> StreamDecoder:
        return StreamDecoder(self._pieces)


class CharTokenizer(_Pieces):
    """One id per character, sorted by code point; the end of a story is the last id."""

    kind = "char"

    def __init__(self, characters: Sequence[str]) -> None:
        self.characters = tuple(characters)
        self._ids = {character: i for i, character in enumerate(self.characters)}
        super().__init__([*(c.encode() for c in self.characters), b""], eos_id=len(self.characters))

    @classmethod
    def train(cls, texts: Iterable[str]) -> "CharTokenizer":
        """Learn the distinct characters of `texts`."""
        characters = {character for text in texts for character in set(_text(text))}
        if not characters:
            raise TokenizerError("the text to learn characters from is empty")
        return cls(sorted(characters))

    def encode(self, text: str) -> list[int]:
        """As in `Tokenizer`; UnknownCharacterError names every character outside the vocabulary."""
        text = _text(text)
        try:
            return [self._ids[character] for character in text]
        except KeyError:
            unknown = dict.fromkeys(c for c in text if c not in self._ids)
            raise UnknownCharacterError(unknown, self.characters) from None

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "tokenizer.json", character_json(self.characters, self.eos_id))
        write_json(folder / "tokenizer_config.json", config_json("PreTrainedTokenizerFast"))


class BPETokenizer(_Pieces):
    """Byte-level byte-pair encoding with GPT-2's split (Radford et al. 2019), run by tiktoken.

    Args:
        ranks: The id of each piece of bytes; lower ranks are joined first. All 256 single bytes are among them.
        eos_id: The id of the end of a story, outside `ranks`.
    """

    kind = "bpe"

    def __init__(self, ranks: Mapping[bytes, int], eos_id: int) -> None:
        from tiktoken import Encoding

        by_id = {id: piece for piece, id in ranks.items()} | {eos_id: b""}
        super().__init__([by_id[id] for id in range(len(by_id))], eos_id)
        self._ranks = dict(ranks)
        self._encoding = Encoding(
            "inkling", pat_str=GPT2_SPLIT, mergeable_ranks=self._ranks, special_tokens={}
        )

    @classmethod
    def gpt2(cls) -> "BPETokenizer":
        """GPT-2's own 50,257 tokens; tiktoken downloads them once and keeps them.

        Raises:
            TokenizerError: They are not here yet and cannot be fetched.
        """
        import requests
        import tiktoken

        try:
            encoding = tiktoken.get_encoding("gpt2")
        except requests.RequestException as error:
            raise TokenizerError(
                "GPT-2's vocabulary is not on this machine and could not be downloaded: connect to the internet "
                "once, or set TIKTOKEN_CACHE_DIR to a folder that holds tiktoken's copy of it"
            ) from error
        ranks = {encoding.decode_single_token_bytes(id): id for id in range(encoding.eot_token)}
        return cls(ranks, encoding.eot_token)

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int) -> "BPETokenizer":
        """Learn `vocab_size` tokens; the 256 bytes and, as the last id, the end of a story are among them."""
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers

        if vocab_size < 257:
            raise TokenizerError(
                f"vocab_size={vocab_size} is too small: 256 bytes and the end of a story make 257"
            )
        letters = byte_characters()
        model = Tokenizer(models.BPE())
        model.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size - 1, initial_alphabet=letters, show_progress=False
        )
        model.train_from_iterator((_text(text) for text in texts), trainer)
        if model.get_vocab_size() < vocab_size - 1:
            raise _too_few(vocab_size, model.get_vocab_size() + 1)
        byte_of = {letter: byte for byte, letter in enumerate(letters)}
        vocab = model.get_vocab()
        ranks = {bytes(byte_of[letter] for letter in name): id for name, id in vocab.items()}
        return cls(ranks, eos_id=vocab_size - 1)

    def encode(self, text: str) -> list[int]:
        return self._encoding.encode_ordinary(_text(text))

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "tokenizer.json", byte_pair_json(self._ranks, self.eos_id))
        write_json(folder / "tokenizer_config.json", config_json("PreTrainedTokenizerFast"))


class SentencePieceTokenizer(_Pieces):
    """A SentencePiece model, byte-pair or unigram, with a byte piece for every byte no other piece covers.

    A space is the letter ▁ (U+2581) in its pieces, so this one letter, typed by a user, comes back as a space; so it
    does in transformers and llama.cpp. Every other text comes back as it went in.
    """

    kind = "sentencepiece"

    def __init__(self, model: bytes) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model = model
        self._processor: SentencePieceProcessor = SentencePieceProcessor(model_proto=model)
        ids = range(self._processor.get_piece_size())
        super().__init__([self._bytes(i) for i in ids], eos_id=self._processor.eos_id())

    @classmethod
    def train(
        cls, texts: Iterable[str], vocab_size: int, model_type: Literal["bpe", "unigram"] = "bpe"
    ) -> "SentencePieceTokenizer":
        """Learn `vocab_size` pieces; the 256 bytes, the unknown piece, the end of a story and "\\n" are among them."""
        from sentencepiece import SentencePieceTrainer

        model = io.BytesIO()
        SentencePieceTrainer.Train(
            # No piece crosses a line end, so lines are all the trainer needs.
            sentence_iterator=(line for text in texts for line in _text(text).split("\n") if line),
            model_writer=model,
            model_type=model_type,
            vocab_size=vocab_size,
            byte_fallback=True,
            add_dummy_prefix=False,
            remove_extra_whitespaces=False,
            normalization_rule_name="identity",
            unk_id=0,
            eos_id=1,
            bos_id=-1,
            pad_id=-1,
            eos_piece=EOS,
            user_defined_symbols=["\n"],
            max_sentence_length=1 << 30,  # the default leaves out every line above 4,192 bytes
            num_threads=4,  # unigram sums by thread: the same number everywhere gives the same pieces
            minloglevel=2,
        )
        return cls(model.getvalue())

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._processor.encode(_text(text))
        return ids

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pieces = [self._processor.id_to_piece(i) for i in range(self.vocab_size)]
        scores = [self._processor.get_score(i) for i in range(self.vocab_size)]
        ordinary = [i for i in range(2, self.vocab_size) if not self._processor.is_byte(i)]
        ordinary.sort(key=lambda i: (-scores[i], i))
        ranks = {pieces[i]: rank for rank, i in enumerate(ordinary)}
        write_json(folder / "tokenizer.json", sentencepiece_bpe_json(pieces, ranks))
        write_json(
            folder / "tokenizer_config.json",
            config_json("LlamaTokenizer", unk_token=UNK, add_prefix_space=False, legacy=False),
        )
        write_bytes(folder / "tokenizer.model", self._model)

    def _bytes(self, id: int) -> bytes:
        if self._processor.is_control(id) or self._processor.is_unknown(id):
            return b""
        piece = self._processor.id_to_piece(id)
        if self._processor.is_byte(id):
            return bytes([int(piece[1:-1], 16)])  # "<0x0A>"
        return piece.replace(SPACE, " ").encode()


def load_tokenizer(folder: Path) -> CharTokenizer | BPETokenizer | SentencePieceTokenizer:
    """Open the tokenizer that lies in `folder`, whichever of the three it is."""
    folder = Path(folder)
    if (folder / "tokenizer.model").exists():
        return SentencePieceTokenizer((folder / "tokenizer.model").read_bytes())
    model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    vocab: dict[str, int] = model["vocab"]
    eos_id = vocab.pop(EOS)
    if model["type"] == "WordLevel":
        return CharTokenizer(sorted(vocab, key=vocab.__getitem__))
    byte_of = {letter: byte for byte, letter in enumerate(byte_characters())}
    return BPETokenizer({bytes(byte_of[c] for c in name): id for name, id in vocab.items()}, eos_id)


def _at(pieces: Sequence[bytes], id: int) -> bytes:
    if not 0 <= id < len(pieces):
        raise ValueError(f"id {id} is not in the vocabulary: expected 0 to {len(pieces) - 1}")
    return pieces[id]


def _too_few(wanted: int, possible: int) -> TokenizerError:
    return TokenizerError(
        f"the text is too small for vocab_size={wanted}: it gives at most {possible}; ask for that or fewer, "
        "or give more text"
    )


def _text(text: str) -> str:
    """`text` with lone surrogates replaced by U+FFFD: they are no characters and have no UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _described(characters: Sequence[str], most: int = 20) -> str:
    names = [f"{c!r} ({unicodedata.name(c, f'U+{ord(c):04X}')})" for c in characters[:most]]
    more = len(characters) - most
    return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def _listed(characters: Sequence[str], most: int = 200) -> str:
    shown = repr("".join(characters[:most]))
    return shown + (" and more" if len(characters) > most else "")
