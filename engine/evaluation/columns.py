"""One column as a chart needs it: shares per interval or category, missing share, a few figures; never a row.

The entry (JSON values) has these keys, for a comparison (tables ``real``, ``holdout``, ``synthetic``) as for a profile
(``real`` only):

- ``name``, ``label``, ``title``, ``unit``, ``kind``, ``group``, ``reference_low``, ``reference_high``
- ``shown``: False where too few real patients have a value; then only ``reason`` and ``missing`` follow
- ``form``: ``"histogram"`` (numbers, dates) or ``"bars"`` (categories); ``scale``: ``"linear"``, ``"log"``, ``"date"``
- ``bins``: list of ``{label, low, high, real, holdout, synthetic, note}``: shares of the rows with a value; None where
  a share of real rows is not shown; ``low``/``high`` are None at an open end and for categories
- ``missing``: share of rows without a value per table, with ``note``
- ``stats``: per table ``mean``, ``sd``, ``median``, ``q1``, ``q3`` (dates: days since 1970-01-01); None: not shown
- ``similarity``: ``{metric, synthetic, holdout}``, 1 is alike (comparison only)
- ``categories``: how many categories the column has (categorical only)
- ``weighted``: the tables whose shares, figures and similarity are by weight; absent where none is

What is shown is decided by patients alone, whatever weight they have; intervals and categories are those of the rows.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from engine.cohort.conditions import as_numbers
from engine.evaluation.categories import bars
from engine.evaluation.cells import Counts, Sample, merge_intervals, publishable, rounded_share
from engine.evaluation.histograms import grid_for, interval_text
from engine.evaluation.similarity import ks_complement, tv_complement
from engine.evaluation.standardised import moments, shown_quartiles
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC, label_of
from engine.schema.table import Column, Kind

_TELLS_NOTHING = 5
"""A pool of this many real categories cannot be taken apart by one equation."""


def describe(samples: Mapping[str, Sample], column: Column, *, minimum: int) -> dict[str, Any]:
    """The entry of ``column`` (see the module) for the tables in ``samples``, of which ``"real"`` sets the cells.

    Rows count by :attr:`engine.evaluation.cells.Sample.weights`.
    """
    real = samples[REAL]
    present = real.frame[column.name].notna().to_numpy()
    entry: dict[str, Any] = {
        "name": column.name,
        "label": label_of(column),
        "title": column.title,
        "unit": column.unit,
        "kind": column.kind.value,
        "group": column.group,
        "reference_low": column.reference_low,
        "reference_high": column.reference_high,
        "missing": {"note": ""},
    }
    weighted = [table for table, sample in samples.items() if sample.weights is not None]
    if weighted:
        entry["weighted"] = weighted
    for table, sample in samples.items():
        share, note = _missing_share(sample, column.name, 1 if table == SYNTHETIC else minimum)
        entry["missing"][table] = share
        if table == REAL:
            entry["missing"]["note"] = note
    if not present.any():
        return entry | {"shown": False, "reason": "No real patient has a value."}
    if int(real.support(present).sum()) < minimum:
        return entry | {"shown": False, "reason": f"Fewer than {minimum} real patients have a value."}
    detail = _histogram if column.kind.is_ordered else _bars
    return entry | detail(samples, column, minimum)


def _missing_share(sample: Sample, name: str, minimum: int) -> tuple[float | None, str]:
    missing = sample.frame[name].isna().to_numpy()
    if not len(missing):
        return None, "no rows"
    support = sample.support(missing).sum(), sample.support(~missing).sum()
    if missing.any() and support[0] < minimum:
        return None, f"fewer than {minimum} patients"
    if not missing.all() and support[1] < minimum:
        return None, f"all but fewer than {minimum} patients"
    if minimum <= 1:
        return round(float(missing.mean()), 4), ""
    return sample.rounded(missing, np.ones(len(missing), dtype=bool)), ""


def _histogram(samples: Mapping[str, Sample], column: Column, minimum: int) -> dict[str, Any]:
    numbers = {table: as_numbers(sample.frame[column.name], column) for table, sample in samples.items()}
    grid = grid_for(numbers[REAL], column, minimum=minimum)
    counts = {t: Counts.of(grid.codes(numbers[t]), samples[t], grid.cells) for t in samples}
    groups = merge_intervals(counts[REAL], minimum)
    # An end without real and synthetic rows is not worth a bar; a bar for the hold-out alone would give its rows away.
    worth = counts[REAL].rows + (counts[SYNTHETIC].rows if SYNTHETIC in counts else 0)
    while not worth[groups[-1]].any():
        groups.pop()
    while not worth[groups[0]].any():
        groups.pop(0)
    bins = []
    for group in groups:
        low, high = grid.bounds(group)
        # An end that public bounds close needs no "or more".
        if column.bounds_are_public and column.minimum is not None and (low is None and high is not None):
            low = column.minimum if high - column.minimum <= 2 * _width(grid.edges) and column.minimum < high else None
        bins.append({"label": interval_text(low, high, grid, column), "low": low, "high": high, "note": ""})
    shares = _shares({t: c.grouped(groups) for t, c in counts.items()}, minimum)
    entry: dict[str, Any] = {
        "shown": True,
        "reason": "",
        "form": "histogram",
        "scale": grid.scale,
        "decimals": grid.decimals,
        "bins": [bin_ | {t: shares[t][i] for t in samples} for i, bin_ in enumerate(bins)],
        "stats": {t: _stats(numbers[t], samples[t], column, minimum if t != SYNTHETIC else 1) for t in samples},
    }
    told = _told(samples, column, minimum)
    return entry | _similarity(samples, {t: (numbers[REAL], numbers[t]) for t in told}, ks_complement, "KS complement")


def _width(edges: np.ndarray) -> float:
    return float(np.median(np.diff(edges))) if len(edges) > 1 else 0.0


def _bars(samples: Mapping[str, Sample], column: Column, minimum: int) -> dict[str, Any]:
    found = bars(samples, column, minimum)
    if found is None:
        return {"shown": False, "reason": f"Each category has fewer than {minimum} real patients."}
    shares = _shares(found.counts, minimum)
    if found.pooling.hidden:
        shares[REAL] = [None] * len(found.labels)
    bins = [
        {"label": label, "low": None, "high": None, "note": note} | {t: shares[t][i] for t in samples}
        for i, (label, note) in enumerate(zip(found.labels, found.notes, strict=True))
    ]
    entry = {"shown": True, "reason": "", "form": "bars", "scale": None, "bins": bins, "stats": {}}
    entry["categories"] = found.categories
    told = [] if found.pooling.hidden else _told(samples, column, minimum)
    # The exact distance, with the shares that are shown, would give the share of one category in a small pool.
    codes = found.places if 0 < found.pooled < _TELLS_NOTHING else found.codes
    return entry | _similarity(samples, {t: (codes[REAL], codes[t]) for t in told}, tv_complement, "TV complement")


def _told(samples: Mapping[str, Sample], column: Column, minimum: int) -> list[str]:
    """The tables whose similarity is told: a hold-out of a few patients would be told apart by it."""
    present = {t: s.support(s.frame[column.name].notna().to_numpy()).sum() for t, s in samples.items()}
    return [table for table in samples if table == SYNTHETIC or present[table] >= minimum]


def _shares(counts: Mapping[str, Counts], minimum: int) -> dict[str, list[float | None]]:
    out: dict[str, list[float | None]] = {}
    for table, cells in counts.items():
        mass, total = cells.mass.tolist(), round(float(cells.mass.sum()), 6)
        if table == SYNTHETIC:
            out[table] = [round(rows / total, 4) if total else None for rows in mass]
            continue
        shown = publishable(cells, minimum) if table == HOLDOUT else np.ones(len(cells.rows), dtype=bool)
        if shown is None or int(cells.support.sum()) < minimum:
            shown = np.zeros(len(cells.rows), dtype=bool)
        pairs = zip(mass, shown, strict=True)
        out[table] = [rounded_share(rows, total) if visible else None for rows, visible in pairs]
    return out


def _similarity(
    samples: Mapping[str, Sample], pairs: Mapping[str, tuple[np.ndarray, np.ndarray]],
    formula: Callable[..., float | None], metric: str,
) -> dict[str, Any]:  # fmt: skip
    found: dict[str, Any] = {"metric": metric}
    for table in (SYNTHETIC, HOLDOUT):
        if table in pairs:
            real, other = pairs[table]
            value = formula(real, other, samples[REAL].weights, samples[table].weights)
            found[table] = None if value is None else round(value, 2 if len(real) < 1000 else 3)
    return {"similarity": found} if len(found) > 1 else {}


def _stats(numbers: np.ndarray, sample: Sample, column: Column, minimum: int) -> dict[str, float | None]:
    """Mean, SD, median and quartiles, rounded; each needs as many patients on either side as a cell needs."""
    present = ~np.isnan(numbers)
    values, known = numbers[present], sample.bare(present)
    support = known.patient_count
    mean, sd = (None, None) if not len(values) else moments(values, known.weights)
    found = {"mean": mean if support >= minimum else None, "sd": sd if support >= max(2, minimum) else None}
    found |= dict(zip(("median", "q1", "q3"), shown_quartiles(values, known, minimum), strict=True))
    return {
        name: None if value is None or not math.isfinite(value) else _rounded(value, column)
        for name, value in found.items()
    }


def _rounded(value: float, column: Column) -> float:
    if column.kind is Kind.DATE or value == 0:
        return round(value, 0)
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))
