"""The durable job queue: a table in the database, worked off by lease.

A worker holds a job for as long as it renews the lease. Whoever lost it may not write any more, so no two workers
report on, or settle, the same attempt. The end of a job and the state of what it makes change in one transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, or_, select, update
from sqlalchemy.sql.elements import ColumnElement

from engine.core.errors import Cancelled, CohortStudioError, InternalError, UserError
from engine.jobs.records import Figures, JobRecord, extended, job_record
from engine.storage.database import Database
from engine.storage.records import JobState, State, cohorts, datasets, jobs, models, new_id, now

__all__ = ["MAX_ATTEMPTS", "JobRecord", "JobState", "LeaseLostError", "Queue"]

MAX_ATTEMPTS = 5
"""A job during which the worker died this often is given up."""

_MAKES = {"prepare": datasets, "train": models, "generate": cohorts}
"""The table of a job's subject, for the kinds that make one."""


class LeaseLostError(Cancelled):
    """The job belongs to another worker by now. A :class:`Cancelled`, so every long task lets it through."""


class Queue:
    """Jobs of one database. ``lease_seconds``: how long a silent worker keeps its job."""

    def __init__(self, database: Database, lease_seconds: float = 20.0) -> None:
        self._database = database
        self.lease_seconds = lease_seconds

    # -- for the dashboard and the command line ------------------------------------------------------------------------

    def submit(self, kind: str, payload: Mapping[str, Any], subject: str) -> JobRecord:
        """Queue a job that makes ``subject`` (the id of a data set, model or cohort)."""
        values = {
            "id": new_id(), "kind": kind, "payload": dict(payload), "subject": subject, "state": JobState.QUEUED,
            "figures": [], "message": "Waiting for the worker", "created_at": now(),
        }  # fmt: skip
        with self._database.writing() as connection:
            connection.execute(insert(jobs).values(**values))
            return job_record(_row(connection, values["id"]))

    def job(self, id: str) -> JobRecord:
        """The job.

        Raises:
            UserError: there is none of this id.
        """
        with self._database.reading() as connection:
            return job_record(_row(connection, id))

    def jobs(
        self, active_only: bool = False, limit: int = 50, subject: str | None = None, kind: str | None = None
    ) -> list[JobRecord]:
        """Jobs, the newest first; only queued and running ones, or those of one subject or kind."""
        query = select(jobs).order_by(jobs.c.number.desc()).limit(limit)
        if active_only:
            query = query.where(jobs.c.state.in_([JobState.QUEUED, JobState.RUNNING]))
        if subject is not None:
            query = query.where(jobs.c.subject == subject)
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        with self._database.reading() as connection:
            return [job_record(row) for row in connection.execute(query)]

    def has_work(self) -> bool:
        """Whether a job is queued or running."""
        query = select(jobs.c.id).where(jobs.c.state.in_([JobState.QUEUED, JobState.RUNNING])).limit(1)
        with self._database.reading() as connection:
            return connection.execute(query).first() is not None

    def cancel(self, id: str) -> JobRecord:
        """Stop a job: at once while it is queued, else at its next progress report. A finished job stays as it is.

        Raises:
            UserError: there is none of this id.
        """
        with self._database.writing() as connection:
            row = _row(connection, id)
            if row.state == JobState.QUEUED:
                _settle(connection, row, JobState.CANCELLED)
            elif row.state == JobState.RUNNING:
                _change(connection, id, cancel_requested=True, message="Stopping")
            return job_record(_row(connection, id))

    def retry(self, id: str) -> JobRecord:
        """Queue a failed or cancelled job again, under its id; it continues from its checkpoint where it has one.

        Raises:
            UserError: there is none of this id, or it neither failed nor was cancelled.
        """
        with self._database.writing() as connection:
            row = _row(connection, id)
            if row.state not in (JobState.FAILED, JobState.CANCELLED):
                raise UserError(
                    f"the job is {row.state}", where=id, remedy="Only failed or cancelled jobs can be run again."
                )
            _change(
                connection, id, state=JobState.QUEUED, attempt=0, error=None, cancel_requested=False, owner=None,
                lease_until=None, attempt_at=None, attempt_fraction=None, finished_at=None,
                message="Waiting for the worker",
            )  # fmt: skip
            _mark_subject(connection, row, State.PENDING, None)
            return job_record(_row(connection, id))

    # -- for the worker ------------------------------------------------------------------------------------------------

    def lease(self, owner: str) -> JobRecord | None:
        """Take the oldest job that is queued or whose worker went silent; None when there is none.

        Jobs that were cancelled or exhausted their attempts while their worker was dead are settled on the way.
        """
        free = _free()
        with self._database.reading() as connection:
            # Idle workers ask often; they need not take the write lock for it.
            if connection.execute(select(jobs.c.id).where(free).limit(1)).first() is None:
                return None
        query = select(jobs).where(free).order_by(jobs.c.number).limit(1).with_for_update(skip_locked=True)
        with self._database.writing() as connection:
            while (row := connection.execute(query).first()) is not None:
                if row.cancel_requested:
                    _settle(connection, row, JobState.CANCELLED)
                elif row.attempt >= MAX_ATTEMPTS:
                    _settle(connection, row, JobState.FAILED, error=_exhausted(row))
                else:
                    moment = now()
                    _change(
                        connection, row.id, state=JobState.RUNNING, attempt=row.attempt + 1, owner=owner,
                        lease_until=self._until(), heartbeat_at=moment, started_at=row.started_at or moment,
                        attempt_at=moment, attempt_fraction=None,
                        message="Starting" if row.attempt == 0 else "Continuing after an interruption",
                    )  # fmt: skip
                    return job_record(_row(connection, row.id))
        return None

    def free_jobs_of(self, owner_prefix: str) -> int:
        """End the leases of owners that are known to be dead, so that their jobs are taken over at once."""
        with self._database.writing() as connection:
            dead = and_(jobs.c.state == JobState.RUNNING, jobs.c.owner.startswith(owner_prefix, autoescape=True))
            return connection.execute(update(jobs).where(dead).values(lease_until=now())).rowcount

    def renew(self, id: str, owner: str) -> bool:
        """Keep the lease; returns whether cancelling was asked for.

        A lease that ran out but was not taken over is still the owner's: a starved heartbeat costs nothing.

        Raises:
            LeaseLostError: the job belongs to another worker, or has ended.
        """
        with self._database.writing() as connection:
            row = _own(connection, id, owner)
            _change(connection, id, lease_until=self._until(), heartbeat_at=now())
            return row.cancel_requested

    def report(
        self, id: str, owner: str, fraction: float, message: str, figures: Figures | Sequence[Figures] = ()
    ) -> bool:
        """Store progress and renew the lease; ``figures`` (one point or several) go behind the history.

        Returns whether cancelling was asked for.

        Raises:
            LeaseLostError: the job belongs to another worker, or has ended.
        """
        points = [{"fraction": fraction, **figures}] if isinstance(figures, Mapping) else list(figures)
        with self._database.writing() as connection:
            row = _own(connection, id, owner)
            changes: dict[str, Any] = {
                "fraction": fraction, "message": "Stopping" if row.cancel_requested else message,
                "lease_until": self._until(), "heartbeat_at": now(),
            }  # fmt: skip
            if row.attempt_fraction is None:
                changes["attempt_fraction"] = fraction
            if points:
                changes["figures"] = extended(row.figures, points)
            _change(connection, id, **changes)
            return row.cancel_requested

    def finish(self, id: str, owner: str) -> None:
        """The job is done; its step has stored the result.

        Raises:
            LeaseLostError: the job belongs to another worker, or has ended.
        """
        with self._database.writing() as connection:
            _settle(connection, _own(connection, id, owner), JobState.DONE)

    def fail(self, id: str, owner: str, error: CohortStudioError | Mapping[str, str]) -> None:
        """The job failed, and so did the making of its subject.

        Raises:
            LeaseLostError: the job belongs to another worker, or has ended.
        """
        told = error.as_dict() if isinstance(error, CohortStudioError) else dict(error)
        with self._database.writing() as connection:
            _settle(connection, _own(connection, id, owner), JobState.FAILED, error=told)

    def cancelled(self, id: str, owner: str) -> None:
        """The job stopped because somebody asked for it.

        Raises:
            LeaseLostError: the job belongs to another worker, or has ended.
        """
        with self._database.writing() as connection:
            _settle(connection, _own(connection, id, owner), JobState.CANCELLED)

    def release(self, id: str, owner: str) -> None:
        """Give the job back unfinished, for the next worker; an orderly stop is no failed attempt.

        Raises:
            LeaseLostError: the job belongs to another worker, or has ended.
        """
        with self._database.writing() as connection:
            row = _own(connection, id, owner)
            _change(
                connection, id, state=JobState.QUEUED, owner=None, lease_until=None, attempt=max(0, row.attempt - 1),
                message="Waiting for the worker",
            )  # fmt: skip

    def _until(self) -> Any:
        return now() + timedelta(seconds=self.lease_seconds)


