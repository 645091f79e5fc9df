"""The worker process: takes jobs by lease, one at a time, and runs their steps.

``python -m engine.jobs.worker --workspace PATH``. There is one per workspace; a second one ends at once. It outlives
the dashboard that started it, and ends itself when it has been idle for long.
"""

import argparse
import importlib
import logging
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from filelock import Timeout

from engine.core.errors import Cancelled, CohortStudioError, InternalError
from engine.core.progress import Progress
from engine.core.settings import settings
from engine.core.workspace import Workspace
from engine.jobs.locks import new_owner, owner_prefix, worker_lock
from engine.jobs.logs import location, log_to_stderr, places
from engine.jobs.queue import LeaseLostError, Queue
from engine.jobs.records import JobRecord
from engine.jobs.reporting import Heartbeat, JobProgress, StoppedError
from engine.storage.database import Database

# Not __name__: that is "__main__" in the worker process.
log = logging.getLogger("engine.jobs.worker")

POLL_SECONDS = 0.15
"""An idle worker looks for jobs this often."""
WARM_MODULES = ("pandas", "pyarrow.parquet", "torch")
"""What nearly every job needs. Loaded one by one while idle: the first job then begins about two seconds sooner."""


class Step(Protocol):
    """What a kind of job does. Idempotent: it may have been killed at any point before, and runs again."""

    def __call__(self, job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
        """Make the job's subject."""
        ...


class Worker:
    """Works off the queue of one workspace until told to stop or idle for ``idle_seconds``."""

    def __init__(
        self,
        workspace: Workspace,
        database: Database,
        queue: Queue,
        *,
        steps: Mapping[str, Step],
        idle_seconds: float,
        warm: Sequence[str] = (),
    ) -> None:
        self._workspace, self._database, self._queue = workspace, database, queue
        self._steps, self._idle_seconds = steps, idle_seconds
        self._cold = list(warm)
        self._owner = new_owner(workspace)
        self.stopping = threading.Event()

    def run(self) -> None:
        """Work. The caller holds the worker lock, so every earlier worker of this workspace is dead."""
        freed = self._queue.free_jobs_of(owner_prefix(self._workspace))
        log.info("worker started%s", f", takes over {freed} interrupted job(s)" if freed else "")
        idle_since = time.monotonic()
        while not self.stopping.is_set():
            job = self._next()
            if job is not None:
                self._work(job)
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since > self._idle_seconds:
                log.info("idle for %.0f s, ending", self._idle_seconds)
                return
            elif not self._workspace.worker_lock.exists():
                log.info("the workspace is gone, ending")
                return
            else:
                self._warm_up()
                self.stopping.wait(POLL_SECONDS)
        log.info("told to stop, ending")

    def _warm_up(self) -> None:
        if self._cold:
            # What is broken here tells so in the job that needs it.
            with suppress(ImportError):
                importlib.import_module(self._cold.pop(0))

    def _next(self) -> JobRecord | None:
        try:
            return self._queue.lease(self._owner)
        except InternalError as error:
            log.warning("no job could be taken: %s", error)
            self.stopping.wait(1)
            return None

    def _work(self, job: JobRecord) -> None:
        log.info("job %s (%s, attempt %d) begins", job.id, job.kind, job.attempt)
        progress = JobProgress(self._queue, job, self._owner, stopping=self.stopping)
        heartbeat = Heartbeat(self._queue, job, self._owner, progress, stopping=self.stopping)
        settlement = _Settlement(self._queue, job, self._owner)
        with settlement, heartbeat:
            step = self._steps.get(job.kind)
            if step is None:
                raise InternalError(f"there is no step {job.kind!r}", where=f"job {job.id}")
            step(job, workspace=self._workspace, database=self._database, progress=progress)
            progress.flush()
        if settlement.done:
            # A checkpoint holds what was learned from real rows; it goes as soon as nobody needs it.
            shutil.rmtree(self._workspace.job(job.id), ignore_errors=True)


class _Settlement:
    """Turns the way a step ended into the job's state; no failure of a step ends the worker."""

    def __init__(self, queue: Queue, job: JobRecord, owner: str) -> None:
        self._queue, self._job, self._owner = queue, job, owner
        self.done = False
        """Whether the job is done and the queue knows it."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        job, settle = self._job, self._settle
        match error:
            case None:
                self.done = settle("done", lambda: self._queue.finish(job.id, self._owner))
            case LeaseLostError():
                log.warning("job %s was taken over by another worker", job.id)
            case StoppedError():
                settle("given back", lambda: self._queue.release(job.id, self._owner))
            case Cancelled():
                settle("cancelled", lambda: self._queue.cancelled(job.id, self._owner))
            case _:
                told = _told(error, job)
                log.error("job %s failed\n%s", job.id, places(error))
                settle("failed", lambda: self._queue.fail(job.id, self._owner, told))
        return True

    def _settle(self, word: str, write: Callable[[], None]) -> bool:
        for attempt in range(6):
            try:
                write()
            except LeaseLostError:
                log.warning("job %s was taken over by another worker", self._job.id)
                return False
            except InternalError as error:
                log.warning("the end of job %s not stored (try %d): %s", self._job.id, attempt + 1, error)
                time.sleep(attempt)
            else:
                log.info("job %s %s", self._job.id, word)
                return True
        return False


def _told(error: BaseException, job: JobRecord) -> CohortStudioError:
    if isinstance(error, CohortStudioError):
        return error
    if isinstance(error, MemoryError):
        return InternalError(
            "the machine's memory was not enough",
            where=f"step {job.kind}",
            remedy="Try fewer rows or a smaller model, or close other programs.",
        )
    # The text of a foreign exception can quote a cell; its type and place cannot.
    return InternalError(
        f"the step {job.kind!r} failed with {type(error).__name__}",
        where=location(error),
        remedy="This is a fault of the program; worker.log in the workspace has the details.",
    )


def run(
    workspace: Workspace,
    *,
    steps: Mapping[str, Step],
    database_url: str | None = None,
    idle_seconds: float | None = None,
    lease_seconds: float | None = None,
    warm: Sequence[str] = (),
) -> bool:
    """Work in this process until idle or told to stop (SIGTERM, SIGINT); False when another worker is at it already."""
    lock = worker_lock(workspace)
    try:
        # The short wait outlasts a supervisor that is just looking whether the lock is held.
        lock.acquire(timeout=0.5, poll_interval=0.05)
    except Timeout:
        log.info("another worker is at work, ending")
        return False
    with lock:
        database = Database.for_workspace(workspace, database_url)
        queue = Queue(database, lease_seconds or settings().worker_lease_seconds)
        idle = settings().worker_idle_seconds if idle_seconds is None else idle_seconds
        worker = Worker(workspace, database, queue, steps=steps, idle_seconds=idle, warm=warm)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: worker.stopping.set())
        worker.run()
        database.close()
    return True


def main(arguments: Sequence[str] | None = None, *, steps: Mapping[str, Step] | None = None) -> int:
    """The command line of the worker; ``steps`` are by default those of :mod:`engine.jobs.steps`."""
    parser = argparse.ArgumentParser(prog="python -m engine.jobs.worker", description=__doc__)
    parser.add_argument("--workspace", type=Path, default=settings().workspace)
    parser.add_argument("--database-url", default=settings().database_url, help="default: SQLite in the workspace")
    parser.add_argument("--idle-seconds", type=float, default=settings().worker_idle_seconds)
    options = parser.parse_args(arguments)
    os.umask(0o077)
    log_to_stderr()
    try:
        run(
            Workspace(options.workspace.expanduser().resolve()),
            steps=_all_steps() if steps is None else steps,
            database_url=options.database_url,
            idle_seconds=options.idle_seconds,
            warm=WARM_MODULES if steps is None else (),
        )
    except CohortStudioError as error:
        log.critical("the worker cannot work: %s", error)
        return 2
    return 0


def _all_steps() -> Mapping[str, Step]:
    from engine.jobs.steps import STEPS

    return STEPS


if __name__ == "__main__":
    sys.exit(main())
