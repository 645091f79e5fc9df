"""The formats by name, and the one function that writes any of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from engine.core.errors import UserError
from engine.export.excel import write_excel
from engine.export.manifest import released
from engine.export.rows import Rows
from engine.export.tabular import write_csv, write_csv_archive, write_parquet
from engine.schema.table import TableSchema

Writer = Callable[[Rows, dict[str, Any], Path], None]


@dataclass(frozen=True)
class Format:
    """A format with what the screen says of it."""

    label: str
    description: str
    extension: str
    mime: str
    write: Writer
    on_page: bool = True
    """Whether the Export page offers it; the others are for the command line."""


FORMATS = {
    "csv": Format(
        "Plain CSV", "The rows, with the manifest in a file beside them.", ".csv", "text/csv", write_csv, on_page=False
    ),
    "csv-archive": Format(
        "CSV", "The cohort, its data dictionary and the manifest in one ZIP.", ".zip", "application/zip",
        write_csv_archive,
    ),
    "parquet": Format(
        "Parquet", "Types kept; manifest and schema inside the file.", ".parquet", "application/vnd.apache.parquet",
        write_parquet,
    ),
    "excel": Format(
        "Excel", "A workbook with data, dictionary and summary.", ".xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", write_excel,
    ),
}  # fmt: skip


def export(frame: pd.DataFrame, schema: TableSchema, manifest: dict[str, Any], *, format: str, path: Path) -> Path:
    """Write the cohort ``frame`` (conformed to ``schema``) as ``format``; as :func:`export_rows`."""
    return export_rows(Rows.of(frame, schema), manifest, format=format, path=path)


def export_rows(rows: Rows, manifest: dict[str, Any], *, format: str, path: Path) -> Path:
    """Write a cohort as ``format``, part by part; returns ``path``, where the whole file appears at the end.

    What leaves is the synthetic rows, their dictionary and the manifest; nothing in them was computed on real rows
    but by the model.

    Raises:
        UserError: there is no such format, or the cohort does not fit it.
    """
    if format not in FORMATS:
        raise UserError(f"there is no format {format!r}", remedy=f"Formats are: {', '.join(FORMATS)}.")
    FORMATS[format].write(rows.leaving(), released(manifest), path)
    return path
