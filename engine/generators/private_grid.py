"""Grids for ordered columns whose bounds and decimals are not public, measured in two rounds of histograms."""

import math
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
_ROUNDINGS = (1.0, 0.5, 0.1, 0.05, 0.01, 0.001, 1e-4, 1e-5, 1e-6)
"""What values are rounded to; a value counts for the coarsest of these that it is a multiple of."""
_MOST_ATOMS = 16_384
"""Positions of a grid that are counted one by one, to find single values that many patients share."""
_TOLD = 3.0
"""Standard deviations of noise that the patients with some number of decimals must exceed to count."""
_FALSE_ALARM = 1e-3
"""Probability that a bucket without patients is taken for the end of a column's range."""
_BEYOND_DOUBT = 1.5
_NEIGHBOUR = 1.5
"""Standard deviations of noise that a bucket beside the significant ones must exceed to belong to the range."""

_END = 2.0
"""Standard deviations of noise that the ends of a grid must exceed to be told cell by cell."""
_NEAR = 3
_LAST_PATIENT = 0.5
_RARE = 0.08
"""Roundings of a smaller share of the values are given up: a finer grid for all would cost more than they are worth."""


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
        roundings: what values are rounded to, in positions, with the share of the values that are.
        positions: float64 (patients,), NaN where missing.
    """

    column: Column
    scale: float
    first: np.ndarray
    last: np.ndarray
    roundings: tuple[tuple[int, float], ...]
    positions: np.ndarray

    @property
    def has_atoms(self) -> bool:
        """Whether counting every position tells more than the cells, and there are few enough."""
        width = int(self.last[-1] - self.first[0] + 1)
        return len(self.first) < width <= _MOST_ATOMS

    def atoms(self) -> np.ndarray:
        """The position of each row, counted from the grid's first; -1 where missing or outside."""
        place = self.positions - self.first[0]
        inside = (place >= 0) & (self.positions <= self.last[-1])
        return np.where(inside, np.where(inside, place, 0), -1).astype(np.int64)

    def cells(self) -> np.ndarray:
        """The cell of each row, outside values in the outermost; the number of cells where a value is missing."""
        inside = np.clip(self.positions, self.first[0], self.last[-1])
        return np.where(np.isnan(self.positions), len(self.first), np.searchsorted(self.last, inside))

    def with_tails(self, counts: np.ndarray, noise: float) -> tuple["Grid", np.ndarray]:
        """The grid and its noisy ``counts``, float64, with smooth tails for the ends that noise alone explains.

        Cell by cell such an end says nothing, but its sum does: it continues the density at its start, falling off
        exponentially as fast as its patients last. What is left of it below half a patient is cut off.
        """
        out = counts.astype(np.float64)
        width = self.last - self.first + 1
        low = _tail(out, width, noise)
        high = len(out) - _tail(out[::-1], width[::-1], noise)
        if low >= high:
            return self, counts.astype(np.float64)
        return replace(self, first=self.first[low:high], last=self.last[low:high]), out[low:high]

    @property
    def reach(self) -> tuple[int, int]:
        """Lowest and highest position that can be asked for: declared bounds, else those that were found."""
        low, high = _declared(self.column, self.scale)
        return (
            int(self.first[0]) if np.isinf(low) else min(int(low), int(self.first[0])),
            int(self.last[-1]) if np.isinf(high) else max(int(high), int(self.last[-1])),
        )

    def released(self) -> Column:
        """The column with the grid's bounds, which are public now."""
        decimals = None if self.column.kind is not Kind.NUMERIC else round(np.log10(max(self.scale, 1.0)))
        low, high = (position / self.scale for position in self.reach)
        if self.column.kind is Kind.DATE:
            high = float(np.ceil(high))
        return self.column.model_copy(
            update={"minimum": low, "maximum": high, "bounds_are_public": True, "decimals": decimals}
        )


