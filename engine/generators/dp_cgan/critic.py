"""The critic: an energy over pairs of columns that tells measured patients from generated ones.

E(x) = Σ b_i(x_i) + Σ W_ij(x_i, x_j) over the pairs that were measured. It is trained as a critic is, to score measured
pairs above generated ones, max over (b, W) of E[measured] - log Σ exp E, where the generated side are persistent chains
(Tieleman 2008) that follow the critic by Gibbs sweeps: at its optimum the chains have the measured pairs' distribution
and beyond it the largest entropy. Its gradient needs the measured tables and the chains, never a patient's row, so on
noisy tables everything here is post-processing.

Each table's weights are shrunk by as much as its noise deserves: with noise variance v of a cell relative to what
independence expects, and an interaction variance τ² that the table itself suggests (an empirical Bayes estimate, kept
wide because real interactions have heavy tails), the gradient is measured - generated - (v/τ²)·expected·(pull of W).
The pull goes to zero and, on ordered scales, to the weights of neighbouring levels (an intrinsic random walk, Rue and
Held 2005). What noise alone explains stays small and even, what stands above it is kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from engine.core.progress import Progress

STEPS = 200
CHAINS = 6_000
_LEAST_CHAINS = 1_500
_WORK = 2.5e8
"""Chains times levels times levels of neighbours in one sweep, about: wide tables use fewer chains."""
_RATE = 0.3
_LAST_RATE = 0.01
_AVERAGED = 0.3
"""Share of the steps, at the end, over which the weights are averaged (Polyak and Juditsky 1992)."""
_SOFT = 2e-3
"""Added to expected shares in the step size, so that rare cells do not jump."""
_OWN = 0.3
"""How much a weight is drawn to zero, against how much to its neighbours on an ordered scale."""
_STIFFNESS = _OWN + 4.0
_WIDE_PRIOR = 50.0
"""The prior's τ² over the estimated one: a few strong cells among many weak ones need it."""
_LEAST_VARIANCE = 1e-3
_CHANCE = 2.0
_FORBIDDEN = -60.0


@dataclass(frozen=True)
class PairTable:
    """What is known of a pair of columns.

    Attributes:
        first: index of the one column.
        second: index of the other.
        counts: float64 (levels of first, levels of second), patients, perhaps noisy and then perhaps negative.
        total: patients in the table, as well as it is known.
        noise: standard deviation of the noise in ``counts``; 0 for exact tables.
    """

    first: int
    second: int
    counts: np.ndarray
    total: float
    noise: float


