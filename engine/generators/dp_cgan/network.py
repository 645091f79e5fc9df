"""The masked autoregressive conditional network: each column's levels given the columns before it and a condition.

Every column owns ``width`` hidden units that see earlier columns only (Germain et al. 2015, MADE), a residual layer
over its own and earlier units, and a block of logits. A second input, without masks, carries the condition: the levels
of any columns, or nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

PARAMETERS = ("embed", "condition", "bias_1", "residual", "bias_2", "output", "bias_3")


@dataclass(frozen=True)
class Shape:
    """Sizes of a network.

    Attributes:
        levels: levels of each column, in the network's order.
        width: hidden units per column.
    """

    levels: tuple[int, ...]
    width: int

    @property
    def columns(self) -> int:
        """How many columns."""
        return len(self.levels)

    @property
    def hidden(self) -> int:
        """Hidden units of a layer."""
        return self.columns * self.width

    @property
    def total(self) -> int:
        """Levels of all columns."""
        return sum(self.levels)

    @property
    def offsets(self) -> list[int]:
        """Where each column's block starts."""
        out = [0]
        for size in self.levels[:-1]:
            out.append(out[-1] + size)
        return out


class Network:
    """Weights and the training-time pass; sampling has its own (:mod:`engine.generators.dp_cgan.sampler`).

    Weights (T levels of all columns, H hidden units): ``embed`` and ``condition`` (T, H), ``residual`` (H, H),
    ``output`` (H, T), biases.
    """

    def __init__(self, shape: Shape, weights: dict[str, Tensor]) -> None:
        self.shape = shape
        self.weights = weights
        unit = torch.arange(shape.columns).repeat_interleave(shape.width)
        block = torch.arange(shape.columns).repeat_interleave(torch.tensor(shape.levels))
        self._embed_mask = (block[:, None] < unit[None, :]).float()
        self._residual_mask = (unit[:, None] <= unit[None, :]).float()
        self._output_mask = (unit[:, None] <= block[None, :]).float()
        self._block = block
        self._offsets = torch.tensor(shape.offsets)

    @classmethod
    def initial(cls, shape: Shape, *, marginals: Sequence[Tensor], random: torch.Generator) -> "Network":
        """A network that starts at the marginals: ``marginals[i]`` are the probabilities of column ``i``."""
        total, hidden = shape.total, shape.hidden
        scale = 1 / math.sqrt(max(1, shape.columns) / 2)

        def normal(*size: int, spread: float) -> Tensor:
            return torch.randn(*size, generator=random) * spread

        weights = {
            "embed": normal(total, hidden, spread=scale * 0.7),
            "condition": normal(total, hidden, spread=scale * 0.5),
            "bias_1": torch.zeros(hidden),
            "residual": normal(hidden, hidden, spread=1 / math.sqrt(hidden)),
            "bias_2": torch.zeros(hidden),
            "output": normal(hidden, total, spread=0.5 / math.sqrt(hidden)),
            "bias_3": torch.cat([part.clamp_min(1e-9).log() for part in marginals]),
        }
        return cls(shape, weights)

    def logits(self, levels: Tensor, given: Tensor, *, dropout: float = 0.0, random: torch.Generator) -> Tensor:
        """Logits (batch, T) for ``levels`` int64 (batch, columns) under the condition.

        Args:
            levels: the rows; a column's logits depend on its predecessors only.
            given: bool (batch, columns), which columns of the row itself the condition input names.
            dropout: share of hidden units that are switched off.
            random: where the switches are drawn from.
        """
        w = self.weights
        flat = levels + self._offsets
        rows = torch.arange(len(levels))[:, None]
        one_hot = torch.zeros(len(levels), self.shape.total)
        one_hot[rows, flat] = 1.0
        named = one_hot * given.float()[:, self._block]
        first = torch.addmm(w["bias_1"], one_hot, w["embed"] * self._embed_mask) + named @ w["condition"]
        first = _drop(functional.relu(first), dropout, random)
        second = torch.addmm(w["bias_2"], first, w["residual"] * self._residual_mask)
        second = first + _drop(functional.relu(second), dropout, random)
        return torch.addmm(w["bias_3"], second, w["output"] * self._output_mask)

    def loss(self, logits: Tensor, levels: Tensor, counted: Tensor) -> Tensor:
        """Mean over the rows of −log probability (nats) summed over the columns where ``counted`` (batch, columns)."""
        total = logits.new_zeros(())
        for index, (start, size) in enumerate(zip(self.shape.offsets, self.shape.levels, strict=True)):
            nats = functional.cross_entropy(logits[:, start : start + size], levels[:, index], reduction="none")
            total = total + (nats * counted[:, index]).sum()
        return total / len(levels)


def _drop(units: Tensor, share: float, random: torch.Generator) -> Tensor:
    if share <= 0:
        return units
    return units * (torch.rand(units.shape, generator=random) >= share) / (1 - share)
