"""The table as third-party packages take it: floats with NaN and short text codes, under neutral column names.

Names and categories are replaced by codes because the packages parse, strip or print them. Columns with nothing to
learn (constant or empty) stay outside: some packages fail on them.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, as_text
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, TableSchema

_MISSING = "missing"


@dataclass
class Exchange:
    """Translates between a conformed table and the packages' form of it.

    Attributes:
        frame: float64 columns for ordered kinds, object columns of codes for the others (missing is a code of its own).
        categorical: names of the object columns.
        moved: after :meth:`decode`, how many drawn values lay outside their column's range, by column.
    """

    schema: TableSchema
    frame: pd.DataFrame
    categorical: list[str]
    moved: dict[str, int] = field(default_factory=dict)
    _levels: dict[str, list[str | float]] = field(default_factory=dict)
    _fixed: dict[str, tuple[object, float]] = field(default_factory=dict)

    @classmethod
    def encode(cls, table: pd.DataFrame, schema: TableSchema) -> "Exchange":
        """The features of ``table`` (conformed to ``schema``) as the packages take them.

        Raises:
            UserError: there are no rows or no features.
        """
        features = TableSchema(columns=tuple(schema.features))
        if not features.columns:
            raise UserError("the table has no feature to learn", remedy="Give at least one column the role feature.")
        if not len(table):
            raise UserError("the table has no rows to learn from", remedy="Choose a table with patients in it.")
        exchange = cls(features, pd.DataFrame(index=range(len(table))), [])
        for number, column in enumerate(features.columns):
            exchange._encode(f"c{number}", table[column.name].reset_index(drop=True), column)
        return exchange

    def title(self, code: str) -> str:
        """The column's own name for a column of ``frame``."""
        return self.schema.columns[int(code[1:])].name

    def decode(self, drawn: pd.DataFrame, *, rows: int, random: np.random.Generator) -> pd.DataFrame:
        """``rows`` drawn rows as a frame conformed to ``schema``; unlearned columns are filled in at their own rate.

        Numbers are rounded to the column's decimals and moved to the edge of its declared range.
        """
        self.moved = {}
        return pd.DataFrame(
            {
                column.name: self._decode(f"c{number}", column, drawn, rows, random)
                for number, column in enumerate(self.schema.columns)
            }
        )

    def _encode(self, code: str, series: pd.Series, column: Column) -> None:
        missing = series.isna().to_numpy()
        if column.kind.is_ordered:
            values = pd.Series(as_numbers(series, column))
            constant = values.nunique() < 2
        else:
            text = as_text(series, column).astype(object)
            # Plain Python: pandas takes a text of one NUL for the empty text when it counts and maps.
            levels = sorted({level for level, gap in zip(text, missing, strict=True) if not gap})
            constant = len(levels) + bool(missing.any()) < 2
            codes = {level: f"v{place}" for place, level in enumerate(levels)}
            values = pd.Series([_MISSING if gap else codes[level] for level, gap in zip(text, missing, strict=True)])
        if constant:
            present = series[~missing]
            value = None if present.empty else values[~missing].iloc[0]
            self._fixed[code] = (value, float(missing.mean()))
            if not column.kind.is_ordered:
                self._levels[code] = levels
            return
        if not column.kind.is_ordered:
            self._levels[code] = levels
            self.categorical.append(code)
        self.frame[code] = values

    def _decode(
        self, code: str, column: Column, drawn: pd.DataFrame, rows: int, random: np.random.Generator
    ) -> pd.Series:
        if code in self._fixed:
            value, missing_share = self._fixed[code]
            missing = random.random(rows) < missing_share
            absent = np.nan if column.kind.is_ordered else _MISSING
            values = pd.Series([value if value is not None else absent] * rows)
            values = values.mask(missing, absent)
        else:
            values = drawn[code].reset_index(drop=True)
        return self._numbers(values, column) if column.kind.is_ordered else self._labels(values, code, column)

    def _labels(self, values: pd.Series, code: str, column: Column) -> pd.Series:
        names = {f"v{place}": level for place, level in enumerate(self._levels[code])}
        text = values.astype(object).map(names)
        if column.kind is Kind.BOOLEAN:
            return text.map({"true": True, "false": False}).astype("boolean")
        known = list(column.categories or ())
        known += [str(level) for level in self._levels[code] if level not in set(known)]
        return pd.Series(pd.Categorical(text, categories=pd.Index(known, dtype=object)))

    def _numbers(self, values: pd.Series, column: Column) -> pd.Series:
        numbers = pd.to_numeric(values, errors="coerce").astype("float64")
        numbers = numbers.where(np.isfinite(numbers))
        if column.kind is not Kind.NUMERIC:
            numbers = numbers.round()
        elif column.decimals is not None:
            numbers = numbers.round(column.decimals)
        low, high = column.minimum, column.maximum
        if column.kind is not Kind.NUMERIC:
            low = None if low is None else math.ceil(low)
            high = None if high is None else math.floor(high)
        inside = numbers.clip(lower=low, upper=high)
        moved = int((inside != numbers).sum() - numbers.isna().sum())
        if moved:
            self.moved[column.name] = moved
        if column.kind is Kind.INTEGER:
            return inside.astype("Int64")
        if column.kind is Kind.DATE:
            seconds = inside.to_numpy() * 86_400
            known = np.isfinite(seconds)
            stamps = np.where(known, seconds, 0).astype("int64").astype("datetime64[s]")
            return pd.Series(stamps).where(pd.Series(known))
        return inside
