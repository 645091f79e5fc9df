"""Grids for ordered columns whose bounds and decimals are not public, measured in two rounds of histograms."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers
from engine.generators.encoding import MOST_DECIMALS, MOST_POSITIONS, SECONDS_PER_DAY
from engine.privacy.measurement import Histogram, Measurer
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind

_MOST_BITS = 52
_FIRST_YEAR, _LAST_YEAR = 1600, 2400
_FIRST_ROUND = 0.25
"""Of the budget, what the number of patients and the decimals take: both are easily told."""
_ROUNDED = 0.8
"""A column has as many decimals as this share of its values needs."""
_TOLD = 3.0
"""Standard deviations of noise that the patients with some number of decimals must exceed to count."""
_FALSE_ALARM = 0.01
"""Probability that a bucket without patients is taken for the end of a column's range."""
_NEIGHBOUR = 1.5
"""Standard deviations of noise that a bucket beside the significant ones must exceed to belong to the range."""

_END = 2.0
"""Standard deviations of noise that the ends of a grid must exceed."""


@dataclass(frozen=True)
class Patients:
    """How many patients there are: the measured number, at least 1, and the standard deviation of its noise."""

    number: float
    noise: float


@dataclass(frozen=True)
class Grid:
    """Cells of an ordered column, measured; ``positions`` are real values and stay inside the fit.

    Attributes:
        column: the column, its public part.
        scale: grid positions per unit (per day for dates).
        first: int64 (cells,), lowest position of each cell, ascending; the cells leave no gap.
        last: int64 (cells,), highest position of each cell.
        positions: float64 (patients,), NaN where missing.
    """

    column: Column
    scale: float
    first: np.ndarray
    last: np.ndarray
    positions: np.ndarray

    def cells(self) -> np.ndarray:
        """The cell of each row, outside values in the outermost; the number of cells where a value is missing."""
        inside = np.clip(self.positions, self.first[0], self.last[-1])
        return np.where(np.isnan(self.positions), len(self.first), np.searchsorted(self.last, inside))

    def trimmed(self, counts: np.ndarray, noise: float) -> tuple["Grid", np.ndarray]:
        """The grid and its noisy ``counts`` without the ends that noise alone explains; outside values move inside."""
        low, high = _ends(counts, noise), len(counts) - _ends(counts[::-1], noise)
        if low >= high:
            return self, counts
        kept = counts[low:high].copy()
        kept[0] += counts[:low].sum()
        kept[-1] += counts[high:].sum()
        return replace(self, first=self.first[low:high], last=self.last[low:high]), kept

    def released(self) -> Column:
        """The column with the grid's bounds, which are public now."""
        decimals = None if self.column.kind is not Kind.NUMERIC else round(np.log10(max(self.scale, 1.0)))
        low, high = float(self.first[0] / self.scale), float(self.last[-1] / self.scale)
        if self.column.kind is Kind.DATE:
            high = float(np.ceil(high))
        return self.column.model_copy(
            update={"minimum": low, "maximum": high, "bounds_are_public": True, "decimals": decimals}
        )


def _ends(counts: np.ndarray, noise: float) -> int:
    """How many leading cells hold no more patients, in all, than noise explains."""
    together = np.cumsum(counts) > _END * noise * np.sqrt(np.arange(1, len(counts) + 1))
    return int(together.argmax()) if together.any() else 0


