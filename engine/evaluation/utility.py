"""Does a model trained on the synthetic rows predict real patients as well as one trained on real rows?

Train on synthetic, test on real (TSTR) beside train on real, test on real (TRTR; Esteban et al. 2017): the same
models, as many rows, the same real hold-out that neither has seen. The entry (JSON values, an internal view: it is
computed on real rows) has these keys:

- ``outcome``: ``{key, label, kind, unit}``; ``predictors``: labels; ``excluded``: ``[{column, label, reason}]``
- ``reason``: why nothing is assessable, else empty, and then these follow
- ``training_rows``: rows that each model was trained on; ``holdout_rows``; ``prevalence``: share of events (binary)
- ``models``: per model ``{label, figures, calibration}``; ``figures``: per score ``{label, better, chance, synthetic,
  real, difference}`` with ``{value, low, high, reason}`` each, where ``synthetic`` and ``real`` say what the model was
  trained on; ``calibration``: per training table ``{slope, intercept, bins}`` (binary only)
- ``sentence``: the finding in words; ``notes``
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.core.numerals import minus
from engine.core.randomness import generator
from engine.evaluation.cells import Sample, rounded_share
from engine.evaluation.estimates import Estimate
from engine.evaluation.models import LABELS, Inputs, ModelName, predict
from engine.evaluation.outcomes import Outcome
from engine.evaluation.prediction_scores import (
    Truth,
    absolute_error,
    auroc,
    average_precision,
    brier,
    calibration,
    difference,
    explained,
)
from engine.evaluation.predictors import predictors
from engine.evaluation.tables import REAL, SYNTHETIC, label_of
from engine.schema.table import TableSchema

MOST_ROWS = 10_000
"""Rows per table that are used; larger tables are sampled."""
LEAST_EVENTS = 10
"""Fewer patients with (or without) the event say nothing about a model."""
_LEAST_ROWS = 50


@dataclass(frozen=True)
class _Side:
    """The rows of one table whose outcome is known."""

    sample: Sample
    value: np.ndarray
    weights: np.ndarray


def utility(
    train: Sample,
    holdout: Sample,
    synthetic: Sample,
    schema: TableSchema,
    outcome: Outcome,
    *,
    minimum: int,
    seed: int,
    weights: np.ndarray | None = None,
    holdout_weights: np.ndarray | None = None,
) -> dict[str, Any]:
    """The entry (see the module) of a binary or continuous ``outcome``.

    Args:
        train: real rows the generator learned, conformed to ``schema``.
        holdout: real rows of other patients.
        synthetic: the cohort, conformed to the features it has.
        schema: the real table's.
        outcome: what is predicted.
        minimum: counts of real patients below this are not shown.
        seed: of the rows that are drawn and of the models.
        weights: (n_train_rows,) of mean 1.
        holdout_weights: (n_holdout_rows,) of mean 1.
    """
    allowed, excluded = predictors(schema, outcome)
    columns = [column for column in allowed if column.name in synthetic.frame.columns]
    entry: dict[str, Any] = {
        "outcome": {"key": outcome.key, "label": outcome.label, "kind": outcome.kind, "unit": outcome.unit},
        "predictors": [label_of(column) for column in columns],
        "excluded": [one.as_dict() for one in excluded],
        "internal": True,
    }
    if outcome.kind == "time_to_event":
        return entry | {"reason": "Not assessable: times to an event are compared by their survival curves."}
    if not columns or any(name not in synthetic.frame.columns for name in outcome.columns):
        return entry | {"reason": "Not assessable: the synthetic table lacks the outcome or every predictor."}
    rng = generator(seed, "utility", outcome.key)
    sides = {
        REAL: _known(train, schema, outcome, weights),
        SYNTHETIC: _known(synthetic, schema, outcome, None),
        "test": _known(holdout, schema, outcome, holdout_weights),
    }
    size = _tens(min(len(sides[REAL].value), len(sides[SYNTHETIC].value)))
    test = _drawn(sides["test"], _tens(len(sides["test"].value)), rng)
    trained = {name: _drawn(sides[name], size, rng) for name in (SYNTHETIC, REAL)}
    reason = _too_few(trained, test, outcome, minimum)
    if reason:
        return entry | {"reason": f"Not assessable: {reason}."}
    inputs = Inputs.of(sides[REAL].sample.frame, columns, minimum=minimum)
    truth = Truth(test.value, test.weights, test.sample.patients)
    models = {name: _model(name, trained, test, truth, inputs, outcome, minimum, seed) for name in LABELS}
    entry |= {"reason": "", "training_rows": size, "holdout_rows": len(test.value), "models": models}
    if outcome.kind == "binary":
        share = float(np.average(test.value, weights=test.weights))
        entry["prevalence"] = rounded_share(share * len(test.value), len(test.value))
    return entry | {"sentence": _sentence(models, outcome), "notes": _notes(sides, size, outcome)}


def _known(sample: Sample, schema: TableSchema, outcome: Outcome, weights: np.ndarray | None) -> _Side:
    observed = outcome.observe(sample.frame, schema)
    rows, weight = observed.counted(weights)
    value = np.log1p(np.maximum(observed.value, 0)) if outcome.is_duration else observed.value
    return _Side(sample.take(rows), value[rows], weight)


def _tens(rows: int) -> int:
    """Rows to use, in tens: the count does not tell how few patients lack the outcome."""
    return min(MOST_ROWS, rows // 10 * 10)


def _drawn(side: _Side, most: int, rng: np.random.Generator) -> _Side:
    if len(side.value) <= most:
        return side
    rows = np.sort(rng.choice(len(side.value), most, replace=False))
    return _Side(side.sample.take(rows), side.value[rows], side.weights[rows])


def _too_few(trained: dict[str, _Side], test: _Side, outcome: Outcome, minimum: int) -> str:
    where = {"the real training rows": trained[REAL], "the hold-out": test, "the synthetic rows": trained[SYNTHETIC]}
    for name, side in where.items():
        least = LEAST_EVENTS if side is trained[SYNTHETIC] else max(LEAST_EVENTS, minimum)
        if outcome.kind == "continuous":
            if side.sample.patient_count < max(_LEAST_ROWS, minimum):
                return f"fewer than {max(_LEAST_ROWS, minimum)} patients of {name} have a value"
            if len(np.unique(side.value)) < 2:
                return f"{name} have one value only"
            continue
        for value, what in ((1, "with"), (0, "without")):
            if int(side.sample.support(side.value == value).sum()) < least:
                return f"{name} hold fewer than {least} patients {what} the event"
    return ""


def _model(
    name: ModelName, trained: dict[str, _Side], test: _Side, truth: Truth, inputs: Inputs, outcome: Outcome,
    minimum: int, seed: int,
) -> dict[str, Any]:  # fmt: skip
    is_event = outcome.kind == "binary"
    matrix, predicted = inputs.matrix(test.sample.frame), {}
    for table, side in trained.items():
        with warnings.catch_warnings():
            # A column without values is imputed by zero, and one iteration more would change nothing that is shown.
            warnings.simplefilter("ignore")
            predicted[table] = predict(
                name, inputs, inputs.matrix(side.sample.frame), side.value, side.weights, matrix,
                is_event=is_event, seed=seed,
            )  # fmt: skip
    found: dict[str, Any] = {"label": LABELS[name]}
    if not is_event:
        return found | {"figures": _number_figures(truth, predicted, outcome)}
    curves = {table: calibration(truth, values, test.sample, minimum=minimum) for table, values in predicted.items()}
    return found | {"figures": _event_figures(truth, predicted), "calibration": curves}


def _event_figures(truth: Truth, predicted: dict[str, np.ndarray]) -> dict[str, Any]:
    prevalence = float(np.average(truth.value, weights=truth.weights))
    precision = {table: Estimate(average_precision(truth, values)) for table, values in predicted.items()}
    gap = (precision[SYNTHETIC].value or 0) - (precision[REAL].value or 0)
    area = {table: auroc(truth, values) for table, values in predicted.items()}
    error = {table: brier(truth, values) for table, values in predicted.items()}
    return {
        "auroc": _paired("AUROC", "higher", 0.5, area, truth),
        "average_precision": {"label": "Average precision", "better": "higher", "chance": round(prevalence, 2)}
        | {table: one.as_dict() for table, one in precision.items()}
        | {"difference": Estimate(gap).as_dict()},
        "brier": _paired("Brier score", "lower", round(prevalence * (1 - prevalence), 2), error, truth),
    }


def _number_figures(truth: Truth, predicted: dict[str, np.ndarray], outcome: Outcome) -> dict[str, Any]:
    fit = {table: explained(truth, values) for table, values in predicted.items()}
    plain, values = truth, predicted
    if outcome.is_duration:
        plain = Truth(np.expm1(truth.value), truth.weights, truth.patients)
        # A prediction far outside what happened is a fault of the exponential, not of the rows.
        values = {table: np.expm1(np.clip(one, 0, truth.value.max())) for table, one in predicted.items()}
    error = {table: absolute_error(plain, one) for table, one in values.items()}
    unit = f" ({outcome.unit})" if outcome.unit else ""
    return {
        "r2": _paired("R² of the logarithm" if outcome.is_duration else "R²", "higher", 0.0, fit, truth),
        "mean_absolute_error": _paired(f"Mean absolute error{unit}", "lower", None, error, truth),
    }


def _paired(
    label: str, better: str, chance: float | None, found: dict[str, tuple[Estimate, np.ndarray]], truth: Truth
) -> dict[str, Any]:
    gap = (found[SYNTHETIC][0].value or 0) - (found[REAL][0].value or 0)
    return (
        {"label": label, "better": better, "chance": chance}
        | {table: one.as_dict() for table, (one, _) in found.items()}
        | {"difference": difference(found[SYNTHETIC][1], found[REAL][1], gap, truth).as_dict()}
    )


def _sentence(models: dict[str, Any], outcome: Outcome) -> str:
    """The finding of the model that predicts better when trained on real rows."""
    score = "auroc" if outcome.kind == "binary" else "r2"
    best = max(models, key=lambda name: models[name]["figures"][score][REAL]["value"])
    figure = models[best]["figures"][score]
    made, real, gap = figure[SYNTHETIC], figure[REAL], figure["difference"]
    text = (
        f"{models[best]['label']} trained on synthetic rows predicts {outcome.label} in real patients with "
        f"{figure['label']} {_text(made)}; trained on as many real rows, {_text(real)}."
    )
    if gap["low"] is None:
        return text
    if gap["low"] <= 0 <= gap["high"]:
        return f"{text} The difference ({_text(gap, signed=True)}) is within what chance explains."
    side = "lower" if gap["value"] < 0 else "higher"
    return f"{text} The synthetic one is {side} by {abs(gap['value']):.2f} ({_interval(gap)})."


def _text(figure: dict[str, Any], *, signed: bool = False) -> str:
    value = minus(f"{figure['value']:+.2f}" if signed else f"{figure['value']:.2f}")
    return value if figure["low"] is None else f"{value} ({_interval(figure)})"


def _interval(figure: dict[str, Any]) -> str:
    return minus(f"95 % interval {figure['low']:.2f} to {figure['high']:.2f}")


def _notes(sides: dict[str, _Side], size: int, outcome: Outcome) -> list[str]:
    notes = ["Both models are tested on the same real hold-out rows, which neither the generator nor they have seen."]
    if size < max(len(sides[REAL].value), len(sides[SYNTHETIC].value)):
        notes.append(f"Each model learns from {size:,} rows, drawn at random where a table has more.")
    if len(sides["test"].value) > MOST_ROWS:
        notes.append(f"The test uses {MOST_ROWS:,} rows of the hold-out, drawn at random.")
    if outcome.leave_out:
        notes.append("Rows of patients who died are left out: they are not at risk.")
    if outcome.is_duration:
        notes.append(
            "Models predict the logarithm of 1 plus the time, as times are skewed; errors are in its own unit."
        )
    return notes
