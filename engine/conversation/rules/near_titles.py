"""Titles of ICD-9-CM that are not written as printed: the same words in another order, or most of the words."""

import math
import re
from collections import defaultdict
from collections.abc import Collection
from functools import lru_cache

from engine.conversation.rules.titles import title_keys, titles
from engine.conversation.rules.tokens import GLUE, key_of

_LONGEST = 25
_SHORTEST = 3
_FORM_WORDS = frozenset(
    key_of(
        "of the a an in on at to by for as due with from or and is other nos nec type level not elsewhere classified"
    )
) | {"unspecified", "specified"}
"""Words that a title is not told by."""
_JOINERS = frozenset(["and", "or", "with", "without", "no", "not"])
"""Words that separate two demands unless the title has them too."""


def reordered_title(keys: list[str], at: int) -> tuple[str, int] | None:
    """The code of the one title that has exactly the words from token ``at`` on, in any order; and where they end.

    Small words ("of", "unspecified") are passed over on both sides; at least three words must tell the title.
    """
    index, known = _by_words()
    if keys[at] not in known and "".join(keys[at : at + 2]) not in known:
        return None
    best, told, joiners = None, set(), set()
    last = min(len(keys), at + _LONGEST)
    for i in range(at, last):
        word = keys[i]
        if word in GLUE or (i > at and keys[i - 1] + word in told):
            continue
        if i + 1 < last and word + keys[i + 1] in known:
            word += keys[i + 1]  # "mid foot", "non specific"
        if word in _JOINERS:
            joiners.add(word)
        elif word not in _FORM_WORDS:
            if word not in known:
                break
            told.add(word)
            found = index.get(frozenset(told)) if len(told) >= _SHORTEST else None
            if found is not None and joiners <= found[1]:
                best = (found[0], i + 1 + (word != keys[i]))
    return best


@lru_cache(maxsize=1)
def _by_words() -> tuple[dict[frozenset[str], tuple[str, frozenset[str]]], frozenset[str]]:
    """Words that tell a title → its code and its joining words, where only one code has them; and all such words."""
    found: dict[frozenset[str], tuple[str, frozenset[str]]] = {}
    several: set[frozenset[str]] = set()
    known: set[str] = set()
    bracketed = ((code, title) for code, title in titles().items() if "[" in title or "(" in title)
    plain = ((code, key_of(re.sub(r" [\[(].*?[\])]", "", title))) for code, title in bracketed)
    for code, words in (*title_keys(), *plain):
        told = frozenset(word for word in words if word not in _FORM_WORDS and word not in _JOINERS)
        known |= told
        if found.setdefault(told, (code, frozenset(words) & _JOINERS))[0] != code:
            several.add(told)
    return {told: meaning for told, meaning in found.items() if told not in several}, frozenset(known)


def nearest_titles(words: Collection[str], *, most: int = 5) -> list[tuple[str, str]]:
    """The codes and titles that share most of the folded ``words``, rare words counting more; best first.

    A title qualifies when it shares half of the words' weight. These are offers for a person to choose from.
    """
    postings, weights = _index()
    wanted = {word for word in words if word in postings}
    if not wanted:
        return []
    scores: dict[str, float] = defaultdict(float)
    for word in wanted:
        for code in postings[word]:
            scores[code] += weights[word]
    total = sum(weights.get(word, 9.0) for word in set(words))
    shorter = sorted(scores.items(), key=lambda pair: (-pair[1], len(titles()[pair[0]]), pair[0]))
    return [(code, titles()[code]) for code, score in shorter[:most] if score >= total / 2]


@lru_cache(maxsize=1)
def _index() -> tuple[dict[str, list[str]], dict[str, float]]:
    """Word → codes whose title holds it, and the weight of each word (inverse document frequency)."""
    postings: dict[str, list[str]] = {}
    for code, key in title_keys()[: len(titles())]:
        for word in set(key):
            postings.setdefault(word, []).append(code)
    weights = {word: math.log(len(titles()) / len(codes)) for word, codes in postings.items()}
    return postings, weights
