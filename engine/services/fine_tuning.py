"""Fine-tuning a language model on this product's requests, in the foreground or through the queue."""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.core.errors import UserError
from engine.core.progress import Progress
from engine.core.settings import settings
from engine.core.workspace import read_json
from engine.jobs.records import JobRecord
from engine.services.assistant import LLAMA
from engine.services.context import Context
from engine.storage.records import JobState, new_id

MOST_PAIRS = 200_000


def fine_tune(
    *,
    out: Path,
    model: str | None,
    pairs: int | None,
    epochs: float | None,
    seed: int | None,
    resume: bool,
    progress: Progress,
) -> dict[str, Any]:
    """Train an adapter into ``out``; ``out``.checkpoint holds the state to resume from. None: the default.

    Raises:
        UserError: a number is out of range, the model is not there, or a folder holds other things.
    """
    from engine.conversation.fine_tuning.lora import fine_tune
    from engine.conversation.fine_tuning.training import Course
    from engine.schema.catalogue import catalogue

    told = {"pairs": pairs, "epochs": epochs, "seed": settings().default_seed if seed is None else seed}
    course = replace(Course(), **{name: value for name, value in told.items() if value is not None})
    _check(course.pairs, course.epochs)
    record = fine_tune(
        model or LLAMA, out, schema=catalogue().mimic3_schema(), course=course,
        checkpoint=out.with_name(out.name + ".checkpoint"), resume=resume, progress=progress,
    )  # fmt: skip
    progress.update(1.0, "Done")
    return {**record, "out": str(out)}


@dataclass(frozen=True)
class Adapter:
    """An adapter that was trained through the queue.

    Attributes:
        folder: its files.
        base: the model that it adapts, by name or folder.
        pairs: composed requests that it was taught.
        epochs: passes over them.
        seed: of the requests and of the training.
        loss: of the last update of the weights, in nats per token; None where none was told.
        seconds: of the training.
        made_at: when it was done.
    """

    folder: Path
    base: str
    pairs: int
    epochs: float
    seed: int
    loss: float | None
    seconds: float
    made_at: datetime


class FineTuning:
    """Queue a fine-tuning, follow it, and find the adapters that came of it."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(
        self, out: Path | None = None, *, model: str = LLAMA, pairs: int = 4000, epochs: float = 1.0, seed: int = 7
    ) -> str:
        """Queue the training of an adapter into folder ``out`` (by default a new one of the workspace).

        Returns the job's id.

        Raises:
            UserError: a number is out of range.
        """
        _check(pairs, epochs)
        out = self._context.workspace.adapter(new_id()) if out is None else out
        # The worker may run in another folder.
        payload = {"out": str(out.absolute()), "model": model, "pairs": pairs, "epochs": epochs, "seed": seed}
        return self._context.submit("fine_tune", payload, subject=out.name)

    def latest(self) -> JobRecord | None:
        """The newest fine-tuning, in whatever state."""
        return next(iter(self._context.queue.jobs(kind="fine_tune", limit=1)), None)

    def adapters(self) -> list[Adapter]:
        """What was trained to its end and is still there, the newest first."""
        found = (_adapter(job) for job in self._context.queue.jobs(kind="fine_tune"))
        return [one for one in found if one is not None]


def _adapter(job: JobRecord) -> Adapter | None:
    from engine.conversation.fine_tuning.lora import RECORD

    folder = Path(job.payload["out"])
    if job.state is not JobState.DONE or job.finished_at is None or not (folder / RECORD).is_file():
        return None
    record = read_json(folder / RECORD)
    course = record["course"]
    return Adapter(
        folder, record["base"], course["pairs"], course["epochs"], course["seed"], record["loss"], record["seconds"],
        job.finished_at,
    )  # fmt: skip


def _check(pairs: int, epochs: float) -> None:
    if not 1 <= pairs <= MOST_PAIRS:
        raise UserError(f"pairs ({pairs}) must lie between 1 and {MOST_PAIRS:,}")
    if not 0 < epochs <= 100:
        raise UserError(f"epochs ({epochs:g}) must be above 0 and at most 100")
