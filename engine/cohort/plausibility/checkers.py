"""Whether rows break a rule: one vectorised checker per kind of constraint.

A checker returns two boolean arrays (n_rows,): ``known``, the rows that hold every value the rule needs, and
``broken``, of these the rows that break it. A missing value never breaks a rule.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.cohort.plausibility.binding import BoundRule
from engine.cohort.plausibility.cells import ROUNDING, Cells, Columns
from engine.cohort.plausibility.constraints import (
    Formula,
    Icd9Flag,
    Icd9Level,
    Implies,
    Ordered,
    Product,
    Range,
    Ratio,
    Statistics,
    Sum,
)
from engine.cohort.plausibility.rules import Rule
from engine.schema import icd9


@dataclass(frozen=True)
class Verdict:
    """``known`` and ``broken``, boolean (n_rows,) each; ``broken`` only where ``known``."""

    known: np.ndarray
    broken: np.ndarray


def check(bound: BoundRule, cells: Cells) -> Verdict:
    """The verdict over all instances of a rule: known where one can be judged, broken where one is."""
    known = np.zeros(len(cells.frame), dtype=bool)
    broken = np.zeros(len(cells.frame), dtype=bool)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        for columns in bound.instances:
            one = check_instance(bound.rule, columns, cells)
            known |= one.known
            broken |= one.broken
    return Verdict(known, broken)


def check_instance(rule: Rule, columns: Columns, cells: Cells) -> Verdict:
    """The verdict of a rule on one set of columns."""
    judged, good = _CHECKERS[type(rule.constraint)](rule.constraint, columns, cells)
    for clause in rule.where:
        asked, holds = cells.clause(clause, columns)
        judged = judged & asked & holds
    return Verdict(judged, judged & ~good)


def _range(part: Range, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    values = cells.numbers(columns[part.column])
    return ~np.isnan(values), _inside(values, part.low, part.high)


def _inside(values: np.ndarray, low: float | None, high: float | None) -> np.ndarray:
    good = np.ones(len(values), dtype=bool)
    if low is not None:
        good &= values >= low - abs(low) * ROUNDING
    if high is not None:
        good &= values <= high + abs(high) * ROUNDING
    return good


def _ordered(part: Ordered, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours are judged pair by pair, so that one missing value does not hide the rest."""
    known = np.zeros(len(cells.frame), dtype=bool)
    good = np.ones(len(cells.frame), dtype=bool)
    chain = [cells.numbers(columns[name]) for name in part.columns]
    for at, below in enumerate(chain):
        for above in chain[at + 1 :]:
            both = ~(np.isnan(below) | np.isnan(above))
            room = part.slack + np.abs(above) * ROUNDING
            fits = below < above if part.strict and part.slack == 0 else below <= above + room
            known |= both
            good &= ~both | fits
    return known, good


def _ratio(part: Ratio, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    over, under = cells.numbers(columns[part.numerator]), cells.numbers(columns[part.denominator])
    quotient = over / np.where(under == 0, np.nan, under)
    return ~np.isnan(quotient), _inside(quotient, part.low, part.high)


def _formula(part: Formula, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    value, expected = cells.numbers(columns[part.column]), formula_value(part, columns, cells)
    known = np.isfinite(value) & np.isfinite(expected)
    if part.difference is not None:
        return known, _inside(value - expected, *part.difference)
    if part.quotient is not None:
        quotient = value / np.where(expected > 0, expected, np.nan)
        return known & np.isfinite(quotient), _inside(quotient, *part.quotient)
    room = part.absolute + part.relative * np.abs(expected)
    return known, np.abs(value - expected) <= room * (1 + ROUNDING)


def formula_value(part: Formula, columns: Columns, cells: Cells) -> np.ndarray:
    """The right-hand side of ``part``, float64 (n_rows,), in the unit of its column; NaN where a part is missing."""
    return sum((product_value(one, columns, cells) for one in part.products), np.full(len(cells.frame), part.constant))


def product_value(part: Product, columns: Columns, cells: Cells, *, without: str = "") -> np.ndarray:
    """Coefficient times the powers, float64 (n_rows,), the factor ``without`` left out."""
    value = np.full(len(cells.frame), part.coefficient)
    for name, power in part.powers.items():
        if name != without:
            value = value * cells.numbers(columns[name]) ** power
    return value


def _sum(part: Sum, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    total = sum((cells.numbers(columns[name]) for name in part.columns), np.zeros(len(cells.frame)))
    return ~np.isnan(total), _inside(total, part.low, part.high)


def _implies(part: Implies, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    known, good = cells.clause(part.then, columns)
    asked = np.ones(len(cells.frame), dtype=bool)
    for clause in part.when:
        judged, holds = cells.clause(clause, columns)
        known = known & judged
        asked &= holds
    return known, ~asked | good


def _icd9_level(part: Icd9Level, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    codes, categories = cells.texts(columns[part.code])
    levels, labels = cells.texts(columns[part.column])
    place = {label: at for at, label in enumerate(labels)}
    expected = np.array([*(_place(code, part, place) for code in categories), -1])[codes]
    # -1: no code, or one that has no group; -2: a group that the column does not know.
    return (expected != -1) & (levels >= 0), expected == levels


def _place(code: str, part: Icd9Level, place: Mapping[str, int]) -> int:
    label = level_of(code, part)
    return -1 if label is None else place.get(label, -2)


def level_of(code: str, part: Icd9Level) -> str | None:
    """Group or chapter of ``code`` as the column spells it; None for an unknown code."""
    return icd9.group(code) if part.level == "group" else icd9.chapter(code)


def _icd9_flag(part: Icd9Flag, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    known = np.zeros(len(cells.frame), dtype=bool)
    good = np.ones(len(cells.frame), dtype=bool)
    for flag in part.flags:
        if flag in columns:
            judged, denied = flag_denied(flag, part, columns, cells)
            known |= judged
            good &= ~denied
    return known, good


def flag_denied(flag: str, part: Icd9Flag, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Where the code and the flag are recorded, and where the code defines the flag that is false."""
    code, source = columns[part.code], columns[flag]
    judged = cells.recorded(code) & cells.recorded(source)
    defined = cells.where(code, lambda category: flag in _defined_by(category))
    false = cells.where(source, lambda category: source.meaning(category) == "false")
    return judged, judged & defined & false


@lru_cache(maxsize=20_000)
def _defined_by(code: str) -> frozenset[str]:
    """The comorbidities that a code means; asked of every code for every flag."""
    return icd9.comorbidities([code])


def _statistics(part: Statistics, columns: Columns, cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    below, above = cells.numbers(columns["below"]), cells.numbers(columns["above"])
    room = part.slack * np.maximum(np.abs(below), np.abs(above)) + ROUNDING
    return ~(np.isnan(below) | np.isnan(above)), below <= above + room


_CHECKERS: dict[type, Callable] = {
    Range: _range,
    Ordered: _ordered,
    Ratio: _ratio,
    Formula: _formula,
    Sum: _sum,
    Implies: _implies,
    Icd9Level: _icd9_level,
    Icd9Flag: _icd9_flag,
    Statistics: _statistics,
}
"""Kind of constraint → its checker: where the values are there, and where they are good."""
