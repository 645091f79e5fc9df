"""The step of a fine-tuning job; like every step it may have been killed before, and goes on from its checkpoint."""

from pathlib import Path

from engine.core.progress import Progress
from engine.core.workspace import Workspace, read_json
from engine.jobs.records import JobRecord
from engine.storage.database import Database


def fine_tune(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Train an adapter. Payload: ``{"out": folder, "model", "pairs", "epochs", "seed"}``."""
    from engine.conversation.fine_tuning import lora
    from engine.conversation.fine_tuning.training import Course
    from engine.schema.catalogue import catalogue

    given = job.payload
    out = Path(given["out"])
    if _made_by(job, out):
        return
    course = Course(pairs=given["pairs"], epochs=given["epochs"], seed=given["seed"])
    lora.fine_tune(
        given["model"], out, schema=catalogue().mimic3_schema(), course=course, resume=True, progress=progress,
        checkpoint=workspace.job(job.id) / "fine_tuning", job=job.id,
    )  # fmt: skip


def _made_by(job: JobRecord, out: Path) -> bool:
    # Killed after the adapter was published, but before the queue knew.
    from engine.conversation.fine_tuning.lora import RECORD

    return (out / RECORD).exists() and read_json(out / RECORD).get("job") == job.id
