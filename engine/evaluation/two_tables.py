"""The rows of two tables stacked, drawn and folded patient by patient, for a classifier that tells them apart."""

from dataclasses import dataclass

import numpy as np

from engine.evaluation.cells import Sample
from engine.evaluation.models import Inputs
from engine.evaluation.prediction_scores import Truth
from engine.evaluation.telling import levels

MOST_ROWS = 3000
"""Rows per table that are used; larger tables are sampled, patient by patient."""
FOLDS = 5
_BINS = 128


@dataclass(frozen=True)
class Rows:
    """The rows of two tables, stacked.

    Attributes:
        matrix: (n_rows, n_columns), NaN where missing, numbers as their place among 128 intervals.
        truth: 1 for the rows of the table that is tested, 0 for real ones; both weigh the same together.
        folds: (n_rows,) the fold of each row.
    """

    matrix: np.ndarray
    truth: Truth
    folds: np.ndarray

    @property
    def noise(self) -> float:
        """What a pair of columns may tell by chance: five standard errors of an area of 0.5, at least 0.02."""
        sizes = np.bincount(self.truth.value)
        return max(0.02, 5 * float(np.sqrt(len(self.folds) / (12 * sizes.prod()))))

    def part(self, rows: np.ndarray) -> Truth:
        """The truth of the rows where the boolean or integer array ``rows`` points."""
        assert self.truth.patients is not None
        return Truth(self.truth.value[rows], self.truth.weights[rows], self.truth.patients[rows])


def weighted(sample: Sample, weights: np.ndarray | None) -> tuple[Sample, np.ndarray]:
    """The rows that have a weight, with their weights (n_rows,); all rows and ones where ``weights`` is None."""
    if weights is None:
        return sample, np.ones(len(sample.frame))
    return sample.take(weights > 0), weights[weights > 0]


def _patients(sample: Sample) -> np.ndarray:
    return (
        np.arange(len(sample.frame)) if sample.patients is None else np.unique(sample.patients, return_inverse=True)[1]
    )


def drawn(sample: Sample, weights: np.ndarray, rng: np.random.Generator) -> tuple[Sample, np.ndarray]:
    """About ``MOST_ROWS`` rows, all of a patient or none."""
    if len(weights) <= MOST_ROWS:
        return sample, weights
    patients = _patients(sample)
    order = rng.permutation(int(patients.max()) + 1)
    reached = np.cumsum(np.bincount(patients)[order])
    rows = np.isin(patients, order[: max(1, int(np.searchsorted(reached, MOST_ROWS, side="right")))])
    return sample.take(rows), weights[rows]


def stacked(
    inputs: Inputs, real: tuple[Sample, np.ndarray], other: tuple[Sample, np.ndarray], rng: np.random.Generator
) -> Rows:
    """``real`` and ``other`` rows with their weights as one; each table weighs half of the rows together."""
    value, weights, patients, folds = [], [], [], []
    for at, (sample, of_rows) in enumerate((real, other)):
        mine = _patients(sample)
        value.append(np.full(len(of_rows), at))
        weights.append(of_rows / of_rows.mean() / len(of_rows))
        folds.append((rng.permutation(int(mine.max()) + 1) % FOLDS)[mine])
        patients.append(mine + (int(patients[0].max()) + 1 if patients else 0))
    total = np.concatenate(weights)
    truth = Truth(np.concatenate(value), total * len(total) / 2, np.concatenate(patients))
    matrix = np.vstack([inputs.matrix(sample.frame) for sample, _ in (real, other)])
    for column in set(range(matrix.shape[1])) - set(inputs.categorical):
        # Trees ask for the order alone; scikit-learn's own intervals for weighted rows take ten times their training.
        ranks = levels(matrix[:, column], is_category=False, most=_BINS)
        matrix[:, column] = np.where(np.isnan(matrix[:, column]), np.nan, ranks)
    return Rows(matrix, truth, np.concatenate(folds))
