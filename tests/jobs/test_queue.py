import threading
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import DataError, InternalError, UserError
from engine.core.workspace import Workspace
from engine.jobs.queue import MAX_ATTEMPTS, LeaseLostError, Queue
from engine.jobs.records import FIGURE_POINTS, JobRecord, extended
from engine.storage.database import Database
from engine.storage.records import JobState, State, jobs, now


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database.for_workspace(Workspace(tmp_path))


@pytest.fixture
def queue(database: Database) -> Queue:
    return Queue(database, lease_seconds=20)


def taken(queue: Queue, owner: str = "a:1") -> JobRecord:
    job = queue.lease(owner)
    assert job is not None
    return job


def expire(database: Database) -> None:
    with database.writing() as connection:
        connection.execute(jobs.update().values(lease_until=now() - timedelta(seconds=1)))


def test_jobs_are_leased_in_their_order_once_each(queue: Queue) -> None:
    first, second = queue.submit("train", {"x": 1}, "m1"), queue.submit("compare", {}, "c1")
    assert (first.state, first.attempt, first.payload) == (JobState.QUEUED, 0, {"x": 1})
    leased = taken(queue)
    assert (leased.id, leased.state, leased.attempt, leased.owner) == (first.id, JobState.RUNNING, 1, "a:1")
    assert leased.started_at is not None and leased.heartbeat_at is not None
    assert taken(queue).id == second.id
    assert queue.lease("b:1") is None


