"""Numbers in the places that medicine gives them: "18 < age < 65", "65F", "BP > 140/90"."""

import math
from dataclasses import replace

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.rules.converting import limit_of
from engine.conversation.rules.facts import Demand, Fact
from engine.conversation.rules.limits import is_measured
from engine.conversation.rules.ranges import RangeRead, interval_of, read_range, read_ranges
from engine.conversation.rules.reading import Reading

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def aged_person(reading: Reading, at: int) -> list[Fact] | None:
    """Reads "65F": a woman of 65."""
    number, letter = reading.items[at].get("number"), reading.at(at + 1)
    age = reading.lexicon.column_for("age_years")
    if number is None or letter is None or not letter.is_("aged") or age is None or not is_measured(age):
        return None
    years = RangeRead((Interval(number.value, number.value),), None, at + 1, exact=True)
    sex = letter.get("category")[0]
    demand = Demand(at + 1, at + 2, criterion=Criterion(column=sex.column, any_of=(sex.value,)))
    return [limit_of(reading, at, age, years), demand]


def blood_pressure(reading: Reading, at: int) -> list[Fact] | Fact | None:
    """Reads "BP > 140/90" as systolic and diastolic, "blood pressure > 140" as systolic."""
    if not reading.items[at].is_("pressures"):
        return None
    i = reading.skip(at + 1, "filler", "but", symbols=":")
    found = read_range(reading.items, i) if reading.at(i) is not None else None
    systolic, diastolic = (reading.lexicon.column_for(f"{name}_bp") for name in ("systolic", "diastolic"))
    if found is None or found.exact or systolic is None:
        return None
    upper = limit_of(reading, at, systolic, found)
    slash, second = reading.at(found.end), reading.at(found.end + 1)
    if slash is None or slash.get("symbol") != "/" or second is None or not second.is_("number") or diastolic is None:
        return replace(upper, note="blood pressure alone was read as systolic")
    value, part = second.get("number").value, found.intervals[0]
    low, high = (value if math.isfinite(end) else end for end in (part.low, part.high))
    lower = replace(found, intervals=(replace(part, low=low, high=high),), end=found.end + 2)
    unit = reading.at(found.end + 2)
    last = found.end + 3 if unit is not None and unit.is_("unit") else found.end + 2
    return [replace(upper, last=last), replace(limit_of(reading, at, diastolic, lower), last=last)]


def sandwiched(reading: Reading, at: int) -> Fact | None:
    """The limit of a number, a sign and a column, with the sign and number that may follow."""
    first, sign = reading.items[at].get("number"), reading.at(at + 1)
    if first is None or sign is None or sign.get("operator") not in _TURNED or not sign.is_("symbol"):
        return None
    i = reading.skip(at + 2, "filler", most=2)
    names = (item.get("column") if (item := reading.at(i)) is not None else None) or ()
    column = next((reading.column(name) for name in names if is_measured(reading.column(name))), None)
    if column is None:
        return None
    found = RangeRead((interval_of(_TURNED[sign.get("operator")], first.value),), None, i + 1)
    further = read_ranges(reading.items, i + 1) if reading.at(i + 1) is not None else None
    if further is not None and further.comparison and not further.exact:
        met = tuple(both for one in further.intervals for both in [one.meet(found.intervals[0])] if both is not None)
        found = replace(further, intervals=met)
    return limit_of(reading, at, column, found)
