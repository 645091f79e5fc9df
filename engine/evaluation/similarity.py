"""How alike two columns, or two pairs of columns, are distributed: the formulas, without a library."""

from itertools import combinations

import numpy as np


def ks_complement(real: np.ndarray, other: np.ndarray) -> float | None:
    """1 minus the Kolmogorov-Smirnov distance of two samples of numbers (NaN left out); None where one is empty."""
    real, other = (np.sort(values[~np.isnan(values)]) for values in (real, other))
    if not len(real) or not len(other):
        return None
    every = np.concatenate([real, other])
    below_real = np.searchsorted(real, every, side="right") / len(real)
    below_other = np.searchsorted(other, every, side="right") / len(other)
    return float(1 - np.abs(below_real - below_other).max())


def tv_complement(real: np.ndarray, other: np.ndarray) -> float | None:
    """1 minus the total variation distance of two samples of codes (negative: missing); None where one is empty."""
    real, other = real[real >= 0], other[other >= 0]
    if not len(real) or not len(other):
        return None
    cells = int(max(real.max(), other.max())) + 1
    shares = [np.bincount(codes, minlength=cells) / len(codes) for codes in (real, other)]
    return float(1 - 0.5 * np.abs(shares[0] - shares[1]).sum())


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
