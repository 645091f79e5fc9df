"""Real worker processes that are killed, stopped, doubled and cancelled."""

import signal
import stat
import time

import pytest
from job_bench import LEASE_SECONDS, Bench, wait_for

from engine.jobs.locks import worker_lives
from engine.storage.records import JobState


def test_a_worker_takes_a_job_reports_and_ends_when_idle(bench: Bench) -> None:
    job = bench.count(ticks=12, seconds=0.03)
    process = bench.worker("--idle-seconds", "0.3")
    assert process.wait(timeout=20) == 0
    done = bench.queue.job(job.id)
    assert (done.state, done.attempt, done.fraction, done.error) == (JobState.DONE, 1, 1.0, None)
    assert [point["fraction"] for point in done.figures] == pytest.approx([(n + 1) / 12 for n in range(12)])
    assert (bench.workspace.root / "out").read_text() == f"{job.id} 12"
    assert not (bench.workspace.root / "jobs" / job.id).exists(), "a finished job leaves no checkpoint"
    assert not worker_lives(bench.workspace)


def test_kill_nine_then_resume_from_the_checkpoint_at_once(bench: Bench) -> None:
    job = bench.count(ticks=30, seconds=0.03)
    # With a lease of an hour, only the freed lock tells that the owner is dead.
    first = bench.worker(lease_seconds=3600)
    wait_for(lambda: len(bench.diary()) >= 10)
    first.send_signal(signal.SIGKILL)
    first.wait()
    counted = len(bench.diary())
    killed = time.monotonic()
    bench.worker(lease_seconds=3600)
    wait_for(lambda: len(bench.diary()) > counted)
    assert time.monotonic() - killed < 10
    done = bench.ended(job)
    assert (done.state, done.attempt) == (JobState.DONE, 2)
    ticks = [tick for _, tick in bench.diary()]
    # The tick during which it was killed may be counted again, none before it.
    assert sorted(set(ticks)) == list(range(30)) and len(ticks) <= 31
    assert bench.published() == [job.id]
    fractions = [point["fraction"] for point in done.figures]
    assert fractions == sorted(set(fractions))


def test_killed_again_and_again_the_output_appears_once(bench: Bench) -> None:
    job = bench.count(ticks=24, seconds=0.03)
    for goal in (4, 9, 14):
        process = bench.worker()
        wait_for(lambda goal=goal: len(bench.diary()) >= goal)
        process.send_signal(signal.SIGKILL)
        process.wait()
    bench.worker()
    assert bench.ended(job).attempt == 4
    assert bench.published() == [job.id]
    assert len(bench.diary()) <= 27


def test_sigterm_gives_the_job_back_and_the_next_worker_goes_on(bench: Bench) -> None:
    job = bench.count(ticks=30, seconds=0.03)
    first = bench.worker()
    wait_for(lambda: len(bench.diary()) >= 5)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=5) == 0
    given_back = bench.queue.job(job.id)
    assert (given_back.state, given_back.attempt, given_back.owner) == (JobState.QUEUED, 0, None)
    bench.worker()
    assert bench.ended(job).state is JobState.DONE
    assert [tick for _, tick in bench.diary()] == list(range(30))


def test_cancelling_ends_the_job_and_a_retry_continues_it(bench: Bench) -> None:
    job = bench.count(ticks=40, seconds=0.03)
    bench.worker()
    wait_for(lambda: len(bench.diary()) >= 5)
    bench.queue.cancel(job.id)
    asked = time.monotonic()
    assert bench.ended(job).state is JobState.CANCELLED
    assert time.monotonic() - asked < 2
    counted = len(bench.diary())
    assert not (bench.workspace.root / "out").exists()
    bench.queue.retry(job.id)
    assert bench.ended(job).state is JobState.DONE
    assert len(bench.diary()) == 40 and bench.diary()[counted] == (1, counted)


def test_of_two_workers_the_second_ends_at_once(bench: Bench) -> None:
    job = bench.count(ticks=20, seconds=0.03)
    first = bench.worker()
    wait_for(bench.diary)
    assert bench.worker().wait(timeout=10) == 0
    assert first.poll() is None
    assert bench.ended(job).attempt == 1
    assert "another worker is at work" in bench.log()


def test_a_step_that_starves_the_heartbeat_keeps_its_job(bench: Bench) -> None:
    job = bench.queue.submit("grip", {"seconds": 1.6 * LEASE_SECONDS}, "subject")
    bench.worker()
    done = bench.ended(job)
    assert (done.state, done.attempt) == (JobState.DONE, 1)


def test_failures_are_told_without_cells_and_do_not_end_the_worker(bench: Bench) -> None:
    leak = bench.queue.submit("leak", {}, "a")
    refuse = bench.queue.submit("refuse", {}, "b")
    leave = bench.queue.submit("leave", {}, "c")
    exhaust = bench.queue.submit("exhaust", {}, "d")
    unknown = bench.queue.submit("no such step", {}, "e")
    process = bench.worker()
    bench.ended(unknown)
    assert process.poll() is None
    ended = {"leak": leak, "refuse": refuse, "leave": leave, "exhaust": exhaust, "unknown": unknown}
    told = {name: str(bench.queue.job(job.id).failure) for name, job in ended.items()}
    assert "KeyError" in told["leak"] and "step_worker.py" in told["leak"]
    assert told["refuse"] == "the table has no rows (admissions.csv). Choose another file."
    assert "SystemExit" in told["leave"]
    assert "memory was not enough" in told["exhaust"]
    assert "no step 'no such step'" in told["unknown"]
    log = bench.log()
    assert "ValueError" in log and "KeyError" in log and "in leak: raise KeyError(" in log
    for place in (*told.values(), log.replace('"Zaphod Beeblebrox"', "")):
        # The log shows the line of source code, in which this test wrote the name; a cell is never in the source.
        assert "Zaphod" not in place


def test_the_workers_files_are_private(bench: Bench) -> None:
    job = bench.count(ticks=2, seconds=0)
    bench.worker()
    bench.ended(job)
    for name in ("out", "diary", "published", "worker.lock"):
        assert stat.S_IMODE((bench.workspace.root / name).stat().st_mode) & 0o077 == 0, name


def test_a_lease_of_another_machine_is_taken_over_when_it_runs_out(bench: Bench) -> None:
    job = bench.count(ticks=2, seconds=0)
    assert bench.queue.lease("elsewhere:abc:1") is not None
    leased = time.monotonic()
    bench.worker()
    done = bench.ended(job)
    assert (done.state, done.attempt) == (JobState.DONE, 2)
    assert time.monotonic() - leased > LEASE_SECONDS * 0.8


def test_a_worker_whose_workspace_is_deleted_ends(bench: Bench) -> None:
    process = bench.worker()
    wait_for(lambda: worker_lives(bench.workspace))
    wait_for(lambda: "worker started" in bench.log())
    bench.workspace.worker_lock.unlink()
    assert process.wait(timeout=10) == 0


def test_the_worker_refuses_a_database_that_is_none(bench: Bench) -> None:
    bench.database.close()
    bench.workspace.database.write_text("a letter")
    assert bench.worker().wait(timeout=10) == 2
    assert "not a readable database" in bench.log()
