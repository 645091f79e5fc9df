"""Time of a comparison: ``python -m tests.benchmarks.bench_compare [--rows N …] [--columns N]``; prints JSON.

Training and synthetic table have as many rows as asked for, the hold-out half as many, all simulated. Measured are the
time to the first pictures (distributions and Table 1), each section, the whole, and the analysis of one outcome of each
kind (the simulated columns have none of the usual names); and, in the same run and on the same rows, SDMetrics' own
QualityReport of the two tables (up to 20,000 rows).
"""

import argparse
import json
import os
import time
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.core.progress import Silent
from engine.evaluation import fidelity
from engine.evaluation.report import analyse, compare
from engine.schema.table import Column, TableSchema, conform
from tests.benchmarks.simulated_table import simulated_table

FIRST_PICTURES = ("columns", "table_one")
LARGEST_WHOLE = 20_000
"""SDMetrics' report of every pair of more rows takes many minutes."""


def measured(rows: int, columns: int) -> dict[str, Any]:
    """Seconds on tables of ``rows`` × ``columns``."""
    frame, kinds = simulated_table(rows=rows * 2 + rows // 2, columns=columns, seed=1)
    schema = TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))  # type: ignore[arg-type]
    table = conform(frame, schema)
    train, held, made = table.iloc[:rows], table.iloc[rows : rows + rows // 2], table.iloc[rows + rows // 2 :]
    pictures: list[float] = []
    started = time.perf_counter()

    def publish(report: dict[str, Any]) -> None:
        if not pictures and all(report["sections"][name]["state"] == "done" for name in FIRST_PICTURES):
            pictures.append(time.perf_counter() - started)

    report = compare(
        train, held, made, schema, spec=CohortSpec(patients=rows), small_cell_minimum=11, progress=Silent(),
        publish=publish,
    )  # fmt: skip
    whole = time.perf_counter() - started
    assert all(one["state"] == "done" for one in report["sections"].values()), report["sections"]
    outcomes = {}
    for kind, key in (("binary", "flag_4"), ("continuous", "laboratory_1")):
        started = time.perf_counter()
        found = analyse(train, held, made, schema, key, spec=CohortSpec(patients=rows), small_cell_minimum=11,
                        progress=Silent())  # fmt: skip
        assert not found["utility"]["reason"] and not found["conclusion"]["reason"], found
        outcomes[kind] = round(time.perf_counter() - started, 2)
    peer = quality_report(train, made, list(schema.columns)) if rows <= LARGEST_WHOLE else None
    return {
        "rows": rows, "columns": columns, "first_pictures_seconds": round(pictures[0], 2),
        "whole_seconds": round(whole, 2),
        "sections": {name: one["seconds"] for name, one in report["sections"].items()},
        "outcome_seconds": outcomes,
        "json_bytes": len(json.dumps(report)),
        "quality_report_seconds": None if peer is None else round(peer, 2),
        "whole_per_quality_report": None if peer is None else round(whole / peer, 2),
    }  # fmt: skip


def quality_report(real: pd.DataFrame, synthetic: pd.DataFrame, columns: list[Column]) -> float:
    """Seconds of SDMetrics' own report."""
    from sdmetrics.reports import QualityReport

    tables = [{"table": fidelity.prepared(frame, columns)} for frame in (real, synthetic)]
    report = QualityReport()
    started = time.perf_counter()
    with np.errstate(all="ignore"):
        report.generate(*tables, fidelity.metadata(columns), verbose=False)
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--columns", type=int, default=60)
    given = parser.parse_args()
    runs = [measured(rows, given.columns) for rows in given.rows]
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg(), "runs": runs}, indent=1))


if __name__ == "__main__":
    main()
