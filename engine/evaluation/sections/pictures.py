"""The sections that need no model and are there first: distributions, Table 1 and the rules of plausibility."""

from typing import Any

from engine.core.progress import Progress
from engine.evaluation import table_one as table
from engine.evaluation.plausibility import plausibility
from engine.evaluation.study import Study
from engine.evaluation.tables import HOLDOUT, REAL
from engine.schema.table import TableSchema


def columns(study: Study, progress: Progress) -> list[dict[str, Any]]:
    """One entry per feature column (:mod:`engine.evaluation.columns`)."""
    progress.update(0.0, "Distributions")
    return study.entries


def table_one(study: Study, progress: Progress) -> dict[str, Any]:
    """:func:`engine.evaluation.table_one.table_one`, the real rows weighted where the cohort has set proportions."""
    progress.update(0.0, "Table 1")
    weights = {REAL: study.weights.values, HOLDOUT: study.holdout_weights.values}
    told = study.reference.as_dict(study.train, study.held, study.schema, minimum=study.minimum)
    rows = {REAL: told["train_rows"], HOLDOUT: told["holdout_rows"]}
    return table.table_one(
        study.samples,
        study.columns,
        minimum=study.minimum,
        weights={name: values for name, values in weights.items() if values is not None},
        # What the reference does not tell must not be read off here.
        counted=[name for name, count in rows.items() if count is not None],
    )


def rules(study: Study, progress: Progress) -> dict[str, Any]:
    """:func:`engine.evaluation.plausibility.plausibility` of the three tables."""
    progress.update(0.0, "Rules of plausibility")
    return plausibility(study.weighted, TableSchema(columns=study.columns), minimum=study.minimum)
