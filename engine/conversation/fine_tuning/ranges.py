"""Phrases for ranges of numbers: ages, measurements in any unit, stays, reference ranges."""

import math
import re
from random import Random

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.cohort.vocabulary import grammar
from engine.conversation.fine_tuning import numerals
from engine.conversation.fine_tuning.phrases import Phrase, Place
from engine.conversation.fine_tuning.words import Words, conversions, templates, unit_words
from engine.conversation.rules.concepts import concept_of, convert
from engine.conversation.rules.facts import Demand, Fact, Limit
from engine.conversation.rules.ranges import complement, interval_of
from engine.schema.table import Column, Kind

_OPERATORS = (">", ">=", "<", "<=")
_OPPOSITE = {"nobody_under": "<", "nobody_over": ">"}
_PARTS = {"early": (0, 4), "mid": (4, 7), "late": (7, 10)}


def age(words: Words, random: Random) -> Phrase | None:
    """A range of ages: "over 65", "aged 40-60", "in their late fifties", "nobody under 18"."""
    column = words.named("age_years")
    if column is None or not column.kind.is_ordered:
        return None
    form = templates()["age"]
    shape = random.choice(
        [*_OPERATORS, *_OPERATORS, "between", "between", "between", "decade", "part", "exact", *_OPPOSITE]
    )
    a, b = (
        sorted(random.sample(range(1, 96), 2)) if random.random() < 0.4 else sorted(random.sample(range(5, 96, 5), 2))
    )
    if shape in ("decade", "part"):
        start = random.choice(list(numerals.DECADES))
        said = random.choice([numerals.DECADES[start], numerals.DECADES[start], f"{start}s", f"{start}'s"])
        part = random.choice(list(_PARTS)) if shape == "part" else None
        low, high = _PARTS[part] if part else (0, 10)
        choices = form["part"][part] if part else form["decade"]
        return _phrase(
            column, random.choice(choices).format(d=said), Interval(start + low, start + high, include_high=False)
        )
    if shape in _OPPOSITE:
        outside = complement((interval_of(_OPPOSITE[shape], a),))
        return _phrase(column, random.choice(form[shape]).format(a=a), *outside)
    if shape == "exact":
        return _phrase(column, random.choice(form["exact"]).format(a=a), Interval(a, a + 1, include_high=False))
    wording = random.choice(form[shape])
    in_words = random.random() < 0.15 and not re.search(r"[<>≥≤=]|\}[+y–-]", wording)
    said = [numerals.in_words(x) if in_words else str(x) for x in (a, b)]
    text = wording.format(a=said[0], b=said[1])
    return _phrase(column, text, Interval(a, b) if shape == "between" else interval_of(shape, a))


def measured(words: Words, random: Random) -> Phrase | None:
    """A range on a measured column, in its own unit, in another one, or without a unit."""
    if not words.measured:
        return None
    column = random.choice(words.measured)
    form, said = templates(), random.choice(words.columns[column.name])
    roll = random.random()
    if roll < 0.1 and (column.reference_low is not None or column.reference_high is not None):
        return _reference(column, said, random)
    if roll < 0.13:
        demand = Demand(0, 0, "", Criterion(column=column.name, recorded=True))
        return Phrase(random.choice(form["recorded"]).format(c=said), (demand,), "with", "recorded")
    drawn = _numbers(column, random)
    if drawn is None:
        return None
    (a, own_a), (b, own_b), unit = drawn
    slots = {"c": said, "a": numerals.measured(a, random), "b": numerals.measured(b, random), "u": unit}
    shape = random.choice(["compared"] * 6 + ["upward", "downward", "between", "between", "between_open", "outside"])
    place: Place = "with"
    match shape:
        case "compared":
            operator = random.choice(_OPERATORS)
            slots["op"], slots["sign"] = (
                _operator_words(operator, column, random),
                random.choice(form["signs"][operator]),
            )
            choices, intervals = form["compared"], [interval_of(operator, own_a)]
            stay = _stay(column)
            if stay and unit and random.random() < 0.7:
                choices, place = form[stay], "after"
        case "upward" | "downward":
            choices, intervals = form[shape], [interval_of(">=" if shape == "upward" else "<=", own_a)]
        case "between":
            choices, intervals = form[shape], [Interval(own_a, own_b)]
        case "between_open":
            choices, intervals = form[shape], [Interval(own_a, own_b, include_low=False, include_high=False)]
        case _:
            choices = form[shape]
            intervals = [Interval(high=own_a, include_high=False), Interval(low=own_b, include_low=False)]
    text = random.choice(choices).format(**slots)
    return Phrase(text, (Limit(0, 0, "", column.name, tuple(intervals)),), place, shape)


