"""What a preparation says about itself: read, joined, converted, dropped, in counts and with no patient's cell."""

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd
from pydantic import BaseModel, ConfigDict

from engine.schema.table import TableSchema


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TableReport(_Frozen):
    """One table of the source. ``rows_read`` is None for a table that preparation does not read."""

    name: str
    present: bool
    rows_read: int | None = None
    gives: str = ""
    absent_columns: tuple[str, ...] = ()
    """Columns that the patient table lacks because this table is missing."""


class StepReport(_Frozen):
    """One step of the preparation: rows before and after, and what it did."""

    name: str
    rows_in: int
    rows_out: int
    note: str = ""


class ColumnReport(_Frozen):
    """One column of the patient table. Dropped and converted count source values, present and missing count rows."""

    name: str
    present: int
    missing: int
    sources: dict[str, int] = {}
    """Where the rows' values came from, for example ``{"LABEVENTS 51222": 120}``."""
    converted: dict[str, int] = {}
    """Conversion → how many rows' values it made, for example ``{"CHARTEVENTS 226531, lb → kg": 12}``."""
    dropped_impossible: int = 0
    """Values outside ``plausible``, left out before the first one was chosen."""
    plausible: tuple[float | None, float | None] | None = None
    note: str = ""


class UnknownCode(_Frozen):
    """A diagnosis code that belongs to no chapter, and how often it was recorded."""

    code: str
    count: int


class PreparationReport(_Frozen):
    """The whole report; ``model_dump_json`` is what lands in ``report.json``."""

    source: str
    rows: int
    patients: int
    seconds: float = 0.0
    tables: tuple[TableReport, ...] = ()
    steps: tuple[StepReport, ...] = ()
    columns: tuple[ColumnReport, ...] = ()
    unknown_codes: tuple[UnknownCode, ...] = ()
    notes: tuple[str, ...] = ()

    def table(self, name: str) -> TableReport:
        """The report of the source table ``name``."""
        return next(table for table in self.tables if table.name == name)

    def column(self, name: str) -> ColumnReport:
        """The report of the column ``name``."""
        return next(column for column in self.columns if column.name == name)

    @property
    def absent_columns(self) -> tuple[str, ...]:
        """Columns that missing tables keep out, in order, each once."""
        return tuple(dict.fromkeys(name for table in self.tables for name in table.absent_columns))


@dataclass
class ColumnTally:
    """Counts of one column while the preparation runs."""

    sources: Counter[str] = field(default_factory=Counter)
    converted: Counter[str] = field(default_factory=Counter)
    dropped_impossible: int = 0
    plausible: tuple[float | None, float | None] | None = None
    note: str = ""


@dataclass
class Tally:
    """Collects the report while the preparation runs; :meth:`report` freezes it."""

    source: str
    tables: list[TableReport] = field(default_factory=list)
    steps: list[StepReport] = field(default_factory=list)
    unknown_codes: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)
    rows_read: dict[str, int] = field(default_factory=dict)
    _columns: dict[str, ColumnTally] = field(default_factory=dict)

    def column(self, name: str) -> ColumnTally:
        """The counts of ``name``, made on first use."""
        return self._columns.setdefault(name, ColumnTally())

    def step(self, name: str, *, rows_in: int, rows_out: int, note: str = "") -> None:
        """Book a step."""
        self.steps.append(StepReport(name=name, rows_in=rows_in, rows_out=rows_out, note=note))

    def report(self, table: pd.DataFrame, schema: TableSchema, *, seconds: float) -> PreparationReport:
        """The finished report on ``table``."""
        key = schema.patient_key
        return PreparationReport(
            source=self.source,
            rows=len(table),
            patients=int(table[key].nunique()) if key else len(table),
            seconds=round(seconds, 3),
            tables=tuple(self.tables),
            steps=tuple(self.steps),
            columns=tuple(self._column_report(name, table[name]) for name in schema.names),
            unknown_codes=tuple(UnknownCode(code=code, count=n) for code, n in self.unknown_codes.most_common()),
            notes=tuple(self.notes),
        )

    def _column_report(self, name: str, values: pd.Series) -> ColumnReport:
        counts = self._columns.get(name, ColumnTally())
        present = int(values.notna().sum())
        return ColumnReport(
            name=name,
            present=present,
            missing=len(values) - present,
            sources=dict(counts.sources.most_common()),
            converted=dict(counts.converted.most_common()),
            dropped_impossible=counts.dropped_impossible,
            plausible=counts.plausible,
            note=counts.note,
        )
