"""Train on synthetic, test on real: the scores are those of the textbooks, and planted truth is found."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.planted_outcomes import SCHEMA, admissions, cohort, sample
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from engine.evaluation.cells import Sample
from engine.evaluation.models import Inputs, predict
from engine.evaluation.outcomes import possible_outcomes
from engine.evaluation.prediction_scores import Truth, auroc, brier, calibration, difference, explained
from engine.evaluation.utility import utility
from engine.schema.table import Column, Kind

DEATH, STAY, SURVIVAL = (
    next(one for one in possible_outcomes(SCHEMA) if one.key == key)
    for key in ("died_in_hospital", "length_of_stay_hours", "died_in_hospital@length_of_stay_hours")
)
TRAIN, HOLDOUT = admissions(3000, seed=1), admissions(3000, seed=2)


def found(synthetic, *, outcome=DEATH, train=TRAIN, holdout=HOLDOUT, **options):
    entry = utility(sample(train), sample(holdout), cohort(synthetic), SCHEMA, outcome, minimum=11, seed=0, **options)
    json.dumps(entry, allow_nan=False)
    return entry


def truth(value, weights=None, patients=None) -> Truth:
    value = np.asarray(value, dtype=float)
    return Truth(value, np.ones(len(value)) if weights is None else np.asarray(weights, dtype=float), patients)


def test_auroc_of_a_hand_solved_case() -> None:
    # Pairs (event, none): 0.8 beats 0.3 and 0.5; 0.5 beats 0.3 and ties with 0.5: (2 + 1.5) / 4.
    estimate, influence = auroc(truth([1, 1, 0, 0]), np.array([0.8, 0.5, 0.3, 0.5]))
    assert estimate.value == pytest.approx(0.875)
    # DeLong: V10 = (1, 0.75), V01 = (1, 0.75); variance 0.03125 / 2 + 0.03125 / 2.
    assert (influence**2).sum() == pytest.approx(0.03125)
    assert influence.sum() == pytest.approx(0)


def test_auroc_interval_covers_the_truth() -> None:
    # Two normals one apart: AUROC = Phi(1 / sqrt(2)) = 0.7602.
    rng, covered = np.random.default_rng(0), 0
    for _ in range(400):
        events = rng.random(300) < 0.2
        estimate, _ = auroc(truth(events), rng.normal(size=300) + events)
        assert estimate.low is not None and estimate.high is not None
        covered += estimate.low <= 0.7602 <= estimate.high
    assert 0.92 <= covered / 400 <= 0.98


def test_repeated_rows_of_a_patient_add_no_certainty() -> None:
    rng = np.random.default_rng(1)
    events = rng.random(400) < 0.3
    predicted = rng.random(400) + 0.3 * events
    once, _ = auroc(truth(events), predicted)
    patients = np.tile(np.arange(400), 5)
    often, _ = auroc(truth(np.tile(events, 5), patients=patients), np.tile(predicted, 5))
    assert often.value == pytest.approx(once.value)
    assert (often.low, often.high) == pytest.approx((once.low, once.high), abs=0.002)


def test_a_whole_weight_is_a_repeated_row() -> None:
    rng = np.random.default_rng(2)
    events, predicted = rng.random(200) < 0.3, rng.random(200)
    weights = rng.integers(1, 4, 200)
    repeated = np.repeat(np.arange(200), weights)
    for score in (auroc, brier, explained):
        weighted, _ = score(truth(events, weights), predicted)
        copied, _ = score(truth(events[repeated], patients=repeated), predicted[repeated])
        assert weighted.value == pytest.approx(copied.value)
        assert weighted.low == pytest.approx(copied.low, abs=0.004)


def test_calibration_recovers_the_distortion_that_was_planted() -> None:
    rng = np.random.default_rng(3)
    logit = rng.normal(-1, 1.2, 20_000)
    events = (rng.random(20_000) < 1 / (1 + np.exp(-logit))).astype(float)
    rows = Sample(pd.DataFrame({"x": logit}))
    ideal = calibration(truth(events), 1 / (1 + np.exp(-logit)), rows, minimum=11)
    assert ideal["slope"]["value"] == pytest.approx(1, abs=0.06)
    assert ideal["intercept"]["value"] == pytest.approx(0, abs=0.06)
    assert len(ideal["bins"]) == 10
    for cell in ideal["bins"]:
        assert cell["low"] - 0.01 <= cell["predicted"] <= cell["high"] + 0.01
    # Predictions twice as extreme, and one too high.
    wrong = calibration(truth(events), 1 / (1 + np.exp(-(2 * logit + 1))), rows, minimum=11)
    assert wrong["slope"]["value"] == pytest.approx(0.5, abs=0.04)
    assert wrong["intercept"]["value"] < -0.3


def test_a_tenth_with_few_events_is_not_told_from_the_next() -> None:
    events = np.zeros(1000)
    events[:30] = 1
    curve = calibration(truth(events), np.linspace(1, 0, 1000), Sample(pd.DataFrame({"x": events})), minimum=11)
    # 30 events, all among the highest predictions: no bin can be filled twice from them but the last.
    assert sum(cell["rows"] for cell in curve["bins"]) == 1000
    assert all(cell["observed"] * cell["rows"] >= 10 for cell in curve["bins"])
    few = calibration(truth(events[20:]), np.linspace(1, 0, 980), Sample(pd.DataFrame({"x": events[20:]})), minimum=11)
    assert few["bins"] == []


def test_the_same_distribution_is_as_useful_as_real_rows() -> None:
    entry = found(admissions(3000, seed=3))
    assert entry["reason"] == "" and entry["training_rows"] == 3000
    for model in entry["models"].values():
        gap = model["figures"]["auroc"]["difference"]
        assert gap["low"] <= 0 <= gap["high"] and abs(gap["value"]) < 0.03
    linear = entry["models"]["linear"]["figures"]["auroc"]
    assert linear["synthetic"]["low"] < linear["synthetic"]["value"] < linear["synthetic"]["high"]
    assert linear["synthetic"]["value"] > 0.65
    assert "within what chance explains" in entry["sentence"]
    slope = entry["models"]["linear"]["calibration"]["synthetic"]["slope"]
    assert slope["low"] < 1 < slope["high"]


def test_a_synthetic_outcome_that_depends_on_nothing_predicts_nothing() -> None:
    entry = found(admissions(3000, seed=4, is_random=True))
    figure = entry["models"]["boosting"]["figures"]["auroc"]
    assert figure["synthetic"]["value"] == pytest.approx(0.5, abs=0.09)
    linear = entry["models"]["linear"]["figures"]["auroc"]
    assert linear["difference"]["high"] < 0 and "lower by" in entry["sentence"]


def test_a_reversed_effect_predicts_worse_than_chance() -> None:
    entry = found(admissions(3000, seed=5, flip=("age_years", "lactate", "heart_failure")))
    assert entry["models"]["linear"]["figures"]["auroc"]["synthetic"]["high"] < 0.45


def test_length_of_stay_by_r2_and_error_in_hours() -> None:
    entry = found(admissions(3000, seed=6), outcome=STAY)
    figures = entry["models"]["linear"]["figures"]
    assert figures["r2"]["real"]["value"] == pytest.approx(figures["r2"]["synthetic"]["value"], abs=0.03)
    assert 0.05 < figures["r2"]["real"]["value"] < 0.35
    assert figures["mean_absolute_error"]["label"].endswith("(h)")
    assert 20 < figures["mean_absolute_error"]["synthetic"]["value"] < 80
    noise = found(admissions(3000, seed=7, is_random=True), outcome=STAY)["models"]["linear"]["figures"]["r2"]
    assert noise["synthetic"]["value"] < 0.02


def test_what_leaks_is_named_and_not_used() -> None:
    entry = found(admissions(1000, seed=8))
    assert {one["column"] for one in entry["excluded"]} == {"discharge_destination", "length_of_stay_hours"}
    assert "Discharge destination" not in entry["predictors"] and "Lactate" in entry["predictors"]
    assert max(m["figures"]["auroc"]["real"]["value"] for m in entry["models"].values()) < 0.9


def test_too_few_events_are_not_assessable_and_not_counted() -> None:
    few = HOLDOUT.copy()
    few["died_in_hospital"] = np.arange(len(few)) < 7
    reason = found(admissions(1000, seed=9), holdout=few)["reason"]
    assert reason == "Not assessable: the hold-out hold fewer than 11 patients with the event."
    assert "7" not in reason
    none = admissions(1000, seed=9).assign(died_in_hospital=False)
    assert "synthetic rows hold fewer than 10" in found(none.astype({"died_in_hospital": "boolean"}))["reason"]


def test_eleven_rows_of_one_patient_are_one_patient() -> None:
    few = HOLDOUT.copy()
    few["died_in_hospital"] = np.arange(len(few)) < 40
    few.loc[:39, "patient_id"] = "one"
    assert "fewer than 11 patients with" in found(admissions(1000, seed=9), holdout=few)["reason"]


def test_weights_move_the_real_side_only() -> None:
    weights = np.where(HOLDOUT["age_years"] > 65, 1.8, 0.2)
    plain, weighted = found(admissions(1000, seed=10)), found(admissions(1000, seed=10), holdout_weights=weights)
    assert weighted["prevalence"] > plain["prevalence"] + 0.02
    real = found(admissions(1000, seed=10), weights=np.where(TRAIN["age_years"] > 65, 1.8, 0.2))
    scores = [one["models"]["linear"]["figures"]["auroc"] for one in (plain, real)]
    assert scores[0]["synthetic"] == scores[1]["synthetic"] and scores[0]["real"] != scores[1]["real"]


def test_a_time_to_an_event_is_left_to_the_survival_curves() -> None:
    assert "survival curves" in found(admissions(500, seed=11), outcome=SURVIVAL)["reason"]


def test_a_seed_repeats_the_entry() -> None:
    synthetic = admissions(2000, seed=12)
    assert found(synthetic) == found(synthetic)


def test_paired_difference_is_narrower_than_two_intervals() -> None:
    rng = np.random.default_rng(4)
    events = rng.random(500) < 0.3
    first = rng.normal(size=500) + events
    second = first + rng.normal(0, 0.1, 500)
    one, influence = auroc(truth(events), first)
    other, also = auroc(truth(events), second)
    gap = difference(influence, also, 0.0, truth(events))
    assert gap.high is not None and one.high is not None and one.value is not None and other.value is not None
    assert gap.high < (one.high - one.value) / 3


def test_a_column_without_values_is_no_obstacle() -> None:
    synthetic = admissions(1000, seed=13)
    synthetic[["lactate", "hemoglobin"]] = np.nan
    synthetic["admission_type"] = pd.Categorical([None] * 1000, categories=["ELECTIVE"])
    entry = found(synthetic)
    # Lactate tells in real rows only.
    assert entry["reason"] == ""
    for model in entry["models"].values():
        assert model["figures"]["auroc"]["synthetic"]["value"] < model["figures"]["auroc"]["real"]["value"]


def test_rows_are_taken_in_tens() -> None:
    # 2,993 of 3,000 known outcomes would tell that seven patients lack theirs.
    lacking = HOLDOUT.copy()
    lacking.loc[:6, "died_in_hospital"] = pd.NA
    assert found(admissions(997, seed=14), holdout=lacking)["holdout_rows"] == 2990
    assert found(admissions(997, seed=14))["training_rows"] == 990


@pytest.mark.parametrize("is_event", [True, False])
def test_intervals_are_those_of_rows_without_weights(is_event):
    rng = np.random.default_rng(0)
    columns = [Column(name="a", kind=Kind.NUMERIC), Column(name="b", kind=Kind.INTEGER)]
    numbers = np.column_stack([rng.normal(size=2000), rng.integers(0, 30, 2000)])
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    target = np.nansum(numbers * [1.0, 0.1], axis=1) + rng.normal(size=2000)
    target = (target > 1).astype(float) if is_event else target
    inputs = Inputs.of(pd.DataFrame(numbers, columns=["a", "b"]), columns, minimum=11)
    train, test = numbers[:1500], numbers[1500:] * 1.3
    ours = predict("boosting", inputs, train, target[:1500], np.ones(1500), test, is_event=is_event, seed=0)
    kind: Any = HistGradientBoostingClassifier if is_event else HistGradientBoostingRegressor
    model = kind(max_iter=100, max_leaf_nodes=8, learning_rate=0.08, early_stopping=False, random_state=0)
    model.fit(train, target[:1500])
    theirs = model.predict_proba(test)[:, 1] if is_event else model.predict(test)
    assert ours == pytest.approx(theirs)
