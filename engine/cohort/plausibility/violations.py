"""The rows of a table that break the plausibility rules."""

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from engine.cohort.plausibility.binding import BoundRule, bind
from engine.cohort.plausibility.checkers import Cells, Verdict, check
from engine.cohort.plausibility.rules import Severity
from engine.schema.table import TableSchema

_PARTS = ("known", "broken")
BLOCK = 100_000
"""Rows judged at a time: the cells that rules read are held twice."""


def rules_for(schema: TableSchema, severity: Severity | None = None) -> tuple[BoundRule, ...]:
    """The rules that can be asked of a table, of one severity or of all."""
    return tuple(one for one in bind(schema) if severity is None or one.rule.severity == severity)


def verdicts(frame: pd.DataFrame, rules: Iterable[BoundRule]) -> dict[str, Verdict]:
    """Rule id → where the rule can be judged and where it is broken, boolean (n_rows,) each.

    ``frame`` is conformed to the schema that the rules are bound to.
    """
    bound = list(rules)
    parts = []
    for block in blocks(frame):
        cells = Cells(block)
        parts.append([check(one, cells) for one in bound])
    return {
        one.rule.id: Verdict(*(np.concatenate([getattr(part[at], name) for part in parts]) for name in _PARTS))
        for at, one in enumerate(bound)
    }


def violations(frame: pd.DataFrame, schema: TableSchema) -> dict[str, np.ndarray]:
    """Rule id → the rows that break it, boolean (n_rows,), for every rule that the columns allow to be asked.

    ``frame`` is conformed to ``schema``. A missing value never breaks a rule.
    """
    return {name: verdict.broken for name, verdict in verdicts(frame, rules_for(schema)).items()}


def any_broken(frame: pd.DataFrame, rules: Iterable[BoundRule]) -> np.ndarray:
    """The rows that break at least one of ``rules``, boolean (n_rows,)."""
    found = [verdict.broken for verdict in verdicts(frame, rules).values()]
    return np.logical_or.reduce(found) if found else np.zeros(len(frame), dtype=bool)


def blocks(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    """``frame`` in parts of at most :data:`BLOCK` rows, at least one."""
    for start in range(0, max(len(frame), 1), BLOCK):
        yield frame if len(frame) <= BLOCK else frame.iloc[start : start + BLOCK]
