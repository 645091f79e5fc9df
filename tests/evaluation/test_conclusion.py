"""The same regression on two tables: planted coefficients are recovered, and a changed conclusion is found."""

import json

import numpy as np
import pandas as pd
import pytest
from helpers.planted_outcomes import LOG_ODDS, SCHEMA, admissions, cohort, sample

from engine.core.errors import UserError
from engine.evaluation.agreement import interval_overlap
from engine.evaluation.conclusion import conclusion
from engine.evaluation.covariates import covariate
from engine.evaluation.estimates import Estimate
from engine.evaluation.outcomes import possible_outcomes
from engine.evaluation.regression import Fit, Rows, fit, fit_both, usable

DEATH, STAY, SURVIVAL = (
    next(one for one in possible_outcomes(SCHEMA) if one.key == key)
    for key in ("died_in_hospital", "length_of_stay_hours", "died_in_hospital@length_of_stay_hours")
)
REAL = admissions(4000, seed=1)
PLANTED = {
    "Age, per 10 years": 10 * LOG_ODDS["age_years"],
    "Lactate, per 1 mmol/L": LOG_ODDS["lactate"],
    "Heart failure": LOG_ODDS["heart_failure"],
}


def found(synthetic, *, real=REAL, outcome=DEATH, **options):
    entry = conclusion(sample(real), cohort(synthetic), SCHEMA, outcome, minimum=11, seed=0, **options)
    json.dumps(entry, allow_nan=False)
    return entry


def term(entry, label):
    return next(one for one in entry["terms"] if one["label"] == label)


def test_planted_odds_ratios_lie_in_their_intervals() -> None:
    entry = found(admissions(4000, seed=2))
    assert (entry["model"], entry["effect"], entry["null"]) == ("Logistic regression", "odds ratio", 1.0)
    for label, effect in PLANTED.items():
        for table in ("real", "synthetic"):
            figure = term(entry, label)[table]
            assert figure["low"] < np.exp(effect) < figure["high"], (label, table)
            assert figure["high"] / figure["low"] < 1.7
    assert not entry["penalised"] and entry["rows"] == {"real": 4000, "synthetic": 4000}


def test_intervals_cover_a_planted_odds_ratio_nineteen_times_in_twenty() -> None:
    covered = 0
    for seed in range(200):
        frame = admissions(500, seed=seed + 100)
        value = frame["died_in_hospital"].astype(float).to_numpy()
        design = frame[["age_years", "lactate"]].assign(h=frame["heart_failure"]).astype(float).to_numpy()
        one = fit("logistic", Rows(design, value, np.ones(500)))
        covered += abs(one.coefficients[1] - LOG_ODDS["lactate"]) < 1.96 * one.errors[1]
    assert 0.91 <= covered / 200 <= 0.985


def test_a_copy_of_the_real_rows_agrees_with_them() -> None:
    entry = found(REAL)
    assert entry["agreement"]["synthetic"] == {"overlap": 1.0, "sign": 1.0, "significance": 1.0}
    assert {one["verdict"] for one in entry["terms"]} == {"same"}
    halves = entry["agreement"]["halves"]
    assert 0.5 < halves["overlap"] < 0.95
    assert f"for {len(entry['terms'])} of {len(entry['terms'])} effects" in entry["sentence"]
    average = f"{halves['significance'] * len(entry['terms']):.1f}".removesuffix(".0")
    assert entry["sentence"].endswith(
        f"two random halves of the real rows agree on {average} of {len(entry['terms'])} on average."
    )


def test_a_reversed_effect_is_the_opposite_conclusion() -> None:
    entry = found(admissions(4000, seed=3, flip=("lactate",)))
    lactate = term(entry, "Lactate, per 1 mmol/L")
    assert (lactate["verdict"], lactate["same_sign"], lactate["overlap"]) == ("opposite", False, 0.0)
    assert term(entry, "Heart failure")["verdict"] == "same"
    assert "The opposite direction: Lactate, per 1 mmol/L (odds ratio 1." in entry["sentence"]


def test_an_effect_that_the_synthetic_rows_lack_is_weaker() -> None:
    entry = found(admissions(4000, seed=4, is_random=True))
    assert {term(entry, label)["verdict"] for label in PLANTED} == {"weaker"}
    named = entry["sentence"].partition("Not found in the synthetic rows: ")[2]
    assert sum(f"{label} (odds ratio " in named for label in PLANTED) == 2, "two, the others by their number"
    assert f"; and {len(PLANTED) - 2} more." in named
    assert entry["agreement"]["synthetic"]["significance"] < entry["agreement"]["halves"]["significance"]


def test_length_of_stay_is_told_as_a_ratio() -> None:
    entry = found(admissions(4000, seed=5), outcome=STAY)
    assert entry["effect"] == "ratio of geometric means"
    # The logarithm of the stay moves 0.3 per unit of log-odds.
    figure = term(entry, "Lactate, per 1 mmol/L")["real"]
    assert figure["low"] < np.exp(0.3 * LOG_ODDS["lactate"]) * 1.005 and figure["high"] > np.exp(0.3 * 0.4) * 0.985


