"""Raking: of all weights that reach the target margins, those nearest to equal weights in relative entropy."""

from dataclasses import dataclass

import numpy as np

from engine.evaluation.cells import Sample

CLOSE = 1e-6
"""Proportions that differ by less are the same."""

_STEPS = 100
_LONGEST = 2.0


@dataclass(frozen=True)
class Cells:
    """A margin over cells that real patients support: codes (n_rows,) and targets (n_cells,) that add up to 1."""

    codes: np.ndarray
    targets: np.ndarray


def raked(sample: Sample, cells: list[Cells]) -> np.ndarray | None:
    """(n_rows,) weights of mean 1, one per patient if that reaches the targets, else one per row; None if neither."""
    kept = np.logical_and.reduce([one.targets[one.codes] > 0 for one in cells])
    if not kept.any():
        return None
    target = np.concatenate([one.targets for one in cells])
    membership = np.hstack([np.eye(len(one.targets))[one.codes[kept]] for one in cells])
    ways = [np.arange(int(kept.sum()))]
    if sample.patients is not None:
        ways.insert(0, np.unique(sample.patients[kept], return_inverse=True)[1])
    for units in ways:
        size = np.bincount(units)
        mean = np.column_stack([np.bincount(units, weights=part) / size for part in membership.T])
        found = _tilted(mean, size / size.sum(), target)
        if found is not None:
            out = np.zeros(len(kept))
            out[kept] = (found / size)[units]
            return out * len(out) / out.sum()
    return None


def _tilted(membership: np.ndarray, size: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """(n_units,) probabilities nearest to ``size`` whose mean ``membership`` (n_units, n_cells) is ``target``.

    Newton's method on the convex dual; None where no probabilities reach the target.
    """

    def dual(slope: np.ndarray) -> tuple[float, np.ndarray]:
        exponent = membership @ slope
        top = exponent.max()
        mass = size * np.exp(exponent - top)
        return float(np.log(mass.sum()) + top - target @ slope), mass / mass.sum()

    slope = np.zeros(len(target))
    height, found = dual(slope)
    for _ in range(_STEPS):
        reached = found @ membership
        gradient = reached - target
        if np.abs(gradient).max() < CLOSE:
            return found
        curvature = membership.T @ (membership * found[:, None]) - np.outer(reached, reached)
        step = np.linalg.lstsq(curvature, gradient, rcond=1e-10)[0]
        # Further away the curvature is another; a step that is too long ends where there is none.
        length = min(1.0, _LONGEST / max(np.ptp(membership @ step), 1e-300))
        while length > 1e-9:
            lower, moved = dual(slope - length * step)
            if lower <= height - 1e-4 * length * (gradient @ step):
                break
            length /= 2
        else:
            return None
        slope, height, found = slope - length * step, lower, moved
    return None
