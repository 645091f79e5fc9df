"""Makes drawn rows agree with what is known: logits are shifted at fit time, rows raked and balanced at draw time."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from engine.generators.dp_cgan.sampler import Sampler

_ROUNDS = 4
_DAMPING = 0.7
_MOST_SHIFT = 1.0
_RAKING_ROUNDS = 25
_MOST_WEIGHT = 4.0
BALANCED_FROM = 4
"""Balanced rows are chosen from so many times as many; a power of two."""
_BALANCED_AT_ONCE = 128
_RAREST = 1e-3


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


def balanced(
    levels: np.ndarray, sizes: Sequence[int], shares: Sequence[np.ndarray], *, rows: int, random: np.random.Generator
) -> np.ndarray:
    """``rows`` of ``levels`` (several times as many) that have the shares of columns and pairs of all of them.

    A cohort of some thousand rows that is drawn row by row differs from its model by chance, in every pair of columns.
    Balanced sampling (Deville and Tillé 2004) takes that away as far as it can: the rows are raked, then halved twice;
    of two rows that one is kept which brings the kept rows' pair counts nearer to those of the rows left out
    (a batch-wise form of the walk of Alweiss, Liu and Sawhney 2021). Rare levels count as much as frequent ones.
    """
    chosen = systematic(rake(levels, shares), BALANCED_FROM * rows, random)
    scale = np.concatenate([np.maximum(share, _RAREST) for share in shares]) ** -0.5
    offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    flat = torch.from_numpy(levels.astype(np.int64) + offsets)
    weights = torch.from_numpy(scale).float()
    while len(chosen) >= 2 * rows:
        chosen = _halved(flat, weights, chosen)
    return levels[chosen]


def _halved(flat: Tensor, weights: Tensor, chosen: np.ndarray) -> np.ndarray:
    half = len(chosen) // 2
    first, second = chosen[:half], chosen[half : 2 * half]
    kept = np.empty(half, dtype=np.int64)
    surplus = torch.zeros(len(weights), len(weights))
    # Rows of one batch do not see each other, so few rows go in smaller ones.
    size = min(_BALANCED_AT_ONCE, max(8, half // 64))
    for start in range(0, half, size):
        batch = slice(start, start + size)
        one, other = _scaled_rows(flat[first[batch]], weights), _scaled_rows(flat[second[batch]], weights)
        excess = ((one @ surplus) * one).sum(1) - ((other @ surplus) * other).sum(1)
        sign = torch.where(excess > 0, -1.0, 1.0)[:, None]
        surplus += (one * sign).T @ one - (other * sign).T @ other
        kept[batch] = np.where(sign.squeeze(1).numpy() > 0, first[batch], second[batch])
    return kept


def _scaled_rows(flat: Tensor, weights: Tensor) -> Tensor:
    return torch.zeros(len(flat), len(weights)).scatter_(1, flat, 1.0) * weights
