"""Target shares as strata: how many rows have which combination of share categories.

Each column's margin is met exactly (to the nearest row, by largest remainder). Between the share columns the
association of the generator is kept: later columns are labelled from the frequencies given the earlier labels in a
pool of generated rows, reweighted to the target margin, then as few labels as possible are exchanged to make the
margin exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition, as_numbers, as_text, restrict, share_text
from engine.cohort.raking import largest_remainder
from engine.cohort.spec import CohortSpec, Share
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, TableSchema

REST = -1
"""Label of the rows whose category is none of those that the shares name."""


@dataclass(frozen=True)
class ShareColumn:
    """The shares of one column: its categories as text, and the rows each gets; the remainder is for the others."""

    column: Column
    categories: tuple[str, ...]
    counts: tuple[int, ...]
    rest: int


@dataclass(frozen=True)
class Stratum:
    """``rows`` rows to be drawn under ``conditions``."""

    rows: int
    conditions: dict[str, Condition]


def share_columns(spec: CohortSpec, schema: TableSchema) -> list[ShareColumn]:
    """The spec's shares by column, as exact row counts."""
    by_column: dict[str, list[Share]] = {}
    for share in spec.shares:
        by_column.setdefault(share.column, []).append(share)
    result = []
    for name, shares in by_column.items():
        total = sum(share.share for share in shares)
        exact = np.array([*(share.share for share in shares), max(0.0, 1 - total)]) * spec.patients
        counts = largest_remainder(exact, spec.patients).tolist()
        categories = tuple(share_text(share, schema[name]) for share in shares)
        result.append(ShareColumn(schema[name], categories, tuple(counts[:-1]), counts[-1]))
    return result


def strata(
    columns: list[ShareColumn],
    conditions: Mapping[str, Condition],
    *,
    pool: pd.DataFrame,
    rows: int,
    random: np.random.Generator,
) -> list[Stratum]:
    """The strata of ``rows`` rows; ``pool`` (rows generated under ``conditions``) tells how the columns associate.

    Raises:
        UserError: a share names a category that a criterion excludes, or leaves rows to a column without another one.
    """
    labels = np.zeros((rows, 0), dtype=int)
    pool_labels = np.zeros((len(pool), 0), dtype=int)
    for column in columns:
        pool_new = labels_of(pool[column.column.name], column)
        new = _assign(labels, pool_labels, pool_new, column, random)
        labels = np.column_stack([labels, new])
        pool_labels = np.column_stack([pool_labels, pool_new])
    combinations, counts = np.unique(labels, axis=0, return_counts=True)
    result = []
    for combination, count in zip(combinations, counts, strict=True):
        narrowed = dict(conditions)
        for column, label in zip(columns, combination, strict=True):
            name = column.column.name
            narrowed[name] = labelled(narrowed.get(name), column, label)
        result.append(Stratum(int(count), narrowed))
    return result


def labelled(condition: Condition | None, column: ShareColumn, label: int) -> Condition:
    """``condition`` for the rows with one label of the column.

    Raises:
        UserError: it excludes the label's category, or leaves none to the others.
    """
    if label == REST:
        return _without(condition, column)
    return restrict(condition, column.column, column.categories[label])


def _assign(
    labels: np.ndarray, pool_labels: np.ndarray, pool_new: np.ndarray, column: ShareColumn, random: np.random.Generator
) -> np.ndarray:
    """A label of ``column`` for each row of ``labels``, with the exact margin."""
    options = np.array([*range(len(column.categories)), REST])
    target = np.array([*column.counts, column.rest], dtype=float)
    margin = np.array([(pool_new == option).mean() if len(pool_new) else 0.0 for option in options])
    tilt = np.where(target > 0, target / target.sum() / np.maximum(margin, 1e-3), 0.0)
    new = np.empty(len(labels), dtype=int)
    for combination in np.unique(labels, axis=0):
        here = (labels == combination).all(axis=1)
        alike = (pool_labels == combination).all(axis=1)
        counts = np.array([(pool_new[alike] == option).sum() for option in options], dtype=float)
        weights = (counts + margin) * tilt  # one pseudo-row of the overall margin keeps empty cells possible
        weights = weights if weights.sum() > 0 else target
        new[here] = random.choice(options, size=int(here.sum()), p=weights / weights.sum())
    return _exchange(new, options, target.astype(int), random)


def _exchange(labels: np.ndarray, options: np.ndarray, target: np.ndarray, random: np.random.Generator) -> np.ndarray:
    surplus = np.array([(labels == option).sum() for option in options]) - target
    freed = [
        random.permutation(np.flatnonzero(labels == options[k]))[: surplus[k]] for k in np.flatnonzero(surplus > 0)
    ]
    if freed:
        rows = random.permutation(np.concatenate(freed))
        labels[rows] = np.repeat(options, np.maximum(-surplus, 0))
    return labels


def labels_of(series: pd.Series, column: ShareColumn) -> np.ndarray:
    """(n_rows,) the label of each value: the position of its category, or ``REST``."""
    labels = np.full(len(series), REST)
    for label, category in enumerate(column.categories):
        if column.column.kind.is_ordered:
            labels[as_numbers(series, column.column) == float(category)] = label
        else:
            labels[(as_text(series, column.column) == category).fillna(False).to_numpy(dtype=bool)] = label
    return labels


def _without(condition: Condition | None, column: ShareColumn) -> Condition:
    name = column.column.name
    base = condition or Condition(name)
    if not base.allow_present:
        return base
    if column.column.kind.is_ordered:
        excluded = base.excluded | {float(category) for category in column.categories}
        return Condition(name, base.intervals, excluded, None, base.allow_missing, base.allow_present)
    known = ("true", "false") if column.column.kind is Kind.BOOLEAN else (column.column.categories or ())
    allowed = (base.categories if base.categories is not None else frozenset(known)) - set(column.categories)
    if not allowed:
        raise UserError(
            f"the shares of {name!r} leave {column.rest} rows to other categories, and there is none",
            remedy="Let the shares add up to 100 %.",
        )
    return Condition(name, categories=frozenset(allowed), allow_missing=base.allow_missing)
