"""How strongly columns go together, in one measure per pair of kinds.

- number and number: Spearman's rank correlation (Pearson's beside it), -1 to 1;
- category and category: Cramér's V, bias-corrected (Bergsma 2013), 0 to 1;
- number and category: the correlation ratio, adjusted for the number of groups (Kelley 1935), 0 to 1.

Each pair uses the rows where both have a value. Too few of them, or a column without variation: not assessable (NaN).
Weights that are whole numbers say how often a row stands there: a correction for the number of rows takes their sum.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.cohort.raking import effective_size
from engine.evaluation.correlations import weighted_correlations
from engine.schema.table import Column

MOST_CATEGORIES = 30
"""The most frequent categories of the real table stand for themselves, the others together."""


@dataclass(frozen=True)
class Coding:
    """The real table's most frequent categories per categorical column: every table is coded alike."""

    categories: dict[str, list[str]]

    @classmethod
    def of(cls, real: pd.DataFrame, columns: Sequence[Column], *, least: int = 1) -> "Coding":
        """The coding that ``real`` gives; categories with fewer than ``least`` rows do not stand for themselves.

        A category of one row explains that row's value perfectly: it would look like an association.
        """
        chosen = {}
        for column in columns:
            if not column.kind.is_ordered:
                counts = as_text(real[column.name], column).value_counts()
                chosen[column.name] = [str(value) for value in counts[counts >= least].index]
        return cls({name: values[:MOST_CATEGORIES] for name, values in chosen.items()})

    def codes(self, frame: pd.DataFrame, column: Column) -> np.ndarray:
        """(n_rows,) codes; -1 missing, the last code for every other category."""
        text = as_text(frame[column.name], column).astype("object")
        known = self.categories[column.name]
        codes = pd.Categorical(text, categories=known).codes.astype(int)
        return np.where((codes < 0) & text.notna().to_numpy(), len(known), codes)


