"""Encoding: what goes in comes out again, on the column's own grid."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import UserError
from engine.generators.binning import make_bins
from engine.generators.cells import Cells
from engine.generators.encoding import ColumnCode, Encoding
from engine.schema.table import Column, Kind, Role, TableSchema, conform

RANDOM = np.random.default_rng(5)


def learned(values: object, **about: object) -> tuple[ColumnCode, np.ndarray, pd.Series]:
    column = Column.model_validate({"name": "x", **about})
    series = conform(pd.DataFrame({"x": values}), TableSchema(columns=(column,)))["x"]
    code, levels = ColumnCode.learn(series, column)
    return code, levels, series


def decoded(code: ColumnCode, levels: np.ndarray) -> pd.Series:
    return pd.Series(code.decode(levels, cells=code.cells(), random=np.random.default_rng(0)))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.none() | st.integers(-40, 400), min_size=1, max_size=200),
    st.integers(0, 3),
)
def test_decoded_numbers_are_on_the_grid_and_in_their_own_bin(values: list[int | None], decimals: int) -> None:
    numbers = [None if value is None else value / 10**decimals for value in values]
    code, levels, series = learned(numbers, kind=Kind.NUMERIC, decimals=decimals)
    out = decoded(code, levels)
    assert out.dtype == np.float64
    assert (out.isna() == series.isna()).all()
    # The same floats as reading the decimal text, not near ones.
    assert all(float(f"{value:.{decimals}f}") == value for value in out.dropna())
    assert (code.encode(out) == levels).all()
    assert out.dropna().between(series.min(), series.max()).all()
    assert code.n_levels <= 25


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.sampled_from(["a", "b", "", "nan", "=1"]), min_size=1, max_size=40))
def test_categories_come_back_as_they_were(values: list[str | None]) -> None:
    code, levels, series = learned(values, kind=Kind.CATEGORICAL)
    out = decoded(code, levels)
    assert (
        out.astype(object).where(out.notna(), None).tolist()
        == series.astype(object).where(series.notna(), None).tolist()
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(st.none() | st.integers(0, 3_000), min_size=1, max_size=120))
def test_few_distinct_integers_and_dates_come_back_exactly(values: list[int | None]) -> None:
    few = [None if value is None else value % 4 * 1_000 for value in values]
    for kind in (Kind.INTEGER, Kind.DATE):
        given_values = few if kind is Kind.INTEGER else pd.to_datetime(pd.Series(few, dtype="Int64"), unit="D")
        code, levels, series = learned(given_values, kind=kind)
        out = decoded(code, levels)
        pd.testing.assert_series_equal(out, series, check_names=False)


def test_moments_keep_their_seconds() -> None:
    moments = pd.to_datetime(["2020-01-01 03:04:05", "2020-02-01 23:59:59", None])
    code, levels, series = learned(moments, kind=Kind.DATE)
    pd.testing.assert_series_equal(decoded(code, levels), series, check_names=False)


def test_booleans_and_integers_keep_their_types() -> None:
    code, levels, _ = learned([True, None, False], kind=Kind.BOOLEAN)
    assert decoded(code, levels).dtype == "boolean"
    assert levels.tolist() == [1, 2, 0]
    code, levels, _ = learned([3, None, 9], kind=Kind.INTEGER)
    assert decoded(code, levels).dtype == "Int64"


def test_bins_have_about_equal_rows_and_spikes_stand_alone() -> None:
    values = np.concatenate([np.zeros(4_000), RANDOM.normal(100, 20, 6_000).round(1), np.full(1_500, 80.0)])
    code, _, _ = learned(values, kind=Kind.NUMERIC, decimals=1)
    assert code.bins is not None
    assert len(code.bins) <= 24
    seen = {index: code.bins.cell_first[code.bins.cell_bin == index] for index in range(len(code.bins))}
    assert [0] in [cells.tolist() for cells in seen.values()]
    assert [800] in [cells.tolist() for cells in seen.values()]
    others = np.sort(code.counts[:-1])[:-2]
    assert others.max() < 6_500 / 10
    assert others.min() > 6_500 / 60


@pytest.mark.parametrize(("rows", "most"), [(60, 10), (129, 21), (5_000, 24)])
def test_bins_of_small_tables_are_no_fingerprints(rows: int, most: int) -> None:
    positions = RANDOM.permutation(100_000)[:rows].astype(np.int64)
    bins = make_bins(positions, low=0, high=100_000)
    assert len(bins) <= most
    assert bins.first[0] == 0
    assert bins.last[-1] == 100_000
    assert (bins.first[1:] == bins.last[:-1] + 1).all()
    counted = np.bincount(bins.find(positions), minlength=len(bins))
    assert (counted >= 4).all()
    np.testing.assert_allclose(np.bincount(bins.cell_bin, weights=bins.cell_mass, minlength=len(bins)), counted)


def test_places_inside_bins_follow_the_data() -> None:
    # Heaping on multiples of ten survives, although a bin spans many grid positions.
    values = RANDOM.integers(4, 40, 8_000) * 10
    values[:800] += RANDOM.integers(1, 10, 800)
    code, levels, _ = learned(values, kind=Kind.INTEGER)
    out = decoded(code, levels)
    assert abs((out % 10 == 0).mean() - 0.9) < 0.02
    assert abs(out.mean() - values.mean()) < 1


def test_declared_bounds_win_over_values() -> None:
    code, levels, _ = learned([-5.0, 3.0, 200.0], kind=Kind.NUMERIC, decimals=0, minimum=0, maximum=100)
    assert decoded(code, levels).tolist() == [0, 3, 100]


@pytest.mark.parametrize(
    ("values", "about", "levels"),
    [
        ([None, None], {"kind": Kind.NUMERIC}, 1),
        ([None, None], {"kind": Kind.CATEGORICAL}, 1),
        ([None, None], {"kind": Kind.INTEGER, "minimum": 0, "maximum": 9}, 2),
        ([4, 4], {"kind": Kind.INTEGER}, 2),
        (["b"], {"kind": Kind.CATEGORICAL, "categories": ("a", "b")}, 3),
        ([1e300, -1e300], {"kind": Kind.NUMERIC, "minimum": 0, "maximum": 1, "decimals": 2}, 3),
    ],
)
def test_odd_columns(values: list, about: dict, levels: int) -> None:
    code, encoded, series = learned(values, **about)
    assert code.n_levels == levels
    assert (decoded(code, encoded).isna() == series.isna()).all()


def test_five_hundred_categories_are_all_kept() -> None:
    names = [f"{number:05d}" for number in range(500)]
    code, levels, _ = learned(RANDOM.permutation(names * 2), kind=Kind.CATEGORICAL)
    assert code.n_levels == 501
    assert (code.counts == [*[2.0] * 500, 0.0]).all()
    assert set(decoded(code, levels)) == set(names)


def test_cells_draw_only_what_has_mass() -> None:
    cells = Cells.build(
        3, level=np.array([0, 0, 1]), first=np.array([0, 10, 50]), length=np.array([1, 5, 1]),
        mass=np.array([0.0, 2.0, 1.0]), step=np.array([1, 2, 1]),
        fallback_first=np.array([0, 0, 99]), fallback_length=np.array([1, 1, 1]),
    )  # fmt: skip
    drawn = cells.draw(np.repeat([0, 1, 2], 200), np.random.default_rng(1))
    assert set(drawn[:200]) == {10, 12, 14, 16, 18}
    assert set(drawn[200:400]) == {50}
    assert set(drawn[400:]) == {99}


def test_an_encoding_survives_json() -> None:
    schema = TableSchema(
        columns=(
            Column(name="key", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
            Column(name="x", kind=Kind.NUMERIC, decimals=2),
            Column(name="c", kind=Kind.CATEGORICAL),
        )
    )
    table = conform(
        pd.DataFrame({"key": ["p", "q"] * 50, "x": RANDOM.normal(size=100).round(2), "c": ["u", None] * 50}), schema
    )
    encoding, levels = Encoding.learn(table, schema)
    assert encoding.schema.names == ["x", "c"]
    again = Encoding(tuple(ColumnCode.from_json(json.loads(json.dumps(code.as_json()))) for code in encoding.columns))
    for one, other, own in zip(encoding.columns, again.columns, levels.T, strict=True):
        assert one.column == other.column
        pd.testing.assert_series_equal(decoded(one, own), decoded(other, own))
    with pytest.raises(UserError, match="no column"):
        encoding.position("y")