def _phrase(column: Column, text: str, *intervals: Interval) -> Phrase:
    return Phrase(text, (Limit(0, 0, "", column.name, intervals),), "after", "age")


def _reference(column: Column, said: str, random: Random) -> Phrase | None:
    low = -math.inf if column.reference_low is None else column.reference_low
    high = math.inf if column.reference_high is None else column.reference_high
    ranges = {
        "high": Interval(low=high, include_low=False),
        "low": Interval(high=low, include_high=False),
        "normal": Interval(low, high),
    }
    word = random.choice(list(ranges))
    if Interval() == ranges[word] or not math.isfinite({"high": high, "low": low}.get(word, 0.0)):
        return None
    fact: Fact = Limit(0, 0, "", column.name, (ranges[word],))
    return Phrase(random.choice(templates()["reference"][word]).format(c=said), (fact,), "with", "reference")


def _stay(column: Column) -> str | None:
    return {"length_of_stay_hours": "stay", "icu_days": "icu_stay"}.get(concept_of(column) or "")


def _operator_words(operator: str, column: Column, random: Random) -> str:
    only_for = templates()["only_for"]
    concept = concept_of(column) or ""
    return random.choice(
        [said for said in grammar()["operator"][operator] if concept in only_for.get(said, (concept,))]
    )


def _numbers(column: Column, random: Random) -> tuple[tuple[float, float], tuple[float, float], str] | None:
    """Two ascending numbers as (written, in the column's own unit), and the unit to write behind them, if any."""
    window = _window(column)
    if window is None:
        return None
    others = conversions(column)
    foreign = random.choice(list(others)) if others and random.random() < 0.4 else None
    if foreign is not None:
        factor, offset = others[foreign].factor, others[foreign].offset
        window = ((window[0] - offset) / factor, (window[1] - offset) / factor)
    a, b = sorted(_round(random.uniform(*window), window, column, random) for _ in range(2))
    if a >= b or a <= 0 <= b:
        return None
    unit = foreign if foreign is not None else (column.unit if column.unit and random.random() < 0.6 else None)
    own = [convert(x, unit=foreign, column=column, concept=concept_of(column)) for x in (a, b)]
    if own[0] is None or own[1] is None:
        return None
    spelled = random.choice(unit_words(unit)) if unit else ""
    glued = (
        spelled
        and (spelled == "%" or random.random() < 0.25)
        and not spelled[0].isdigit()
        and not spelled.startswith("x")
    )
    return (a, own[0]), (b, own[1]), f"{'' if glued or not spelled else ' '}{spelled}"


def _window(column: Column) -> tuple[float, float] | None:
    """Where clinicians' limits lie: around the reference range, else where the templates or the bounds say."""
    known = templates()["windows"].get(concept_of(column) or "")
    if known is not None:
        return float(known[0]), float(known[1])
    low, high = column.reference_low, column.reference_high
    if low is None or high is None or low == high:
        low, high = column.minimum, column.maximum
        return None if low is None or high is None or low >= high else (low, high)
    least = column.minimum if column.minimum is not None else -math.inf
    most = column.maximum if column.maximum is not None else math.inf
    return max(least, low - 0.8 * (high - low)), min(most, high + 1.5 * (high - low))


def _round(value: float, window: tuple[float, float], column: Column, random: Random) -> float:
    """``value`` with as few digits as people give: more where the window is narrow."""
    if column.kind is Kind.INTEGER:
        return float(round(value))
    digits = max(0, 2 - math.floor(math.log10(window[1] - window[0])))
    step = random.choice([1.0, 1.0, 5.0]) * 10.0 ** -max(0, digits - random.choice([1, 1, 2]))
    if window[1] - window[0] > 100:
        step = random.choice([1.0, 5.0, 10.0, 10.0, 50.0])
    return round(round(value / step) * step, 6)
