"""Tables that are written, read and sampled piece by piece."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from engine.core.errors import DataError
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.storage.tables import (
    TableWriter,
    parts_of,
    read_note,
    read_schema,
    read_table,
    row_count,
    sampled_rows,
    write_table,
)

SCHEMA = TableSchema(columns=(Column(name="number", kind=Kind.INTEGER), Column(name="code", kind=Kind.CATEGORICAL)))


def frame(first: int, last: int) -> pd.DataFrame:
    numbers = range(first, last)
    return conform(pd.DataFrame({"number": numbers, "code": [f"c{number}" for number in numbers]}), SCHEMA)


def written(path: Path, *ends: int) -> Path:
    with TableWriter(path, SCHEMA) as file:
        for first, last in pairwise(ends):
            file.add(frame(first, last))
    return path


def test_parts_with_ever_more_categories_are_one_table(tmp_path: Path) -> None:
    # 3 categories index with one byte, 70,000 need more.
    path = written(tmp_path / "t.parquet", 0, 3, 200, 70_000)
    pd.testing.assert_frame_equal(read_table(path)[0].astype({"code": str}), frame(0, 70_000).astype({"code": str}))
    assert read_schema(path) == SCHEMA


def test_files_are_appended_row_group_by_row_group(tmp_path: Path) -> None:
    for number, (first, last) in enumerate([(0, 5), (5, 400)]):
        write_table(tmp_path / f"{number}.parquet", frame(first, last), SCHEMA, notes={"drawn": "x"})
    with TableWriter(tmp_path / "whole.parquet", SCHEMA) as file:
        for number in range(2):
            file.append(tmp_path / f"{number}.parquet")
    found = read_table(tmp_path / "whole.parquet")[0]
    pd.testing.assert_frame_equal(found.astype({"code": str}), frame(0, 400).astype({"code": str}))
    assert pq.ParquetFile(tmp_path / "whole.parquet").num_row_groups == 2
    assert read_note(tmp_path / "1.parquet", "drawn") == "x"
    with pytest.raises(DataError, match="no note 'drawn'"):
        read_note(tmp_path / "whole.parquet", "drawn")


def test_reading_in_parts_gives_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.tables._ROWS_AT_ONCE", 64)
    path = written(tmp_path / "t.parquet", 0, 100, 250)
    numbers = [int(number) for part in parts_of(path) for number in part["number"]]
    assert numbers == list(range(250)) and row_count(path) == 250
    empty = written(tmp_path / "empty.parquet", 0, 0)
    assert [list(part.columns) for part in parts_of(empty)] == [["number", "code"]]


def test_a_sample_is_drawn_from_every_row_group_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.storage.tables._ROWS_AT_ONCE", 128)
    path = written(tmp_path / "t.parquet", 0, 300, 1000)
    hits = np.zeros(1000)
    for seed in range(400):
        found = sampled_rows(path, 100, random=np.random.default_rng(seed))
        numbers = found["number"].to_numpy(dtype=int)
        assert len(numbers) == 100 and (np.diff(numbers) > 0).all()
        assert (found["code"].astype(str) == [f"c{number}" for number in numbers]).all()
        hits[numbers] += 1
    # Binomial(400, 0.1): 40 expected, standard deviation 6; blocks of 100 rows: 4,000, standard deviation about 57.
    assert hits.min() > 10 and hits.max() < 75
    blocks = hits.reshape(10, 100).sum(axis=1)
    assert abs(blocks - 4000).max() < 300
    assert len(sampled_rows(path, 1000, random=np.random.default_rng(0))) == 1000


def test_what_is_no_parquet_is_told(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(DataError, match=r"t\.parquet"):
        row_count(tmp_path / "t.parquet")
