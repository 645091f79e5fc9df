"""The privacy budget of jobs: which source pays for a data set, and what ended without its worker telling so."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.core.workspace import Workspace
from engine.generators.base import Capability
from engine.jobs.queue import LeaseLostError
from engine.jobs.reporting import StoppedError
from engine.privacy.accounts import Account, RunState
from engine.privacy.ledger import Ledger
from engine.privacy.runs import Budget, PrivateRun, asked_budget, settle_from
from engine.privacy.sources import Membership
from engine.storage.database import Database
from engine.storage.records import DatasetRecord, JobState, jobs
from engine.storage.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

    from engine.generators.base import Generator
    from engine.jobs.records import JobRecord
    from engine.schema.table import TableSchema

_ENDED = (JobState.FAILED, JobState.CANCELLED)


def enter(ledger: Ledger, workspace: Workspace, dataset: DatasetRecord) -> Membership:
    """The source that pays for a prepared data set; entered now where an earlier version prepared it."""
    known = ledger.source_of(kind="dataset", reference=dataset.id)
    if known is not None:
        return known
    table, schema = read_table(workspace.dataset(dataset.id) / "table.parquet")
    return ledger.register(kind="dataset", reference=dataset.id, name=dataset.name, table=table, schema=schema)


def budget_of(generator: "Generator", options: Mapping[str, Any]) -> Budget | None:
    """What a training with ``options`` asks for; None without formal privacy.

    Raises:
        UserError: see :func:`engine.privacy.runs.asked_budget`.
    """
    capable = Capability.DIFFERENTIAL_PRIVACY in generator.capabilities
    return asked_budget(options, capable=capable, generator=generator.name)


def identity_of(
    generator: "Generator", table: "pd.DataFrame", schema: "TableSchema", *, seed: int, options: Mapping[str, Any]
) -> str | None:
    """The identity of the release that a fit would make, where the generator can tell it before measuring."""
    tell = getattr(generator, "privacy_identity", None)
    return None if tell is None else tell(table, schema, seed=seed, options=options)


def private_run(
    ledger: Ledger,
    workspace: Workspace,
    *,
    job: "JobRecord",
    dataset: DatasetRecord,
    budget: Budget,
    label: str,
    identity: str | None,
) -> PrivateRun:
    """The budget of a training job; every attempt at the job is the same run."""
    source = enter(ledger, workspace, dataset).source
    settle_ended(ledger, workspace, source)
    return PrivateRun(
        ledger, source=source, run_id=job.id, budget=budget, label=label, checkpoint=workspace.job(job.id),
        identity=identity, goes_on=(StoppedError, LeaseLostError),
    )  # fmt: skip


def settle_ended(ledger: Ledger, workspace: Workspace, source: str) -> Account:
    """Settle reservations of jobs that ended while no worker could tell: killed too often, or cancelled while dead."""
    account = ledger.account(source)
    held = [run.run_id for run in account.runs if run.state is RunState.RESERVED]
    if not held:
        return account
    with ledger.database.reading() as connection:
        ended = connection.execute(select(jobs.c.id).where(jobs.c.id.in_(held), jobs.c.state.in_(_ENDED))).scalars()
        ended = list(ended)
    for run_id in ended:
        settle_from(ledger, run_id, workspace.job(run_id))
    return ledger.account(source) if ended else account


def dataset_account(ledger: Ledger, database: Database, workspace: Workspace, dataset_id: str) -> Account:
    """The account that pays for a prepared data set, with nothing reserved that will not be spent."""
    source = enter(ledger, workspace, database.dataset(dataset_id)).source
    return settle_ended(ledger, workspace, source)
