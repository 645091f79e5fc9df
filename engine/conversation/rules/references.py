"""Words for a column's reference range or presence: "elevated creatinine", "sodium > ULN", "recorded BMI"."""

import math

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.rules.facts import Demand, Fact, Limit, Problem
from engine.conversation.rules.ranges import complement, interval_of
from engine.conversation.rules.reading import Reading
from engine.schema.table import Column, Kind


def reference_then_column(reading: Reading, at: int) -> Fact | list[Fact] | None:
    """Reads "elevated creatinine", "normal sodium", "recorded BMI"."""
    item = reading.items[at]
    if not item.is_("high", "low", "normal", "recorded"):
        return None
    i = at + 1
    while i < at + 3 and (between := reading.at(i)) is not None and between.is_("filler") and not between.is_("column"):
        i += 1
    following = reading.at(i)
    names = following.get("column") if following else None
    if names is None:
        return None
    if item.is_("recorded"):
        # "known hypothyroidism" is hypothyroidism.
        if reading.column(names[0]).kind is Kind.BOOLEAN:
            return None
        found = [recorded(reading, at, i + 1, names[0])]
        while (further := reading.at(j := reading.skip(found[-1].last, "and", symbols=",/"))) is not None:
            names = further.get("column")
            after = reading.at(j + 1)
            if j == found[-1].last or not names or (after is not None and after.is_("operator", "number", "between")):
                break
            found.append(recorded(reading, at, j + 1, names[0]))
        return list(found)
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
    return _against_a_limit(reading, at, i, column) if item.is_("operator") else None


def _against_a_limit(reading: Reading, at: int, i: int, column: Column) -> Fact | None:
    """Reads "> ULN", "more than 3 x ULN", "≤ 2.5 times the upper limit of normal"."""
    operator, times, end = reading.items[i].get("operator"), 1.0, i + 1
    if (number := reading.at(end)) is not None and number.is_("number"):
        times, end = number.get("number").value, end + 1
        said = reading.request.span(end, end + 1).lower() if reading.at(end) is not None else ""
        if said not in ("x", "×", "*", "times", "fold", "-fold"):
            return None
        end += 1
    end = reading.skip(end, "filler", most=2)
    following = reading.at(end)
    if following is None or not following.is_("upper_limit", "lower_limit"):
        return None
    bound = column.reference_high if following.is_("upper_limit") else column.reference_low
    if bound is None:
        return _no_reference(reading, at, end + 1, column)
    intervals = (interval_of(operator, round(times * bound, 4)),)
    if reading.negated(at, column.name, is_range=True):
        intervals = complement(intervals)
    return Limit(at, end + 1, column=column.name, intervals=intervals, note=_reference_note(column))


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
