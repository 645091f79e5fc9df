"""Patient tables on disk: a parquet file that carries its own schema, so that table and schema cannot part."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.errors import DataError
from engine.core.workspace import write_atomically
from engine.schema.table import TableSchema, conform

_KEY = b"cohort_studio.schema"


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


def first_rows(path: Path, limit: int) -> pd.DataFrame:
    """The first ``limit`` rows of the table in ``path``, without reading the others."""
    batch = next(pq.ParquetFile(path).iter_batches(batch_size=limit), None)
    return pd.DataFrame() if batch is None else batch.to_pandas()
