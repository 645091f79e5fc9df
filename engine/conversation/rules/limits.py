"""Ranges on columns: "hemoglobin below 10 g/dL", "more than 10 days of hospital stay", "elevated creatinine", "65+"."""

import math
from dataclasses import replace

from engine.conversation.rules.bands import bands_of
from engine.conversation.rules.concepts import convert, is_time, time_unit
from engine.conversation.rules.converting import limit_of
from engine.conversation.rules.facts import Fact
from engine.conversation.rules.ranges import RangeRead, has_its_own_column, read_ranges
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.references import normal_category, recorded, reference
from engine.schema.table import Column

_LINKS = ("filler", "but", "limit", "column", "plural_s")
_OLDEST = 130
_COMPARED = {"older": "age_years", "younger": "age_years", "heavier": "weight_kg", "lighter": "weight_kg",
             "taller": "height_cm", "shorter": "height_cm"}  # fmt: skip


def is_measured(column: Column) -> bool:
    """Whether ranges can be asked of ``column``."""
    return column.kind.is_ordered or bool(bands_of(column))


def column_then_range(reading: Reading, at: int) -> Fact | None:
    """A column, then a range, a word for its reference range, or "recorded"."""
    names = reading.items[at].get("column")
    if names is None:
        return None
    measured = next((reading.column(name) for name in names if is_measured(reading.column(name))), None)
    i = _after_links(reading, at, names)
    item = reading.at(i)
    if item is None:
        return None
    if item.is_("recorded") and i == reading.skip(at + 1, "filler", symbols=":="):
        return recorded(reading, at, i + 1, names[0])
    if (said := normal_category(reading, at, i, names[0])) is not None:
        return said
    if measured is None:
        return None
    if (referred := reference(reading, at, i, measured)) is not None:
        return referred
    found = read_ranges(reading.items, i)
    if found is None or (found.exact and _counts_patients(reading, found.end)):
        return None
    if any(link.is_("but") for link in reading.items[at + 1 : i]) and has_its_own_column(reading.items, found.end):
        return None  # "emergency admissions with more than 10 medications"
    if found.exact and not found.comparison and any(x.get("symbol") == "," for x in reading.items[at:i]):
        return None
    return limit_of(reading, at, measured, found)


def range_then_column(reading: Reading, at: int) -> Fact | None:
    """A range, then perhaps its column; without one years and bare numbers mean age, other times the stay."""
    if not reading.items[at].is_("operator", "number", "between", "decade", "decade_part"):
        return None
    found = read_ranges(reading.items, at)
    if found is None:
        return None
    column, end = _column_after(reading, found)
    within = next((item.get("column") for item in reading.items[at : found.end] if item.get("column")), None)
    if reading.items[at].is_("between", "operator") and within and is_measured(reading.column(within[0])):
        inside = reading.column(within[0])  # "between the ages of 18 and 30", "above a BMI of 30"
        column, end = inside, end if inside == column else found.end
    if found.exact and column is None and not _says_age(reading, found.end):
        return None
    if found.exact and found.unit is None:
        return None
    if column is None and found.unit is None and at and _follows_a_name(reading, at):
        return None  # "Xyz < 3" is of something that is not known here, not of age
    if column is None:
        column = _implied_column(reading, at, found) or _default_column(reading, found)
        end = found.end
    if column is None:
        return None
    fact = limit_of(reading, at, column, found)
    return replace(fact, last=max(end, fact.last))


def _after_links(reading: Reading, at: int, names: tuple[str, ...]) -> int:
    i = at + 1
    while i < len(reading.items) and i - at < 8:
        item = reading.items[i]
        if item.is_("number", "operator", "recorded", "between") or not (
            item.is_(*_LINKS) or item.get("symbol") in ("(", ")", ":", ",", "[", "]")
        ):
            break
        mentioned = item.get("column")
        if mentioned is not None and not item.is_("filler", "but") and not set(mentioned) & set(names):
            break
        if item.is_("number") or (item.get("symbol") == "," and i > at + 1):
            break
        i += 1
    return i


def _counts_patients(reading: Reading, at: int) -> bool:
    item = reading.at(at)
    return item is not None and (item.is_("patients", "condition") or bool(item.get("category")))


def _follows_a_name(reading: Reading, at: int) -> bool:
    before = at - 1
    while before > 0 and reading.items[before].get("symbol") in ("+", ")", "("):
        before -= 1
    return reading.items[before].is_("unknown") and not reading.items[before].is_("filler")


def _says_age(reading: Reading, end: int) -> bool:
    """Whether the unit before item ``end`` is one of ages only: "70-year-olds", "70 y/o"."""
    return is_time(reading.items[end - 1].get("unit")) and reading.items[end - 1].is_("column")


def _column_after(reading: Reading, found: RangeRead) -> tuple[Column | None, int]:
    i = reading.skip(found.end, "filler", "to", most=4)
    while i > found.end and reading.items[i - 1].is_("column"):
        i -= 1
    item = reading.at(i)
    names = item.get("column") if item is not None else None
    if names is None:
        return None, found.end
    measured = [reading.column(name) for name in names if is_measured(reading.column(name))]
    # "more than one ICU stay" counts stays, "more than one day in the ICU" measures them.
    measured.sort(key=lambda one: found.unit is None and one.unit is not None)
    if not measured:
        return None, found.end
    column = measured[0]
    following = reading.at(_after_links(reading, i, names))
    if following is not None and following.is_("operator", "between", "high", "low", "normal"):
        return None, found.end
    if following is not None and following.is_("number") and not found.exact and i + 1 < len(reading.items):
        return None, found.end
    own, given = time_unit(column), found.unit
    if given is not None and is_time(given) != (own is not None) and column.unit is not None:
        return None, found.end
    if given == "years" and own != "years":
        return None, found.end
    return column, i + 1


def _implied_column(reading: Reading, at: int, found: RangeRead) -> Column | None:
    """The column that a comparison is of: "taller than" is of height, "younger than 6 months" of age."""
    said = reading.request.spelled(at, found.end)
    for word, concept in _COMPARED.items():
        column = reading.lexicon.column_for(concept) if word in said else None
        if column is not None:
            ends = [end for part in found.intervals for end in (part.low, part.high) if math.isfinite(end)]
            if all(convert(end, unit=found.unit, column=column, concept=concept) is not None for end in ends):
                return column
    return None


def _default_column(reading: Reading, found: RangeRead) -> Column | None:
    lexicon = reading.lexicon
    age = lexicon.column_for("age_years")
    if found.unit == "years":
        return age
    if is_time(found.unit):
        return lexicon.column_for("length_of_stay_hours")
    if found.unit is None:
        ends = [end for part in found.intervals for end in (part.low, part.high) if math.isfinite(end)]
        following = reading.at(found.end)
        if following is not None and following.is_("patients") and found.intervals[0].include_low:
            return age if found.intervals[0].include_low and math.isinf(found.intervals[0].low) else None
        return age if all(0 <= end <= _OLDEST for end in ends) else None
    owners = [column for column in lexicon.schema.features if (column.unit or "").lower() == found.unit.lower()]
    return owners[0] if len(owners) == 1 else None
