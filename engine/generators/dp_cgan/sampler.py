"""Draws rows from the network, column after column, in blocks that stay in the processor's cache.

A column's units read a table of their own (earlier levels × width, a few tens of kilobytes) instead of the whole input
matrix, and only units of earlier columns: a row costs about one pass of the network. Arrays are (units, rows), so that
narrow products and the running sums over levels go through rows side by side.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.generators.dp_cgan.network import Shape
from engine.generators.dp_cgan.structure import Nesting

BLOCK = 768
_BLOCKED = -60.0
"""Added to logits that structure forbids; finite, so that a condition that leaves nothing else is still obeyed."""


@dataclass(frozen=True)
class Draw:
    """Drawn levels in the network's column order, and what conditions in the middle of a row cost.

    Attributes:
        levels: int16 or int32 (rows, columns), column-major.
        log_weight: float64 (rows,), log of the probability that the limits left at the columns they restricted.
    """

    levels: np.ndarray
    log_weight: np.ndarray


class Sampler:
    """Folded weights of a network, cut up by column."""

    def __init__(
        self, shape: Shape, weights: Mapping[str, Tensor], *, seen: Sequence[np.ndarray], nestings: Sequence[Nesting]
    ) -> None:
        self.shape = shape
        self._first_bias = weights["bias_1"]
        self._condition = weights["condition"]
        self._offsets = shape.offsets
        self._dtype = np.int16 if max(shape.levels) < 2**15 else np.int32
        width = shape.width
        self._parts = []
        for index, (start, size) in enumerate(zip(shape.offsets, shape.levels, strict=True)):
            own, known = slice(index * width, (index + 1) * width), (index + 1) * width
            self._parts.append(
                (
                    weights["embed"][:start, own].contiguous(),
                    weights["residual"][:known, own].T.contiguous(),
                    weights["bias_2"][own, None].contiguous(),
                    weights["output"][:, start : start + size].T.contiguous(),
                    weights["bias_3"][start : start + size, None].clone(),
                )
            )
        self._unseen = [torch.where(torch.as_tensor(part), 0.0, _BLOCKED).float()[:, None] for part in seen]
        self._below: dict[int, list[tuple[int, Tensor]]] = {}
        self._above: dict[int, list[tuple[int, Tensor]]] = {}
        for nesting in nestings:
            table = torch.where(torch.as_tensor(nesting.allowed), 0.0, _BLOCKED).float()
            self._below.setdefault(nesting.fine, []).append((nesting.coarse, table.T.contiguous()))
            self._above.setdefault(nesting.coarse, []).append((nesting.fine, table))

    def shift(self, deltas: Sequence[np.ndarray]) -> None:
        """Add ``deltas[i]`` (levels,) to the logits of column ``i``."""
        for part, delta in zip(self._parts, deltas, strict=True):
            part[4].add_(torch.as_tensor(delta, dtype=torch.float32)[:, None])

    @property
    def output_bias(self) -> Tensor:
        """The bias of all logits (T,), shifts included."""
        return torch.cat([part[4].squeeze(1) for part in self._parts])

    def draw(
        self,
        rows: int,
        random: np.random.Generator,
        *,
        given: Mapping[int, np.ndarray] | None = None,
        limits: Mapping[int, np.ndarray] | None = None,
    ) -> Draw:
        """``rows`` rows.

        Args:
            rows: how many.
            random: where they are drawn from.
            given: levels (rows,) of columns that are fixed beforehand and named in the condition input.
            limits: for columns that are restricted where they are drawn, how much of each level (levels,) is allowed.
        """
        given, limits = given or {}, limits or {}
        levels = np.empty((rows, self.shape.columns), dtype=self._dtype, order="F")
        log_weight = np.zeros(rows)
        masks = {
            index: torch.as_tensor(np.where(limit > 0, np.log(np.maximum(limit, 1e-30)), -np.inf)).float()[:, None]
            for index, limit in limits.items()
        }
        with torch.inference_mode():
            for start in range(0, rows, BLOCK):
                stop = min(rows, start + BLOCK)
                fixed = {index: torch.as_tensor(part[start:stop].astype(np.int64)) for index, part in given.items()}
                drawn, weight = self._block(stop - start, random, fixed, masks)
                levels[start:stop] = drawn.numpy()
                log_weight[start:stop] = weight.numpy()
        return Draw(levels, log_weight)

    def _block(
        self, rows: int, random: np.random.Generator, fixed: dict[int, Tensor], masks: dict[int, Tensor]
    ) -> tuple[Tensor, Tensor]:
        shape, width = self.shape, self.shape.width
        uniform = torch.from_numpy(random.random((shape.columns, rows), dtype=np.float32)) * (1 - 1e-6)
        flat = torch.empty(rows, shape.columns, dtype=torch.int64)
        first = torch.empty(shape.hidden, rows)
        weight = torch.zeros(rows, dtype=torch.float64)
        start = self._start(rows, fixed)
        drawn: dict[int, Tensor] = {}
        for index, (embed, residual, bias_2, output, bias_3) in enumerate(self._parts):
            own, known = slice(index * width, (index + 1) * width), (index + 1) * width
            before = start[:, own]
            if index:
                before = before + functional.embedding_bag(flat[:, :index], embed, mode="sum")
            torch.clamp_min(before.T, 0.0, out=first[own])
            after = torch.mm(residual, first[:known]).add_(bias_2).relu_()
            second = after.add_(first[own])
            if index in fixed:
                level = fixed[index]
            else:
                logits = torch.mm(output, second).add_(bias_3)
                level, cost = self._choose(index, logits, uniform[index], masks.get(index), drawn, fixed)
                if cost is not None:
                    weight += cost
            drawn[index] = level
            flat[:, index] = level + self._offsets[index]
        return flat - torch.tensor(self._offsets), weight

    def _start(self, rows: int, fixed: dict[int, Tensor]) -> Tensor:
        if not fixed:
            return self._first_bias.expand(rows, -1).clone()
        named = torch.stack([level + self._offsets[index] for index, level in fixed.items()], dim=1)
        return functional.embedding_bag(named, self._condition, mode="sum") + self._first_bias

    def _choose(
        self,
        index: int,
        logits: Tensor,
        uniform: Tensor,
        mask: Tensor | None,
        drawn: dict[int, Tensor],
        fixed: dict[int, Tensor],
    ) -> tuple[Tensor, Tensor | None]:
        logits += self._unseen[index]
        for coarse, table in self._below.get(index, ()):
            logits += table.index_select(1, drawn[coarse])
        for fine, table in self._above.get(index, ()):
            if fine in fixed:
                logits += table.index_select(1, fixed[fine])
        cost = None
        if mask is not None:
            whole = logits.logsumexp(0)
            logits += mask
            cost = (logits.logsumexp(0) - whole).double()
        logits -= logits.amax(0)
        running = logits.exp_().cumsum_(0)
        # "<=" skips levels without mass even for a uniform number of 0; the factor above keeps it below the sum.
        level = (running <= uniform * running[-1]).sum(0)
        return level, cost
