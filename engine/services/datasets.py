"""Sources of real patients: register, prepare, look at in aggregates, edit the schema."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from engine.core.errors import DataError, UserError
from engine.core.workspace import read_json, write_atomically, write_json
from engine.evaluation.profile import profile
from engine.evaluation.summarised.columns import profile as summarised_profile
from engine.privacy.summary import PrivateSummary, summary_of
from engine.schema.inference import edit_schema, infer_schema
from engine.schema.table import TableSchema
from engine.services.context import Context
from engine.services.shipped import CARD, ShippedSource, read_shipped
from engine.sources.csv_upload import Interpretation, read_csv
from engine.sources.mimic3 import open_folder
from engine.sources.open_datasets import MIMIC3_DEMO
from engine.storage.records import SHIPPED, DatasetRecord
from engine.storage.sources import TABLE, has_rows, schema_of
from engine.storage.tables import read_table


@dataclass(frozen=True)
class Preview:
    """How an uploaded file was read, for the user to confirm: notes and schema, no rows."""

    dataset_id: str
    rows: int
    interpretation: Interpretation
    notes: tuple[str, ...]
    schema: TableSchema


class Datasets:
    """The data sets of the workspace."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def all(self) -> list[DatasetRecord]:
        """A person's own, the newest first, then those that ship."""
        return sorted(self._context.database.datasets(), key=lambda record: record.source == SHIPPED)

    def get(self, dataset_id: str) -> DatasetRecord:
        """One data set.

        Raises:
            UserError: there is no such data set.
        """
        return self._context.database.dataset(dataset_id)

    def about(self, dataset_id: str) -> ShippedSource | None:
        """What a data set that ships with its model is; None for one of a person's own."""
        return read_shipped(self._folder(dataset_id))

    def card(self, dataset_id: str) -> str:
        """The model card of a data set that ships with its model, in Markdown."""
        return (self._folder(dataset_id) / CARD).read_text(encoding="utf-8")

    def add_mimic3(self, path: str) -> tuple[DatasetRecord, str]:
        """Register a MIMIC-III folder and queue its preparation; returns the data set and the job's id.

        Raises:
            DataError: the folder is not a MIMIC-III folder.
        """
        if not path.strip():
            raise DataError(
                "no folder was named", remedy="Enter the folder that holds ADMISSIONS.csv.gz and PATIENTS.csv.gz."
            )
        folder = Path(path.strip()).expanduser().resolve()
        open_folder(folder).close()
        record = self._context.database.add_dataset(
            name=f"MIMIC-III · {folder.name}", source="mimic3", location=str(folder)
        )
        job = self._context.submit("prepare", {"source": "mimic3", "path": str(folder)}, subject=record.id)
        return record, job

    def fetch_demo(self) -> tuple[DatasetRecord, str]:
        """Register the open MIMIC-III demo, queue its download and preparation; returns the data set and the job's id.

        The one place where this product goes online for data, and only when a person asks for it.
        """
        folder = self._context.workspace.downloads / "mimic-iii-demo"
        record = self._context.database.add_dataset(name=MIMIC3_DEMO.title, source="mimic3", location=str(folder))
        payload = {"source": "mimic3", "path": str(folder), "fetch": self._context.settings.demo_address}
        return record, self._context.submit("prepare", payload, subject=record.id)

    def upload(self, name: str, stream: BinaryIO) -> Preview:
        """Keep an uploaded file and say how it would be read; nothing is learned until it is confirmed.

        Raises:
            DataError: the file cannot be read; it is not kept.
        """
        safe = Path(name).name or "table.csv"
        record = self._context.database.add_dataset(name=safe, source="csv", location=safe)
        raw = self._raw(record.id)

        def write(path: Path) -> None:
            with path.open("wb") as target:
                while block := stream.read(1 << 20):
                    target.write(block)

        try:
            write_atomically(raw, write)
            upload = read_csv(raw, name=safe)
            schema = infer_schema(upload.frame)
        except UserError:
            raw.unlink(missing_ok=True)
            self._context.database.delete_dataset(record.id)
            raise
        preview = Preview(
            dataset_id=record.id,
            rows=len(upload.frame),
            interpretation=upload.interpretation,
            notes=tuple(note.text for note in upload.notes),
            schema=schema,
        )
        self._context.database.update_dataset(record.id, rows=preview.rows, columns=len(schema.columns))
        write_json(self._folder(record.id) / "preview.json", _preview_json(preview))
        return preview

    def preview(self, dataset_id: str) -> Preview | None:
        """The reading that waits for confirmation, or None."""
        path = self._folder(dataset_id) / "preview.json"
        if not path.exists():
            return None
        value = read_json(path)
        return Preview(
            dataset_id=dataset_id,
            rows=value["rows"],
            interpretation=Interpretation.model_validate(value["interpretation"]),
            notes=tuple(value["notes"]),
            schema=TableSchema.model_validate(value["schema"]),
        )

    def edit(self, dataset_id: str, column: str, **changes: Any) -> TableSchema:
        """Change one column of the schema that waits for confirmation (kind, unit, minimum, maximum, role).

        Raises:
            UserError: the change does not suit the column's values.
        """
        preview = self.preview(dataset_id)
        if preview is None:
            raise UserError(
                "the schema of this data set is already confirmed", remedy="Upload the file again to change it."
            )
        frame = read_csv(self._raw(dataset_id), name=self.get(dataset_id).name, overrides=preview.interpretation).frame
        schema = edit_schema(preview.schema, frame, column=column, **changes)
        path = self._folder(dataset_id) / "preview.json"
        write_json(path, read_json(path) | {"schema": schema.model_dump(mode="json")})
        return schema

    def confirm(self, dataset_id: str) -> str:
        """Prepare the uploaded file as shown; returns the job's id."""
        preview = self.preview(dataset_id)
        if preview is None:
            raise UserError("this data set has nothing to confirm")
        payload = {
            "source": "csv",
            "path": str(self._raw(dataset_id)),
            "interpretation": preview.interpretation.model_dump(mode="json"),
            "schema": preview.schema.model_dump(mode="json"),
        }
        (self._folder(dataset_id) / "preview.json").unlink()
        return self._context.submit("prepare", payload, subject=dataset_id)

    def schema(self, dataset_id: str) -> TableSchema:
        """The schema of the prepared table as a page may show it: without bounds that were read from rows."""
        return schema_of(self._folder(dataset_id)).released()

    def report(self, dataset_id: str) -> dict[str, Any]:
        """The preparation report (counts only)."""
        return read_json(self._folder(dataset_id) / "report.json")

    def summary(self, dataset_id: str) -> PrivateSummary | None:
        """The differentially private summary that stands for the rows of a source that ships; None where rows are."""
        folder = self._folder(dataset_id)
        return None if has_rows(folder) else summary_of(folder)

    def profile(self, dataset_id: str) -> list[dict[str, Any]]:
        """Per column: kind, unit, missing share and a binned distribution without small cells; computed once.

        Of a source that ships without rows, from the private summary of its model.
        """
        folder = self._folder(dataset_id)
        if not has_rows(folder):
            return summarised_profile(summary_of(folder))
        path = folder / "profile.json"
        if not path.exists():
            table, schema = read_table(self._folder(dataset_id) / TABLE)
            write_json(path, profile(table, schema, small_cell_minimum=self._context.settings.small_cell_minimum))
        return read_json(path)

    def _folder(self, dataset_id: str) -> Path:
        return self._context.workspace.dataset(dataset_id)

    def _raw(self, dataset_id: str) -> Path:
        return self._folder(dataset_id) / "upload"


def _preview_json(preview: Preview) -> dict[str, Any]:
    return {
        "rows": preview.rows,
        "interpretation": preview.interpretation.model_dump(mode="json"),
        "notes": list(preview.notes),
        "schema": preview.schema.model_dump(mode="json"),
    }
