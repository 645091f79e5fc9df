"""How strongly two columns go together in a table of noisy counts: Spearman's ρ, Cramér's V, the correlation ratio.

The noise of the counts, of known variance, is taken off where it would add up to an association; levels that it drowns
are put together. Without noise each is the usual measure of the table.
"""

from dataclasses import dataclass

import numpy as np

from engine.privacy.estimation import on_simplex

Side = np.ndarray | None
LEAST = 20
"""Fewer patients with both values say nothing about a pair."""
_DROWNED = 3.0
"""Standard deviations of noise below which a level is put together with others."""


@dataclass(frozen=True)
class Contingency:
    """Patients with both values.

    Attributes:
        counts: float64 (rows, columns), perhaps negative.
        noise: standard deviation of the noise in each.
    """

    counts: np.ndarray
    noise: float

    @property
    def shares(self) -> tuple[np.ndarray, np.ndarray]:
        """Share of each row and of each column, none negative."""
        total = max(float(self.counts.sum()), 1.0)
        return tuple(on_simplex(self.counts.sum(axis), total) / total for axis in (1, 0))  # pyright: ignore

    @property
    def patients(self) -> float:
        """How many there are."""
        return float(self.counts.sum())


def groups_of(table: Contingency) -> tuple[np.ndarray, np.ndarray]:
    """For each row and each column the number of the group that it is put into: drowned ones share the last."""
    found = []
    for axis in (0, 1):
        size, others = table.counts.shape[axis], table.counts.shape[1 - axis]
        patients = table.counts.sum(1 - axis)
        told = patients > max(_DROWNED * table.noise * others**0.5, 0.0)
        numbers = np.full(size, int(told.sum()))
        numbers[told] = np.arange(int(told.sum()))
        found.append(numbers)
    return found[0], found[1]


def measure(first: Side, second: Side, table: Contingency, pooling: Contingency) -> float:
    """The measure that suits the two columns; NaN where not assessable.

    Args:
        first: of the rows, a value for each level of a number; None for categories.
        second: the same of the columns.
        table: what to measure.
        pooling: decides which categories are put together, so that two tables are measured alike.
    """
    if table.patients < LEAST or table.patients < _DROWNED * table.noise * table.counts.size**0.5:
        return float("nan")
    if first is not None and second is not None:
        return rank_correlation(table)
    if first is None and second is None:
        return cramers_v(table, pooling)[0]
    if second is None:
        return measure(second, first, _turned(table), _turned(pooling))
    return correlation_ratio(table, pooling, second)


def rank_correlation(table: Contingency) -> float:
    """Spearman's ρ with mid-ranks; NaN where a column does not vary. Linear in the counts, so noise adds no bias."""
    rows, columns = table.shares
    scores = [np.cumsum(share) - share / 2 - 0.5 for share in (rows, columns)]
    spread = [float((share * score**2).sum()) ** 0.5 for share, score in zip((rows, columns), scores, strict=True)]
    if min(spread) < 1e-9:
        return float("nan")
    return float(np.clip(scores[0] @ table.counts @ scores[1] / table.patients / np.prod(spread), -1, 1))


def cramers_v(table: Contingency, pooling: Contingency) -> tuple[float, float]:
    """Bias-corrected Cramér's V without what the noise adds, and the V that noise and chance reach (two SD)."""
    (by_row, by_column), n = groups_of(pooling), table.patients
    counts = np.zeros((int(by_row.max()) + 1, int(by_column.max()) + 1))
    variance = np.zeros_like(counts)
    np.add.at(counts, (by_row[:, None], by_column[None, :]), table.counts)
    np.add.at(variance, (by_row[:, None], by_column[None, :]), table.noise**2)
    totals = [np.clip(counts.sum(axis), 0, None) for axis in (1, 0)]
    keep = [total > 0 for total in totals]
    counts, variance = counts[np.ix_(*keep)], variance[np.ix_(*keep)]
    size = min(counts.shape)
    if size < 2:
        return float("nan"), float("nan")
    expected = np.outer(totals[0][keep[0]], totals[1][keep[1]]) / n
    freedom = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    null = float((variance / expected).sum() / n) + freedom / (n - 1)
    spread = (2 * float(((variance / expected / n) ** 2).sum()) + 2 * freedom / (n - 1) ** 2) ** 0.5
    phi = float(((counts - expected) ** 2 / expected).sum()) / n
    strength = (max(phi - null, 0.0) / (size - 1)) ** 0.5
    return min(1.0, strength), min(1.0, (2 * spread / (size - 1)) ** 0.5)


def correlation_ratio(table: Contingency, pooling: Contingency, values: np.ndarray) -> float:
    """Correlation ratio of a number between the rows' categories, without what noise and chance add.

    Args:
        table: categories by levels of the number.
        pooling: decides which categories are put together.
        values: (columns,) a value for each level.
    """
    (by_row, _), n = groups_of(pooling), table.patients
    size = int(by_row.max()) + 1
    counts, rows = np.zeros((size, table.counts.shape[1])), np.bincount(by_row, minlength=size)
    np.add.at(counts, by_row, table.counts)
    _, columns = table.shares
    mean = float(columns @ values)
    total = float(columns @ (values - mean) ** 2)
    patients = counts.sum(1)
    kept = patients > 0
    groups = int(kept.sum())
    # With a patient of its own for every group, chance explains all.
    if groups < 2 or groups >= n or total <= 0:
        return float("nan")
    sums = counts[kept] @ (values - mean)
    noise = rows[kept] * table.noise**2 * float(((values - mean) ** 2).sum())
    between = float(((sums**2 - noise) / patients[kept]).sum()) / n / total
    adjusted = 1 - (1 - between) * (n - 1) / (n - groups)
    return float(np.clip(adjusted, 0, 1) ** 0.5)


def _turned(table: Contingency) -> Contingency:
    return Contingency(table.counts.T, table.noise)
