"""A range in the unit that was typed becomes a limit in the column's unit; a slip of the unit is asked about."""

import math
from dataclasses import replace

from engine.cohort.conditions import Interval
from engine.conversation.rules.concepts import concept_of, convert, is_time, time_unit
from engine.conversation.rules.facts import Choice, Fact, Limit, Problem, criterion_of
from engine.conversation.rules.ranges import RangeRead, complement
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.wording import phrase
from engine.schema.catalogue import catalogue, unit_key
from engine.schema.table import Column, TableSchema


def limit_of(reading: Reading, first: int, column: Column, found: RangeRead) -> Fact:
    """The limit that ``found`` puts on ``column``, from item ``first`` on; a problem where the units do not fit."""
    found, guessed = _with_likely_unit(found, column)
    parts, notes = [], [guessed] if guessed else []
    for part in found.intervals:
        converted = _converted(part, found, column)
        if (slip := _unit_slip(part, converted, found, column)) is not None:
            return replace(slip, first=first)
        if converted is None:
            unit = f"{column.unit}" if column.unit else "no unit"
            message = f"{column.title}: {found.unit} cannot be converted to {unit}."
            return Problem(first, found.end, code="invalid", message=message)
        parts.append(converted)
    if found.unit and column.unit and any(a != b for a, b in zip(parts, found.intervals, strict=True)):
        notes.append(f"in {column.unit}")
    elif found.unit and column.unit is None and is_time(found.unit):
        notes.append(f"the source states no unit for {column.name}: the number was taken as it is")
    intervals = tuple(parts)
    if reading.negated(first, column.name, is_range=True):
        intervals = complement(intervals)
    spelling = reading.request.notes(first, found.end)
    note = "; ".join([*notes, spelling] if spelling else notes)
    return Limit(first, found.end, note, column.name, intervals, found.backwards)


def _unit_slip(typed: Interval, converted: Interval | None, found: RangeRead, column: Column) -> Problem | None:
    """Asks about "Hb ≥ 10 mg/dL": no value that is plausible in the typed unit, but one in the column's own."""
    if not found.unit or not column.unit or unit_key(found.unit) == unit_key(column.unit):
        return None
    if not _is_plausible(typed, column) or (converted is not None and _is_plausible(converted, column)):
        return None
    name = column.label or column.name.replace("_", " ")
    message = f"{name} in {found.unit} would be far from any plausible value; {column.unit} may be meant."
    meant = Limit(0, found.end, f"read in {column.unit}", column.name, found.intervals)
    said = phrase(criterion_of(column, found.intervals), TableSchema(columns=(column,)))
    choices = (Choice(f"Read as {said}", (meant,)), Choice(f"Leave {name} out", ()))
    return Problem(0, found.end, code="invalid", message=message, blocks=True, choices=choices)


def _with_likely_unit(found: RangeRead, column: Column) -> tuple[RangeRead, str]:
    """``found`` in the only unit that makes a number without one plausible ("WBC > 20k" per µL), and a note of it."""
    concept = concept_of(column)
    if found.unit is not None or concept is None or concept not in catalogue() or found.exact:
        return found, ""
    if all(_is_plausible(part, column) for part in found.intervals):
        return found, ""
    likely = []
    for unit in catalogue().concept(concept).units:
        inside = [_converted(part, replace(found, unit=unit), column) for part in found.intervals]
        if all(part is not None and _is_plausible(part, column) for part in inside):
            likely.append(unit)
    if len(likely) != 1:
        return found, ""
    return replace(found, unit=likely[0]), f"no unit was given: read as {likely[0]}"


def _is_plausible(part: Interval, column: Column) -> bool:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    ends = [end for end in (part.low, part.high) if math.isfinite(end)]
    return all(low <= end <= high for end in ends)


def _converted(part: Interval, found: RangeRead, column: Column) -> Interval | None:
    ends = []
    for end in (part.low, part.high):
        value = end
        if math.isfinite(end):
            converted = convert(end, unit=found.unit, column=column, concept=concept_of(column))
            if converted is None:
                return None
            value = converted
        ends.append(value)
    low, high = ends
    if found.exact and low == high:
        step = _step(found, column)
        if step:
            # "age 64" lasts until the 65th birthday, "2 days" until the third day is full.
            return Interval(low, low + step, include_high=False)
    return Interval(low, high, part.include_low, part.include_high)


def _step(found: RangeRead, column: Column) -> float:
    own = time_unit(column)
    if own is None or column.kind == "integer":
        return 0.0
    if found.unit is None or found.unit == own:
        return 1.0 if own in ("years", "days") else 0.0
    return convert(1.0, unit=found.unit, column=column, concept=None) or 0.0
