"""Small cells: which counts of real patients may be shown, and what is merged, pooled or left out to keep the rest.

The unit is the patient. Rows make the shares; *support* decides what is shown: each patient counts once per column, in
the cell of their first row with a value, so the support of a cell never exceeds its patients and adds up over cells.
A cell with rows whose support is below the minimum is small, whatever weight they have. No small cell is published, nor
can one be computed from what is: intervals are merged, categories pooled, shares rounded to a step of at least one row.

Follows the CMS cell-size suppression policy (counts 1-10 are not published, nor any figure they can be derived from).
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.schema.table import TableSchema

_STEPS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)


@dataclass(frozen=True)
class Sample:
    """Rows of a conformed table with the patient each belongs to.

    Attributes:
        frame: (n_rows, n_columns).
        patients: (n_rows,) integers naming the patients; None when each row is a patient of its own.
        weights: (n_rows,) positive; None where every row weighs the same.
    """

    frame: pd.DataFrame
    patients: np.ndarray | None = None
    weights: np.ndarray | None = None

    @classmethod
    def of(cls, frame: pd.DataFrame, schema: TableSchema) -> "Sample":
        """``frame`` with the patients that the schema's key names, where the frame has that column."""
        key = schema.patient_key
        if key is None or key not in frame.columns:
            return cls(frame)
        return cls(frame, pd.factorize(frame[key].astype("string"))[0])

    def take(self, rows: np.ndarray) -> "Sample":
        """The rows where the boolean or integer array ``rows`` points."""
        patients, weights = (None if one is None else one[rows] for one in (self.patients, self.weights))
        return Sample(self.frame.iloc[_positions(rows)], patients, weights)

    def bare(self, rows: np.ndarray) -> "Sample":
        """:meth:`take` without any column, which is cheap: whose the rows are, and their weights."""
        return replace(self, frame=self.frame.iloc[:, :0]).take(rows)

    def weighted(self, weights: np.ndarray | None) -> "Sample":
        """The rows that have a weight in ``weights`` (n_rows,), with it; all rows as they are where that is None.

        A row without weight has no part in any share, so it must not support one either.
        """
        if weights is None:
            return self
        kept = weights > 0
        return replace(self.take(kept), weights=weights[kept])

    def share(self, rows: np.ndarray, of: np.ndarray) -> float:
        """Share of ``rows`` among the rows ``of`` (n_rows, at least one), by weight."""
        return float(np.average(rows[of], weights=None if self.weights is None else self.weights[of]))

    def units(self, of: np.ndarray) -> float:
        """How often the heaviest of the rows ``of`` goes into the weight of all: their number without weights."""
        if self.weights is None:
            return int(of.sum())
        # Equal weights are as many rows as they are, whatever their sum lacks in the last digit.
        return round(float(self.weights[of].sum() / self.weights[of].max()), 6)

    def rounded(self, rows: np.ndarray, of: np.ndarray) -> float:
        """:meth:`share`, rounded to a step of at least the share of any one row."""
        if self.weights is None:
            return rounded_share(int((rows & of).sum()), int(of.sum()))
        units = self.units(of)
        return rounded_share(self.share(rows, of) * units, units)

    def support(self, rows: np.ndarray) -> np.ndarray:
        """Boolean (n_rows,): of the rows where ``rows`` is True, the first of each patient."""
        if self.patients is None:
            return rows
        positions = np.flatnonzero(rows)
        first = np.unique(self.patients[positions], return_index=True)[1]
        out = np.zeros(len(rows), dtype=bool)
        out[positions[first]] = True
        return out

    @property
    def patient_count(self) -> int:
        """How many patients the rows belong to."""
        return len(self.frame) if self.patients is None else len(np.unique(self.patients))


@dataclass(frozen=True)
class Counts:
    """Rows and support per cell, each (n_cells,) integers.

    Attributes:
        rows: how many.
        support: the patients among them that decide what is shown.
        weight: (n_cells,) of the rows, the heaviest of them having 1; None where they weigh the same.
    """

    rows: np.ndarray
    support: np.ndarray
    weight: np.ndarray | None = None

    @classmethod
    def of(cls, codes: np.ndarray, sample: Sample, cells: int) -> "Counts":
        """Counts of ``codes`` (n_rows,), the cell of each row; -1 where there is no value."""
        present = codes >= 0
        first = sample.support(present)
        rows, support = (np.bincount(codes[of], minlength=cells) for of in (present, first))
        if sample.weights is None or not present.any():
            return cls(rows, support)
        weights = sample.weights[present] / sample.weights[present].max()
        return cls(rows, support, np.bincount(codes[present], weights, minlength=cells))

    @property
    def mass(self) -> np.ndarray:
        """(n_cells,) what shares are computed from: the weight, or the rows where they weigh the same."""
        return self.rows if self.weight is None else self.weight

    def grouped(self, groups: list[list[int]]) -> "Counts":
        """Counts per group of cells."""
        rows, support = (
            np.array([one[group].sum() for group in groups], dtype=int) for one in (self.rows, self.support)
        )
        weight = None if self.weight is None else np.array([self.weight[group].sum() for group in groups])
        return Counts(rows, support, weight)

    def small(self, minimum: int) -> np.ndarray:
        """Boolean (n_cells,): cells with rows whose support is below ``minimum``."""
        return (self.rows > 0) & (self.support < minimum)


