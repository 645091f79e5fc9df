"""CSV and Parquet."""

import json
import zipfile
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import pandas as pd
import pyarrow.parquet as pq

from engine.core.errors import UserError
from engine.core.workspace import write_atomically, write_json
from engine.export.cells import safe
from engine.export.dictionary import data_dictionary
from engine.schema.table import TableSchema
from engine.storage.tables import as_arrow, write_table

_ROWS_AT_ONCE = 50_000


def write_csv(frame: pd.DataFrame, schema: TableSchema, manifest: dict[str, Any], path: Path) -> None:
    """A plain CSV, with the manifest in a file beside it."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            _rows(frame, file)

    write_atomically(path, write)
    write_json(path.with_name(f"{path.name}.manifest.json"), manifest)


def write_csv_archive(frame: pd.DataFrame, schema: TableSchema, manifest: dict[str, Any], path: Path) -> None:
    """A ZIP of ``cohort.csv``, ``data_dictionary.csv`` and ``manifest.json``."""

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, table in (("cohort.csv", frame), ("data_dictionary.csv", data_dictionary(schema))):
                with (
                    archive.open(name, "w", force_zip64=True) as raw,
                    TextIOWrapper(raw, encoding="utf-8", newline="") as file,
                ):
                    _rows(table, file)
            archive.writestr("manifest.json", json.dumps(manifest, indent=2, ensure_ascii=False))

    write_atomically(path, write)


def write_parquet(frame: pd.DataFrame, schema: TableSchema, manifest: dict[str, Any], path: Path) -> None:
    """A Parquet file with manifest and schema in its metadata; nothing executes its cells, so none is quoted."""
    write_table(path, frame, schema, notes={"manifest": json.dumps(manifest, ensure_ascii=False)})


def write_parts(frames: Iterable[pd.DataFrame], schema: TableSchema, manifest: dict[str, Any], path: Path) -> int:
    """Write frames of one schema as they come into one ``.csv`` or ``.parquet``; returns how many rows that were.

    The file appears when the last frame is written; a manifest lies beside it.

    Raises:
        UserError: the file's extension is another.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise UserError(
            f"cohorts of this size are written to .csv or .parquet, not {path.name!r}", remedy="Change the extension."
        )
    written = 0

    def write(temporary: Path) -> None:
        nonlocal written
        with _Parquet(temporary, schema) if path.suffix == ".parquet" else _Csv(temporary) as file:
            for frame in frames:
                file.add(frame)
                written += len(frame)

    write_atomically(path, write)
    write_json(path.with_name(f"{path.name}.manifest.json"), manifest)
    return written


class _Csv:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._header = True

    def __enter__(self) -> "_Csv":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, frame: pd.DataFrame) -> None:
        _rows(frame, self._file, header=self._header)
        self._header = False


class _Parquet:
    def __init__(self, path: Path, schema: TableSchema) -> None:
        self._path, self._schema = path, schema
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> "_Parquet":
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, frame: pd.DataFrame) -> None:
        table = as_arrow(frame, self._schema)
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table.cast(self._writer.schema))


def _rows(frame: pd.DataFrame, file: TextIO, *, header: bool = True) -> None:
    """Write ``frame`` in pieces, so that the quoted copy never holds more than one of them."""
    for start in range(0, max(len(frame), 1), _ROWS_AT_ONCE):
        piece = safe(frame.iloc[start : start + _ROWS_AT_ONCE])
        piece.to_csv(file, index=False, header=header and start == 0, lineterminator="\n")
