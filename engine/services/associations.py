"""How strongly the columns of a data set go with a diagnosis, for lists of important columns; aggregates only.

Measured on the real table, so it is not covered by any model's epsilon. Kept in the data set's folder, because the chat
asks for it again with every request, for as long as table and small-cell minimum stay the same. Of a source that ships
without rows it is read from the private summary of its model.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from engine.cohort.conditions import as_numbers, compile_conditions
from engine.cohort.predicate import satisfied
from engine.cohort.spec import CohortSpec, Criterion
from engine.core.errors import UserError
from engine.core.workspace import read_json, write_json
from engine.evaluation.associations import Coding, correlation_ratio, cramers_v
from engine.evaluation.summarised.associations import strengths as of_summary
from engine.privacy.summary import summary_of
from engine.schema.table import TableSchema
from engine.storage.sources import TABLE, has_rows
from engine.storage.tables import read_table

LEAST_ROWS = 30
"""Of a pair with both values; fewer make no association."""
_DIGITS = 2


class TableAssociations:
    """The associations of one data set: ``associations(criterion)`` gives column → strength, 0 to 1."""

    def __init__(self, folder: Path, *, small_cell_minimum: int) -> None:
        self._folder = folder
        self._minimum = small_cell_minimum

    def __call__(self, diagnosis: Criterion) -> Mapping[str, float]:
        """Strength of each column's association with ``diagnosis``; empty where too few patients have or lack it."""
        if not has_rows(self._folder):
            return of_summary(summary_of(self._folder), diagnosis, small_cell_minimum=self._minimum)
        path, table_path = self._folder / "associations.json", self._folder / TABLE
        file = table_path.stat()
        # What was measured on an earlier preparation, or with another minimum, does not hold any more.
        measured_on = {"small_cell_minimum": self._minimum, "table": [file.st_mtime_ns, file.st_size]}
        kept = read_json(path) if path.is_file() else {}
        if kept.get("measured_on") != measured_on:
            kept = {"measured_on": measured_on, "strengths": {}}
        key = json.dumps(CohortSpec(criteria=(diagnosis,)).as_json()["criteria"][0], sort_keys=True)
        if key not in kept["strengths"]:
            table, schema = read_table(table_path)
            kept["strengths"][key] = strengths(table, schema, diagnosis, small_cell_minimum=self._minimum)
            write_json(path, kept)
        return kept["strengths"][key]


def strengths(
    table: pd.DataFrame, schema: TableSchema, diagnosis: Criterion, *, small_cell_minimum: int
) -> dict[str, float]:
    """Column → association with having ``diagnosis``: the correlation ratio of numbers, Cramér's V of the rest.

    Each patient counts once, with the first row. Rounded to two digits; what is not assessable, or no stronger than
    chance makes it (two standard errors, 2/√n), is left out. Empty where fewer than ``small_cell_minimum`` patients
    have the diagnosis, or lack it.
    """
    try:
        conditions = compile_conditions(CohortSpec(criteria=(diagnosis,)), schema)
    except UserError:
        return {}  # a code that no patient of the source has
    if schema.patient_key:
        table = table.drop_duplicates(schema.patient_key)
    has = satisfied(table, conditions, schema)
    recorded = table[diagnosis.column].notna().to_numpy()
    if min(has.sum(), (~has & recorded).sum()) < small_cell_minimum:
        return {}
    group = np.where(recorded, has.astype(int), -1)
    columns = [column for column in schema.features if column.name != diagnosis.column]
    coding = Coding.of(table, columns, least=small_cell_minimum)
    found: dict[str, float] = {}
    for column in columns:
        if column.kind.is_ordered:
            numbers = as_numbers(table[column.name], column)[:, None]
            strength = float(correlation_ratio(group, numbers, least_rows=LEAST_ROWS)[0])
        else:
            strength = cramers_v(group, coding.codes(table, column), least_rows=LEAST_ROWS)
        both = int((recorded & table[column.name].notna().to_numpy()).sum())
        if not np.isnan(strength) and strength > 2 / np.sqrt(both):
            found[column.name] = round(strength, _DIGITS)
    return found
