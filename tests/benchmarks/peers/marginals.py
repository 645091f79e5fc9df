"""MST and AIM (McKenna et al. 2021, 2022) as smartnoise-synth 1.0.8 implements them, on hand-set public bins.

Setting: MST with its defaults. AIM with 40 rounds instead of 16 a column, which keeps a fit near 4 minutes; workload of
all pairs, model size limit 80 MB. delta = 1e-5. The domain is public: categories (with *missing* where it occurs) are
those of the whole release, integers lie in the bins below and are drawn evenly within one. Rows are drawn independently
(``method="sample"``): the package's own rounding makes rows that a classifier tells apart at once. The number of rows
is used exactly, as the package does.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from mbi import Dataset, Domain, estimation
from snsynth.aim import AIMSynthesizer
from snsynth.mst import MSTSynthesizer

from tests.benchmarks.peers.common import (
    COHORT_ROWS,
    Stopwatch,
    arguments,
    fitted,
    read,
    rejected_cohort,
    rows_per_cpu_second,
    write,
)

DELTA = 1e-5
FIRST_OF_BIN: dict[str, list[int]] = {
    "time_in_hospital": list(range(1, 15)),
    "num_lab_procedures": list(range(1, 133, 3)),
    "num_procedures": list(range(7)),
    "num_medications": [*range(1, 41, 2), 41, 51, 61],
    "number_outpatient": [0, 1, 2, 3, 4, 5, 6, 9, 15],
    "number_emergency": [0, 1, 2, 3, 4, 5, 9, 15],
    "number_inpatient": [0, 1, 2, 3, 4, 5, 6, 8],
    "number_diagnoses": list(range(1, 17)),
}
LAST: dict[str, int] = {
    "time_in_hospital": 14, "num_lab_procedures": 132, "num_procedures": 6, "num_medications": 81,
    "number_outpatient": 42, "number_emergency": 42, "number_inpatient": 12, "number_diagnoses": 16,
}  # fmt: skip


class PublicBins:
    """Codes of every column from public knowledge only, and back."""

    def __init__(self, kinds: dict[str, str], release: pd.DataFrame) -> None:
        self._categories = {
            name: [*sorted(release[name].dropna().unique()), *([None] if release[name].isna().any() else [])]
            for name, kind in kinds.items()
            if kind == "categorical"
        }
        self._names = list(kinds)

    @property
    def domain(self) -> Domain:
        sizes = [len(self._categories.get(name) or FIRST_OF_BIN[name]) for name in self._names]
        return Domain(self._names, sizes)

    def encode(self, table: pd.DataFrame) -> pd.DataFrame:
        codes = {}
        for name in self._names:
            if name in self._categories:
                known = self._categories[name]
                values = table[name].astype(object)
                codes[name] = values.where(values.notna(), None).map({value: code for code, value in enumerate(known)})
            else:
                codes[name] = np.searchsorted(FIRST_OF_BIN[name], table[name].to_numpy(), side="right") - 1
        return pd.DataFrame(codes).astype(int)

    def decode(self, codes: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
        columns = {}
        for name in self._names:
            code = codes[name].to_numpy()
            if name in self._categories:
                columns[name] = np.array(self._categories[name], dtype=object)[code]
            else:
                edges = np.array([*FIRST_OF_BIN[name], LAST[name] + 1])
                columns[name] = random.integers(edges[code], edges[code + 1])
        return pd.DataFrame(columns)


def main() -> None:
    """Fit, draw, write."""
    asked = arguments(__doc__)
    table = read(asked.train, asked.schema)
    kinds = json.loads(asked.schema.read_text("utf-8"))["columns"]
    bins = PublicBins(kinds, read(asked.schema.with_name("all_first_encounters.csv.gz"), asked.schema))
    if asked.quick:
        estimation.mirror_descent = _briefly(estimation.mirror_descent)
    np.random.seed(asked.seed)
    random = np.random.default_rng(asked.seed)
    watch = Stopwatch()
    data = Dataset(bins.encode(table), bins.domain)
    if asked.mechanism == "mst":
        model = MSTSynthesizer(epsilon=asked.epsilon, delta=DELTA)
        model.MST(data, asked.epsilon, DELTA)
    else:
        # Each one-way marginal takes 0.9 / rounds of the budget: with 24 columns, fewer than 22 rounds overspend it.
        model = AIMSynthesizer(epsilon=asked.epsilon, delta=DELTA, rounds=30 if asked.quick else 40)
        from snsynth.utils import cdp_rho

        model.rho = cdp_rho(asked.epsilon, DELTA)
        model.AIM(data, model.get_workload(data, degree=2, max_cells=10_000))
    timings = {**fitted(watch), "epsilon": asked.epsilon, "delta": DELTA}

    def draw(rows: int) -> pd.DataFrame:
        drawn = model.synthesizer.synthetic_data(rows=rows, method="sample")
        if asked.mechanism == "mst":
            drawn = model.undo_compress_fn(drawn)
        return bins.decode(drawn.df, random)

    rows = draw(len(table))
    timings["rows_per_cpu_s"] = rows_per_cpu_second(draw, asked.speed_rows)
    cohort, figures = rejected_cohort(draw, rows=COHORT_ROWS, seconds=asked.cohort_seconds)
    write(asked.out, rows=rows, cohort=cohort, timings={**timings, **figures, "cohort_by": "rejection"})


def _briefly(solve: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given, **named: solve(*given, **{**named, "iters": 20})


if __name__ == "__main__":
    main()
