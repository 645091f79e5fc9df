"""SDMetrics' quality and diagnostic reports of a table, with the cost bounded and every NaN explained.

Only the worker and the command line call this: sdmetrics takes seconds to import, so the functions import it.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.evaluation import drawing
from engine.evaluation.cells import Sample
from engine.schema.table import Column

MOST_ROWS = 2000
"""Rows per table given to SDMetrics: pair trends take time for each row of each pair."""
MOST_PAIR_COLUMNS = 24
"""Columns whose pairs are scored: 276 pairs, 3 to 6 ms each."""

_TABLE = "table"

NO_PAIR = (
    "no pair of columns is associated strongly enough in the real rows (above 0.5 for two numbers, above 0.3 otherwise)"
)


NO_VALUES = "no column has values in both tables"


@dataclass(frozen=True)
class Figure:
    """A score between 0 and 1, or why there is none."""

    value: float | None
    reason: str = ""

    @classmethod
    def of(cls, value: float | None, reason: str) -> "Figure":
        """``value`` to three digits; not assessable for ``reason`` where it is None or NaN."""
        if value is None or math.isnan(value):
            return cls(None, f"Not assessable: {reason}.")
        return cls(round(float(value), 3))

    def as_dict(self) -> dict[str, Any]:
        """``value`` and ``reason``."""
        return {"value": self.value, "reason": self.reason}


def prepared(frame: pd.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """``frame`` in the types that SDMetrics takes: float64 (dates as days) and object with NaN."""
    out = {}
    for column in columns:
        if column.kind.is_ordered:
            out[column.name] = as_numbers(frame[column.name], column)
        else:
            text = as_text(frame[column.name], column).astype("object")
            out[column.name] = text.where(text.notna(), np.nan).to_numpy()
    return pd.DataFrame(out)


def metadata(columns: Sequence[Column]) -> dict[str, Any]:
    """SDMetrics' description of a table with these columns."""
    kinds = {c.name: {"sdtype": "numerical" if c.kind.is_ordered else "categorical"} for c in columns}
    return {"tables": {_TABLE: {"columns": kinds}}, "relationships": []}


def thinned(frame: pd.DataFrame, rng: np.random.Generator, most: int = MOST_ROWS) -> pd.DataFrame:
    """At most ``most`` rows of ``frame``, drawn without replacement."""
    return drawing.thinned(Sample(frame), rng, most).frame


def quality(
    real: pd.DataFrame, other: pd.DataFrame, columns: Sequence[Column], pair_columns: Sequence[Column]
) -> dict[str, Figure]:
    """``shapes`` over ``columns``, ``pairs`` over the pairs of ``pair_columns``, ``overall`` (their mean).

    Where SDMetrics has no pair to score it leaves pair trends out of the overall score, and so does this.
    """
    if not len(other) or not len(real):
        nothing = Figure.of(None, "there are no rows")
        return {"overall": nothing, "shapes": nothing, "pairs": nothing}
    shapes = _shapes(prepared(real, columns), prepared(other, columns), columns)
    # With one column the report has no pair; its shapes are those of the pairs' columns only, hence the ones above.
    pairs = _report("QualityReport", real, other, pair_columns)["Column Pair Trends"] if len(pair_columns) > 1 else None
    scored = [value for value in (shapes, pairs) if value is not None and not math.isnan(value)]
    return {
        "overall": Figure.of(float(np.mean(scored)) if scored else None, NO_VALUES),
        "shapes": Figure.of(shapes, NO_VALUES),
        "pairs": Figure.of(pairs, NO_PAIR),
    }


def _shapes(real: pd.DataFrame, other: pd.DataFrame, columns: Sequence[Column]) -> float | None:
    """Mean of KSComplement and TVComplement: the report's Column Shapes, without the price of its pairs."""
    from sdmetrics.single_column import KSComplement, TVComplement

    scores = []
    for column in columns:
        if real[column.name].notna().any() and other[column.name].notna().any():
            metric = KSComplement if column.kind.is_ordered else TVComplement
            scores.append(float(metric.compute(real[column.name], other[column.name])))
    return float(np.mean(scores)) if scores else None


def diagnostic(real: pd.DataFrame, other: pd.DataFrame, columns: Sequence[Column]) -> dict[str, Figure]:
    """``validity`` (values inside the real range, known categories) and ``structure`` (names and types alike)."""
    if not len(other) or not len(real):
        nothing = Figure.of(None, "there are no rows")
        return {"validity": nothing, "structure": nothing}
    found = _report("DiagnosticReport", real, other, columns)
    return {
        "validity": Figure.of(found["Data Validity"], NO_VALUES),
        "structure": Figure.of(found["Data Structure"], NO_VALUES),
    }


def _report(name: str, real: pd.DataFrame, other: pd.DataFrame, columns: Sequence[Column]) -> dict[str, float]:
    import sdmetrics.reports

    report = getattr(sdmetrics.reports, name)()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # NaN and constant columns are answered with a reason, not with a warning.
        warnings.simplefilter("ignore")
        tables = ({_TABLE: prepared(frame, columns)} for frame in (real, other))
        report.generate(*tables, metadata(columns), verbose=False)
        properties = report.get_properties()
    return dict(zip(properties["Property"], properties["Score"].astype(float), strict=True))
