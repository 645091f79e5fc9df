"""First plausible value of each laboratory test and vital sign of an admission, from LABEVENTS and CHARTEVENTS.

Each event table is read once, however long it is: rows are filtered by item number, converted, checked and reduced to
the first value of each admission and item while they stream by, so memory grows with admissions, not with events.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.core.progress import Part, Progress
from engine.preparation.admissions import LOOK_BACK_HOURS
from engine.preparation.report import Tally
from engine.sources.mimic3 import Mimic3Folder

WINDOW_NOTE = (
    f"Laboratory values and vital signs: the first plausible value by time (then by row, laboratory before bedside) "
    f"between {LOOK_BACK_HOURS} hours before ADMITTIME, but not before the previous discharge, and DISCHTIME."
)
TABLES = ("LABEVENTS", "CHARTEVENTS")
DISAGREEMENT = 1.5
"""First values of one stay further apart than this factor disagree, in a column that hardly changes within a stay."""
SHARES = {"LABEVENTS": (0.0, 0.15), "CHARTEVENTS": (0.15, 1.0)}


@dataclass(frozen=True)
class MeasuredItem:
    """One item number that measures a column: ``value * factor + offset`` is in the column's unit."""

    column: str
    table: str
    item: int
    factor: float = 1.0
    offset: float = 0.0
    conversion: str = ""
    """How the report names the conversion, for example ``"lb → kg"``; empty where there is none."""
    recorded_unit: str = ""
    """In lower case: the entry is only for laboratory rows that state this unit; empty for all others of the item."""
    steady: bool = False
    """Whether the column hardly changes within a stay, so that items that disagree cannot both be right."""
    low: float | None = None
    high: float | None = None

    @property
    def source(self) -> str:
        """Table and item number, as the report names them."""
        return f"{self.table} {self.item}"


@dataclass(frozen=True)
class FirstValues:
    """First values in long form: ``admission_id``, ``concept`` (column), ``value``, ``entry``, ``seconds``.

    ``seconds`` counts from the opening of the admission's window; ``entry`` is the position in ``items``.
    """

    long: pd.DataFrame
    items: list[MeasuredItem]

    @property
    def columns(self) -> list[str]:
        """The columns that have a table to come from, in the order of the items."""
        return list(dict.fromkeys(item.column for item in self.items))

    def column(self, name: str, admissions: pd.Series, *, tally: Tally | None = None) -> pd.Series:
        """Values in the order of ``admissions``; with ``tally``, the column's sources and conversions are booked."""
        rows = self.long.loc[self.long["concept"] == name]
        rows = rows.loc[rows["admission_id"].isin(admissions)]
        if tally is not None:
            for entry, count in rows["entry"].value_counts().items():
                item = self.items[int(str(entry))]
                tally.column(name).sources[item.source] += int(count)
                if item.conversion:
                    tally.column(name).converted[f"{item.source}, {item.conversion}"] += int(count)
            disputed = int(rows["disputed"].sum())
            if disputed:
                tally.column(name).note = (
                    f"In {disputed} admissions the items disagree by more than a factor of {DISAGREEMENT}: "
                    "the catalogue's preferred item counts."
                )
        return admissions.map(rows.set_index("admission_id")["value"]).astype("float64")

    def seconds(self, name: str, admissions: pd.Series) -> pd.Series:
        """When the column was first measured, in seconds since the admission's window opened."""
        rows = self.long.loc[self.long["concept"] == name]
        return admissions.map(rows.set_index("admission_id")["seconds"]).astype("float64")


def first_values(folder: Mimic3Folder, items: list[MeasuredItem], *, tally: Tally, progress: Progress) -> FirstValues:
    """First plausible value of every column of ``items`` in every admission.

    Needs the table ``stay`` of :func:`engine.preparation.admissions.read_stays`. Items of missing tables are left out;
    a column all of whose tables are missing is not among the result's columns.
    """
    items = [item for item in items if folder.has(item.table)]
    folder.register("wanted", _as_frame(items))
    folder.execute(
        "CREATE OR REPLACE TEMP TABLE firsts "
        "(hadm_id BIGINT, entry INTEGER, seconds BIGINT, rank INTEGER, line BIGINT, value DOUBLE)"
    )
    for rank, table in enumerate(TABLES):
        if folder.has(table):
            share = Part(progress, *SHARES[table])
            _reduce(folder, table, rank=rank, items=items, tally=tally, progress=share)
    return FirstValues(folder.frame(_FIRST_OF_COLUMN), items)


