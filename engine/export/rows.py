"""The rows that an export writes, read part by part, so that a cohort of any size leaves in flat memory."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from engine.schema.table import TableSchema
from engine.storage.tables import parts_of, read_schema, row_count


@dataclass(frozen=True)
class Rows:
    """A cohort to write.

    Attributes:
        schema: of the rows, as it may be released (:meth:`engine.schema.table.TableSchema.released`).
        count: how many rows there are.
        parts: begins to read them, as frames conformed to ``schema``; at least one, which may be empty.
    """

    schema: TableSchema
    count: int
    parts: Callable[[], Iterator[pd.DataFrame]]

    @classmethod
    def of(cls, frame: pd.DataFrame, schema: TableSchema) -> "Rows":
        """Those of a conformed frame."""
        return cls(schema.released(), len(frame), lambda: iter((frame,)))

    @classmethod
    def in_file(cls, path: Path) -> "Rows":
        """Those of a parquet table that carries its schema.

        Raises:
            DataError: the file is not parquet, or carries no schema.
        """
        return cls(read_schema(path).released(), row_count(path), lambda: parts_of(path))
