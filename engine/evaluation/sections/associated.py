"""The section of the heat maps: how columns hang together in the real and in the synthetic rows.

Keys: ``names``, ``titles``, ``kinds``, ``measure``, ``columns_in_all``, matrices ``real``, ``synthetic``,
``difference`` (the same under ``pearson``, with Pearson's in place of Spearman's coefficient), ``mean_difference`` per
table over every pair, ``pair_columns`` (names of the most associated columns, for pair trends).
"""

from typing import Any

import numpy as np
import pandas as pd

from engine.core.progress import Progress
from engine.evaluation import fidelity
from engine.evaluation.associations import Coding, as_lists, association_matrix, mean_difference, strongest
from engine.evaluation.cells import Sample
from engine.evaluation.fidelity import thinned
from engine.evaluation.study import Study
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC, label_of
from engine.schema.table import Column

MOST_SHOWN = 40
"""Columns of the heat maps."""
LEAST_ROWS = 20
"""Fewer rows than these say nothing about a pair of columns."""
_MOST_ROWS = 5000
_MESSAGE = "Associations between columns"


def associations(study: Study, progress: Progress) -> dict[str, Any]:
    """The section (see the module)."""
    if study.too_few:
        return _nothing()
    rng, columns = study.rng("associations"), study.told
    progress.update(0.0, _MESSAGE)
    real = thinned(study.real.frame, rng, _MOST_ROWS)
    coding = Coding.of(real, columns, least=study.minimum)
    least = max(study.minimum, LEAST_ROWS)

    def matrix(frame: pd.DataFrame, chosen: list[Column], numeric: str = "spearman") -> np.ndarray:
        rows = thinned(frame, rng, _MOST_ROWS)
        return association_matrix(rows, chosen, coding=coding, least_rows=least, numeric=numeric)

    whole = association_matrix(real, columns, coding=coding, least_rows=least)
    progress.update(0.3, _MESSAGE)
    synthetic = matrix(study.synthetic.frame, columns)
    progress.update(0.5, _MESSAGE)
    first, second = (matrix(half, columns) for half in halves(study.real, rng))
    differences = {
        SYNTHETIC: mean_difference(whole, synthetic),
        HOLDOUT: mean_difference(whole, matrix(study.holdout.frame, columns)),
        "halves": mean_difference(first, second),
    }
    progress.update(0.8, _MESSAGE)
    keep = strongest(whole, MOST_SHOWN)
    chosen = [columns[at] for at in keep]
    index = np.ix_(keep, keep)
    pearson = [matrix(frame, chosen, "pearson") for frame in (real, study.synthetic.frame)]
    return {
        "names": [column.name for column in chosen],
        "titles": [label_of(column) for column in chosen],
        "kinds": ["number" if column.kind.is_ordered else "category" for column in chosen],
        "measure": "Spearman's correlation (two numbers), Cramér's V (two categories), correlation ratio (one of each)",
        "columns_in_all": len(columns),
        "mean_difference": {t: None if d is None else round(d, 3) for t, d in differences.items()},
        "pair_columns": [columns[at].name for at in strongest(whole, fidelity.MOST_PAIR_COLUMNS)],
        "pearson": _matrices(pearson[0], pearson[1]),
    } | _matrices(whole[index], synthetic[index])


def halves(sample: Sample, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two random halves by patient: what two samples of the same size as each other differ by."""
    keys = np.arange(len(sample.frame)) if sample.patients is None else sample.patients
    unique = rng.permutation(np.unique(keys))
    first = np.isin(keys, unique[: len(unique) // 2])
    return sample.frame.loc[first], sample.frame.loc[~first]


def _matrices(real: np.ndarray, synthetic: np.ndarray) -> dict[str, Any]:
    return {REAL: as_lists(real), SYNTHETIC: as_lists(synthetic), "difference": as_lists(synthetic - real)}


def _nothing() -> dict[str, Any]:
    empty: dict[str, Any] = {REAL: [], SYNTHETIC: [], "difference": []}
    named: dict[str, Any] = {"names": [], "titles": [], "kinds": [], "measure": "", "columns_in_all": 0}
    none = {SYNTHETIC: None, HOLDOUT: None, "halves": None}
    return named | empty | {"mean_difference": none, "pair_columns": [], "pearson": empty}
