"""How well one column, or two together, tell two tables apart: the best classifier over a few cells, cross-fitted.

Over cells the best classifier is known (Neyman and Pearson): it orders them by the ratio of the tables' shares. The
ratio is learned from other folds, so chance alone reaches 0.5. Cheap enough for every pair of columns; a pair of
columns whose correlation alone differs is what boosted trees, which choose one column at a time, find last.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.evaluation.prediction_scores import Truth

LEVELS = 8
"""Intervals of a number (equal counts), or categories that stand for themselves; then the others, and missing."""
_WIDTH = LEVELS + 2


def levels(values: np.ndarray, *, is_category: bool, most: int) -> np.ndarray:
    """(n_rows,) integers: intervals or frequent categories from 0, other categories ``most``, missing ``most + 1``."""
    present = ~np.isnan(values)
    codes = np.full(len(values), most + 1)
    if not present.any():
        return codes
    if is_category:
        kinds, place, counts = np.unique(values[present], return_inverse=True, return_counts=True)
        rank = np.empty(len(kinds), dtype=int)
        rank[np.argsort(-counts, kind="stable")] = np.arange(len(kinds))
        codes[present] = np.minimum(rank[place], most)
    else:
        edges = np.unique(np.quantile(values[present], np.arange(1, most) / most))
        codes[present] = np.searchsorted(edges, values[present], side="left")
    return codes


@dataclass(frozen=True)
class Coded:
    """Rows as cells.

    Attributes:
        codes: (n_columns, n_rows) from 0 to ``LEVELS`` + 1.
        folds: (n_rows,) from 0.
        truth: 1 for the rows of one table, 0 for the other's; both weigh the same together, a row 1 in the mean.
    """

    codes: np.ndarray
    folds: np.ndarray
    truth: Truth

    @classmethod
    def of(cls, matrix: np.ndarray, categorical: Sequence[int], truth: Truth, folds: np.ndarray) -> "Coded":
        """The cells of ``matrix`` (n_rows, n_columns), NaN where missing; both tables are coded alike."""
        columns = enumerate(matrix.T)
        codes = [levels(values, is_category=place in categorical, most=LEVELS) for place, values in columns]
        return cls(np.array(codes), folds, truth)

    def mass(self, columns: Sequence[int]) -> np.ndarray:
        """(n_folds, 2, n_cells) weight in each cell of one or two columns."""
        size, groups = _WIDTH ** len(columns), 2 * self.folds + self.truth.value.astype(int)
        count = 2 * (int(self.folds.max()) + 1) * size
        weights = np.bincount(
            groups * size + cells(self.codes[list(columns)]), weights=self.truth.weights, minlength=count
        )
        return weights.reshape(-1, 2, size)


def cells(codes: np.ndarray) -> np.ndarray:
    """(n_rows,) the joint cell of the codes (1 or 2, n_rows)."""
    return codes[0] if len(codes) == 1 else codes[0] * _WIDTH + codes[1]


@dataclass(frozen=True)
class Areas:
    """Areas under the ROC curve.

    Attributes:
        whole: (...) mean over folds of the area on a fold's rows, learned from the others.
        without: (n_folds, ...) the same without any row of one fold: what may be chosen by before it is tested on it.
    """

    whole: np.ndarray
    without: np.ndarray


def alone(coded: Coded) -> Areas:
    """The areas that each column reaches by itself: ``whole`` is (n_columns,)."""
    found = [_areas(coded.mass([column])) for column in range(len(coded.codes))]
    return Areas(np.array([whole for whole, _ in found]), np.array([without for _, without in found]).T)


def pairs(coded: Coded, columns: Sequence[int]) -> Areas:
    """The areas that two of ``columns`` reach together: ``whole`` is (n_columns, n_columns), 0 elsewhere."""
    size = len(coded.codes)
    whole, without = np.zeros((size, size)), np.zeros((int(coded.folds.max()) + 1, size, size))
    for place, first in enumerate(columns):
        for second in columns[place + 1 :]:
            whole[first, second], without[:, first, second] = _areas(coded.mass([first, second]))
    return Areas(whole, without)


def log_ratios(mass: np.ndarray, fold: int) -> np.ndarray:
    """(n_folds, n_cells) the log ratio of shares for rows of each fold, learned without that fold and ``fold``."""
    learned = mass.sum(axis=0) - mass[fold] - mass
    learned[fold] += mass[fold]
    return np.log(_ratio(learned))


def _areas(mass: np.ndarray) -> tuple[float, np.ndarray]:
    total, folds = mass.sum(axis=0), len(mass)
    whole = _area(total - mass, mass)
    # Of each fold left out, the others tested in turn.
    learned = np.maximum(total - mass[:, None] - mass[None], 0.0)
    twice = _area(learned, np.broadcast_to(mass, (folds, *mass.shape)))
    np.fill_diagonal(twice, 0.0)
    return float(whole.mean()), twice.sum(axis=1) / (folds - 1)


def _ratio(learned: np.ndarray) -> np.ndarray:
    # One row more in each cell: a cell that only one table has is not certainty.
    return (learned[..., 1, :] + 1) / (learned[..., 0, :] + 1)


def _area(learned: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """(...) the area on ``tested`` (..., 2, n_cells) where cells are ordered by the ratio in ``learned``."""
    order = np.argsort(_ratio(learned), axis=-1, kind="stable")
    shares = np.take_along_axis(tested / tested.sum(axis=-1, keepdims=True), order[..., None, :], axis=-1)
    below = np.cumsum(shares[..., 0, :], axis=-1) - shares[..., 0, :] / 2
    return (shares[..., 1, :] * below).sum(axis=-1)
