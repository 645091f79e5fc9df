"""A private training from the ledger's side: reserve, let it run, settle with what it executed, however it ends."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from engine.core.errors import InternalError, UserError
from engine.core.workspace import read_json
from engine.privacy import accounting
from engine.privacy.accounting import Event, events_from_json
from engine.privacy.events import check_delta, check_epsilon
from engine.privacy.ledger import Ledger

EXECUTED = "privacy.json"
"""In a generator's checkpoint folder: ``{"events": […], "identity": …}``, written before each measurement."""
_AGREE = 0.01
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Budget:
    """What a training asks for."""

    epsilon: float
    delta: float


class Report(Protocol):
    """What is read of a generator's fit report."""

    @property
    def epsilon(self) -> float | None:
        """What the fit claims."""
        ...

    @property
    def delta(self) -> float | None:
        """At which it claims it."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """JSON values; ``privacy`` holds the events and the identity."""
        ...


def asked_budget(options: Mapping[str, Any], *, capable: bool, generator: str) -> Budget | None:
    """The budget that a generator's ``options`` ask for; None for a training without formal privacy.

    Raises:
        UserError: a generator that can be private is not told whether to be, one that cannot is asked to be, or
            epsilon or delta is missing or out of range. None of these has a default.
    """
    private = options.get("private")
    if not capable:
        if private:
            raise UserError(
                f"{generator} has no formal privacy, so private=True cannot be honoured",
                remedy="Choose dp_cgan, or train without privacy.",
            )
        return None
    if not isinstance(private, bool):
        raise UserError(
            f"{generator} is not told whether to be private",
            remedy="Give private=True with epsilon and delta, or private=False.",
        )
    if not private:
        return None
    for name in ("epsilon", "delta"):
        if options.get(name) is None:
            raise UserError(f"a private training has no {name}", remedy=f"Give {name}; it is never assumed.")
    return Budget(check_epsilon(options["epsilon"]), check_delta(options["delta"]))


class PrivateRun:
    """Holds a run's budget while it trains; a context manager around the fit.

    At its start the budget is reserved, and what an earlier attempt at the same run executed is noted. At its end the
    run is settled: with the report's events when :meth:`finished` was called, else with those in ``privacy.json``.

    Args:
        ledger: of the workspace.
        source: whose budget it is.
        run_id: the same for every attempt at one training.
        budget: what it may cost.
        label: of the model, for the account.
        checkpoint: the folder in which the generator keeps ``privacy.json``.
        identity: of the release, where it is known before; see :meth:`engine.privacy.ledger.Ledger.reserve`.
        goes_on: exceptions after which another attempt follows, so that the reservation stays.

    Raises:
        UserError: the budget does not allow it.
    """

    def __init__(
        self,
        ledger: Ledger,
        *,
        source: str,
        run_id: str,
        budget: Budget,
        label: str,
        checkpoint: Path,
        identity: str | None = None,
        goes_on: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._ledger, self._source, self._run_id, self._budget = ledger, source, run_id, budget
        self._label, self._checkpoint, self._identity, self._goes_on = label, checkpoint, identity, goes_on
        self._settled = False

    def __enter__(self) -> Self:
        self._ledger.reserve(
            self._source, self._run_id, epsilon=self._budget.epsilon, delta=self._budget.delta, label=self._label,
            identity=self._identity,
        )  # fmt: skip
        events, identity = executed(self._checkpoint)
        if events:
            self._ledger.executed(self._run_id, events, identity=identity)
        return self

    def finished(self, report: Report) -> None:
        """Settle with what the fit reports.

        Raises:
            InternalError: the report lacks its events, or claims or spends other than was asked; the model must not be
                kept. What was executed is charged all the same.
        """
        told = report.as_dict().get("privacy") or {}
        events = events_from_json(told.get("events", []))
        self._settled = True
        self._ledger.settle(self._run_id, events, identity=told.get("identity"), finished=True)
        spent = accounting.epsilon(events, self._budget.delta).epsilon
        where = f"run {self._run_id}"
        if spent > self._budget.epsilon * (1 + _ROUNDING):
            raise InternalError(
                f"the training spent epsilon {spent:.6g} of {self._budget.epsilon:g}",
                where=where,
                remedy="Its model is not kept, and what it spent is charged.",
            )
        if report.epsilon is None or report.delta != self._budget.delta or report.epsilon < spent * (1 - _AGREE):
            raise InternalError(
                f"the training reports epsilon {report.epsilon} at delta {report.delta}, its events cost {spent:.6g} "
                f"at {self._budget.delta:g}",
                where=where,
                remedy="Its model is not kept, and what it spent is charged.",
            )

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._settled or (error is not None and isinstance(error, self._goes_on)):
            return
        settle_from(self._ledger, self._run_id, self._checkpoint)
        if error is None:
            raise InternalError("a private training ended without its report", where=f"run {self._run_id}")


def settle_from(ledger: Ledger, run_id: str, checkpoint: Path) -> None:
    """Settle an ended run with what its checkpoint folder says was executed; nothing there means nothing was.

    A record that cannot be read leaves the reservation as it is: it may have been anything.
    """
    with suppress(InternalError):
        events, identity = executed(checkpoint)
        ledger.settle(run_id, events, identity=identity)


def executed(checkpoint: Path) -> tuple[tuple[Event, ...], str | None]:
    """The events in ``privacy.json`` of a checkpoint folder, with their identity; none where there is no such file.

    Raises:
        InternalError: the file cannot be read.
    """
    path = checkpoint / EXECUTED
    if not path.exists():
        return (), None
    try:
        value = read_json(path)
        return events_from_json(value["events"]), value.get("identity")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, UserError) as error:
        raise InternalError("the record of what a training measured is damaged", where=path.name) from error