def _free() -> ColumnElement[bool]:
    silent = and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= now())
    return or_(jobs.c.state == JobState.QUEUED, silent)


def _row(connection: Connection, id: str) -> Row:
    row = connection.execute(select(jobs).where(jobs.c.id == id)).one_or_none()
    if row is None:
        raise UserError("there is no such job", remedy="Open it from the list of jobs.")
    return row


def _own(connection: Connection, id: str, owner: str) -> Row:
    row = connection.execute(select(jobs).where(jobs.c.id == id).with_for_update()).one_or_none()
    if row is None or row.owner != owner or row.state != JobState.RUNNING:
        raise LeaseLostError(f"job {id} is not held by {owner}")
    return row


def _change(connection: Connection, id: str, **changes: Any) -> None:
    connection.execute(update(jobs).where(jobs.c.id == id).values(**changes))


def _settle(connection: Connection, row: Row, state: JobState, error: Mapping[str, str] | None = None) -> None:
    message = {JobState.DONE: "Done", JobState.CANCELLED: "Cancelled", JobState.FAILED: "Failed"}[state]
    changes: dict[str, Any] = {"fraction": 1.0} if state is JobState.DONE else {"error": error}
    _change(
        connection, row.id, state=state, message=message, owner=None, lease_until=None, finished_at=now(), **changes
    )
    if state is not JobState.DONE:
        text = None if error is None else f"{error['what'].rstrip('.')}. {error['remedy']}".strip()
        _mark_subject(connection, row, State.FAILED if state is JobState.FAILED else State.CANCELLED, text)


def _mark_subject(connection: Connection, row: Row, state: State, message: str | None) -> None:
    table = _MAKES.get(row.kind)
    if table is None:
        return
    changes: dict[str, Any] = {"state": state}
    if table is datasets:
        changes["message"] = message
    # What is ready stays ready: a worker that died between the last write and the end of the job has done its work.
    connection.execute(update(table).where(table.c.id == row.subject, table.c.state != State.READY).values(**changes))


def _exhausted(row: Row) -> dict[str, str]:
    return InternalError(
        f"the worker died {row.attempt} times during this job",
        where=f"job {row.id}, step {row.kind}",
        remedy="The machine may lack memory: try fewer rows, a smaller model or a lighter generator; then repeat it.",
    ).as_dict()
