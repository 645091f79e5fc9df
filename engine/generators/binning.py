"""Bins of an ordered column on its grid, and the cells inside a bin that say where in it a value lies.

A value is an integer position on the grid of the column's declared resolution. Bins are what the network learns;
cells are a finer histogram from which the place inside a bin is drawn.
"""

from dataclasses import dataclass

import numpy as np

MAX_BINS = 24
ROWS_PER_BIN = 6
"""Bins of small tables hold at least about this many rows, so that a bin is no fingerprint of a patient."""
MAX_CELLS = 128


@dataclass(frozen=True)
class Bins:
    """Consecutive ranges of grid positions, ends included.

    Attributes:
        first: int64 (n_bins,), lowest position of each bin.
        last: int64 (n_bins,), highest position of each bin.
        cell_bin: int64 (n_cells,), the bin of each cell, ascending.
        cell_first: int64 (n_cells,), lowest position of each cell.
        cell_length: int64 (n_cells,), positions in each cell; all equally likely.
        cell_mass: float64 (n_cells,), rows in each cell.
        cell_step: int64 (n_cells,), distance between a cell's positions. Cells may overlap.
    """

    first: np.ndarray
    last: np.ndarray
    cell_bin: np.ndarray
    cell_first: np.ndarray
    cell_length: np.ndarray
    cell_mass: np.ndarray
    cell_step: np.ndarray

    def __len__(self) -> int:
        return len(self.first)

    def find(self, positions: np.ndarray) -> np.ndarray:
        """Index of the bin that holds each of ``positions`` (inside the grid)."""
        return np.searchsorted(self.last, positions)


def make_bins(positions: np.ndarray, *, low: int, high: int, max_bins: int = MAX_BINS) -> Bins:
    """At most ``max_bins`` bins that cover [low, high], merged by frequency; frequent single values keep their own.

    Args:
        positions: int64 (n_present,) grid positions of the rows that have a value, all inside [low, high].
        low: lowest position of the grid.
        high: highest position of the grid.
        max_bins: the most bins to make.
    """
    if len(positions) == 0:
        empty = np.zeros(0, dtype=np.int64)
        one = np.array([low], dtype=np.int64)
        return Bins(one, np.array([high], dtype=np.int64), empty, empty, empty, np.zeros(0), empty)
    unique, counts = np.unique(positions, return_counts=True)
    starts = _starts(counts, max(4, min(max_bins, len(positions) // ROWS_PER_BIN)))
    first, last = _edges(starts, unique, unique, low=low, high=high)
    pieces = [_cells(unique[a:b], counts[a:b]) for a, b in zip(starts, np.append(starts[1:], len(unique)), strict=True)]
    return Bins(
        first=first,
        last=last,
        cell_bin=np.repeat(np.arange(len(starts)), [len(piece[0]) for piece in pieces]),
        cell_first=np.concatenate([piece[0] for piece in pieces]).astype(np.int64),
        cell_length=np.concatenate([piece[1] for piece in pieces]).astype(np.int64),
        cell_mass=np.concatenate([piece[2] for piece in pieces]).astype(np.float64),
        cell_step=np.ones(sum(len(piece[0]) for piece in pieces), dtype=np.int64),
    )


def bins_of_cells(
    first: np.ndarray, length: np.ndarray, mass: np.ndarray, *, low: int, high: int, max_bins: int
) -> Bins:
    """At most ``max_bins`` bins that cover [low, high], merged from cells that were counted beforehand.

    Args:
        first: int64 (n_cells,), lowest position of each cell, ascending.
        length: int64 (n_cells,), positions in each cell.
        mass: float64 (n_cells,), rows in each cell, not negative; cells without mass belong to their neighbours' bins.
        low: lowest position of the grid.
        high: highest position of the grid.
        max_bins: the most bins to make.
    """
    kept = mass > 0
    if not kept.any():
        return make_bins(np.zeros(0, dtype=np.int64), low=low, high=high)
    first, length, mass = first[kept], length[kept], mass[kept]
    starts = _starts(mass, max(1, max_bins))
    bin_first, bin_last = _edges(starts, first, first + length - 1, low=low, high=high)
    sizes = np.diff(np.append(starts, len(first)))
    of_bin = np.repeat(np.arange(len(starts)), sizes)
    return Bins(bin_first, bin_last, of_bin, first, length, mass.astype(np.float64), np.ones_like(first))


def _edges(
    starts: np.ndarray, cell_first: np.ndarray, cell_last: np.ndarray, *, low: int, high: int
) -> tuple[np.ndarray, np.ndarray]:
    """First and last positions of bins that start at the given cells; a gap goes half to either neighbour."""
    last_seen = cell_last[np.append(starts[1:], len(cell_last)) - 1]
    next_seen = cell_first[starts[1:]]
    last = np.append((last_seen[:-1] + next_seen) // 2, high)
    last[:-1] = np.clip(last[:-1], last_seen[:-1], next_seen - 1)
    return np.append(low, last[:-1] + 1).astype(np.int64), last.astype(np.int64)


def _starts(counts: np.ndarray, max_bins: int) -> np.ndarray:
    """Index into the sorted distinct values where each bin starts."""
    if len(counts) <= max_bins:
        return np.arange(len(counts))
    spike_at, target = counts.sum() / max_bins, counts.sum() / max_bins
    for _ in range(200):
        starts = _merge(counts, counts >= spike_at, target)
        if len(starts) <= max_bins:
            return starts
        spike_at, target = spike_at * 1.1, target * 1.08
    return _merge(counts, np.zeros(len(counts), dtype=bool), counts.sum() / max_bins * 2)


def _merge(counts: np.ndarray, spike: np.ndarray, target: float) -> np.ndarray:
    starts: list[int] = []
    index = 0
    while index < len(counts):
        if spike[index]:
            starts.append(index)
            index += 1
            continue
        end = index
        while end < len(counts) and not spike[end]:
            end += 1
        mass = counts[index:end].cumsum()
        parts = max(1, round(mass[-1] / target))
        cuts = np.searchsorted(mass, mass[-1] * np.arange(1, parts) / parts) + 1
        starts += [index, *(index + cut for cut in np.unique(cuts) if 0 < cut < end - index)]
        index = end
    return np.array(starts, dtype=np.int64)


def _cells(values: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells over the seen range of one bin: single positions where rows repeat, else equal widths."""
    rows, width = int(counts.sum()), int(values[-1] - values[0] + 1)
    repeats = len(values) <= max(rows / 2, 1)
    if len(values) <= MAX_CELLS and (repeats or width <= rows):
        return values, np.ones(len(values), dtype=np.int64), counts
    wanted = min(MAX_CELLS, max(2, rows // 4))
    size = max(1, -(-width // wanted))
    place = (values - values[0]) // size
    mass = np.bincount(place, weights=counts)
    kept = np.flatnonzero(mass)
    first = values[0] + kept * size
    return first, np.minimum(size, values[-1] - first + 1), mass[kept]
