"""Rows drawn from a sample: fewer of them, two halves, or rows that need no weights any more."""

import numpy as np

from engine.cohort.raking import effective_size
from engine.evaluation.cells import Sample

_ROUNDING = 1e-9


def thinned(sample: Sample, rng: np.random.Generator, most: int) -> Sample:
    """At most ``most`` rows, drawn without replacement, with the weights they have."""
    if len(sample.frame) <= most:
        return sample
    return sample.take(np.sort(rng.choice(len(sample.frame), most, replace=False)))


def evened(sample: Sample, rng: np.random.Generator, most: int) -> Sample:
    """Rows without weights whose shares are those by weight of ``sample``; :func:`thinned` where it has none.

    Systematic sampling in random order (Madow 1949): a row comes as often as its weight says, rounded down or up. As
    many rows as Kish's effective size, at most ``most``: more would say what is known no better, and look as if.
    """
    if sample.weights is None:
        return thinned(sample, rng, most)
    # Equal weights are as many rows as they are, whatever the sum of their squares lacks in the last digit.
    size = min(most, int(effective_size(sample.weights) * (1 + _ROUNDING)))
    order = rng.permutation(len(sample.weights))
    reached = np.cumsum(sample.weights[order])
    points = (rng.random() + np.arange(size)) * (reached[-1] / size)
    rows = np.sort(order[np.searchsorted(reached[:-1], points, side="right")])
    drawn = sample.take(rows)
    return Sample(drawn.frame, drawn.patients)


def halves(sample: Sample, rng: np.random.Generator) -> tuple[Sample, Sample]:
    """Two random halves by patient: what two samples of the same size as each other differ by."""
    keys = np.arange(len(sample.frame)) if sample.patients is None else sample.patients
    unique = rng.permutation(np.unique(keys))
    first = np.isin(keys, unique[: len(unique) // 2])
    return sample.take(first), sample.take(~first)
