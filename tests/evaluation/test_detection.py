"""The classifier two-sample test on tables where it is known what can be told apart, and by what."""

import json
import time

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.cells import Sample
from engine.evaluation.detection import detection
from engine.evaluation.prediction_scores import Truth
from engine.evaluation.telling import Coded, alone, log_ratios, pairs
from engine.schema.table import Column, Kind, TableSchema, conform

COLUMNS = (
    Column(name="age", kind=Kind.NUMERIC, label="Age"),
    Column(name="weight", kind=Kind.NUMERIC, label="Weight"),
    Column(name="ward", kind=Kind.CATEGORICAL, label="Ward"),
    Column(name="died", kind=Kind.BOOLEAN, label="Died"),
    Column(name="empty", kind=Kind.NUMERIC),
    Column(name="rare", kind=Kind.NUMERIC),
)


def rows(n: int, seed: int, *, shift: float = 0.0, correlation: float = 0.9, missing: float = 0.1) -> Sample:
    rng = np.random.default_rng(seed)
    age = rng.normal(0, 1, n)
    frame = pd.DataFrame(
        {
            "age": age + shift,
            "weight": correlation * age + np.sqrt(1 - correlation**2) * rng.normal(0, 1, n),
            "ward": rng.choice(list("ABC"), n),
            "died": rng.random(n) < 0.2,
            "empty": np.nan,
            "rare": [1.0] + [np.nan] * (n - 1),
        }
    )
    frame.loc[rng.random(n) < missing, "weight"] = np.nan
    return Sample(conform(frame, TableSchema(columns=COLUMNS)))


REAL, HOLDOUT = rows(1500, 1), rows(1200, 2)


def run(synthetic: Sample, *, real=REAL, holdout=HOLDOUT, columns=COLUMNS, **options):
    return detection(real, holdout, synthetic, columns, minimum=11, seed=7, **options)


def test_the_same_distribution_cannot_be_told():
    found = run(rows(1500, 3))
    for figure in found["auc"].values():
        assert figure["low"] < 0.5 < figure["high"]
        assert figure["high"] - figure["low"] < 0.1
    assert found["columns"] == []
    assert found["pairs"] == []


def test_the_interval_covers_one_half_as_often_as_it_says():
    columns = COLUMNS[2:4]
    covered = 0
    for seed in range(20):
        figure = run(rows(300, 100 + seed), real=rows(300, 200 + seed), holdout=rows(10, 0), columns=columns)
        covered += figure["auc"]["synthetic"]["low"] < 0.5 < figure["auc"]["synthetic"]["high"]
    assert covered >= 17


@pytest.mark.parametrize("shift", [0.5, 1.0])
def test_a_shift_is_told_as_well_as_it_can_be(shift):
    from scipy.stats import norm

    plain = {"real": rows(1500, 5, correlation=0.0), "holdout": rows(1000, 6, correlation=0.0)}
    found = run(rows(1500, 4, shift=shift, correlation=0.0), **plain)
    # Two normal distributions of variance one.
    assert found["auc"]["synthetic"]["value"] == pytest.approx(norm.cdf(shift / np.sqrt(2)), abs=0.04)
    first = found["columns"][0]
    assert first["name"] == "age"
    assert first["drop"]["synthetic"] == pytest.approx(found["auc"]["synthetic"]["value"] - 0.5, abs=0.05)
    assert abs(first["drop"]["holdout"]) < 0.05
    assert "Age" in found["sentence"]


def test_a_broken_correlation_is_told_by_the_pair():
    found = run(rows(1500, 6, correlation=0.0))
    assert found["auc"]["synthetic"]["value"] > 0.7
    pair = found["pairs"][0]
    assert set(pair["names"]) == {"age", "weight"}
    assert max(pair["alone"]) < 0.55
    assert pair["auc"]["synthetic"] > 0.7
    assert pair["auc"]["holdout"] < 0.55
    assert {one["name"] for one in found["columns"][:2]} == {"age", "weight"}


def test_missing_values_give_a_table_away():
    found = run(rows(1500, 8, missing=0.6))
    assert found["columns"][0]["name"] == "weight"
    # Of 0.6 against 0.1 missing: 0.5 + (0.6 - 0.1) / 2.
    assert found["columns"][0]["alone"]["synthetic"] == pytest.approx(0.75, abs=0.03)


def test_copies_are_below_guessing_and_said():
    found = run(Sample(REAL.frame))
    assert found["auc"]["synthetic"]["high"] < 0.5
    assert "stand beside real ones" in found["sentence"]


