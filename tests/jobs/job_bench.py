"""Real worker processes over a workspace of the test's own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from engine.core.settings import Settings
from engine.core.workspace import Workspace
from engine.jobs.queue import Queue
from engine.jobs.records import JobRecord
from engine.jobs.supervisor import Supervisor
from engine.storage.database import Database

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, str(Path(__file__).with_name("step_worker.py")))
LEASE_SECONDS = 1.2


def wait_for(holds: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Until ``holds`` does; fails the test when it takes too long."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


class Bench:
    """A workspace, its queue and the worker processes that a test starts."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.database = Database.for_workspace(self.workspace)
        self.queue = Queue(self.database, lease_seconds=LEASE_SECONDS)
        self.settings = Settings(workspace=root, worker_lease_seconds=LEASE_SECONDS, worker_idle_seconds=30)
        self.processes: list[subprocess.Popen[bytes]] = []
        self.supervisors: list[Supervisor] = []

    def worker(self, *arguments: str, lease_seconds: float = LEASE_SECONDS) -> subprocess.Popen[bytes]:
        """Start a worker, its log where the supervisor would have it."""
        environment = {
            **os.environ, "PYTHONPATH": str(ROOT), "COHORT_STUDIO_WORKER_LEASE_SECONDS": str(lease_seconds),
        }  # fmt: skip
        with self.workspace.worker_log.open("ab") as log:
            process = subprocess.Popen(
                (*COMMAND, "--workspace", str(self.workspace.root), *arguments),
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
            )
        self.processes.append(process)
        return process

    def supervisor(self) -> Supervisor:
        """One that starts test workers."""
        made = Supervisor(self.workspace, self.queue, settings=self.settings, command=COMMAND)
        self.supervisors.append(made)
        return made

    def count(self, *, ticks: int = 20, seconds: float = 0.03) -> JobRecord:
        """Queue a job that counts."""
        payload = {"ticks": ticks, "seconds": seconds, "out": str(self.workspace.root / "out")}
        return self.queue.submit("count", payload, subject="subject")

    def diary(self) -> list[tuple[int, int]]:
        """(attempt, tick) of everything counted."""
        path = self.workspace.root / "diary"
        if not path.exists():
            return []
        return [tuple(map(int, line.split())) for line in path.read_text().splitlines()]  # type: ignore[misc]

    def published(self) -> list[str]:
        """The jobs that published their output, in order."""
        path = self.workspace.root / "published"
        return path.read_text().split() if path.exists() else []

    def ended(self, job: JobRecord, *, seconds: float = 20.0) -> JobRecord:
        """The job once nothing more is to happen to it."""
        wait_for(lambda: not self.queue.job(job.id).is_active, seconds=seconds)
        return self.queue.job(job.id)

    def log(self) -> str:
        """What the workers said."""
        return self.workspace.worker_log.read_text()

    def close(self) -> None:
        """End everything that was started, by its own process id."""
        for supervisor in self.supervisors:
            supervisor.stop(worker=True)
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
            process.wait()
