"""Rows to order: every row inside the limits, the other columns as they go with what was asked.

Where enough free rows satisfy the limits they are simply kept. Otherwise the limited columns are drawn first, from
their joint distribution inside the limits, and the rest of each row is drawn with them as the network's condition, so
that columns before and after a limited one follow it alike.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from engine.generators.dp_cgan.calibration import systematic
from engine.generators.dp_cgan.sampler import Sampler

_FREE_ROWS = 20_000
"""Drawing this many rows and throwing most away costs about 0.2 s."""
_ENOUGH = 150
"""Effective number of pool rows inside the limits from which their joint distribution is taken."""
_SMALLEST_SEARCH = 4_000
_LARGEST_SEARCH = 20_000


@dataclass(frozen=True)
class Pool:
    """Rows that were drawn freely at fit time.

    Attributes:
        levels: (rows, columns), in the network's order.
        weights: float64 (rows,), mean 1, that make them agree with the measured marginals.
    """

    levels: np.ndarray
    weights: np.ndarray


def draw_within(
    sampler: Sampler,
    pool: Pool,
    rows: int,
    limits: Mapping[int, np.ndarray],
    random: np.random.Generator,
) -> np.ndarray:
    """Levels (rows, columns), all inside ``limits`` (share of each level that is allowed, by network position)."""
    allowed = chance(pool.levels, limits)
    accepted = float(np.average(allowed, weights=pool.weights))
    if accepted * max(_FREE_ROWS, 3 * rows) >= rows and np.count_nonzero(allowed) >= _ENOUGH:
        return _rejected(sampler, rows, limits, accepted, random)
    fixed = {index: int(np.flatnonzero(share)[0]) for index, share in limits.items() if np.count_nonzero(share) == 1}
    given = {index: np.full(rows, level) for index, level in fixed.items()}
    open_limits = {index: share for index, share in limits.items() if index not in fixed}
    if open_limits:
        weight = allowed * pool.weights
        effective = weight.sum() ** 2 / max(float((weight**2).sum()), 1e-300)
        if effective >= _ENOUGH:
            chosen = systematic(weight, rows, random)
            given |= {index: pool.levels[chosen, index] for index in open_limits}
        else:
            given |= _searched(sampler, rows, fixed, open_limits, random)
    return sampler.draw(rows, random, given=given).levels


def chance(levels: np.ndarray, limits: Mapping[int, np.ndarray]) -> np.ndarray:
    """Probability (rows,) with which each row's values lie inside ``limits``, given its levels."""
    inside = np.ones(len(levels))
    for index, share in limits.items():
        inside *= share[levels[:, index]]
    return inside


def _rejected(
    sampler: Sampler, rows: int, limits: Mapping[int, np.ndarray], accepted: float, random: np.random.Generator
) -> np.ndarray:
    kept: list[np.ndarray] = []
    missing = rows
    while missing > 0:
        levels = sampler.draw(int(missing / accepted * 1.15) + 50, random).levels
        good = levels[random.random(len(levels)) < chance(levels, limits)][:missing]
        kept.append(good)
        missing -= len(good)
    return np.concatenate(kept)


def _searched(
    sampler: Sampler,
    rows: int,
    fixed: Mapping[int, int],
    open_limits: Mapping[int, np.ndarray],
    random: np.random.Generator,
) -> dict[int, np.ndarray]:
    """Levels of the limited columns by importance: rows drawn with the limits in place, weighted by what those cost."""
    size = int(np.clip(2 * rows, _SMALLEST_SEARCH, _LARGEST_SEARCH))
    given = {index: np.full(size, level) for index, level in fixed.items()}
    found = sampler.draw(size, random, given=given, limits=open_limits)
    chosen = systematic(np.exp(found.log_weight - found.log_weight.max()), rows, random)
    return {index: found.levels[chosen, index] for index in open_limits}
