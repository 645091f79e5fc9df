"""The step of a bake-off; like every step it may have been killed before, and keeps what is finished."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.core.progress import Part, Progress
from engine.core.settings import settings
from engine.core.workspace import Workspace, read_json, write_json
from engine.jobs.contenders import Contender, Contest
from engine.jobs.contest import hold
from engine.jobs.fitting import fit
from engine.jobs.logs import places
from engine.jobs.records import JobRecord
from engine.jobs.tables import patient_table, ready_dataset, split
from engine.storage.database import Database

if TYPE_CHECKING:
    from engine.generators.base import FitReport, Generator

log = logging.getLogger(__name__)


def bake_off(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Hold the bake-off ``job.subject``. Payload: ``{"dataset_id"}`` and what :meth:`Contest.as_json` gives.

    Every contender learns the training part of the data set's split, as a training would. The result is published
    contender by contender.
    """
    from engine.jobs.budget import checkpoint_of, run_of

    contest = Contest.from_json(job.payload)
    progress.update(0.0, "Reading the patient table")
    dataset = ready_dataset(database, job.payload["dataset_id"])
    table, schema = patient_table(workspace, dataset)
    parts = split(workspace, dataset.id)
    train, holdout = (table.iloc[parts[name]].reset_index(drop=True) for name in ("train", "holdout"))
    file = workspace.bake_off(job.subject)

    def fitted(contender: Contender, generator: "Generator", *, progress: Progress) -> "FitReport":
        return fit(
            generator, train, schema, run_id=run_of(job.id, contender.key), dataset=dataset, seed=contest.seed,
            options=contender.options, workspace=workspace, database=database, progress=progress,
        )  # fmt: skip

    def folder(key: str) -> Path:
        return checkpoint_of(workspace, run_of(job.id, key))

    def publish(result: dict[str, Any]) -> None:
        write_json(file, result)

    hold(
        contest, train=train, holdout=holdout, schema=schema, minimum=settings().small_cell_minimum, folders=folder,
        fit=fitted, before=read_json(file) if file.exists() else None, publish=publish,
        failed=lambda what, error: log.error("%s of job %s failed\n%s", what, job.id, places(error)),
        progress=Part(progress, 0.01, 0.99),
    )  # fmt: skip
