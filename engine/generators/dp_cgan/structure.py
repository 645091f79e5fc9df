"""Columns that are a coarser version of another: an ICD-9 chapter of its code, an age band of an age.

Where every level of a column with many levels goes with one level of another column only, and that is no coincidence,
the coarse column is placed first and the fine one is drawn among the levels seen with it. So a synthetic code never
stands beside a chapter that it does not belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_FEWEST_FINE_LEVELS = 8
_LOG_COINCIDENCE = -30.0
"""Log probability, were the columns independent, of the agreement that counts as structure."""


@dataclass(frozen=True)
class Nesting:
    """Column ``coarse`` is a function of column ``fine``.

    Attributes:
        coarse: index of the coarse column.
        fine: index of the fine column.
        allowed: bool (coarse levels, fine levels), which pairs may occur.
    """

    coarse: int
    fine: int
    allowed: np.ndarray

    def placed(self, order: Sequence[int]) -> "Nesting":
        """The same for columns that were put into ``order``."""
        position = {column: place for place, column in enumerate(order)}
        return Nesting(position[self.coarse], position[self.fine], self.allowed)


def find_nestings(levels: np.ndarray, sizes: Sequence[int]) -> list[Nesting]:
    """Every pair of columns of ``levels`` (rows, columns) of which one is a function of the other."""
    found = []
    for fine, fine_size in enumerate(sizes):
        counts = np.bincount(levels[:, fine], minlength=fine_size)
        if np.count_nonzero(counts) < _FEWEST_FINE_LEVELS:
            continue
        repeated = len(levels) - np.count_nonzero(counts)
        for coarse, coarse_size in enumerate(sizes):
            if coarse == fine or coarse_size >= fine_size:
                continue
            share = np.bincount(levels[:, coarse], minlength=coarse_size) / len(levels)
            if repeated * np.log(np.sum(share**2)) > _LOG_COINCIDENCE:
                continue
            pairs = np.bincount(levels[:, coarse] * fine_size + levels[:, fine], minlength=coarse_size * fine_size)
            table = pairs.reshape(coarse_size, fine_size) > 0
            if table.sum(0).max() == 1:
                # Levels that were never seen may go with anything.
                table[:, counts == 0] = True
                found.append(Nesting(coarse, fine, table))
    return found


def column_order(sizes: Sequence[int], nestings: Sequence[Nesting]) -> list[int]:
    """The table's own order, but coarse columns before the finer ones that they belong to."""
    waits: dict[int, set[int]] = {}
    for nesting in nestings:
        waits.setdefault(nesting.fine, set()).add(nesting.coarse)
    order: list[int] = []
    left = list(range(len(sizes)))
    while left:
        # A coarse column has fewer levels than its fine one, so there is no circle and some column is always free.
        ready = next(column for column in left if not waits.get(column, set()) & set(left))
        order.append(ready)
        left.remove(ready)
    return order
