"""Gradients of one patient by automatic differentiation, and small networks to take them of."""

import numpy as np
import torch
from torch import Tensor

from engine.generators.dp_cgan.gradients import LEARNED
from engine.generators.dp_cgan.network import Network, Shape

SHAPE = Shape(levels=(4, 3, 6, 2, 5), ordered=(True, False, True, False, True), width=4)


def small_network(seed: int, *, shape: Shape = SHAPE, scale: float = 1.0) -> Network:
    """A network whose weights are all random, the output among them."""
    random = torch.Generator().manual_seed(seed)
    network = Network.initial(shape, marginals=[torch.ones(size) / size for size in shape.levels], random=random)
    drawn = {
        name: value + scale * torch.randn(value.shape, generator=random) for name, value in network.weights.items()
    }
    return Network(shape, drawn)


def random_levels(rows: int, seed: int, *, shape: Shape = SHAPE, unknown: float = 0.2) -> np.ndarray:
    """Levels int64 (rows, columns), a share of them unknown (-1)."""
    random = np.random.default_rng(seed)
    levels = np.column_stack([random.integers(0, size, rows) for size in shape.levels])
    return np.where(random.random(levels.shape) < unknown, -1, levels)


def patient_gradient(network: Network, row: Tensor) -> dict[str, Tensor]:
    """The gradient of one row's whole loss by learned weight."""
    learned = {name: network.weights[name].detach().clone().requires_grad_() for name in LEARNED}
    tracked = Network(network.shape, network.weights | learned)
    with torch.enable_grad():
        row = row[None]
        nothing = torch.zeros(row.shape, dtype=torch.bool)
        logits = tracked.logits(row, nothing, random=torch.Generator())
        loss = tracked.loss(logits, row.clamp_min(0), (row >= 0).float())
        found = torch.autograd.grad(loss, list(learned.values()), allow_unused=True)
    return {
        name: torch.zeros_like(learned[name]) if value is None else value
        for name, value in zip(learned, found, strict=True)
    }


def whole_norm(gradient: dict[str, Tensor]) -> float:
    """L2 norm over all weights together."""
    return float(sum((value.double() ** 2).sum() for value in gradient.values()) ** 0.5)
