"""Ranges of numbers in words: over 65, 65+, between 40 and 60, 10–12 g/dL, in their forties, <20 or >35."""

import math
from dataclasses import dataclass, replace

from engine.cohort.conditions import Interval
from engine.conversation.rules.items import Item

_QUIET = ("filler",)
_PARTS_OF_A_DECADE = {None: (0, 10), "early": (0, 4), "mid": (4, 7), "late": (7, 10)}


@dataclass(frozen=True)
class RangeRead:
    """What a stretch of items says about a number.

    ``intervals`` are alternatives of which one must hold; none at all means that its parts contradict each other.
    """

    intervals: tuple[Interval, ...]
    unit: str | None
    end: int
    exact: bool = False
    """One number was given, not a range: "age 64"."""
    comparison: bool = True
    """An operator, a suffix or two ends were given, so this is a range even without a column beside it."""
    backwards: bool = False
    """The first end was above the second: "between 60 and 40"."""
    decade: bool = False


def read_ranges(items: list[Item], at: int) -> RangeRead | None:
    """One range, or several joined by "and"/"or" or side by side (">18 <28")."""
    found = read_range(items, at)
    if found is None or found.exact:
        return found
    while True:
        joiner, following = _joiner(items, found.end)
        another = read_range(items, following) if following < len(items) else None
        if another is None or another.exact or not another.comparison:
            return found
        if not items[following].is_("operator", "between") and (joiner != "or" or another.decade):
            return found
        if another.unit and found.unit and another.unit != found.unit:
            return found
        if has_its_own_column(items, another.end):
            return found
        if joiner == "or":
            intervals = (*found.intervals, *another.intervals)
        else:
            intervals = tuple(met for a in found.intervals for b in another.intervals if (met := a.meet(b)) is not None)
        found = replace(found, intervals=intervals, unit=found.unit or another.unit, end=another.end)


def has_its_own_column(items: list[Item], at: int) -> bool:
    """Whether a column without a range of its own follows: "> 48 hours and at least one ICU stay"."""
    at = _skip(items, at, ("filler",))
    if at >= len(items) or not items[at].is_("column") or items[at].is_("filler"):
        return False
    following = _skip(items, at + 1, ("filler", "but"))
    return following >= len(items) or not items[following].is_("operator", "number", "between", "recorded")


def read_range(items: list[Item], at: int) -> RangeRead | None:
    """One range that starts at item ``at``, with the unit that follows it."""
    for matcher in (_decade, _between, _compared, _suffixed, _single):
        found = matcher(items, at)
        if found is not None:
            return found
    return None


def _decade(items: list[Item], at: int) -> RangeRead | None:
    item = items[at]
    start, end = None, at + 1
    part = item.get("decade_part")
    if part is not None:
        at = at + 2 if at + 1 < len(items) and items[at + 1].get("symbol") == "-" else at + 1
        if at >= len(items):
            return None
        item, end = items[at], at + 1
    if item.is_("decade"):
        start = float(item.get("decade"))
    elif item.is_("number") and at + 1 < len(items) and items[at + 1].is_("plural_s"):
        start, end = item.get("number").value, at + 2
    if start is None or start % 10 or not 0 < start <= 100:
        return None
    first, last = _PARTS_OF_A_DECADE[part]
    return RangeRead((Interval(start + first, start + last, include_high=False),), "years", end, decade=True)


def _between(items: list[Item], at: int) -> RangeRead | None:
    """Reads "between 40 and 60", "from 40 to 60", "40-60", "40 to 60 years", "65 mg to 70 mg"."""
    i, spelled = at, items[at].is_("between")
    if spelled:
        i = _skip(items, i + 1, (*_QUIET, "column"))
    first = _number(items, i)
    if first is None:
        return None
    unit, j = _unit(items, i + 1)
    joined = spelled and j < len(items) and (items[j].is_("and") or items[j].get("operator") == "<=")
    if j >= len(items) or not (items[j].is_("to") or joined):
        return None
    second = _number(items, j + 1)
    if second is None:
        return None
    other, end = _unit(items, j + 2)
    low, high = sorted((first, second))
    return RangeRead((Interval(low, high),), other or unit, end, backwards=first > second)


