"""Rows as the attacker sees them: numbers on one scale, categories as codes, and distances between them.

The distance is that of Gower (1971) with a robust range: numbers count by their difference in units of the column's
5-95 % range, categories and missingness by whether they agree. It is a sum over columns, not a mean.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.evaluation.cells import Sample
from engine.schema.table import Column

_FARTHEST = 4.0
"""Ranges from the centre at which a number's part in a distance is cut: one wild value is far, not farthest of all."""
_CELLS = 4_000_000
"""Distances held at a time (32 MB)."""
_TILE = 32
"""Rows compared at a time, so that their sums stay in the processor's cache."""


def stored(values: pd.Series, column: Column) -> np.ndarray:
    """An ordered column as floats at the precision it is recorded with, NaN where missing."""
    numbers = as_numbers(values, column)
    # Adding zero makes -0.0 the same as 0.0.
    return (numbers if column.decimals is None else np.round(numbers, column.decimals)) + 0.0


@dataclass(frozen=True)
class Records:
    """Rows of one table.

    Attributes:
        values: (n_rows, n_columns): numbers in units of the column's range, NaN where missing; codes of categories, -1
            where missing. In column-major order.
        numbers: (n_rows, n_numbers) as they enter a distance.
        codes: (n_rows, n_codes) small integers that enter a distance: categories, and whether a number is missing. In
            column-major order.
    """

    values: np.ndarray
    numbers: np.ndarray
    codes: np.ndarray

    def __len__(self) -> int:
        """How many rows."""
        return len(self.values)

    def take(self, rows: np.ndarray) -> "Records":
        """The rows at the integer positions ``rows``."""
        return Records(np.asfortranarray(self.values[rows]), self.numbers[rows], np.asfortranarray(self.codes[rows]))


@dataclass(frozen=True)
class Coder:
    """What turns a frame into :class:`Records`.

    Attributes:
        columns: the columns of ``values``.
        categories: per column its categories; empty for numbers.
        centres: (n_columns,) median of the numbers.
        spreads: (n_columns,) their range.
        gaps: (n_columns,) boolean: numbers of which some are missing.
    """

    columns: tuple[Column, ...]
    categories: tuple[pd.Index, ...]
    centres: np.ndarray
    spreads: np.ndarray
    gaps: np.ndarray

    @classmethod
    def of(cls, real: Sequence[pd.DataFrame], synthetic: pd.DataFrame, columns: Sequence[Column]) -> "Coder":
        """Scales from the ``real`` rows, whether learned or held out; categories of all tables."""
        categories, centres, spreads, gaps = [], [], [], []
        for column in columns:
            found, centre, spread, gap = pd.Index([]), 0.0, 1.0, False
            if column.kind.is_ordered:
                numbers = np.concatenate([stored(frame[column.name], column) for frame in real])
                gap = bool(np.isnan(numbers).any() or synthetic[column.name].isna().any())
                present = numbers[~np.isnan(numbers)]
                if len(present):
                    low, centre, high = (float(part) for part in np.quantile(present, (0.05, 0.5, 0.95)))
                    # Most values may be one and the same, for example no earlier visit.
                    spread = high - low or float(np.ptp(present)) or 1.0
            else:
                texts = [as_text(frame[column.name], column).dropna().unique() for frame in (*real, synthetic)]
                found = pd.Index(sorted({str(one) for text in texts for one in text}))
            categories.append(found)
            centres.append(centre)
            spreads.append(spread)
            gaps.append(gap)
        return cls(tuple(columns), tuple(categories), np.array(centres), np.array(spreads), np.array(gaps, dtype=bool))

    @property
    def ordered(self) -> np.ndarray:
        """(n_columns,) boolean: which columns are numbers."""
        return np.array([column.kind.is_ordered for column in self.columns], dtype=bool)

    def records(self, frame: pd.DataFrame) -> Records:
        """``frame`` (n_rows, …) coded."""
        values = np.empty((len(frame), len(self.columns)), order="F")
        for place, column in enumerate(self.columns):
            if column.kind.is_ordered:
                values[:, place] = (stored(frame[column.name], column) - self.centres[place]) / self.spreads[place]
            else:
                text = as_text(frame[column.name], column).astype("object")
                values[:, place] = self.categories[place].get_indexer(pd.Index(text))
        ordered = self.ordered
        numbers = np.nan_to_num(values[:, ordered], nan=0.0).clip(-_FARTHEST, _FARTHEST)
        # One more than the code: none is negative. Comparing small integers takes a fifth of the time.
        small = np.uint8 if max((len(one) for one in self.categories), default=0) < 255 else np.uint32
        codes = np.hstack([values[:, ~ordered] + 1, np.isnan(values[:, self.gaps])])
        return Records(values, np.ascontiguousarray(numbers), codes.astype(small, order="F"))

    def part(self, first: Records, second: Records, place: int) -> np.ndarray:
        """(n_first, n_second) what the column at ``place`` adds to the distances."""
        if not self.ordered[place]:
            return (first.values[:, place, None] != second.values[:, place]).astype(float)
        at = int(self.ordered[:place].sum())
        out = np.abs(first.numbers[:, at, None] - second.numbers[:, at])
        if self.gaps[place]:
            at = int((~self.ordered).sum() + self.gaps[:place].sum())
            out += first.codes[:, at, None] != second.codes[:, at]
        return out


def distances(first: Records, second: Records) -> np.ndarray:
    """(n_first, n_second) Gower's distance, summed over columns."""
    from scipy.spatial.distance import cdist

    if first.numbers.shape[1]:
        out = cdist(first.numbers, second.numbers, "cityblock")
    else:
        out = np.zeros((len(first), len(second)))
    width = first.codes.shape[1]
    for start in range(0, len(first) if width else 0, _TILE):
        tile = first.codes[start : start + _TILE]
        differ = np.zeros((len(tile), len(second)), dtype=np.uint8 if width < 256 else np.uint32)
        for place in range(width):
            differ += tile[:, place, None] != second.codes[:, place]
        out[start : start + _TILE] += differ
    return out


def blocks(first: Records, second: Records) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The distances in blocks of rows of ``first``: their positions, and (n_block, n_second) distances."""
    size = max(1, _CELLS // max(1, len(second)))
    for start in range(0, len(first), size):
        rows = np.arange(start, min(start + size, len(first)))
        yield rows, distances(first.take(rows), second)


def one_each(sample: Sample, rng: np.random.Generator) -> np.ndarray:
    """Positions of one row of each patient, drawn at random, in order."""
    if sample.patients is None:
        return np.arange(len(sample.frame))
    order = rng.permutation(len(sample.patients))
    return np.sort(order[np.unique(sample.patients[order], return_index=True)[1]])


def some(count: int, most: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``most`` of the positions below ``count``, drawn without replacement, in order."""
    return np.arange(count) if count <= most else np.sort(rng.choice(count, most, replace=False))