def _positions(rows: np.ndarray) -> np.ndarray:
    return np.flatnonzero(rows) if rows.dtype == bool else rows


def rounding(rows: float) -> float:
    """The step to which shares of ``rows`` rows are rounded: at least one row's share, so no count can be read back."""
    return next((step for step in _STEPS if step * rows >= 1), _STEPS[-1])


def rounded_share(count: float, rows: float) -> float:
    """``count / rows`` rounded to :func:`rounding`."""
    if rows == 0:
        return 0.0
    step = rounding(rows)
    return round(min(1.0, round(count / rows / step) * step), 6)


def merge_intervals(counts: Counts, minimum: int) -> list[list[int]]:
    """Groups of neighbouring cells, each empty or with a support of at least ``minimum``.

    Empty cells beside a merged group join it: where a merged group begins would otherwise tell where its few patients
    are. So the smallest and the largest value are known only to lie in a cell that holds ``minimum`` patients.
    """
    groups: list[list[int]] = []
    pending: list[int] = []
    small = counts.small(minimum)
    for cell in range(len(counts.rows)):
        if pending:
            pending.append(cell)
            if counts.support[pending].sum() >= minimum:
                groups.append(pending)
                pending = []
        elif small[cell]:
            pending = [cell]
        else:
            groups.append([cell])
    while pending and groups:
        pending = groups.pop() + pending
        if counts.support[pending].sum() >= minimum:
            break
    if pending:
        groups.append(pending)
    return _absorb_empty(groups, counts)


def _absorb_empty(groups: list[list[int]], counts: Counts) -> list[list[int]]:
    for _ in range(2):
        # Once from each side; the cells inside a group are put in order at the end.
        swept: list[list[int]] = []
        for group in groups:
            if swept and counts.rows[group].sum() == 0 and len(swept[-1]) > 1:
                swept[-1] = swept[-1] + group
            else:
                swept.append(group)
        groups = swept[::-1]
    return [sorted(group) for group in groups]


@dataclass(frozen=True)
class Pooling:
    """Which categories are shown by name and which together.

    Attributes:
        named: codes shown by name, most frequent first.
        pooled: codes shown together.
        all_small: each pooled category is small or absent (none was added to hide the others).
        hidden: the shares of real rows are not shown, since the pool is small and only one category is beside it.
    """

    named: list[int]
    pooled: list[int]
    all_small: bool
    hidden: bool


def pool_categories(counts: Counts, minimum: int, *, most: int) -> Pooling:
    """Pool the small and absent categories, and those after the ``most`` most frequent.

    Where the pool itself would be small, the least frequent named category joins it, so that it cannot be computed as
    what the others leave.
    """
    order = [int(code) for code in np.lexsort((np.arange(len(counts.rows)), -counts.rows))]
    large = [code for code in order if counts.support[code] >= minimum]
    named, pooled = large[:most], large[most:]
    all_small = not pooled
    pooled += [code for code in order if counts.support[code] < minimum]
    if _is_small(counts, pooled, minimum) and len(named) > 1:
        pooled = [named.pop(), *pooled]
        all_small = False
    return Pooling(named, pooled, all_small, hidden=_is_small(counts, pooled, minimum))


def _is_small(counts: Counts, cells: list[int], minimum: int) -> bool:
    return bool(counts.rows[cells].sum() > 0 and counts.support[cells].sum() < minimum)


def publishable(counts: Counts, minimum: int) -> np.ndarray | None:
    """Which cells of a second real table may be shown beside the first's cells; None when none may.

    Small cells are left out, and further ones until those left out together cannot be told apart: at least two, with
    a support of at least ``minimum``, and not all of them as large as a small cell can be.
    """
    small = counts.small(minimum)
    if not small.any():
        return ~small
    # An empty cell is left out with the small ones, so that nobody knows which of them is empty.
    shown = counts.support >= minimum
    hidden, total = int((~shown).sum()), int(counts.support[~shown].sum())
    if not minimum <= total < hidden * (minimum - 1) and shown.any():
        shown[min(np.flatnonzero(shown), key=lambda cell: int(counts.rows[cell]))] = False
    return shown if shown.any() else None