class Critic:
    """Biases (T,) and weights (T, T) over the levels of all columns, and the sweeps that follow them.

    Rows are one-hot float32 (rows, T). Levels without a patient are never drawn.
    """

    def __init__(self, sizes: Sequence[int], bias: Tensor, weights: Tensor, pairs: Sequence[tuple[int, int]]) -> None:
        self.sizes = list(sizes)
        self.bias = bias
        self.weights = weights
        self.pairs = [(int(a), int(b)) for a, b in pairs]
        offsets = np.concatenate([[0], np.cumsum(self.sizes)])
        self.blocks = [slice(int(a), int(b)) for a, b in pairwise(offsets)]
        self._offsets = torch.from_numpy(offsets[:-1].astype(np.int64))
        beside: list[set[int]] = [set() for _ in self.sizes]
        for a, b in self.pairs:
            beside[a].add(b)
            beside[b].add(a)
        # Reading all levels is faster than picking most of them.
        self._near = [None if 2 * len(near) >= len(self.sizes) else self._places(near) for near in beside]

    def _places(self, columns: set[int]) -> Tensor:
        """Indices of the levels of ``columns``."""
        places = torch.arange(self._total)
        parts = [places[self.blocks[column]] for column in sorted(columns)]
        return torch.cat(parts) if parts else places[:0]

    @property
    def _total(self) -> int:
        return sum(self.sizes)

    def forbid(self, first: int, second: int, allowed: np.ndarray) -> None:
        """Rule out pairs of levels of two columns: ``allowed`` is bool (levels of first, levels of second)."""
        here, there = self.blocks[first], self.blocks[second]
        ruled_out = torch.from_numpy(np.where(allowed, 0.0, _FORBIDDEN)).float()
        self.weights[here, there] += ruled_out
        self.weights[there, here] += ruled_out.T

    def packed(self) -> Tensor:
        """The weights of all pairs in a row, float32; read back by :meth:`unpacked`."""
        parts = [self.weights[self.blocks[a], self.blocks[b]].flatten() for a, b in self.pairs]
        return torch.cat(parts) if parts else torch.zeros(0)

    @classmethod
    def unpacked(cls, sizes: Sequence[int], bias: Tensor, packed: Tensor, pairs: Sequence[tuple[int, int]]) -> "Critic":
        """The critic whose weights :meth:`packed` gave."""
        critic = cls(sizes, bias, torch.zeros(sum(sizes), sum(sizes)), pairs)
        lengths = [critic.sizes[a] * critic.sizes[b] for a, b in critic.pairs]
        for (a, b), part in zip(critic.pairs, packed.split(lengths), strict=True):
            block = part.reshape(critic.sizes[a], critic.sizes[b])
            critic.weights[critic.blocks[a], critic.blocks[b]] = block
            critic.weights[critic.blocks[b], critic.blocks[a]] = block.T
        return critic

    def one_hot(self, levels: np.ndarray) -> Tensor:
        """Rows (rows, T) of ``levels`` (rows, columns)."""
        rows = torch.zeros(len(levels), self._total)
        return rows.scatter_(1, torch.from_numpy(levels.astype(np.int64)) + self._offsets, 1.0)

    def levels(self, rows: Tensor) -> np.ndarray:
        """Levels int32 (rows, columns) of one-hot ``rows``."""
        return torch.stack([rows[:, block].argmax(1) for block in self.blocks], 1).numpy().astype(np.int32)

    def logits(self, rows: Tensor, column: int) -> Tensor:
        """Scores (rows, levels) of ``column`` given the rest of each row."""
        block, near = self.blocks[column], self._near[column]
        if near is None:
            return torch.addmm(self.bias[block], rows, self.weights[:, block])
        if not len(near):
            return self.bias[block].expand(len(rows), -1)
        return torch.addmm(self.bias[block], rows.index_select(1, near), self.weights[near, block])

    def sweep(
        self,
        rows: Tensor,
        random: torch.Generator,
        *,
        frozen: Sequence[int] = (),
        limits: Mapping[int, Tensor] | None = None,
    ) -> None:
        """Redraw every column of ``rows`` in place, given the others (one Gibbs sweep).

        Args:
            rows: one-hot (rows, T).
            random: where the draws come from.
            frozen: columns that stay as they are.
            limits: for restricted columns, the log of how much of each level is allowed (levels,).
        """
        left = set(frozen)
        count = torch.arange(len(rows))
        for column, block in enumerate(self.blocks):
            if column in left or self.sizes[column] == 1:
                continue
            scores = self.logits(rows, column)
            if limits and column in limits:
                scores = scores + limits[column]
            # Gumbel-max: the largest of score plus Gumbel noise is a draw from the softmax.
            noise = torch.empty(scores.shape).exponential_(generator=random)
            level = (scores - noise.log()).argmax(1)
            rows[:, block] = 0.0
            rows[count, level + self._offsets[column]] = 1.0

    def start(self, rows: int, shares: Sequence[np.ndarray], random: torch.Generator) -> Tensor:
        """Rows whose columns are independent, with the given shares of levels."""
        drawn = [
            torch.multinomial(torch.from_numpy(np.asarray(share, np.float64)), rows, True, generator=random)
            for share in shares
        ]
        return self.one_hot(torch.stack(drawn, 1).numpy())


