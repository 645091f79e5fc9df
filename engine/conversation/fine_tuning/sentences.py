"""Whole requests: phrases that do not get in each other's way, put together as a sentence or as a list."""

import re
from dataclasses import replace
from random import Random

from engine.conversation.fine_tuning import numerals, phrases, ranges, shares
from engine.conversation.fine_tuning.phrases import Maker, Phrase
from engine.conversation.fine_tuning.words import Words, templates
from engine.conversation.rules.facts import Count, Demand, Fact

Weighted = tuple[tuple[Maker, int], ...]

MAKERS: Weighted = (
    (phrases.condition, 6), (phrases.conditions, 2), (phrases.category, 5), (phrases.code, 2), (shares.share, 3),
    (phrases.columns, 1), (phrases.population, 1), (ranges.age, 5), (ranges.measured, 6),
)  # fmt: skip
"""What requests are made of, and how often."""
DEMANDS: Weighted = tuple(
    (maker, weight) for maker, weight in MAKERS if maker not in (phrases.columns, phrases.population)
)
_HOW_MANY = (1, 1, 1, 2, 2, 2, 3, 3, 4)
_ATTEMPTS = 30
_ORDER = {"adjective": 0, "noun": 1, "with": 2, "who": 2, "after": 2, "tail": 3}


def request(words: Words, random: Random) -> tuple[str, tuple[Fact, ...], str]:
    """A request for a cohort: its text, what it states, and the kind of its first phrase."""
    chosen = compatible(words, random, random.choice(_HOW_MANY), MAKERS)
    number = patients(random) if random.random() < 0.6 or not chosen else None
    excluded: list[Phrase] = []
    if len(chosen) > 1 and random.random() < 0.25:
        excluded = _exclusions(words, random, chosen) if random.random() < 0.4 else []
        text = _list(chosen, excluded, random, counted=number is not None)
    else:
        text = _sentence(chosen, random, counted=number is not None)
    said = numerals.count(number, random) if number is not None else ""
    facts = tuple(fact for phrase in (*chosen, *excluded) for fact in phrase.facts)
    counted = () if number is None else (Count(0, 0, patients=number),)
    text = text.replace("{n}", said).replace("{verb}", random.choice(templates()["verbs"]))
    return tidy(text), (*counted, *facts), chosen[0].kind if chosen else "count"


def patients(random: Random) -> int:
    """A number of patients: mostly a round one."""
    if random.random() < 0.04:
        return 12
    magnitude = random.choice([10, 100, 100, 100, 1000, 1000, 10_000])
    return random.choice(
        [random.randint(1, 99) * magnitude // 10 + 5, random.randint(1, 9) * magnitude, random.randint(11, 9999)]
    )


def compatible(words: Words, random: Random, number: int, makers: Weighted) -> list[Phrase]:
    """Up to ``number`` phrases on different columns, at most one noun and one of each kind of tail."""
    chosen: list[Phrase] = []
    weights = [weight for _, weight in makers]
    for _ in range(_ATTEMPTS):
        if len(chosen) == number:
            break
        phrase = random.choices(makers, weights)[0][0](words, random)
        if phrase is not None and not any(_clash(phrase, other) for other in chosen):
            chosen.append(phrase)
    # In the order of the sentence. What follows "excluding sepsis" might be read as excluded too, so that comes last.
    return sorted(chosen, key=lambda phrase: (_ORDER[phrase.place], _excludes(phrase)))


def tidy(text: str) -> str:
    """``text`` without the blanks and commas that empty slots left."""
    text = re.sub(r"[ \t]+", " ", text)
    text = re.sub(r"\s+([,;.:?])", r"\1", text)
    return re.sub(r"[,;]\s*(?=[,;.])", "", text).strip(" ,;")


def _excludes(phrase: Phrase) -> bool:
    return any(isinstance(fact, Demand) and fact.negated for fact in phrase.facts)


def _clash(one: Phrase, other: Phrase) -> bool:
    if one.columns & other.columns or (one.place == other.place == "noun"):
        return True
    return one.place == other.place == "tail" and one.kind == other.kind


def _sentence(chosen: list[Phrase], random: Random, *, counted: bool) -> str:
    form = templates()
    adjectives = " ".join(phrase.text for phrase in chosen if phrase.place == "adjective")
    noun = next((phrase.text for phrase in chosen if phrase.place == "noun"), random.choice(form["nouns"]))
    details, previous = "", ""
    for phrase in chosen:
        if phrase.place in ("with", "who", "after"):
            details += _joined(phrase, previous, random)
            previous = phrase.place
    tails = [phrase.text for phrase in chosen if phrase.place == "tail"]
    what = details + "".join(f", {tail}" for tail in tails)
    sentence = random.choice(form["sentences" if counted else "sentences_without_count"])
    return sentence.replace("{who}", f"{adjectives} {noun}").replace("{what}", what)


def _joined(phrase: Phrase, previous: str, random: Random) -> str:
    form = templates()
    joiner = random.choice(form["conjunctions"]) if previous else " "
    if phrase.place == "who":
        return f"{joiner}who {phrase.text}"
    if phrase.place == "with":
        if previous == "with" and joiner.strip() and random.random() < 0.7:
            return f"{joiner}{phrase.text}"
        ways = form["with" if phrase.kind in ("condition", "conditions") else "with_value"]
        return f"{joiner}{random.choice(ways).format(x=phrase.text)}"
    return f"{', ' if _excludes(phrase) and previous else joiner}{phrase.text}"


def _list(chosen: list[Phrase], excluded: list[Phrase], random: Random, *, counted: bool) -> str:
    form = templates()
    layouts = form["lists" if counted else "lists_without_count"]
    layout = random.choice([one for one in layouts if ("{out}" in one) == bool(excluded)])
    separator = random.choice(form["separators"])
    listed = separator.join(phrase.text for phrase in chosen)
    return layout.replace("{list}", listed).replace("{out}", ", ".join(phrase.text for phrase in excluded))


def _exclusions(words: Words, random: Random, chosen: list[Phrase]) -> list[Phrase]:
    """Diseases for a list of exclusion criteria: named like demands, meant the other way round."""
    found: list[Phrase] = []
    for _ in range(_ATTEMPTS):
        phrase = phrases.condition(words, random)
        if phrase is None or phrase.place != "with" or any(_clash(phrase, other) for other in (*chosen, *found)):
            continue
        if not isinstance(phrase.facts[0], Demand):
            continue
        facts = (replace(phrase.facts[0], negated=True),)
        found.append(replace(phrase, facts=facts))
        if len(found) == 2 or random.random() < 0.5:
            break
    return found
