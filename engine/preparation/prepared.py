"""A patient table with its schema and its report, in memory and on disk."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd
from pydantic import ValidationError

from engine.core.errors import DataError
from engine.core.workspace import read_json, write_json
from engine.preparation.report import PreparationReport, Tally
from engine.schema.table import TableSchema
from engine.storage.tables import read_table, write_table

TABLE, SCHEMA, REPORT = "table.parquet", "schema.json", "report.json"


@dataclass(frozen=True)
class PreparedTable:
    """``table`` is conformed to ``schema``, patient key included; ``report`` says how it came about."""

    table: pd.DataFrame
    schema: TableSchema
    report: PreparationReport

    @classmethod
    def of(cls, table: pd.DataFrame, schema: TableSchema, *, source: str = "prepared table") -> Self:
        """A table that was prepared before, with a report that only counts."""
        return cls(table, schema, Tally(source).report(table, schema, seconds=0.0))

    def save(self, folder: Path) -> None:
        """Write the three files, each atomically; the report comes last, so a folder that has one is whole."""
        write_table(folder / TABLE, self.table, self.schema)
        write_json(folder / SCHEMA, self.schema.model_dump(mode="json"))
        write_json(folder / REPORT, self.report.model_dump(mode="json"))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The table that :meth:`save` wrote into ``folder``.

        Raises:
            DataError: a file is absent or is not what :meth:`save` wrote.
        """
        try:
            table, schema = read_table(folder / TABLE)
            report = PreparationReport.model_validate(read_json(folder / REPORT))
        except (OSError, ValueError, ValidationError) as error:
            raise DataError(
                "the prepared table is incomplete", where=folder.name, remedy="Prepare the source again."
            ) from error
        return cls(table, schema, report)
