"""How runs and sources are read from the ledger's tables and written into them."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from engine.core.errors import UserError
from engine.privacy.accounting import events_from_json
from engine.privacy.accounts import Run, RunState
from engine.storage.ledger_tables import privacy_runs, sources


def source_row(connection: Connection, source: str) -> Row:
    """The row of a source.

    Raises:
        UserError: there is none.
    """
    row = connection.execute(select(sources).where(sources.c.id == source)).one_or_none()
    if row is None:
        raise UserError("the ledger has no such source", remedy="It may have become part of another one; look again.")
    return row


def source_runs(connection: Connection, source: str) -> list[Run]:
    """The runs of a source, in order."""
    query = select(privacy_runs).where(privacy_runs.c.source_id == source).order_by(privacy_runs.c.number)
    return [run_of(row) for row in connection.execute(query)]


def run_of(row: Row) -> Run:
    """The record of a row of privacy_runs."""
    return Run(
        run_id=row.run_id, label=row.label, state=RunState(row.state), epsilon=row.epsilon, delta=row.delta, mu=row.mu,
        identity=row.identity, events=events_from_json(row.events), earlier=events_from_json(row.earlier),
        spent=row.spent, created_at=row.created_at, settled_at=row.settled_at,
    )  # fmt: skip


def write_run(connection: Connection, source: str, run: Run) -> None:
    """Enter the run under the source, or replace what is there of it."""
    values: dict[str, Any] = {
        "source_id": source, "label": run.label, "state": run.state, "epsilon": run.epsilon, "delta": run.delta,
        "mu": run.mu, "identity": run.identity, "events": [event.as_json() for event in run.events],
        "earlier": [event.as_json() for event in run.earlier], "spent": run.spent, "created_at": run.created_at,
        "settled_at": run.settled_at,
    }  # fmt: skip
    known = update(privacy_runs).where(privacy_runs.c.run_id == run.run_id).values(**values)
    if connection.execute(known).rowcount == 0:
        connection.execute(insert(privacy_runs).values(run_id=run.run_id, **values))
