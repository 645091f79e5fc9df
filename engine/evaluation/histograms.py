"""Intervals for histograms of an ordered column: round edges, open ends, no value of a single patient."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.schema.table import Column, Kind

_ROUND = (1.0, 2.0, 5.0, 10.0)
_PER_DECADE_FINE = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
_PER_DECADE_COARSE = (1.0, 2.0, 5.0)
_DAY = 86_400
_MOST_DATE_BINS = 30


@dataclass(frozen=True)
class Grid:
    """Cells of an axis: below ``edges[0]``, between neighbours (upper edge excluded), from ``edges[-1]`` on.

    Attributes:
        edges: (n_cells - 1,) increasing; dates are days since 1970-01-01.
        scale: ``"linear"``, ``"log"`` or ``"date"``.
        decimals: digits after the point that the edges need.
    """

    edges: np.ndarray
    scale: str
    decimals: int

    @property
    def cells(self) -> int:
        """How many cells there are, the two open ends included."""
        return len(self.edges) + 1

    def codes(self, numbers: np.ndarray) -> np.ndarray:
        """(n_rows,) the cell of each number, -1 where it is NaN."""
        return np.where(np.isnan(numbers), -1, np.searchsorted(self.edges, numbers, side="right"))

    def bounds(self, group: list[int]) -> tuple[float | None, float | None]:
        """Lower and upper edge of a group of neighbouring cells; None where it is open."""
        low = float(self.edges[group[0] - 1]) if group[0] > 0 else None
        high = float(self.edges[group[-1]]) if group[-1] < len(self.edges) else None
        return low, high


def grid_for(numbers: np.ndarray, column: Column, *, minimum: int) -> Grid:
    """Edges for the real values ``numbers`` (n,), NaN for missing.

    They span the values that at least ``minimum`` others exceed on either side (and at least 1 %), on round numbers:
    an extreme value moves no edge.
    """
    present = numbers[~np.isnan(numbers)]
    tail = min(0.25, max(0.01, minimum / max(1, len(present))))
    low, middle, high = (float(value) for value in np.quantile(present, [tail, 0.5, 1 - tail], method="nearest"))
    target = int(np.clip(0.9 * math.sqrt(len(present)), 6, 28))
    if column.kind is Kind.DATE:
        return Grid(_calendar(low, high, target), "date", 0)
    if _is_skewed(present, low, middle, high, tail, column):
        positive = present[present > 0]
        return _logarithmic(float(np.quantile(positive, tail, method="nearest")), high)
    finest = 1.0 if column.kind is Kind.INTEGER else 10.0 ** -(column.decimals if column.decimals is not None else 6)
    step = _round_step((high - low) / target, finest) if high > low else max(finest, _scale_of(low))
    first, last = math.floor(low / step + 1e-9), math.floor(high / step + 1e-9) + 1
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return Grid(np.round(np.arange(first, last + 1) * step, 10), "linear", decimals)


def interval_text(low: float | None, high: float | None, grid: Grid, column: Column) -> str:
    """An interval in words: ``40–45``, ``under 40``, ``200 or more``, ``3``, ``2101-04``."""
    if grid.scale == "date":
        return _date_text(low, high)

    def number(value: float) -> str:
        if grid.scale == "log":
            return f"{value:,.6g}" if value < 1e6 else f"{value:,.0f}"
        return f"{value:,.{grid.decimals}f}"

    if low is None or high is None:
        if low is not None:
            return f"{number(low)} or more"
        return f"under {number(high)}" if high is not None else "all values"
    if column.kind is Kind.INTEGER:
        last = math.ceil(high) - 1
        return number(low) if last <= low else f"{number(low)}–{number(last)}"
    return f"{number(low)}–{number(high)}"


def _round_step(raw: float, finest: float) -> float:
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor for factor in _ROUND if factor * power >= raw - 1e-12) * power
    if step <= finest:
        return finest
    # A width of two and a half whole numbers would hold two and three values in turn.
    multiple = step / finest
    return step if abs(multiple - round(multiple)) < 1e-9 else finest * math.ceil(multiple)


def _scale_of(value: float) -> float:
    return 10.0 ** math.floor(math.log10(abs(value))) / 10 if value else 1.0


def _is_skewed(present: np.ndarray, low: float, middle: float, high: float, tail: float, column: Column) -> bool:
    """Whether equal widths would put most rows into the first few cells and a logarithmic axis can show them."""
    if column.kind is Kind.INTEGER and high < 200:
        return False
    positive = present[present > 0]
    if len(positive) < 0.95 * len(present):
        return False
    smallest = float(np.quantile(positive, tail, method="nearest"))
    return high / smallest >= 20 and high - middle > 4 * (middle - max(low, smallest))


def _logarithmic(low: float, high: float) -> Grid:
    mantissas = _PER_DECADE_FINE if math.log10(high / low) <= 3 else _PER_DECADE_COARSE
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    every = np.array([m * 10.0**power for power in range(first, last + 1) for m in mantissas])
    start = max(0, int(np.searchsorted(every, low, side="right")) - 1)
    stop = min(len(every) - 1, int(np.searchsorted(every, high, side="right")))
    return Grid(np.array([float(f"{edge:.6g}") for edge in every[start : stop + 1]]), "log", 0)


def _calendar(low: float, high: float, target: int) -> np.ndarray:
    start, end = (pd.Timestamp(int(days) * _DAY, unit="s") for days in (math.floor(low), math.floor(high)))
    limit = min(_MOST_DATE_BINS, max(target, 6))
    years = int(_round_step(max(1.0, (high - low) / 365.25 / limit), 1.0))
    edges = pd.DatetimeIndex([])
    for frequency in ("D", "W-MON", "MS", "QS", "YS", f"{years}YS"):
        # One period more on either side, so that both ends are covered.
        offset = pd.tseries.frequencies.to_offset(frequency)
        edges = pd.date_range((start - offset).normalize(), (end + offset).normalize(), freq=frequency)
        if len(edges) <= limit + 3:
            break
    days = edges.to_numpy().astype("datetime64[s]").astype("int64") / _DAY
    inside = days[(days > low) & (days <= high)]
    before, after = days[days <= low], days[days > high]
    return np.concatenate([before[-1:], inside, after[:1]])


def _date_text(low: float | None, high: float | None) -> str:
    def day(value: float) -> pd.Timestamp:
        return pd.Timestamp(int(value) * _DAY, unit="s")

    if low is None or high is None:
        if low is not None:
            return f"from {day(low):%Y-%m-%d}"
        return f"before {day(high):%Y-%m-%d}" if high is not None else "all dates"
    first, end = day(low), day(high)
    if (end - first).days == 1:
        return f"{first:%Y-%m-%d}"
    if first.day == end.day == 1:
        last = end - pd.Timedelta(days=1)
        if first.month == end.month == 1:
            return f"{first:%Y}" if first.year == last.year else f"{first:%Y} to {last:%Y}"
        return (
            f"{first:%Y-%m}"
            if (first.year, first.month) == (last.year, last.month)
            else f"{first:%Y-%m} to {last:%Y-%m}"
        )
    return f"{first:%Y-%m-%d} to {end - pd.Timedelta(days=1):%Y-%m-%d}"
