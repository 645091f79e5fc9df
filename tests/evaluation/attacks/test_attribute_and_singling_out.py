"""Attribute inference and singling out: risks of planted memorisers, and no alarm over what the population tells."""

import numpy as np
import pandas as pd
import pytest
from planted_memoriser import COLUMNS, HOLDOUT, SCHEMA, TRAIN, attacked, cohort, patients

from engine.evaluation.attacks import singling_out as module
from engine.evaluation.attacks.attribute import attribute_inference, secret_columns
from engine.evaluation.attacks.records import Coder, distances
from engine.evaluation.attacks.singling_out import Patients
from engine.schema.table import Column, Kind, TableSchema, conform


@pytest.fixture(scope="module")
def by_share():
    return {share: attacked(cohort(share)) for share in (0.0, 0.25, 0.5, 1.0)}


@pytest.mark.parametrize("attack", ["attribute", "singling_out"])
def test_an_independent_cohort_has_no_risk(by_share, attack: str) -> None:
    entry = by_share[0.0][attack]
    assert entry["risk"]["low"] <= 0 <= entry["risk"]["high"]
    assert entry["chance"]["low"] < 0 < entry["chance"]["high"]
    assert entry["verdict"] != "leak"


@pytest.mark.parametrize(("attack", "least"), [("attribute", 0.6), ("singling_out", 0.6)])
def test_a_memoriser_has_a_high_risk_and_half_of_one_less(by_share, attack: str, least: float) -> None:
    risks = [by_share[share][attack]["risk"]["value"] for share in by_share]
    assert risks == sorted(risks)
    assert risks[-1] > least
    assert 0.15 < risks[2] < risks[-1] - 0.1
    assert [by_share[share][attack]["verdict"] for share in (0.5, 1.0)] == ["leak", "leak"]


def test_risks_of_independent_cohorts_cover_zero() -> None:
    covered = {"attribute": 0, "singling_out": 0}
    for seed in range(10, 40):
        tables = {"train": patients(250, seed=3 * seed), "holdout": patients(150, seed=3 * seed + 1)}
        entry = attacked(patients(250, seed=3 * seed + 2), seed=seed, **tables)
        for attack in covered:
            covered[attack] += entry[attack]["risk"]["low"] <= 0 <= entry[attack]["risk"]["high"]
    assert min(covered.values()) >= 26


def test_what_the_population_tells_is_no_risk() -> None:
    def tables(seed: int) -> pd.DataFrame:
        frame = patients(900, seed=seed)
        # The ward follows from the diagnosis in nine of ten patients, in the training and outside.
        rng = np.random.default_rng(seed)
        same = rng.random(900) < 0.9
        ward = np.where(same, frame["diagnosis"].astype(str), rng.choice(list("PQRSTU"), 900))
        return frame[["diagnosis", "died"]].assign(ward=pd.Series(ward).astype("category"))

    columns = (*(SCHEMA[name] for name in ("diagnosis", "died")), Column(name="ward", kind=Kind.CATEGORICAL))
    train, holdout, synthetic = (tables(seed) for seed in (1, 2, 3))
    entry = attacked(synthetic, train=train, holdout=holdout, schema=TableSchema(columns=columns))
    ward = next(one for one in entry["attribute"]["secrets"] if one["name"] == "ward")
    assert ward["attack"]["value"] > 0.7 > 0.3 > ward["baseline"]["value"]
    assert ward["risk"]["low"] <= 0 <= ward["risk"]["high"]
    assert ward["verdict"] != "leak"
    assert entry["attribute"]["verdict"] != "leak"
    assert entry["copies"]["verdict"] != "leak"


def test_an_attack_that_cannot_beat_guessing_says_so() -> None:
    rng = np.random.default_rng(0)
    columns = tuple(Column(name=name, kind=Kind.CATEGORICAL) for name in "abcd")

    def noise() -> pd.DataFrame:
        return pd.DataFrame({one.name: rng.choice(list("12345"), 600) for one in columns})

    tables = [conform(noise(), TableSchema(columns=columns)) for _ in range(3)]
    entry = attacked(tables[0], train=tables[1], holdout=tables[2], schema=TableSchema(columns=columns))
    assert entry["attribute"]["verdict"] == "too_weak"


