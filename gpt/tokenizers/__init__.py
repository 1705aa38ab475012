"""Text ⇄ tokens: one protocol; characters, byte pairs (tiktoken), SentencePiece, any
tokenizer.json."""

from gpt.tokenizers.tokenizer import (
    EOS,
    BPETokenizer,
    CharTokenizer,
    FastTokenizer,
    SentencePieceTokenizer,
    TextError,
    Tokenizer,
    TokenizerError,
    UnknownCharacterError,
    kind_in,
    load_tokenizer,
    read_spec,
)

__all__ = [
    "EOS",
    "BPETokenizer",
    "CharTokenizer",
    "FastTokenizer",
    "SentencePieceTokenizer",
    "TextError",
    "Tokenizer",
    "TokenizerError",
    "UnknownCharacterError",
    "kind_in",
    "load_tokenizer",
    "read_spec",
]
