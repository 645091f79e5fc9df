"""Entries of columns as :mod:`engine.evaluation.columns` makes them of rows, here from a private summary.

The intervals of a number are the bins that its pairs were measured in. Every figure of the summary is noisy already, so
none is held back as small; shares that noise alone explains read as zero.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec
from engine.evaluation.categories import MOST_CATEGORIES
from engine.evaluation.histograms import Grid, interval_text
from engine.evaluation.summarised import figures
from engine.evaluation.summarised.group import Distribution, Group, choose, distribution
from engine.evaluation.tables import REAL, SYNTHETIC, label_of
from engine.privacy.summary import Margin, PrivateSummary
from engine.schema.table import Column, Kind

NOT_MEASURED = "Not assessable: this pair of columns was not measured with noise, so the group is not known here."


def describe(group: Group, index: int, synthetic: pd.DataFrame | None, random: np.random.Generator) -> dict[str, Any]:
    """The entry of the column at ``index``, the synthetic rows beside where they are given."""
    margin = group.summary.margins[index]
    column = margin.column
    entry: dict[str, Any] = {
        "name": column.name, "label": label_of(column), "title": column.title, "unit": column.unit,
        "kind": column.kind.value, "group": column.group, "reference_low": column.reference_low,
        "reference_high": column.reference_high, "missing": {"note": "", REAL: None},
    }  # fmt: skip
    made = None if synthetic is None else figures.counted(margin, synthetic[column.name])
    found = distribution(group, index)
    if made is not None:
        entry["missing"][SYNTHETIC] = round(made.missing_share, 4)
    if found is None:
        return entry | {"shown": False, "reason": NOT_MEASURED}
    entry["missing"][REAL] = round(found.missing_share, 4)
    if found.present <= 0:
        return entry | {"shown": False, "reason": "The summary tells no value from its noise."}
    tables = {REAL: found} | ({} if made is None else {SYNTHETIC: made})
    entry |= _histogram(tables, margin) if column.kind.is_ordered else _bars(tables, margin)
    if made is not None:
        entry["similarity"] = {
            "metric": figures.metric(margin),
            SYNTHETIC: _rounded(figures.similarity(found, made)),
            "noise": _rounded(figures.similarity_floor(found, random)),
        }
    return entry


def profile(summary: PrivateSummary) -> list[dict[str, Any]]:
    """One entry per column of the summary as the Data page shows it (:func:`engine.evaluation.profile.profile`)."""
    everyone, random = choose(summary, CohortSpec()), np.random.default_rng(0)
    entries = [describe(everyone, index, None, random) for index in range(len(summary.margins))]
    return [
        entry | {"present": round(1 - (entry["missing"][REAL] or 0.0), 6), "description": margin.column.description}
        for entry, margin in zip(entries, summary.margins, strict=True)
    ]


def _histogram(tables: dict[str, Distribution], margin: Margin) -> dict[str, Any]:
    column, lowest = margin.column, margin.levels[:, 0]
    # The bins close the column's range: the upper edge of each is the lowest value of the next.
    grid = Grid(lowest[1:], "date" if column.kind is Kind.DATE else "linear", _decimals(column))
    bins = []
    for place in range(margin.size):
        low, high = grid.bounds([place])
        if column.bounds_are_public and column.kind is not Kind.DATE:
            low = float(lowest[0]) if low is None else low
            high = float(margin.levels[-1, 1] + margin.step) if high is None else high
        bins.append({"label": interval_text(low, high, grid, column), "low": low, "high": high, "note": ""})
    shares = {table: found.levels / max(found.present, 1e-9) for table, found in tables.items()}
    filled = [bin_ | {t: round(float(shares[t][at]), 4) for t in tables} for at, bin_ in enumerate(bins)]
    stats = {table: _stats(found, column) for table, found in tables.items()}
    return {"shown": True, "reason": "", "form": "histogram", "scale": grid.scale, "decimals": grid.decimals,
            "bins": filled, "stats": stats}  # fmt: skip


def _bars(tables: dict[str, Distribution], margin: Margin) -> dict[str, Any]:
    real = tables[REAL].levels
    order = np.argsort(-real, kind="stable")
    if margin.column.kind is Kind.BOOLEAN:
        order = np.array([1, 0])
    named, rest = order[:MOST_CATEGORIES], order[MOST_CATEGORIES:]
    groups = [[int(place)] for place in named] + ([rest.tolist()] if len(rest) else [])
    labels = [figures.category_label(margin.categories[place], margin) for place in named]
    labels += [f"other ({len(rest)} categories)"] if len(rest) else []
    bins = [
        {"label": label, "low": None, "high": None, "note": ""}
        | {t: round(float(found.levels[group].sum() / max(found.present, 1e-9)), 4) for t, found in tables.items()}
        for label, group in zip(labels, groups, strict=True)
    ]
    return {"shown": True, "reason": "", "form": "bars", "scale": None, "bins": bins, "stats": {},
            "categories": int((real > 0).sum())}  # fmt: skip


def _stats(found: Distribution, column: Column) -> dict[str, float | None]:
    told = figures.moments(found)
    values = dict(zip(("mean", "sd"), told or (None, None), strict=True))
    values |= {name: figures.quantile(found, level) for name, level in (("median", 0.5), ("q1", 0.25), ("q3", 0.75))}
    return {name: None if value is None else _shown(value, column) for name, value in values.items()}


def _shown(value: float, column: Column) -> float:
    if column.kind is Kind.DATE or value == 0:
        return round(value, 0)
    return round(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def _decimals(column: Column) -> int:
    return 0 if column.kind is not Kind.NUMERIC else max(0, column.decimals or 0)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
