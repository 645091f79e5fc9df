"""Large cohorts of a small private model: time, memory and size of every step on their way; prints markdown.

    python -m tests.benchmarks.bench_large_cohort --rows 200000 1000000 10000000

A simulated table of ``--patients`` and ``--columns`` is prepared and learned at epsilon 3 (delta 1e-5) in a workspace
of its own, by the steps that the dashboard's worker runs. Then, for each number of rows, a cohort is generated,
compared and exported, every step in a process of its own with one thread. *Peak* is the process's largest resident
memory; the ratio is to the same step for the fewest rows. Flat memory is a ratio near 1.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from engine.core.progress import Silent
from engine.core.settings import Settings
from engine.core.workspace import Workspace
from engine.jobs.memory import peak_megabytes
from engine.jobs.queue import Queue
from engine.storage.database import Database
from tests.benchmarks.processes import run
from tests.benchmarks.simulated_table import simulated_table

_STEPS = {
    "generate": "generate to Parquet", "compare": "compare", "csv-archive": "export CSV", "parquet": "export Parquet",
}  # fmt: skip


def main() -> None:
    """Make the model, measure every step, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[200_000, 1_000_000, 10_000_000])
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--columns", type=int, default=12)
    parser.add_argument("--steps", nargs="+", choices=list(_STEPS), default=list(_STEPS))
    parser.add_argument("--out", type=Path, metavar="RESULTS.json")
    parser.add_argument("--measure", nargs=3, metavar=("WORKSPACE", "STEP", "SUBJECT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure is not None:
        workspace, step, subject = asked.measure
        print(json.dumps(_measured(Workspace(Path(workspace)), step, subject)))
        return
    with tempfile.TemporaryDirectory(prefix="cohort-studio-bench-") as name:
        folder = Path(name)
        model = _model(Workspace(folder), patients=asked.patients, columns=asked.columns)
        database = Database.for_workspace(Workspace(folder))
        cohorts = {
            rows: database.add_cohort(model_id=model, name="cohort", spec={"patients": rows}).id for rows in asked.rows
        }
        database.close()
        found = []
        for rows, cohort in cohorts.items():
            for step in ("generate", *(one for one in asked.steps if one != "generate")):
                own = [sys.executable, "-m", "tests.benchmarks.bench_large_cohort", "--measure", name, step, cohort]
                found.append({"rows": rows, "step": step, **json.loads(run(own, {}))})
                print(found[-1], file=sys.stderr, flush=True)
                if asked.out is not None:
                    asked.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(_table(found, asked))


def _model(workspace: Workspace, *, patients: int, columns: int) -> str:
    """The id of a private model in ``workspace``."""
    database = Database.for_workspace(workspace)
    frame, kinds = simulated_table(rows=patients, columns=columns, seed=1)
    record = database.add_dataset(name="simulated.csv", source="csv", location="simulated.csv")
    path = workspace.dataset(record.id) / "upload"
    frame.to_csv(path, index=False)
    schema = {"columns": [{"name": name, "kind": kind} for name, kind in kinds.items()]}
    for column in schema["columns"]:
        if column["kind"] == "categorical":
            column["categories"] = sorted(frame[column["name"]].dropna().astype(str).unique())  # type: ignore[assignment]
    _do(workspace, "prepare", {"source": "csv", "path": str(path), "interpretation": None, "schema": schema}, record.id)
    options = {"private": True, "epsilon": 3.0, "delta": 1e-5, "epochs": 5}
    model = database.add_model(dataset_id=record.id, generator="dp_cgan", options=options, seed=1)
    payload = {"dataset_id": record.id, "generator": "dp_cgan", "options": options, "seed": 1}
    database.close()
    _do(workspace, "train", payload, model.id)
    return model.id


def _do(workspace: Workspace, kind: str, payload: dict[str, Any], subject: str) -> None:
    from engine.jobs.steps import STEPS

    database = Database.for_workspace(workspace)
    job = Queue(database).submit(kind, payload, subject)
    STEPS[kind](job, workspace=workspace, database=database, progress=Silent())
    database.close()


def _measured(workspace: Workspace, step: str, cohort: str) -> dict[str, Any]:
    """Seconds, MB of memory and bytes of what the step made."""
    database = Database.for_workspace(workspace)
    record = database.cohort(cohort)
    database.close()
    started = time.perf_counter()
    made = workspace.cohort(cohort) / "cohort.parquet"
    if step == "generate":
        _do(workspace, step, {"model_id": record.model_id, "spec": record.spec}, cohort)
    elif step == "compare":
        _do(workspace, step, {"cohort_id": cohort}, cohort)
        made = workspace.comparison(cohort)
    else:
        from engine.services.studio import Studio

        made = workspace.root / "export"
        Studio(Settings(workspace=workspace.root)).exports.write(cohort, step, made)
    return {
        "seconds": round(time.perf_counter() - started, 1),
        "peak_mb": round(peak_megabytes()),
        "bytes": made.stat().st_size,
    }


def _table(found: list[dict[str, Any]], asked: argparse.Namespace) -> str:
    head = ("step", "rows", "seconds", "rows/s", "peak, MB", "peak, times the fewest rows'", "file, MB")
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join(["---"] * len(head)) + " |"]
    for step in dict.fromkeys(one["step"] for one in found):
        measured = [one for one in found if one["step"] == step]
        for one in measured:
            cells = (
                _STEPS[step], f"{one['rows']:,}", f"{one['seconds']:,.1f}", f"{one['rows'] / one['seconds']:,.0f}",
                f"{one['peak_mb']:,}", f"× {one['peak_mb'] / measured[0]['peak_mb']:.2f}", f"{one['bytes'] / 1e6:,.1f}",
            )  # fmt: skip
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", f"{asked.columns} columns; a model of {asked.patients:,} patients at epsilon 3."])


if __name__ == "__main__":
    main()
