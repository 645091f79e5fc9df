"""Fine-tuning a language model on this product's requests, in the foreground or through the queue."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.core.errors import UserError
from engine.core.progress import Progress
from engine.core.settings import settings
from engine.services.assistant import LLAMA
from engine.services.context import Context

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


class FineTuning:
    """Queue a fine-tuning."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def start(self, out: Path, *, model: str = LLAMA, pairs: int = 4000, epochs: float = 1.0, seed: int = 7) -> str:
        """Queue the training of an adapter into folder ``out``; returns the job's id.

        Raises:
            UserError: a number is out of range.
        """
        _check(pairs, epochs)
        payload = {"out": str(out), "model": model, "pairs": pairs, "epochs": epochs, "seed": seed}
        return self._context.submit("fine_tune", payload, subject=out.name)


def _check(pairs: int, epochs: float) -> None:
    if not 1 <= pairs <= MOST_PAIRS:
        raise UserError(f"pairs ({pairs}) must lie between 1 and {MOST_PAIRS:,}")
    if not 0 < epochs <= 100:
        raise UserError(f"epochs ({epochs:g}) must be above 0 and at most 100")
