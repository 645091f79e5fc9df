"""Weighted measures of association: hand-solved, as if rows were repeated, as without weights where they are equal."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation.associations import Coding, association_matrix, correlation_ratio, cramers_v
from engine.evaluation.correlations import midranks, weighted_correlation, weighted_correlations
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="x", kind=Kind.NUMERIC),
        Column(name="y", kind=Kind.INTEGER),
        Column(name="day", kind=Kind.DATE),
        Column(name="constant", kind=Kind.NUMERIC),
        Column(name="group", kind=Kind.CATEGORICAL),
        Column(name="flag", kind=Kind.BOOLEAN),
    )
)


def table(seed: int, rows: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    days = pd.to_timedelta(np.round(x * 5) + rng.integers(0, 9, rows), unit="D")
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(rows) < 0.2, np.nan, x),
            "y": np.where(rng.random(rows) < 0.2, np.nan, np.round(2 * x + rng.normal(size=rows))),
            "day": pd.Series(pd.Timestamp("2150-01-01") + days).where(rng.random(rows) > 0.1),
            "constant": 0.1,
            "group": pd.Series(rng.choice(list("abcd"), rows)).where(rng.random(rows) > 0.1),
            "flag": rng.random(rows) < 0.4,
        }
    )
    return conform(frame, SCHEMA)


def matrix(frame: pd.DataFrame, **options) -> np.ndarray:
    coding = Coding.of(frame, SCHEMA.features)
    return association_matrix(frame, SCHEMA.features, coding=coding, least_rows=20, **options)


def test_pearson_by_hand():
    # Each mean is a half and each variance a quarter; the covariance is (3 + 3 - 1 - 1) / 4 / 8.
    first, second, weights = np.array([0.0, 1, 0, 1]), np.array([0.0, 1, 1, 0]), np.array([3.0, 3, 1, 1])
    assert weighted_correlation(first, second, weights) == pytest.approx(0.5)
    assert weighted_correlation(first, second, np.ones(4)) == pytest.approx(0)


def test_midranks_by_hand():
    # Values 5, 5, 7 of weight 1, 2, 3: the two fives share the first three places.
    assert midranks(np.array([0, 0, 1]), np.array([1.0, 2, 3])).tolist() == [1.5, 1.5, 4.5]


def test_spearman_is_that_of_midranks():
    values = np.column_stack([[1.0, 2, 3, 40], [4.0, 3, 2, -50]])
    found = weighted_correlations(values, np.array([1.0, 5, 2, 1]), ranked=True)
    assert found == pytest.approx(np.array([[1, -1], [-1, 1]]))
    assert weighted_correlations(values, np.ones(4), ranked=False)[0, 1] > -1


def test_cramers_v_by_hand():
    # The cells of a 2 x 2 table with phi = 0.6, one row each, that weigh 100 together.
    weights = np.array([40.0, 10, 10, 40])
    found = cramers_v(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]), weights=weights)
    assert found == pytest.approx(np.sqrt((0.36 - 1 / 99) / (1 - 1 / 99)))


def test_correlation_ratio_by_hand():
    # Between 1, within 1, 100 rows: eta squared is a half, adjusted 1 - 0.5 * 99 / 98.
    numbers, weights = np.array([0.0, 2, 2, 4]), np.full(4, 25.0)
    found = correlation_ratio(np.array([0, 0, 1, 1]), numbers[:, None], weights=weights)[0]
    assert found == pytest.approx(np.sqrt(1 - 0.5 * 99 / 98))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_whole_weights_are_repeated_rows(seed):
    frame = table(seed)
    times = np.random.default_rng(seed + 1).integers(1, 5, len(frame))
    numbers = np.column_stack([frame[name].astype(float).to_numpy() for name in ("x", "y")])
    again, weights = np.repeat(numbers, times, axis=0), times.astype(float)
    for ranked, method in ((True, "spearman"), (False, "pearson")):
        expected = pd.DataFrame(again).corr(method=method).to_numpy()
        assert weighted_correlations(numbers, weights, ranked=ranked) == pytest.approx(expected)
    coding = Coding.of(frame, SCHEMA.features)
    group, flag = (coding.codes(frame, SCHEMA[name]) for name in ("group", "flag"))
    expected = cramers_v(np.repeat(group, times), np.repeat(flag, times))
    assert cramers_v(group, flag, weights=weights) == pytest.approx(expected)
    expected = correlation_ratio(np.repeat(group, times), again)
    assert correlation_ratio(group, numbers, weights=weights) == pytest.approx(expected)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), level=st.floats(0.01, 100), numeric=st.sampled_from(["spearman", "pearson"]))
def test_equal_weights_of_any_size_change_nothing(seed, level, numeric):
    frame = table(seed)
    found = matrix(frame, numeric=numeric, weights=np.full(len(frame), level))
    assert found == pytest.approx(matrix(frame, numeric=numeric), abs=1e-9, nan_ok=True)
    assert np.isnan(found[3, :3]).all()


def test_weights_move_every_measure():
    frame = table(3)
    weights = np.where(frame["flag"].to_numpy(dtype=bool), 4.0, 0.5)
    plain, found = matrix(frame), matrix(frame, weights=weights)
    assert (found == found.T)[~np.isnan(found)].all()
    for pair in ((0, 1), (0, 2), (0, 4)):
        assert abs(found[pair] - plain[pair]) > 1e-4, pair


def test_rows_and_not_weights_make_a_pair_assessable():
    frame = table(1).iloc[:19]
    found = matrix(frame, weights=np.full(19, 1.0) + np.arange(19))
    assert np.isnan(found[~np.eye(len(found), dtype=bool)]).all()


def test_what_few_heavy_rows_make_by_chance_is_corrected():
    # Independent columns: were each row counted, the weights' own noise would look like association.
    rng = np.random.default_rng(0)
    told, naive = [], []
    for _ in range(40):
        weights = rng.choice([0.05, 4.0], 400, p=[0.8, 0.2])
        weights *= len(weights) / weights.sum()
        first, second = rng.integers(0, 6, 400), rng.integers(0, 6, 400)
        kish = weights * weights.sum() / (weights**2).sum()
        told.append(cramers_v(first, second, weights=kish))
        naive.append(cramers_v(first, second, weights=weights))
    frame = conform(pd.DataFrame({"group": first.astype(str), "flag": second < 3}), SCHEMA.select(["group", "flag"]))
    columns = [SCHEMA["group"], SCHEMA["flag"]]
    coding = Coding.of(frame, columns)
    inside = association_matrix(frame, columns, coding=coding, least_rows=20, weights=weights)[0, 1]
    assert inside == cramers_v(coding.codes(frame, columns[0]), coding.codes(frame, columns[1]), weights=kish)
    assert np.mean(told) < 0.08 < 0.15 < np.mean(naive)
