"""Strings that tokenizers trip over, made from a seed: the same on every machine."""

import random

SCRAPS = "·".join(
    [
        "Once upon a time· there·was a dragon·She said· the·the·don't·I've·'ll·Zz·V·Q",
        " ·  ·   ·\n·\n\n·\n\n\n·\t·\r\n·\r·\x85·\u00a0·\u3000·\u2028·\\n",
        '123·4567 89· 3.14·½·Ⅷ·٣·.·,"·—·…·“quoted”·*bold*·:word:·=====',
        "<|endoftext|>·<|endoftext·<unk>·<s>·</s>·[UNK]·<0x41>·<0x0A>·<0xFF>",
        "é·e\u0301·\u0301·\u0308·ñ·ü·ß·İ·ı·ǆ·ſ·ﷺ·𝔘·\u00ad·aaaa·lll·" + "a" * 30,
        "日本語·漢字·한국어·हिन्दी·ไทย·עברית·العربية·\u202e·\u200b·\ufeff",
        "🙂·🏳️‍🌈·👩‍👩‍👧·\u200d·\x00·\x1c·\x7f·\ue000·\ufffd·\U0010ffff",
    ]
).split("·")


def fuzzed_text(count: int, seed: int = 0) -> list[str]:
    """`count` strings of 0 to 13 scraps: words, white space, control tokens, emoji, any character.

    The letter ▁ (U+2581) is left out: SentencePiece writes a space so.
    """
    rng = random.Random(seed)
    texts = ("".join(_scrap(rng) for _ in range(rng.randrange(14))) for _ in range(count))
    return [text.replace("\u2581", "") for text in texts]


def _scrap(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.75:
        return rng.choice(SCRAPS)
    if kind < 0.9:
        return chr(rng.randrange(32, 127))
    code = rng.randrange(0x110000 - 0x800)
    return chr(code if code < 0xD800 else code + 0x800)  # no surrogates
