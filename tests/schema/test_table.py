"""Schemas refuse contradictions; conform gives every kind its type and refuses what is not of it."""

import datetime
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engine.core.errors import DataError, UserError
from engine.schema.table import Column, Kind, Role, TableSchema, conform


def one(kind: str, role: str = "feature") -> TableSchema:
    return TableSchema(columns=(Column(name="x", kind=Kind(kind), role=Role(role)),))


def typed(values: object, kind: str, role: str = "feature") -> pd.Series:
    return conform(pd.DataFrame({"x": values}), one(kind, role))["x"]


def test_a_column_is_titled_by_label_and_unit() -> None:
    assert Column(name="heart_rate", kind=Kind.NUMERIC).title == "heart rate"
    assert Column(name="hgb", kind=Kind.NUMERIC, label="Hemoglobin", unit="g/dL").title == "Hemoglobin (g/dL)"


def test_bounds_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"minimum \(5.0\) is above maximum \(4.0\)"):
        Column(name="x", kind=Kind.NUMERIC, minimum=5, maximum=4)


def test_doubled_names_and_two_patient_keys_are_refused() -> None:
    number = Column(name="x", kind=Kind.NUMERIC)
    with pytest.raises(ValidationError, match="occur twice: x"):
        TableSchema(columns=(number, number))
    keys = tuple(Column(name=name, kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY) for name in ("a", "b"))
    with pytest.raises(ValidationError, match="more than one column is the patient key"):
        TableSchema(columns=keys)


def test_an_unknown_word_in_a_stored_schema_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        Column.model_validate({"name": "x", "kind": "numeric", "colour": "red"})


@pytest.fixture
def schema() -> TableSchema:
    return TableSchema(
        columns=(
            Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
            Column(name="record", kind=Kind.CATEGORICAL, role=Role.EXCLUDED),
            Column(name="age", kind=Kind.NUMERIC, minimum=0, maximum=120),
            Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
        )
    )


def test_only_features_are_learned_and_the_key_is_found(schema: TableSchema) -> None:
    assert [column.name for column in schema.features] == ["age", "sex"]
    assert schema.patient_key == "patient"
    assert schema.select(["age"]).patient_key is None
    assert "sex" in schema and "sexe" not in schema


def test_an_unknown_column_is_answered_with_those_there_are(schema: TableSchema) -> None:
    with pytest.raises(UserError, match=r"no column 'sexe'.*age, sex"):
        schema["sexe"]


def test_selecting_keeps_the_asked_order_and_replacing_the_schemas(schema: TableSchema) -> None:
    assert schema.select(["sex", "age"]).names == ["sex", "age"]
    renamed = schema.replace(schema["age"].model_copy(update={"label": "Age"}))
    assert renamed.names == schema.names
    assert renamed["age"].label == "Age" and schema["age"].label == ""


def test_a_schema_survives_its_json(schema: TableSchema) -> None:
    assert TableSchema.model_validate_json(schema.model_dump_json()) == schema


@pytest.mark.parametrize(
    ("kind", "ordered"),
    [("numeric", True), ("integer", True), ("date", True), ("categorical", False), ("boolean", False)],
)
def test_ranges_make_sense_for_ordered_kinds_only(kind: str, ordered: bool) -> None:
    assert Kind(kind).is_ordered is ordered


@pytest.mark.parametrize(
    ("kind", "values", "dtype", "expected"),
    [
        ("numeric", ["1.5", 2, None], "float64", [1.5, 2.0, None]),
        ("numeric", pd.array([1, None], dtype="Int64"), "float64", [1.0, None]),
        ("integer", ["3", 4.0, None], "Int64", [3, 4, None]),
        ("boolean", ["Yes", "n", None, " TRUE "], "boolean", [True, False, None, True]),
        ("boolean", [1, 0, None], "boolean", [True, False, None]),
        ("boolean", [np.True_, np.False_], "boolean", [True, False]),
        ("date", ["2024-02-29", None], "datetime64[s]", [pd.Timestamp(2024, 2, 29), None]),
        ("categorical", ["b", None, "a"], "category", ["b", None, "a"]),
        ("categorical", [2, 1], "category", ["2", "1"]),
        ("categorical", pd.Categorical([1, "a"]), "category", ["1", "a"]),
        ("categorical", pd.Categorical([True, False]), "category", ["True", "False"]),
    ],
)
def test_values_get_their_kinds_type(kind: str, values: object, dtype: str, expected: list) -> None:
    series = typed(values, kind)
    assert series.dtype == dtype
    assert [None if pd.isna(value) else value for value in series] == expected


