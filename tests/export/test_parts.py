"""Large cohorts are written part by part."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from engine.core.errors import DataError, UserError
from engine.export import excel
from engine.export.formats import export_rows
from engine.export.rows import Rows
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.storage.tables import read_note, read_table, write_table

SCHEMA = TableSchema(
    columns=(
        Column(name="age", kind=Kind.INTEGER),
        Column(name="ward", kind=Kind.CATEGORICAL, categories=("=A", "B")),
    )
)


def parts() -> list[pd.DataFrame]:
    ages = [[60, None], [70, 71]]
    return [conform(pd.DataFrame({"age": age, "ward": ["=A", "B"]}), SCHEMA) for age in ages]


def rows() -> Rows:
    return Rows(SCHEMA, 4, lambda: iter(parts()))


def test_parquet_parts_are_one_table_with_its_schema_and_manifest(tmp_path: Path) -> None:
    path = export_rows(rows(), {"seed": 1}, format="parquet", path=tmp_path / "cohort.parquet")
    frame, schema = read_table(path)
    assert schema == SCHEMA.replace(SCHEMA["ward"].model_copy(update={"categories": None})), "rows yet to be drawn"
    pd.testing.assert_frame_equal(frame, conform(pd.concat(parts(), ignore_index=True), SCHEMA))
    assert json.loads(read_note(path, "manifest")) == {"seed": 1}


def test_csv_parts_have_one_header_and_quoted_formulas(tmp_path: Path) -> None:
    path = export_rows(rows(), {}, format="csv", path=tmp_path / "cohort.csv")
    lines = path.read_text().splitlines()
    assert lines == ["age,ward", "60,'=A", ",B", "70,'=A", "71,B"]
    archive = zipfile.ZipFile(export_rows(rows(), {}, format="csv-archive", path=tmp_path / "cohort.zip"))
    assert archive.read("cohort.csv").decode().splitlines() == lines


def test_nothing_is_left_when_a_part_fails(tmp_path: Path) -> None:
    def broken() -> Iterator[pd.DataFrame]:
        yield parts()[0]
        raise UserError("no more")

    for format, name in (("csv", "c.csv"), ("csv-archive", "c.zip"), ("parquet", "c.parquet")):
        with pytest.raises(UserError, match="no more"):
            export_rows(Rows(SCHEMA, 4, broken), {}, format=format, path=tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_stored_cohort_leaves_as_it_is_and_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.tables._ROWS_AT_ONCE", 3)
    whole = conform(pd.DataFrame({"age": range(10), "ward": ["=A", "B"] * 5}), SCHEMA)
    write_table(tmp_path / "cohort.parquet", whole, SCHEMA)
    found = Rows.in_file(tmp_path / "cohort.parquet")
    assert (found.count, [len(part) for part in found.parts()]) == (10, [3, 3, 3, 1])
    again = export_rows(found, {}, format="parquet", path=tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(read_table(again)[0], whole)
    archive = zipfile.ZipFile(export_rows(found, {}, format="csv-archive", path=tmp_path / "cohort.zip"))
    assert pd.read_csv(io.BytesIO(archive.read("cohort.csv")))["age"].tolist() == list(range(10))


def test_excel_refuses_by_the_count_before_a_row_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unread() -> Iterator[pd.DataFrame]:
        raise AssertionError("rows were read")

    monkeypatch.setattr(excel, "MOST_ROWS", 3)
    with pytest.raises(UserError, match=r"holds 3 rows .* has 4 and 2.*CSV or Parquet"):
        export_rows(Rows(SCHEMA, 4, unread), {}, format="excel", path=tmp_path / "cohort.xlsx")


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "cohort.parquet").write_text("age,ward")
    with pytest.raises(DataError, match="not a readable parquet table"):
        Rows.in_file(tmp_path / "cohort.parquet")
