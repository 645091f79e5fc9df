"""What is written reads back equal, and nothing in it is executed by a spreadsheet."""

import csv
import io
import json
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.export import excel
from engine.export.cells import EXECUTED, quoted
from engine.export.formats import FORMATS, export
from engine.export.manifest import manifest
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.storage.tables import read_table

SCHEMA = TableSchema(
    columns=(
        Column(name="age_years", kind=Kind.NUMERIC, unit="years", minimum=0, maximum=120, bounds_are_public=True),
        Column(name="visits", kind=Kind.INTEGER, minimum=3, maximum=17),
        Column(name="ward", kind=Kind.CATEGORICAL, categories=("=HYPERLINK(1)", "@B", "C")),
        Column(name="died", kind=Kind.BOOLEAN),
        Column(name="seen", kind=Kind.DATE),
    )
)
MANIFEST = manifest(
    CohortSpec(patients=4), source={"name": "ward"}, generator={"name": "dp_cgan"}, seed=7, notes=("Extrapolated.",)
)


@pytest.fixture
def cohort() -> pd.DataFrame:
    return conform(
        pd.DataFrame(
            {
                "age_years": [-1.5, 70.25, np.nan, 40.0],
                "visits": [3, None, 17, -4],
                "ward": ["=HYPERLINK(1)", "C", None, "@B"],
                "died": [True, False, None, True],
                "seen": ["2020-02-29", None, "1999-12-31", "2101-01-01"],
            }
        ),
        SCHEMA,
    )


def test_csv_archive_holds_rows_dictionary_and_manifest(cohort: pd.DataFrame, tmp_path: Path) -> None:
    path = export(cohort, SCHEMA, MANIFEST, format="csv-archive", path=tmp_path / "cohort.zip")
    with zipfile.ZipFile(path) as archive:
        rows = pd.read_csv(io.BytesIO(archive.read("cohort.csv")), keep_default_na=False, dtype=str)
        dictionary = pd.read_csv(io.BytesIO(archive.read("data_dictionary.csv")), keep_default_na=False, dtype=str)
        found = json.loads(archive.read("manifest.json"))
    assert rows["ward"].tolist() == ["'=HYPERLINK(1)", "C", "", "'@B"]
    assert rows["age_years"].tolist() == ["-1.5", "70.25", "", "40.0"]
    assert rows["visits"].tolist() == ["3", "", "17", "-4"]
    assert dictionary["name"].tolist() == SCHEMA.names
    assert found == MANIFEST


def test_plain_csv_is_one_file_with_the_manifest_beside_it(cohort: pd.DataFrame, tmp_path: Path) -> None:
    path = export(cohort, SCHEMA, MANIFEST, format="csv", path=tmp_path / "cohort.csv")
    assert len(pd.read_csv(path)) == len(cohort)
    assert json.loads((tmp_path / "cohort.csv.manifest.json").read_text(encoding="utf-8")) == MANIFEST


def test_bounds_read_from_patients_are_not_in_the_dictionary(cohort: pd.DataFrame, tmp_path: Path) -> None:
    path = export(cohort, SCHEMA, MANIFEST, format="csv-archive", path=tmp_path / "cohort.zip")
    with zipfile.ZipFile(path) as archive:
        text = archive.read("data_dictionary.csv")
    dictionary = pd.read_csv(io.BytesIO(text), keep_default_na=False, dtype=str).set_index("name")
    assert dictionary.loc["age_years", "maximum"] == "120"
    assert dictionary.loc["visits", "maximum"] == ""


def test_parquet_keeps_types_schema_and_manifest(cohort: pd.DataFrame, tmp_path: Path) -> None:
    path = export(cohort, SCHEMA, MANIFEST, format="parquet", path=tmp_path / "cohort.parquet")
    frame, schema = read_table(path)
    ward = SCHEMA["ward"].model_copy(update={"categories_are_public": True})
    assert schema == SCHEMA.released().replace(ward), "the words that the rows hold are public with them"
    assert schema["visits"].maximum is None, "a bound that was read from a patient's row stays here"
    pd.testing.assert_frame_equal(frame, cohort)


def test_excel_keeps_numbers_dates_and_executes_nothing(cohort: pd.DataFrame, tmp_path: Path) -> None:
    path = export(cohort, SCHEMA, MANIFEST, format="excel", path=tmp_path / "cohort.xlsx")
    book = openpyxl.load_workbook(path)
    assert book.sheetnames == ["Data", "Dictionary", "Summary"]
    rows = list(book["Data"].iter_rows())
    assert [cell.value for cell in rows[0]] == SCHEMA.names
    assert [cell.value for cell in rows[1]][:4] == [-1.5, 3, "'=HYPERLINK(1)", True]
    assert rows[1][4].value.date().isoformat() == "2020-02-29"
    assert all(cell.data_type != "f" for sheet in book for row in sheet.iter_rows() for cell in row)


