"""Kaplan-Meier curves and restricted means: those of the textbook, and no single real event can be read off."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from helpers.planted_outcomes import SCHEMA, admissions, cohort, sample

from engine.core.errors import UserError
from engine.evaluation.kaplan_meier import KaplanMeier, Times
from engine.evaluation.outcomes import possible_outcomes
from engine.evaluation.survival import _at_risk, survival

OUTCOMES = {one.key: one for one in possible_outcomes(SCHEMA)}
DEATH = OUTCOMES["died_in_hospital@length_of_stay_hours"]


def exponential(rows: int, *, seed: int, mean: float = 200.0, until: float = 400.0) -> pd.DataFrame:
    """Deaths at a constant rate, observation ends at random up to ``until``."""
    rng = np.random.default_rng(seed)
    time, end = rng.exponential(mean, rows), rng.uniform(until / 4, until, rows)
    frame = admissions(rows, seed=seed)
    frame["died_in_hospital"] = pd.array(time <= end, dtype="boolean")
    frame["length_of_stay_hours"] = np.minimum(time, end)
    return frame


def found(real, synthetic, *, holdout=None, minimum=11, **options):
    holdout = real.head(0) if holdout is None else holdout
    entry = survival(sample(real), sample(holdout), cohort(synthetic), SCHEMA, DEATH, minimum=minimum, **options)
    json.dumps(entry, allow_nan=False)
    return entry


def times(time, event, weights=None, patients=None) -> Times:
    time = np.asarray(time, dtype=float)
    weights = np.ones(len(time)) if weights is None else np.asarray(weights, dtype=float)
    return Times(time, np.asarray(event, dtype=float), weights, patients)


def test_a_hand_solved_curve() -> None:
    # At risk 5, 4, 2: events at 1 and 3 (one of two with a row censored at 2 between), 4/5 and 4/5 × 2/3.
    curve = KaplanMeier.of(times([1, 2, 3, 4, 5], [1, 0, 1, 0, 0]))
    assert curve.at.tolist() == [1, 3] and curve.risk.tolist() == [5, 3]
    assert curve.survival == pytest.approx([0.8, 0.8 * 2 / 3])
    assert [curve.value(t) for t in (0, 0.9, 1, 2.9, 10)] == pytest.approx([1, 1, 0.8, 0.8, 0.5333333])
    mean, _ = curve.restricted_mean(4)
    assert mean.value == pytest.approx(1 + 2 * 0.8 + 1 * 0.53333333)


def test_it_is_the_curve_of_lifelines() -> None:
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(0)
    time, event = rng.exponential(1, 800).round(2), rng.random(800) < 0.6
    ours = KaplanMeier.of(times(time, event))
    theirs = KaplanMeierFitter().fit(time, event)
    bands = theirs.confidence_interval_survival_function_
    for at in (0.1, 0.5, 1.0, 2.0):
        one = ours.estimate(at)
        assert one.value == pytest.approx(float(theirs.predict(at)), abs=1e-9)
        row = bands[bands.index <= at].iloc[-1]
        assert (one.low, one.high) == pytest.approx((row.iloc[0], row.iloc[1]), abs=1e-3)


def test_the_influence_of_a_row_is_what_leaving_it_out_changes() -> None:
    rng = np.random.default_rng(2)
    time, event = rng.exponential(1, 400), rng.random(400) < 0.6
    whole = KaplanMeier.of(times(time, event))
    influence = whole._influence(np.ones(len(whole.at)), 0.8)
    assert influence.sum() == pytest.approx(0, abs=1e-9)
    for row in range(0, 400, 40):
        rest = np.arange(400) != row
        left = KaplanMeier.of(times(time[rest], event[rest])).value(0.8)
        assert -influence[row] == pytest.approx(math.log(whole.value(0.8) / left), abs=3e-4)


def test_restricted_mean_of_a_constant_rate() -> None:
    # The area under exp(-t / 200) up to 240 h.
    expected = 200 * (1 - math.exp(-240 / 200))
    covered = 0
    for seed in range(100):
        frame = exponential(400, seed=seed)
        mean, _ = KaplanMeier.of(times(frame["length_of_stay_hours"], frame["died_in_hospital"])).restricted_mean(240)
        assert mean.low is not None and mean.high is not None
        covered += mean.low < expected < mean.high
    assert covered >= 90


def test_a_whole_weight_is_a_patient_with_several_rows() -> None:
    rng = np.random.default_rng(1)
    time, event, weights = rng.exponential(1, 300), rng.random(300) < 0.6, rng.integers(1, 4, 300)
    repeated = np.repeat(np.arange(300), weights)
    one = KaplanMeier.of(times(time, event, weights))
    other = KaplanMeier.of(times(time[repeated], event[repeated], patients=repeated))
    assert one.estimate(0.7).as_dict() == other.estimate(0.7).as_dict()
    assert one.restricted_mean(1.0)[1] == pytest.approx(other.restricted_mean(1.0)[1])


def test_equal_rates_have_no_difference_and_others_theirs() -> None:
    real, holdout = exponential(3000, seed=1), exponential(3000, seed=2)
    same = found(real, exponential(3000, seed=3), holdout=holdout)
    gap = same["restricted_mean"]["difference"]
    assert gap["low"] <= 0 <= gap["high"] and "chance explains." in same["sentence"]
    assert same["restricted_mean"]["holdout_difference"]["low"] <= 0
    longer = found(real, exponential(3000, seed=4, mean=400.0), holdout=holdout)
    horizon = longer["horizon"]
    expected = sum(sign * mean * (1 - math.exp(-horizon / mean)) for sign, mean in ((1, 400), (-1, 200)))
    gap = longer["restricted_mean"]["difference"]
    assert gap["low"] < expected < gap["high"] and gap["low"] > 0
    assert "more than chance explains" in longer["sentence"]


def test_a_copy_has_no_difference_at_all() -> None:
    real = exponential(1000, seed=5)
    entry = found(real, real, holdout=real)
    assert entry["restricted_mean"]["difference"]["value"] == 0
    assert all(point["real"] == point["synthetic"] for point in entry["curve"])


def test_each_step_sums_up_the_events_of_enough_real_patients() -> None:
    real = exponential(600, seed=6, mean=2000.0)
    entry = found(real, exponential(600, seed=7))
    marks = [point["time"] for point in entry["curve"]]
    deaths = real.loc[real["died_in_hospital"].astype(bool), "length_of_stay_hours"].to_numpy()
    between = [((deaths > a) & (deaths <= b)).sum() for a, b in zip([-1, *marks[1:-1]], marks[1:], strict=True)]
    assert len(marks) > 3 and all(count == 0 or count >= 11 for count in between)
    assert marks[0] == 0 and marks[-1] == entry["horizon"]
    fine = found(real, exponential(600, seed=7), minimum=1)
    assert len(fine["curve"]) > len(marks)


def test_events_of_one_patient_are_one_event() -> None:
    real = exponential(600, seed=8)
    deaths = real["died_in_hospital"].astype(bool)
    real.loc[deaths, "patient_id"] = "one"
    assert found(real, real)["reason"] == "Not assessable: fewer than 11 real patients have the event."


def test_numbers_at_risk_are_rounded_and_the_few_not_told() -> None:
    real = exponential(300, seed=9)
    entry = found(real, exponential(3000, seed=10))
    for row in entry["at_risk"]:
        exact = int((real["length_of_stay_hours"] >= row["time"]).sum())
        assert row["real"] is None or (row["real"] % 10 == 0 and abs(row["real"] - exact) <= 5)
        assert (row["real"] is None) == (exact < 11)
    text = json.dumps(entry)
    assert f"{real['length_of_stay_hours'].max():.3f}" not in text
    assert found(real, real, minimum=1)["at_risk"][0]["real"] == 300


def test_fewer_than_the_minimum_at_risk_are_never_told() -> None:
    tables = {"real": times(np.arange(30), np.ones(30)), "synthetic": times(np.arange(30), np.ones(30))}
    assert _at_risk(tables, 22.0, 11) == {"time": 22.0, "real": None, "real_text": "<11", "synthetic": 8}
    assert _at_risk(tables, 19.0, 11)["real"] == 10


def test_the_horizon_is_round_and_reached_by_enough_rows() -> None:
    real = exponential(2000, seed=11)
    entry = found(real, exponential(2000, seed=12))
    assert entry["horizon"] % 24 == 0
    assert (real["length_of_stay_hours"] >= entry["horizon"]).mean() >= 0.05
    assert 4 <= len(entry["at_risk"]) <= 9


def test_weights_move_the_real_curve() -> None:
    real, synthetic = exponential(2000, seed=13), exponential(2000, seed=14)
    weights = np.where(real["died_in_hospital"].astype(bool), 1.5, 0.5)
    plain, weighted = found(real, synthetic), found(real, synthetic, weights=weights)
    assert weighted["restricted_mean"]["real"]["value"] < plain["restricted_mean"]["real"]["value"] - 5
    assert weighted["restricted_mean"]["synthetic"] == plain["restricted_mean"]["synthetic"]


def test_what_cannot_be_assessed() -> None:
    real = exponential(500, seed=15)
    none = real.assign(died_in_hospital=pd.array([False] * 500, dtype="boolean"))
    assert "fewer than 11 real patients have the event" in found(none, real)["reason"]
    assert "lacks the event or its time" in found(real, real.drop(columns="died_in_hospital"))["reason"]
    assert "fewer than 11 synthetic rows" in found(real, real.head(5))["reason"]
    # A cohort in which nobody dies is a finding.
    assert found(real, none)["restricted_mean"]["difference"]["low"] > 0
    zero = real.assign(length_of_stay_hours=0.0)
    assert "followed for any time" in found(zero, zero)["reason"]
    entry = found(real, real)
    assert "too few hold-out patients" in entry["restricted_mean"]["holdout"]["reason"]
    with pytest.raises(UserError, match="has no time"):
        survival(sample(real), sample(real), cohort(real), SCHEMA, OUTCOMES["died_in_hospital"], minimum=11)
