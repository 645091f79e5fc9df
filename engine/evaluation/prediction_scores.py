"""How good predictions are on real rows: discrimination, calibration and error, each with its 95 % interval.

AUROC: DeLong, DeLong and Clarke-Pearson 1988, summed by patient where a patient has several rows (Obuchowski 1997).
Calibration slope and intercept: Van Calster et al. 2019 (slope 1 and intercept 0 are ideal).
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.evaluation.cells import Sample, rounded_share
from engine.evaluation.estimates import Z95, Estimate, standard_error

CALIBRATION_BINS = 10
_CLIP = 1e-4


@dataclass(frozen=True)
class Truth:
    """What happened in the rows that were predicted.

    Attributes:
        value: (n_rows,) 0 or 1, or numbers.
        weights: (n_rows,) positive.
        patients: (n_rows,) integers naming the patients; None when each row is one.
    """

    value: np.ndarray
    weights: np.ndarray
    patients: np.ndarray | None = None


def auroc(truth: Truth, predicted: np.ndarray) -> tuple[Estimate, np.ndarray]:
    """Area under the ROC curve of ``predicted`` (n_rows,), with the influence (n_rows,) of each row."""
    positive = truth.value == 1
    levels, place = np.unique(predicted, return_inverse=True)
    placed = np.zeros(len(predicted))
    influence = np.zeros(len(predicted))
    for rows, others, sign in ((positive, ~positive, 1), (~positive, positive, -1)):
        mass = np.bincount(place[others], weights=truth.weights[others], minlength=len(levels))
        below = np.cumsum(mass) - mass
        beaten = below if sign > 0 else mass.sum() - below - mass
        placed[rows] = ((beaten + mass / 2) / mass.sum())[place[rows]]
    value = float(np.average(placed[positive], weights=truth.weights[positive]))
    for rows in (positive, ~positive):
        weights, count = truth.weights[rows], int(rows.sum())
        influence[rows] = weights / weights.sum() * (placed[rows] - value) * np.sqrt(count / max(1, count - 1))
    return Estimate.share(value, standard_error(influence, truth.patients)), influence


def difference(first: np.ndarray, second: np.ndarray, value: float, truth: Truth) -> Estimate:
    """A difference of two figures of the same rows, from the influence of the rows on each."""
    return Estimate.wald(value, standard_error(first - second, truth.patients))


def average_precision(truth: Truth, predicted: np.ndarray) -> float:
    """Area under the precision-recall curve; the share of events is what chance reaches."""
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(truth.value, predicted, sample_weight=truth.weights))


def brier(truth: Truth, predicted: np.ndarray) -> tuple[Estimate, np.ndarray]:
    """Mean squared difference between probability and outcome, with each row's influence."""
    return _mean((predicted - truth.value) ** 2, truth)


def absolute_error(truth: Truth, predicted: np.ndarray) -> tuple[Estimate, np.ndarray]:
    """Mean absolute error, with each row's influence."""
    return _mean(np.abs(predicted - truth.value), truth)


def explained(truth: Truth, predicted: np.ndarray) -> tuple[Estimate, np.ndarray]:
    """R²: 1 minus the squared errors over the squared deviations from the mean; with each row's influence."""
    deviation = (truth.value - np.average(truth.value, weights=truth.weights)) ** 2
    error, total = (predicted - truth.value) ** 2, float((truth.weights * deviation).sum())
    value = 1 - float((truth.weights * error).sum()) / total
    influence = truth.weights * ((1 - value) * deviation - error) / total
    return Estimate.wald(value, standard_error(influence, truth.patients)), influence


def _mean(values: np.ndarray, truth: Truth) -> tuple[Estimate, np.ndarray]:
    value = float(np.average(values, weights=truth.weights))
    influence = truth.weights * (values - value) / truth.weights.sum()
    return Estimate.wald(value, standard_error(influence, truth.patients)), influence


def calibration(truth: Truth, predicted: np.ndarray, sample: Sample, *, minimum: int) -> dict[str, Any]:
    """Slope, intercept and the curve over tenths of the predictions.

    A tenth joins the next until ``minimum`` patients with the event and as many without are in it: ``bins`` of
    ``{predicted, observed, low, high, rows}``, the observed share rounded as :func:`engine.evaluation.cells.rounding`
    says, with Wilson's interval. ``sample`` holds the rows that were predicted.
    """
    slope, intercept = _recalibration(truth, predicted)
    return {
        "slope": slope.as_dict(),
        "intercept": intercept.as_dict(),
        "bins": [_bin(rows, truth, predicted, sample) for rows in _tenths(truth, predicted, sample, minimum)],
    }


def _tenths(truth: Truth, predicted: np.ndarray, sample: Sample, minimum: int) -> list[np.ndarray]:
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, CALIBRATION_BINS + 1)[1:-1]))
    place = np.searchsorted(edges, predicted, side="right")
    groups: list[np.ndarray] = []
    pending = np.zeros(len(predicted), dtype=bool)
    for cell in range(len(edges) + 1):
        pending |= place == cell
        if _is_large(pending, truth, sample, minimum):
            groups.append(pending)
            pending = np.zeros(len(predicted), dtype=bool)
    if pending.any() and groups:
        groups[-1] = groups[-1] | pending
    return groups


def _is_large(rows: np.ndarray, truth: Truth, sample: Sample, minimum: int) -> bool:
    return all(int(sample.support(rows & (truth.value == value)).sum()) >= minimum for value in (0, 1))


def _bin(rows: np.ndarray, truth: Truth, predicted: np.ndarray, sample: Sample) -> dict[str, Any]:
    weights, count = truth.weights[rows], int(rows.sum())
    share = float(np.average(truth.value[rows], weights=weights))
    # Kish's effective size, of patients where a patient has several rows.
    size = min(weights.sum() ** 2 / (weights**2).sum(), int(sample.support(rows).sum()))
    centre = (share + Z95**2 / (2 * size)) / (1 + Z95**2 / size)
    half = Z95 / (1 + Z95**2 / size) * np.sqrt(share * (1 - share) / size + Z95**2 / (4 * size**2))
    return {
        "predicted": round(float(np.average(predicted[rows], weights=weights)), 4),
        "observed": rounded_share(share * count, count),
        "low": round(float(centre - half), 3),
        "high": round(float(centre + half), 3),
        "rows": count,
    }


def _recalibration(truth: Truth, predicted: np.ndarray) -> tuple[Estimate, Estimate]:
    """Slope of the outcome on the prediction's logit, and the intercept with the slope held at 1."""
    import statsmodels.api as sm

    clipped = np.clip(predicted, _CLIP, 1 - _CLIP)
    logit = np.log(clipped / (1 - clipped))
    ones = np.ones((len(logit), 1))
    common: dict[str, Any] = {"family": sm.families.Binomial(), "freq_weights": truth.weights}

    def last(design: np.ndarray, **options: Any) -> Estimate:
        found = sm.GLM(truth.value, design, **common, **options).fit()
        residual = truth.weights * (truth.value - np.asarray(found.fittedvalues))
        influence = (design * residual[:, None]) @ np.asarray(found.normalized_cov_params)
        return Estimate.wald(float(found.params[-1]), standard_error(influence[:, -1], truth.patients))

    with warnings.catch_warnings():
        # Predictions that separate the events have no finite slope, which the wide interval says.
        warnings.simplefilter("ignore")
        intercept = last(ones, offset=logit)
        if np.ptp(logit) < 1e-6:
            return Estimate.missing("every row has the same prediction"), intercept
        return last(np.column_stack([ones, logit])), intercept
