"""The figures of one run: ``score.py`` on the files as they are and on shuffled rows, and the cohort's columns.

``score.py`` draws the real sample and the cross-validation folds from the same seed, and both shuffle alike: where the
sample is the whole hold-out, its five folds are five consecutive blocks of the file. The file is not in random order,
so each block differs a little from the others, the classifier carries over badly, and every generator looks harder to
tell apart than it is (an area below 0.5 for a good one). Shuffled rows give the honest figure; the other one is kept
since it is what was published before.
"""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.peers.common import COHORT, in_cohort

SHARED = Path(__file__).resolve().parents[3] / "shared" / "bench"
SPLIT = SHARED / "diabetes130"
FIGURES = (
    "quality_train", "shapes_train", "pairs_train", "pairs_all_train", "assoc_diff_all", "c2st_auc_holdout",
    "c2st_auc_train", "tstr_auroc", "trtr_auroc", "dcr_closer_to_train", "dup_share", "implausible_rows",
    "missing_err_mean",
)  # fmt: skip
_HALVINGS = 20


def scores(train: Path, holdout: Path, synthetic: Path, schema: Path, work: Path) -> dict[str, dict[str, float]]:
    """``{"published": …, "shuffled": …}``, each the ``FIGURES`` that ``score.py`` gives.

    Where ``synthetic`` is ``holdout``, the classifier's figure is the one against the training rows.
    """
    shuffled = {}
    for seed, (name, file) in enumerate({"train": train, "holdout": holdout, "synthetic": synthetic}.items()):
        rows = pd.read_csv(file, dtype=str, keep_default_na=False)
        shuffled[name] = work / f"{name}-shuffled.csv"
        rows.sample(frac=1, random_state=12_345 + seed).to_csv(shuffled[name], index=False)
    if synthetic == holdout:
        shuffled["synthetic"] = shuffled["holdout"]
    return {
        "published": _score(train, holdout, synthetic, schema),
        "shuffled": _score(shuffled["train"], shuffled["holdout"], shuffled["synthetic"], schema),
    }


def cohort_figures(cohort: Path, schema: Path) -> dict[str, float | None]:
    """How many rows came, which share obeys, and SDMetrics' shapes of the other columns against the real subset."""
    rows, real = _read(cohort, schema), real_cohort()
    found = len(rows)
    return {
        "rows": found,
        "obeyed": round(float(in_cohort(rows).mean()), 4) if found else None,
        "shapes": round(column_shapes(real, rows, schema), 4) if found else None,
    }


def real_halves(schema: Path) -> dict[str, float]:
    """The shapes of one half of the real subset against the other: the mean of 20 random halvings."""
    real = real_cohort()
    found = []
    for seed in range(_HALVINGS):
        order = np.random.default_rng(seed).permutation(len(real))
        half = len(real) // 2
        found.append(column_shapes(real.iloc[order[:half]], real.iloc[order[half:]], schema))
    return {"rows": len(real), "obeyed": 1.0, "shapes": round(float(np.mean(found)), 4)}


def real_cohort() -> pd.DataFrame:
    """The cohort's real patients, of the whole release."""
    everyone = _read(SPLIT / "all_first_encounters.csv.gz", SPLIT / "schema.json")
    return everyone[in_cohort(everyone)]


def column_shapes(real: pd.DataFrame, synthetic: pd.DataFrame, schema: Path) -> float:
    """The mean over the columns that the cohort leaves free of SDMetrics' KSComplement or TVComplement."""
    from sdmetrics.single_column import KSComplement, TVComplement

    kinds = json.loads(schema.read_text("utf-8"))["columns"]
    values = []
    for name, kind in kinds.items():
        if name in COHORT:
            continue
        if kind in ("numeric", "integer"):
            values.append(KSComplement.compute(real[name], synthetic[name]))
        else:
            one, two = (frame[name].astype(object).fillna("missing").astype(str) for frame in (real, synthetic))
            values.append(TVComplement.compute(one, two))
    return float(np.nanmean(values))


def _score(*files: Path) -> dict[str, float]:
    command = [sys.executable, str(SHARED / "score.py"), *map(str, files)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, Any] = json.loads(done.stdout)
    found.setdefault("c2st_auc_holdout", found["c2st_auc_train"])
    return {name: found[name] for name in FIGURES}


def _read(file: Path, schema: Path) -> pd.DataFrame:
    return _scorer().read(str(file), json.loads(schema.read_text("utf-8")))


def _scorer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cohort_studio_score", SHARED / "score.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
