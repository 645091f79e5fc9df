"""Time to the first pictures on the Compare page: ``python -m tests.benchmarks.bench_compare_page [--rows N]``.

Prints JSON: from the click on a cohort on the Start page to its first chart, in Chromium; data set and cohort have
``--rows`` × 60 simulated rows. *Cold*: the worker process has just been started, and has yet to load its libraries.
*Warm*: it has compared another cohort before.
"""

import argparse
import json
import os
import socket
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from engine.cohort.spec import CohortSpec
from engine.core.workspace import Workspace, write_json
from engine.export.manifest import manifest
from engine.schema.table import Column, TableSchema, conform
from engine.storage.database import Database
from engine.storage.records import State
from engine.storage.tables import write_table
from tests.benchmarks.simulated_table import simulated_table
from tests.browser.conftest import ARGUMENTS, Dashboard
from tests.install_browser import find

COLUMNS = 60


def prepare(workspace: Workspace, rows: int, names: list[str]) -> None:
    """One data set of ``rows`` training rows, and a cohort of as many for each name."""
    frame, kinds = simulated_table(rows=rows * 5 // 2, columns=COLUMNS, seed=1)
    schema = TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))  # type: ignore[arg-type]
    table = conform(frame, schema)
    real = rows * 3 // 2
    database = Database.for_workspace(workspace, None)
    dataset = database.add_dataset(name="simulated.csv", source="csv", location="simulated.csv")
    folder = workspace.dataset(dataset.id)
    write_table(folder / "table.parquet", table.iloc[:real], schema)
    write_json(folder / "splits.json", {"train": list(range(rows)), "holdout": list(range(rows, real))})
    database.update_dataset(
        dataset.id, state=State.READY, rows=real, patients=real, columns=COLUMNS, fingerprint="0" * 64
    )
    model = database.add_model(dataset_id=dataset.id, generator="dp_cgan", options={}, seed=7)
    database.update_model(model.id, state=State.READY, report={"rows": rows, "columns": COLUMNS, "epsilon": None})
    spec = CohortSpec(patients=rows)
    for name in names:
        cohort = database.add_cohort(model_id=model.id, dataset_id=dataset.id, name=name, spec=spec.as_json())
        made = workspace.cohort(cohort.id)
        write_table(made / "cohort.parquet", table.iloc[real:].reset_index(drop=True), schema)
        write_json(made / "manifest.json", manifest(spec, source={}, generator={"name": "dp_cgan"}, seed=7))
        database.update_cohort(cohort.id, state=State.READY, rows=rows, seconds=0.1, compliance=1.0, report={})
    database.close()


def first_chart(page: Page, url: str, name: str) -> float:
    """Seconds from the click to the first chart of the cohort called ``name``."""
    page.goto(url)
    line = page.locator("[data-testid=stHorizontalBlock]", has_text=name).last
    line.get_by_role("button", name="Compare").wait_for()
    started = time.perf_counter()
    line.get_by_role("button", name="Compare").click()
    page.locator(".st-key-love .js-plotly-plot").wait_for(timeout=120_000)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000)
    rows = parser.parse_args().rows
    names = ["first cohort", "second cohort"]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        workspace = Workspace(Path(folder) / "workspace")
        prepare(workspace, rows, names)
        dashboard = Dashboard(workspace.root, port)
        dashboard.start()
        context = playwright.chromium.launch_persistent_context(
            Path(folder) / "profile", executable_path=find(), headless=True, args=ARGUMENTS
        )
        page = context.pages[0]
        cold = first_chart(page, dashboard.url, names[0])
        page.get_by_text("No job is running").wait_for(timeout=300_000)
        warm = first_chart(page, dashboard.url, names[1])
        context.close()
        dashboard.stop()
        if worker := dashboard.worker():
            worker.terminate()
    figures = {"rows": rows, "columns": COLUMNS, "cold_seconds": round(cold, 2), "warm_seconds": round(warm, 2)}
    print(json.dumps(figures | {"cores": os.cpu_count(), "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()
