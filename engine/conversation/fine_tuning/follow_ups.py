"""Requests that change the previous cohort: another number, one demand more or less, other columns, a new start."""

from dataclasses import replace
from random import Random

from engine.cohort.spec import CohortSpec
from engine.cohort.vocabulary import grammar
from engine.conversation.fine_tuning import numerals, phrases, ranges, shares
from engine.conversation.fine_tuning.phrases import Phrase
from engine.conversation.fine_tuning.sentences import DEMANDS, Weighted, compatible, patients, request
from engine.conversation.fine_tuning.words import Words, templates
from engine.conversation.rules.facts import Columns, Count, Demand, Fact, Removal, Restart

_SHARES: Weighted = ((shares.share, 1),)
_RANGES: Weighted = ((ranges.age, 1), (ranges.measured, 1))
_CATEGORIES: Weighted = ((phrases.category, 1), (ranges.age, 1))
_EXCLUDABLE: Weighted = ((phrases.condition, 1),)

Change = tuple[str, tuple[Fact, ...], bool]
"""Text, what it states, and whether it says "instead"."""


def follow_up(words: Words, previous: CohortSpec, random: Random) -> tuple[Change, str] | None:
    """A change of ``previous`` and its kind; None where the kind that was drawn does not suit it."""
    form = templates()["follow_ups"]
    kinds = (
        ["demand"] * 5
        + ["replace"] * 2
        + ["drop"] * 3
        + ["exclude", "share", "columns", "resize", "resize", "multiply", "restart"]
    )
    kind = random.choice(kinds)
    match kind:
        case "resize":
            number = patients(random)
            text = random.choice(form["resize"]).format(n=numerals.count(number, random))
            change = (text, (Count(0, 0, patients=number),), False)
        case "multiply":
            factor = random.choice(list(grammar()["multiply"]))
            said = random.choice(grammar()["multiply"][factor])
            change = (random.choice(form["multiply"]).format(x=said), (Count(0, 0, factor=float(factor)),), False)
        case "columns":
            change = _columns(words, previous, random)
        case "drop":
            change = _drop(words, previous, random)
        case "restart":
            change = _restart(words, random)
        case "exclude":
            change = _exclude(words, random)
        case "replace":
            change = _stated(compatible(words, random, 1, _CATEGORIES), form["replace"], random, instead=True)
        case "share":
            change = _stated(compatible(words, random, 1, _SHARES), form["share"], random)
        case _:
            makers = random.choice([DEMANDS, DEMANDS, _RANGES, _CATEGORIES])
            change = _stated(compatible(words, random, 1, makers), form["demand"], random)
    return None if change is None else (change, f"follow-up {kind}")


def stated(phrase: Phrase) -> str:
    """The phrase as it stands alone: "with COPD", "who died", "women"."""
    return {"with": "with {}", "who": "who {}"}.get(phrase.place, "{}").format(phrase.text)


def _stated(chosen: list[Phrase], forms: list[str], random: Random, *, instead: bool = False) -> Change | None:
    if not chosen:
        return None
    return random.choice(forms).format(x=stated(chosen[0])), chosen[0].facts, instead


def _exclude(words: Words, random: Random) -> Change | None:
    for phrase in compatible(words, random, 1, _EXCLUDABLE):
        fact = phrase.facts[0]
        if phrase.place == "with" and isinstance(fact, Demand):
            facts = (replace(fact, negated=True),)
            return random.choice(templates()["follow_ups"]["exclude"]).format(x=phrase.text), facts, False
    return None


def _drop(words: Words, previous: CohortSpec, random: Random) -> Change | None:
    demanded = [part.column for part in previous.criteria if words.columns.get(part.column)]
    if not demanded:
        return None
    name = random.choice(demanded)
    said = random.choice(words.columns[name])
    text = random.choice(templates()["follow_ups"]["drop"]).format(c=said)
    return text, (Removal(0, 0, columns=(name,)),), False


def _columns(words: Words, previous: CohortSpec, random: Random) -> Change:
    form = templates()["follow_ups"]
    if previous.columns is None:
        chosen, text = phrases.column_list(words, random)
        return random.choice(form["set_columns"]).format(list=text), (Columns(0, 0, names=chosen),), False
    if random.random() < 0.3:
        return random.choice(form["all_columns"]), (Columns(0, 0, how="all"),), False
    chosen, text = phrases.column_list(words, random, most=3)
    return random.choice(form["add_columns"]).format(list=text), (Columns(0, 0, names=chosen, how="add"),), False


def _restart(words: Words, random: Random) -> Change:
    form = templates()["follow_ups"]
    if random.random() < 0.4:
        return random.choice(form["restart"]), (Restart(0, 0),), False
    text, facts, _ = request(words, random)
    return random.choice(form["restart_with"]).format(x=text), (Restart(0, 0), *facts), False
