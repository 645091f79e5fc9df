"""Running a command of a benchmark: one thread, from the repository's root."""

import os
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
ONE_THREAD = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
MOST_SECONDS = 3_600


class FailedError(Exception):
    """A command that ended without figures; the message is the last line that it said."""


def run(command: list[str], environment: dict[str, str]) -> str:
    """What the command printed on standard output.

    Raises:
        FailedError: it ended with another exit code than 0, or took more than ``MOST_SECONDS``.
    """
    surroundings = {**os.environ, **ONE_THREAD, **environment}
    try:
        done = subprocess.run(
            command, env=surroundings, cwd=REPOSITORY, capture_output=True, text=True, timeout=MOST_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise FailedError(f"stopped after {MOST_SECONDS:,} s") from error
    if done.returncode:
        raise FailedError(last_line(done.stderr) or f"exit code {done.returncode}")
    return done.stdout


def last_line(printed: str) -> str:
    """The last 300 characters at most of the last line."""
    return (printed.strip().splitlines() or [""])[-1][-300:]
