"""MOSTLY AI's TabularARGN (mostlyai-engine 2.7.3), as published, or with its differential privacy.

Setting: every default of ``TabularARGN`` (medium model, value protection, flexible generation, early stopping), at most
10 minutes of wall time, which no fit here needs. With privacy: ``max_epsilon`` as asked,
delta = 1e-5, the default noise multiplier 1.5, clipping 1.0 and 1.0 of epsilon for the value ranges; the epsilon that
was reached is reported. The cohort is conditional on three columns (``seed_data``); age, of which the request allows
four values and ``seed_data`` one, by rejection.
"""

import numpy as np
import pandas as pd
import torch
from mostlyai.engine import TabularARGN
from mostlyai.engine.domain import DifferentialPrivacyConfig

from tests.benchmarks.peers.common import (
    COHORT,
    COHORT_ROWS,
    Stopwatch,
    arguments,
    fitted,
    in_cohort,
    read,
    rows_per_cpu_second,
    write,
)

DELTA = 1e-5
MINUTES = 10.0


def main() -> None:
    """Fit, draw, write."""
    asked = arguments(__doc__)
    torch.set_num_threads(1)
    np.random.seed(asked.seed)
    table = read(asked.train, asked.schema)
    privacy = None
    if asked.epsilon is not None:
        privacy = DifferentialPrivacyConfig(max_epsilon=asked.epsilon, delta=DELTA)
    workspace = asked.out / "workspace"
    model = TabularARGN(
        max_training_time=0.1 if asked.quick else MINUTES,
        differential_privacy=privacy,
        workspace_dir=workspace,
        random_state=asked.seed,
        device="cpu",
    )
    watch = Stopwatch()
    model.fit(table)
    timings = fitted(watch)
    history = pd.read_csv(next(workspace.rglob("progress-messages.csv")))
    timings |= {"epochs": float(history["epoch"].iloc[-1])}
    if privacy is not None:
        # Weights are kept only while epsilon is within the limit; the last message may tell one beyond it.
        kept = history[(history["is_checkpoint"] == 1) & (history["dp_eps"] <= asked.epsilon)]
        timings |= {"epsilon": float(kept["dp_eps"].iloc[-1]), "delta": DELTA}

    def draw(rows: int) -> pd.DataFrame:
        return model.sample(n_samples=rows)

    rows = draw(len(table))
    timings["rows_per_cpu_s"] = rows_per_cpu_second(draw, asked.speed_rows)
    cohort, figures = _cohort(model, seconds=asked.cohort_seconds)
    write(asked.out, rows=rows[list(table)], cohort=cohort[list(table)], timings=timings | figures)


def _cohort(model: TabularARGN, *, seconds: float) -> tuple[pd.DataFrame, dict[str, object]]:
    fixed = {name: values[0] for name, values in COHORT.items() if len(values) == 1}
    watch, kept, drawn = Stopwatch(), pd.DataFrame(), 0
    while len(kept) < COHORT_ROWS and watch.wall < seconds:
        part = model.sample(seed_data=pd.DataFrame([fixed] * COHORT_ROWS))
        drawn += len(part)
        kept = pd.concat([kept, part[in_cohort(part)]], ignore_index=True)
    return kept.head(COHORT_ROWS), {
        "cohort_s": round(watch.wall, 2),
        "cohort_cpu_s": round(watch.cpu, 2),
        "cohort_rows_drawn": drawn,
        "cohort_by": "conditions, age by rejection",
    }


if __name__ == "__main__":
    main()
