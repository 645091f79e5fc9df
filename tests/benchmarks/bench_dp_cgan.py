"""Fits dp_cgan on the fixed Diabetes-130 split and prints what it reached as JSON.

usage: OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_dp_cgan [--seed 1] [--threads 1] [--output FOLDER]

The hold-out and training rows are shuffled before scoring. score.py draws its sample and its cross-validation folds
from one seed, so with the files' own (not random) order its classifier test comes out below 0.5 for any good generator.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch

from engine.cohort.conditions import compile_conditions
from engine.cohort.predicate import satisfied
from engine.cohort.spec import CohortSpec, Criterion
from engine.core.progress import Console
from engine.generators.dp_cgan.generator import DPCGAN
from engine.schema.table import Column, TableSchema, conform

SHARED = Path(__file__).resolve().parents[3] / "shared" / "bench"
HARD_COHORT = CohortSpec(
    criteria=(
        Criterion(column="gender", any_of=("Female",)),
        Criterion(column="age", any_of=("[60-70)", "[70-80)", "[80-90)", "[90-100)")),
        Criterion(column="A1Cresult", any_of=(">8",)),
        Criterion(column="readmitted", any_of=("<30",)),
    )
)
_FIGURES = (
    "quality_train", "shapes_train", "pairs_train", "pairs_all_train", "assoc_diff_all", "c2st_auc_holdout",
    "c2st_auc_train", "tstr_auroc", "trtr_auroc", "dcr_closer_to_train", "dup_share", "implausible_rows",
)  # fmt: skip


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path, default=None)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    folder = SHARED / "diabetes130"
    kinds = json.loads((folder / "schema.json").read_text())["columns"]
    schema = TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))
    text = {name: str for name, kind in kinds.items() if kind == "categorical"}
    train = conform(pd.read_csv(folder / "train.csv", dtype=text, keep_default_na=False, na_values=[""]), schema)
    generator = DPCGAN()
    report = generator.fit(train, schema, seed=asked.seed, options={}, progress=Console())
    rows = generator.sample(len(train), seed=asked.seed)
    out = {"fit_cpu_s": round(report.fit_cpu_seconds, 1), "fit_wall_s": round(report.fit_wall_seconds, 1)}
    out |= {"threads": asked.threads, "epochs": len(report.history), "notes": report.notes}
    out |= _speed(generator)
    with tempfile.TemporaryDirectory() as temporary:
        where = asked.output or Path(temporary)
        where.mkdir(parents=True, exist_ok=True)
        rows.to_csv(where / "synthetic.csv", index=False)
        out |= _score(folder, where)
    print(json.dumps(out, indent=2))


def _speed(generator: DPCGAN) -> dict[str, float]:
    """Rows decoded to a data frame per CPU second, and the hard cohort's seconds and compliance."""
    generator.sample(1_000, seed=0)
    begun = time.process_time()
    generator.sample(200_000, seed=0)
    speed = 200_000 / (time.process_time() - begun)
    conditions = compile_conditions(HARD_COHORT, generator.schema)
    begun = time.perf_counter()
    cohort = generator.sample(2_000, seed=0, conditions=conditions)
    seconds = time.perf_counter() - begun
    obeyed = float(satisfied(cohort, conditions, generator.schema).mean())
    return {"rows_per_cpu_s": round(speed), "hard_cohort_s": round(seconds, 3), "hard_cohort_obeyed": obeyed}


def _score(folder: Path, where: Path) -> dict[str, float]:
    for name in ("train", "holdout"):
        rows = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        rows.sample(frac=1, random_state=12_345).to_csv(where / f"{name}.csv", index=False)
    files = [str(where / f"{name}.csv") for name in ("train", "holdout", "synthetic")]
    command = [sys.executable, str(SHARED / "score.py"), *files, str(folder / "schema.json")]
    scored = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {name: scored[name] for name in _FIGURES}


if __name__ == "__main__":
    main()
