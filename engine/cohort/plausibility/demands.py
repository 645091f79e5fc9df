"""Whether conditions can only be met by rows that break a rule: pregnant men are refused before any is drawn."""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np

from engine.cohort.conditions import Condition, Interval
from engine.cohort.plausibility.binding import BoundRule, Source
from engine.cohort.plausibility.cells import Columns, numbers_hold, text_holds
from engine.cohort.plausibility.constraints import Clause, Implies, Ordered, Range
from engine.cohort.plausibility.rules import Rule
from engine.schema.table import Kind

Conditions = Mapping[str, Condition]


def demanded(conditions: Conditions, rules: Iterable[BoundRule]) -> BoundRule | None:
    """The first of ``rules`` that every row that satisfies ``conditions`` breaks; None where there is none.

    What is found follows from one column's limits at a time (implications, ranges, orders); that a sum or a formula
    leaves nothing shows when rows are drawn.
    """
    for one in rules:
        if any(_breaks(one.rule, columns, conditions) for columns in one.instances):
            return one
    return None


def _breaks(rule: Rule, columns: Columns, conditions: Conditions) -> bool:
    if not all(_always(clause, columns, conditions) for clause in rule.where):
        return False
    match rule.constraint:
        case Implies(when=when, then=then):
            asked = all(_always(clause, columns, conditions) for clause in when)
            return asked and _never(then, columns, conditions)
        case Range(column=name, low=low, high=high):
            return _never(Clause(column=name, at_least=low, at_most=high), columns, conditions)
        case Ordered() as part:
            return any(_reversed(columns[a], columns[b], part, conditions) for a, b in pairwise(part.columns))
        case _:
            return False


def _always(clause: Clause, columns: Columns, conditions: Conditions) -> bool:
    """Whether every value that the conditions allow satisfies the clause."""
    return _judge(clause, columns[clause.column], conditions) == {True}


def _never(clause: Clause, columns: Columns, conditions: Conditions) -> bool:
    """Whether no value that the conditions allow satisfies the clause, missing values being no help."""
    return _judge(clause, columns[clause.column], conditions) == {False}


def _judge(clause: Clause, source: Source, conditions: Conditions) -> set[bool | None]:
    """What the clause says of the allowed values: True, False, both, and None where a value may be missing."""
    condition = conditions.get(source.column.name)
    if condition is None:
        return {None}
    if clause.recorded is not None:
        if condition.allow_missing and condition.allow_present:
            return {None}
        return {condition.allow_present == clause.recorded}
    if condition.allow_missing:
        return {None}
    if clause.is_about_text:
        known = ("true", "false") if source.column.kind is Kind.BOOLEAN else source.column.categories or ()
        allowed = known if condition.categories is None else condition.categories
        return {text_holds(clause, source, category) for category in allowed} or {None}
    return {said for part in _intervals(condition, source) for said in _over(clause, part)}


def _over(clause: Clause, part: Interval) -> set[bool]:
    """What the clause says between the ends of an interval."""
    limits = [limit for limit in (clause.at_least, clause.at_most, clause.above, clause.below) if limit is not None]
    # The clause can only change its mind at its limits: beyond and between them one value speaks for all.
    ends = [value for value in (part.low, part.high) if math.isfinite(value)]
    inside = [limit for limit in limits if part.low <= limit <= part.high]
    marks = sorted({*ends, *inside})
    between = [(a + b) / 2 for a, b in pairwise(marks)]
    outer = ([marks[0] - 1] if marks and part.low == -math.inf else []) + (
        [marks[-1] + 1] if marks and part.high == math.inf else []
    )
    probes = np.array([*marks, *between, *outer] or [0.0])
    return {bool(one) for one in numbers_hold(clause, probes[part.contains(probes)])}


def _intervals(condition: Condition, source: Source) -> list[Interval]:
    """The condition's intervals in the term's unit (factors of units are positive)."""
    scaled: list[Interval] = []
    for part in condition.intervals or (Interval(),):
        low, high = (end * source.factor + source.offset for end in (part.low, part.high))
        scaled.append(Interval(low, high, part.include_low, part.include_high))
    return scaled


def _reversed(below: Source, above: Source, part: Ordered, conditions: Conditions) -> bool:
    """Whether the smallest allowed value of ``below`` is already too large for the largest of ``above``."""
    first, second = (conditions.get(source.column.name) for source in (below, above))
    if first is None or second is None or first.allow_missing or second.allow_missing:
        return False
    lowest = min(interval.low for interval in _intervals(first, below))
    highest = max(interval.high for interval in _intervals(second, above))
    return lowest > highest + part.slack or (part.strict and part.slack == 0 and lowest == highest)
