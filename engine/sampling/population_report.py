"""What a cohort that follows a reference population says of itself: wanted and reached proportions, and the effort."""

from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.population import Target
from engine.sampling.population import Plan

_STRONG = 5.0
"""Design effect from which the model's patients are said to differ strongly from the population."""


def report(target: Target, plan: Plan, frame: pd.DataFrame) -> dict[str, Any]:
    """What the cohort follows and how nearly, as JSON values.

    ``margins``: per column its ``title`` and ``categories``, each with ``label``, ``target`` and ``reached`` share and
    ``rows``; ``by_request`` where the shares are the user's. ``effective_rows`` of ``pool_rows`` (Kish; two digits) and
    ``design_effect``: how far the model's own patients are from the population.
    """
    margins = []
    for axis, dimension in enumerate(target.dimensions):
        codes = dimension.codes(frame)
        reached = np.bincount(codes[codes >= 0], minlength=len(dimension.slots))
        margins.append(
            {
                "column": dimension.column.name,
                "title": dimension.column.title,
                "by_request": dimension.column.name in target.user,
                "categories": [
                    {
                        "label": slot.label, "target": round(float(wanted), 4),
                        "reached": round(int(count) / len(frame), 4), "rows": int(count),
                    }
                    for slot, wanted, count in zip(dimension.slots, target.margin(axis), reached, strict=True)
                    if wanted or count
                ],
            }
        )  # fmt: skip
    return {
        "name": target.table.name,
        "title": target.title,
        "group": target.group.name,
        "survey": target.table.survey,
        "years": target.table.years,
        "source": target.table.source,
        "participants": target.participants,
        "margins": margins,
        "pool_rows": plan.pool_rows,
        "effective_rows": round(_digits(plan.effective_rows)),
        "design_effect": _digits(plan.design_effect),
        "notes": sentences(target, plan),
    }


def sentences(target: Target, plan: Plan) -> list[str]:
    """What a person should know of a cohort that follows ``target``."""
    found = [target.sentence, *target.notes, *plan.notes]
    if plan.design_effect >= _STRONG:
        found.append(
            f"The model's own patients differ strongly from this population: weighted to it, {plan.pool_rows:,} of "
            f"them say as much as about {round(_digits(plan.effective_rows)):,} (design effect "
            f"{_digits(plan.design_effect):g}). Rare combinations of the cohort rest on few learned patients."
        )
    return found


def together(reports: list[dict[str, Any]]) -> dict[str, Any] | None:
    """One report of a cohort that was drawn in parts: the rows of each category are added up. None of none."""
    if not reports:
        return None
    first = reports[0]
    rows: dict[tuple[str, str], int] = {}
    for one in reports:
        for margin in one["margins"]:
            for category in margin["categories"]:
                key = margin["column"], category["label"]
                rows[key] = rows.get(key, 0) + category["rows"]
    margins = []
    for margin in first["margins"]:
        total = sum(count for (column, _), count in rows.items() if column == margin["column"])
        counts = [(category, rows[margin["column"], category["label"]]) for category in margin["categories"]]
        categories = [one | {"rows": count, "reached": round(count / total, 4)} for one, count in counts]
        margins.append(margin | {"categories": categories})
    return first | {"margins": margins}


def _digits(value: float) -> float:
    return float(f"{value:.2g}")
