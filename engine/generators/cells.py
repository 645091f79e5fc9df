"""Where inside its level a value lies: pieces of the grid with probabilities, for all levels of a column at once."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Cells:
    """Pieces of a grid, grouped by level.

    Attributes:
        cumulative: float64 (n_cells,): level + the share of the level's mass up to and including the cell.
        first: int64 (n_cells,), lowest position of each cell.
        length: int64 (n_cells,), positions in each cell.
        step: int64 (n_cells,), distance between the positions of a cell.
        end: int64 (n_levels,), index of the last cell of each level.
        only: int64 (n_levels,) position of levels, where every level has exactly one; else None.
    """

    cumulative: np.ndarray
    first: np.ndarray
    length: np.ndarray
    step: np.ndarray
    end: np.ndarray
    only: np.ndarray | None

    @classmethod
    def build(
        cls,
        n_levels: int,
        *,
        level: np.ndarray,
        first: np.ndarray,
        length: np.ndarray,
        mass: np.ndarray,
        step: np.ndarray,
        fallback_first: np.ndarray,
        fallback_length: np.ndarray,
    ) -> "Cells":
        """Cells from pieces sorted by level; a level without any mass gets its fallback piece."""
        total = np.bincount(level, weights=mass, minlength=n_levels)
        kept = mass > 0
        bare = np.flatnonzero(total <= 0)
        level = np.concatenate([level[kept], bare])
        order = np.argsort(level, kind="stable")
        level = level[order]
        first = np.concatenate([first[kept], fallback_first[bare]])[order]
        length = np.concatenate([length[kept], fallback_length[bare]])[order]
        mass = np.concatenate([mass[kept], np.ones(len(bare))])[order]
        step = np.concatenate([step[kept], np.ones(len(bare), dtype=np.int64)])[order]
        total = np.bincount(level, weights=mass, minlength=n_levels)
        share = mass / total[level]
        starts = np.searchsorted(level, np.arange(n_levels))
        running = np.cumsum(share)
        before = (running - share)[starts]
        inside = running - before[level]
        # The last cell of a level ends exactly where the next level begins.
        ends = np.append(starts[1:], len(level)) - 1
        inside[ends] = 1.0
        single = bool(np.all(np.bincount(level, minlength=n_levels) == 1) and np.all(length == 1))
        return cls(level + np.minimum(inside, 1.0), first, length, step, ends, first.copy() if single else None)

    def draw(self, levels: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """One grid position for each of ``levels``, int64 ``(len(levels),)``."""
        if self.only is not None:
            return self.only[levels]
        cell = np.searchsorted(self.cumulative, levels + random.random(len(levels)), side="right")
        # A sum that rounds up to the next whole number would leave the level.
        cell = np.minimum(cell, self.end[levels])
        if self.length.max() == 1:
            return self.first[cell]
        length = self.length[cell]
        place = np.minimum((random.random(len(levels)) * length).astype(np.int64), length - 1)
        return self.first[cell] + self.step[cell] * place