def _tail(counts: np.ndarray, width: np.ndarray, noise: float) -> int:
    """Replaces the leading ``counts`` that noise explains by a tail, in place; returns how many cells are cut off."""
    together = np.cumsum(counts)
    told = together > _END * noise * np.sqrt(np.arange(1, len(counts) + 1))
    cells = int(told.argmax()) if told.any() else 0
    if not cells:
        return 0
    patients = max(float(together[cells - 1]), 0.0)
    near = slice(cells, cells + _NEAR)
    density = float(counts[near].sum()) / max(int(width[near].sum()), 1)
    if patients <= 0 or density <= 0:
        return cells
    # Positions from the tail's start outwards, to the near and the far end of each of its cells.
    far = np.cumsum(width[:cells][::-1])[::-1]
    falling = density / patients
    counts[:cells] = patients * (np.exp(-falling * (far - width[:cells])) - np.exp(-falling * far))
    return int(np.searchsorted(np.cumsum(counts[:cells]), _LAST_PATIENT))


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
    patients, rounded = _first_round(numbers, ordered, measurer, square * (_FIRST_ROUND if ordered else 1.0))
    scales = {name: scale for name, (scale, _) in rounded.items()}
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
        scale, roundings = rounded[column.name]
        grids[column.name] = Grid(column, scale, starts[:-1], starts[1:] - 1, roundings, positions[column.name])
    return patients, grids


def _first_round(
    numbers: Mapping[str, np.ndarray], columns: Sequence[Column], measurer: Measurer, square: float
) -> tuple[Patients, dict[str, tuple[float, tuple[tuple[int, float], ...]]]]:
    """The noisy number of patients, each column's positions per unit, and what its values are rounded to."""
    rounded = [column for column in columns if _public_scale(column) is None]
    noise = float(((1 + len(rounded)) / square) ** 0.5)
    histograms = [Histogram(("patients",), lambda: np.zeros(measurer.patients, dtype=np.int64), 1, noise)]
    for column in rounded:
        values = numbers[column.name]
        places = _rounding if column.kind is Kind.NUMERIC else _has_time
        size = len(_ROUNDINGS) if column.kind is Kind.NUMERIC else 2
        histograms.append(
            Histogram(("rounding", column.name), lambda values=values, places=places: places(values), size, noise)
        )
    (patients, *counted) = measurer.measure(histograms)
    found: dict[str, tuple[float, tuple[tuple[int, float], ...]]] = {
        column.name: (scale, ((1, 1.0),)) for column in columns if (scale := _public_scale(column)) is not None
    }
    for column, counts in zip(rounded, counted, strict=True):
        sure = np.where(counts > _TOLD * noise, counts, 0)
        if column.kind is Kind.DATE:
            found[column.name] = (float(SECONDS_PER_DAY if sure[1] else 1), ((1, 1.0),))
        else:
            found[column.name] = _grid_of_roundings(sure, column)
    return Patients(max(float(patients[0]), 1.0), noise), found


def _grid_of_roundings(counts: np.ndarray, column: Column) -> tuple[float, tuple[tuple[int, float], ...]]:
    """Positions per unit, and what values are rounded to in positions with shares, from the roundings that are sure."""
    if not counts.any():
        return 10.0 ** _usual(column), ((1, 1.0),)
    counts = np.where(counts >= _RARE * counts.sum(), counts, 0)
    finest = _ROUNDINGS[int(np.flatnonzero(counts)[-1])]
    scale = 10.0 ** math.ceil(-math.log10(finest) - 1e-9)
    share = counts / counts.sum()
    return scale, tuple((round(_ROUNDINGS[index] * scale), float(share[index])) for index in np.flatnonzero(counts))


def _usual(column: Column) -> int:
    """Decimals where too few patients tell: the catalogue's for a column of that name, else one."""
    known = catalogue().concept(column.name).decimals if column.name in catalogue() else None
    return 1 if known is None else known


def _public_scale(column: Column) -> float | None:
    if column.kind is Kind.INTEGER:
        return 1.0
    # Decimals of an upload were counted in its rows, so they are measured; declared ones stay.
    return 10.0**column.decimals if column.decimals is not None else None


def _rounding(values: np.ndarray) -> np.ndarray:
    """Index of the coarsest rounding that each value is a multiple of, the finest if of none; -1 where missing."""
    found = np.full(len(values), len(_ROUNDINGS) - 1)
    with np.errstate(invalid="ignore"):
        for index in range(len(_ROUNDINGS) - 2, -1, -1):
            # Both are nearest floats of decimals, so equality is exact where the value was written with such a step.
            multiple = np.round(values / _ROUNDINGS[index])
            found[np.round(multiple * _ROUNDINGS[index], MOST_DECIMALS) == values] = index
    return np.where(np.isfinite(values), found, -1)


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

    Below ``zero`` (the bucket of 0) only what is beyond doubt counts: most clinical quantities cannot be negative.
    """
    sure = -NormalDist().inv_cdf(_FALSE_ALARM / len(counts)) * noise
    below = np.arange(len(counts)) < zero
    significant = np.flatnonzero(counts > np.where(below, _BEYOND_DOUBT * sure, sure))
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
