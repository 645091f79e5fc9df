"""How a running step tells the queue where it is, keeps its lease, and learns that it should stop."""

import logging
import os
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from engine.core.errors import Cancelled, InternalError
from engine.jobs.queue import LeaseLostError, Queue
from engine.jobs.records import JobRecord

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.3
"""Shortest time between two writes of progress."""
BLIND_SECONDS = 60.0
"""A step stops when its progress could not be stored for this long."""
PATIENCE_SECONDS = 15.0
"""A step that reports nothing for this long after it was asked to stop is ended with its process."""


class StoppedError(Cancelled):
    """The worker is being shut down; the job goes back to the queue. A :class:`Cancelled` to every long task."""


class JobProgress:
    """A :class:`engine.core.progress.Progress` that writes to the queue and raises when the step should stop.

    Raises (from ``update``):
        Cancelled: somebody cancelled the job.
        StoppedError: the worker was told to end.
        LeaseLostError: another worker has the job.
    """

    def __init__(self, queue: Queue, job: JobRecord, owner: str, *, stopping: threading.Event) -> None:
        self._queue, self._job, self._owner, self._stopping = queue, job, owner, stopping
        self._points: list[dict[str, float]] = []
        self._fraction = 0.0
        self._message = ""
        self._written = 0.0
        self._succeeded = time.monotonic()
        self.cancelled = threading.Event()
        self.lost = threading.Event()

    def update(self, fraction: float, message: str, **figures: float) -> None:
        """Keep the latest state and every point; write them at most every 0.3 s."""
        self._fraction = max(self._fraction, min(1.0, fraction))
        self._message = message
        if figures:
            self._points.append({"fraction": self._fraction, **figures})
        if self.lost.is_set():
            raise LeaseLostError(f"job {self._job.id} was taken over")
        if self._stopping.is_set():
            self.flush()
            raise StoppedError
        if self.cancelled.is_set() or time.monotonic() - self._written >= REPORT_SECONDS:
            self.flush()
        if self.cancelled.is_set():
            raise Cancelled

    def flush(self) -> None:
        """Write what is not written yet, however little time has passed."""
        self._written = time.monotonic()
        if not self._message:
            return
        try:
            asked = self._queue.report(self._job.id, self._owner, self._fraction, self._message, self._points)
        except InternalError as error:
            # A locked database is no reason to lose an hour of training.
            log.warning("progress of job %s not stored: %s", self._job.id, error)
            if time.monotonic() - self._succeeded > BLIND_SECONDS:
                raise
            return
        self._succeeded = self._written
        self._points = []
        if asked:
            self.cancelled.set()


class Heartbeat:
    """A thread that renews the lease while the step computes, and ends a step that will not listen.

    Everything that a step publishes is written atomically, so ending the process at any moment is safe.
    """

    def __init__(
        self,
        queue: Queue,
        job: JobRecord,
        owner: str,
        progress: JobProgress,
        *,
        stopping: threading.Event,
        patience_seconds: float = PATIENCE_SECONDS,
        end_process: Callable[[int], object] = os._exit,
    ) -> None:
        self._queue, self._job, self._owner, self._progress = queue, job, owner, progress
        self._stopping, self._patience, self._end_process = stopping, patience_seconds, end_process
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heartbeat-{job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def stop(self) -> None:
        """End the thread; from here on nothing else touches the job."""
        self._done.set()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _beat(self) -> None:
        # Often enough to notice a cancelled job while the step is silent; far more often than the lease needs.
        interval = min(1.0, self._queue.lease_seconds / 4)
        next_renewal = time.monotonic() + self._queue.lease_seconds / 4
        asked_at: float | None = None
        while not self._done.wait(interval):
            moment = time.monotonic()
            if asked_at is None and (self._stopping.is_set() or self._progress.cancelled.is_set()):
                asked_at = moment
            try:
                if moment >= next_renewal or asked_at is None:
                    next_renewal = moment + self._queue.lease_seconds / 4
                    if self._queue.renew(self._job.id, self._owner):
                        self._progress.cancelled.set()
                if asked_at is not None and moment - asked_at > self._patience:
                    self._end()
                    return
            except LeaseLostError:
                self._progress.lost.set()
                return
            except InternalError as error:
                log.warning("lease of job %s not renewed: %s", self._job.id, error)

    def _end(self) -> None:
        if self._done.is_set():
            return
        log.warning("job %s does not stop by itself; ending the process", self._job.id)
        if self._progress.cancelled.is_set():
            self._queue.cancelled(self._job.id, self._owner)
        else:
            self._queue.release(self._job.id, self._owner)
        self._end_process(0)
