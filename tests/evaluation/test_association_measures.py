"""Measures of association on tables where the answer is known."""

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.associations import (
    Coding,
    as_lists,
    association_matrix,
    correlation_ratio,
    cramers_v,
    mean_difference,
    strongest,
)
from engine.schema.table import Column, Kind, TableSchema, conform

RNG = np.random.default_rng(5)
SCHEMA = TableSchema(
    columns=(
        Column(name="x", kind=Kind.NUMERIC),
        Column(name="opposite", kind=Kind.INTEGER),
        Column(name="noise", kind=Kind.NUMERIC),
        Column(name="group", kind=Kind.CATEGORICAL),
        Column(name="copy", kind=Kind.CATEGORICAL),
        Column(name="flag", kind=Kind.BOOLEAN),
        Column(name="constant", kind=Kind.NUMERIC),
        Column(name="day", kind=Kind.DATE),
    )
)


def table(n: int = 3000) -> pd.DataFrame:
    x = RNG.integers(0, 3000, n)
    group = RNG.choice(list("abc"), n)
    frame = pd.DataFrame(
        {
            "x": np.exp(x / 500.0),
            "opposite": -x,
            "noise": RNG.normal(size=n),
            "group": group,
            "copy": np.char.upper(group.astype(str)),
            "flag": RNG.random(n) < 0.3,
            "constant": 1.0,
            "day": pd.Timestamp("2150-01-01") + pd.to_timedelta(x, unit="D"),
        }
    )
    return conform(frame, SCHEMA)


def matrix(frame: pd.DataFrame, **options) -> pd.DataFrame:
    coding = Coding.of(frame, SCHEMA.features)
    values = association_matrix(frame, SCHEMA.features, coding=coding, least_rows=20, **options)
    return pd.DataFrame(values, index=SCHEMA.names, columns=SCHEMA.names)


def test_known_associations():
    found = matrix(table())
    assert found.loc["x", "opposite"] == pytest.approx(-1)
    assert found.loc["x", "day"] == pytest.approx(1)
    assert found.loc["group", "copy"] == pytest.approx(1, abs=0.001)
    assert abs(found.loc["x", "noise"]) < 0.06
    assert found.loc["group", "flag"] < 0.06
    assert found.loc["group", "noise"] < 0.06
    assert found.drop(columns="constant").loc["constant"].isna().all()
    assert np.allclose(found, found.T, equal_nan=True)
    assert (np.diag(found) == 1).all()


def test_pearson_is_not_spearman():
    frame = table()
    assert -0.95 < matrix(frame, numeric="pearson").loc["x", "opposite"] < -0.5


def test_cramers_v_by_hand():
    # 2 x 2 with phi = 0.6 and n = 100: (0.36 - 1/99) / (1 - 1/99), square root.
    first, second = np.repeat([0, 0, 1, 1], [40, 10, 10, 40]), np.repeat([0, 1, 0, 1], [40, 10, 10, 40])
    assert cramers_v(first, second) == pytest.approx(np.sqrt((0.36 - 1 / 99) / (1 - 1 / 99)))


def test_cramers_v_of_many_independent_categories_is_near_zero():
    first, second = RNG.integers(0, 20, 400), RNG.integers(0, 20, 400)
    assert cramers_v(first, second) < 0.12


def test_correlation_ratio_by_hand():
    codes, numbers = np.repeat([0, 1], 50), np.repeat([1.0, 3.0], 50)
    assert correlation_ratio(codes, numbers[:, None])[0] == pytest.approx(1)
    numbers = np.tile([0.0, 2.0], 50) + np.repeat([0.0, 2.0], 50)
    # Between 1, within 1: eta squared is a half, adjusted 1 - 0.5 * 99 / 98.
    assert correlation_ratio(codes, numbers[:, None])[0] == pytest.approx(np.sqrt(1 - 0.5 * 99 / 98))
    # A row without a number counts for nothing.
    longer, codes = np.append(numbers, [np.nan, np.nan]), np.append(codes, [0, 1])
    assert correlation_ratio(codes, longer[:, None])[0] == pytest.approx(np.sqrt(1 - 0.5 * 99 / 98))


@pytest.mark.parametrize("values", [np.full(50, np.nan), np.full(50, 0.1), np.full(50, 1e9)])
def test_no_variation_is_not_assessable(values):
    assert np.isnan(correlation_ratio(np.tile([0, 1], 25), values[:, None])[0])
    assert np.isnan(cramers_v(np.zeros(50, int), np.tile([0, 1], 25)))


def test_too_few_rows_with_both_values_are_not_assessable():
    frame = table(200)
    frame.loc[15:, "x"] = np.nan
    found = matrix(frame)
    assert found.loc["x"].drop("x").isna().all()
    assert as_lists(found.to_numpy())[0][1] is None


def test_an_empty_table_is_not_assessable():
    frame = table(100)
    coding = Coding.of(frame, SCHEMA.features)
    empty = association_matrix(frame.iloc[:0], SCHEMA.features, coding=coding, least_rows=20)
    assert mean_difference(empty, empty) is None


def test_difference_and_strength():
    one = np.array([[1, 0.5, np.nan], [0.5, 1, 0.1], [np.nan, 0.1, 1]])
    two = np.array([[1, 0.1, 0.9], [0.1, 1, 0.1], [0.9, 0.1, 1]])
    assert mean_difference(one, two) == pytest.approx(0.2)
    assert strongest(one, 2) == [0, 1]


def test_categories_of_single_rows_make_no_association():
    n = 60
    frame = conform(table(n).assign(group=[f"g{i}" for i in range(30)] + ["big"] * 30), SCHEMA)
    columns = [SCHEMA["group"], SCHEMA["noise"]]
    coding = Coding.of(frame, columns, least=11)
    assert coding.categories["group"] == ["big"]
    assert association_matrix(frame, columns, coding=coding, least_rows=20)[0, 1] < 0.5


def test_categories_that_only_the_synthetic_table_has_are_others():
    real, synthetic = table(500), table(500)
    synthetic["group"] = synthetic["group"].cat.rename_categories({"a": "new"})
    codes = Coding.of(real, SCHEMA.features).codes(synthetic, SCHEMA["group"])
    assert set(codes) == {0, 1, 2, 3} - {Coding.of(real, SCHEMA.features).categories["group"].index("a")}
