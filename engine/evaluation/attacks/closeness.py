"""Are synthetic rows nearer to the rows a generator learned than to rows it has not seen?

The share of synthetic rows whose closest training row is nearer than the closest of as many held-out rows: 0.5 where
nothing is remembered (Platzer and Reutterer 2021, "Holdout-based empirical assessment of mixed-type synthetic data").
Both sides have one row of each patient and the same size: of two samples of one population, the larger is nearer. So
a generator that copies every training row is found by those of them that are drawn: of n training and m < n held-out
rows it reaches 1/2 + m / 2n.
"""

import numpy as np

from engine.evaluation.attacks.records import Coder, Records, blocks, one_each, some
from engine.evaluation.cells import Sample
from engine.schema.table import Column

MOST_ROWS = 2_000
"""Synthetic rows that are asked."""
MOST_REFERENCE = 10_000
"""Rows on each of the two sides."""


def closer_share(
    learned: Sample, unseen: Sample, synthetic: Sample, columns: tuple[Column, ...], rng: np.random.Generator
) -> float | None:
    """Share of ``synthetic`` rows closer to ``learned`` than to ``unseen`` rows; ties count half, None without rows."""
    coder = Coder.of((learned.frame, unseen.frame), synthetic.frame, columns)
    sides = [coder.records(one.frame).take(one_each(one, rng)) for one in (learned, unseen)]
    size = min(MOST_REFERENCE, *(len(side) for side in sides))
    if not size or not len(synthetic.frame):
        return None
    sides = [side.take(some(len(side), size, rng)) for side in sides]
    rows = coder.records(synthetic.frame.iloc[some(len(synthetic.frame), MOST_ROWS, rng)])
    near, far = (_nearest(rows, side) for side in sides)
    return float(np.mean(near < far) + np.mean(near == far) / 2)


def _nearest(rows: Records, side: Records) -> np.ndarray:
    """(n_rows,) distance to the closest record of ``side``."""
    out = np.empty(len(rows))
    for places, found in blocks(rows, side):
        out[places] = found.min(axis=1)
    # Sums in another order differ in the last digits.
    return out.round(9)
