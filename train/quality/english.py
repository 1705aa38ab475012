"""The words of English grammar by which stories say who is who: closed classes, and few.

All else about words is counted in a text (`train.quality.lexicon`). What rests on these words finds
nothing to judge in a text in another language.
"""

from collections.abc import Sequence

from gpt.text.scripts import compiled

WORD_OR_MARK = compiled(r"\p{L}[\p{L}\p{M}]*(?:['’]\p{L}+)*|[^\w\s]")
"""A word without its punctuation, or a mark of punctuation."""
NEW, KNOWN = frozenset(("a", "an")), "the"
"""The articles of a thing that is told of for the first time, and of one told of before."""
POSSESSIVE = frozenset(("his", "her", "their", "my", "your", "our"))
NAMING = frozenset(("named", "called", ","))
"""What may stand between what somebody is and the name: “a boy named Tim”, “her brother, Tim”."""
INTRODUCES = NEW | POSSESSIVE | {"another", "named", "called", "name", "i", "am", "i'm", "friend"}
"""Words before a name by which somebody comes into a story."""
SAID = "said"
SEX = {"he": "he", "himself": "he", "she": "she", "herself": "she"}
"""“His” and “her” are left out: they are often somebody else's."""
GENDERED = {
    word: sex
    for pair in (
        *(("boy", "girl"), ("man", "woman"), ("brother", "sister"), ("son", "daughter")),
        *(("father", "mother"), ("dad", "mom"), ("daddy", "mommy"), ("grandpa", "grandma")),
        *(("grandfather", "grandmother"), ("uncle", "aunt"), ("king", "queen")),
        ("prince", "princess"),
    )
    for word, sex in zip(pair, ("he", "she"), strict=True)
}


def title(words: Sequence[str], at: int) -> str:
    """What somebody is whose name stands at a place, or the word before the name; "" for none.

    >>> title(["a", "boy", "named", "tim"], 3)
    'boy'
    """
    behind = at - 1 if at and words[at - 1] in NAMING else at
    return words[behind - 1] if behind else ""


def article(words: Sequence[str], at: int) -> str:
    """The article of the noun at a place, two words before it at most: “a”, “an”, “the” or "".

    >>> article(["saw", "a", "big", "dog"], 3)
    'a'
    """
    for word in reversed(words[max(0, at - 3) : at]):
        if word in NEW or word == KNOWN:
            return word
        if not word.isalpha():
            break
    return ""
