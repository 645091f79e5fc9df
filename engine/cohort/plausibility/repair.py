"""Recomputing what other columns define: body mass index from height and weight, a chapter from its code.

Only rules that are exact definitions are repaired (a formula's ``repair`` columns, an implication marked ``repair``,
ICD-9 groups, chapters and flags), only in rows that break them, and never in a column that was asked for by condition.
What is repaired is read from the synthetic row alone.
"""

from collections.abc import Iterable, Set

import numpy as np
import pandas as pd

from engine.cohort.plausibility.binding import BoundRule, Source
from engine.cohort.plausibility.cells import Cells, Columns
from engine.cohort.plausibility.checkers import (
    check_instance,
    flag_denied,
    formula_value,
    level_of,
    product_value,
)
from engine.cohort.plausibility.constraints import Clause, Formula, Icd9Flag, Icd9Level, Implies
from engine.cohort.plausibility.rules import Rule
from engine.schema.table import Column, Kind

_PASSES = 2
"""A repaired cell can be what another rule begins with (a code sets asthma, asthma sets chronic lung disease)."""


def repaired(
    frame: pd.DataFrame, rules: Iterable[BoundRule], *, locked: Set[str] = frozenset()
) -> tuple[pd.DataFrame, np.ndarray]:
    """``frame`` with broken definitions recomputed, and which rows changed, boolean (n_rows,).

    Args:
        frame: conformed to the schema that ``rules`` are bound to; it is not changed.
        rules: of which those that can be repaired are.
        locked: columns that keep their values.
    """
    work = _Work(frame, locked)
    able = [one for one in rules if is_repairable(one.rule)]
    for _ in range(_PASSES):
        for one in able:
            for columns in one.instances:
                _repair(work, one.rule, columns)
    return work.frame, work.changed


def is_repairable(rule: Rule) -> bool:
    """Whether rows that break the rule can be made to keep it."""
    match rule.constraint:
        case Formula(repair=columns):
            return bool(columns)
        case Implies(repair=allowed):
            return allowed
        case Icd9Level() | Icd9Flag():
            return True
        case _:
            return False


class _Work:
    """The frame under repair; its columns are copied before they are written."""

    def __init__(self, frame: pd.DataFrame, locked: Set[str]) -> None:
        self.frame = frame.copy(deep=False)
        self.locked = locked
        self.cells = Cells(self.frame)
        self.changed = np.zeros(len(frame), dtype=bool)

    def write(self, column: Column, rows: np.ndarray, values: object) -> None:
        """Set the column's cells in ``rows`` (boolean) to one value, or to an array with one value per row of them."""
        if column.name in self.locked or not rows.any():
            return
        series = self.frame[column.name].copy()
        if isinstance(series.dtype, pd.CategoricalDtype):
            new = [one for one in pd.unique(np.atleast_1d(np.asarray(values, dtype=object))) if not pd.isna(one)]
            series = series.cat.add_categories([one for one in new if one not in series.cat.categories])
        series.iloc[np.flatnonzero(rows)] = values
        self.frame[column.name] = series
        self.cells.forget(column.name)
        self.changed |= rows


def _repair(work: _Work, rule: Rule, columns: Columns) -> None:
    broken = check_instance(rule, columns, work.cells).broken
    if not broken.any():
        return
    match rule.constraint:
        case Formula() as part:
            _recompute(work, part, columns, broken)
        case Implies(then=then):
            work.write(columns[then.column].column, broken, _only_value(then, columns[then.column]))
        case Icd9Level() as part:
            codes, categories = work.cells.texts(columns[part.code])
            labels = np.array([*(level_of(code, part) for code in categories), None], dtype=object)
            work.write(columns[part.column].column, broken, labels[codes][broken])
        case Icd9Flag() as part:
            for flag in (flag for flag in part.flags if flag in columns):
                _, denied = flag_denied(flag, part, columns, work.cells)
                work.write(columns[flag].column, denied, _category(columns[flag], "true"))


def _recompute(work: _Work, part: Formula, columns: Columns, broken: np.ndarray) -> None:
    """Solve for the first column of ``repair`` that is not locked; rows whose result is out of range stay broken."""
    target = next((name for name in part.repair if columns[name].column.name not in work.locked), None)
    if target is None:
        return
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        if target == part.column:
            value = formula_value(part, columns, work.cells)
        else:
            (product,) = part.products
            rest = product_value(product, columns, work.cells, without=target)
            value = (work.cells.numbers(columns[part.column]) / rest) ** (1 / product.powers[target])
    source = columns[target]
    column = source.column
    value = np.round(
        (value - source.offset) / source.factor, 0 if column.kind is Kind.INTEGER else column.decimals or 6
    )
    rows = broken & np.isfinite(value)
    rows &= (column.minimum is None or value >= column.minimum) & (column.maximum is None or value <= column.maximum)
    work.write(column, rows, value[rows])


def _only_value(then: Clause, source: Source) -> object:
    return pd.NA if then.recorded is False else _category(source, (then.any_of or ("",))[0])


def _category(source: Source, meaning: str) -> object:
    """The column's own spelling of a meaning."""
    if source.column.kind is Kind.BOOLEAN:
        return meaning == "true"
    known = source.column.categories or ()
    return next((one for one in known if source.meaning(one).lower() == meaning.lower()), meaning)
