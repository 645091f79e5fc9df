"""Which rows of a table satisfy a spec, and how many remain after each criterion."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition, compile_conditions
from engine.cohort.spec import CohortSpec
from engine.schema.table import TableSchema


@dataclass(frozen=True)
class AttritionStep:
    """Rows and patients left after a criterion (the first step is the whole table)."""

    criterion: str
    rows: int
    patients: int


def satisfied(frame: pd.DataFrame, conditions: Mapping[str, Condition], schema: TableSchema) -> np.ndarray:
    """Boolean array of ``len(frame)``: the rows that satisfy every condition. ``frame`` is conformed."""
    good = np.ones(len(frame), dtype=bool)
    for name, condition in conditions.items():
        good &= condition.satisfied(frame[name], schema[name])
    return good


def attrition(frame: pd.DataFrame, spec: CohortSpec, schema: TableSchema) -> list[AttritionStep]:
    """Rows and patients left as the spec's criteria are applied one after the other.

    Raises:
        UserError: as :func:`engine.cohort.conditions.compile_conditions`.
    """
    steps = [AttritionStep("all", len(frame), _patients(frame, np.ones(len(frame), dtype=bool), schema))]
    good = np.ones(len(frame), dtype=bool)
    for criterion in spec.criteria:
        alone = CohortSpec(criteria=(criterion,))
        good = good & satisfied(frame, compile_conditions(alone, schema), schema)
        steps.append(AttritionStep(criterion.column, int(good.sum()), _patients(frame, good, schema)))
    return steps


def _patients(frame: pd.DataFrame, good: np.ndarray, schema: TableSchema) -> int:
    key = schema.patient_key
    return int(frame.loc[good, key].nunique()) if key else int(good.sum())
