"""Jobs as the dashboard shows them."""

from engine.jobs.queue import JobRecord
from engine.services.context import Context


class Work:
    """Follow, cancel and repeat jobs."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def job(self, job_id: str) -> JobRecord:
        """The job.

        Raises:
            UserError: there is no such job.
        """
        return self._context.queue.job(job_id)

    def latest(self, subject: str) -> JobRecord | None:
        """The newest job that makes the data set, model or cohort ``subject``."""
        return next(iter(self._context.queue.jobs(limit=1, subject=subject)), None)

    def active(self) -> list[JobRecord]:
        """Queued and running jobs."""
        return self._context.queue.jobs(active_only=True)

    def cancel(self, job_id: str) -> None:
        """Ask the job to stop at its next progress report."""
        self._context.queue.cancel(job_id)

    def retry(self, job_id: str) -> None:
        """Queue a failed or cancelled job again; it continues from its checkpoint."""
        self._context.queue.retry(job_id)
        self._context.supervisor.ensure()

    def problem(self) -> str | None:
        """A sentence while the worker does not start; None when all is well."""
        return self._context.supervisor.problem