def test_weights_on_the_real_side():
    real = rows(3000, 9)
    died = real.frame["died"].to_numpy(dtype=bool)
    weights = np.where(died, 0.6 / died.mean(), 0.4 / (1 - died.mean()))
    synthetic = real.take(np.random.default_rng(0).choice(3000, 3000, p=weights / weights.sum()))
    fresh = Sample(rows(3000, 10).frame.assign(died=synthetic.frame["died"].to_numpy()))
    assert run(fresh, real=real)["columns"][0]["name"] == "died"
    weighted = run(fresh, real=real, weights=weights)
    assert weighted["auc"]["synthetic"]["low"] < 0.5 < weighted["auc"]["synthetic"]["high"]
    assert not weighted["columns"]


def test_the_rows_of_a_patient_stay_together():
    """Sixty patients of many alike rows: a classifier that saw some of a patient's rows would know the others."""

    def many(seed: int) -> Sample:
        base = rows(60, seed)
        return Sample(base.frame.loc[np.repeat(np.arange(60), 20)].reset_index(drop=True), np.repeat(np.arange(60), 20))

    real, synthetic = many(12), many(13)
    apart = run(Sample(synthetic.frame), real=Sample(real.frame))["auc"]["synthetic"]["value"]
    together = run(synthetic, real=real)["auc"]["synthetic"]
    assert apart > 0.75
    assert together["low"] < 0.5 < together["high"]


def test_too_few_patients_and_no_column():
    assert "fewer than 50 real patients" in run(rows(100, 1), real=rows(30, 2))["reason"]
    assert "fewer than 50 synthetic patients" in run(rows(30, 1))["reason"]
    assert "no column" in run(rows(100, 1), columns=())["reason"]
    alone_ = run(rows(200, 1), holdout=rows(20, 3))
    assert alone_["auc"]["holdout"]["value"] is None
    assert "fewer than 50 held-out patients" in alone_["auc"]["holdout"]["reason"]
    json.dumps(alone_, allow_nan=False)


def test_the_same_seed_gives_the_same_answer():
    synthetic = rows(400, 14, shift=0.3)
    assert run(synthetic) == run(synthetic)


def test_areas_over_cells_are_cross_fitted():
    rng = np.random.default_rng(15)
    value, folds = np.repeat([0, 1], 2000), np.tile(np.arange(5), 800)
    matrix = np.column_stack([rng.random((4000, 6)), value + rng.normal(0, 1, 4000)])
    coded = Coded.of(matrix, [], Truth(value, np.ones(4000), np.arange(4000)), folds)
    found, together = alone(coded), pairs(coded, range(7))
    assert np.abs(found.whole[:6] - 0.5).max() < 0.03
    assert found.whole[6] == pytest.approx(0.76, abs=0.02)
    assert np.abs(found.without[:, 6] - 0.76).max() < 0.03
    noise = together.whole[np.triu_indices(6, k=1)]
    assert noise.mean() == pytest.approx(0.5, abs=0.01)


def test_sixty_columns_of_ten_thousand_rows_take_seconds():
    rng = np.random.default_rng(16)
    columns = [Column(name=f"x{i}", kind=Kind.NUMERIC) for i in range(60)]
    schema = TableSchema(columns=tuple(columns))
    tables = [
        Sample(conform(pd.DataFrame(rng.normal(0, 1, (n, 60)), columns=schema.names), schema))
        for n in (8000, 2000, 10_000)
    ]
    started = time.process_time()
    found = detection(*tables, columns, minimum=11, seed=1)
    assert time.process_time() - started < 10
    assert found["auc"]["synthetic"]["low"] < 0.5 < found["auc"]["synthetic"]["high"]
    assert any("3,000 rows" in note for note in found["notes"])


def test_a_broken_correlation_among_forty_columns():
    """Trees that choose one column at a time reach 0.6 here; the cells of the pair reach what it tells."""
    rng = np.random.default_rng(17)
    columns = [Column(name=f"x{i}", kind=Kind.NUMERIC) for i in range(40)]
    schema = TableSchema(columns=tuple(columns))
    real, synthetic = rng.normal(0, 1, (2, 1500, 40))
    real[:, 1] = 0.9 * real[:, 0] + np.sqrt(0.19) * real[:, 1]
    tables = [Sample(conform(pd.DataFrame(values, columns=schema.names), schema)) for values in (real, synthetic)]
    found = detection(tables[0], tables[0].take(np.arange(0)), tables[1], columns, minimum=11, seed=1)
    assert found["auc"]["synthetic"]["value"] > 0.74
    assert found["pairs"][0]["names"] == ["x0", "x1"]


def test_ratios_are_learned_from_other_folds():
    mass = np.random.default_rng(18).uniform(1, 9, (3, 2, 4))
    found = log_ratios(mass, 0)
    assert found[0] == pytest.approx(np.log((mass[1:, 1].sum(0) + 1) / (mass[1:, 0].sum(0) + 1)))
    assert found[1] == pytest.approx(np.log((mass[2, 1] + 1) / (mass[2, 0] + 1)))
