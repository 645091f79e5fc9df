"""What one column's entry shows, and what it never does."""

import json

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.cells import Sample
from engine.evaluation.columns import describe
from engine.evaluation.profile import profile
from engine.schema.table import Column, Kind, Role, TableSchema, conform


def entry(column: Column, real, synthetic=None, holdout=None, *, patients=None, minimum: int = 11):
    def sample(values, who=None):
        schema = TableSchema(columns=(column,))
        return Sample(conform(pd.DataFrame({column.name: values}), schema), who)

    tables = {"real": sample(real, patients)}
    if synthetic is not None:
        tables |= {"holdout": sample([] if holdout is None else holdout), "synthetic": sample(synthetic)}
    return describe(tables, column, minimum=minimum)


NUMBER = Column(name="x", kind=Kind.NUMERIC, unit="mg/dL", decimals=1)
WORD = Column(name="x", kind=Kind.CATEGORICAL)
FLAG = Column(name="x", kind=Kind.BOOLEAN)


def test_identical_tables_have_identical_shares():
    values = np.random.default_rng(0).normal(100, 10, 1000).round(1)
    found = entry(NUMBER, values, values, values)
    for cell in found["bins"]:
        assert cell["real"] == pytest.approx(cell["synthetic"], abs=0.001)
        assert cell["holdout"] in (None, cell["real"])
    assert found["similarity"] == {"metric": "KS complement", "synthetic": 1.0, "holdout": 1.0}
    assert sum(cell["synthetic"] for cell in found["bins"]) == pytest.approx(1, abs=0.005)
    assert found["stats"]["real"] == found["stats"]["synthetic"]


def test_a_shift_is_seen_in_the_ks_complement():
    values = np.arange(1000.0)
    assert entry(NUMBER, values, values + 250)["similarity"]["synthetic"] == pytest.approx(0.75)


def test_shares_of_categories_by_hand():
    found = entry(WORD, ["a"] * 60 + ["b"] * 40, ["a"] * 50 + ["b"] * 30 + ["c"] * 20)
    assert [(b["label"], b["real"], b["synthetic"]) for b in found["bins"]] == [
        ("a", 0.6, 0.5),
        ("b", 0.4, 0.3),
        ("in no real row (1 category)", 0.0, 0.2),
    ]
    assert found["similarity"]["synthetic"] == pytest.approx(0.8)


def test_missing_shares():
    found = entry(NUMBER, [1.0] * 50 + [None] * 50, [1.0] * 75 + [None] * 25)
    assert found["missing"]["real"] == 0.5
    assert found["missing"]["synthetic"] == 0.25
    few = entry(NUMBER, [1.0] * 95 + [None] * 5, [1.0] * 75)
    assert few["missing"]["real"] is None
    assert few["missing"]["note"] == "fewer than 11 patients"


def test_a_planted_patient_appears_nowhere():
    rng = np.random.default_rng(0)
    numbers = np.append(rng.normal(100, 10, 500).round(1), 777.7)
    found = json.dumps(entry(NUMBER, numbers, numbers))
    assert "777" not in found
    words = ["flu"] * 300 + ["cold"] * 200 + ["kuru"]
    assert "kuru" not in json.dumps(entry(WORD, words, words))
    low = json.dumps(entry(NUMBER, np.append(rng.normal(100, 10, 500).round(1), -55.5), numbers))
    assert "-55" not in low


def test_a_planted_extreme_of_the_real_rows_is_inside_an_open_end():
    numbers = np.append(np.random.default_rng(0).normal(100, 10, 500), 250)
    found = entry(NUMBER, numbers, numbers)
    assert found["bins"][-1]["high"] is None
    assert found["bins"][-1]["label"].endswith("or more")


def test_each_bin_of_real_rows_holds_the_minimum():
    rng = np.random.default_rng(4)
    for n in (30, 90, 400):
        numbers = rng.normal(0, 1, n)
        for cell in entry(NUMBER, numbers, rng.normal(0, 2, 500))["bins"]:
            assert cell["real"] == 0 or cell["real"] >= 11 / n - 0.02


def test_a_flag_of_few_patients_hides_both_shares_and_what_tells_them():
    found = entry(FLAG, [True] * 4 + [False] * 96, [True] * 10 + [False] * 90)
    assert [b["label"] for b in found["bins"]] == ["Yes", "No"]
    assert [b["real"] for b in found["bins"]] == [None, None]
    assert [b["synthetic"] for b in found["bins"]] == [0.1, 0.9]
    assert found["bins"][0]["note"] == "fewer than 11 patients"
    # The distance would give the share back.
    assert "synthetic" not in found.get("similarity", {})


