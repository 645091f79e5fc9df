"""The section of the heat maps: how columns hang together in the real and in the synthetic rows.

Keys: ``names``, ``titles``, ``kinds``, ``measure``, ``columns_in_all``, matrices ``real``, ``synthetic``,
``difference`` (the same under ``pearson``, with Pearson's in place of Spearman's coefficient), ``mean_difference`` per
table over every pair, ``pair_columns`` (names of the most associated columns, for pair trends), ``weighted`` (the
tables whose measures are by weight; absent where none is).
"""

from typing import Any

import numpy as np

from engine.core.progress import Progress
from engine.evaluation import fidelity
from engine.evaluation.associations import Coding, as_lists, association_matrix, mean_difference, strongest
from engine.evaluation.cells import Sample
from engine.evaluation.drawing import halves, thinned
from engine.evaluation.study import Study
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC, label_of
from engine.schema.table import Column

MOST_SHOWN = 40
"""Columns of the heat maps."""
LEAST_ROWS = 20
"""Fewer rows than these say nothing about a pair of columns."""
_MOST_ROWS = 5000
_MESSAGE = "Associations between columns"
_MEASURE = "Spearman's correlation (two numbers), Cramér's V (two categories), correlation ratio (one of each)"


def associations(study: Study, progress: Progress) -> dict[str, Any]:
    """The section (see the module)."""
    if study.too_few:
        return _nothing()
    rng, columns = study.rng("associations"), study.told
    progress.update(0.0, _MESSAGE)
    tables = study.weighted
    real = thinned(tables[REAL], rng, _MOST_ROWS)
    coding = Coding.of(real.frame, columns, least=study.minimum)
    least = max(study.minimum, LEAST_ROWS)

    def matrix(sample: Sample, chosen: list[Column], numeric: str = "spearman") -> np.ndarray:
        rows = thinned(sample, rng, _MOST_ROWS)
        return association_matrix(
            rows.frame, chosen, coding=coding, least_rows=least, numeric=numeric, weights=rows.weights
        )

    whole = matrix(real, columns)
    progress.update(0.3, _MESSAGE)
    synthetic = matrix(tables[SYNTHETIC], columns)
    progress.update(0.5, _MESSAGE)
    first, second = (matrix(half, columns) for half in halves(tables[REAL], rng))
    differences = {
        SYNTHETIC: mean_difference(whole, synthetic),
        HOLDOUT: mean_difference(whole, matrix(tables[HOLDOUT], columns)),
        "halves": mean_difference(first, second),
    }
    progress.update(0.8, _MESSAGE)
    keep = strongest(whole, MOST_SHOWN)
    chosen = [columns[at] for at in keep]
    index = np.ix_(keep, keep)
    pearson = [matrix(sample, chosen, "pearson") for sample in (real, tables[SYNTHETIC])]
    weighted = [table for table, sample in tables.items() if sample.weights is not None]
    found: dict[str, Any] = {"weighted": weighted} if weighted else {}
    return (
        found
        | {
            "names": [column.name for column in chosen],
            "titles": [label_of(column) for column in chosen],
            "kinds": ["number" if column.kind.is_ordered else "category" for column in chosen],
            "measure": _MEASURE + (", real rows by weight" if weighted else ""),
            "columns_in_all": len(columns),
            "mean_difference": {t: None if d is None else round(d, 3) for t, d in differences.items()},
            "pair_columns": [columns[at].name for at in strongest(whole, fidelity.MOST_PAIR_COLUMNS)],
            "pearson": _matrices(pearson[0], pearson[1]),
        }
        | _matrices(whole[index], synthetic[index])
    )


def _matrices(real: np.ndarray, synthetic: np.ndarray) -> dict[str, Any]:
    return {REAL: as_lists(real), SYNTHETIC: as_lists(synthetic), "difference": as_lists(synthetic - real)}


def _nothing() -> dict[str, Any]:
    empty: dict[str, Any] = {REAL: [], SYNTHETIC: [], "difference": []}
    named: dict[str, Any] = {"names": [], "titles": [], "kinds": [], "measure": "", "columns_in_all": 0}
    none = {SYNTHETIC: None, HOLDOUT: None, "halves": None}
    return named | empty | {"mean_difference": none, "pair_columns": [], "pearson": empty}
