"""Pieces of requests: words for one demand, and the facts that they state.

Every maker draws one :class:`Phrase` from the words of a source. The facts are those of the parser's grammar, so that
they become a spec by the product's own editing, whatever conventions it has for merging and conversion.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import Random
from typing import Literal

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import chapters, diseases
from engine.conversation.fine_tuning.words import Condition, Words, templates
from engine.conversation.rules.facts import Columns, Demand, Fact, Limit, Population
from engine.conversation.rules.ranges import complement

Place = Literal["adjective", "noun", "with", "who", "after", "tail"]


@dataclass(frozen=True)
class Phrase:
    """Words for one demand.

    Attributes:
        text: the words.
        facts: what they state.
        place: where they stand: before the noun, instead of it, after "with" or "who", right after the noun, or last.
        kind: which maker wrote them, so that nothing dominates.
    """

    text: str
    facts: tuple[Fact, ...]
    place: Place
    kind: str

    @property
    def columns(self) -> frozenset[str]:
        """The columns that it demands something of."""
        names = {getattr(fact, "column", "") for fact in self.facts if not isinstance(fact, Columns)}
        names |= {fact.criterion.column for fact in self.facts if isinstance(fact, Demand) and fact.criterion}
        return frozenset(names - {""})


Maker = Callable[[Words, Random], Phrase | None]


def condition(words: Words, random: Random) -> Phrase | None:
    """A disease, a drug or a clinical word, demanded or excluded: "with COPD", "elderly", "not on insulin"."""
    if not (words.conditions or words.coded):
        return None
    said = one_condition(words, random)
    name, criterion = said.words, said.criterion
    negated = random.random() < 0.3
    form = templates()
    negated = negated and name not in form["verb_phrases"]
    facts = (fact_of(criterion, negated=negated),)
    if name in form["verb_phrases"]:
        return Phrase(name, facts, "who", "outcome")
    if name in form["nouns_of_condition"] and not negated:
        return Phrase(form["nouns_of_condition"][name], facts, "noun", "condition")
    if name in form["adjectives"]:
        text = random.choice(form["non"]).format(x=name) if negated else name
        return Phrase(text, facts, "adjective", "condition")
    if said.group == "Drugs":
        return Phrase(random.choice(form["not_drugs" if negated else "drugs"]).format(x=name), facts, "after", "drug")
    if negated:
        return Phrase(random.choice(form["without"]).format(x=name), facts, "after", "condition")
    return Phrase(name, facts, "with", "condition")


def conditions(words: Words, random: Random) -> Phrase | None:
    """Two or three diseases at once: "no hypertension or COPD", "excluding sepsis and stroke"."""
    if not (words.conditions or words.coded):
        return None
    chosen = [
        found for found in (one_condition(words, random) for _ in range(random.choice([2, 2, 3]))) if is_noun(found)
    ]
    columns = [found.criterion.column for found in chosen]
    if len(chosen) < 2 or len(set(columns)) < len(chosen):
        return None
    negated = random.random() < 0.5
    names = [found.words for found in chosen]
    if negated:
        joined = f"{', '.join(names[:-1])}{random.choice([' or ', ' or ', ' and '])}{names[-1]}"
        text = random.choice(
            ["without {x}", "no {x}", "excluding {x}", "with no {x}", "exclude {x}", "free of {x}"]
        ).format(x=joined)
    else:
        text = f"{', '.join(names[:-1])}{random.choice([' and ', ' and ', ' plus ', ', '])}{names[-1]}"
    facts = tuple(fact_of(found.criterion, negated=negated) for found in chosen)
    return Phrase(text, facts, "after" if negated else "with", "conditions")


def category(words: Words, random: Random) -> Phrase | None:
    """A category, or one of several: "women", "non-white", "Black or Hispanic", "insurance: Medicare"."""
    if not words.categories:
        return None
    name = category_column(words, random)
    values = words.values[name]
    value = random.choice(values)
    noun = noun_of_category(words, name, value, random)
    said = random.choice(words.categories[name, value])
    form, roll = templates(), random.random()
    one = Criterion(column=name, any_of=(value,))
    if noun is not None and roll < 0.5:
        return Phrase(noun, (Demand(0, 0, "", one),), "noun", "noun")
    if roll < 0.62:
        facts = (Demand(0, 0, "", one, True),)
        if len(said.split()) == 1 and random.random() < 0.6:
            return Phrase(random.choice(form["non"]).format(x=said), facts, "adjective", "category")
        return Phrase(
            random.choice(["excluding {x}", "no {x}", "not {x}", "except {x}", "but not {x}"]).format(x=said),
            facts,
            "after",
            "category",
        )
    if roll < 0.74 and len(values) > 2:
        other = random.choice([candidate for candidate in values if candidate != value])
        text = random.choice(form["alternatives"]).format(x=said, y=random.choice(words.categories[name, other]))
        both = Criterion(column=name, any_of=(value, other))
        return Phrase(text, (Demand(0, 0, "", both),), "adjective", "alternatives")
    if (
        any(words.lexicon.concepts.get(one) == name for one in form["adjective_concepts"])
        and len(said.split()) < 3
        and roll < 0.92
    ):
        return Phrase(said, (Demand(0, 0, "", one),), "adjective", "category")
    column = random.choice(words.columns[name] or (name,))
    return Phrase(
        random.choice(form["category"]).format(x=said, c=column), (Demand(0, 0, "", one),), "after", "category"
    )


def code(words: Words, random: Random) -> Phrase | None:
    """Codes of ICD-9-CM, a range of them, or a chapter."""
    if words.codes is None:
        return None
    form, roll = templates(), random.random()
    known = [prefix for disease in diseases() for prefix in disease.icd9 if len(prefix) >= 3]
    first, second = sorted(random.sample(known, 2))
    if roll < 0.45:
        text, criterion = random.choice(form["code"]).format(x=_dotted(first, random)), {"starts_with": (first,)}
    elif roll < 0.6:
        text = random.choice(form["codes"]).format(x=_dotted(first, random), y=_dotted(second, random))
        criterion = {"starts_with": (first, second)}
    elif roll < 0.8 and first[0].isdigit() and second[0].isdigit():
        first, second = first[:3], second[:3]
        text, criterion = (
            random.choice(form["code_range"]).format(x=first, y=second),
            {"between_codes": ((first, second),)},
        )
    else:
        chapter = random.choice(chapters())
        text, criterion = random.choice(form["chapter"]).format(x=chapter.number), {"between_codes": (chapter.range,)}
    negated = roll < 0.6 and random.random() < 0.15
    fact = Demand(0, 0, "", Criterion(column=words.codes.name, **criterion), negated)  # type: ignore[arg-type]
    text = random.choice(["without {x}", "excluding {x}", "not {x}"]).format(x=text) if negated else text
    return Phrase(text, (fact,), "after" if negated else "with", "code")


def columns(words: Words, random: Random) -> Phrase | None:
    """The columns to show: "only age, sex and BMI"."""
    chosen, text = column_list(words, random)
    return Phrase(
        random.choice(templates()["columns"]).format(list=text), (Columns(0, 0, names=chosen),), "tail", "columns"
    )


def column_list(words: Words, random: Random, *, most: int = 6) -> tuple[tuple[str, ...], str]:
    """A few columns and the text that lists them."""
    named = [name for name, said in words.columns.items() if said]
    chosen = random.sample(named, min(len(named), random.randint(1, most)))
    said = [random.choice(words.columns[name]) for name in chosen]
    text = said[0] if len(said) == 1 else f"{', '.join(said[:-1])}{random.choice([' and ', ', ', ' & '])}{said[-1]}"
    return tuple(chosen), text


def population(words: Words, random: Random) -> Phrase | None:
    """The reference population."""
    return Phrase(random.choice(templates()["population"]), (Population(0, 0),), "tail", "population")


def fact_of(criterion: Criterion, *, negated: bool) -> Fact:
    """The fact that ``criterion`` (or what it leaves) is demanded; only ranges are turned round here."""
    if criterion.minimum is None and criterion.maximum is None:
        return Demand(0, 0, "", criterion, negated)
    low = -inf if criterion.minimum is None else float(criterion.minimum)
    high = inf if criterion.maximum is None else float(criterion.maximum)
    only = (Interval(low, high, criterion.include_minimum, criterion.include_maximum),)
    return Limit(0, 0, "", criterion.column, complement(only) if negated else only)


def one_condition(words: Words, random: Random) -> Condition:
    """A disease, drug or clinical word of the source."""
    # First whether the source has a column of its own for it, then the meaning, then the words: rare diseases, of which
    # there are hundreds, and diseases of many names are not asked for more often than others.
    coded = words.coded and (not words.conditions or random.random() < 0.35)
    return random.choice(random.choice(words.coded if coded else words.conditions))


def is_noun(found: Condition) -> bool:
    """Whether it can be had: "with COPD", but not "with elderly"."""
    form = templates()
    return (
        found.words not in form["adjectives"]
        and found.words not in form["verb_phrases"]
        and (found.words not in form["nouns_of_condition"] and found.group != "Drugs")
    )


def category_column(words: Words, random: Random) -> str:
    """A column with categories; the sex more often than others, as in people's requests."""
    sex = words.named("sex")
    if sex is not None and sex.name in words.values and random.random() < 0.25:
        return sex.name
    return random.choice(list(words.values))


def noun_of_category(words: Words, column: str, value: str, random: Random) -> str | None:
    """A noun for the people of a category ("women"); None where there is none."""
    for concept, nouns in templates()["nouns_of_category"].items():
        if words.lexicon.concepts.get(concept) == column:
            found = nouns.get(value) or nouns.get(value[:1].upper())
            return random.choice(found) if found else None
    return None


def _dotted(code: str, random: Random) -> str:
    split = 4 if code[0] == "E" else 3
    return f"{code[:split]}.{code[split:]}" if len(code) > split and random.random() < 0.7 else code
