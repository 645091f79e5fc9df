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
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.evaluation.cells import (
    Counts,
    Pooling,
    Sample,
    merge_intervals,
    pool_categories,
    publishable,
    rounded_share,
)
from engine.evaluation.histograms import grid_for, interval_text
from engine.evaluation.similarity import ks_complement, tv_complement
from engine.schema.table import Column, Kind

MOST_CATEGORIES = 60
"""Categories shown by name; the rest is pooled."""

_TELLS_NOTHING = 5
"""A pool of this many real categories cannot be taken apart by one equation."""

REAL, HOLDOUT, SYNTHETIC = "real", "holdout", "synthetic"


def describe(samples: Mapping[str, Sample], column: Column, *, minimum: int) -> dict[str, Any]:
    """The entry of ``column`` (see the module) for the tables in ``samples``, of which ``"real"`` sets the cells."""
    real = samples[REAL]
    present = real.frame[column.name].notna().to_numpy()
    entry: dict[str, Any] = {
        "name": column.name,
        "label": column.label or column.name.replace("_", " "),
        "title": column.title,
        "unit": column.unit,
        "kind": column.kind.value,
        "group": column.group,
        "reference_low": column.reference_low,
        "reference_high": column.reference_high,
        "missing": {"note": ""},
    }
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
    return rounded_share(int(missing.sum()), len(missing)), ""


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
    return entry | _similarity({t: (ks_complement, numbers[REAL], numbers[t]) for t in told}, "KS complement")


def _width(edges: np.ndarray) -> float:
    return float(np.median(np.diff(edges))) if len(edges) > 1 else 0.0


@dataclass(frozen=True)
class Bars:
    """The bars of a categorical column: categories by name, and those that are shown together.

    Attributes:
        codes: per table (n_rows,) the category of each row; -1 where it has no value.
        places: per table (n_rows,) the bar of each row; -1 where it has no value or none that is worth a bar.
        labels: per bar.
        notes: per bar why the share of real rows is not shown, empty where it is.
        counts: per table the counts of each bar.
        pooling: what is shown together.
        pooled: how many of the categories shown together some real row has.
        categories: how many categories some real row has.
    """

    codes: dict[str, np.ndarray]
    places: dict[str, np.ndarray]
    labels: list[str]
    notes: list[str]
    counts: dict[str, Counts]
    pooling: Pooling
    pooled: int
    categories: int


def bars(samples: Mapping[str, Sample], column: Column, minimum: int, *, most: int = MOST_CATEGORIES) -> Bars | None:
    """The bars that the real rows of ``samples`` allow, at most ``most`` by name; None where each category is small."""
    texts = {t: as_text(s.frame[column.name], column).astype("object") for t, s in samples.items()}
    known = _categories(texts, column)
    codes = {t: pd.Categorical(text, categories=known).codes.astype(int) for t, text in texts.items()}
    counts = {t: Counts.of(codes[t], samples[t], len(known)) for t in samples}
    pooling = pool_categories(counts[REAL], minimum, most=most)
    named = pooling.named
    if _has_own_order(column, known):
        named = sorted(named, key=lambda code: (_first_number(known[code]), code))
    if not pooling.named:
        return None
    # Only what occurs somewhere is worth a bar; a boolean always has its two.
    pooled = [
        code for code in pooling.pooled if column.kind is Kind.BOOLEAN or any(counts[t].rows[code] for t in samples)
    ]
    groups = [[code] for code in named] + ([pooled] if pooled else [])
    labels = [_display(known[code], column) for code in named]
    if pooled:
        few = f"fewer than {minimum}"
        if not counts[REAL].rows[pooled].any() and len(known) > 2:
            labels.append(f"in no real row ({len(pooled)} {'category' if len(pooled) == 1 else 'categories'})")
        elif len(pooled) == 1 and len(known) == 2:
            labels.append(_display(known[pooled[0]], column))
        elif pooling.all_small:
            each = "" if len(pooled) == 1 else " each"
            labels.append(f"{few}{each} ({len(pooled)} {'category' if len(pooled) == 1 else 'categories'})")
        else:
            labels.append(f"other ({len(pooled)} categories)")
    notes = [""] * len(groups)
    if pooling.hidden:
        notes = [f"all but fewer than {minimum} patients"] * (len(groups) - 1) + [f"fewer than {minimum} patients"]
    if column.kind is Kind.BOOLEAN:
        order = sorted(range(len(groups)), key=lambda at: groups[at])
        groups, labels, notes = [groups[at] for at in order], [labels[at] for at in order], [notes[at] for at in order]
    place = np.full(len(known) + 1, -1)
    for at, group in enumerate(groups):
        place[group] = at
    return Bars(
        codes=codes,
        places={table: place[values] for table, values in codes.items()},
        labels=labels,
        notes=notes,
        counts={t: c.grouped(groups) for t, c in counts.items()},
        pooling=pooling,
        pooled=int((counts[REAL].rows[pooled] > 0).sum()) if pooled else 0,
        categories=int((counts[REAL].rows > 0).sum()),
    )


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
    return entry | _similarity({t: (tv_complement, codes[REAL], codes[t]) for t in told}, "TV complement")