def test_the_secret_is_not_used_to_find_the_nearest_record() -> None:
    coder = Coder.of((TRAIN, HOLDOUT), TRAIN, COLUMNS)
    first, second = coder.records(TRAIN.head(40)), coder.records(HOLDOUT.head(60))
    whole = distances(first, second)
    parts = [coder.part(first, second, place) for place in range(len(COLUMNS))]
    assert np.allclose(sum(parts), whole)
    for place, column in enumerate(COLUMNS):
        others = Coder.of((TRAIN, HOLDOUT), TRAIN, [one for one in COLUMNS if one is not column])
        apart = distances(others.records(TRAIN.head(40)), others.records(HOLDOUT.head(60)))
        assert np.allclose(whole - parts[place], apart)


def test_distances_of_a_hand_solved_case() -> None:
    columns = (Column(name="x", kind=Kind.NUMERIC), Column(name="c", kind=Kind.CATEGORICAL))
    scale = pd.DataFrame({"x": np.linspace(0, 100, 1001), "c": pd.Categorical(["a"] * 1001)})
    rows = pd.DataFrame({"x": [0.0, 45.0, np.nan, 90.0], "c": pd.Categorical(["a", "b", None, "a"])})
    coder = Coder.of((scale,), rows, columns)
    # The range is 5 to 95, so 45 is half of it; a missing number stands in the middle (50) and differs by one more.
    found = distances(coder.records(rows), coder.records(rows))
    assert found[0] == pytest.approx([0, 0.5 + 1, 50 / 90 + 1 + 1, 1.0])
    assert np.allclose(found, found.T) and np.allclose(np.diag(found), 0)


def test_a_value_that_everyone_shares_is_no_secret() -> None:
    frame = TRAIN.assign(unit=pd.Categorical(["A"] * 1195 + ["B"] * 5))
    coder = Coder.of((frame,), frame, COLUMNS)
    chosen = secret_columns(coder.records(frame), coder, np.random.default_rng(0))
    names = {COLUMNS[place].name for place in chosen}
    assert "unit" not in names and {"age", "diagnosis", "sex"} <= names


def test_conditions_fit_their_source_alone() -> None:
    coder = Coder.of((TRAIN, HOLDOUT), TRAIN, COLUMNS)
    records, rng = coder.records(TRAIN), np.random.default_rng(0)
    medians = np.nanmedian(records.values, axis=0)
    for source in range(40):
        condition = module._condition(records, source, medians, coder, rng)
        if condition is not None:
            assert list(module._fitting(records.values, condition)) == [source]


def test_repeated_synthetic_rows_hide_no_memory() -> None:
    twice = conform(pd.concat([TRAIN, TRAIN], ignore_index=True), SCHEMA)
    assert attacked(twice)["singling_out"]["risk"]["value"] > 0.6


@pytest.mark.parametrize(("trained", "held"), [(1200, 300), (300, 1200)])
def test_sizes_of_the_tables_make_no_alarm(trained: int, held: int) -> None:
    risks = []
    for seed in range(60, 68):
        tables = {"train": patients(trained, seed=3 * seed), "holdout": patients(held, seed=3 * seed + 1)}
        risks.append(attacked(patients(800, seed=3 * seed + 2), **tables)["singling_out"]["risk"]["value"])
    assert abs(np.mean(risks)) < 0.04


def test_too_few_patients_are_not_assessable() -> None:
    few = attacked(cohort(0.0), holdout=HOLDOUT.head(20))
    for attack in ("attribute", "singling_out", "membership", "closest"):
        assert few[attack]["reason"].startswith("Not assessable")
    coder = Coder.of((TRAIN,), TRAIN, COLUMNS[:1])
    records = coder.records(TRAIN)
    alone = attribute_inference(records, records, records, coder, np.random.default_rng(0), minimum=11)
    assert alone["reason"].startswith("Not assessable")
    empty = Patients.of(
        (records, np.arange(len(records))), (records.take(np.arange(0)), np.arange(0)), np.random.default_rng(0)
    )
    assert empty.fewest == 0