def association_matrix(
    frame: pd.DataFrame,
    columns: Sequence[Column],
    *,
    coding: Coding,
    least_rows: int,
    numeric: str = "spearman",
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """(n_columns, n_columns) symmetric measures with ones on the diagonal; NaN where not assessable.

    Args:
        frame: conformed rows.
        columns: which columns, in this order.
        coding: the categories of the real table.
        least_rows: pairs with fewer rows with both values are not assessable.
        numeric: ``"spearman"`` or ``"pearson"``, for two numbers.
        weights: (n_rows,) positive, of any sum; the corrections for the number of rows take Kish's effective size.
    """
    size = len(columns)
    out = np.full((size, size), np.nan)
    np.fill_diagonal(out, 1.0)
    if not len(frame):
        return out
    if weights is not None:
        # As many rows as they count as, so that what chance alone makes is corrected by as much.
        weights = weights * (effective_size(weights) / weights.sum())
    ordered = [i for i, column in enumerate(columns) if column.kind.is_ordered]
    numbers = {i: as_numbers(frame[columns[i].name], columns[i]) for i in ordered}
    stacked = np.column_stack([numbers[i] for i in ordered]) if ordered else np.empty((len(frame), 0))
    if ordered and weights is not None:
        is_ranked = numeric == "spearman"
        found = weighted_correlations(stacked, weights, ranked=is_ranked, least_rows=least_rows)
        out[np.ix_(ordered, ordered)] = found
    elif ordered:
        # Centred: pandas loses the variation of large numbers, dates among them.
        centred = {
            i: values - np.nanmean(values) if _varies(values) else np.full_like(values, np.nan)
            for i, values in numbers.items()
        }
        table = pd.DataFrame(centred)
        method = "pearson" if numeric == "pearson" else "spearman"
        found = table.corr(method=method, min_periods=max(2, least_rows)).to_numpy(copy=True)
        np.fill_diagonal(found, 1.0)
        out[np.ix_(ordered, ordered)] = found
    codes = {i: coding.codes(frame, column) for i, column in enumerate(columns) if not column.kind.is_ordered}
    for i, first in codes.items():
        for j, second in codes.items():
            if i < j:
                out[i, j] = out[j, i] = cramers_v(first, second, least_rows=least_rows, weights=weights)
        if ordered:
            ratio = correlation_ratio(first, stacked, least_rows=least_rows, weights=weights)
            out[i, ordered] = out[ordered, i] = ratio
    return out


def _varies(values: np.ndarray) -> bool:
    present = values[~np.isnan(values)]
    return len(present) > 1 and bool(present.min() < present.max())


def cramers_v(
    first: np.ndarray, second: np.ndarray, *, least_rows: int = 2, weights: np.ndarray | None = None
) -> float:
    """Bias-corrected Cramér's V of two arrays of codes (negative: missing); NaN where not assessable."""
    both = (first >= 0) & (second >= 0)
    if both.sum() < max(2, least_rows):
        return float("nan")
    n = float(both.sum() if weights is None else weights[both].sum())
    first, second = first[both], second[both]
    width = int(second.max()) + 1
    mass = None if weights is None else weights[both]
    table = np.bincount(first * width + second, mass, minlength=(int(first.max()) + 1) * width).reshape(-1, width)
    table = table[table.sum(1) > 0][:, table.sum(0) > 0]
    rows, columns = table.shape
    if min(rows, columns) < 2 or n <= 1:
        return float("nan")
    expected = np.outer(table.sum(1), table.sum(0)) / n
    phi = ((table - expected) ** 2 / expected).sum() / n
    corrected = max(0.0, phi - (rows - 1) * (columns - 1) / (n - 1))
    least = min(rows - (rows - 1) ** 2 / (n - 1), columns - (columns - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(corrected / least))) if least > 0 else float("nan")


def correlation_ratio(
    codes: np.ndarray, numbers: np.ndarray, *, least_rows: int = 2, weights: np.ndarray | None = None
) -> np.ndarray:
    """Adjusted correlation ratio of each column of ``numbers`` between the groups of ``codes``; NaN: not assessable.

    Args:
        codes: (n_rows,) integers, negative where missing.
        numbers: (n_rows, n_columns), NaN where missing.
        least_rows: fewer rows with both values are not assessable.
        weights: (n_rows,) positive.

    Returns:
        (n_columns,) ratios from 0 to 1.
    """
    present = codes >= 0
    if not present.any():
        return np.full(numbers.shape[1], np.nan)
    values, known = numbers[present], ~np.isnan(numbers[present])
    mass = np.ones((len(values), 1)) if weights is None else weights[present, None]
    rows, n = known.sum(0), (mass * known).sum(0)
    filled = np.where(known, values, 0.0)
    centred = np.where(known, filled - (mass * filled).sum(0) / np.where(n > 0, n, 1), 0.0)
    members = np.eye(int(codes.max()) + 1)[codes[present]]
    sizes, sums = members.T @ (mass * known), members.T @ (mass * centred)
    groups = (sizes > 0).sum(0)
    total = (mass * centred**2).sum(0)
    between = (sums**2 / np.where(sizes > 0, sizes, 1)).sum(0)
    # Rounding alone makes a constant column vary a little.
    varies = total > 1e-12 * np.maximum(1.0, np.abs(filled).max(0) ** 2)
    assessable = (rows >= max(3, least_rows)) & (groups >= 2) & (groups < n) & varies
    with np.errstate(all="ignore"):
        within = np.maximum(0.0, 1 - between / total)
        adjusted = np.sqrt(np.maximum(0.0, 1 - within * (n - 1) / (n - groups)))
    return np.where(assessable, adjusted, np.nan)


def strongest(matrix: np.ndarray, most: int) -> list[int]:
    """Positions, in order, of the ``most`` columns with the strongest associations (sum of squares)."""
    strength = np.nan_to_num(matrix, nan=0.0) ** 2
    np.fill_diagonal(strength, 0.0)
    return sorted(int(i) for i in np.argsort(-strength.sum(1), kind="stable")[:most])


def mean_difference(first: np.ndarray, second: np.ndarray) -> float | None:
    """Mean absolute difference over the pairs that both matrices have; None where there is none."""
    upper = np.triu_indices(len(first), k=1)
    difference = np.abs(first[upper] - second[upper])
    return None if np.isnan(difference).all() else float(np.nanmean(difference))


def as_lists(matrix: np.ndarray, digits: int = 2) -> list[list[float | None]]:
    """The matrix as JSON values: rounded, None for NaN."""
    return [[None if np.isnan(value) else round(float(value), digits) for value in row] for row in matrix]
