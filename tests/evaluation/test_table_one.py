"""Table 1: figures by hand, differences against the package tableone, and small cells that stay unknown."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.cells import Sample
from engine.evaluation.standardised import moments, number_difference, quantiles, share_difference
from engine.evaluation.table_lines import lines
from engine.evaluation.table_one import table_one
from engine.schema.table import Column, Kind, TableSchema, conform

AGE = Column(name="age", kind=Kind.NUMERIC, label="Age", unit="years", decimals=0)
WARD = Column(name="ward", kind=Kind.CATEGORICAL, label="Ward")
DIED = Column(name="died", kind=Kind.BOOLEAN, label="Died")
ADMITTED = Column(name="admitted", kind=Kind.DATE, label="Admitted")


def table(column: Column, real, synthetic, holdout=None, *, minimum=11, patients=None, **options):
    schema = TableSchema(columns=(column,))

    def sample(values, of=None):
        return Sample(conform(pd.DataFrame({column.name: values}), schema), of)

    samples = {
        "real": sample(real, patients),
        "synthetic": sample(synthetic),
        "holdout": sample(real if holdout is None else holdout),
    }
    return table_one(samples, [column], minimum=minimum, **options)


def only(*arguments, **options):
    return table(*arguments, **options)["columns"][0]


def texts(entry, which="real"):
    return {category["label"]: category[which]["text"] for category in entry["categories"]}


def test_numbers_by_hand():
    real = [*([40.0] * 25), *([60.0] * 50), *([80.0] * 25), *([None] * 25)]
    entry = only(AGE, real, [50.0, 70.0] * 50)
    found = entry["tables"]["real"]
    # Variance: (50 · 400) / 99, an SD of 14.2.
    assert found["mean_sd"] == "60.0 (14.2)"
    assert found["median_iqr"] == "60.0 [55.0, 65.0]"
    assert found["missing"] == {"rows": 25, "share": 0.2, "text": "25 (20.0%)"}
    assert entry["tables"]["synthetic"]["missing"]["text"] == "0 (0.0%)"
    assert entry["smd"]["synthetic"]["value"] == 0
    assert entry["unit"] == "years"


def test_categories_by_hand():
    entry = only(WARD, ["A"] * 60 + ["B"] * 40, ["A"] * 30 + ["B"] * 70)
    assert texts(entry) == {"A": "60 (60.0%)", "B": "40 (40.0%)"}
    assert texts(entry, "synthetic") == {"A": "30 (30.0%)", "B": "70 (70.0%)"}
    assert entry["smd"]["synthetic"]["value"] == pytest.approx(0.3 / np.sqrt((0.24 + 0.21) / 2), abs=5e-4)
    assert entry["smd"]["holdout"]["value"] == 0


def test_dates_have_a_median_and_no_mean():
    days = pd.Timestamp("2150-01-01") + pd.to_timedelta(np.arange(101), unit="D")
    entry = only(ADMITTED, days, days + pd.Timedelta(days=29))
    assert entry["tables"]["real"]["median_iqr"] == "2150-02-20 [2150-01-26, 2150-03-17]"
    assert entry["tables"]["real"]["mean"] is None
    assert entry["smd"]["synthetic"]["value"] == pytest.approx(29 / np.std(np.arange(101), ddof=1), abs=5e-4)


@pytest.mark.parametrize("shift", [0.1, 0.5, -1.0])
def test_a_known_shift_is_its_own_difference(shift):
    values = np.random.default_rng(0).normal(0, 1, 50_000)
    entry = only(Column(name="x", kind=Kind.NUMERIC), values, values + shift * np.std(values, ddof=1))
    assert entry["smd"]["synthetic"]["value"] == pytest.approx(shift, abs=1e-3)


def test_differences_agree_with_the_package_tableone():
    from tableone import TableOne

    rng = np.random.default_rng(4)
    frames = {
        "real": {"age": rng.normal(60, 10, 700), "ward": rng.choice(list("ABCD"), 700, p=[0.4, 0.3, 0.2, 0.1])},
        "synthetic": {"age": rng.normal(66, 14, 500), "ward": rng.choice(list("ABCD"), 500, p=[0.1, 0.3, 0.3, 0.3])},
    }
    both = pd.concat([pd.DataFrame(frame).assign(table=name) for name, frame in frames.items()], ignore_index=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = TableOne(both, columns=["age", "ward"], categorical=["ward"], groupby="table", smd=True, pval=False)
    columns = [Column(name="age", kind=Kind.NUMERIC), WARD]
    samples = {
        name: Sample(conform(pd.DataFrame(frame), TableSchema(columns=tuple(columns))))
        for name, frame in frames.items()
    }
    ours = {c["name"]: c["smd"]["synthetic"]["value"] for c in table_one(samples, columns, minimum=11)["columns"]}
    for name, value in ours.items():
        figure = theirs.smd_table.loc[theirs.smd_table.index.get_level_values(0).str.startswith(name)].iloc[0, 0]
        assert value == pytest.approx(float(figure), abs=2e-3)


def test_weights_are_as_if_rows_were_repeated():
    rng = np.random.default_rng(5)
    values, times = rng.normal(0, 1, 400), rng.integers(1, 4, 400)
    repeated = np.repeat(values, times)
    mean, sd = moments(values, times / times.mean())
    assert (mean, sd) == pytest.approx((repeated.mean(), repeated.std(ddof=0)), rel=2e-3)
    expected = [np.quantile(repeated, level, method="inverted_cdf") for level in (0.25, 0.5, 0.75)]
    assert quantiles(values, (0.25, 0.5, 0.75), times.astype(float)) == expected


def test_a_weighted_table_has_shares_and_no_counts():
    weights = {"real": np.array([2.0] * 100 + [2 / 3] * 300)}
    result = table(WARD, ["A"] * 100 + ["B"] * 300, ["A"] * 50 + ["B"] * 50, weights=weights)
    entry = result["columns"][0]
    assert texts(entry) == {"B": "50.0%", "A": "50.0%"}
    assert entry["smd"]["synthetic"]["value"] == 0
    assert entry["smd"]["holdout"]["value"] > 0.5
    assert result["tables"]["real"]["weighted"]
    assert any("weighted" in note for note in result["notes"])


def test_rows_without_weight_have_no_part():
    weights = {"real": np.array([0.0] * 50 + [2.0] * 50)}
    entry = only(AGE, [10.0] * 50 + list(range(50)), range(50), weights=weights)
    assert entry["tables"]["real"]["mean"] == pytest.approx(24.5)


def test_singular_shares():
    assert share_difference(np.array([1.0, 0.0]), np.array([1.0, 0.0])) == 0
    assert share_difference(np.array([1.0, 0.0]), np.array([0.0, 1.0])) is None
    assert share_difference(np.array([0.5, 0.5, 0.0]), np.array([0.5, 0.5, 0.0])) == 0
    assert number_difference((3.0, 0.0), (3.0, 0.0)) == 0
    assert number_difference((3.0, 0.0), (4.0, 0.0)) is None


def test_copies_do_not_differ():
    rng = np.random.default_rng(6)
    for column, values in (
        (AGE, rng.normal(60, 9, 200)),
        (WARD, rng.choice(list("ABC"), 200)),
        (DIED, [True, False] * 100),
    ):
        assert only(column, values, values)["smd"]["synthetic"] == {"value": 0, "reason": ""}


# Small cells.


def test_a_few_missing_values_take_the_counts_with_them():
    # 100 rows, 60 and 36 of them with a value: the counts would say that four have none.
    entry = only(WARD, ["A"] * 60 + ["B"] * 36 + [None] * 4, ["A"] * 100)
    assert entry["tables"]["real"]["missing"] == {"rows": None, "share": None, "text": "fewer than 11 patients"}
    assert [category["real"]["rows"] for category in entry["categories"]] == [None, None]
    assert texts(entry) == {"A": "62%", "B": "38%"}


def test_a_boolean_of_a_few_patients_tells_neither_side_nor_a_difference():
    entry = only(DIED, [True] * 4 + [False] * 96, [True] * 10 + [False] * 90)
    assert texts(entry) == {"Yes": "fewer than 11 patients", "No": "all but fewer than 11 patients"}
    assert entry["smd"]["synthetic"]["value"] is None
    assert texts(entry, "synthetic") == {"Yes": "10 (10.0%)", "No": "90 (90.0%)"}


def test_two_categories_of_ten_each_are_not_given_away_by_their_sum():
    entry = only(WARD, ["A"] * 50 + ["B"] * 50 + ["C"] * 10 + ["D"] * 10, ["A"] * 100)
    assert all(category["real"]["rows"] is None for category in entry["categories"])
    known = only(WARD, ["A"] * 50 + ["B"] * 50 + ["C"] * 8 + ["D"] * 7, ["A"] * 100)
    assert [category["real"]["rows"] for category in known["categories"]] == [50, 50, 15]


def test_small_cells_of_the_holdout_take_another_with_them():
    real = ["A"] * 60 + ["B"] * 40 + ["C"] * 50
    entry = only(WARD, real, real, ["A"] * 30 + ["B"] * 4 + ["C"] * 20)
    shown = {category["label"]: category["holdout"]["rows"] for category in entry["categories"]}
    assert shown == {"A": 30, "B": None, "C": None}
    # What is not shown counts as one category: 30 of 54 beside 60 of 150.
    p, q = 30 / 54, 60 / 150
    assert entry["smd"]["holdout"]["value"] == pytest.approx(
        (p - q) / np.sqrt((p * (1 - p) + q * (1 - q)) / 2), abs=5e-4
    )


def test_a_total_that_is_not_told_cannot_be_added_up():
    result = table(WARD, ["A"] * 60 + ["B"] * 40, ["A"] * 100, counted=("holdout",))
    assert result["tables"]["real"] == {"rows": None, "patients": None, "text": "not shown", "weighted": False}
    assert [category["real"]["rows"] for category in result["columns"][0]["categories"]] == [None, None]
    assert result["columns"][0]["tables"]["real"]["missing"]["rows"] is None


def test_few_patients_with_many_rows():
    patients = np.repeat(np.arange(5), 20)
    entry = only(AGE, range(100), range(100), patients=patients)
    assert entry["reason"] == "Fewer than 11 real patients have a value."
    assert "mean" not in entry["tables"]["real"]


@pytest.mark.parametrize("few", [1, 4, 10])
@pytest.mark.parametrize("rows", [60, 129, 1000])
def test_no_subtraction_brings_a_small_count_back(rows, few):
    """Every number of missing values from 1 to 10 that gives the same table is possible; there are several."""

    def shown(missing: int, first: int):
        values = ["A"] * first + ["B"] * (rows - first - missing) + [None] * missing
        entry = only(WARD, values, ["A", "B"] * 20)
        return json.dumps([texts(entry), entry["tables"]["real"], entry["smd"]["synthetic"]], sort_keys=True)

    told = shown(few, rows // 2)
    near = range(rows // 2 - 5, rows // 2 + 6)
    assert sum(any(shown(missing, first) == told for first in near) for missing in range(1, 11)) >= 3


def test_lines_read_as_a_table():
    result = table(AGE, [*range(100), *([None] * 20)], range(100))
    found = lines(result)
    assert [line["statistic"] for line in found] == ["n", "mean (SD)", "median [Q1, Q3]", "n (%)"]
    assert found[1]["characteristic"] == "Age (years)"
    assert found[1]["smd_synthetic"] == "0.00"
    assert found[0]["real"] == "120 rows"
    assert found[3]["real"] == "20 (16.7%)"
    assert len({tuple(line) for line in found}) == 1


def test_nobody_is_an_answer_too():
    entry = only(AGE, [None] * 40, [1.0] * 40, [])
    assert entry["reason"] == "No real patient has a value."
    assert entry["tables"]["holdout"]["missing"]["text"] == "no rows"
    assert only(AGE, [1.0, 2.0] * 20, [None] * 40)["smd"]["synthetic"]["value"] is None
    empty = only(WARD, ["A", "B"] * 20, [None] * 40)
    assert empty["smd"]["synthetic"]["value"] is None
    assert texts(empty, "synthetic") == {"A": "no rows with a value", "B": "no rows with a value"}
