"""Sees to it that a worker process runs while there is work; part of the dashboard, so it loads nothing heavy."""

import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from engine.core.errors import InternalError
from engine.core.settings import Settings
from engine.core.settings import settings as default_settings
from engine.core.workspace import Workspace
from engine.jobs.locks import worker_lives
from engine.jobs.logs import set_aside
from engine.jobs.queue import Queue
from engine.storage.connection import absolute_url

log = logging.getLogger(__name__)

WATCH_SECONDS = 2.0
"""How often the watch looks whether a worker is needed."""
SHORT_LIFE_SECONDS = 5.0
"""A worker that fails earlier than this is started again only after a pause."""
LONGEST_PAUSE_SECONDS = 30.0

_ROOT = Path(__file__).resolve().parents[2]


class Supervisor:
    """Starts the worker of one workspace when it is needed, and again when it died.

    The worker is a session of its own: it goes on when the dashboard ends, and the next dashboard finds it by its lock.
    ``command`` replaces ``python -m engine.jobs.worker`` in tests.
    """

    def __init__(
        self,
        workspace: Workspace,
        queue: Queue,
        *,
        settings: Settings | None = None,
        command: Sequence[str] | None = None,
    ) -> None:
        self._workspace, self._queue = workspace, queue
        self._settings = settings or default_settings()
        self._command = tuple(command or (sys.executable, "-m", "engine.jobs.worker"))
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._short_lives = 0
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._watch: threading.Thread | None = None

    def ensure(self, *, warm: bool = False) -> bool:
        """Start a worker if there is work (or ``warm``) and none lives; returns whether one was started."""
        with self._guard:
            if self._process is not None:
                code = self._process.poll()
                if code is None:
                    return False
                self._process = None
                lived = time.monotonic() - self._started_at
                self._short_lives = self._short_lives + 1 if code > 0 and lived < SHORT_LIFE_SECONDS else 0
            if not (warm or self._queue.has_work()) or worker_lives(self._workspace):
                return False
            if time.monotonic() - self._started_at < self._pause():
                return False
            self._start()
            return True

    @property
    def problem(self) -> str | None:
        """A sentence for the screen while the worker fails to start; None when all is well."""
        if self._short_lives < 2:
            return None
        return f"The worker process does not start. Its last words are in {self._workspace.worker_log}."

    def watch(self) -> None:
        """Keep ensuring from a background thread of this process. A second call changes nothing."""
        with self._guard:
            if self._watch is None or not self._watch.is_alive():
                self._stopping.clear()
                self._watch = threading.Thread(target=self._keep, name="supervisor", daemon=True)
                self._watch.start()

    def stop(self, *, worker: bool = False) -> None:
        """End the watch; with ``worker`` also the worker that this object started, which gives its job back."""
        self._stopping.set()
        if self._watch is not None:
            self._watch.join()
        process = self._process
        if worker and process is not None and process.poll() is None:
            process.terminate()
            process.wait()

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                self.ensure()
            except (InternalError, OSError) as error:
                log.warning("the worker could not be looked after: %s", type(error).__name__)
            self._stopping.wait(WATCH_SECONDS)

    def _pause(self) -> float:
        return 0.0 if self._short_lives == 0 else min(LONGEST_PAUSE_SECONDS, 2.0**self._short_lives)

    def _start(self) -> None:
        set_aside(self._workspace.worker_log)
        arguments = ("--workspace", str(self._workspace.root.resolve()))
        descriptor = os.open(self._workspace.worker_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            self._process = subprocess.Popen(
                (*self._command, *arguments),
                cwd=_ROOT,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=descriptor,
                start_new_session=True,
            )
        finally:
            os.close(descriptor)
        self._started_at = time.monotonic()

    def _environment(self) -> dict[str, str]:
        # Settings travel by environment, not by argument: an address can hold a password, and arguments are public.
        values = self._settings.model_dump(mode="json", exclude_none=True)
        values["workspace"] = str(self._workspace.root.resolve())
        if "database_url" in values:
            values["database_url"] = absolute_url(values["database_url"])
        own = {f"COHORT_STUDIO_{name.upper()}": str(value) for name, value in values.items()}
        path = os.pathsep.join(part for part in (str(_ROOT), os.environ.get("PYTHONPATH")) if part)
        return {**os.environ, **own, "PYTHONPATH": path}
