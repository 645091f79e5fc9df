"""What the folder of a data set holds: a table of patients, or, of a source that ships with its model, a summary."""

from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from engine.core.errors import DataError

if TYPE_CHECKING:
    from engine.schema.table import TableSchema

TABLE = "table.parquet"
SCHEMA = "schema.json"


def has_rows(folder: Path) -> bool:
    """Whether the data set of ``folder`` has a table of patients; else its model's private summary stands for it."""
    return (folder / TABLE).exists()


def schema_of(folder: Path) -> "TableSchema":
    """The schema of the data set in ``folder``: its table's own, or the one that is kept where there is no table.

    Raises:
        DataError: there is neither, or it cannot be read.
    """
    # Whoever asks only where things lie need not load pandas.
    from engine.schema.table import TableSchema
    from engine.storage.tables import read_schema

    if has_rows(folder) or not (folder / SCHEMA).exists():
        return read_schema(folder / TABLE)
    try:
        return TableSchema.model_validate_json((folder / SCHEMA).read_text(encoding="utf-8"))
    except (ValidationError, ValueError, OSError) as error:
        raise DataError("the data set's schema cannot be read", where=SCHEMA, remedy="Prepare it again.") from error
