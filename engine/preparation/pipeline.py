"""The two ways to a patient table: a MIMIC-III folder, or a frame with a schema (an uploaded file)."""

import time
from pathlib import Path

import pandas as pd

from engine.core.errors import DataError
from engine.core.progress import Part, Progress
from engine.preparation.admissions import add_intensive_care, group_ethnicity, read_stays, without_unsaid
from engine.preparation.cleaning import drop_impossible
from engine.preparation.concepts import (
    comorbidities,
    drug_classes,
    measured_items,
    mimic3_columns,
    procedure_flags,
    source_tables,
)
from engine.preparation.derived import add_measurements
from engine.preparation.diagnoses import add_diagnoses
from engine.preparation.measurements import WINDOW_NOTE, first_values
from engine.preparation.prepared import PreparedTable
from engine.preparation.report import TableReport, Tally
from engine.preparation.treatments import add_drug_classes, add_procedures
from engine.preparation.typing import with_schema
from engine.schema.table import TableSchema, conform
from engine.sources.mimic3 import Mimic3Folder, open_folder

__all__ = ["PreparedTable", "prepare_frame", "prepare_mimic3"]


def prepare_mimic3(path: Path, *, progress: Progress) -> PreparedTable:
    """One row per hospital admission of the MIMIC-III folder ``path``, in the order of patient and time.

    Raises:
        DataError: the folder is not MIMIC-III, or a table is not as published.
        Cancelled: ``progress`` asked to stop.
    """
    started = time.perf_counter()
    tally = Tally("MIMIC-III")
    progress.update(0.0, "Opening the folder")
    with open_folder(path) as folder:
        progress.update(0.02, "Reading admissions and patients")
        rows = _features(folder, tally=tally, progress=Part(progress, 0.02, 0.97))
        progress.update(0.97, "Checking and typing the columns")
        columns = mimic3_columns()
        table, schema = with_schema(rows, columns, tally=tally)
        absent = [column.name for column in columns if column.name not in schema]
        tally.tables.extend(_tables(folder, absent, tally))
    prepared = _finish(table, schema, tally=tally, started=started)
    progress.update(1.0, f"{prepared.report.rows} admissions of {prepared.report.patients} patients")
    return prepared


def prepare_frame(frame: pd.DataFrame, schema: TableSchema, *, source: str, progress: Progress) -> PreparedTable:
    """``frame`` in the types of ``schema``, with impossible values missing; ``source`` names it in the report.

    Raises:
        DataError: a column is absent or its values are not of its kind, or rows have no patient key.
    """
    started = time.perf_counter()
    tally = Tally(source)
    progress.update(0.1, "Typing the columns")
    table = conform(frame, schema).reset_index(drop=True)
    tally.step("types", rows_in=len(frame), rows_out=len(table), note=f"{len(schema.columns)} columns")
    if schema.patient_key is not None and table[schema.patient_key].isna().any():
        unnamed = table[schema.patient_key].isna()
        raise DataError(
            f"{int(unnamed.sum())} rows have no {schema.patient_key}",
            where=f"first in row {int(unnamed.to_numpy().argmax()) + 1}",
            remedy="Complete the patient key in the file, or give the column another role.",
        )
    progress.update(0.6, "Looking for impossible values")
    prepared = _finish(table, schema, tally=tally, started=started)
    progress.update(1.0, f"{prepared.report.rows} rows of {prepared.report.patients} patients")
    return prepared


def _features(folder: Mimic3Folder, *, tally: Tally, progress: Progress) -> pd.DataFrame:
    rows = read_stays(folder, tally)
    rows = rows.assign(
        ethnicity=group_ethnicity(rows["ethnicity"]),
        admission_source=without_unsaid(rows["admission_source"]),
        marital_status=without_unsaid(rows["marital_status"]),
        speaks_english=(rows["language"] == "ENGL").astype("boolean").mask(rows["language"].isna()),
    )
    rows = add_intensive_care(rows, folder, tally)
    progress.update(0.02, "Reading diagnoses")
    rows = add_diagnoses(rows, folder, flags=comorbidities(), tally=tally)
    progress.update(0.05, "Reading drugs")
    rows = add_drug_classes(rows, folder, classes=drug_classes(), tally=tally)
    values = first_values(folder, measured_items(), tally=tally, progress=Part(progress, 0.1, 0.98))
    tally.notes.extend((WINDOW_NOTE, "Numbers are rounded to the decimals that the catalogue states."))
    rows = add_measurements(rows, values, tally=tally)
    return add_procedures(rows, folder, flags=procedure_flags(), tally=tally)


def _finish(table: pd.DataFrame, schema: TableSchema, *, tally: Tally, started: float) -> PreparedTable:
    table, dropped = drop_impossible(conform(table, schema), schema)
    for name, drop in dropped.items():
        column = tally.column(name)
        column.dropped_impossible += drop.count
        column.plausible = (drop.low, drop.high)
    total = sum(tally.column(name).dropped_impossible for name in schema.names)
    tally.step("impossible values", rows_in=len(table), rows_out=len(table), note=f"{total} values dropped to missing")
    return PreparedTable(table, schema, tally.report(table, schema, seconds=time.perf_counter() - started))


def _tables(folder: Mimic3Folder, absent: list[str], tally: Tally) -> list[TableReport]:
    return [
        TableReport(
            name=file.table.name,
            present=file.present,
            rows_read=tally.rows_read.get(file.table.name),
            gives=file.table.gives,
            absent_columns=()
            if file.present
            else tuple(name for name in absent if file.table.name in source_tables(name)),
        )
        for file in folder.files
    ]
