"""Reports as documents: the worker writes them, this hands them out."""

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.services.context import Context
from engine.storage.records import SHIPPED

VIEWS = ("internal", "release")
FORMATS = {"html": ("HTML", "text/html"), "pdf": ("PDF", "application/pdf")}
"""Label and media type by format."""


@dataclass(frozen=True)
class Document:
    """A report that is there.

    Attributes:
        path: of its file.
        made_at: when (nanoseconds).
        name: for the file that the user saves; it says what is in it.
        mime: its media type.
    """

    path: Path
    made_at: int
    name: str
    mime: str

    def read(self) -> bytes:
        """Its content."""
        return self.path.read_bytes()


class Reports:
    """Queue a report and find its file. The internal view is not part of any export."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self, cohort_id: str, view: str, format: str) -> str:
        """Queue the report ``view`` (``"internal"``, ``"release"``) as ``format`` (``"html"``, ``"pdf"``).

        Returns the job's id.
        """
        payload = {"cohort_id": cohort_id, "view": view, "format": format}
        return self._context.submit("report", payload, subject=self.subject(cohort_id, view, format))

    def subject(self, cohort_id: str, view: str, format: str) -> str:
        """What the job that writes this report is found by."""
        return sha256(f"{cohort_id} report {view} {format}".encode()).hexdigest()[:12]

    def document(self, cohort_id: str, view: str, format: str) -> Document | None:
        """The report as it was last written; None where it is not, or what it tells has changed since."""
        path = self._context.workspace.document(cohort_id, view, format)
        if not path.exists() or path.stat().st_mtime_ns < self._changed_at(cohort_id, view):
            return None
        kind = {"release": "report", "internal": "INTERNAL-report"}[view]
        if view == "internal" and self._is_of_summary(cohort_id):
            kind = "comparison"  # no real row is behind it
        name = f"cohort-{cohort_id}-{kind}.{format}"
        return Document(path, path.stat().st_mtime_ns, name, FORMATS[format][1])

    def _is_of_summary(self, cohort_id: str) -> bool:
        dataset = self._context.database.dataset(self._context.database.cohort(cohort_id).dataset_id)
        return dataset.source == SHIPPED

    def _changed_at(self, cohort_id: str, view: str) -> int:
        workspace = self._context.workspace
        told = [workspace.cohort(cohort_id) / "cohort.parquet"]
        if view == "internal":
            told += [workspace.comparison(cohort_id), *(workspace.cohort(cohort_id) / "outcomes").glob("*.json")]
        return max((path.stat().st_mtime_ns for path in told if path.exists()), default=0)
