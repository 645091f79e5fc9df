"""What a ledger's account says: frozen records, and how the runs of a source are charged together."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from engine.privacy.accounting import Event, Gaussian, Threshold, quick_epsilon
from engine.privacy.events import continues
from engine.privacy.gaussian import gaussian_epsilon, largest_mu

_LEAST_OFFERED = 0.05
"""Less than this is what the solvers leave of a full budget to stay on the safe side."""


class RunState(StrEnum):
    """Where a run stands with its budget."""

    RESERVED = "reserved"
    """All that was asked for is held, before anything was measured."""
    FINISHED = "finished"
    """Charged with what was executed."""
    STOPPED = "stopped"
    """Cancelled or failed; charged with what was executed until then."""
    RELEASED = "released"
    """Ended before anything was executed; costs nothing."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One private training. ``spent``: what its executed events cost alone at its ``delta``; None until it ended."""

    run_id: str
    label: str
    state: RunState
    epsilon: float
    delta: float
    mu: float
    identity: str | None
    events: tuple[Event, ...]
    earlier: tuple[Event, ...]
    spent: float | None
    created_at: datetime
    settled_at: datetime | None

    @property
    def is_held(self) -> bool:
        """Whether running it (again) needs no further budget: it holds one, or would repeat its own release."""
        finished = self.state is RunState.FINISHED and self.identity is not None
        return self.state is RunState.RESERVED or finished

    def reopened(self, mu: float) -> "Run":
        """The run, reserved again with ``mu``, to go on from where it stopped."""
        again = replace(self, state=RunState.RESERVED, mu=mu, spent=None, settled_at=None)
        if self.identity is None:
            # Nothing says that what was executed will be executed with the same noise, so it is paid for by itself.
            again = replace(again, earlier=(*self.earlier, *self.events), events=())
        return again

    def with_executed(self, events: tuple[Event, ...], identity: str | None) -> "Run":
        """The run with what it has executed by now; never with less than before."""
        if not events or (self.settled_at is not None and events == self.events):
            return self
        if not self.events:
            return replace(self, events=events, identity=identity)
        if identity is not None and identity == self.identity:
            if continues(events, self.events):
                return replace(self, events=events)
            if continues(self.events, events):
                return self
        # Another key or other inputs: other noise, so both were released.
        return replace(self, events=events, identity=identity, earlier=(*self.earlier, *self.events))

    def ended(self, state: RunState, moment: datetime) -> "Run":
        """The run, ended as ``state`` (finished or stopped); finished stays so, and nothing executed costs nothing."""
        if RunState.FINISHED in (self.state, state):
            state = RunState.FINISHED
        elif not (self.events or self.earlier):
            state = RunState.RELEASED
        return replace(self, state=state, settled_at=self.settled_at or moment)

    def as_json(self) -> dict[str, Any]:
        """What the command line prints."""
        return {
            "run": self.run_id, "label": self.label, "state": str(self.state), "epsilon": self.epsilon,
            "delta": self.delta, "spent": self.spent, "created_at": self.created_at.isoformat(timespec="seconds"),
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Account:
    """The budget of a source.

    Attributes:
        source: its id.
        name: its name, as given when it was first registered.
        members: the data sets and tables that share it.
        limit: most epsilon that all runs together may cost.
        delta: at which ``spent`` holds, the thresholds of all runs added.
        spent: epsilon of all runs together, reservations included.
        remaining: largest epsilon that one more run (at the account's own delta) may ask for. Not ``limit - spent``:
            runs compose to less than their sum.
        runs: the newest first.
    """

    source: str
    name: str
    members: tuple[str, ...]
    limit: float
    delta: float
    spent: float
    remaining: float
    runs: tuple[Run, ...]
    version: int
    base_delta: float

    def as_json(self) -> dict[str, Any]:
        """What the command line prints."""
        return {
            "source": self.name, "id": self.source, "members": list(self.members), "limit": self.limit,
            "delta": self.delta, "spent": self.spent, "remaining": self.remaining,
            "runs": [run.as_json() for run in self.runs],
        }  # fmt: skip


def charged(runs: Sequence[Run]) -> tuple[Event, ...]:
    """The events that a source pays for.

    A reservation counts as the Gaussian mechanism of its epsilon and delta. Runs of one identity are the same release,
    since their noise comes from the same key and inputs: they are charged once, with the longest of them.
    """
    events: list[Event] = []
    releases: dict[str, list[Run]] = {}
    for run in runs:
        events += run.earlier
        if run.state is RunState.RELEASED:
            continue
        if run.identity is None:
            events += _cost(run)
        else:
            releases.setdefault(run.identity, []).append(run)
    for same in releases.values():
        events += _once(same)
    return tuple(events)


def _cost(run: Run) -> tuple[Event, ...]:
    return (Gaussian(1 / run.mu),) if run.state is RunState.RESERVED else run.events


def _once(runs: Sequence[Run]) -> list[Event]:
    if not any(run.state is RunState.FINISHED for run in runs):
        reserved = [run for run in runs if run.state is RunState.RESERVED]
        if reserved:
            # What an earlier attempt at the same release executed is part of what is reserved for it.
            return list(_cost(max(reserved, key=lambda run: run.mu)))
    longest: list[tuple[Event, ...]] = []
    for events in sorted((run.events for run in runs if run.state is not RunState.RESERVED), key=len, reverse=True):
        longest = [other for other in longest if not continues(events, other)]
        if not any(continues(other, events) for other in longest):
            longest.append(events)
    return [event for events in longest for event in events]


def parted(events: Sequence[Event]) -> tuple[list[Event], float]:
    """The events that add noise, and the sum of the thresholds' deltas, which an account adds to its own."""
    noisy: list[Event] = [event for event in events if not isinstance(event, Threshold)]
    return noisy, math.fsum(event.delta for event in events if isinstance(event, Threshold))


def largest_that_fits(events: Sequence[Event], *, limit: float, account_delta: float, run_delta: float) -> float:
    """Largest epsilon, rounded down to hundredths, that a further run at ``run_delta`` may ask for; 0 for none."""
    noisy, _ = parted(events)
    if quick_epsilon(noisy, account_delta) >= limit:
        return 0.0
    if all(isinstance(event, Gaussian) for event in noisy):
        spent = sum(event.count / event.noise_multiplier**2 for event in noisy if isinstance(event, Gaussian))
        mu = math.sqrt(max(0.0, largest_mu(epsilon=limit, delta=account_delta) ** 2 - spent))
    else:
        mu = _largest_mu_beside(noisy, limit=limit, delta=account_delta)
    found = gaussian_epsilon(mu=mu, delta=run_delta) if mu > 0 else 0.0
    return math.floor(100 * found + 1e-6) / 100 if found >= _LEAST_OFFERED else 0.0


def _largest_mu_beside(noisy: Sequence[Event], *, limit: float, delta: float) -> float:
    """Largest mu, to half a percent, whose Gaussian mechanism keeps sampled events within ``limit``."""

    def cost(mu: float) -> float:
        return quick_epsilon([*noisy, Gaussian(1 / mu)], delta)

    low, high = 0.0, largest_mu(epsilon=limit, delta=delta)
    below, above = quick_epsilon(noisy, delta), cost(high)
    while high - low > 5e-3 * high:
        # Each evaluation takes a second. Squares of mu add up, so along them the chord lands close; kept off the ends
        # of the interval, it cannot stall.
        place = min(max((limit - below) / (above - below), 0.05), 0.95) if above > below else 0.5
        middle = math.sqrt(low * low + place * (high * high - low * low))
        found = cost(middle)
        if found <= limit:
            low, below = middle, found
        else:
            high, above = middle, found
    return low


def proposed_delta(patients: int) -> float:
    """The largest power of ten below one over the number of patients (Dwork and Roth 2014, section 2.3)."""
    return float(f"1e-{len(str(max(1, patients)))}")