def fit_critic(
    shares: Sequence[np.ndarray],
    tables: Sequence[PairTable],
    *,
    ordered: Sequence[bool],
    patients: float,
    seed: int,
    progress: Progress,
    steps: int = STEPS,
    chains: int = CHAINS,
) -> tuple[Critic, Tensor]:
    """The critic of the measured ``tables``, and its last chains as one-hot rows.

    Args:
        shares: per column, the share of each level (levels,), sum 1; kept exactly up to the chains' noise.
        tables: the pairs that were measured; tables of the same pair are not merged.
        ordered: whether each column's levels (the last, missing, aside) are bins of an ordered scale.
        patients: number of patients (noisy), for the sampling noise of exact tables.
        seed: of the chains.
        progress: told of the steps.
        steps: gradient steps, one sweep of the chains each.
        chains: most chains.
    """
    sizes = [len(share) for share in shares]
    own = torch.from_numpy(np.concatenate(shares)).float()
    total = sum(sizes)
    bias = torch.where(own > 0, own.clamp_min(1e-9).log(), torch.tensor(_FORBIDDEN))
    critic = Critic(sizes, bias, torch.zeros(total, total), [(table.first, table.second) for table in tables])
    target, pull, used = _targets(critic, shares, tables, patients)
    work = sum(sizes[table.first] * sizes[table.second] for table in tables) * 2 + total
    chains = int(min(chains, max(_LEAST_CHAINS, _WORK / work)))
    random = torch.Generator().manual_seed(seed)
    rows = critic.start(chains, shares, random)
    size = 1 / (own[:, None] * own[None, :] + _SOFT)
    step_size = size / (1 + _STIFFNESS * pull * size) * used
    rough = _roughness(critic, ordered)
    bias_size = torch.where(own > 0, 1 / (own + _SOFT), 0.0)
    mean_bias, mean_weights, averaged = torch.zeros(total), torch.zeros(total, total), 0
    for step in range(steps):
        critic.sweep(rows, random)
        generated = rows.T @ rows / chains
        rate = _RATE * (1 - step / steps) + _LAST_RATE
        uneven = _OWN * critic.weights + rough @ critic.weights + critic.weights @ rough
        gradient = target - generated - pull * uneven
        critic.weights += 0.5 * rate * (gradient * step_size).clamp_(-1, 1)
        critic.bias += rate * ((own - generated.diagonal()) * bias_size).clamp_(-1, 1)
        if step >= (1 - _AVERAGED) * steps:
            mean_bias += critic.bias
            mean_weights += critic.weights
            averaged += 1
        if step % 5 == 0:
            progress.update((step + 1) / steps, f"Critic, step {step + 1} of {steps}")
    critic.bias, critic.weights = mean_bias / averaged, mean_weights / averaged
    for _ in range(5):
        critic.sweep(rows, random)
    return critic, rows


def _roughness(critic: Critic, ordered: Sequence[bool]) -> Tensor:
    """Second differences between neighbouring levels of ordered columns (T, T): zero for weights that are even."""
    matrix = torch.zeros(sum(critic.sizes), sum(critic.sizes))
    for block, is_ordered in zip(critic.blocks, ordered, strict=True):
        for level in range(block.start, block.stop - 2) if is_ordered else ():
            pair = slice(level, level + 2)
            matrix[pair, pair] += torch.tensor([[1.0, -1.0], [-1.0, 1.0]])
    return matrix


def _targets(
    critic: Critic, shares: Sequence[np.ndarray], tables: Sequence[PairTable], patients: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Measured shares, shrinkage and a 0/1 mask of measured cells, each float32 (T, T) and symmetric."""
    total = sum(critic.sizes)
    target, pull, used = (torch.zeros(total, total) for _ in range(3))
    for table in tables:
        expected = np.outer(shares[table.first], shares[table.second])
        possible = expected > 0
        share = table.counts / max(table.total, 1.0)
        shrinkage = _shrinkage(share, expected, table.noise, patients)
        here, there = critic.blocks[table.first], critic.blocks[table.second]
        for matrix, value in ((target, share), (pull, shrinkage), (used, np.ones_like(share))):
            part = torch.from_numpy(np.where(possible, value, 0.0)).float()
            matrix[here, there] = part
            matrix[there, here] = part.T
    return target, pull, used


def _shrinkage(share: np.ndarray, expected: np.ndarray, noise: float, patients: float) -> np.ndarray:
    """The factor of the weights in the gradient, (v/τ²)·expected of each cell."""
    floor = np.maximum(expected, 1e-12)
    variance = noise**2 / (patients * floor) ** 2 + 1 / (patients * floor)
    weight = np.where(expected > 0, 1 / variance**2, 0.0)
    found = float((weight * ((share / floor - 1) ** 2 - variance)).sum() / max(weight.sum(), 1e-300))
    # Of many tables without any structure some seem to have some: what chance explains is taken off.
    found -= _CHANCE * (2 / max(float(weight.sum()), 1e-300)) ** 0.5
    return variance * floor / (_WIDE_PRIOR * max(found, _LEAST_VARIANCE))