# place orders rows within an admission: seconds since the window opened, then ROW_ID (below 2**32 in any release).
_REDUCE = """
CREATE OR REPLACE TEMP TABLE reduced AS
WITH event AS (
    SELECT stay.hadm_id, wanted.entry, wanted.entry IS NULL AS other, e.valuenum IS NULL AS blank, {error} AS faulty,
        e.valuenum * wanted.factor + wanted.shift AS value, wanted.low, wanted.high,
        (epoch(e.charttime) - epoch(stay.opens))::BIGINT * 4294967296 + e.row_id AS place
    FROM {view} e
    LEFT JOIN wanted ON e.itemid = wanted.itemid AND wanted.source = '{table}' AND wanted.unit = {unit}
    LEFT JOIN stay ON wanted.entry IS NOT NULL AND e.subject_id = stay.subject_id
        AND (e.hadm_id = stay.hadm_id OR e.hadm_id IS NULL)
        AND e.charttime >= stay.opens AND e.charttime <= stay.closes
), judged AS (
    SELECT *, NOT (blank OR faulty OR hadm_id IS NULL) AS usable,
        value >= coalesce(low, value) AND value <= coalesce(high, value) AS possible
    FROM event
)
SELECT hadm_id, entry, other, count(*) AS events,
    count(*) FILTER (usable) AS usable, count(*) FILTER (usable AND NOT possible) AS impossible,
    count(*) FILTER (blank) AS blank, count(*) FILTER (faulty AND NOT blank) AS faulty,
    count(*) FILTER (hadm_id IS NULL AND NOT blank AND NOT faulty) AS outside,
    min(place) FILTER (usable AND possible) AS place,
    arg_min(value, place) FILTER (usable AND possible) AS value
FROM judged GROUP BY hadm_id, entry, other
"""

# Where the items of a steady column disagree (a weight in pounds typed into a field for kilograms), the catalogue's
# preferred item decides instead of the time.
_FIRST_OF_COLUMN = f"""
WITH judged AS (
    SELECT *, steady AND max(value) OVER same > {DISAGREEMENT} * min(value) OVER same AS disputed
    FROM firsts JOIN wanted USING (entry) WINDOW same AS (PARTITION BY hadm_id, concept)
), placed AS (
    SELECT *, row(CASE WHEN disputed THEN entry ELSE 0 END, seconds, rank, line, entry) AS place FROM judged
)
SELECT hadm_id AS admission_id, concept, arg_min(value, place) AS value, arg_min(entry, place) AS entry,
    arg_min(seconds, place) AS seconds, bool_or(disputed) AS disputed
FROM placed GROUP BY hadm_id, concept
"""


def _reduce(
    folder: Mimic3Folder, table: str, *, rank: int, items: list[MeasuredItem], tally: Tally, progress: Progress
) -> None:
    error = "coalesce(e.error, 0) = 1" if table == "CHARTEVENTS" else "false"
    folder.execute(
        _REDUCE.format(view=table.lower(), table=table, error=error, unit=_unit_of_row(table, items)),
        progress=progress,
        message=f"Reading {table}",
    )
    counts = folder.frame(
        "SELECT entry, other, sum(events) AS events, sum(usable) AS usable, sum(impossible) AS impossible, "
        "sum(blank) AS blank, sum(faulty) AS faulty, sum(outside) AS outside FROM reduced GROUP BY entry, other"
    )
    tally.rows_read[table] = int(counts["events"].sum())
    matched = counts.loc[~counts["other"].astype(bool)]
    for entry, impossible in zip(matched["entry"].astype(int), matched["impossible"].astype(int), strict=True):
        tally.column(items[entry].column).dropped_impossible += impossible
    sums = {name: int(matched[name].sum()) for name in ("events", "usable", "impossible", "blank", "faulty", "outside")}
    used = sums["usable"] - sums["impossible"]
    tally.step(
        table,
        rows_in=tally.rows_read[table],
        rows_out=used,
        note=(
            f"{sums['events']} rows of {len({item.item for item in items if item.table == table})} items; "
            f"left out: {sums['blank']} without a number, {sums['faulty']} marked as error, "
            f"{sums['outside']} outside an admission, {sums['impossible']} impossible"
        ),
    )
    # Row numbers of two tables mean nothing to each other: after the time, the table decides, then the row.
    folder.execute(
        f"INSERT INTO firsts SELECT hadm_id, entry, place // 4294967296, {rank}, place % 4294967296, value "
        "FROM reduced WHERE place IS NOT NULL"
    )


def _unit_of_row(table: str, items: list[MeasuredItem]) -> str:
    """SQL for the entry's ``recorded_unit`` that a row of ``table`` belongs to."""
    pairs = ", ".join(
        f"({item.item}, '{item.recorded_unit}')" for item in items if item.table == table and item.recorded_unit
    )
    recorded = "lower(trim(coalesce(e.valueuom, '')))"
    return f"CASE WHEN (e.itemid, {recorded}) IN ({pairs}) THEN {recorded} ELSE '' END" if pairs else "''"


def _as_frame(items: list[MeasuredItem]) -> pd.DataFrame:
    return pd.DataFrame({
        "entry": np.arange(len(items), dtype="int32"),
        "concept": pd.array([item.column for item in items], dtype="object"),
        "source": pd.array([item.table for item in items], dtype="object"),
        "unit": pd.array([item.recorded_unit for item in items], dtype="object"),
        "itemid": pd.array([item.item for item in items], dtype="int32"),
        "factor": pd.array([item.factor for item in items], dtype="float64"),
        "shift": pd.array([item.offset for item in items], dtype="float64"),
        "steady": pd.array([item.steady for item in items], dtype="bool"),
        "low": pd.array([item.low for item in items], dtype="Float64"),
        "high": pd.array([item.high for item in items], dtype="Float64"),
    })  # fmt: skip
