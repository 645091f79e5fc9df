"""Patient tables on disk: a parquet file that carries its own schema, so that table and schema cannot part."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.errors import DataError
from engine.core.workspace import write_atomically
from engine.schema.table import TableSchema, conform

_KEY = b"cohort_studio.schema"
_ROWS_AT_ONCE = 50_000
_TEXTS = pa.dictionary(pa.int32(), pa.string())
"""Of a column of categories in every part; parts with few categories would have narrower indices than the others."""


def write_table(path: Path, frame: pd.DataFrame, schema: TableSchema, *, notes: dict[str, str] | None = None) -> None:
    """Write a conformed ``frame`` with its schema, and ``notes`` by key, in the file's metadata, atomically."""
    table = as_arrow(frame, schema, notes=notes)
    write_atomically(path, lambda temporary: pq.write_table(table, temporary))


def as_arrow(frame: pd.DataFrame, schema: TableSchema, *, notes: dict[str, str] | None = None) -> pa.Table:
    """A conformed ``frame`` as an Arrow table that carries its schema and ``notes`` by key."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    own = {_KEY: schema.model_dump_json().encode()} | {
        f"cohort_studio.{name}".encode(): text.encode() for name, text in (notes or {}).items()
    }
    return table.replace_schema_metadata({**(table.schema.metadata or {}), **own})


def read_table(path: Path, *, columns: list[str] | None = None) -> tuple[pd.DataFrame, TableSchema]:
    """The conformed frame in ``path`` (or only ``columns`` of it) with its schema.

    Raises:
        DataError: the file is not parquet, or carries no schema.
    """
    schema = read_schema(path)
    schema = schema if columns is None else schema.select(columns)
    return conform(pq.read_table(path, columns=schema.names).to_pandas(), schema), schema


def read_schema(path: Path) -> TableSchema:
    """The schema in the metadata of ``path``.

    Raises:
        DataError: the file is not parquet, or carries no schema.
    """
    try:
        metadata = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("the file is not a readable parquet table", where=path.name) from error
    if _KEY not in metadata:
        raise DataError(
            "the parquet file carries no Cohort Studio schema", where=path.name, remedy="Prepare it as an upload."
        )
    return TableSchema.model_validate_json(metadata[_KEY])


def read_note(path: Path, name: str) -> str:
    """The note ``name`` that ``path`` was written with.

    Raises:
        DataError: the file is not parquet, or carries no such note.
    """
    found = (_opened(path).schema_arrow.metadata or {}).get(f"cohort_studio.{name}".encode())
    if found is None:
        raise DataError(f"the parquet file carries no note {name!r}", where=path.name)
    return found.decode()


def first_rows(path: Path, limit: int) -> pd.DataFrame:
    """The first ``limit`` rows of the table in ``path``, without reading the others."""
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=limit), None)
    return pd.DataFrame() if batch is None else batch.to_pandas()


def row_count(path: Path) -> int:
    """Rows of the table in ``path``, without reading them.

    Raises:
        DataError: the file is not parquet.
    """
    return _opened(path).metadata.num_rows


def parts_of(path: Path) -> Iterator[pd.DataFrame]:
    """The conformed rows of ``path`` in pieces, so that memory stays flat; at least one piece, which may be empty.

    Raises:
        DataError: the file is not parquet, or carries no schema.
    """
    schema = read_schema(path)
    file = _opened(path)
    if file.metadata.num_rows == 0:
        yield conform(file.read(columns=schema.names).to_pandas(), schema)
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=schema.names):
        yield conform(pa.Table.from_batches([batch], file.schema_arrow).to_pandas(), schema)


def sampled_rows(path: Path, limit: int, *, random: np.random.Generator) -> pd.DataFrame:
    """At most ``limit`` conformed rows of ``path``, each set of them as likely as any other, in the file's order.

    The file is read piece by piece: memory follows ``limit``, not the file.

    Raises:
        DataError: the file is not parquet, or carries no schema.
    """
    schema = read_schema(path)
    return conform(sampled_frame(path, limit, random=random, columns=schema.names), schema)


def sampled_frame(
    path: Path, limit: int, *, random: np.random.Generator, columns: list[str] | None = None
) -> pd.DataFrame:
    """As :func:`sampled_rows`, of any parquet file: the rows (or only ``columns`` of them) as the file holds them.

    Raises:
        DataError: the file is not parquet.
    """
    file = _opened(path)
    rows = file.metadata.num_rows
    if rows <= limit:
        return whole_frame(path, columns=columns)
    chosen = np.sort(random.choice(rows, size=limit, replace=False, shuffle=False))
    kept: list[pa.RecordBatch] = []
    first = 0
    for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
        begin, end = np.searchsorted(chosen, [first, first + batch.num_rows])
        kept.append(batch.take(pa.array(chosen[begin:end] - first)))
        first += batch.num_rows
    return pa.Table.from_batches(kept).to_pandas()


def whole_frame(path: Path, *, columns: list[str] | None = None) -> pd.DataFrame:
    """The rows of any parquet file (or only ``columns`` of them) as it holds them.

    Raises:
        DataError: the file is not parquet.
    """
    return _opened(path).read(columns=columns).to_pandas()


class TableWriter:
    """Writes frames of one schema, conformed, into one parquet file as they come; use it as a context."""

    def __init__(self, path: Path, schema: TableSchema, *, notes: dict[str, str] | None = None) -> None:
        self._path, self._schema, self._notes = path, schema, notes
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._writer is not None:
            self._writer.close()

    def add(self, frame: pd.DataFrame) -> None:
        """Append the rows of ``frame``."""
        self._add(as_arrow(frame, self._schema, notes=self._notes))

    def append(self, path: Path) -> None:
        """Append the rows of a table of the same schema on disk, one row group in memory at a time."""
        file = _opened(path)
        own = as_arrow(conform(file.schema_arrow.empty_table().to_pandas(), self._schema), self._schema)
        for number in range(file.num_row_groups):
            self._add(file.read_row_group(number).replace_schema_metadata(own.schema.metadata))

    def _add(self, table: pa.Table) -> None:
        if self._writer is None:
            alike = [field.with_type(_TEXTS) if pa.types.is_dictionary(field.type) else field for field in table.schema]
            self._writer = pq.ParquetWriter(self._path, pa.schema(alike, metadata=table.schema.metadata))
        self._writer.write_table(table.cast(self._writer.schema))


def _opened(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError("the file is not a readable parquet table", where=path.name) from error