def measure_grids(
    table: pd.DataFrame,
    columns: Sequence[Column],
    *,
    measurer: Measurer,
    square: float,
    cells: Callable[[float], int],
) -> tuple[Patients, dict[str, Grid]]:
    """The noisy number of patients, and a grid for each ordered column.

    Args:
        table: one row per patient.
        columns: its columns, public parts.
        measurer: takes the measurements.
        square: μ² of both rounds.
        cells: most cells of a grid, from the noisy number of patients.
    """
    numbers = {column.name: as_numbers(table[column.name], column) for column in columns if column.kind.is_ordered}
    ordered = [column for column in columns if column.kind.is_ordered]
    patients, scales = _first_round(numbers, ordered, measurer, square * (_FIRST_ROUND if ordered else 1.0))
    edges = {column.name: _edges(column, scales[column.name]) for column in ordered}
    positions = {name: _positions(numbers[name], scales[name]) for name in numbers}
    noise = (len(ordered) / (square * (1 - _FIRST_ROUND))) ** 0.5 if ordered else 0.0
    measured = measurer.measure(
        [_buckets(column.name, positions[column.name], edges[column.name], noise) for column in ordered]
    )
    grids = {}
    for column, counts in zip(ordered, measured, strict=True):
        low, high = _range(counts, noise, zero=int(np.searchsorted(edges[column.name], 0)))
        starts = _cells(edges[column.name][low : high + 2], counts[low : high + 1], noise, cells(patients.number))
        starts = _within(starts, column, scales[column.name])
        grids[column.name] = Grid(column, scales[column.name], starts[:-1], starts[1:] - 1, positions[column.name])
    return patients, grids


def _first_round(
    numbers: Mapping[str, np.ndarray], columns: Sequence[Column], measurer: Measurer, square: float
) -> tuple[Patients, dict[str, float]]:
    """The noisy number of patients and each column's positions per unit."""
    rounded = [column for column in columns if _public_scale(column) is None]
    noise = float(((1 + len(rounded)) / square) ** 0.5)
    histograms = [Histogram(("patients",), lambda: np.zeros(measurer.patients, dtype=np.int64), 1, noise)]
    for column in rounded:
        values = numbers[column.name]
        places = _decimals if column.kind is Kind.NUMERIC else _has_time
        size = MOST_DECIMALS + 1 if column.kind is Kind.NUMERIC else 2
        histograms.append(
            Histogram(("decimals", column.name), lambda values=values, places=places: places(values), size, noise)
        )
    (patients, *counted) = measurer.measure(histograms)
    scales = {column.name: scale for column in columns if (scale := _public_scale(column)) is not None}
    for column, counts in zip(rounded, counted, strict=True):
        sure = np.where(counts > _TOLD * noise, counts, 0)
        needed = int(np.argmax(np.cumsum(sure) >= _ROUNDED * sure.sum())) if sure.any() else _usual(column)
        scales[column.name] = float(10**needed if column.kind is Kind.NUMERIC else (1, SECONDS_PER_DAY)[needed])
    return Patients(max(float(patients[0]), 1.0), noise), scales


def _usual(column: Column) -> int:
    """Decimals where too few patients tell: the catalogue's for a column of that name, else one; days for dates."""
    if column.kind is Kind.DATE:
        return 0
    known = catalogue().concept(column.name).decimals if column.name in catalogue() else None
    return 1 if known is None else known


def _public_scale(column: Column) -> float | None:
    if column.kind is Kind.INTEGER:
        return 1.0
    # Decimals of an upload were counted in its rows, so they are measured; declared ones stay.
    return 10.0**column.decimals if column.decimals is not None else None


def _decimals(values: np.ndarray) -> np.ndarray:
    """Decimals that each value needs, at most the most; -1 where it is missing."""
    needed = np.full(len(values), MOST_DECIMALS)
    for decimals in range(MOST_DECIMALS - 1, -1, -1):
        needed[np.round(values, decimals) == values] = decimals
    return np.where(np.isfinite(values), needed, -1)


