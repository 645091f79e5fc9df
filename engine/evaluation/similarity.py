"""How alike two columns, or two pairs of columns, are distributed: the formulas, without a library."""

from itertools import combinations

import numpy as np


def ks_complement(
    real: np.ndarray, other: np.ndarray, weights: np.ndarray | None = None, other_weights: np.ndarray | None = None
) -> float | None:
    """1 minus the Kolmogorov-Smirnov distance of two samples of numbers (NaN left out); None where one is empty.

    ``weights`` and ``other_weights``: (n_rows,) of each sample, positive; None: its rows weigh the same.
    """
    known = [~np.isnan(values) for values in (real, other)]
    if not all(rows.any() for rows in known):
        return None
    every = np.concatenate([real[known[0]], other[known[1]]])
    shares = [
        _shares_below(values[rows], None if of_rows is None else of_rows[rows], every)
        for values, of_rows, rows in zip((real, other), (weights, other_weights), known, strict=True)
    ]
    return float(1 - np.abs(shares[0] - shares[1]).max())


def _shares_below(values: np.ndarray, weights: np.ndarray | None, points: np.ndarray) -> np.ndarray:
    """(n_points,) the share of ``values`` that are no larger than each point."""
    order = np.argsort(values, kind="stable")
    place = np.searchsorted(values[order], points, side="right")
    if weights is None:
        return place / len(values)
    reached = np.concatenate([[0.0], np.cumsum(weights[order])])
    return reached[place] / reached[-1]


def tv_complement(
    real: np.ndarray, other: np.ndarray, weights: np.ndarray | None = None, other_weights: np.ndarray | None = None
) -> float | None:
    """1 minus the total variation distance of two samples of codes (negative: missing); None where one is empty.

    ``weights`` and ``other_weights``: (n_rows,) of each sample, positive; None: its rows weigh the same.
    """
    known = [codes >= 0 for codes in (real, other)]
    if not all(rows.any() for rows in known):
        return None
    cells = int(max(real.max(), other.max())) + 1
    mass = [
        np.bincount(codes[rows], None if of_rows is None else of_rows[rows], minlength=cells)
        for codes, of_rows, rows in zip((real, other), (weights, other_weights), known, strict=True)
    ]
    return float(1 - 0.5 * np.abs(mass[0] / mass[0].sum() - mass[1] / mass[1].sum()).sum())


def pair_similarity(real: list[np.ndarray], other: list[np.ndarray], cells: list[int]) -> float | None:
    """Mean over all pairs of columns of 1 minus the total variation distance between their joint tables.

    Args:
        real: per column (n_rows,) codes from 0 to ``cells`` - 1, missing values as a code of their own.
        other: the same columns of the other table, with the same codes.
        cells: how many codes each column has.
    """
    if len(cells) < 2 or not len(real[0]) or not len(other[0]):
        return None
    scores = []
    for first, second in combinations(range(len(cells)), 2):
        size = cells[first] * cells[second]
        joint = [
            np.bincount(table[first] * cells[second] + table[second], minlength=size) / len(table[first])
            for table in (real, other)
        ]
        scores.append(1 - 0.5 * np.abs(joint[0] - joint[1]).sum())
    return float(np.mean(scores))
