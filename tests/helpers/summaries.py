"""Summaries of a table as a measurer with a given noise would release them."""

from itertools import combinations

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.privacy.summary import Margin, Pair, PrivateSummary
from engine.schema.table import Column, Kind, TableSchema

STATEMENT = {"epsilon": 3.0, "delta": 1e-6, "unit": "patient", "neighbours": "add or remove one patient"}


def summary_from(
    table: pd.DataFrame,
    schema: TableSchema,
    *,
    edges: dict[str, list[float]],
    noise: float = 1e-6,
    seed: int = 0,
    without: tuple[tuple[str, str], ...] = (),
) -> PrivateSummary:
    """The summary of ``table`` (conformed, one row per patient).

    Args:
        table: the rows.
        schema: its features.
        edges: for each ordered column the lowest value of each level, and last the highest value of all. Cells are
            single values of integers, and the levels of other columns.
        noise: standard deviation of the noise of every count, rounded.
        seed: of the noise.
        without: pairs of columns that are not measured.
    """
    random = np.random.default_rng(seed)

    def noisy(counts: np.ndarray) -> np.ndarray:
        return counts.astype(np.int64) + np.rint(random.normal(size=counts.shape) * noise).astype(np.int64)

    margins, codes = [], []
    for column in schema.features:
        margin, cells = _margin(table[column.name], column, edges.get(column.name, []))
        counts = noisy(np.bincount(cells, minlength=len(margin.level) + 1))
        margins.append(Margin(margin.column, counts, noise, margin.categories, margin.cells, margin.level,
                              margin.levels, margin.step))  # fmt: skip
        codes.append(np.append(margin.level, margin.size)[cells])
    names = [column.name for column in schema.features]
    pairs = []
    for first, second in combinations(range(len(names)), 2):
        if (names[first], names[second]) in without:
            continue
        shape = margins[first].size + 1, margins[second].size + 1
        flat = np.bincount(codes[first] * shape[1] + codes[second], minlength=shape[0] * shape[1])
        pairs.append(Pair(first, second, noisy(flat.reshape(shape)), noise))
    return PrivateSummary(tuple(margins), tuple(pairs), float(len(table)), noise, STATEMENT)


def _margin(series: pd.Series, column: Column, edges: list[float]) -> tuple[Margin, np.ndarray]:
    nothing = np.zeros(0, dtype=np.int64)
    if not column.kind.is_ordered:
        names = ("false", "true") if column.kind is Kind.BOOLEAN else tuple(column.categories or ())
        found = pd.Categorical(as_text(series, column).astype(object), categories=list(names)).codes.astype(int)
        places = np.where(found < 0, len(names), found)
        return Margin(column, nothing, 0.0, names, level=np.arange(len(names))), places
    step = 1.0 if column.kind is not Kind.NUMERIC else 10.0 ** -(column.decimals or 0)
    low, high = np.array(edges[:-1]), np.append(np.array(edges[1:-1]) - step, edges[-1])
    levels = np.column_stack([low, high])
    if column.kind is Kind.INTEGER:
        values = np.arange(edges[0], edges[-1] + 1)
        cells = np.column_stack([values, values])
    else:
        cells = levels
    level = np.searchsorted(high, cells[:, 0])
    numbers = as_numbers(series, column)
    places = np.searchsorted(cells[:, 1] + step / 2, np.nan_to_num(numbers))
    places = np.where(np.isnan(numbers), len(cells), places)
    return Margin(column, nothing, 0.0, cells=cells, level=level, levels=levels, step=step), places
