"""How columns hang together in a private summary, from its tables of pairs, and in a cohort, from the same tables.

The section of :mod:`engine.evaluation.sections.associated`, with ``reason`` where it cannot be made, and ``noise``
among the mean differences: what a fresh draw of the noise alone makes. A summary knows pairs only, so associations
among those who meet criteria on a third column are not in it.
"""

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import compile_conditions
from engine.cohort.spec import CohortSpec, Criterion
from engine.core.errors import UserError
from engine.evaluation.associations import as_lists, mean_difference, strongest
from engine.evaluation.summarised import figures
from engine.evaluation.summarised.group import Group
from engine.evaluation.summarised.pairs import Contingency, cramers_v, measure
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC, label_of
from engine.privacy.groups import level_shares, size_of
from engine.privacy.summary import Margin, PrivateSummary

MOST_SHOWN = 40
"""Columns of the heat maps."""
_MEASURE = (
    "Spearman's correlation (two numbers), Cramér's V (two categories), correlation ratio (one of each), all in the "
    "intervals that were measured, without what noise adds"
)
_GROUP_ONLY = (
    "Not assessable: how two columns go together among patients who meet criteria, or in set proportions, takes three "
    "columns at a time, and pairs were measured."
)


def associations(
    group: Group, indices: list[int], synthetic: pd.DataFrame, random: np.random.Generator
) -> dict[str, Any]:
    """The section; ``synthetic`` is conformed and has the columns at ``indices``."""
    if group.column is not None or group.dropped:
        return _nothing(_GROUP_ONLY)
    summary, size = group.summary, len(indices)
    margins = [summary.margins[index] for index in indices]
    sides = [_side(summary, index) for index in indices]
    levels = [_levels(margin, synthetic[margin.column.name]) for margin in margins]
    real, made, again = (np.full((size, size), np.nan) for _ in range(3))
    for matrix in (real, made, again):
        np.fill_diagonal(matrix, 1.0)
    for one, other in combinations(range(size), 2):
        measured = summary.pair(indices[one], indices[other])
        if measured is None:
            continue
        counts, noise = measured[0][:-1, :-1], measured[1]
        table = Contingency(counts, noise)
        # What noise draws again on top of the first draw has twice its variance, which the measures are told.
        redrawn = Contingency(counts + random.normal(size=counts.shape) * noise, noise * 2**0.5)
        drawn = Contingency(_counts(levels[one], levels[other], counts.shape), 0.0)
        for matrix, part in ((real, table), (made, drawn), (again, redrawn)):
            value = measure(sides[one], sides[other], part, table)
            matrix[one, other] = matrix[other, one] = value
    keep = strongest(real, MOST_SHOWN)
    shown = np.ix_(keep, keep)
    differences = {SYNTHETIC: mean_difference(real, made), HOLDOUT: None, "halves": None,
                   "noise": mean_difference(real, again)}  # fmt: skip
    return {
        "reason": "",
        "names": [margins[at].column.name for at in keep],
        "titles": [label_of(margins[at].column) for at in keep],
        "kinds": ["number" if margins[at].column.kind.is_ordered else "category" for at in keep],
        "measure": _MEASURE,
        "columns_in_all": size,
        "mean_difference": {t: None if d is None else round(d, 3) for t, d in differences.items()},
        "pair_columns": [],
        "pearson": {REAL: [], SYNTHETIC: [], "difference": []},
        REAL: as_lists(real[shown]),
        SYNTHETIC: as_lists(made[shown]),
        "difference": as_lists(made[shown] - real[shown]),
    }


def strengths(summary: PrivateSummary, diagnosis: Criterion, *, small_cell_minimum: int) -> Mapping[str, float]:
    """Column → Cramér's V with having ``diagnosis``, where it stands above noise and chance; two digits.

    The counterpart of :func:`engine.services.associations.strengths` without a row. Empty where too few patients have
    the diagnosis, or lack it.
    """
    try:
        conditions = compile_conditions(CohortSpec(criteria=(diagnosis,)), summary.schema)
    except UserError:
        return {}  # a code that no patient of the source has
    index = summary.index(diagnosis.column)
    has = size_of(summary, conditions).patients
    recorded = float(summary.estimate(index)[:-1].sum())
    if min(has, recorded - has) < small_cell_minimum:
        return {}
    inside = level_shares(summary, index, conditions[diagnosis.column])[:-1]
    found: dict[str, float] = {}
    for other, margin in enumerate(summary.margins):
        measured = None if other == index else summary.pair(index, other)
        if measured is None:
            continue
        counts, noise = measured[0][:-1, :-1], measured[1]
        halves = np.vstack([inside @ counts, (1 - inside) @ counts])
        # The larger of both halves' noise: they need not be of as many levels.
        spread = noise * max(float((part**2).sum()) for part in (inside, 1 - inside)) ** 0.5
        table = Contingency(halves, spread)
        if table.patients < small_cell_minimum:
            continue
        value, floor = cramers_v(table, table)
        if not np.isnan(value) and value > floor:
            found[margin.column.name] = round(value, 2)
    return found


def _side(summary: PrivateSummary, index: int) -> np.ndarray | None:
    """For each level of a number the mean of its patients; None for categories."""
    margin = summary.margins[index]
    if not margin.column.kind.is_ordered:
        return None
    mass = summary.estimate(index)[:-1] + 1e-9
    sums = margin.by_level(np.append(mass * margin.cells.mean(1), 0.0))[:-1]
    return sums / np.maximum(margin.by_level(np.append(mass, 0.0))[:-1], 1e-12)


def _levels(margin: Margin, series: pd.Series) -> np.ndarray:
    codes = figures.codes(margin, series)
    return np.where(codes < 0, -1, np.append(margin.level, 0)[codes])


def _counts(first: np.ndarray, second: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    both = (first >= 0) & (second >= 0)
    flat = np.bincount(first[both] * shape[1] + second[both], minlength=shape[0] * shape[1])
    return flat.reshape(shape).astype(np.float64)


def _nothing(reason: str) -> dict[str, Any]:
    empty: dict[str, Any] = {REAL: [], SYNTHETIC: [], "difference": []}
    return {
        "reason": reason, "names": [], "titles": [], "kinds": [], "measure": "", "columns_in_all": 0,
        "mean_difference": {SYNTHETIC: None, HOLDOUT: None, "halves": None, "noise": None}, "pair_columns": [],
        "pearson": dict(empty), **empty,
    }  # fmt: skip
