"""The ledger: what the private trainings on a source have cost together, and whether one more fits.

A training first *reserves* its epsilon and delta, durably, before anything is measured; when it ends, in whatever way,
it is *settled* with the events that were executed. A process that dies in between leaves the reservation in place:
nothing is ever refunded that may have been spent. Runs are composed by :mod:`engine.privacy.accounting`; drawing
cohorts is post-processing and costs nothing.

The account belongs to a source, not to a data set: tables that share patients share it (:mod:`.overlap`,
:mod:`.sources`). All its epsilon is stated at the account's delta; the thresholds' deltas of the runs are added to it,
since each of them can fail by itself.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Row, insert, select, update

from engine.core.errors import InternalError, UserError
from engine.core.settings import settings
from engine.core.workspace import Workspace
from engine.privacy import accounting
from engine.privacy.accounting import Event, Gaussian, gaussian_mu, quick_epsilon
from engine.privacy.accounts import Account, Run, RunState, charged, largest_that_fits, parted
from engine.privacy.events import check_delta, check_epsilon
from engine.privacy.gaussian import largest_mu
from engine.privacy.ledger_rows import run_of, source_row, source_runs, write_run
from engine.privacy.sources import Membership, lock, register, source_of
from engine.storage.database import Database
from engine.storage.ledger_tables import privacy_decisions, privacy_runs, source_members, sources
from engine.storage.records import now

if TYPE_CHECKING:
    import pandas as pd

    from engine.schema.table import TableSchema

_TRIES = 50


class Ledger:
    """The accounts of a workspace.

    Args:
        database: of the workspace.
        workspace: where the keyed hashes of registered patients are.
        epsilon_limit: of sources without one of their own; the setting by default.
        quick: let our own accountant decide alone, as the dashboard does, which must not load the other; what it wrote
            is computed again by both at the next training.
    """

    def __init__(
        self, database: Database, workspace: Workspace, *, epsilon_limit: float | None = None, quick: bool = False
    ) -> None:
        self.database, self._workspace, self._quick = database, workspace, quick
        self._costs: dict[tuple[tuple[Event, ...], float, bool], float] = {}
        self._limit = settings().epsilon_limit if epsilon_limit is None else check_epsilon(epsilon_limit)

    # -- sources -------------------------------------------------------------------------------------------------------

    def register(
        self, *, kind: str, reference: str, name: str, table: "pd.DataFrame", schema: "TableSchema"
    ) -> Membership:
        """Enter a table under its source; see :func:`engine.privacy.sources.register`."""
        return register(
            self.database, self._workspace, kind=kind, reference=reference, name=name, table=table, schema=schema
        )

    def source_of(self, *, kind: str, reference: str) -> Membership | None:
        """Where a registered table belongs; None where it is not registered."""
        return source_of(self.database, kind=kind, reference=reference)

    def find(self, name: str) -> str:
        """The id of the source of this name (or id).

        Raises:
            UserError: there is none; lists those there are.
        """
        with self.database.reading() as connection:
            rows = connection.execute(select(sources.c.id, sources.c.name)).all()
        for row in rows:
            if name in (row.name, row.id):
                return row.id
        known = ", ".join(repr(row.name) for row in rows)
        raise UserError(
            f"the ledger has no source {name!r}",
            remedy=f"It has: {known}." if known else "A source enters it when it is prepared or privately trained on.",
        )

    def account(self, source: str) -> Account:
        """The state of a source's budget.

        Raises:
            UserError: there is no such source.
        """
        with self.database.reading() as connection:
            row = source_row(connection, source)
            runs = source_runs(connection, source)
            members = connection.execute(
                select(source_members.c.name).where(source_members.c.source_id == source).order_by("number")
            ).scalars()
            names = tuple(dict.fromkeys(members))
        limit = self._limit_of(row)
        spent, remaining = row.spent, row.remaining
        if spent is None or remaining is None or row.figures_for != limit:
            spent, remaining = self._figures(charged(runs), limit=limit, delta=row.delta, quick=True)
        return Account(
            source=row.id, name=row.name, members=names, limit=limit, spent=spent, remaining=remaining,
            delta=row.delta + parted(charged(runs))[1], base_delta=row.delta, runs=tuple(reversed(runs)),
            version=row.version,
        )  # fmt: skip

    def accounts(self) -> list[Account]:
        """All accounts, the oldest source first."""
        with self.database.reading() as connection:
            ids = connection.execute(select(sources.c.id).order_by(sources.c.number)).scalars().all()
        return [self.account(source) for source in ids]

    def set_limit(self, source: str, limit: float) -> Account:
        """Give the source a limit of its own: a person's decision, kept with its time. It may be below what is spent.

        Raises:
            UserError: ``limit`` is not positive, or there is no such source.
        """
        check_epsilon(limit)

        def change(connection: Connection, row: Row) -> None:
            connection.execute(
                insert(privacy_decisions).values(
                    source_id=source, before=self._limit_of(row), after=limit, created_at=now()
                )
            )
            connection.execute(update(sources).where(sources.c.id == source).values(epsilon_limit=limit))

        return self._changed(source, lambda runs, _: (runs, change), limit=limit)

    def outlook(self, source: str, *, epsilon: float, delta: float) -> tuple[float, float]:
        """What the account would stand at with one more such run, and the largest epsilon that fits at ``delta``.

        By our own accountant alone: for display.

        Raises:
            UserError: a value is out of range, or there is no such source.
        """
        account = self.account(source)
        events = charged(tuple(reversed(account.runs)))
        mu = largest_mu(epsilon=epsilon, delta=delta)
        after = quick_epsilon(parted((*events, Gaussian(1 / mu)))[0], account.base_delta)
        largest = largest_that_fits(events, limit=account.limit, account_delta=account.base_delta, run_delta=delta)
        return after, largest

    # -- runs ----------------------------------------------------------------------------------------------------------

    def run(self, run_id: str) -> Run | None:
        """The run; None where it was never reserved."""
        with self.database.reading() as connection:
            row = connection.execute(select(privacy_runs).where(privacy_runs.c.run_id == run_id)).one_or_none()
        return None if row is None else run_of(row)

    def reserve(
        self, source: str, run_id: str, *, epsilon: float, delta: float, label: str, identity: str | None = None
    ) -> Account:
        """Hold ``epsilon`` at ``delta`` for a run, durably; call it before the first measurement.

        A run that holds a reservation keeps it; one that was settled (a resumed training) reserves again and pays once
        for what it repeats. With the ``identity`` of a finished run it costs nothing more.

        Raises:
            UserError: it does not fit; says what was asked, what is left and what to do. Or the run was reserved with
                another epsilon or delta or from another source, or a value is out of range.
        """
        check_epsilon(epsilon)
        check_delta(delta)
        if self.run(run_id) is not None and self._source_of_run(run_id) != source:
            raise UserError(
                "this training was begun on other patients", where=f"run {run_id}", remedy="Start a new training."
            )
        mu = largest_mu(epsilon=epsilon, delta=delta) if self._quick else gaussian_mu(epsilon=epsilon, delta=delta)

        def plan(runs: list[Run], row: Row) -> tuple[list[Run], Callable[[Connection, Row], None] | None]:
            before = next((run for run in runs if run.run_id == run_id), None)
            if before is not None and (before.epsilon, before.delta) != (epsilon, delta):
                raise UserError(
                    f"run {run_id} was begun with epsilon {before.epsilon:g} and delta {before.delta:g}, "
                    f"not {epsilon:g} and {delta:g}",
                    remedy="Continue it with the same values, or start a new training.",
                )
            if before is not None and before.is_held:
                return runs, None
            if before is None:
                planned = Run(
                    run_id=run_id, label=label, state=RunState.RESERVED, epsilon=epsilon, delta=delta, mu=mu,
                    identity=identity, events=(), earlier=(), spent=None, created_at=now(), settled_at=None,
                )  # fmt: skip
            else:
                planned = before.reopened(mu)
            after = [*(run for run in runs if run is not before), planned]
            self._check_fit(row, runs, after, epsilon=epsilon, delta=delta)
            return after, lambda connection, _: write_run(connection, source, planned)

        return self._changed(source, plan)

    def executed(self, run_id: str, events: Sequence[Event], *, identity: str | None) -> None:
        """Note what a reserved run has executed, or is about to; the reservation stays.

        Raises:
            InternalError: the run was never reserved.
        """
        self._settle(run_id, events, identity=identity, state=None)

    def settle(self, run_id: str, events: Sequence[Event], *, identity: str | None, finished: bool = False) -> Account:
        """Replace the reservation by what was executed, which may be nothing; call it in every ending.

        What is charged never becomes less than what was executed: ``events`` that lack some of those noted before
        change nothing, and events of another ``identity`` (or without one) are added to those before.

        Raises:
            InternalError: the run was never reserved, or is finished without any event.
        """
        if finished and not events:
            raise InternalError(
                "a private training reported no measurement", where=f"run {run_id}", remedy="Its model is not kept."
            )
        return self._settle(
            run_id, events, identity=identity, state=RunState.FINISHED if finished else RunState.STOPPED
        )

    def _settle(self, run_id: str, events: Sequence[Event], *, identity: str | None, state: RunState | None) -> Account:
        known = self.run(run_id)
        if known is None:
            raise InternalError("a run was never reserved in the ledger", where=f"run {run_id}")

        def plan(runs: list[Run], row: Row) -> tuple[list[Run], Callable[[Connection, Row], None] | None]:
            before = next(run for run in runs if run.run_id == run_id)
            after = before.with_executed(tuple(events), identity)
            if state is not None:
                after = after.ended(state, now())
                after = replace(after, spent=self._alone(after))
            if after == before:
                return runs, None
            return [after if run is before else run for run in runs], lambda connection, _: write_run(
                connection, row.id, after
            )

        return self._changed(self._source_of_run(run_id), plan)

    # -- how changes are written ---------------------------------------------------------------------------------------

    def _changed(
        self,
        source: str,
        plan: Callable[[list[Run], Row], tuple[list[Run], Callable[[Connection, Row], None] | None]],
        *,
        limit: float | None = None,
    ) -> Account:
        """Decide on what is there and write it, unless somebody changed the source in between: then decide again.

        The accountants take seconds; the database is not locked meanwhile.
        """
        for _ in range(_TRIES):
            with self.database.reading() as connection:
                row = source_row(connection, source)
                runs = source_runs(connection, source)
            after, write = plan(runs, row)
            if write is None:
                return self.account(source)
            allowed = self._limit_of(row) if limit is None else limit
            spent, remaining = self._figures(charged(after), limit=allowed, delta=row.delta, quick=self._quick)
            with self.database.writing() as connection:
                lock(connection)
                now_there = source_row(connection, source)
                if now_there.version != row.version:
                    continue
                write(connection, now_there)
                figures = {"spent": spent, "remaining": remaining, "figures_for": allowed}
                connection.execute(
                    update(sources).where(sources.c.id == source).values(version=row.version + 1, **figures)
                )
            return self.account(source)
        raise InternalError("the privacy ledger kept changing", where=f"source {source}", remedy="Try again.")

    def _figures(self, events: Sequence[Event], *, limit: float, delta: float, quick: bool) -> tuple[float, float]:
        spent = self._cost(events, delta, quick=quick)
        return spent, largest_that_fits(events, limit=limit, account_delta=delta, run_delta=delta)

    def _cost(self, events: Sequence[Event], delta: float, *, quick: bool) -> float:
        """Epsilon of all events but the thresholds, whose deltas the account adds."""
        noisy = tuple(parted(events)[0])
        key = (noisy, delta, quick)
        if key not in self._costs:
            self._costs[key] = quick_epsilon(noisy, delta) if quick else accounting.epsilon(noisy, delta).epsilon
        return self._costs[key]

    def _alone(self, run: Run) -> float | None:
        """What a run's own events cost at its own delta; None where its thresholds alone take more than that."""
        events = (*run.earlier, *run.events)
        if parted(events)[1] >= run.delta:
            return None
        return quick_epsilon(events, run.delta) if self._quick else accounting.epsilon(events, run.delta).epsilon

    def _check_fit(self, row: Row, before: list[Run], after: list[Run], *, epsilon: float, delta: float) -> None:
        limit, events = self._limit_of(row), charged(after)
        if events == charged(before):
            return
        if self._cost(events, row.delta, quick=self._quick) <= limit:
            return
        largest = largest_that_fits(charged(before), limit=limit, account_delta=row.delta, run_delta=delta)
        # A figure that rounding put on the edge is not offered again.
        largest = min(largest, max(0.0, int(100 * epsilon - 1e-9) / 100)) if largest >= epsilon else largest
        spent = self._cost(charged(before), row.delta, quick=True)
        left = f"at most epsilon {largest:g} more fits" if largest > 0 else "nothing more fits"
        raise UserError(
            f"epsilon {epsilon:g} at delta {delta:g} does not fit the privacy budget of {row.name!r}: {spent:.2f} of "
            f"{limit:g} is spent, and {left}",
            remedy=("Ask for less, use" if largest > 0 else "Use")
            + " a model that is trained already (drawing cohorts costs nothing), or raise the limit of this source "
            "if you may decide that.",
        )

    def _limit_of(self, row: Row) -> float:
        return self._limit if row.epsilon_limit is None else row.epsilon_limit

    def _source_of_run(self, run_id: str) -> str:
        with self.database.reading() as connection:
            return connection.execute(
                select(privacy_runs.c.source_id).where(privacy_runs.c.run_id == run_id)
            ).scalar_one()
