"""The job that writes a cohort's report as a document: the internal view of its comparison, or the release view."""

from typing import TYPE_CHECKING

from engine.core.errors import UserError
from engine.core.progress import Progress
from engine.core.workspace import Workspace, read_json
from engine.jobs.records import JobRecord
from engine.storage.database import Database
from engine.storage.records import CohortRecord, State

if TYPE_CHECKING:
    from engine.reports.content import Report
    from engine.reports.facts import Facts


def write_report(job: JobRecord, /, *, workspace: Workspace, database: Database, progress: Progress) -> None:
    """Write the document of the payload ``{"cohort_id", "view", "format"}``.

    ``view``: ``"internal"`` or ``"release"``; ``format``: ``"html"`` or ``"pdf"``. It appears whole, at
    :meth:`Workspace.document`.
    """
    from engine.reports.content import FORMATS, VIEWS
    from engine.reports.writing import write

    view, format = job.payload["view"], job.payload["format"]
    if view not in VIEWS or format not in FORMATS:
        raise UserError(f"there is no report of view {view!r} as {format!r}", remedy="Choose one that is offered.")
    cohort = database.cohort(job.payload["cohort_id"])
    if cohort.state is not State.READY:
        raise UserError(f"cohort {cohort.id} is not generated", remedy="Generate it first.")
    progress.update(0.0, "Reading the cohort")
    facts = _facts(cohort, workspace, database)
    progress.update(0.2, "Drawing the figures")
    made = _internal(cohort, facts, workspace) if view == "internal" else _release(cohort, facts, workspace)
    progress.update(0.8, "Setting the pages")
    write(made, workspace.document(cohort.id, view, format))


def _internal(cohort: CohortRecord, facts: "Facts", workspace: Workspace) -> "Report":
    from engine.reports.views import internal

    path = workspace.comparison(cohort.id)
    if not path.exists():
        raise UserError("this cohort is not compared with real rows yet", remedy="Open Compare first.")
    return internal(read_json(path), facts)


def _release(cohort: CohortRecord, facts: "Facts", workspace: Workspace) -> "Report":
    from engine.cohort.spec import CohortSpec
    from engine.core.randomness import generator
    from engine.jobs.comparing import MOST_SYNTHETIC_ROWS
    from engine.reports.views import release
    from engine.storage.tables import read_schema, row_count, sampled_rows

    path = workspace.cohort(cohort.id) / "cohort.parquet"
    seed = CohortSpec.model_validate(cohort.spec).seed
    rows = sampled_rows(path, MOST_SYNTHETIC_ROWS, random=generator(seed, "described rows"))
    return release(rows, read_schema(path), facts, rows_in_all=row_count(path))


def _facts(cohort: CohortRecord, workspace: Workspace, database: Database) -> "Facts":
    from engine.jobs.budget import settle_ended
    from engine.privacy.ledger import Ledger
    from engine.reports.facts import Facts

    folder = workspace.cohort(cohort.id)
    ledger = Ledger(database, workspace)
    booked = ledger.source_of(kind="dataset", reference=cohort.dataset_id)
    return Facts(
        sentence=cohort.name,
        manifest=read_json(folder / "manifest.json"),
        account=None if booked is None else settle_ended(ledger, workspace, booked.source),
        analyses=tuple(read_json(path) for path in sorted((folder / "outcomes").glob("*.json"))),
    )
