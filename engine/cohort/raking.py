"""Raking: the table nearest to a given one whose margins are the wanted ones, and whole rows in its proportions.

Iterative proportional fitting (Deming and Stephan 1940): each margin in turn is scaled to its target until all hold.
Associations of the given table (its odds ratios) stay as they are; a cell that is empty stays empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.core.errors import UserError

_CYCLES = 2_000
_CLOSE = 1e-9


@dataclass(frozen=True)
class Axes:
    """Target of the margin over ``axes`` (ascending): an array with one dimension per axis that adds up to 1."""

    axes: tuple[int, ...]
    target: np.ndarray


def rake(table: np.ndarray, margins: Sequence[Axes]) -> tuple[np.ndarray, float]:
    """``table`` scaled to every margin, adding up to 1, and the largest difference from a target that is left.

    The difference is above 1e-9 where the empty cells of ``table`` let no table reach all margins.

    Raises:
        UserError: the table is empty or negative, or a target is not a distribution of the margin's shape.
    """
    fitted = np.asarray(table, dtype=float)
    if not fitted.sum() > 0 or fitted.min() < 0:
        raise UserError("a table without any support cannot be raked")
    for margin in margins:
        shape = tuple(fitted.shape[axis] for axis in margin.axes)
        if margin.target.shape != shape or margin.target.min() < 0 or abs(margin.target.sum() - 1) > 1e-6:
            raise UserError(f"the target of a margin is no distribution over {shape}")
    fitted = fitted / fitted.sum()
    left = 0.0
    for _ in range(_CYCLES):
        for margin in margins:
            reached = _margin(fitted, margin.axes)
            ratio = np.divide(margin.target, reached, out=np.zeros_like(reached), where=reached > 0)
            others = tuple(axis for axis in range(fitted.ndim) if axis not in margin.axes)
            fitted = fitted * np.expand_dims(ratio, others)
        left = max((float(np.abs(_margin(fitted, one.axes) - one.target).max()) for one in margins), default=0.0)
        if left < _CLOSE or not fitted.sum() > 0:
            break
    if not fitted.sum() > 0:
        raise UserError("no cell of the table is left by its margins together")
    return fitted / fitted.sum(), left


def allocate(proportions: np.ndarray, rows: int, counts: Sequence[np.ndarray | None]) -> np.ndarray:
    """Whole numbers near ``proportions`` times ``rows`` that add up to ``rows``; ``counts`` are the exact margins.

    Cells get their largest remainders; then single rows move along each axis between cells that ``proportions``
    support, until the axis has its count, those first whose figures suffer least. One axis's moves leave the others'
    margins alone, so all are exact wherever the support allows it.

    Args:
        proportions: adding up to 1.
        rows: in all.
        counts: per axis the whole number of each category, adding up to ``rows``; None: the axis is free.
    """
    exact = proportions / proportions.sum() * rows
    found = largest_remainder(exact.ravel(), rows).reshape(exact.shape)
    for axis, wanted in enumerate(counts):
        if wanted is not None:
            found = _moved(found, exact, axis, np.asarray(wanted))
    return found


def largest_remainder(exact: np.ndarray, rows: int) -> np.ndarray:
    """Whole numbers that add up to ``rows``, each ``exact`` rounded down or up, by the largest remainders."""
    whole = np.floor(exact + 1e-9).astype(int)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: rows - whole.sum()]] += 1
    return whole


def effective_size(weights: np.ndarray) -> float:
    """Kish's effective sample size: as many equally weighted rows say as much; 0 without any weight."""
    squares = float((weights**2).sum())
    return float(weights.sum() ** 2 / squares) if squares else 0.0


def _moved(found: np.ndarray, exact: np.ndarray, axis: int, wanted: np.ndarray) -> np.ndarray:
    lines = np.moveaxis(found, axis, 0).reshape(len(wanted), -1).copy()
    ideal = np.moveaxis(exact, axis, 0).reshape(len(wanted), -1)
    while (surplus := lines.sum(axis=1) - wanted).any():
        givers, takers = np.flatnonzero(surplus > 0), np.flatnonzero(surplus < 0)
        # What a row less there and a row more here add to the squared distance from the ideal.
        less = np.where(lines[givers] > 0, 1 - 2 * (lines[givers] - ideal[givers]), np.inf)
        more = np.where(ideal[takers] > 0, 1 + 2 * (lines[takers] - ideal[takers]), np.inf)
        price = less[:, None, :] + more[None, :, :]
        giver, taker, place = np.unravel_index(int(price.argmin()), price.shape)
        if not np.isfinite(price[giver, taker, place]):
            break
        lines[givers[giver], place] -= 1
        lines[takers[taker], place] += 1
    rest = tuple(size for position, size in enumerate(found.shape) if position != axis)
    return np.moveaxis(lines.reshape(len(wanted), *rest), 0, axis)


def _margin(table: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return table.sum(axis=tuple(axis for axis in range(table.ndim) if axis not in axes))
