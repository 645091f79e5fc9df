"""Pair tables for the critic: counted in the rows, or measured under differential privacy."""

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from engine.generators.dp_cgan.budget import PairBudget
from engine.generators.dp_cgan.critic import PairTable
from engine.generators.private_encoding import SUPPRESSED, PrivateEncoding
from engine.privacy.measurement import Histogram, Measurer

_COARSE_LEVELS = 2
"""Of the first look: with two levels a column's main contrast is told with the least noise."""
_MARGIN_ERROR = 0.01
"""Relative error with which two columns' own counts tell how many patients a table of both holds."""


def measure_pairs(private: PrivateEncoding, *, measurer: Measurer, budget: PairBudget) -> list[PairTable]:
    """Noisy tables of the pairs that are worth it; all pairs where the budget bears that."""
    sizes = private.encoding.sizes
    chosen = list(combinations(range(len(sizes)), 2))
    if budget.selection:
        chosen = _strongest(private, measurer=measurer, square=budget.selection, count=budget.count)
    if not chosen:
        return []
    noise = budget.noise
    measured = measurer.measure([_table(private.levels, pair, sizes, noise, "pair") for pair in chosen])
    counts = [code.counts for code in private.encoding.columns]
    return [
        PairTable(a, b, table, _total(table, noise, counts[a].sum(), counts[b].sum(), private.patients), noise)
        for (a, b), flat in zip(chosen, measured, strict=True)
        for table in [flat.reshape(sizes[a], sizes[b]).astype(np.float64)]
    ]


def count_pairs(levels: np.ndarray, sizes: Sequence[int], pairs: Sequence[tuple[int, int]]) -> list[PairTable]:
    """Exact tables of ``pairs`` in ``levels`` (rows, columns)."""
    tables = []
    for a, b in pairs:
        flat = np.bincount(levels[:, a].astype(np.int64) * sizes[b] + levels[:, b], minlength=sizes[a] * sizes[b])
        tables.append(PairTable(a, b, flat.reshape(sizes[a], sizes[b]).astype(np.float64), float(len(levels)), 0.0))
    return tables


def association(counts: np.ndarray, noise: float) -> float:
    """How much more than noise and chance the table of ``counts`` departs from independence (φ², as a share)."""
    total = max(float(counts.sum()), 1.0)
    share = counts / total
    expected = np.outer(share.sum(1).clip(1e-6), share.sum(0).clip(1e-6))
    variance = noise**2 / total**2 + expected / total
    return float((((share - expected) ** 2 - variance) / expected).sum())


def _strongest(private: PrivateEncoding, *, measurer: Measurer, square: float, count: int) -> list[tuple[int, int]]:
    """The ``count`` pairs with the strongest association in coarse tables of all pairs, each measured with noise.

    A choice by noisy tables is post-processing: no other selection mechanism is needed.
    """
    codes = private.encoding.columns
    maps = [coarse(code.counts, ordered=code.bins is not None) for code in codes]
    levels = np.column_stack([np.append(part, SUPPRESSED)[private.levels[:, index]] for index, part in enumerate(maps)])
    every = list(combinations(range(len(codes)), 2))
    noise = float((len(every) / square) ** 0.5)
    sizes = [_COARSE_LEVELS] * len(codes)
    measured = measurer.measure([_table(levels, pair, sizes, noise, "look") for pair in every])
    strength = [association(flat.reshape(_COARSE_LEVELS, -1).astype(float), noise) for flat in measured]
    return sorted(every[index] for index in np.argsort(strength)[::-1][:count])


def coarse(counts: np.ndarray, *, ordered: bool) -> np.ndarray:
    """Each level's half, 0 or 1: lower and upper half of ordered columns, else the most frequent against the rest."""
    if ordered:
        present = counts[:-1]
        if present.sum() <= counts[-1]:
            return np.append(np.zeros(len(present), np.int64), 1)  # mostly missing: whether it was recorded
        middle = np.cumsum(present) - present / 2 >= present.sum() / 2
        if len(present) > 1 and (middle.all() or not middle.any()):
            middle = np.arange(len(present)) > int(present.argmax())
        # A missing value goes with the larger half, where it disturbs least.
        return np.append(middle, present[middle].sum() * 2 > present.sum()).astype(np.int64)
    return (np.arange(len(counts)) != int(counts.argmax())).astype(np.int64)


def _table(levels: np.ndarray, pair: tuple[int, int], sizes: Sequence[int], noise: float, purpose: str) -> Histogram:
    a, b = pair

    def cells() -> np.ndarray:
        first, second = levels[:, a].astype(np.int64), levels[:, b].astype(np.int64)
        return np.where((first < 0) | (second < 0), SUPPRESSED, first * sizes[b] + second)

    return Histogram((purpose, str(a), str(b)), cells, sizes[a] * sizes[b], noise)


def _total(table: np.ndarray, noise: float, first: float, second: float, patients: float) -> float:
    """Patients in a table: its own noisy sum, and what the columns' known patients lead one to expect, by precision."""
    expected = min(first, patients) * min(second, patients) / patients
    own, other = 1 / (noise**2 * table.size), 1 / (_MARGIN_ERROR * patients) ** 2
    return max(float((own * table.sum() + other * expected) / (own + other)), 1.0)
