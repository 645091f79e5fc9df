"""Makes drawn rows agree with the measured marginals: logits are shifted at fit time, rows raked at draw time."""

from collections.abc import Sequence

import numpy as np

from engine.generators.dp_cgan.sampler import Sampler

_ROUNDS = 4
_DAMPING = 0.7
_MOST_SHIFT = 1.0
_RAKING_ROUNDS = 25
_MOST_WEIGHT = 4.0


def shift_to_marginals(
    sampler: Sampler, shares: Sequence[np.ndarray], *, rows: int, random: np.random.Generator
) -> None:
    """Shift each column's logits until drawn rows have the given shares of levels, within the noise of ``rows`` draws.

    A shift is the same for all rows, so how columns depend on one another stays as learned.
    """
    for _ in range(_ROUNDS):
        levels = sampler.draw(rows, random).levels
        deltas = []
        for index, share in enumerate(shares):
            drawn = np.bincount(levels[:, index], minlength=len(share))
            # One row more on both sides: a level that is hardly ever drawn gives no reliable ratio.
            delta = np.log((share * rows + 1) / (drawn + 1))
            deltas.append(_DAMPING * np.clip(delta, -_MOST_SHIFT, _MOST_SHIFT))
        sampler.shift(deltas)


def rake(levels: np.ndarray, shares: Sequence[np.ndarray]) -> np.ndarray:
    """Weights (rows,) with mean 1 under which ``levels`` (rows, columns) has the given shares of levels.

    Iterative proportional fitting (Deming and Stephan 1940), weights kept in [1/4, 4].
    """
    weights = np.ones(len(levels))
    columns = [np.ascontiguousarray(levels[:, index]).astype(np.intp) for index in range(levels.shape[1])]
    for _ in range(_RAKING_ROUNDS):
        worst = 0.0
        for column, share in zip(columns, shares, strict=True):
            now = np.bincount(column, weights=weights, minlength=len(share)) / len(levels)
            ratio = np.where(now > 0, share / np.maximum(now, 1e-12), 1.0)
            worst = max(worst, float(np.abs(now - share).max()))
            weights *= ratio[column]
        weights = np.clip(weights, 1 / _MOST_WEIGHT, _MOST_WEIGHT)
        if worst < 1e-4:
            break
    return weights / weights.mean()


def systematic(weights: np.ndarray, rows: int, random: np.random.Generator) -> np.ndarray:
    """Indices (rows,) drawn by weight with as few repeats as the weights allow, in random order (Kitagawa 1996)."""
    running = np.cumsum(weights)
    points = (np.arange(rows) + random.random()) / rows * running[-1]
    return random.permutation(np.minimum(np.searchsorted(running, points, side="right"), len(weights) - 1))
