"""Large cohorts are written part by part."""

from pathlib import Path

import pandas as pd
import pytest

from engine.core.errors import UserError
from engine.export.tabular import write_parts
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.storage.tables import read_table

SCHEMA = TableSchema(
    columns=(
        Column(name="age", kind=Kind.INTEGER),
        Column(name="ward", kind=Kind.CATEGORICAL, categories=("=A", "B")),
    )
)


def parts() -> list[pd.DataFrame]:
    ages = [[60, None], [70, 71]]
    return [conform(pd.DataFrame({"age": age, "ward": ["=A", "B"]}), SCHEMA) for age in ages]


def test_parquet_parts_are_one_table_with_its_schema(tmp_path: Path) -> None:
    path = tmp_path / "cohort.parquet"
    assert write_parts(iter(parts()), SCHEMA, {"seed": 1}, path) == 4
    frame, schema = read_table(path)
    assert schema == SCHEMA
    pd.testing.assert_frame_equal(frame, conform(pd.concat(parts(), ignore_index=True), SCHEMA))
    assert (tmp_path / "cohort.parquet.manifest.json").exists()


def test_csv_parts_have_one_header_and_quoted_formulas(tmp_path: Path) -> None:
    path = tmp_path / "cohort.csv"
    write_parts(iter(parts()), SCHEMA, {}, path)
    lines = path.read_text().splitlines()
    assert lines[0] == "age,ward"
    assert len(lines) == 5
    assert "=A" not in [line.split(",")[1] for line in lines[1:]]


def test_nothing_is_left_when_a_part_fails(tmp_path: Path) -> None:
    def broken():
        yield parts()[0]
        raise UserError("no more")

    with pytest.raises(UserError, match="no more"):
        write_parts(broken(), SCHEMA, {}, tmp_path / "cohort.csv")
    assert list(tmp_path.iterdir()) == []


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.csv or \.parquet"):
        write_parts(iter(parts()), SCHEMA, {}, tmp_path / "cohort.xlsx")
