"""CSV and Parquet."""

import zipfile
from collections.abc import Iterable
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from engine.core.workspace import json_text, write_atomically, write_json
from engine.export.cells import safe
from engine.export.dictionary import data_dictionary
from engine.export.rows import Rows
from engine.storage.tables import TableWriter

_ROWS_AT_ONCE = 50_000
_LINE_END = "\r\n"
"""RFC 4180. A writer quotes a break only where its own line end holds it: else a name with a return ends its row."""


def write_csv(rows: Rows, manifest: dict[str, Any], path: Path) -> None:
    """A plain CSV, with the manifest in a file beside it."""

    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            _frames(rows.parts(), file)

    write_atomically(path, write)
    write_json(path.with_name(f"{path.name}.manifest.json"), manifest)


def write_csv_archive(rows: Rows, manifest: dict[str, Any], path: Path) -> None:
    """A ZIP of ``cohort.csv``, ``data_dictionary.csv`` and ``manifest.json``."""

    def write(temporary: Path) -> None:
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, parts in (("cohort.csv", rows.parts()), ("data_dictionary.csv", [data_dictionary(rows.schema)])):
                with (
                    archive.open(name, "w", force_zip64=True) as raw,
                    TextIOWrapper(raw, encoding="utf-8", newline="") as file,
                ):
                    _frames(parts, file)
            archive.writestr("manifest.json", json_text(manifest, indent=2))

    write_atomically(path, write)


def write_parquet(rows: Rows, manifest: dict[str, Any], path: Path) -> None:
    """A Parquet file with manifest and schema in its metadata; nothing executes its cells, so none is quoted."""

    def write(temporary: Path) -> None:
        notes = {"manifest": json_text(manifest)}
        with TableWriter(temporary, rows.schema, notes=notes) as file:
            for frame in rows.parts():
                file.add(frame)

    write_atomically(path, write)


def _frames(frames: Iterable[pd.DataFrame], file: TextIO) -> None:
    for number, frame in enumerate(frames):
        _rows(frame, file, header=number == 0)


def _rows(frame: pd.DataFrame, file: TextIO, *, header: bool) -> None:
    """Write ``frame`` in pieces, so that the quoted copy never holds more than one of them."""
    for start in range(0, max(len(frame), 1), _ROWS_AT_ONCE):
        piece = safe(frame.iloc[start : start + _ROWS_AT_ONCE])
        piece.to_csv(file, index=False, header=header and start == 0, lineterminator=_LINE_END)
