"""Small changes of a request that leave its meaning alone, drawn from a seed: what a robust reader must not notice."""

import random
import re
from collections.abc import Callable

_POLITE_BEFORE = (
    "Please, ",
    "Hi, could you please give me ",
    "I would like to have ",
    "Hello! I need ",
    "kindly provide ",
)
_POLITE_AFTER = (" please", ", thank you", ". Thanks a lot!", ", if possible", " pls")
_NEIGHBOURS = {"a": "s", "e": "r", "i": "o", "o": "p", "u": "y", "n": "m", "t": "r", "s": "d", "r": "t", "l": "k"}
# Clauses under one of these words belong to it: moved away from it, they would mean something else.
_BOUND = re.compile(
    r"\b(?:not?|non|without|exclu\w*|except|but|never|nobody|or|only|columns?|instead|inclusion|criteria|between|from|"
    r"rest|other|and|them|those|half|remaining)\b|[:;.\n]",
    re.IGNORECASE,
)


def typo(text: str, chance: random.Random) -> str:
    """One slip in one word of six letters or more: two letters exchanged, one doubled, left out or hit beside."""
    words = [match for match in re.finditer(r"[A-Za-z]{6,}", text) if match.group().islower()]
    if not words:
        return text
    match = chance.choice(words)
    word = match.group()
    # The first and the last letter are seldom wrong, and endings carry the number.
    at = chance.randrange(1, len(word) - 2)
    slip = chance.choice(("swap", "double", "drop", "beside"))
    if slip == "swap" and word[at] != word[at + 1]:
        wrong = word[:at] + word[at + 1] + word[at] + word[at + 2 :]
    elif slip == "drop":
        wrong = word[:at] + word[at + 1 :]
    elif slip == "beside" and word[at] in _NEIGHBOURS:
        wrong = word[:at] + _NEIGHBOURS[word[at]] + word[at + 1 :]
    else:
        wrong = word[:at] + word[at] + word[at:]
    return text[: match.start()] + wrong + text[match.end() :]


def case(text: str, chance: random.Random) -> str:
    """All capitals, all small, or a capital at each word; units and codes keep theirs where they carry meaning."""
    how = chance.choice((str.upper, str.lower, _title))
    return how(text)


def whitespace(text: str, chance: random.Random) -> str:
    """Blanks doubled, at the ends, a tab or a line break in place of some."""
    between = [chance.choice((" ", "  ", "   ", "\t")) for _ in text.split(" ")]
    body = "".join(part + blank for part, blank in zip(text.split(" "), between, strict=True)).rstrip()
    return chance.choice(("", " ", "\n")) + body + chance.choice(("", "  ", "\n"))


def politeness(text: str, chance: random.Random) -> str:
    """The words around a request that say nothing about it."""
    start = text[0].lower() + text[1:] if text[:2].istitle() and text[1:2].islower() else text
    if chance.random() < 0.5:
        return chance.choice(_POLITE_BEFORE) + start
    return text.rstrip(" .") + chance.choice(_POLITE_AFTER)


def reordering(text: str, chance: random.Random) -> str:
    """The clauses between commas in another order, where none of them leans on its neighbour."""
    clauses = [clause.strip() for clause in re.split(r",(?!\d)", text)]
    if len(clauses) < 2 or _BOUND.search(text):
        return text
    shuffled = clauses[:]
    while shuffled == clauses and len(set(clauses)) > 1:
        chance.shuffle(shuffled)
    return ", ".join(shuffled)


PERTURBATIONS: dict[str, Callable[[str, random.Random], str]] = {
    "typos": typo,
    "case": case,
    "whitespace": whitespace,
    "politeness": politeness,
    "reordering": reordering,
}
"""Name → change. A change that finds nothing to do returns the text as it is."""


def _title(text: str) -> str:
    return re.sub(r"\b[a-z]", lambda match: match.group().upper(), text)
