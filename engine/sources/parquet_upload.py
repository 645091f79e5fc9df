"""An uploaded Parquet file, which names its own types: checked for size and for types a patient table can have."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.core.errors import DataError
from engine.sources.csv_open import LARGEST_UNPACKED
from engine.sources.csv_structure import MOST_COLUMNS, clean_names
from engine.sources.interpretation import Interpretation, Note, Upload

_SIMPLE = (
    pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_string, pa.types.is_large_string,
    pa.types.is_date, pa.types.is_timestamp, pa.types.is_decimal, pa.types.is_null,
)  # fmt: skip


def read_parquet(path: Path) -> Upload:
    """Read a Parquet file with its types; times lose their zone (in UTC), decimals become floats.

    Raises:
        DataError: the file is damaged, empty, too large, or holds nested or binary columns.
    """
    try:
        with pq.ParquetFile(path) as file:
            _check_size(file.metadata)
            _check_types(file.schema_arrow)
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError("the Parquet file is damaged", remedy="Write or download it again.") from error
    names, notes = clean_names([str(name) for name in table.column_names], row=1)
    notes = [Note(note.text, column=note.column) for note in notes]
    return Upload(
        frame=_to_frame(table.rename_columns(names)),
        interpretation=Interpretation(file_format="parquet", header_row=None),
        notes=(Note("A Parquet file: columns keep the types that it names."), *notes),
    )


def _check_size(metadata: pq.FileMetaData) -> None:
    if not metadata.num_rows or not metadata.num_columns:
        raise DataError("the Parquet file has no rows", remedy="Write it again with its rows.")
    if metadata.num_columns > MOST_COLUMNS:
        raise DataError(f"the file has {metadata.num_columns} columns, more than {MOST_COLUMNS}")
    declared = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    # A column of one repeated value packs into nothing, so cells are counted as well as bytes.
    if max(declared, 8 * metadata.num_rows * metadata.num_columns) > LARGEST_UNPACKED:
        raise DataError(
            f"the Parquet file unpacks to more than {LARGEST_UNPACKED / 1e9:.1f} GB",
            remedy="Keep the columns and rows that are needed.",
        )


def _check_types(schema: pa.Schema) -> None:
    for position, field in enumerate(schema):
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if not any(is_kind(kind) for is_kind in _SIMPLE):
            raise DataError(
                f"a column is of type {kind}, which a patient table cannot hold",
                where=f"column {position + 1}",
                remedy="Write one value per cell: number, text, date or truth value.",
            )


def _to_frame(table: pa.Table) -> pd.DataFrame:
    columns = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = column.type
        if pa.types.is_dictionary(kind):
            column = column.cast(kind.value_type)
            kind = kind.value_type
        if pa.types.is_decimal(kind):
            column = column.cast(pa.float64())
        elif pa.types.is_date(kind) or pa.types.is_timestamp(kind):
            column = column.cast(pa.timestamp("s"), safe=False)
        elif pa.types.is_null(kind):
            column = column.cast(pa.string())
        series = column.to_pandas()
        if pa.types.is_integer(kind):
            series = pd.Series(pd.array(column.to_pandas(types_mapper=_nullable), dtype="Int64"))
        elif pa.types.is_boolean(kind):
            series = pd.Series(pd.array(column.to_pandas(types_mapper=_nullable), dtype="boolean"))
        elif pa.types.is_floating(kind):
            series = series.astype("float64")
        columns[name] = series.reset_index(drop=True)
    return pd.DataFrame(columns)


def _nullable(kind: pa.DataType) -> pd.api.extensions.ExtensionDtype | None:
    return pd.BooleanDtype() if pa.types.is_boolean(kind) else pd.Int64Dtype() if pa.types.is_integer(kind) else None
