"""Phrases for target shares: "30 % women", "a quarter with COPD", "60/40 male to female", "10 % mortality"."""

from random import Random

from engine.conversation.fine_tuning import numerals
from engine.conversation.fine_tuning.phrases import (
    Phrase,
    category_column,
    is_noun,
    noun_of_category,
    one_condition,
)
from engine.conversation.fine_tuning.words import Words, templates
from engine.conversation.rules.facts import Proportion
from engine.schema.table import Kind

_STEPS = tuple(step / 20 for step in range(1, 20))


def share(words: Words, random: Random) -> Phrase | None:
    """One share, or several of one column."""
    roll = random.random()
    if roll < 0.55 and words.categories:
        return _category_shares(words, random)
    amount = random.choice([*numerals.FRACTIONS, *_STEPS, 0.01, 0.02, 0.12, 0.33, 0.66, 1.0])
    dead = words.named("died_in_hospital")
    if dead is not None and dead.kind is Kind.BOOLEAN and roll < 0.75:
        text = random.choice(templates()["mortality"]).format(p=numerals.share(amount, random))
        return Phrase(text, (Proportion(0, 0, "", dead.name, True, amount),), "tail", "mortality")
    if not (words.conditions or words.coded):
        return None
    found = one_condition(words, random)
    column = words.schema[found.criterion.column]
    if column.kind is not Kind.BOOLEAN or not is_noun(found):
        return None
    text = random.choice(templates()["share_with"]).format(p=numerals.share(amount, random), x=found.words)
    value = bool((found.criterion.any_of or (True,))[0])
    return Phrase(text, (Proportion(0, 0, "", column.name, value, amount),), "tail", "share")


def _category_shares(words: Words, random: Random) -> Phrase | None:
    name = category_column(words, random)
    values = words.values[name]
    form, roll = templates(), random.random()
    if roll < 0.5 or len(values) < 2:
        value = random.choice(values)
        amount = random.choice([*numerals.FRACTIONS, *_STEPS, 0.02, 0.15, 0.33])
        text = random.choice(form["share"]).format(
            p=numerals.share(amount, random), x=_said(words, name, value, random)
        )
        return Phrase(text, (Proportion(0, 0, "", name, value, amount),), "tail", "share")
    if roll < 0.85 or len(values) < 3:
        x, y = random.sample(values, 2)
        said = {"x": _said(words, name, x, random), "y": _said(words, name, y, random)}
        if random.random() < 0.4:
            facts = tuple(Proportion(0, 0, "", name, value, 0.5) for value in (x, y))
            return Phrase(random.choice(form["equal"]).format(**said), facts, "tail", "equal")
        i = random.choice([10, 20, 25, 30, 40, 45, 50, 55, 60, 65, 70, 75, 80, 90])
        facts = tuple(Proportion(0, 0, "", name, value, part / 100) for value, part in ((x, i), (y, 100 - i)))
        return Phrase(random.choice(form["ratio"]).format(i=i, j=100 - i, **said), facts, "tail", "ratio")
    chosen, left, parts = random.sample(values, 3), 100, []
    for value in chosen:
        parts.append((value, random.randrange(5, left - 5 * (2 - len(parts)) + 1, 5) if len(parts) < 2 else left))
        left -= parts[-1][1]
    said = [
        f"{part}{random.choice(['%', ' %', ' percent'])} {_said(words, name, value, random)}" for value, part in parts
    ]
    facts = tuple(Proportion(0, 0, "", name, value, part / 100) for value, part in parts)
    return Phrase(random.choice(form["mixture"]).format(a=said[0], b=said[1], c=said[2]), facts, "tail", "mixture")


def _said(words: Words, column: str, value: str, random: Random) -> str:
    return noun_of_category(words, column, value, random) or random.choice(words.categories[column, value])
