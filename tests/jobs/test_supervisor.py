"""The supervisor: who starts workers, when, and what its process never loads."""

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import psutil
from job_bench import Bench, wait_for

from engine.core.settings import Settings
from engine.jobs.locks import worker_lives
from engine.jobs.supervisor import Supervisor
from engine.storage.records import JobState

ROOT = Path(__file__).resolve().parents[2]


def pid_of(supervisor: Supervisor) -> int:
    assert supervisor._process is not None
    return supervisor._process.pid


def test_no_work_no_worker(bench: Bench) -> None:
    supervisor = bench.supervisor()
    assert supervisor.ensure() is False
    assert not worker_lives(bench.workspace)


def test_work_starts_one_worker_and_only_one(bench: Bench) -> None:
    job = bench.count(ticks=10)
    supervisor = bench.supervisor()
    assert supervisor.ensure() is True
    assert supervisor.ensure() is False
    wait_for(lambda: worker_lives(bench.workspace))
    # A second dashboard finds the worker by its lock.
    assert bench.supervisor().ensure() is False
    assert bench.ended(job).state is JobState.DONE
    assert stat.S_IMODE(bench.workspace.worker_log.stat().st_mode) == 0o600


def test_a_warm_worker_waits_for_work(bench: Bench) -> None:
    supervisor = bench.supervisor()
    assert supervisor.ensure(warm=True) is True
    wait_for(lambda: "worker started" in bench.log())
    submitted = time.monotonic()
    assert bench.ended(bench.count(ticks=1, seconds=0)).state is JobState.DONE
    assert time.monotonic() - submitted < 2


def test_the_watch_restarts_a_killed_worker_and_the_job_resumes(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr("engine.jobs.supervisor.WATCH_SECONDS", 0.3)
    supervisor = bench.supervisor()
    job = bench.count(ticks=40, seconds=0.03)
    supervisor.watch()
    wait_for(lambda: len(bench.diary()) >= 5)
    os.kill(pid_of(supervisor), signal.SIGKILL)
    killed = time.monotonic()
    wait_for(lambda: bench.queue.job(job.id).attempt == 2)
    assert time.monotonic() - killed < 15
    assert bench.ended(job).state is JobState.DONE
    assert bench.published() == [job.id]
    assert len(bench.diary()) <= 41


def test_a_step_that_kills_every_worker_fails_and_the_queue_goes_on(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr("engine.jobs.supervisor.WATCH_SECONDS", 0.1)
    deadly, harmless = bench.queue.submit("die", {}, "a"), bench.count(ticks=1, seconds=0)
    supervisor = bench.supervisor()
    supervisor.watch()
    assert bench.ended(harmless, seconds=40).state is JobState.DONE
    failed = bench.queue.job(deadly.id)
    assert (failed.state, failed.attempt) == (JobState.FAILED, 5)
    assert "died 5 times" in str(failed.failure)
    assert supervisor.problem is None


def test_a_worker_that_cannot_start_is_told_and_tried_again_with_pauses(bench: Bench) -> None:
    bench.count()
    broken = Supervisor(
        bench.workspace, bench.queue, settings=bench.settings, command=(sys.executable, "-c", "raise SystemExit(1)")
    )
    starts = 0
    end = time.monotonic() + 3
    while time.monotonic() < end:
        starts += broken.ensure()
        time.sleep(0.02)
    # Started at once, after 2 s, and not before 4 s more.
    assert starts == 2
    wait_for(lambda: broken.ensure() or broken.problem is not None)
    assert "worker.log" in str(broken.problem)


def test_stopping_the_dashboard_leaves_the_worker_at_work(bench: Bench) -> None:
    job = bench.count(ticks=15, seconds=0.03)
    supervisor = bench.supervisor()
    supervisor.watch()
    wait_for(bench.diary)
    supervisor.stop()
    assert psutil.pid_exists(pid_of(supervisor))
    # Its own session, so that the end of the dashboard's terminal does not reach it either.
    assert os.getsid(pid_of(supervisor)) == pid_of(supervisor)
    assert bench.ended(job).attempt == 1


def test_stopping_the_worker_too_gives_its_job_back(bench: Bench) -> None:
    job = bench.count(ticks=60, seconds=0.03)
    supervisor = bench.supervisor()
    supervisor.ensure()
    wait_for(bench.diary)
    supervisor.stop(worker=True)
    assert bench.queue.job(job.id).state is JobState.QUEUED
    assert not worker_lives(bench.workspace)


def test_settings_reach_the_worker_by_its_environment(bench: Bench, tmp_path: Path) -> None:
    settings = Settings(
        workspace=bench.workspace.root, database_url="postgresql://me:secret@host/db", small_cell_minimum=5
    )
    supervisor = Supervisor(bench.workspace, bench.queue, settings=settings)
    environment = supervisor._environment()
    assert environment["COHORT_STUDIO_SMALL_CELL_MINIMUM"] == "5"
    assert environment["COHORT_STUDIO_DATABASE_URL"] == "postgresql://me:secret@host/db"
    assert not any("secret" in part for part in supervisor._command)


def test_a_long_log_is_set_aside(bench: Bench, monkeypatch) -> None:
    monkeypatch.setattr("engine.jobs.logs.LOG_BYTES", 100)
    bench.workspace.worker_log.write_text("old " * 100)
    bench.supervisor().ensure(warm=True)
    wait_for(lambda: "worker started" in bench.log())
    assert "old" not in bench.log()
    assert bench.workspace.worker_log.with_name("worker.log.1").read_text().startswith("old")


def test_the_dashboards_side_loads_nothing_heavy() -> None:
    script = (
        "import sys, engine.jobs.queue, engine.jobs.supervisor, engine.storage.database\n"
        "heavy = {'torch', 'transformers', 'sdv', 'sdmetrics', 'dp_cgans', 'scipy', 'sklearn', 'pandas', 'duckdb'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_worker_loads_nothing_heavy_before_its_first_job() -> None:
    script = (
        "import sys, engine.jobs.worker, engine.jobs.steps\n"
        "print(sorted({'torch', 'transformers', 'sdv', 'dp_cgans', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stderr
