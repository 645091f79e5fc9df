"""A worker with steps made for tests; started as the product's worker is, with the same arguments."""

import os
import signal
import sys
import time
from pathlib import Path

from engine.core.errors import DataError
from engine.core.progress import Progress
from engine.core.workspace import Workspace, write_atomically
from engine.jobs import worker
from engine.jobs.records import JobRecord
from engine.storage.database import Database


def count(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Count to ``ticks`` from the checkpoint; the diary holds every tick that was counted, by attempt."""
    out, ticks = Path(job.payload["out"]), job.payload["ticks"]
    if out.exists():
        return
    checkpoint = workspace.job(job.id) / "tick"
    start = int(checkpoint.read_text()) if checkpoint.exists() else 0
    for tick in range(start, ticks):
        time.sleep(job.payload["seconds"])
        write_atomically(checkpoint, lambda path, done=tick + 1: path.write_text(str(done)))
        with (workspace.root / "diary").open("a") as diary:
            diary.write(f"{job.attempt} {tick}\n")
        progress.update((tick + 1) / ticks, f"Tick {tick + 1}", loss=1 / (tick + 1))
    write_atomically(out, lambda path: path.write_text(f"{job.id} {ticks}"))
    with (workspace.root / "published").open("a") as published:
        published.write(f"{job.id}\n")


def leak(job: JobRecord, /, **_: object) -> None:
    """Fail as pandas does, quoting a cell, with a cause that quotes it too and prints of it."""
    print("Zaphod Beeblebrox")
    print("Zaphod Beeblebrox", file=sys.stderr)
    try:
        float("Zaphod Beeblebrox")
    except ValueError as error:
        raise KeyError("Zaphod Beeblebrox") from error


def refuse(job: JobRecord, /, **_: object) -> None:
    """Fail as a step should."""
    raise DataError("the table has no rows", where="admissions.csv", remedy="Choose another file.")


def die(job: JobRecord, /, **_: object) -> None:
    """Be killed, whatever the attempt."""
    os.kill(os.getpid(), signal.SIGKILL)


def leave(job: JobRecord, /, **_: object) -> None:
    """Try to take the worker along."""
    sys.exit(3)


def exhaust(job: JobRecord, /, **_: object) -> None:
    """Run out of memory."""
    raise MemoryError


def grip(job: JobRecord, /, **_: object) -> None:
    """Hold the interpreter's lock, so that no thread runs, for longer than the lease."""
    started = time.monotonic()
    while time.monotonic() - started < job.payload["seconds"]:
        sum(range(30_000_000))


STEPS = {"count": count, "leak": leak, "refuse": refuse, "die": die, "leave": leave, "exhaust": exhaust, "grip": grip}

if __name__ == "__main__":
    sys.exit(worker.main(steps=STEPS))