def test_many_workers_that_ask_at_once_never_get_the_same_job(queue: Queue) -> None:
    made = {queue.submit("compare", {}, "c").id for _ in range(30)}
    got: list[str] = []

    def work(owner: str) -> None:
        while (job := queue.lease(owner)) is not None:
            got.append(job.id)

    threads = [threading.Thread(target=work, args=(f"a:{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == sorted(made)


def test_a_silent_workers_job_is_taken_over_and_the_silent_one_may_not_write(queue: Queue, database: Database) -> None:
    job = queue.submit("compare", {}, "c")
    taken(queue, "old:1")
    assert queue.lease("new:1") is None
    expire(database)
    again = taken(queue, "new:1")
    assert (again.id, again.attempt) == (job.id, 2)
    for write in (
        lambda: queue.renew(job.id, "old:1"),
        lambda: queue.report(job.id, "old:1", 0.9, "late"),
        lambda: queue.finish(job.id, "old:1"),
        lambda: queue.fail(job.id, "old:1", UserError("late")),
        lambda: queue.cancelled(job.id, "old:1"),
        lambda: queue.release(job.id, "old:1"),
    ):
        with pytest.raises(LeaseLostError):
            write()
    assert queue.job(job.id).state is JobState.RUNNING
    assert queue.job(job.id).fraction == 0
    queue.finish(job.id, "new:1")
    with pytest.raises(LeaseLostError):
        queue.finish(job.id, "new:1")


def test_renewing_keeps_the_job_even_after_a_late_heartbeat(queue: Queue, database: Database) -> None:
    job = queue.submit("compare", {}, "c")
    taken(queue, "a:1")
    expire(database)
    assert queue.renew(job.id, "a:1") is False
    assert queue.lease("b:1") is None


def test_dead_owners_are_told_by_their_prefix_only(queue: Queue) -> None:
    mine, other = queue.submit("compare", {}, "c"), queue.submit("compare", {}, "d")
    taken(queue, "host_a:1:x")
    taken(queue, "hostXa:1:y")
    assert queue.free_jobs_of("host_a:1:") == 1
    assert taken(queue, "host_a:1:z").id == mine.id
    assert queue.lease("host_a:1:z") is None
    assert queue.job(other.id).owner == "hostXa:1:y"


def test_a_job_that_kills_its_worker_is_given_up(queue: Queue, database: Database) -> None:
    dataset = database.add_dataset(name="d", source="csv", location="x")
    model = database.add_model(dataset_id=dataset.id, generator="g")
    job, next_one = queue.submit("train", {}, model.id), queue.submit("compare", {}, "c")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert taken(queue, "a:1").attempt == attempt
        expire(database)
    assert taken(queue, "a:1").id == next_one.id
    failed = queue.job(job.id)
    assert failed.state is JobState.FAILED
    assert isinstance(failed.failure, InternalError)
    assert "died 5 times" in str(failed.failure) and "memory" in str(failed.failure)
    assert database.model(model.id).state is State.FAILED


def test_an_orderly_stop_costs_no_attempt(queue: Queue) -> None:
    job = queue.submit("compare", {}, "c")
    for _ in range(3 * MAX_ATTEMPTS):
        assert taken(queue, "a:1").attempt == 1
        queue.release(job.id, "a:1")
    assert queue.job(job.id).state is JobState.QUEUED


def test_the_end_of_a_job_is_the_end_of_its_subject(queue: Queue, database: Database) -> None:
    dataset = database.add_dataset(name="d", source="csv", location="x")
    job = queue.submit("prepare", {}, dataset.id)
    taken(queue)
    queue.fail(job.id, "a:1", DataError("row 7 has 3 fields", where="x.csv", remedy="Correct the file."))
    failed = queue.job(job.id)
    assert failed.error == {
        "kind": "DataError", "what": "row 7 has 3 fields", "where": "x.csv", "remedy": "Correct the file.",
    }  # fmt: skip
    assert isinstance(failed.failure, DataError)
    assert failed.finished_at is not None and failed.owner is None
    assert database.dataset(dataset.id).state is State.FAILED
    assert database.dataset(dataset.id).message == "row 7 has 3 fields. Correct the file."
    queue.retry(job.id)
    assert database.dataset(dataset.id).state is State.PENDING
    assert database.dataset(dataset.id).message is None
    again = queue.job(job.id)
    assert (again.state, again.attempt, again.error, again.finished_at) == (JobState.QUEUED, 0, None, None)


def test_a_subject_that_is_ready_stays_ready(queue: Queue, database: Database) -> None:
    dataset = database.add_dataset(name="d", source="csv", location="x", state=State.READY)
    job = queue.submit("prepare", {}, dataset.id)
    queue.cancel(job.id)
    assert database.dataset(dataset.id).state is State.READY


def test_cancelling_a_queued_job_ends_it_at_once(queue: Queue, database: Database) -> None:
    dataset = database.add_dataset(name="d", source="csv", location="x")
    job = queue.submit("prepare", {}, dataset.id)
    assert queue.cancel(job.id).state is JobState.CANCELLED
    assert database.dataset(dataset.id).state is State.CANCELLED
    assert queue.lease("a:1") is None
    assert queue.cancel(job.id).state is JobState.CANCELLED


def test_cancelling_a_running_job_reaches_its_worker(queue: Queue) -> None:
    job = queue.submit("compare", {}, "c")
    taken(queue)
    assert queue.report(job.id, "a:1", 0.1, "one") is False
    assert queue.cancel(job.id).state is JobState.RUNNING
    assert queue.report(job.id, "a:1", 0.2, "two") is True
    assert queue.renew(job.id, "a:1") is True
    assert queue.job(job.id).message == "Stopping"
    queue.cancelled(job.id, "a:1")
    assert queue.job(job.id).state is JobState.CANCELLED


def test_a_job_cancelled_while_its_worker_is_dead_does_not_start_again(queue: Queue, database: Database) -> None:
    job = queue.submit("compare", {}, "c")
    taken(queue)
    queue.cancel(job.id)
    expire(database)
    assert queue.lease("b:1") is None
    assert queue.job(job.id).state is JobState.CANCELLED


def test_cancelling_a_finished_job_changes_nothing_and_only_failures_repeat(queue: Queue) -> None:
    job = queue.submit("compare", {}, "c")
    with pytest.raises(UserError, match="the job is queued"):
        queue.retry(job.id)
    taken(queue)
    queue.finish(job.id, "a:1")
    done = queue.cancel(job.id)
    assert (done.state, done.fraction, done.cancel_requested) == (JobState.DONE, 1.0, False)
    with pytest.raises(UserError, match="the job is done"):
        queue.retry(job.id)
    with pytest.raises(UserError, match="no such job"):
        queue.job("<script>")


def test_lists(queue: Queue) -> None:
    made = [queue.submit("compare", {}, f"c{number % 2}") for number in range(4)]
    queue.cancel(made[3].id)
    assert [job.id for job in queue.jobs()] == [job.id for job in reversed(made)]
    assert [job.id for job in queue.jobs(active_only=True)] == [made[2].id, made[1].id, made[0].id]
    assert [job.id for job in queue.jobs(limit=1)] == [made[3].id]
    assert [job.id for job in queue.jobs(subject="c0")] == [made[2].id, made[0].id]
    assert queue.jobs(kind="train") == [] and len(queue.jobs(kind="compare")) == 4
    for job in made:
        assert queue.has_work() is (job is not made[3])
        queue.cancel(job.id)


def test_figures_are_kept_in_order_with_their_fraction(queue: Queue) -> None:
    job = queue.submit("compare", {}, "c")
    taken(queue)
    queue.report(job.id, "a:1", 0.1, "one", {"loss": 3.0})
    queue.report(job.id, "a:1", 0.3, "three", [{"fraction": 0.2, "loss": 2.0}, {"fraction": 0.3, "loss": float("nan")}])
    queue.report(job.id, "a:1", 0.4, "four", {"loss": 1.0})
    assert queue.job(job.id).figures == [
        {"fraction": 0.1, "loss": 3.0}, {"fraction": 0.2, "loss": 2.0}, {"fraction": 0.4, "loss": 1.0},
    ]  # fmt: skip


def test_a_resumed_attempt_does_not_tell_its_figures_twice(queue: Queue, database: Database) -> None:
    job = queue.submit("compare", {}, "c")
    taken(queue)
    for step in (1, 2, 3, 4):
        queue.report(job.id, "a:1", step / 10, "before", {"loss": step})
    expire(database)
    taken(queue, "b:1")
    for step in (3, 4, 5):
        queue.report(job.id, "b:1", step / 10, "after", {"loss": step})
    assert [point["loss"] for point in queue.job(job.id).figures] == [1, 2, 3, 4, 5]


@given(st.lists(st.integers(1, 40), max_size=60))
def test_the_history_is_thin_and_keeps_first_and_last(sizes: list[int]) -> None:
    history: list[dict[str, float]] = []
    told = 0
    for size in sizes:
        history = extended(history, [{"fraction": (told + n) / 5000, "loss": told + n} for n in range(size)])
        told += size
    losses = [point["loss"] for point in history]
    assert len(losses) <= FIGURE_POINTS
    assert losses == sorted(set(losses))
    if told:
        assert (losses[0], losses[-1]) == (0, told - 1)
        assert len(losses) >= min(told, FIGURE_POINTS // 2)


def test_remaining_time_is_told_from_this_attempts_pace(queue: Queue, database: Database) -> None:
    job = queue.submit("compare", {}, "c")
    assert queue.job(job.id).eta_seconds is None
    taken(queue)
    queue.report(job.id, "a:1", 0.5, "resumed from a checkpoint")
    assert queue.job(job.id).eta_seconds is None
    with database.writing() as connection:
        connection.execute(jobs.update().values(attempt_at=now() - timedelta(seconds=20)))
    queue.report(job.id, "a:1", 0.6, "going on")
    # A tenth took 20 s; four tenths are left.
    assert queue.job(job.id).eta_seconds == pytest.approx(80, rel=0.05)