def test_what_excel_cannot_hold_is_kept_as_text_or_refused(tmp_path: Path) -> None:
    schema = TableSchema(columns=(Column(name="born", kind=Kind.DATE), Column(name="note", kind=Kind.CATEGORICAL)))
    early = conform(pd.DataFrame({"born": ["1815-12-10"], "note": ["x"]}), schema)
    path = export(early, schema, MANIFEST, format="excel", path=tmp_path / "early.xlsx")
    assert openpyxl.load_workbook(path)["Data"]["A2"].value == "1815-12-10"
    long = conform(pd.DataFrame({"born": ["2000-01-01"], "note": ["x" * 32_768]}), schema)
    with pytest.raises(UserError, match="'note' holds a text longer than"):
        export(long, schema, MANIFEST, format="excel", path=tmp_path / "long.xlsx")


def test_too_many_rows_for_excel_name_the_remedy(
    cohort: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(excel, "MOST_ROWS", 3)
    with pytest.raises(UserError, match="CSV or Parquet"):
        export(cohort, SCHEMA, MANIFEST, format="excel", path=tmp_path / "cohort.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_names_the_known_ones(cohort: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'sas'.*csv, csv-archive, parquet, excel"):
        export(cohort, SCHEMA, MANIFEST, format="sas", path=tmp_path / "cohort.sas")


@pytest.mark.parametrize("format", FORMATS)
def test_an_empty_cohort_is_a_file_with_headers(format: str, cohort: pd.DataFrame, tmp_path: Path) -> None:
    path = tmp_path / f"cohort{FORMATS[format].extension}"
    assert export(cohort.iloc[:0], SCHEMA, MANIFEST, format=format, path=path).stat().st_size > 0


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12))
def test_no_quoted_text_begins_with_what_is_executed(text: str) -> None:
    assert not quoted(text).startswith(EXECUTED)
    assert quoted(text) in (text, f"'{text}")


@settings(max_examples=200, deadline=None)
@given(st.text("'=@a", max_size=4), st.text("'=@a", max_size=4))
def test_different_texts_stay_different(one: str, two: str) -> None:
    assert (quoted(one) == quoted(two)) == (one == two)


def test_columns_and_categories_that_look_quoted_already_stay_apart(tmp_path: Path) -> None:
    names, words = ["=a", "'=a", "''=a"], ["=x", "'=x", "''=x"]
    schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.CATEGORICAL) for name in names))
    frame = conform(pd.DataFrame(dict.fromkeys(names, words)), schema)
    read = pd.read_csv(export(frame, schema, MANIFEST, format="csv", path=tmp_path / "c.csv"))
    assert read.columns.tolist() == [f"'{name}" for name in names]
    assert [read[name].tolist() for name in read] == [[f"'{word}" for word in words]] * 3
    export(frame, schema, MANIFEST, format="excel", path=tmp_path / "c.xlsx")


@pytest.mark.parametrize("word", ["a\rb", "a\nb", "a\r\nb", 'a"b', "a,b", ";", "a\tb", "a\x0bb", "a\x85b", "a\u2028b"])
def test_no_sign_of_a_word_ends_its_row(word: str, tmp_path: Path) -> None:
    schema = TableSchema(columns=(Column(name=word, kind=Kind.CATEGORICAL), Column(name="n", kind=Kind.INTEGER)))
    frame = conform(pd.DataFrame({word: [word, "plain"], "n": [1, 2]}), schema)
    plain = export(frame, schema, MANIFEST, format="csv", path=tmp_path / "c.csv").read_bytes()
    with zipfile.ZipFile(export(frame, schema, MANIFEST, format="csv-archive", path=tmp_path / "c.zip")) as archive:
        zipped = archive.read("cohort.csv")
    for written in (plain, zipped):
        lines = list(csv.reader(io.StringIO(written.decode(), newline="")))
        assert lines == [[word, "n"], [word, "1"], ["plain", "2"]]
        pd.testing.assert_frame_equal(
            pd.read_csv(io.BytesIO(written)), frame, check_dtype=False, check_categorical=False
        )


def test_the_manifest_says_what_made_the_cohort() -> None:
    assert MANIFEST["spec"]["patients"] == 4
    assert MANIFEST["versions"]["cohort-studio"]
    assert MANIFEST["notes"][-1] == "Extrapolated."
