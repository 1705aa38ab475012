"""What a model is given of a prompt, and whether settings suit its tokenizer."""

from collections.abc import Sequence
from itertools import pairwise

from gpt.sampling import SamplingParams
from gpt.tokenizers import Tokenizer

Keep = tuple[range, ...]
"""Where ids stand in a prompt that stay in the window when it slides: parts without a gap between
them, first to last, that do not overlap. llama.cpp's `n_keep` is one such part, the first."""
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


def kept_count(keep: Keep) -> int:
    """How many ids are kept."""
    return sum(map(len, keep))


def hidden_count(n_tokens: int, block_size: int, keep: Keep = ()) -> int:
    """How many of `n_tokens` tokens the model does not see any more when it writes the next one.

    They are the first of those that are not kept; the rest slides as `window_start` says, through
    what the kept ones leave of the window.
    """
    kept = kept_count(keep)
    return window_start(n_tokens - kept, block_size - kept)


def without_hidden(ids: Sequence[int], hidden: int, keep: Keep = ()) -> list[int]:
    """The ids but for the first `hidden` of those that are not kept."""
    seen: list[int] = []
    for before, part in pairwise((range(0), *keep, range(len(ids), len(ids)))):
        passed = max(0, min(hidden, part.start - before.stop))
        hidden -= passed
        seen += ids[before.stop + passed : part.stop]
    return seen


def window_of(ids: Sequence[int], block_size: int, keep: Keep = ()) -> list[int]:
    """Those of the ids that the model sees when it writes the next one."""
    return without_hidden(ids, hidden_count(len(ids), block_size, keep), keep)


def check_keep(keep: Keep, n_tokens: int, block_size: int) -> None:
    """Raise ValueError where parts to be kept are none, or leave less than half of the window."""
    parts = [range(0), *keep, range(n_tokens, n_tokens)]
    if any(part.step != 1 or before.stop > part.start for before, part in pairwise(parts)):
        raise ValueError(f"keep must be parts of {n_tokens} ids, first to last, not {keep}")
    if kept_count(keep) > block_size // 2:
        raise ValueError(
            f"keep may hold half of a window of {block_size} tokens at most, not {kept_count(keep)}"
        )


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
