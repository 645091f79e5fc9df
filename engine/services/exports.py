"""Files to take away: the cohort in a chosen format, with its manifest."""

import tempfile
from pathlib import Path

from engine.core.workspace import read_json
from engine.export.formats import FORMATS, Format, export
from engine.schema.table import TableSchema
from engine.services.context import Context
from engine.storage.tables import read_schema, read_table


class Exports:
    """Builds downloads; synthetic rows only."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def formats(self) -> dict[str, Format]:
        """The formats by name."""
        return {name: one for name, one in FORMATS.items() if one.on_page}

    def schema(self, cohort_id: str) -> TableSchema:
        """The data dictionary's columns."""
        return read_schema(self._context.workspace.cohort(cohort_id) / "cohort.parquet")

    def build(self, cohort_id: str, format: str) -> bytes:
        """The file's content.

        Raises:
            UserError: the cohort does not fit the format (Excel's row limit).
        """
        folder = self._context.workspace.cohort(cohort_id)
        frame, schema = read_table(folder / "cohort.parquet")
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / f"cohort{FORMATS[format].extension}"
            export(frame, schema, read_json(folder / "manifest.json"), format=format, path=path)
            return path.read_bytes()