def test_hazard_ratios_of_exponential_times_are_recovered() -> None:
    rng = np.random.default_rng(1)

    def table(seed: int) -> pd.DataFrame:
        frame = admissions(2000, seed=seed)
        effect = 0.5 * (frame["lactate"].to_numpy() - 2)
        frame["length_of_stay_hours"] = rng.exponential(100 / np.exp(effect))
        frame["died_in_hospital"] = pd.array(frame["length_of_stay_hours"] < 80, dtype="boolean")
        frame["length_of_stay_hours"] = frame["length_of_stay_hours"].clip(upper=80)
        return frame

    entry = found(table(7), real=table(6), outcome=SURVIVAL, covariates=["lactate", "sex"])
    assert entry["effect"] == "hazard ratio"
    for side in ("real", "synthetic"):
        figure = term(entry, "Lactate, per 1 mmol/L")[side]
        assert figure["low"] < np.exp(0.5) < figure["high"]
    assert any("end unobserved" in note for note in entry["notes"])


def test_interval_overlap_of_hand_solved_intervals() -> None:
    # [0, 4] and [2, 4] share 2: half of the first and all of the second.
    assert interval_overlap(Estimate(2, 0, 4), Estimate(3, 2, 4)) == pytest.approx(0.75)
    assert interval_overlap(Estimate(2, 0, 4), Estimate(6, 5, 7)) == 0
    assert interval_overlap(Estimate(2, 0, 4), Estimate(2)) is None
    assert interval_overlap(Estimate(2, 2, 2), Estimate(2, 1, 3)) is None


def test_separation_is_answered_with_a_penalty_in_both_tables() -> None:
    synthetic = admissions(2000, seed=8)
    synthetic.loc[synthetic["heart_failure"].astype(bool), "died_in_hospital"] = True
    entry = found(synthetic, covariates=["age_years", "heart_failure"])
    assert entry["penalised"] and any("Firth" in note for note in entry["notes"])
    figure = term(entry, "Heart failure")
    assert figure["synthetic"]["value"] > 50 and figure["synthetic"]["low"] > 1
    assert figure["real"]["low"] < np.exp(LOG_ODDS["heart_failure"]) < figure["real"]["high"]


def test_firth_of_a_two_by_two_table_adds_half_to_each_cell() -> None:
    # With one binary covariate the penalised log odds ratio is that of the counts plus one half.
    design = np.repeat([0.0, 0.0, 1.0, 1.0], [20, 10, 15, 0])[:, None]
    value = np.repeat([0.0, 1.0, 0.0, 1.0], [20, 10, 15, 0])
    one = fit("logistic", Rows(design, value, np.ones(45)), penalised=True)
    assert one.coefficients[0] == pytest.approx(np.log((0.5 / 15.5) / (10.5 / 20.5)), abs=1e-6)


def test_separated_survival_has_finite_hazards() -> None:
    rng = np.random.default_rng(1)
    design = np.repeat([0.0, 1.0], 100)[:, None]
    time, event = rng.exponential(1, 200), np.repeat([0.0, 1.0], 100)
    rows = Rows(design, event, np.ones(200), time)
    first, second, penalised = fit_both("cox", rows, rows)
    assert penalised and np.isfinite([first.coefficients[0], second.errors[0]]).all()


@pytest.mark.parametrize("family", ["logistic", "linear", "cox"])
def test_a_whole_weight_is_a_patient_with_several_rows(family) -> None:
    rng = np.random.default_rng(2)
    design, weights = rng.normal(size=(300, 2)), rng.integers(1, 4, 300)
    value = (rng.random(300) < 1 / (1 + np.exp(-design[:, 0]))).astype(float)
    time = rng.exponential(np.exp(-design[:, 1]))
    rows = Rows(design, value, weights.astype(float), time)
    repeated = np.repeat(np.arange(300), weights)
    copied = Rows(design, value, np.ones(300), time, np.arange(300)).take(repeated)
    one, other = fit(family, rows), fit(family, copied)
    # Ties of repeated times are handled by Efron's approximation.
    tolerance = 0.03 if family == "cox" else 1e-6
    np.testing.assert_allclose(one.coefficients, other.coefficients, atol=tolerance)
    np.testing.assert_allclose(one.errors, other.errors, rtol=0.05)


def test_weights_change_the_real_side_only() -> None:
    synthetic = admissions(2000, seed=9)
    weights = np.where(REAL["lactate"] > 2, 1.7, 0.3)
    plain, weighted = (
        found(synthetic, covariates=["age_years"]),
        found(synthetic, covariates=["age_years"], weights=weights),
    )
    assert plain["terms"][0]["synthetic"] == weighted["terms"][0]["synthetic"]
    assert plain["terms"][0]["real"] != weighted["terms"][0]["real"]


