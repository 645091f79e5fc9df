"""What the Data page shows of a real table: aggregates under the rules of :mod:`engine.evaluation.cells`."""

from typing import Any

import pandas as pd

from engine.evaluation.cells import Sample
from engine.evaluation.columns import describe
from engine.evaluation.tables import REAL
from engine.schema.table import Column, TableSchema


def profile(table: pd.DataFrame, schema: TableSchema, *, small_cell_minimum: int) -> list[dict[str, Any]]:
    """One entry per feature column of ``table`` (conformed to ``schema``), as :mod:`engine.evaluation.columns` says.

    Besides, ``present``: share of rows with a value (None where it would tell of few patients), and ``description``.
    """
    sample = Sample.of(table, schema)
    return [_entry(sample, column, small_cell_minimum) for column in schema.features if column.name in table.columns]


def _entry(sample: Sample, column: Column, minimum: int) -> dict[str, Any]:
    entry = describe({REAL: sample}, column, minimum=minimum)
    missing = entry["missing"][REAL]
    return entry | {"present": None if missing is None else round(1 - missing, 6), "description": column.description}
