"""A job as everybody outside the queue sees it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from engine.core.errors import CohortStudioError, DataError, InternalError, UserError
from engine.storage.records import JobState, now

FIGURE_POINTS = 500
"""Points of the figure history that a job keeps."""

Figures = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class JobRecord:
    """A job. ``figures`` is its history: ``{"fraction": 0.2, "loss": 1.3, …}``, in order, thinned to 500 points."""

    id: str
    kind: str
    payload: dict[str, Any]
    subject: str
    state: JobState
    attempt: int
    fraction: float
    message: str
    figures: list[dict[str, float]]
    error: dict[str, str] | None
    cancel_requested: bool
    owner: str | None
    attempt_at: datetime | None
    attempt_fraction: float | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None

    @property
    def is_active(self) -> bool:
        """Whether something is still to happen."""
        return self.state.is_active

    @property
    def failure(self) -> CohortStudioError | None:
        """The error, as it was raised in the worker."""
        if self.error is None:
            return None
        kinds: dict[str, type[CohortStudioError]] = {"UserError": UserError, "DataError": DataError}
        kind = kinds.get(self.error.get("kind", ""), InternalError)
        return kind(self.error["what"], where=self.error.get("where", ""), remedy=self.error.get("remedy", ""))

    @property
    def eta_seconds(self) -> float | None:
        """Seconds left at this attempt's own pace; None while that cannot be told yet."""
        if self.state is not JobState.RUNNING or self.attempt_at is None or self.attempt_fraction is None:
            return None
        elapsed = (now() - self.attempt_at).total_seconds()
        done = self.fraction - self.attempt_fraction
        if elapsed < 1 or done < 0.01:
            return None
        return elapsed * (1 - self.fraction) / done


def job_record(row: Row) -> JobRecord:
    """The record of a row of the jobs table."""
    values: dict[str, Any] = {field.name: row._mapping[field.name] for field in fields(JobRecord)}
    values["state"] = JobState(values["state"])
    return JobRecord(**values)


def extended(history: list[dict[str, float]], points: Iterable[Figures]) -> list[dict[str, float]]:
    """``history`` with ``points`` behind it, thinned to ``FIGURE_POINTS``, first and last kept.

    A resumed attempt tells again what lies between its checkpoint and the end of the attempt before it; the older
    telling of that stretch is dropped.
    """
    # JSON has no NaN or infinity; a diverged loss is a gap in the plot.
    finite = [{name: float(value) for name, value in point.items() if math.isfinite(value)} for point in points]
    finite = [point for point in finite if len(point) > 1]
    if not finite:
        return history
    start = finite[0].get("fraction", 0.0)
    history = [point for point in history if point.get("fraction", 0.0) <= start and point != finite[0]]
    history = history + finite
    while len(history) > FIGURE_POINTS:
        history = [*history[:-1:2], history[-1]]
    return history
