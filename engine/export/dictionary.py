"""The data dictionary of an export: one row per column, in the words of the schema."""

import pandas as pd

from engine.schema.table import Column, TableSchema

_MOST_CATEGORIES = 40


def data_dictionary(schema: TableSchema) -> pd.DataFrame:
    """Columns ``name``, ``label``, ``kind``, ``unit``, ``minimum``, ``maximum``, ``reference_range``, ``categories``,
    ``loinc``, ``description``; text throughout, empty where there is nothing to say.
    """  # noqa: D205 - the list of columns is the summary
    return pd.DataFrame([_row(column) for column in schema.columns])


def _row(column: Column) -> dict[str, str]:
    return {
        "name": column.name,
        "label": column.label,
        "kind": column.kind.value,
        "unit": column.unit or "",
        "minimum": _bound(column.minimum),
        "maximum": _bound(column.maximum),
        "reference_range": _span(column.reference_low, column.reference_high),
        "categories": _categories(column),
        "loinc": column.loinc or "",
        "description": column.description,
    }


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{low:g} to {high:g}"


def _categories(column: Column) -> str:
    if not column.categories:
        return ""
    shown = "; ".join(column.categories[:_MOST_CATEGORIES])
    left = len(column.categories) - _MOST_CATEGORIES
    return f"{shown}; and {left} more" if left > 0 else shown
