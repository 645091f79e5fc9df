"""The categories of a column as bars: which are shown by name, which together, in which order."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_text
from engine.evaluation.cells import Counts, Pooling, Sample, pool_categories
from engine.evaluation.tables import REAL
from engine.schema.table import Column, Kind

MOST_CATEGORIES = 60
"""Categories shown by name; the rest is pooled."""


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
    if counts[REAL].weight is not None:
        # The order that is seen; which categories are named is decided by rows.
        named = sorted(named, key=lambda code: (-counts[REAL].mass[code], code))
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
