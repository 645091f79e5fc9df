"""The rows that an export writes, read part by part, so that a cohort of any size leaves in flat memory."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

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
        seen = {name: frame[name].dropna().astype(str).unique() for name in _secret(schema)}
        return cls(_with_seen(schema.released(), seen), len(frame), lambda: iter((frame,)))

    @classmethod
    def in_file(cls, path: Path) -> "Rows":
        """Those of a parquet table that carries its schema.

        Raises:
            DataError: the file is not parquet, or carries no schema.
        """
        schema = read_schema(path)
        schema = _with_seen(schema.released(), _seen(path, _secret(schema)))
        return cls(schema, row_count(path), lambda: parts_of(path))

    def leaving(self) -> "Rows":
        """The rows without words of real rows that none of them holds: category lists and unused categories."""
        own = {"categories": None}
        columns = (
            one if one.categories is None or one.categories_are_public else one.model_copy(update=own)
            for one in self.schema.columns
        )
        return Rows(TableSchema(columns=tuple(columns)), self.count, lambda: map(_used, self.parts()))


def _secret(schema: TableSchema) -> list[str]:
    """Columns whose list of categories was read from real rows, where a patient alone may have one of them."""
    return [one.name for one in schema.columns if one.categories is not None and not one.categories_are_public]


def _with_seen(schema: TableSchema, seen: Mapping[str, Iterable[str]]) -> TableSchema:
    """``schema`` with only the categories that its rows hold, which whoever gets the rows sees anyway."""
    found = {name: set(values) for name, values in seen.items()}
    return schema.replace(
        *(
            schema[name].model_copy(
                update={
                    "categories": tuple(one for one in schema[name].categories or () if one in values),
                    "categories_are_public": True,
                }
            )
            for name, values in found.items()
        )
    )


def _seen(path: Path, names: list[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {name: set() for name in names}
    if names:
        for batch in pq.ParquetFile(path).iter_batches(columns=names):
            for name in names:
                found[name].update(value for value in batch.column(name).unique().to_pylist() if value is not None)
    return found


def _used(frame: pd.DataFrame) -> pd.DataFrame:
    used = frame.copy(deep=False)
    for name in frame.columns[[isinstance(kind, pd.CategoricalDtype) for kind in frame.dtypes]]:
        used[name] = frame[name].cat.remove_unused_categories()
    return used
