"""Start-up, rerun time and memory of the dashboard: ``python -m tests.benchmarks.bench_dashboard``; prints JSON.

Start-up: from the command to the first answer of the health check, and to the first page drawn in Chromium.
Rerun: one full script run of a page as Streamlit's AppTest measures it, on a prepared simulated folder.
"""

import json
import os
import socket
import statistics
import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import sync_playwright

from tests.browser.conftest import ARGUMENTS, Dashboard
from tests.install_browser import find


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        dashboard = Dashboard(Path(folder) / "workspace", port)
        started = time.perf_counter()
        dashboard.start()
        context = playwright.chromium.launch_persistent_context(
            Path(folder) / "profile", executable_path=find(), headless=True, args=ARGUMENTS
        )
        page = context.pages[0]
        page.goto(dashboard.url)
        page.get_by_label("Folder on this machine").wait_for()
        first_page = time.perf_counter() - started
        reruns = []
        for name, heading in [("About & privacy", "What this is"), ("Start", "Folder on this machine")] * 5:
            clicked = time.perf_counter()
            page.get_by_role("link", name=name, exact=True).first.click()
            page.get_by_text(heading).first.wait_for()
            reruns.append(time.perf_counter() - clicked)
        assert dashboard.process is not None
        memory = psutil.Process(dashboard.process.pid).memory_info().rss / 2**20
        context.close()
        dashboard.stop()
        if worker := dashboard.worker():
            worker.terminate()
    print(
        json.dumps(
            {
                "health_seconds": round(dashboard.started_in, 2),
                "first_page_seconds": round(first_page, 2),
                "page_switch_seconds_median": round(statistics.median(reruns), 3),
                "dashboard_rss_mb": round(memory),
                "cores": os.cpu_count(),
            }
        )
    )


if __name__ == "__main__":
    main()
