"""Words for a column's reference range or presence: "elevated creatinine", "sodium > ULN", "recorded BMI"."""

import math

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.rules.facts import Demand, Fact, Limit, Problem
from engine.conversation.rules.reading import Reading
from engine.schema.table import Column


def reference_then_column(reading: Reading, at: int) -> Fact | None:
    """Reads "elevated creatinine", "normal sodium", "recorded BMI"."""
    item = reading.items[at]
    if not item.is_("high", "low", "normal", "recorded"):
        return None
    i = reading.skip(at + 1, "filler", most=2)
    following = reading.at(i)
    names = following.get("column") if following else None
    if names is None:
        return None
    if item.is_("recorded"):
        return recorded(reading, at, i + 1, names[0])
    column = reading.column(names[0])
    after = reading.at(i + 1)
    if not column.kind.is_ordered or (after is not None and after.is_("operator", "number")):
        return None
    return _reference_limit(reading, at, i + 1, column, next(p for p in ("high", "low", "normal") if item.is_(p)))


def recorded(reading: Reading, first: int, last: int, column: str) -> Demand:
    """The demand that ``column`` is recorded (or, negated, missing)."""
    negated = reading.negated(first, column)
    return Demand(first, last, criterion=Criterion(column=column, recorded=not negated))


def normal_category(reading: Reading, at: int, i: int, name: str) -> Demand | None:
    """Reads "A1C result normal" on a column that has a category for it."""
    column = reading.column(name)
    normal = next((text for text in column.categories or () if text.lower().startswith("norm")), None)
    if normal is None or not reading.items[i].is_("normal"):
        return None
    return Demand(at, i + 1, "", Criterion(column=name, any_of=(normal,)), reading.negated(at, name))


def reference(reading: Reading, at: int, i: int, column: Column) -> Fact | None:
    """The limit for "elevated", "low", "normal" or "> ULN" at item ``i``, for the column at item ``at``."""
    item = reading.items[i]
    for word in ("high", "low", "normal"):
        if item.is_(word) and not item.is_("operator"):
            return _reference_limit(reading, at, i + 1, column, word)
    following = reading.at(i + 1)
    if item.is_("operator") and following is not None and following.is_("upper_limit", "lower_limit"):
        bound = column.reference_high if following.is_("upper_limit") else column.reference_low
        if bound is None:
            return _no_reference(reading, at, i + 2, column)
        above = item.get("operator").startswith(">")
        interval = Interval(low=bound, include_low=False) if above else Interval(high=bound, include_high=False)
        return Limit(at, i + 2, column=column.name, intervals=(interval,), note=_reference_note(column))
    return None


def _reference_limit(reading: Reading, first: int, last: int, column: Column, word: str) -> Fact:
    low, high = column.reference_low, column.reference_high
    interval = None
    if word == "high" and high is not None:
        interval = Interval(low=high, include_low=False)
    elif word == "low" and low is not None:
        interval = Interval(high=low, include_high=False)
    elif word == "normal" and not (low is None and high is None):
        interval = Interval(-math.inf if low is None else low, math.inf if high is None else high)
    if interval is None:
        return _no_reference(reading, first, last, column)
    return Limit(first, last, column=column.name, intervals=(interval,), note=_reference_note(column))


def _reference_note(column: Column) -> str:
    low = "" if column.reference_low is None else f"{column.reference_low:g}"
    high = "" if column.reference_high is None else f"{column.reference_high:g}"
    return f"reference range {low}–{high} {column.unit or ''}".strip()


def _no_reference(reading: Reading, first: int, last: int, column: Column) -> Problem:
    title = column.label or column.name
    return Problem(first, last, code="invalid", message=f"{title} has no reference range here; give a number instead.")
