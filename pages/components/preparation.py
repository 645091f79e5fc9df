"""The confirmation of an upload, and the preparation report."""

from typing import Any

import pandas as pd
import streamlit as st

from engine.core.errors import UserError
from engine.schema.table import Kind, Role, TableSchema
from engine.services.datasets import Preview
from engine.storage.records import DatasetRecord
from pages.components.comparison import typical
from pages.components.state import studio
from pages.components.text import plain


def confirm(record: DatasetRecord, preview: Preview) -> None:
    """Show how the file was read, let the user correct the columns, then prepare it."""
    st.header(f"How “{plain(record.name)}” was read", anchor=False)
    read = preview.interpretation
    st.markdown(f"{preview.rows:,} rows · {len(preview.schema.columns)} columns · {read.summary}")
    for note in preview.notes:
        st.caption(f":material/info: {note}")
    schema = preview.schema
    columns = pd.DataFrame(
        [
            {
                "Column": column.name,
                "Kind": column.kind.value,
                "Role": column.role.value,
                "Unit": column.unit or "",
                "Minimum": column.minimum,
                "Maximum": column.maximum,
                "Remark": column.description,
            }
            # Limits that were read from the rows are two patients' values: only declared ones are shown.
            for column in schema.released().columns
        ]
    )
    edited = st.data_editor(
        columns, hide_index=True, key=f"schema-{record.id}", disabled=["Column", "Remark"], num_rows="fixed",
        column_config={
            "Kind": st.column_config.SelectboxColumn(options=[kind.value for kind in Kind], required=True),
            "Role": st.column_config.SelectboxColumn(options=[role.value for role in Role], required=True),
            "Remark": st.column_config.TextColumn(width="large"),
        },
    )  # fmt: skip
    st.caption(
        "Role *patient_key*: the column that names the patient, if patients have several rows; privacy and splits go "
        "by patient. Role *excluded*: neither learned nor generated, right for names, record numbers and free text."
    )
    if st.button("Looks right: prepare it", type="primary", icon=":material/check:", key="confirm"):
        try:
            with st.spinner("Checking the columns…"):
                _save(record.id, columns, edited)
        except UserError as error:
            st.error(str(error), icon=":material/error:")
        else:
            studio().datasets.confirm(record.id)
            st.rerun()


def _save(dataset_id: str, before: pd.DataFrame, after: pd.DataFrame) -> None:
    for index in range(len(before)):
        if changes := _changes(before.iloc[index], after.iloc[index]):
            studio().datasets.edit(dataset_id, before.iloc[index]["Column"], **changes)


def _changes(before: pd.Series, after: pd.Series) -> dict[str, Any]:
    """What was edited in a line; an emptied unit is removed, an emptied bound stays as it was."""
    changes = {}
    for title in ("Role", "Kind", "Unit", "Minimum", "Maximum"):
        old, new = before[title], after[title]
        if title == "Unit":
            new = "" if pd.isna(new) else new
        if old != new and not pd.isna(new):
            changes[title.lower()] = new
    return changes


def overview_row(column: dict[str, Any]) -> dict[str, Any]:
    """One column's line of the overview table."""
    return {
        "Column": column["title"],
        "Group": column.get("group") or "",
        "Kind": column["kind"],
        "Unit": column.get("unit") or "",
        "Recorded": column["present"],
        "Typical": typical(column, "real"),
    }


def show_report(report: dict[str, Any]) -> None:
    """What was read, joined, converted and dropped, in counts."""
    for note in report.get("notes", []):
        st.caption(f":material/info: {note}")
    _table("Files", report.get("tables", []))
    _table("Steps", report.get("steps", []))
    _table("Columns", report.get("columns", []))
    unknown = report.get("unknown_codes") or []
    st.header("Diagnosis codes that no chapter of ICD-9-CM lists", anchor=False)
    if unknown:
        _table("", unknown)
    else:
        st.caption("None.")


def _table(title: str, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    if title:
        st.header(title, anchor=False)
    frame = pd.DataFrame(rows)
    for name in frame.columns:
        if frame[name].map(lambda value: isinstance(value, (dict, list))).any():
            frame[name] = frame[name].map(_plain)
    frame.columns = [str(name).replace("_", " ").capitalize() for name in frame.columns]
    st.dataframe(frame, hide_index=True, alt=f"{title or 'Codes'} of the preparation report")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {count}" for key, count in value.items())
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def dictionary(schema: TableSchema) -> None:
    """Name, label, kind, unit, range and code of every column."""
    st.dataframe(
        [
            {
                "Name": column.name,
                "Label": column.label,
                "Kind": column.kind.value,
                "Unit": column.unit or "",
                "Reference range": _range(column.reference_low, column.reference_high),
                "LOINC": column.loinc or "",
                "Description": column.description,
            }
            for column in schema.columns
        ],
        hide_index=True,
        key="dictionary",
        alt="Data dictionary of the cohort",
    )


def _range(low: float | None, high: float | None) -> str:
    if low is None and high is None:
        return ""
    return f"{'' if low is None else f'{low:g}'} – {'' if high is None else f'{high:g}'}"
