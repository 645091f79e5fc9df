"""Pearson's and Spearman's correlations of weighted rows, each pair over the rows where both have a value."""

from itertools import combinations

import numpy as np


def weighted_correlations(values: np.ndarray, weights: np.ndarray, *, ranked: bool, least_rows: int = 2) -> np.ndarray:
    """(n_columns, n_columns) correlations with ones on the diagonal; NaN where not assessable.

    Weights that are whole numbers say how often a row stands there.

    Args:
        values: (n_rows, n_columns), NaN where missing.
        weights: (n_rows,) positive.
        ranked: Spearman's, of the midranks by weight among the rows of each pair, in place of Pearson's.
        least_rows: pairs with fewer rows with both values are not assessable.
    """
    size, known = values.shape[1], ~np.isnan(values)
    out = np.eye(size)
    places = [np.unique(column, return_inverse=True)[1] for column in values.T] if ranked else []
    for first, second in combinations(range(size), 2):
        both = known[:, first] & known[:, second]
        pair = (float("nan"),) * 2
        if both.sum() >= max(2, least_rows):
            mass = weights[both]
            of = [midranks(places[at][both], mass) if ranked else values[both, at] for at in (first, second)]
            pair = (weighted_correlation(of[0], of[1], mass),) * 2
        out[first, second], out[second, first] = pair
    return out


def midranks(places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(n_rows,) the weight of the rows below each row and half of that of the rows beside it.

    ``places``: (n_rows,) integers from 0 in the order of the values, the same for the same value.
    """
    mass = np.bincount(places, weights)
    return (np.cumsum(mass) - mass / 2)[places]


def weighted_correlation(first: np.ndarray, second: np.ndarray, weights: np.ndarray) -> float:
    """Pearson's correlation of two arrays (n_rows,) without NaN; NaN where either does not vary."""
    centred = []
    for values in (first, second):
        if not values.min() < values.max():
            return float("nan")
        centred.append(values - np.average(values, weights=weights))
    (one, two) = centred
    product = (weights * one**2).sum() * (weights * two**2).sum()
    return float(np.clip((weights * one * two).sum() / np.sqrt(product), -1, 1)) if product > 0 else float("nan")
