"""Table 1 as :mod:`engine.evaluation.table_one` makes it of rows, with a private summary in place of the real ones.

Means and quartiles take values as spread evenly inside the cells that were counted. ``±`` is how far noise moves a
figure in 95 of 100 draws of it; the sampling of the patients themselves is not in it.
"""

import math
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers
from engine.evaluation.fidelity import Figure
from engine.evaluation.standardised import moments as row_moments
from engine.evaluation.standardised import number_difference, quantiles, share_difference
from engine.evaluation.summarised import figures
from engine.evaluation.summarised.columns import NOT_MEASURED
from engine.evaluation.summarised.group import Distribution, Group, distribution
from engine.evaluation.table_one import MOST_CATEGORIES
from engine.evaluation.tables import REAL, SYNTHETIC, label_of
from engine.privacy.summary import Margin
from engine.schema.table import Column, Kind

_NOTES = [
    "SMD: standardised mean difference from the summary (Yang and Dalton 2012); below 0.1 is small.",
    "Real figures are computed from noisy counts. ± is what the noise moves them by in 95 of 100 draws; means and "
    "quartiles take values as spread evenly inside each counted interval.",
]


def table_one(group: Group, indices: list[int], synthetic: pd.DataFrame) -> dict[str, Any]:
    """The table of the columns at ``indices``; ``synthetic`` is conformed and has all of them."""
    patients = round(group.patients)
    rows = len(synthetic)
    heads = {
        REAL: {"rows": None, "patients": patients, "text": f"about {patients:,}", "weighted": group.weighted},
        SYNTHETIC: {"rows": rows, "patients": rows, "text": f"{rows:,} rows", "weighted": False},
    }  # fmt: skip
    return {
        "tables": heads,
        "columns": [_entry(group, index, synthetic) for index in indices],
        "notes": list(_NOTES),
        "internal": False,
    }


def _entry(group: Group, index: int, synthetic: pd.DataFrame) -> dict[str, Any]:
    margin = group.summary.margins[index]
    column = margin.column
    made, found = figures.counted(margin, synthetic[column.name]), distribution(group, index)
    entry: dict[str, Any] = {
        "name": column.name, "label": label_of(column), "unit": column.unit, "group": column.group,
        "kind": column.kind.value, "form": "none", "reason": "", "categories": [], "smd": {},
        "tables": {REAL: {"missing": _missing(found)}, SYNTHETIC: {"missing": _counted(made.missing, len(synthetic))}},
    }  # fmt: skip
    if found is None:
        return entry | {"reason": NOT_MEASURED}
    if found.present <= 0:
        return entry | {"reason": "The summary tells no value from its noise."}
    part = _numbers(found, synthetic, column) if column.kind.is_ordered else _categories(found, made, margin)
    for table, told in part.pop("tables", {}).items():
        entry["tables"][table] |= told
    return entry | part


def _missing(found: Distribution | None) -> dict[str, Any]:
    if found is None:
        return {"rows": None, "share": None, "text": "not assessable"}
    return _noisy(found.missing_share, found.missing_noise / max(found.present + found.missing, 1.0))


def _noisy(share: float, noise: float) -> dict[str, Any]:
    return {"rows": None, "share": round(share, 4), "text": f"{share:.1%} ± {figures.Z * noise:.1%}"}


def _counted(rows: float, of: float) -> dict[str, Any]:
    share = rows / of if of else 0.0
    return {"rows": int(rows), "share": share, "text": f"{int(rows):,} ({share:.1%})"}


def _numbers(found: Distribution, synthetic: pd.DataFrame, column: Column) -> dict[str, Any]:
    values = as_numbers(synthetic[column.name], column)
    values = values[~np.isnan(values)]
    moment = {REAL: figures.moments(found), SYNTHETIC: row_moments(values) if len(values) > 1 else None}
    levels = (0.5, 0.25, 0.75)
    quantile = {
        REAL: [figures.quantile(found, level) for level in levels],
        SYNTHETIC: list(quantiles(values, levels)) if len(values) else [None] * 3,
    }
    digits = _digits((moment[REAL] or (0.0, 0.0))[1], column)
    is_date = column.kind is Kind.DATE
    tables: dict[str, dict[str, Any]] = {}
    for table in (REAL, SYNTHETIC):
        mean, sd = (None, None) if is_date else moment[table] or (None, None)
        told: dict[str, Any] = {
            name: None if value is None else round(value, digits)
            for name, value in zip(("mean", "sd", "median", "q1", "q3"), (mean, sd, *quantile[table]), strict=True)
        }
        median, q1, q3 = (_text(told[name], digits, is_date) for name in ("median", "q1", "q3"))
        told["median_iqr"] = f"{median} [{q1}, {q3}]"
        told["mean_sd"] = "" if is_date else "not shown" if mean is None else f"{mean:,.{digits}f} ({sd:,.{digits}f})"
        tables[table] = told
    if not is_date and moment[REAL] is not None:
        noise = figures.Z * figures.mean_noise(found)
        tables[REAL]["mean_noise"] = round(noise, 6)
        tables[REAL]["mean_sd"] += f" ± {noise:,.{max(digits, 1)}f}"
    first, second = moment[REAL], moment[SYNTHETIC]
    difference = None if first is None or second is None else number_difference(first, second)
    reason = "fewer than 2 synthetic rows have a value" if second is None else "neither table varies"
    return {
        "form": "date" if is_date else "number",
        "tables": tables,
        "smd": {SYNTHETIC: Figure.of(difference, reason).as_dict()},
    }


def _categories(found: Distribution, made: Distribution, margin: Margin) -> dict[str, Any]:
    real, noise = found.levels / found.present, figures.share_noise(found)
    order = np.array([1, 0]) if margin.column.kind is Kind.BOOLEAN else np.argsort(-real, kind="stable")
    groups = [[int(place)] for place in order[:MOST_CATEGORIES]]
    labels = [figures.category_label(margin.categories[place], margin) for (place,) in groups]
    if len(order) > MOST_CATEGORIES:
        groups.append(order[MOST_CATEGORIES:].tolist())
        labels.append(f"other ({len(order) - MOST_CATEGORIES} categories)")
    categories = [
        {
            "label": label,
            REAL: _noisy(float(real[group].sum()), float((noise[group] ** 2).sum()) ** 0.5),
            SYNTHETIC: _counted(float(made.levels[group].sum()), made.present),
        }
        for label, group in zip(labels, groups, strict=True)
    ]
    difference = None
    if made.present > 0:
        difference = share_difference(*(np.array([part.levels[group].sum() for group in groups])
                                        for part in (found, made)))  # fmt: skip
    reason = "no synthetic row has a value" if made.present <= 0 else "the two tables share no category"
    return {"form": "category", "categories": categories, "smd": {SYNTHETIC: Figure.of(difference, reason).as_dict()}}


def _digits(sd: float, column: Column) -> int:
    """Digits after the point: three of the standard deviation's, but at most one more than is recorded."""
    if column.kind is Kind.DATE:
        return 0
    recorded = 0 if column.kind is Kind.INTEGER else column.decimals
    found = 2 - math.floor(math.log10(sd)) if sd > 0 else 2
    return int(np.clip(found, 0, 6 if recorded is None else recorded + 1))


def _text(value: float | None, digits: int, is_date: bool) -> str:
    if value is None:
        return "not shown"
    return str(np.datetime64(int(value), "D")) if is_date else f"{value:,.{digits}f}"
