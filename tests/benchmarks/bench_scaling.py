"""How time and memory grow with patients and columns, on simulated tables; prints markdown.

    python -m tests.benchmarks.bench_scaling --rows 1000 10000 100000 --columns 10 50 100
    python -m tests.benchmarks.bench_scaling --rows 10000 --columns 24 --stream 10000000

Every table is fitted without privacy and at epsilon 3 (delta 1e-5) by ``python -m engine train``, each time in a
process of its own with one thread and a fresh workspace; then 100,000 rows are drawn by the saved model. *fit* is what
the command reports: from the table in memory to a model that can draw. ``--stream`` draws that many rows of the first
table in parts and prints the memory as it goes. ``--out`` keeps each figure as it comes, and ``--continue`` measures
only what is missing there.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import DELTA
from tests.benchmarks.processes import FailedError, run
from tests.benchmarks.simulated_table import simulated_table

_MODES: dict[str, float | None] = {"not private": None, "ε 3": 3.0}
_HEAD = (
    "training", "patients", "columns", "fit, CPU s", "fit, wall s", "memory of the fit, MB", "rows/s of CPU",
    "memory of the draw, MB", "cells, times the smallest's", "fit, times the smallest's",
)  # fmt: skip


def main() -> None:
    """Measure what is missing, keep it, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--columns", type=int, nargs="+", default=[10, 50, 100])
    parser.add_argument("--modes", nargs="+", choices=list(_MODES), default=list(_MODES))
    parser.add_argument("--draw", type=int, default=100_000)
    parser.add_argument("--stream", type=int, default=0, metavar="ROWS")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="as of engine train")
    parser.add_argument("--out", type=Path, metavar="RESULTS.json")
    parser.add_argument("--continue", dest="resume", action="store_true", help="keep what --out holds")
    asked = parser.parse_args()
    found: dict[str, dict[str, Any]] = {}
    if asked.resume and asked.out is not None and asked.out.is_file():
        found = json.loads(asked.out.read_text("utf-8"))
    stream = ""
    for columns in asked.columns:
        for rows in asked.rows:
            for mode in asked.modes:
                key = f"{mode}, {rows} x {columns}"
                first = (columns, rows, mode) == (asked.columns[0], asked.rows[0], asked.modes[0])
                if "fit_cpu_s" not in found.get(key, {}) or (first and asked.stream):
                    found[key] = _measure(asked, rows, columns, mode, stream=asked.stream if first else 0)
                    print(f"{key}: {found[key]}", file=sys.stderr, flush=True)
                stream = stream or found[key].get("stream", "")
                if asked.out is not None:
                    asked.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    print(_table(found, asked))
    if stream:
        print(f"\n{stream}")


def _measure(asked: argparse.Namespace, rows: int, columns: int, mode: str, *, stream: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="cohort-studio-bench-") as name:
        folder = Path(name)
        frame, kinds = simulated_table(rows=rows, columns=columns, seed=asked.seed)
        frame.to_csv(folder / "table.csv", index=False)
        del frame
        (folder / "schema.json").write_text(json.dumps({"columns": kinds}), encoding="utf-8")
        surroundings = {"COHORT_STUDIO_WORKSPACE": str(folder / "workspace")}
        epsilon = _MODES[mode]
        privacy = ["--no-privacy"] if epsilon is None else ["--epsilon", f"{epsilon:g}", "--delta", f"{DELTA:g}"]
        train = [
            sys.executable, "-m", "engine", "train", "--table", str(folder / "table.csv"),
            "--schema", str(folder / "schema.json"), "--out", str(folder / "model"), "--seed", str(asked.seed),
            *privacy, *(part for option in asked.option for part in ("--option", option)), "--json",
        ]  # fmt: skip
        own = [sys.executable, "-m", "tests.benchmarks.peers.product"]
        model = ["--model", str(folder / "model")]
        try:
            trained = json.loads(run(train, surroundings))
            drawn = json.loads(run([*own, "speed", *model, "--rows", str(asked.draw)], surroundings))
            streamed = json.loads(run([*own, "stream", *model, "--rows", str(stream)], surroundings)) if stream else {}
        except FailedError as error:
            return {"error": str(error)}
    return {
        "fit_cpu_s": trained["fit_cpu_seconds"],
        "fit_wall_s": trained["fit_wall_seconds"],
        "fit_memory_mb": trained["peak_memory_mb"],
        "rows_per_cpu_s": drawn["rows_per_cpu_s"],
        "draw_memory_mb": drawn["draw_memory_mb"],
        **({"stream": _told(streamed)} if streamed else {}),
    }


def _told(streamed: dict[str, Any]) -> str:
    memory = ", ".join(f"{mb:,}" for mb in streamed["memory_mb"])
    return (
        f"{streamed['rows']:,} rows drawn in parts: {streamed['cpu_s']:,} CPU s, "
        f"{streamed['rows_per_cpu_s']:,} rows/s; memory in MB after each tenth: {memory}."
    )


def _table(found: dict[str, dict[str, Any]], asked: argparse.Namespace) -> str:
    """Ratios are to the smallest table of the same training: how many times its cells, and its fit's CPU seconds."""
    lines = ["| " + " | ".join(_HEAD) + " |", "| " + " | ".join(["---"] * len(_HEAD)) + " |"]
    failed: list[str] = []
    least = min(asked.rows), min(asked.columns)
    for mode in asked.modes:
        smallest = found.get(f"{mode}, {least[0]} x {least[1]}", {}).get("fit_cpu_s")
        for columns in asked.columns:
            for rows in asked.rows:
                run_ = found[f"{mode}, {rows} x {columns}"]
                start = [mode, f"{rows:,}", f"{columns:,}"]
                if "error" in run_:
                    failed.append(f"- {mode}, {rows:,} × {columns:,}: {run_['error']}")
                    continue
                cells = rows * columns / (least[0] * least[1])
                times = f"× {run_['fit_cpu_s'] / smallest:,.1f}" if smallest else "–"
                lines.append(
                    "| " + " | ".join([
                        *start, f"{run_['fit_cpu_s']:,.1f}", f"{run_['fit_wall_s']:,.1f}",
                        f"{run_['fit_memory_mb']:,.0f}", f"{run_['rows_per_cpu_s']:,}",
                        f"{run_['draw_memory_mb']:,.0f}", f"× {cells:,.0f}", times,
                    ]) + " |"
                )  # fmt: skip
    return "\n".join([*lines, *(["", "Not measured:", "", *failed] if failed else [])])


if __name__ == "__main__":
    main()