def test_constants_and_copies_are_dropped_with_the_reason() -> None:
    synthetic = admissions(2000, seed=10)
    synthetic["hemoglobin"] = 11.0
    synthetic["creatinine"] = synthetic["lactate"] * 2
    entry = found(synthetic, covariates=["lactate", "creatinine", "hemoglobin", "discharge_destination"])
    reasons = {one["column"]: one["reason"] for one in entry["dropped"]}
    assert reasons["hemoglobin"] == "it has one value in the synthetic rows with all values"
    assert reasons["creatinine"] == "the other covariates determine it in the synthetic rows"
    assert reasons["discharge_destination"].startswith("known only")
    assert [one["column"] for one in entry["terms"]] == ["lactate"]


def test_a_category_of_few_patients_with_the_event_is_not_told() -> None:
    real = REAL.copy()
    real["admission_type"] = pd.Categorical(["ELECTIVE"] * 1995 + ["EMERGENCY"] * 1995 + ["NEWBORN"] * 10)
    value = real["died_in_hospital"].astype(float).to_numpy()
    one = covariate(SCHEMA["admission_type"], sample(real), value, is_event=True, minimum=11)
    assert not isinstance(one, str) and not any("NEWBORN" in label for label in one.labels)
    # The ten join a larger category rather than stand alone as "other".
    assert one.pooled is False or one.matrix(real)[:, -1].sum() >= 22
    real["heart_failure"] = pd.array(np.arange(4000) < 15, dtype="boolean")
    real["died_in_hospital"] = pd.array(np.arange(4000) % 8 == 0, dtype="boolean")
    value = real["died_in_hospital"].astype(float).to_numpy()
    one = covariate(SCHEMA["heart_failure"], sample(real), value, is_event=True, minimum=11)
    assert one == "too few real patients have one of its values and the outcome"


def test_no_more_covariates_than_a_tenth_of_the_events() -> None:
    real = REAL.head(400)
    events = int(real["died_in_hospital"].sum())
    entry = found(admissions(400, seed=11), real=real)
    assert 40 < events < 100 and len(entry["terms"]) + len(entry["dropped"]) <= events / 10
    assert entry["terms"][0]["label"] == "Age, per 10 years"


def test_few_events_are_not_assessable() -> None:
    none = admissions(1000, seed=12)
    none["died_in_hospital"] = pd.array([False] * 996 + [True] * 4, dtype="boolean")
    assert found(none)["reason"] == ("Not assessable: the synthetic rows hold fewer than 10 patients with the event.")
    assert "the real rows hold fewer than 11 patients with the event" in found(REAL, real=none)["reason"]


def test_synthetic_rows_beyond_the_real_ones_add_no_certainty() -> None:
    entry = found(admissions(4000, seed=13), real=REAL.head(1000), covariates=["lactate"])
    assert entry["rows"] == {"real": 1000, "synthetic": 1000}


def test_the_same_patient_twice_adds_no_certainty() -> None:
    once = found(REAL, real=admissions(1000, seed=14), covariates=["lactate"])
    twice = found(REAL, real=admissions(2000, seed=14, per_patient=2), covariates=["lactate"])
    widths = [one["terms"][0]["real"]["high"] - one["terms"][0]["real"]["low"] for one in (once, twice)]
    assert widths[0] == pytest.approx(widths[1], rel=0.01)


def test_unknown_columns_and_absent_ones() -> None:
    with pytest.raises(UserError, match="there is no column 'height'"):
        found(REAL, covariates=["height"])
    lacking = REAL.drop(columns="lactate")
    entry = found(lacking, covariates=["lactate", "age_years"])
    assert entry["dropped"][0]["reason"].startswith("the synthetic table lacks it")
    assert found(lacking, covariates=["lactate"])["reason"] == "Not assessable: no covariate can be used."
    assert "lacks the outcome" in found(REAL.drop(columns="died_in_hospital"))["reason"]


def test_usable_keeps_independent_parameters() -> None:
    design = np.random.default_rng(3).normal(size=(50, 3))
    rows = Rows(design, np.ones(50), np.ones(50))
    assert usable(rows, rows) == {}
    assert Fit(np.array([40.0]), np.array([1.0])).is_sound(rows.take(np.arange(50), [0])) is False


def test_a_constant_outcome_and_too_many_covariates_are_said() -> None:
    constant = admissions(1000, seed=15).assign(length_of_stay_hours=48.0)
    entry = found(constant, outcome=STAY)
    assert entry["reason"] == "Not assessable: the synthetic rows have one value of the outcome."
    crowded = found(admissions(150, seed=16), covariates=["age_years", "lactate", "creatinine", "hemoglobin", "sex"])
    assert any("The synthetic rows have fewer than 10 events per effect" in note for note in crowded["notes"])