def test_the_distance_of_a_pool_is_that_of_its_bar():
    real, synthetic = ["a"] * 89 + ["b"] * 7 + ["c"] * 4, ["a"] * 89 + ["b"] * 4 + ["c"] * 7
    found = entry(WORD, real, synthetic)
    assert [b["label"] for b in found["bins"]] == ["a", "fewer than 11 each (2 categories)"]
    assert found["similarity"]["synthetic"] == 1.0


def test_rows_of_one_patient_are_not_many_patients():
    found = entry(NUMBER, np.arange(100.0), np.arange(100.0), patients=np.zeros(100, dtype=int))
    assert not found["shown"]
    assert "stats" not in found
    assert "bins" not in found


@pytest.mark.parametrize("column", [NUMBER, WORD, FLAG, Column(name="x", kind=Kind.DATE)])
def test_too_few_values_are_not_shown(column):
    found = entry(column, [None] * 90, [None] * 50)
    assert not found["shown"]
    assert found["reason"] == "No real patient has a value."
    value = {Kind.NUMERIC: 1.5, Kind.CATEGORICAL: "a", Kind.BOOLEAN: True, Kind.DATE: "2150-01-01"}[column.kind]
    found = entry(column, [value] * 7 + [None] * 90, [value] * 50)
    assert not found["shown"]
    assert "11" in found["reason"]


def test_categories_of_few_patients_each_are_not_shown():
    found = entry(WORD, [f"c{i}" for i in range(100)], ["c1"] * 20)
    assert not found["shown"]
    assert found["reason"] == "Each category has fewer than 11 real patients."


def test_quantiles_need_patients_on_either_side():
    stats = entry(NUMBER, np.arange(30.0), np.arange(30.0))["stats"]
    assert stats["real"]["median"] is not None
    assert stats["real"]["q1"] is None
    assert stats["synthetic"]["q1"] is not None


def test_a_hold_out_of_few_patients_is_not_told_apart():
    values = np.random.default_rng(0).normal(100, 10, 400)
    found = entry(NUMBER, values, values, values[:5])
    assert all(cell["holdout"] is None for cell in found["bins"])
    assert "holdout" not in found["similarity"]
    assert all(value is None for value in found["stats"]["holdout"].values())


def test_ages_and_stages_keep_their_order():
    words = ["[40-50)"] * 20 + ["[50-60)"] * 90 + ["[60-70)"] * 50
    assert [b["label"] for b in entry(WORD, words, words)["bins"]] == ["[40-50)", "[50-60)", "[60-70)"]


def test_numbered_categories_count_up():
    words = ["10 Skin"] * 60 + ["2 Tumours"] * 20 + ["7 Heart"] * 90
    assert [b["label"] for b in entry(WORD, words, words)["bins"]] == ["2 Tumours", "7 Heart", "10 Skin"]


def test_a_public_bound_closes_the_end():
    values = np.abs(np.random.default_rng(0).normal(0, 10, 500))
    public = Column(name="x", kind=Kind.NUMERIC, decimals=1, minimum=0, maximum=100, bounds_are_public=True)
    assert entry(public, values, values)["bins"][0]["low"] == 0


def test_profile_of_a_table():
    rng = np.random.default_rng(0)
    schema = TableSchema(
        columns=(
            Column(name="who", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
            Column(name="hemoglobin", kind=Kind.NUMERIC, decimals=1, unit="g/dL", description="first value"),
            Column(name="sex", kind=Kind.CATEGORICAL),
            Column(name="note", kind=Kind.CATEGORICAL, role=Role.EXCLUDED),
        )
    )
    frame = pd.DataFrame(
        {
            "who": [str(i // 2) for i in range(200)],
            "hemoglobin": np.where(np.arange(200) < 50, np.nan, rng.normal(12, 2, 200).round(1)),
            "sex": ["F", "M"] * 100,
            "note": ["secret"] * 200,
        }
    )
    found = profile(conform(frame, schema), schema, small_cell_minimum=11)
    assert [p["name"] for p in found] == ["hemoglobin", "sex"]
    assert found[0]["present"] == 0.75
    assert found[0]["description"] == "first value"
    assert found[0]["stats"]["real"]["median"] == pytest.approx(12, abs=0.6)
    assert found[1]["categories"] == 2
    assert set(found[1]["bins"][0]) == {"label", "low", "high", "note", "real"}
    assert "secret" not in json.dumps(found, allow_nan=False)
