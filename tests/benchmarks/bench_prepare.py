"""Time and peak memory of ``prepare`` on a simulated MIMIC-III folder; prints one JSON object.

    python -m tests.benchmarks.bench_prepare --chart-rows 5000000 --patients 2000

The preparation runs in a process of its own, so that its peak is not that of the writing of the folder.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.helpers.simulated_mimic import write_folder

_PREPARE = """
import json, resource, sys, time
from pathlib import Path

started = time.perf_counter()
from engine.core.progress import Silent
from engine.preparation.pipeline import prepare_mimic3

imported = time.perf_counter()
report = prepare_mimic3(Path(sys.argv[1]), progress=Silent()).report
unit = 1 if sys.platform == "darwin" else 1024
print(json.dumps({
    "rows": report.rows,
    "patients": report.patients,
    "columns": len(report.columns),
    "chart_rows": next((table.rows_read for table in report.tables if table.name == "CHARTEVENTS"), None),
    "import_seconds": round(imported - started, 2),
    "prepare_seconds": round(time.perf_counter() - imported, 2),
    "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20),
}))
"""


def measure(folder: Path) -> dict[str, float]:
    """Seconds, peak megabytes and size of the prepared table for one folder."""
    done = subprocess.run([sys.executable, "-c", _PREPARE, str(folder)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Write the folder (or take ``--folder``), measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="an existing MIMIC-III folder instead of a simulated one")
    parser.add_argument("--chart-rows", type=int, default=5_000_000)
    parser.add_argument("--patients", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uncompressed", action="store_true")
    asked = parser.parse_args()
    if asked.folder is not None:
        print(json.dumps(measure(asked.folder)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder, started = Path(name), time.perf_counter()
        write_folder(
            folder,
            patients=asked.patients,
            seed=asked.seed,
            chart_rows=asked.chart_rows,
            compressed=not asked.uncompressed,
        )
        written = time.perf_counter() - started
        size = sum(file.stat().st_size for file in folder.iterdir()) / 2**20
        figures = measure(folder)
    print(json.dumps({"folder_mb": round(size), "write_seconds": round(written, 1), **figures}))


if __name__ == "__main__":
    main()
