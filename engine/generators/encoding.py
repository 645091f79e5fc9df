"""A patient table as small whole numbers: every column becomes one block of levels, missing among them.

Categories are levels as they are. Numbers, integers and dates lie on a grid of their declared resolution inside their
bounds, merged into bins by frequency (:mod:`engine.generators.binning`). Decoding gives back values that the column
could have been recorded with: integers stay integers, decimals are exact.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.core.errors import UserError
from engine.generators.binning import MAX_BINS, Bins, make_bins
from engine.generators.cells import Cells
from engine.schema.table import Column, Kind, TableSchema

SECONDS_PER_DAY = 86_400
MOST_DECIMALS = 6
MOST_POSITIONS = 2.0**52
BOOLEANS = ("false", "true")


@dataclass(frozen=True)
class ColumnCode:
    """How one column is written as levels ``0 … n_levels - 1``; the last level is *missing*.

    Attributes:
        column: the column.
        counts: float64 (n_levels,), training rows at each level.
        categories: of categorical and boolean columns.
        scale: of ordered columns: grid positions per unit (per day for dates).
        bins: of ordered columns.
    """

    column: Column
    counts: np.ndarray
    categories: tuple[str, ...] = ()
    scale: float = 1.0
    bins: Bins | None = None

    @property
    def n_levels(self) -> int:
        """Levels, missing included."""
        return len(self.counts)

    @property
    def missing(self) -> int:
        """The level that stands for a missing value."""
        return len(self.counts) - 1

    @classmethod
    def learn(cls, series: pd.Series, column: Column, *, max_bins: int = MAX_BINS) -> tuple["ColumnCode", np.ndarray]:
        """The code for ``series`` (conformed) and its levels, int32 ``(len(series),)``."""
        if column.kind.is_ordered:
            code = cls._ordered(series, column, max_bins)
        else:
            known = BOOLEANS if column.kind is Kind.BOOLEAN else tuple(column.categories or ())
            seen = sorted(set(as_text(series, column).dropna().astype(str)) - set(known))
            code = cls(column, np.zeros(len(known) + len(seen) + 1), categories=(*known, *seen))
            if column.kind is Kind.CATEGORICAL:
                column = column.model_copy(update={"categories": code.categories})
        levels = code.encode(series)
        counts = np.bincount(levels, minlength=code.n_levels).astype(np.float64)
        return cls(column, counts, code.categories, code.scale, code.bins), levels

    @classmethod
    def _ordered(cls, series: pd.Series, column: Column, max_bins: int) -> "ColumnCode":
        numbers = as_numbers(series, column)
        numbers = numbers[np.isfinite(numbers)]
        scale = _scale(numbers, column)
        low, high = _bounds(numbers, column, scale)
        if low is None or high is None:
            return cls(column, np.zeros(1), scale=scale)
        positions = np.clip(np.rint(numbers * scale), low, high).astype(np.int64)
        bins = make_bins(positions, low=low, high=high, max_bins=max_bins)
        return cls(column, np.zeros(len(bins) + 1), scale=scale, bins=bins)

    def encode(self, series: pd.Series) -> np.ndarray:
        """Levels of ``series``, int32 ``(len(series),)``; numbers outside the bounds count as at the bound."""
        if not self.column.kind.is_ordered:
            text = as_text(series, self.column).astype(object)
            levels = pd.Index(self.categories, dtype=object).get_indexer(pd.Index(text, dtype=object))
            return np.where(levels < 0, self.missing, levels).astype(np.int32)
        numbers = as_numbers(series, self.column)
        levels = np.full(len(series), self.missing, dtype=np.int32)
        present = np.isfinite(numbers)
        if self.bins is not None:
            positions = np.clip(np.rint(numbers[present] * self.scale), self.bins.first[0], self.bins.last[-1])
            levels[present] = self.bins.find(positions.astype(np.int64))
        return levels

    def cells(self) -> Cells | None:
        """Where inside its bin a value lies when nothing is asked of it; None for categories."""
        if self.bins is None:
            return None
        bins = self.bins
        return Cells.build(
            len(bins), level=bins.cell_bin, first=bins.cell_first, length=bins.cell_length, mass=bins.cell_mass,
            step=bins.cell_step,
            fallback_first=bins.first, fallback_length=bins.last - bins.first + 1,
        )  # fmt: skip

    def decode(self, levels: np.ndarray, *, cells: Cells | None, random: np.random.Generator) -> Any:
        """Values of ``levels`` as an array of the column's data frame type; ``cells`` place ordered values."""
        missing = levels == self.missing
        if self.column.kind is Kind.CATEGORICAL:
            codes: Any = np.where(missing, -1, levels)  # the stubs know only lists here
            return pd.Categorical.from_codes(codes, categories=pd.Index(self.categories, dtype=object))
        if self.column.kind is Kind.BOOLEAN:
            return pd.arrays.BooleanArray(levels == 1, missing)
        positions = np.zeros(len(levels), dtype=np.int64)
        if cells is not None:
            positions = cells.draw(np.where(missing, 0, levels), random)
        if self.column.kind is Kind.INTEGER:
            # The grid of numbers beyond 2^53 is coarser than 1.
            whole = positions if self.scale == 1 else np.rint(positions / self.scale).astype(np.int64)
            return pd.arrays.IntegerArray(np.where(missing, 0, whole), missing)
        if self.column.kind is Kind.DATE:
            seconds = (positions * round(SECONDS_PER_DAY / self.scale)).astype("datetime64[s]")
            seconds[missing] = np.datetime64("NaT")
            return seconds
        # A float divided by a power of ten is the float that the decimal text reads as.
        values = positions / self.scale
        values[missing] = np.nan
        return values

    def as_json(self) -> dict[str, Any]:
        """JSON values that :meth:`from_json` reads."""
        out: dict[str, Any] = {
            "column": self.column.model_dump(mode="json"),
            "counts": self.counts.tolist(),
            "categories": list(self.categories),
            "scale": self.scale,
        }
        if self.bins is not None:
            out["bins"] = {name: value.tolist() for name, value in vars(self.bins).items()}
        return out

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "ColumnCode":
        """The code that :meth:`as_json` wrote."""
        bins = None
        if "bins" in value:
            kind = {"cell_mass": np.float64}
            # Models of the first version have neighbouring positions only.
            parts = {"cell_step": [1] * len(value["bins"]["cell_first"]), **value["bins"]}
            bins = Bins(**{name: np.array(part, kind.get(name, np.int64)) for name, part in parts.items()})
        return cls(
            Column.model_validate(value["column"]), np.array(value["counts"], dtype=np.float64),
            tuple(value["categories"]), float(value["scale"]), bins,
        )  # fmt: skip


