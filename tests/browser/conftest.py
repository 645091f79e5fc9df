"""A dashboard of its own for every module, on a free port, with a fresh workspace, and a headless Chromium."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, Playwright, sync_playwright

from tests.install_browser import find

ROOT = Path(__file__).resolve().parents[2]
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@dataclass
class Dashboard:
    """A running dashboard: its address, its workspace, and the means to stop and start it."""

    workspace: Path
    port: int
    process: subprocess.Popen | None = None
    started_in: float = 0.0
    log: Path = field(default_factory=Path)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.log = self.workspace.parent / "dashboard.log"
        started = time.perf_counter()
        command = [
            sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(self.port),
            "--server.headless", "true", "--server.fileWatcherType", "none",
        ]  # fmt: skip
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=self.log.open("ab"), stderr=subprocess.STDOUT,
            env={**os.environ, "COHORT_STUDIO_WORKSPACE": str(self.workspace), "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        while True:
            assert self.process.poll() is None, self.log.read_text()
            try:
                with urllib.request.urlopen(f"{self.url}/_stcore/health", timeout=1) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                time.sleep(0.1)
        self.started_in = time.perf_counter() - started

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=20)

    def worker(self) -> psutil.Process | None:
        """The worker process of this workspace."""
        for process in psutil.process_iter(["cmdline"]):
            words = process.info["cmdline"] or []
            if "engine.jobs.worker" in words and str(self.workspace) in words:
                return process
        return None


def serve(workspace: Path) -> Iterator[Dashboard]:
    """Run a dashboard over ``workspace`` on a free port until the generator is closed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    one = Dashboard(workspace, port)
    one.start()
    yield one
    one.stop()
    if worker := one.worker():
        worker.terminate()


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dashboard]:
    yield from serve(tmp_path_factory.mktemp("dashboard") / "workspace")


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture
def page(playwright: Playwright, tmp_path: Path) -> Iterator[Page]:
    path = find()
    if path is None:
        message = "no Chromium is installed: run python -m tests.install_browser"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    context = playwright.chromium.launch_persistent_context(
        tmp_path / "profile", executable_path=path, headless=True, args=ARGUMENTS, accept_downloads=True,
        viewport={"width": 1280, "height": 900},
    )  # fmt: skip
    one = context.pages[0]
    one.set_default_timeout(20_000)
    yield one
    context.close()
