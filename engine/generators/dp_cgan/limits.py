"""A condition on a column as shares of its levels, and the places inside a level that satisfy it."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from engine.cohort.conditions import Condition, Interval
from engine.core.errors import UserError
from engine.generators.cells import Cells
from engine.generators.encoding import ColumnCode

_BEYOND = 1e-6
"""Weight of a bin in which only values that no patient has are allowed: drawn when nothing else is."""


@dataclass(frozen=True)
class Limit:
    """What a condition leaves of a column.

    Attributes:
        share: float64 (n_levels,), the share of each level that satisfies the condition; 0 forbids the level.
        cells: of ordered columns: where in each bin the allowed values lie; None for categories.
    """

    share: np.ndarray
    cells: Cells | None

    @property
    def only_level(self) -> int | None:
        """The level, where a single one is allowed."""
        allowed = np.flatnonzero(self.share)
        return int(allowed[0]) if len(allowed) == 1 else None


def make_limit(code: ColumnCode, condition: Condition) -> Limit:
    """The limit that ``condition`` puts on the column of ``code``.

    Raises:
        UserError: no level is left; names the column.
    """
    share = np.zeros(code.n_levels)
    cells = None
    if condition.allow_present and code.bins is not None:
        share[:-1], cells = _ordered(code, condition)
    elif condition.allow_present and code.categories:
        share[:-1] = [condition.categories is None or name in condition.categories for name in code.categories]
    if condition.allow_missing:
        share[-1] = 1.0
    # Levels without a patient are given only to those who ask for nothing else; missing must have occurred.
    unseen = code.counts <= 0
    if np.any(share[~unseen] > 0):
        share[unseen] = 0.0
    elif unseen[-1]:
        share[-1] = 0.0
    if not share.any():
        raise UserError(
            f"the criterion on {code.column.name!r} leaves no value that the model can draw",
            where=_known(code, condition),
            remedy="Widen or drop that criterion.",
        )
    return Limit(share, cells)


def _known(code: ColumnCode, condition: Condition) -> str:
    column = code.column
    if not condition.allow_present:
        return "no value of it is missing in the data"
    # Bounds that were read from the data are two patients' values.
    if column.bounds_are_public and column.minimum is not None and column.maximum is not None:
        return f"the column ranges from {column.minimum:g} to {column.maximum:g}"
    return ""


def _ordered(code: ColumnCode, condition: Condition) -> tuple[np.ndarray, Cells]:
    assert code.bins is not None
    bins = code.bins
    ranges = list(_ranges(code, condition))
    share = np.zeros(len(bins))
    pieces: list[tuple[np.ndarray, ...]] = []
    total = np.bincount(bins.cell_bin, weights=bins.cell_mass, minlength=len(bins))
    for low, high in ranges:
        # The first and last of each cell's positions that lie inside, counted in its own steps.
        start = np.maximum(-(-(low - bins.cell_first) // bins.cell_step), 0)
        stop = np.minimum((high - bins.cell_first) // bins.cell_step, bins.cell_length - 1)
        inside = np.flatnonzero(stop >= start)
        length = (stop - start + 1)[inside]
        mass = bins.cell_mass[inside] * length / bins.cell_length[inside]
        first = (bins.cell_first + start * bins.cell_step)[inside]
        pieces.append((bins.cell_bin[inside], first, length, mass, bins.cell_step[inside]))
        share += np.bincount(bins.cell_bin[inside], weights=mass, minlength=len(bins))
    for low, high in ranges:
        bare = np.flatnonzero((share <= 0) & (bins.first <= high) & (bins.last >= low))
        for index in bare:
            pieces.append(_beyond(code, int(index), low, high))
    level, first, length, mass, step = (np.concatenate(parts) if parts else np.zeros(0) for parts in _columns(pieces))
    share = np.where(share > 0, share / np.maximum(total, 1e-12), 0.0)
    touched = np.bincount(level.astype(np.int64), minlength=len(bins)) > 0
    share[touched & (share <= 0)] = _BEYOND
    order = np.lexsort((first, level))
    cells = Cells.build(
        len(bins), level=level.astype(np.int64)[order], first=first.astype(np.int64)[order],
        length=length.astype(np.int64)[order], mass=mass[order], step=step.astype(np.int64)[order],
        fallback_first=bins.first, fallback_length=np.ones(len(bins), dtype=np.int64),
    )  # fmt: skip
    return share, cells


def _columns(pieces: list[tuple[np.ndarray, ...]]) -> Iterable[list[np.ndarray]]:
    return [[piece[part] for piece in pieces] for part in range(5)]


def _beyond(code: ColumnCode, index: int, low: int, high: int) -> tuple[np.ndarray, ...]:
    """Pieces of [low, high] inside a bin in which no patient's value is allowed: likelier near the patients."""
    assert code.bins is not None
    bins = code.bins
    low, high = max(low, int(bins.first[index])), min(high, int(bins.last[index]))
    own = bins.cell_bin == index
    centre = float(np.average(bins.cell_first[own], weights=bins.cell_mass[own])) if own.any() else float(low)
    edges = [low]
    width = max(1, (high - low + 1) // 64)
    while edges[-1] + width <= high:
        edges.append(edges[-1] + width)
    first = np.array(edges, dtype=np.int64)
    length = np.diff(np.append(first, high + 1))
    distance = np.abs(first + length / 2 - centre)
    scale = max(float(distance.min()), (high - low + 1) / 8, 1.0)
    mass = length * np.exp(-(distance - distance.min()) / scale)
    return np.full(len(first), index), first, length, np.maximum(mass, 1e-12), np.ones(len(first), dtype=np.int64)


def _ranges(code: ColumnCode, condition: Condition) -> Iterable[tuple[int, int]]:
    """Grid positions that satisfy the condition, as disjoint ranges with ends included, ascending."""
    assert code.bins is not None
    low, high = int(code.bins.first[0]), int(code.bins.last[-1])
    wanted = [(low, high)]
    if condition.intervals is not None:
        wanted = [part for interval in condition.intervals if (part := _on_grid(interval, code.scale, low, high))]
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(wanted):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
        else:
            merged.append((start, stop))
    out = sorted(position for value in condition.excluded if (position := _exact(value, code.scale)) is not None)
    for start, stop in merged:
        for position in out:
            if start <= position <= stop:
                if position > start:
                    yield start, position - 1
                start = position + 1
        if start <= stop:
            yield start, stop


def _exact(value: float, scale: float) -> int | None:
    if math.isinf(value * scale):
        return None
    position = round(value * scale)
    return position if position / scale == value else None


def _on_grid(interval: Interval, scale: float, low: int, high: int) -> tuple[int, int] | None:
    """The first and last position whose value lies in the interval; None where there is none."""

    def inside(position: int) -> bool:
        return bool(interval.contains(np.array([position / scale]))[0])

    start, stop = interval.low * scale, interval.high * scale
    # Products round, so the ends are looked for one position to either side; beyond the grid they may be infinite.
    if start > high + 1 or stop < low - 1:
        return None
    first = low if start < low else max(low, math.floor(start) - 1)
    last = high if stop > high else min(high, math.ceil(stop) + 1)
    while first <= last and not inside(first) and first / scale <= interval.low:
        first += 1
    while last >= first and not inside(last) and last / scale >= interval.high:
        last -= 1
    return (first, last) if first <= last and inside(first) else None