def _has_time(values: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return np.where(np.isfinite(values), (values % 1 != 0).astype(np.int64), -1)


def _positions(values: np.ndarray, scale: float) -> np.ndarray:
    with np.errstate(invalid="ignore", over="ignore"):
        return np.clip(np.rint(np.where(np.isfinite(values), values, np.nan) * scale), -MOST_POSITIONS, MOST_POSITIONS)


def _edges(column: Column, scale: float) -> np.ndarray:
    """First positions of the buckets and the position after the last one, int64 ascending: years, or powers of two."""
    if column.kind is Kind.DATE:
        years = np.arange(_FIRST_YEAR - 1970, _LAST_YEAR - 1970 + 1).astype("datetime64[Y]")
        edges = np.rint(years.astype("datetime64[D]").astype(np.int64) * scale).astype(np.int64)
    else:
        powers = 2 ** np.arange(_MOST_BITS + 1, dtype=np.int64)
        edges = np.concatenate([1 - powers[::-1], powers])
    # Buckets outside declared bounds hold nobody.
    low, high = _declared(column, scale)
    first = np.searchsorted(edges, low, side="right") - 1
    last = np.searchsorted(edges, high, side="right")
    kept = edges[max(first, 0) : last + 1]
    # Declared bounds beyond every edge leave the outermost bucket, which is then cut to them.
    return kept if len(kept) > 1 else (edges[-2:] if first > 0 else edges[:2])


def _declared(column: Column, scale: float) -> tuple[float, float]:
    """Declared bounds as positions, infinite where there are none."""
    low = -np.inf if column.minimum is None else np.ceil(column.minimum * scale - 1e-9)
    high = np.inf if column.maximum is None else np.floor(column.maximum * scale + 1e-9)
    return float(low), float(high)


def _buckets(name: str, positions: np.ndarray, edges: np.ndarray, noise: float) -> Histogram:
    def places() -> np.ndarray:
        inside = np.clip(positions, edges[0], edges[-1] - 1)
        return np.where(np.isnan(positions), -1, np.searchsorted(edges, inside, side="right") - 1)

    return Histogram(("magnitude", name), places, len(edges) - 1, noise)


def _range(counts: np.ndarray, noise: float, *, zero: int) -> tuple[int, int]:
    """First and last bucket of a column's range: the significant ones and what lies next to them.

    Below ``zero`` (the bucket of 0) only what is significant counts: most clinical quantities cannot be negative.
    """
    sure = NormalDist().inv_cdf(1 - _FALSE_ALARM / len(counts)) * noise
    significant = np.flatnonzero(counts > sure)
    low, high = (significant[0], significant[-1]) if len(significant) else (int(counts.argmax()),) * 2
    while low > 0 and low != zero and counts[low - 1] > _NEIGHBOUR * noise:
        low -= 1
    while high < len(counts) - 1 and counts[high + 1] > _NEIGHBOUR * noise:
        high += 1
    return int(low), int(high)


def _cells(edges: np.ndarray, counts: np.ndarray, noise: float, most: int) -> np.ndarray:
    """First positions of about ``most`` cells and the position after the last: buckets with more patients get more."""
    lengths = np.diff(edges)
    wanted = np.sqrt(np.maximum(counts, noise))
    parts = np.ones(len(lengths), dtype=np.int64)
    # Short buckets have only so many positions; what they cannot use goes to the others.
    left, weight = max(most, len(lengths)), wanted.sum()
    for bucket in np.argsort(lengths / wanted):
        parts[bucket] = max(1, min(int(lengths[bucket]), round(left * wanted[bucket] / weight)))
        left, weight = left - parts[bucket], weight - wanted[bucket]
    starts = [
        edge + (length * np.arange(part)) // part
        for edge, length, part in zip(edges[:-1].tolist(), lengths.tolist(), parts.tolist(), strict=True)
    ]
    return np.append(np.concatenate(starts), edges[-1]).astype(np.int64)


def _within(starts: np.ndarray, column: Column, scale: float) -> np.ndarray:
    """``starts`` cut to the declared bounds."""
    low, high = _declared(column, scale)
    low, high = max(low, float(starts[0])), min(high, float(starts[-1] - 1))
    if low > high:  # the range that was found lies outside what was declared
        low, high = _declared(column, scale)
    inner = starts[(starts > low) & (starts <= high)]
    return np.concatenate([[low], inner, [high + 1]]).astype(np.int64)
