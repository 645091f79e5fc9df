"""Which patients are rare: far from their nearest neighbours among real patients."""

import numpy as np

from engine.evaluation.attacks.records import Records, blocks, some

SHARE = 0.01
LEAST = 20
"""Rare patients of each side; fewer say nothing."""
_LARGEST_SHARE = 0.05
_NEIGHBOUR = 5
_PAIRS = 20_000_000


def isolation(records: Records, rng: np.random.Generator) -> np.ndarray:
    """(n_rows,) distance to the fifth nearest of at most 1,000 rows that are drawn from the same ones.

    The k-nearest-neighbour outlier score of Ramaswamy, Rastogi and Shim 2000. A row is not its own neighbour.
    """
    drawn = some(len(records), int(np.clip(_PAIRS // max(1, len(records)), 200, 1000)), rng)
    neighbour = min(_NEIGHBOUR, len(drawn) - 1) - 1
    out = np.empty(len(records))
    column = np.full(len(records), -1)
    column[drawn] = np.arange(len(drawn))
    for rows, apart in blocks(records, records.take(drawn)):
        own = column[rows]
        apart[np.flatnonzero(own >= 0), own[own >= 0]] = np.inf
        out[rows] = np.partition(apart, neighbour, axis=1)[:, neighbour]
    return out


def rarest(isolated: np.ndarray, is_member: np.ndarray) -> np.ndarray | None:
    """Positions of the rarest 1 %, or of as many as give ``LEAST`` on each side; None where that is over 5 %."""
    order = np.argsort(-isolated, kind="stable")
    members = np.cumsum(is_member[order])
    both = np.minimum(members, np.arange(1, len(order) + 1) - members)
    needed = int(np.searchsorted(both, LEAST)) + 1
    if needed > _LARGEST_SHARE * len(order):
        return None
    return order[: max(needed, round(SHARE * len(order)))]
