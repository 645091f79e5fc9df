"""Values that cannot be: dropped to missing and counted, never moved to a bound."""

from dataclasses import dataclass

import pandas as pd

from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, Role, TableSchema

_EPOCH = pd.Timestamp("1970-01-01")


@dataclass(frozen=True)
class Dropped:
    """How many values of a column lay outside its plausible range."""

    count: int
    low: float | None
    high: float | None


def drop_impossible(table: pd.DataFrame, schema: TableSchema) -> tuple[pd.DataFrame, dict[str, Dropped]]:
    """``table`` (conformed) with impossible values missing, and the count for every column that has a plausible range.

    Bounds that were read from the rows themselves say nothing about what is possible; only declared bounds and those
    of the catalogue (same name, same unit) are applied.
    """
    cleaned = table.copy(deep=False)
    dropped = {}
    for column in schema.columns:
        bounds = plausible_range(column)
        if bounds is None:
            continue
        low, high = bounds
        values = _as_numbers(table[column.name])
        outside = pd.Series(False, index=table.index)
        if low is not None:
            outside |= (values < low).fillna(False).astype(bool)
        if high is not None:
            outside |= (values > high).fillna(False).astype(bool)
        if outside.any():
            cleaned[column.name] = table[column.name].mask(outside)
        dropped[column.name] = Dropped(int(outside.sum()), low, high)
    return cleaned, dropped


def plausible_range(column: Column) -> tuple[float | None, float | None] | None:
    """Lowest and highest possible value of a feature in its unit (days since 1970 for dates); None without any."""
    if column.role is not Role.FEATURE or not column.kind.is_ordered:
        return None
    if column.bounds_are_public:
        known = column
    elif column.kind is not Kind.DATE and column.name in catalogue():
        known = catalogue().column(column.name)
        if known.unit != column.unit:
            return None
    else:
        return None
    return None if known.minimum is None and known.maximum is None else (known.minimum, known.maximum)


def _as_numbers(values: pd.Series) -> pd.Series:
    if pd.api.types.is_datetime64_any_dtype(values):
        return (values - _EPOCH) / pd.Timedelta(days=1)
    return values.astype("Float64")
