"""Prepares simulated MIMIC-III folders in which a test planted something."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from engine.core.progress import Silent
from engine.preparation.concepts import measured_items
from engine.preparation.pipeline import PreparedTable, prepare_mimic3
from tests.helpers.simulated_mimic import Tables, write_folder


def prepare(folder: Path) -> PreparedTable:
    return prepare_mimic3(folder, progress=Silent())


def planted(tmp_path: Path, edit: Callable[[Tables], None] | None = None, **options) -> PreparedTable:
    write_folder(tmp_path, patients=12, seed=4, edit=edit, **options)
    return prepare(tmp_path)


def row(prepared: PreparedTable, admission: int) -> pd.Series:
    table = prepared.table
    return table.loc[table["admission_id"].astype(str) == str(admission)].iloc[0]


def forget(tables: Tables, admission: int, *columns: str) -> None:
    """Remove every measurement of the columns in an admission."""
    items = {item.item for item in measured_items() if item.column in columns}
    subject = tables["ADMISSIONS"].set_index("HADM_ID").at[admission, "SUBJECT_ID"]
    for name in ("LABEVENTS", "CHARTEVENTS"):
        events = tables[name]
        tables[name] = events.loc[~(events["ITEMID"].isin(items) & (events["SUBJECT_ID"] == subject))].reset_index(
            drop=True
        )


def measure(tables: Tables, table: str, admission: int, item: int, value: float, *, hours: float, **more) -> None:
    """Add a measurement so many hours after admission; ``HADM_ID=None`` books it on no admission."""
    stay = tables["ADMISSIONS"].set_index("HADM_ID").loc[admission]
    events = tables[table]
    added = {
        "ROW_ID": int(events["ROW_ID"].max()) + 1,
        "SUBJECT_ID": stay["SUBJECT_ID"],
        "HADM_ID": admission,
        "ITEMID": item,
        "CHARTTIME": stay["ADMITTIME"] + pd.Timedelta(hours=hours),
        "VALUENUM": value,
        **more,
    }
    tables[table] = pd.concat([events, pd.DataFrame([added]).astype({"HADM_ID": "Int64"})], ignore_index=True)


def chart_item(column: str, *, converted: bool = False) -> int:
    return next(
        item.item
        for item in measured_items()
        if item.column == column and item.table == "CHARTEVENTS" and bool(item.conversion) == converted
    )
