"""What a first-time user waits for on a fresh workspace: ``python -m tests.benchmarks.bench_first_minute``.

Prints JSON. The request of the README is typed on the Start page of a dashboard that was just started, with the models
that ship. *Answer*: from Enter to the proposal. *Patients*: from the click on "Apply and generate" to the drawn cohort.
*Compared*: from the click to the first chart. The waits are those of the screen, in Chromium on the same machine; a
person's own reading is not in them.
"""

import json
import os
import socket
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

from engine.core.workspace import ASSETS
from tests.browser.conftest import ARGUMENTS, Dashboard
from tests.browser.test_first_minute import FLAGSHIP
from tests.install_browser import find


def main() -> None:
    """Measure and print."""
    os.environ["COHORT_STUDIO_SHIPPED_MODELS"] = str(ASSETS / "models")
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
        context.set_default_timeout(120_000)
        page = context.pages[0]
        page.goto(dashboard.url)
        field = page.get_by_placeholder("Which patients do you need?")
        field.wait_for()
        seconds = {"start": time.perf_counter() - started}

        def waited(name: str, for_: str) -> None:
            clicked = time.perf_counter()
            page.locator(for_).first.wait_for()
            seconds[name] = time.perf_counter() - clicked

        field.fill(FLAGSHIP)
        page.keyboard.press("Enter")
        waited("answer", "button:has-text('Apply and generate')")
        page.get_by_role("button", name="Apply and generate").click()
        waited("patients", "text=Obey every criterion")
        page.get_by_role("button", name="Compare with real").click()
        waited("compared", ".js-plotly-plot")
        context.close()
        dashboard.stop()
        if worker := dashboard.worker():
            worker.terminate()
    figures = {f"{name}_seconds": round(value, 1) for name, value in seconds.items()}
    waiting = round(seconds["answer"] + seconds["patients"], 1)
    print(json.dumps(figures | {"request_to_patients_seconds": waiting, "cores": os.cpu_count()}))


if __name__ == "__main__":
    main()
