import threading
import time
from typing import Any

import pytest

from engine.core.errors import Cancelled, InternalError
from engine.jobs import reporting
from engine.jobs.queue import LeaseLostError
from engine.jobs.reporting import Heartbeat, JobProgress, StoppedError


class Job:
    id = "job"


class FakeQueue:
    """Counts what reaches the database; raises or asks to cancel on demand."""

    lease_seconds = 0.08

    def __init__(self) -> None:
        self.reports: list[tuple[float, str, list[dict[str, float]]]] = []
        self.settled: list[str] = []
        self.renewals = 0
        self.cancel = False
        self.error: Exception | None = None

    def report(self, id: str, owner: str, fraction: float, message: str, figures: list[dict[str, float]]) -> bool:
        if self.error is not None:
            raise self.error
        self.reports.append((fraction, message, list(figures)))
        return self.cancel

    def renew(self, id: str, owner: str) -> bool:
        self.renewals += 1
        if self.error is not None:
            raise self.error
        return self.cancel

    def cancelled(self, id: str, owner: str) -> None:
        self.settled.append("cancelled")

    def release(self, id: str, owner: str) -> None:
        self.settled.append("released")


def made(queue: FakeQueue) -> tuple[JobProgress, threading.Event, Any]:
    stopping = threading.Event()
    anything: Any = queue
    job: Any = Job()
    progress = JobProgress(anything, job, "me", stopping=stopping)
    ended: list[int] = []

    def heartbeat() -> Heartbeat:
        return Heartbeat(
            anything, job, "me", progress, stopping=stopping, patience_seconds=0.1, end_process=ended.append
        )

    heartbeat.ended = ended  # type: ignore[attr-defined]
    return progress, stopping, heartbeat


def until(holds: Any) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_thousand_reports_are_few_writes_and_lose_no_point(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: clock[0])
    queue = FakeQueue()
    progress, _, _ = made(queue)
    for number in range(1000):
        clock[0] += 0.001
        progress.update(number / 1000, f"Row {number}", loss=float(number))
    progress.flush()
    # One second at one write in 0.3 s, the first and the last.
    assert len(queue.reports) == 5
    assert [point["loss"] for _, _, points in queue.reports for point in points] == list(range(1000))
    assert queue.reports[-1][:2] == (0.999, "Row 999")


def test_the_fraction_never_falls_and_stays_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "REPORT_SECONDS", 0.0)
    queue = FakeQueue()
    progress, _, _ = made(queue)
    for fraction in (0.2, 0.1, -3.0, 0.5, 7.0):
        progress.update(fraction, "x")
    assert [report[0] for report in queue.reports] == [0.2, 0.2, 0.2, 0.5, 1.0]


def test_a_cancelled_job_raises_and_so_does_every_report_after_it() -> None:
    queue = FakeQueue()
    progress, _, _ = made(queue)
    queue.cancel = True
    for _ in range(2):
        with pytest.raises(Cancelled):
            progress.update(0.1, "x")


def test_a_stopping_worker_raises_after_storing_what_is_known() -> None:
    queue = FakeQueue()
    progress, stopping, _ = made(queue)
    progress.update(0.1, "x")
    stopping.set()
    with pytest.raises(StoppedError):
        progress.update(0.2, "y", loss=1.0)
    assert queue.reports[-1] == (0.2, "y", [{"fraction": 0.2, "loss": 1.0}])


def test_a_locked_database_is_endured_for_a_while_and_no_point_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr(reporting.time, "monotonic", lambda: clock[0])
    queue = FakeQueue()
    progress, _, _ = made(queue)
    queue.error = InternalError("locked")
    for _ in range(10):
        clock[0] += 1
        progress.update(0.1, "x", loss=1.0)
    queue.error = None
    clock[0] += 1
    progress.update(0.2, "y")
    assert len(queue.reports[-1][2]) == 10
    queue.error = InternalError("locked")
    clock[0] += 61
    with pytest.raises(InternalError):
        progress.update(0.3, "z")


def test_the_heartbeat_renews_without_the_step() -> None:
    queue = FakeQueue()
    _, _, heartbeat = made(queue)
    with heartbeat():
        until(lambda: queue.renewals >= 5)
    seen = queue.renewals
    time.sleep(0.1)
    assert queue.renewals == seen


def test_the_heartbeat_tells_the_step_of_cancellation_and_of_a_lost_lease() -> None:
    queue = FakeQueue()
    progress, _, heartbeat = made(queue)
    progress.update(0.1, "x")
    with heartbeat():
        queue.cancel = True
        until(progress.cancelled.is_set)
        with pytest.raises(Cancelled):
            progress.update(0.1, "x")
    queue = FakeQueue()
    progress, _, heartbeat = made(queue)
    with heartbeat():
        queue.error = LeaseLostError("gone")
        until(progress.lost.is_set)
        with pytest.raises(LeaseLostError):
            progress.update(0.1, "x")


@pytest.mark.parametrize(("why", "settled"), [("cancel", "cancelled"), ("stop", "released")])
def test_a_step_that_does_not_listen_is_ended_with_its_process(why: str, settled: str) -> None:
    queue = FakeQueue()
    _, stopping, heartbeat = made(queue)
    with heartbeat():
        time.sleep(0.2)
        assert heartbeat.ended == []
        if why == "cancel":
            queue.cancel = True
        else:
            stopping.set()
        until(lambda: heartbeat.ended)
    assert heartbeat.ended == [0]
    assert queue.settled == [settled]


def test_a_heartbeat_endures_a_locked_database() -> None:
    queue = FakeQueue()
    progress, _, heartbeat = made(queue)
    with heartbeat():
        queue.error = InternalError("locked")
        seen = queue.renewals
        until(lambda: queue.renewals > seen + 3)
        queue.error = None
        seen = queue.renewals
        until(lambda: queue.renewals > seen + 3)
    assert not progress.lost.is_set()
