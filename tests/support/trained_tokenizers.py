"""The tokenizers that the tests try, each trained once on a little text."""

from pathlib import Path

from gpt.tokenizers import EOS, BPETokenizer, CharTokenizer, SentencePieceTokenizer, Tokenizer
from tests.support.fuzzed_text import fuzzed_text

STORY = (Path(__file__).parents[2] / "data" / "story.txt").read_text(encoding="utf-8")
TRAINING = [STORY.replace(EOS, ""), *fuzzed_text(300, seed=1)]
MAKERS = {
    "char": lambda: CharTokenizer.train([STORY, "<|endoftext|>é🙂漢"]),
    "bpe": lambda: BPETokenizer.train(TRAINING, 700),
    "sentencepiece": lambda: SentencePieceTokenizer.train(TRAINING, 900),
    "unigram": lambda: SentencePieceTokenizer.train(TRAINING, 900, "unigram"),
    "sentencepiece-of-a-story": lambda: SentencePieceTokenizer.train([STORY], 700),
    "unigram-of-a-story": lambda: SentencePieceTokenizer.train([STORY], 700, "unigram"),
}
TOKENIZERS: dict[str, Tokenizer] = {name: make() for name, make in MAKERS.items()}
TOTAL = [name for name in MAKERS if name != "char"]  # those that encode every text


def encodable(tokenizer: Tokenizer, texts: list[str]) -> list[str]:
    """`texts` without what a character tokenizer does not know."""
    if not isinstance(tokenizer, CharTokenizer):
        return texts
    known = set(tokenizer.characters)
    return ["".join(c for c in text if c in known) for text in texts]
