"""Fitting a generator in a job: with what its privacy costs reserved before anything is measured."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from engine.core.progress import Part, Progress
from engine.core.workspace import Workspace
from engine.storage.database import Database
from engine.storage.records import DatasetRecord

if TYPE_CHECKING:
    import pandas as pd

    from engine.generators.base import FitReport, Generator
    from engine.schema.table import TableSchema


def fit(
    generator: "Generator",
    rows: "pd.DataFrame",
    schema: "TableSchema",
    *,
    run_id: str,
    dataset: DatasetRecord,
    seed: int,
    options: Mapping[str, Any],
    workspace: Workspace,
    database: Database,
    progress: Progress,
) -> "FitReport":
    """Teach ``generator`` the ``rows``; an interrupted fit of the same ``run_id`` continues from its checkpoint.

    A private fit reserves its budget first and is settled in every ending; ``run_id``: of
    :func:`engine.jobs.budget.run_of`.

    Raises:
        UserError: the budget does not allow it, or the table cannot be learned.
    """
    from engine.jobs.budget import budget_of, checkpoint_of, identity_of, private_run
    from engine.privacy.ledger import Ledger

    budget = budget_of(generator, options)
    part = Part(progress, 0.01, 1.0)

    def learned() -> "FitReport":
        return generator.fit(
            rows, schema, seed=seed, options=options, progress=part, checkpoint=checkpoint_of(workspace, run_id)
        )

    if budget is None:
        return learned()
    progress.update(0.0, "Reserving the privacy budget")
    run = private_run(
        Ledger(database, workspace), workspace, run_id=run_id, dataset=dataset, budget=budget, label=generator.label,
        identity=identity_of(generator, rows, schema, seed=seed, options=options),
    )  # fmt: skip
    with run:
        report = learned()
        run.finished(report)
    return report
