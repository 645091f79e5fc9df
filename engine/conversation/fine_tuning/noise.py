"""What hurried people do to a sentence: case, typing errors, politeness. Numbers, codes and short words stay."""

import re
from random import Random

from engine.conversation.fine_tuning.numerals import NUMBER_WORDS
from engine.conversation.fine_tuning.words import templates

_WORD = re.compile(r"[A-Za-z]{6,}")


def noisy(text: str, random: Random) -> str:
    """``text``, mostly as it is, else with one or two kinds of noise."""
    form = templates()
    if random.random() < 0.1:
        text = random.choice(form["before"]) + text
    if random.random() < 0.12:
        text = text.rstrip(".?!") + random.choice(form["after"])
    if random.random() < 0.12:
        text = _misspelled(text, random)
    roll = random.random()
    if roll < 0.2:
        return text[:1].upper() + text[1:]
    if roll < 0.26:
        return text.lower()
    return text.upper() if roll < 0.28 else text


def _misspelled(text: str, random: Random) -> str:
    """One long word with two letters exchanged, one lost, or one doubled."""
    found = [match for match in _WORD.finditer(text) if match.group().lower() not in NUMBER_WORDS]
    if not found:
        return text
    match = random.choice(found)
    word, at = match.group(), random.randrange(1, len(match.group()) - 2)
    changed = random.choice(
        [
            word[:at] + word[at + 1] + word[at] + word[at + 2 :],
            word[:at] + word[at + 1 :],
            word[:at] + word[at] + word[at:],
        ]
    )
    return text[: match.start()] + changed + text[match.end() :]
