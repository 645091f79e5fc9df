"""Where inside a cell of a private grid values lie: on single values that many patients share, or on round ones.

Uniform places inside a cell give hemoglobin of 12.37 where it is recorded as 12.5, which any classifier tells from
real rows. Both corrections read noisy counts only.
"""

from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist

import numpy as np

from engine.generators.binning import Bins

_FALSE_ALARM = 0.05
"""Probability that a column without shared values seems to have one."""


def shared_values(counts: np.ndarray, noise: float) -> dict[int, float]:
    """Places of ``counts`` (one per position) that many patients share, with their noisy number."""
    least = -NormalDist().inv_cdf(_FALSE_ALARM / len(counts)) * noise
    return {int(place): float(counts[place]) for place in np.flatnonzero(counts > least)}


def with_pieces(bins: Bins, *, roundings: tuple[tuple[int, float], ...], atoms: Mapping[int, float]) -> Bins:
    """``bins`` whose cells are cut into the shared values inside them and, for the rest, into round positions.

    Args:
        bins: with cells of neighbouring positions.
        roundings: distances of round positions from each other, with the share of the values that are so round.
        atoms: positions of shared values, with the patients at each.
    """
    places = np.array(sorted(atoms), dtype=np.int64)
    rows: list[tuple[int, int, int, float, int]] = []
    cells = zip(bins.cell_bin, bins.cell_first, bins.cell_length, bins.cell_mass, strict=True)
    for of_bin, first, length, mass in cells:
        last = first + length - 1
        own = places[np.searchsorted(places, first) : np.searchsorted(places, last, side="right")]
        if length == 1 or mass <= 0:
            rows.append((of_bin, first, length, mass, 1))
            continue
        shared = sum(atoms[int(place)] for place in own)
        # A cell's own count is the more precise one.
        part = min(1.0, mass / shared) if shared else 0.0
        rows += [(of_bin, place, 1, atoms[int(place)] * part, 1) for place in own]
        rows += _round(of_bin, first, last, max(mass - shared * part, 0.0), roundings)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 5
    of_bin, first, length, step = (np.array(columns[index], dtype=np.int64) for index in (0, 1, 2, 4))
    order = np.lexsort((first, of_bin))
    return replace(
        bins, cell_bin=of_bin[order], cell_first=first[order], cell_length=length[order],
        cell_mass=np.array(columns[3], dtype=np.float64)[order], cell_step=step[order],
    )  # fmt: skip


def _own_shares(roundings: tuple[tuple[int, float], ...]) -> list[tuple[int, float]]:
    """How often each distance is drawn from, coarse to fine, so that round values come out with their shares.

    A finer distance's positions hold the coarser ones too, so what they give these by chance is taken off.
    """
    given: list[tuple[int, float]] = []
    for index in range(len(roundings) - 1, -1, -1):
        step, share = roundings[index]
        own = 1 - (step / roundings[index - 1][0] if index else 0.0)
        share -= sum(weight * finer / step * own for finer, weight in given)
        given.append((step, max(share, 0.0) / own))
    return given[::-1]


def _round(
    of_bin: int, first: int, last: int, mass: float, roundings: tuple[tuple[int, float], ...]
) -> list[tuple[int, int, int, float, int]]:
    """The positions from ``first`` to ``last`` as one cell per rounding, ``mass`` shared out."""
    found = []
    for step, share in _own_shares(roundings):
        start = -(-first // step) * step
        count = (last - start) // step + 1 if start <= last else 0
        if count > 0:
            # A cell between two round positions has none; one around it has more than its share of them.
            found.append((start, count, share * count * step / (last - first + 1), step))
    total = sum(weight for _, _, weight, _ in found)
    if total <= 0:
        return [(of_bin, first, last - first + 1, mass, 1)]
    return [(of_bin, start, count, mass * weight / total, step) for start, count, weight, step in found]