def test_categories_are_text_and_known_ones_stay_though_unused() -> None:
    series = typed(pd.Categorical(["a"], categories=["a", "b"]), "categorical")
    assert list(series.cat.categories) == ["a", "b"]


def test_the_patient_key_is_plain_text_whatever_it_was() -> None:
    for values in ([10006, 10011], pd.Categorical(["10006", "10011"]), ["10006", "10011"]):
        series = typed(values, "categorical", "patient_key")
        assert series.dtype == object and series.tolist() == ["10006", "10011"]


def test_a_moment_with_a_time_zone_keeps_the_date_as_written() -> None:
    late = pd.to_datetime(["2020-01-01T23:30:00-05:00"])
    assert typed(late, "date").tolist() == [pd.Timestamp("2020-01-01T23:30:00")]


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("numeric", [1, "low", None, "high"], r"2 values of column 'x' are not numeric \(first in row 2\)"),
        ("numeric", [1, math.inf], r"1 values of column 'x' are not numeric \(first in row 2\)"),
        ("integer", [1, 2.5], "1 values of the integer column 'x' have decimals"),
        ("integer", [-math.inf], "1 values of column 'x' are not integer"),
        ("integer", [1e30], "1 values of column 'x' are not integer"),
        ("boolean", ["maybe", True], r"1 values of column 'x' are not boolean \(first in row 1\)"),
        ("boolean", [2], "1 values of column 'x' are not boolean"),
        ("date", ["2024-02-30"], "1 values of column 'x' are not date"),
    ],
)
def test_what_is_not_of_the_kind_is_counted_and_never_shown(kind: str, values: list, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        typed(values, kind)
    assert not any(str(value) in str(caught.value) for value in values if isinstance(value, str))


def test_absent_columns_are_named_and_others_dropped() -> None:
    with pytest.raises(DataError, match="absent: x"):
        conform(pd.DataFrame({"y": [1]}), one("numeric"))
    assert list(conform(pd.DataFrame({"y": [1], "x": [2]}), one("numeric")).columns) == ["x"]


@pytest.mark.parametrize("kind", [kind.value for kind in Kind])
def test_a_table_without_rows_is_still_typed(kind: str) -> None:
    assert len(typed([], kind)) == 0
    assert typed([], kind).dtype == typed([None], kind).dtype


cells = {
    "numeric": st.floats(allow_nan=False, allow_infinity=False) | st.none(),
    "integer": st.integers(-(2**53), 2**53) | st.none(),
    "boolean": st.booleans() | st.none(),
    # pandas reads text as nanoseconds, which reach from 1677 to 2262.
    "date": st.dates(datetime.date(1678, 1, 1), datetime.date(2261, 12, 31)),
    "categorical": st.text(min_size=1) | st.none(),
}


@given(data=st.data(), kind=st.sampled_from(sorted(cells)))
def test_conforming_twice_changes_nothing_and_the_index_stays(data: st.DataObject, kind: str) -> None:
    values = data.draw(st.lists(cells[kind], min_size=1, max_size=8))
    index = range(7, 7 + len(values))
    once = conform(pd.DataFrame({"x": pd.Series(values, index=index, dtype=object)}), one(kind))
    pd.testing.assert_frame_equal(conform(once, one(kind)), once)
    assert list(once.index) == list(index)
    assert once["x"].isna().tolist() == [value is None for value in values]
