"""Files to take away: the cohort in a chosen format, with its manifest."""

import tempfile
from pathlib import Path
from typing import Any

from engine.core.workspace import read_json
from engine.export.formats import FORMATS, Format, export_rows
from engine.export.manifest import released
from engine.export.rows import Rows
from engine.schema.table import TableSchema
from engine.services.context import Context
from engine.storage.tables import read_schema


class Exports:
    """Builds downloads; synthetic rows only."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def formats(self) -> dict[str, Format]:
        """The formats by name."""
        return {name: one for name, one in FORMATS.items() if one.on_page}

    def schema(self, cohort_id: str) -> TableSchema:
        """The data dictionary's columns, without bounds that were read from real rows."""
        return read_schema(self._context.workspace.cohort(cohort_id) / "cohort.parquet").released()

    def manifest(self, cohort_id: str) -> dict[str, Any]:
        """The manifest as it leaves with every file."""
        return released(read_json(self._context.workspace.cohort(cohort_id) / "manifest.json"))

    def folder(self, cohort_id: str) -> Path:
        """Where the cohort's Parquet file and manifest lie on this machine."""
        return self._context.workspace.cohort(cohort_id).resolve()

    def write(self, cohort_id: str, format: str, path: Path) -> Path:
        """Write the cohort into the file ``path``, part by part, so that memory stays flat; returns ``path``.

        Raises:
            UserError: the cohort does not fit the format (Excel's row limit).
        """
        folder = self._context.workspace.cohort(cohort_id)
        rows, manifest = Rows.in_file(folder / "cohort.parquet"), read_json(folder / "manifest.json")
        return export_rows(rows, manifest, format=format, path=path)

    def build(self, cohort_id: str, format: str) -> bytes:
        """The file's content; as :meth:`write`."""
        with tempfile.TemporaryDirectory() as temporary:
            return self.write(cohort_id, format, Path(temporary) / f"cohort{FORMATS[format].extension}").read_bytes()