@dataclass(frozen=True)
class Encoding:
    """The codes of a table's features, in the schema's order."""

    columns: tuple[ColumnCode, ...]

    @classmethod
    def learn(
        cls, table: pd.DataFrame, schema: TableSchema, *, max_bins: int = MAX_BINS
    ) -> tuple["Encoding", np.ndarray]:
        """The encoding of the features of ``table`` and its levels, int32 ``(n_rows, n_columns)``.

        Raises:
            UserError: there are no rows or no features.
        """
        check_learnable(table, schema)
        learned = [ColumnCode.learn(table[column.name], column, max_bins=max_bins) for column in schema.features]
        return cls(tuple(code for code, _ in learned)), np.column_stack([levels for _, levels in learned])

    @property
    def schema(self) -> TableSchema:
        """The features as they are generated."""
        return TableSchema(columns=tuple(code.column for code in self.columns))

    @property
    def sizes(self) -> list[int]:
        """Levels of each column."""
        return [code.n_levels for code in self.columns]

    def position(self, name: str) -> int:
        """Index of the column called ``name``.

        Raises:
            UserError: there is none.
        """
        names = self.schema.names
        return names.index(self.schema[name].name)


def check_learnable(table: pd.DataFrame, schema: TableSchema) -> None:
    """Refuse what nothing can be learned from.

    Raises:
        UserError: there are no rows or no features.
    """
    if not schema.features:
        raise UserError("the table has no feature to learn", remedy="Give at least one column the role feature.")
    if not len(table):
        raise UserError("the table has no rows to learn from", remedy="Choose a table with patients in it.")


def _scale(numbers: np.ndarray, column: Column) -> float:
    """Grid positions per unit, few enough that floats tell all positions apart."""
    scale = _resolution(numbers, column)
    declared = [bound for bound in (column.minimum, column.maximum) if bound is not None and np.isfinite(bound)]
    reach = np.abs(np.array(declared if len(declared) == 2 else [*declared, *numbers, 0.0])).max()
    # Whole numbers are exact up to 2^53; decimals need a bit to spare.
    most = 2 * MOST_POSITIONS if column.kind is Kind.INTEGER else MOST_POSITIONS
    while reach * scale > most:
        scale /= 10
    return scale


def _resolution(numbers: np.ndarray, column: Column) -> float:
    """Grid positions per unit: 10 to the decimals that the column is recorded with, found in the values if unsaid."""
    if column.kind is Kind.INTEGER:
        return 1.0
    if column.kind is Kind.DATE:
        return 1.0 if np.all(numbers % 1 == 0) else float(SECONDS_PER_DAY)
    if column.decimals is not None:
        return 10.0 ** max(0, column.decimals)
    for decimals in range(MOST_DECIMALS + 1):
        if np.all(np.round(numbers, decimals) == numbers):
            return 10.0**decimals
    spread = float(np.ptp(numbers)) or 1.0
    # A continuous measurement: a million steps over its range.
    return 10.0 ** int(np.clip(np.ceil(6 - np.log10(spread)), 0, 12))


def _bounds(numbers: np.ndarray, column: Column, scale: float) -> tuple[int | None, int | None]:
    """Lowest and highest grid position; a declared bound wins over the values."""
    low: int | None = None
    high: int | None = None
    if len(numbers):
        low, high = int(np.rint(numbers.min() * scale)), int(np.rint(numbers.max() * scale))
    if column.minimum is not None and np.isfinite(column.minimum):
        low = int(np.ceil(column.minimum * scale - 1e-9))
        high = low if high is None else max(low, high)
    if column.maximum is not None and np.isfinite(column.maximum):
        high = int(np.floor(column.maximum * scale + 1e-9))
        low = high if low is None else min(low, high)
    return low, high
