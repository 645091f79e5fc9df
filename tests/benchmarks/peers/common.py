"""What the peers' scripts share: arguments, the table, clocks, and the cohort by rejection. Needs pandas only.

A script fits the training rows and writes ``synthetic.csv``, ``cohort.csv`` and ``timings.json`` into ``--out``.
*fit* runs from the table in memory to a model that can draw; starting Python and importing packages is not counted.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

COHORT: dict[str, list[str]] = {
    "gender": ["Female"],
    "age": ["[60-70)", "[70-80)", "[80-90)", "[90-100)"],
    "A1Cresult": [">8"],
    "readmitted": ["<30"],
}
"""Women of 60 and older with A1C above 8, readmitted within 30 days: 154 of the release's 71,515 patients."""
COHORT_ROWS = 2_000
_BATCH = 10_000


class Stopwatch:
    """CPU seconds (all threads and finished child processes) and wall seconds since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = _cpu_seconds(), time.perf_counter()

    @property
    def cpu(self) -> float:
        return _cpu_seconds() - self._cpu

    @property
    def wall(self) -> float:
        return time.perf_counter() - self._wall


def arguments(description: str | None) -> argparse.Namespace:
    """The options that every script takes; ``--schema`` lies in the folder of the split."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--schema", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epsilon", type=float, help="differential privacy, where the peer has it")
    parser.add_argument("--mechanism", default="mst", choices=["mst", "aim"])
    parser.add_argument("--speed-rows", type=int, default=50_000)
    parser.add_argument("--cohort-seconds", type=float, default=60.0)
    parser.add_argument("--quick", action="store_true", help="the smallest training that shows that it works")
    return parser.parse_args()


def read(table: Path, schema: Path) -> pd.DataFrame:
    """The table with categories as text; an empty cell is missing."""
    kinds = json.loads(schema.read_text("utf-8"))["columns"]
    text = {name: str for name, kind in kinds.items() if kind == "categorical"}
    return pd.read_csv(table, dtype=text, keep_default_na=False, na_values=[""])[list(kinds)]


def peak_memory_mb() -> float:
    """Of this process so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def fitted(watch: Stopwatch) -> dict[str, float]:
    """The figures of a fit that ends now."""
    return {
        "fit_cpu_s": round(watch.cpu, 2),
        "fit_wall_s": round(watch.wall, 2),
        "peak_memory_mb": round(peak_memory_mb()),
    }


def rows_per_cpu_second(draw: Callable[[int], pd.DataFrame], rows: int) -> int:
    """Rows decoded to a data frame, after a first draw that is not counted."""
    draw(1_000)
    watch = Stopwatch()
    draw(rows)
    return round(rows / watch.cpu)


def rejected_cohort(
    draw: Callable[[int], pd.DataFrame], *, rows: int, seconds: float
) -> tuple[pd.DataFrame, dict[str, float]]:
    """The rows of ``draw`` that are in the cohort, until there are ``rows`` of them or the time is over."""
    watch, kept, drawn, found = Stopwatch(), [], 0, 0
    while found < rows and watch.wall < seconds:
        part = draw(_BATCH)
        drawn += len(part)
        kept.append(part[in_cohort(part)])
        found += len(kept[-1])
    cohort = pd.concat(kept, ignore_index=True).head(rows) if kept else draw(1).head(0)
    return cohort, {
        "cohort_s": round(watch.wall, 2),
        "cohort_cpu_s": round(watch.cpu, 2),
        "cohort_rows_drawn": drawn,
    }


def in_cohort(frame: pd.DataFrame) -> pd.Series:
    """Which rows satisfy every criterion of ``COHORT``."""
    inside = pd.Series(True, index=frame.index)
    for name, values in COHORT.items():
        inside &= frame[name].astype(object).isin(values)
    return inside


def write(out: Path, *, rows: pd.DataFrame, cohort: pd.DataFrame, timings: dict[str, Any]) -> None:
    """The three files of a run."""
    rows.to_csv(out / "synthetic.csv", index=False)
    cohort.to_csv(out / "cohort.csv", index=False)
    (out / "timings.json").write_text(json.dumps(timings), encoding="utf-8")


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime
