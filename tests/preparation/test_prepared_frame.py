"""Uploaded tables: types, impossible values, refusals; and a prepared table on disk."""

from pathlib import Path

import pandas as pd
import pytest

from engine.core.errors import DataError
from engine.core.progress import Silent
from engine.preparation.cleaning import drop_impossible, plausible_range
from engine.preparation.pipeline import PreparedTable, prepare_frame
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, Role, TableSchema

KEY = Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY)
DECLARED = Column(name="score", kind=Kind.INTEGER, minimum=0, maximum=10, bounds_are_public=True)
OBSERVED = Column(name="dose", kind=Kind.NUMERIC, minimum=1, maximum=2)


def schema(*columns: Column) -> TableSchema:
    return TableSchema(columns=columns)


def prepare(frame: pd.DataFrame, *columns: Column) -> PreparedTable:
    return prepare_frame(frame, schema(*columns), source="upload.csv", progress=Silent())


def test_values_outside_declared_bounds_are_missing_and_counted():
    frame = pd.DataFrame({"patient": ["a", "b", "b"], "score": [11, 10, None], "dose": [900.0, 1.5, 1.0]})
    prepared = prepare(frame, KEY, DECLARED, OBSERVED)
    assert prepared.table["score"].isna().tolist() == [True, False, True]
    assert prepared.table["dose"].tolist() == [900.0, 1.5, 1.0]
    column = prepared.report.column("score")
    assert (column.dropped_impossible, column.present, column.missing, column.plausible) == (1, 1, 2, (0, 10))
    assert (prepared.report.rows, prepared.report.patients) == (3, 2)
    assert frame["score"].iat[0] == 11, "the frame that was handed in is left as it was"


def test_the_catalogue_knows_what_is_possible_in_its_own_unit_only():
    grams_per_litre = Column(name="hemoglobin", kind=Kind.NUMERIC, unit="g/L")
    grams_per_decilitre = Column(name="hemoglobin", kind=Kind.NUMERIC, unit="g/dL")
    values = pd.DataFrame({"hemoglobin": [12.0, 140.0]})
    assert prepare(values, grams_per_litre).table["hemoglobin"].notna().all()
    assert prepare(values, grams_per_decilitre).table["hemoglobin"].isna().tolist() == [False, True]
    assert plausible_range(grams_per_decilitre) == catalogue().concept("hemoglobin").plausible


@pytest.mark.parametrize("value", [0, 10])
def test_a_bound_itself_is_possible(value):
    table, dropped = drop_impossible(pd.DataFrame({"score": pd.array([value], dtype="Int64")}), schema(DECLARED))
    assert table["score"].notna().all()
    assert dropped["score"].count == 0


def test_dates_are_held_to_days_since_1970():
    column = Column(name="seen", kind=Kind.DATE, minimum=0, maximum=10, bounds_are_public=True)
    prepared = prepare(pd.DataFrame({"seen": ["1970-01-11", "1970-01-12", None]}), column)
    assert prepared.table["seen"].isna().tolist() == [False, True, True]


def test_keys_and_record_numbers_are_never_dropped():
    number = Column(name="hemoglobin", kind=Kind.NUMERIC, unit="g/dL", role=Role.EXCLUDED)
    assert plausible_range(number) is None


def test_rows_without_a_patient_are_refused_by_row():
    with pytest.raises(DataError, match="1 rows have no patient") as refusal:
        prepare(pd.DataFrame({"patient": ["a", None], "score": [1, 2]}), KEY, DECLARED)
    assert refusal.value.where == "first in row 2"


def test_without_a_key_every_row_is_a_patient():
    assert prepare(pd.DataFrame({"score": [1, 2]}), DECLARED).report.patients == 2


def test_a_table_comes_back_from_disk_as_it_was(tmp_path: Path):
    word = Column(name="word", kind=Kind.CATEGORICAL)
    truth = Column(name="truth", kind=Kind.BOOLEAN)
    frame = pd.DataFrame({"patient": ["1", "2"], "score": [1, None], "word": ["x", None], "truth": ["yes", None]})
    prepared = prepare(frame, KEY, DECLARED, word, truth)
    prepared.save(tmp_path)
    loaded = PreparedTable.load(tmp_path)
    pd.testing.assert_frame_equal(loaded.table, prepared.table)
    assert (loaded.schema, loaded.report) == (prepared.schema, prepared.report)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["report.json", "schema.json", "table.parquet"]


@pytest.mark.parametrize("name", ["table.parquet", "report.json"])
def test_an_incomplete_folder_is_refused(tmp_path: Path, name: str):
    prepare(pd.DataFrame({"score": [1, 2]}), DECLARED).save(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(DataError):
        PreparedTable.load(tmp_path)


def test_a_table_prepared_before_gets_a_report_that_counts():
    table = prepare(pd.DataFrame({"score": [1, None]}), DECLARED).table
    report = PreparedTable.of(table, schema(DECLARED)).report
    assert (report.column("score").present, report.column("score").missing) == (1, 1)
