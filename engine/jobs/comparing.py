"""The jobs that compare a cohort with the real rows of its data set, or with the summary that ships in their place."""

import logging
from functools import partial
from typing import Any

from engine.core.errors import UserError
from engine.core.progress import Part, Progress
from engine.core.settings import settings
from engine.core.workspace import Workspace, write_json
from engine.jobs.logs import places
from engine.jobs.records import JobRecord
from engine.jobs.tables import patient_table, ready_dataset, split
from engine.storage.database import Database
from engine.storage.records import SHIPPED, CohortRecord, State

log = logging.getLogger(__name__)

MOST_SYNTHETIC_ROWS = 100_000
"""Of a larger cohort so many rows, drawn at random, are compared: its figures move in the third digit, and the time and
memory of a comparison do not grow with the cohort."""


def compare(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Compare the cohort of the payload (``{"cohort_id"}``).

    The report is published after each section, so that what is there can be looked at. A section that fails says so in
    it and does not end the job.
    """
    from engine.evaluation import report
    from engine.evaluation.summarised.report import compare as compare_with_summary
    from engine.privacy.summary import summary_of

    cohort = _ready_cohort(job, database)
    file = workspace.comparison(cohort.id)
    dataset = ready_dataset(database, cohort.dataset_id)
    if dataset.source == SHIPPED:
        progress.update(0.0, "Reading the cohort")
        synthetic, spec, sampled = _synthetic(cohort, workspace)
        # The model's own: that of the data set is the newest version's, which the cohort may not be drawn from.
        run = partial(compare_with_summary, summary_of(workspace.model(cohort.model_id)), synthetic)
    else:
        tables, spec, sampled = _tables(job, workspace, database, progress)
        run = partial(report.compare, *tables)
    run(
        spec=spec, small_cell_minimum=settings().small_cell_minimum, progress=Part(progress, 0.02, 0.98),
        publish=lambda found: write_json(file, found | {"notes": [*sampled, *found["notes"]]}),
        failed=lambda name, error: log.error("section %s of job %s failed\n%s", name, job.id, places(error)),
    )  # fmt: skip


def outcome(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Analyse one outcome of a cohort. Payload: ``{"cohort_id", "outcome"}``, the outcome's key."""
    from engine.evaluation.report import analyse

    tables, spec, sampled = _tables(job, workspace, database, progress)
    key = str(job.payload["outcome"])
    found = analyse(
        *tables, key, spec=spec, small_cell_minimum=settings().small_cell_minimum, progress=Part(progress, 0.02, 0.98)
    )
    write_json(workspace.outcome(job.payload["cohort_id"], key), noted(found, sampled))


def noted(analysis: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """The analysis of an outcome with further ``notes`` in each of its parts that has some."""
    for part in (analysis[name] for name in ("utility", "conclusion", "survival")):
        if part is not None and "notes" in part:  # else it says only why there is none
            part["notes"] = [*part["notes"], *notes]
    return analysis


def sampling_notes(compared: int, made: int) -> list[str]:
    """That ``compared`` of the cohort's ``made`` rows are compared; nothing where these are all."""
    if made <= compared:
        return []
    return [
        f"Compared are {compared:,} of the cohort's {made:,} synthetic rows, drawn at random: figures and counts of "
        "synthetic patients are those of the drawn rows."
    ]


def _tables(
    job: JobRecord, workspace: Workspace, database: Database, progress: Progress
) -> tuple[tuple[Any, Any, Any, Any], Any, list[str]]:
    """Training, hold-out and synthetic rows with the real schema; the cohort's spec; what was sampled, in words."""
    cohort = _ready_cohort(job, database)
    progress.update(0.0, "Reading the tables")
    dataset = ready_dataset(database, cohort.dataset_id)
    real, schema = patient_table(workspace, dataset)
    rows = split(workspace, dataset.id)
    synthetic, spec, sampled = _synthetic(cohort, workspace)
    return (real.iloc[rows["train"]], real.iloc[rows["holdout"]], synthetic, schema), spec, sampled


def _ready_cohort(job: JobRecord, database: Database) -> CohortRecord:
    cohort = database.cohort(job.payload["cohort_id"])
    if cohort.state is not State.READY:
        raise UserError(f"cohort {cohort.id} is not generated", remedy="Generate it first.")
    return cohort


def _synthetic(cohort: CohortRecord, workspace: Workspace) -> tuple[Any, Any, list[str]]:
    """Its rows, its spec, and what was sampled, in words."""
    from engine.cohort.spec import CohortSpec
    from engine.core.randomness import generator
    from engine.storage.tables import row_count, sampled_rows

    spec = CohortSpec.model_validate(cohort.spec)
    path = workspace.cohort(cohort.id) / "cohort.parquet"
    synthetic = sampled_rows(path, MOST_SYNTHETIC_ROWS, random=generator(spec.seed, "compared rows"))
    return synthetic, spec, sampling_notes(len(synthetic), row_count(path))
