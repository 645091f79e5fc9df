"""The privacy budget of jobs: which source pays for a data set, and what ended without its worker telling so."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.core.workspace import Workspace
from engine.generators.base import Capability
from engine.jobs.queue import LeaseLostError
from engine.jobs.reporting import StoppedError
from engine.jobs.tables import refuse_without_rows
from engine.privacy.accounts import Account, RunState
from engine.privacy.ledger import Ledger
from engine.privacy.runs import Budget, PrivateRun, asked_budget, settle_from
from engine.privacy.sources import Membership
from engine.storage.database import Database
from engine.storage.records import DatasetRecord, JobState, jobs
from engine.storage.sources import TABLE
from engine.storage.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

    from engine.generators.base import Generator
    from engine.schema.table import TableSchema

_ENDED = (JobState.FAILED, JobState.CANCELLED)


def enter(ledger: Ledger, workspace: Workspace, dataset: DatasetRecord) -> Membership:
    """The source that pays for a prepared data set; entered now where an earlier version prepared it."""
    known = ledger.source_of(kind="dataset", reference=dataset.id)
    if known is not None:
        return known
    refuse_without_rows(dataset)
    table, schema = read_table(workspace.dataset(dataset.id) / TABLE)
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
    run_id: str,
    dataset: DatasetRecord,
    budget: Budget,
    label: str,
    identity: str | None,
) -> PrivateRun:
    """The budget of a training; every attempt of its job is the same run (see :func:`run_of`)."""
    source = enter(ledger, workspace, dataset).source
    settle_ended(ledger, workspace, source)
    return PrivateRun(
        ledger, source=source, run_id=run_id, budget=budget, label=label, checkpoint=checkpoint_of(workspace, run_id),
        identity=identity, goes_on=(StoppedError, LeaseLostError),
    )  # fmt: skip


def run_of(job_id: str, part: str = "") -> str:
    """What the ledger calls a training of a job; ``part`` names one of several in the same job."""
    return f"{job_id}-{part}" if part else job_id


def checkpoint_of(workspace: Workspace, run_id: str) -> Path:
    """The folder of a training's checkpoints, created where it is missing."""
    job_id, _, part = run_id.partition("-")
    folder = workspace.job(job_id) / part
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def settle_ended(ledger: Ledger, workspace: Workspace, source: str) -> Account:
    """Settle reservations of jobs that ended while no worker could tell: killed too often, or cancelled while dead."""
    account = ledger.account(source)
    held = [run.run_id for run in account.runs if run.state is RunState.RESERVED]
    if not held:
        return account
    owners = {run_id: run_id.partition("-")[0] for run_id in held}
    with ledger.database.reading() as connection:
        ids = set(owners.values())
        found = connection.execute(select(jobs.c.id).where(jobs.c.id.in_(ids), jobs.c.state.in_(_ENDED))).scalars()
        over = set(found)
    ended = [run_id for run_id in held if owners[run_id] in over]
    for run_id in ended:
        settle_from(ledger, run_id, checkpoint_of(workspace, run_id))
    return ledger.account(source) if ended else account


def dataset_account(ledger: Ledger, database: Database, workspace: Workspace, dataset_id: str) -> Account:
    """The account that pays for a prepared data set, with nothing reserved that will not be spent."""
    source = enter(ledger, workspace, database.dataset(dataset_id)).source
    return settle_ended(ledger, workspace, source)
