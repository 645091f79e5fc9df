"""Weighted moments and quantiles, and standardised mean differences (Yang and Dalton 2012, SAS Global Forum 335).

Without a p-value: a difference of 0.1 is small whatever the number of rows, while a p-value shrinks with it.
"""

import math
from collections.abc import Sequence

import numpy as np

from engine.evaluation.cells import Sample

_FLAT = 1e-9


def moments(values: np.ndarray, weights: np.ndarray | None = None) -> tuple[float, float]:
    """Mean and standard deviation (n - 1; NaN for one value) of ``values`` (n,), none of them NaN."""
    mean = float(np.average(values, weights=weights))
    if len(values) < 2:
        return mean, math.nan
    variance = float(np.average((values - mean) ** 2, weights=weights)) * len(values) / (len(values) - 1)
    return mean, math.sqrt(variance)


def quantiles(values: np.ndarray, levels: Sequence[float], weights: np.ndarray | None = None) -> list[float]:
    """Quantiles of ``values`` (n,): interpolated, or with weights the smallest value that reaches each level."""
    if weights is None:
        return [float(value) for value in np.quantile(values, levels)]
    return [float(value) for value in np.quantile(values, levels, weights=weights, method="inverted_cdf")]


def shown_quartiles(values: np.ndarray, sample: Sample, minimum: int) -> list[float | None]:
    """Median, lower and upper quartile of ``values`` (n,) of the rows of ``sample``, by weight.

    None where fewer than ``minimum`` patients lie on either side: a quantile by weight may have few beside it.
    """
    if not len(values):
        return [None] * 3
    support = int(sample.support(np.ones(len(values), dtype=bool)).sum())
    found: list[float | None] = []
    for level, parts in zip(quantiles(values, (0.5, 0.25, 0.75), sample.weights), (2, 4, 4), strict=True):
        beside = support // parts
        if sample.weights is not None:
            beside = min(beside, *(int(sample.support(side).sum()) for side in (values <= level, values >= level)))
        found.append(level if beside >= minimum else None)
    return found


def number_difference(real: tuple[float, float], other: tuple[float, float]) -> float | None:
    """``other``'s mean minus ``real``'s, in units of the root mean square of both SDs; None where neither varies."""
    (first, first_sd), (second, second_sd) = real, other
    spread = math.sqrt((first_sd**2 + second_sd**2) / 2)
    if not spread > _FLAT * max(1.0, abs(first)):
        return 0.0 if first == second else None
    return (second - first) / spread


def share_difference(real: np.ndarray, other: np.ndarray) -> float | None:
    """Multivariate SMD, at least 0, of two arrays of shares (n_categories,) over the same categories.

    The Mahalanobis distance under the mean of both multinomial covariances; for two categories
    ``|p - q| / sqrt((p(1 - p) + q(1 - q)) / 2)``. None where it is not defined: both tables have one category each, and
    not the same one.
    """
    real, other = (shares / shares.sum() for shares in (real, other))
    used = (real + other) > 0
    # The last share is what the others leave.
    first, second = real[used][:-1], other[used][:-1]
    covariance = sum((np.diag(p) - np.outer(p, p) for p in (first, second)), np.zeros((len(first),) * 2)) / 2
    difference = second - first
    if not np.abs(difference).max(initial=0.0) > _FLAT:
        return 0.0
    if np.linalg.matrix_rank(covariance, tol=_FLAT) < len(covariance):
        return None
    return math.sqrt(float(difference @ np.linalg.solve(covariance, difference)))
