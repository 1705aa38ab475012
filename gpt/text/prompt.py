"""What a model is given of a prompt, and whether settings suit its tokenizer."""

from collections.abc import Sequence

from gpt.sampling import SamplingParams
from gpt.tokenizers import Tokenizer

SHORTEST_REPEAT = 12
"""Letters that a model of characters may repeat at least: some words in a row."""


def window_start(n_tokens: int, block_size: int) -> int:
    """The first of `n_tokens` tokens that the model still sees when it writes the next one.

    0 while all fit; then the smallest multiple of half a window (rounded up) that leaves at most
    `block_size`. It depends on nothing but the length, so a story that is continued later goes on
    from what an uninterrupted one would have seen. (Learned positions cannot slide, so the kept
    half is read again, at new positions.)
    """
    if n_tokens <= block_size:
        return 0
    stride = block_size - block_size // 2
    return -(-(n_tokens - block_size) // stride) * stride


def prompt_ids(tokenizer: Tokenizer, prompt: str | Sequence[int]) -> list[int]:
    """The ids a model is given: of a text with `bos_id` before it; ids as they are.

    "" and no ids at all begin a new story: `bos_id` alone.

    Raises:
        UnknownCharacterError: a character tokenizer never saw some of the text.
        ValueError: an id is not in the vocabulary.
    """
    if isinstance(prompt, str):
        return [tokenizer.bos_id, *tokenizer.encode(prompt)]
    for id in prompt:
        if not 0 <= id < tokenizer.vocab_size:
            raise ValueError(
                f"id {id} is not in the vocabulary: expected 0 to {tokenizer.vocab_size - 1}"
            )
    return list(prompt) or [tokenizer.bos_id]


def check_for(params: SamplingParams, tokenizer: Tokenizer) -> None:
    """Raise ValueError where settings that are valid make no sense with this tokenizer."""
    if tokenizer.kind == "char" and params.repetition_penalty != 1:
        raise ValueError(
            "repetition_penalty must be 1 (off) with a model of characters, not "
            f"{params.repetition_penalty}: every letter has already appeared, so a penalty would "
            "only spoil the spelling"
        )
    repeat = params.dry_allowed_length
    if tokenizer.kind == "char" and params.dry_multiplier and repeat < SHORTEST_REPEAT:
        raise ValueError(
            f"dry_allowed_length must be {SHORTEST_REPEAT} or more with a model of characters, not "
            f"{repeat}: it counts letters there, and words are made of the same ones again and "
            "again"
        )
