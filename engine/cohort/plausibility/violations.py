"""The rows of a table that break the plausibility rules."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from engine.cohort.plausibility.binding import BoundRule, bind
from engine.cohort.plausibility.checkers import Cells, Verdict, check
from engine.cohort.plausibility.rules import Severity
from engine.schema.table import TableSchema


def rules_for(schema: TableSchema, severity: Severity | None = None) -> tuple[BoundRule, ...]:
    """The rules that can be asked of a table, of one severity or of all."""
    return tuple(one for one in bind(schema) if severity is None or one.rule.severity == severity)


def verdicts(frame: pd.DataFrame, rules: Iterable[BoundRule]) -> dict[str, Verdict]:
    """Rule id → where the rule can be judged and where it is broken, boolean (n_rows,) each.

    ``frame`` is conformed to the schema that the rules are bound to.
    """
    cells = Cells(frame)
    return {one.rule.id: check(one, cells) for one in rules}


def violations(frame: pd.DataFrame, schema: TableSchema) -> dict[str, np.ndarray]:
    """Rule id → the rows that break it, boolean (n_rows,), for every rule that the columns allow to be asked.

    ``frame`` is conformed to ``schema``. A missing value never breaks a rule.
    """
    return {name: verdict.broken for name, verdict in verdicts(frame, rules_for(schema)).items()}


def any_broken(frame: pd.DataFrame, rules: Iterable[BoundRule]) -> np.ndarray:
    """The rows that break at least one of ``rules``, boolean (n_rows,)."""
    cells = Cells(frame)
    broken = np.zeros(len(frame), dtype=bool)
    for one in rules:
        broken |= check(one, cells).broken
    return broken