def _compared(items: list[Item], at: int) -> RangeRead | None:
    """Reads "over 65", ">= 6.5 %", "not over 65", "at least 18 years"."""
    if not items[at].is_("operator"):
        return None
    i, operator = at + 1, items[at].get("operator")
    if i < len(items) and items[i].is_("or") and i + 1 < len(items) and items[i + 1].get("operator") == "=":
        i, operator = i + 2, operator[0] + "="
    i = _skip(items, i, ("filler", "column"))  # "under the age of 40"
    if i < len(items) and i > at + 1 and items[i].get("symbol") == ":":
        i += 1  # "Minimum age: 18 years"
    value = _number(items, i)
    if value is None:
        return None
    unit, end = _unit(items, i + 1)
    interval = interval_of(operator, value)
    return RangeRead((interval,), unit, end, exact=operator == "=")


def _suffixed(items: list[Item], at: int) -> RangeRead | None:
    """Reads "65+", "65 and older", "65 years or younger", "80 or more"."""
    value = _number(items, at)
    if value is None:
        return None
    unit, i = _unit(items, at + 1)
    if i >= len(items) or not items[i].is_("upward", "downward"):
        return None
    operator = ">=" if items[i].is_("upward") else "<="
    other, end = _unit(items, i + 1)
    if _number(items, i + 1) is not None:
        return None
    return RangeRead((interval_of(operator, value),), unit or other, end)


def _single(items: list[Item], at: int) -> RangeRead | None:
    value = _number(items, at)
    if value is None:
        return None
    unit, end = _unit(items, at + 1)
    return RangeRead((Interval(value, value),), unit, end, exact=True, comparison=False)


def interval_of(operator: str, value: float) -> Interval:
    """The numbers that are ``operator`` ``value``."""
    match operator:
        case ">":
            return Interval(low=value, include_low=False)
        case ">=":
            return Interval(low=value)
        case "<":
            return Interval(high=value, include_high=False)
        case "<=":
            return Interval(high=value)
    return Interval(value, value)


def complement(intervals: tuple[Interval, ...]) -> tuple[Interval, ...]:
    """The numbers in none of ``intervals``."""
    left = (Interval(),)
    for part in intervals:
        outside = []
        if part.low > -math.inf:
            outside.append(Interval(high=part.low, include_high=not part.include_low))
        if part.high < math.inf:
            outside.append(Interval(low=part.high, include_low=not part.include_high))
        left = tuple(met for a in left for b in outside if (met := a.meet(b)) is not None)
    return left


def _number(items: list[Item], at: int) -> float | None:
    if at < len(items) and items[at].is_("number"):
        return items[at].get("number").value
    return None


def _unit(items: list[Item], at: int) -> tuple[str | None, int]:
    if at < len(items) and items[at].is_("unit"):
        return items[at].get("unit"), at + 1
    # "40 year-old": the hyphen stands between the unit's words already; "40-year" has it before them.
    if at + 1 < len(items) and items[at].get("symbol") in ("-", "/") and items[at + 1].is_("unit"):
        return items[at + 1].get("unit"), at + 2
    return None, at


def _skip(items: list[Item], at: int, parts: tuple[str, ...]) -> int:
    while at < len(items) and items[at].is_(*parts) and not items[at].is_("number", "operator", "code"):
        at += 1
    return at


def _joiner(items: list[Item], at: int) -> tuple[str, int]:
    """The word that joins two ranges ("and" where there is none), and the item after it."""
    joiner, i = "and", at
    while i < len(items) and (items[i].is_("and", "or", "but") or items[i].get("symbol") == ","):
        if items[i].is_("or"):
            joiner = "or"
        i += 1
    return joiner, i
