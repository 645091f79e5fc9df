"""Excel: the cohort, its data dictionary and a summary, each on a sheet of its own."""

from pathlib import Path
from typing import Any

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from engine.core.errors import UserError
from engine.core.workspace import write_atomically
from engine.export.cells import safe
from engine.export.dictionary import data_dictionary
from engine.export.rows import Rows
from engine.schema.table import Kind, TableSchema

MOST_ROWS = 1_048_575
"""Rows of a sheet below its header."""
_MOST_COLUMNS = 16_384
_LONGEST_TEXT = 32_767
_ROWS_AT_ONCE = 20_000


def write_excel(rows: Rows, manifest: dict[str, Any], path: Path) -> None:
    """Write the workbook row by row.

    Raises:
        UserError: the cohort has more rows or columns than a sheet.
    """
    schema = rows.schema
    columns = len(schema.columns)
    if rows.count > MOST_ROWS or columns > _MOST_COLUMNS:
        raise UserError(
            f"an Excel sheet holds {MOST_ROWS:,} rows and {_MOST_COLUMNS:,} columns, the cohort has {rows.count:,} and "
            f"{columns:,}",
            remedy="Export CSV or Parquet.",
        )
    # A sheet's limit bounds what this holds; the summary needs all of it.
    frame = pd.concat(list(rows.parts()), ignore_index=True)

    def write(temporary: Path) -> None:
        options = {
            "constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
        }  # fmt: skip
        with xlsxwriter.Workbook(str(temporary), options) as workbook:
            dates = [column.name for column in schema.columns if column.kind is Kind.DATE]
            _sheet(workbook, "Data", frame, dates=dates)
            _sheet(workbook, "Dictionary", data_dictionary(schema))
            _sheet(workbook, "Summary", _summary(frame, schema, manifest))

    write_atomically(path, write)


def _sheet(workbook: Workbook, name: str, frame: pd.DataFrame, *, dates: list[str] | None = None) -> None:
    sheet = workbook.add_worksheet(name)
    bold, day = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "yyyy-mm-dd"})
    sheet.freeze_panes(1, 0)
    is_date = [column in (dates or []) for column in frame.columns]
    for start in range(0, max(len(frame), 1), _ROWS_AT_ONCE):
        piece = safe(frame.iloc[start : start + _ROWS_AT_ONCE])
        if start == 0:
            sheet.set_column(0, max(0, len(piece.columns) - 1), 16)
            for place, header in enumerate(piece.columns):
                sheet.write_string(0, place, header, bold)
        rows = zip(*(piece[column].astype(object) for column in piece.columns), strict=True)
        for number, row in enumerate(rows, start + 1):
            for place, value in enumerate(row):
                if value is None or value is pd.NA or value != value:
                    continue
                if is_date[place]:
                    _write_date(sheet, number, place, pd.Timestamp(value), day)
                elif isinstance(value, bool):
                    sheet.write_boolean(number, place, value)
                elif isinstance(value, str):
                    if sheet.write_string(number, place, value) != 0:
                        raise UserError(
                            f"column {piece.columns[place]!r} holds a text longer than Excel's {_LONGEST_TEXT:,} signs",
                            remedy="Export CSV or Parquet.",
                        )
                else:
                    sheet.write_number(number, place, value)


def _write_date(sheet: Worksheet, row: int, column: int, moment: pd.Timestamp, day: Format) -> None:
    # Excel's calendar begins in 1900; an earlier date is kept as text.
    if moment.year < 1900:
        sheet.write_string(row, column, f"{moment:%Y-%m-%d}")
    else:
        sheet.write_datetime(row, column, moment.to_pydatetime(), day)


def _summary(frame: pd.DataFrame, schema: TableSchema, manifest: dict[str, Any]) -> pd.DataFrame:
    """Two columns: where the cohort comes from, then mean (SD) or the commonest category of each column."""
    rows = [
        ("Synthetic patients", f"{len(frame):,}"),
        ("Created", str(manifest.get("created_at", ""))),
        ("Source", str(manifest.get("source", {}).get("name", ""))),
        ("Generator", str(manifest.get("generator", {}).get("name", ""))),
        ("Privacy", _privacy(manifest.get("privacy", ""))),
        ("Seed", str(manifest.get("seed", ""))),
        ("Use", "Synthetic rows. Not for clinical decisions."),
        ("", ""),
    ]
    rows += [(schema[str(name)].title, _typical(frame[name])) for name in frame.columns]
    return pd.DataFrame(rows, columns=["Item", "Value"])


def _privacy(told: Any) -> str:
    if not isinstance(told, dict):
        return str(told)
    return f"epsilon {told['epsilon']:.4g}, delta {told['delta']:g} for each {told['unit']} ({told['neighbours']})"


def _typical(series: pd.Series) -> str:
    missing = float(series.isna().mean()) if len(series) else 0.0
    note = f"; {missing:.0%} missing" if missing else ""
    present = series.dropna()
    if present.empty:
        return "all missing"
    if pd.api.types.is_datetime64_any_dtype(present):
        return f"{present.min():%Y-%m-%d} to {present.max():%Y-%m-%d}{note}"
    if pd.api.types.is_bool_dtype(present):
        return f"{present.astype(bool).mean():.0%} yes{note}"
    if pd.api.types.is_numeric_dtype(present):
        return f"mean {present.mean():.4g} (SD {present.std():.3g}){note}"
    counts = present.value_counts(normalize=True)
    return f"{counts.index[0]} {counts.iloc[0]:.0%}{note}"