def _told(samples: Mapping[str, Sample], column: Column, minimum: int) -> list[str]:
    """The tables whose similarity is told: a hold-out of a few patients would be told apart by it."""
    present = {t: s.support(s.frame[column.name].notna().to_numpy()).sum() for t, s in samples.items()}
    return [table for table in samples if table == SYNTHETIC or present[table] >= minimum]


def _categories(texts: Mapping[str, pd.Series], column: Column) -> list[str]:
    if column.kind is Kind.BOOLEAN:
        return ["true", "false"]
    declared = list(column.categories or ())
    seen = sorted({str(value) for text in texts.values() for value in text.dropna().unique()} - set(declared))
    return declared + seen


def _has_own_order(column: Column, known: list[str]) -> bool:
    """Booleans always read yes, no; categories with numbers in them (age groups, stages) keep the order they have."""
    if column.kind is Kind.BOOLEAN:
        return True
    return (
        column.code_system is None
        and 2 < len(known) <= 15
        and sum(any(c.isdigit() for c in k) for k in known) > len(known) / 2
    )


def _first_number(category: str) -> float:
    found = re.search(r"\d+(\.\d+)?", category)
    return float(found.group()) if found else -1.0


def _display(category: str, column: Column) -> str:
    return {"true": "Yes", "false": "No"}[category] if column.kind is Kind.BOOLEAN else category


def _shares(counts: Mapping[str, Counts], minimum: int) -> dict[str, list[float | None]]:
    out: dict[str, list[float | None]] = {}
    for table, cells in counts.items():
        total = int(cells.rows.sum())
        if table == SYNTHETIC:
            out[table] = [round(float(rows) / total, 4) if total else None for rows in cells.rows]
            continue
        shown = publishable(cells, minimum) if table == HOLDOUT else np.ones(len(cells.rows), dtype=bool)
        if shown is None or int(cells.support.sum()) < minimum:
            shown = np.zeros(len(cells.rows), dtype=bool)
        pairs = zip(cells.rows, shown, strict=True)
        out[table] = [rounded_share(int(rows), total) if visible else None for rows, visible in pairs]
    return out


def _similarity(pairs: Mapping[str, tuple], metric: str) -> dict[str, Any]:
    found: dict[str, Any] = {"metric": metric}
    for table in (SYNTHETIC, HOLDOUT):
        if table in pairs:
            formula, real, other = pairs[table]
            value = formula(real, other)
            found[table] = None if value is None else round(value, 2 if len(real) < 1000 else 3)
    return {"similarity": found} if len(found) > 1 else {}


def _stats(numbers: np.ndarray, sample: Sample, column: Column, minimum: int) -> dict[str, float | None]:
    """Mean, SD, median and quartiles, rounded; each needs as many patients on either side as a cell needs."""
    present = ~np.isnan(numbers)
    values = numbers[present]
    support = int(sample.support(present).sum())
    names = ("mean", "sd", "median", "q1", "q3")
    needed = (minimum, max(2, minimum), 2 * minimum, 4 * minimum, 4 * minimum)
    found = (
        (
            np.mean(values),
            np.std(values, ddof=1) if len(values) > 1 else math.nan,
            *np.quantile(values, [0.5, 0.25, 0.75]),
        )
        if len(values)
        else (math.nan,) * 5
    )
    return {
        name: _rounded(float(value), column) if support >= least and math.isfinite(value) else None
        for name, value, least in zip(names, found, needed, strict=True)
    }


def _rounded(value: float, column: Column) -> float:
    if column.kind is Kind.DATE or value == 0:
        return round(value, 0)
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))
