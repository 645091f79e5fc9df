"""The Kaplan-Meier estimate with weights, and intervals that take the patient as the unit.

lifelines has the same curve, but not its errors under weights and several rows per patient: they come here from each
row's influence (:mod:`.estimates`), which for one row per patient and no weights is Greenwood's formula, but for ties.
"""

import math
from dataclasses import dataclass

import numpy as np

from engine.evaluation.estimates import Z95, Estimate, standard_error


@dataclass(frozen=True)
class Times:
    """Observed times of one table.

    Attributes:
        time: (n_rows,) not negative.
        event: (n_rows,) 1 where it ends with the event, else 0.
        weights: (n_rows,) positive.
        patients: (n_rows,) integers naming the patients; None when each row is one.
    """

    time: np.ndarray
    event: np.ndarray
    weights: np.ndarray
    patients: np.ndarray | None = None

    def patients_where(self, rows: np.ndarray) -> int:
        """How many patients the rows where ``rows`` is True belong to."""
        return int(rows.sum()) if self.patients is None else len(np.unique(self.patients[rows]))


@dataclass(frozen=True)
class KaplanMeier:
    """The curve of one table.

    Attributes:
        times: the table.
        at: (n_steps,) times with events, ascending.
        survival: (n_steps,) probability of no event up to and including ``at``.
        hazard: (n_steps,) weighted events over weighted rows at risk.
        risk: (n_steps,) weighted rows at risk just before ``at``.
    """

    times: Times
    at: np.ndarray
    survival: np.ndarray
    hazard: np.ndarray
    risk: np.ndarray

    @classmethod
    def of(cls, times: Times) -> "KaplanMeier":
        """The product-limit estimate."""
        order = np.argsort(times.time)
        time, weights = times.time[order], times.weights[order]
        left = np.cumsum(weights[::-1])[::-1]
        at = np.unique(times.time[times.event == 1])
        risk = left[np.searchsorted(time, at)]
        place = np.searchsorted(at, time[times.event[order] == 1])
        events = np.bincount(place, weights=weights[times.event[order] == 1], minlength=len(at))
        hazard = events / risk
        return cls(times, at, np.cumprod(1 - hazard), hazard, risk)

    def value(self, time: float) -> float:
        """Probability of no event up to and including ``time``."""
        step = int(np.searchsorted(self.at, time, side="right"))
        return 1.0 if step == 0 else float(self.survival[step - 1])

    def estimate(self, time: float) -> Estimate:
        """The probability with an interval on the log-minus-log scale, which keeps it between 0 and 1."""
        value = self.value(time)
        if not 0 < value < 1:
            return Estimate(value, reason="The interval is not assessable: the figure is at its limit.")
        error = standard_error(self._influence(np.ones(len(self.at)), time), self.times.patients)
        spread = math.exp(Z95 * error / abs(math.log(value)))
        return Estimate(value, value**spread, value ** (1 / spread))

    def restricted_mean(self, horizon: float) -> tuple[Estimate, float]:
        """Mean time without the event up to ``horizon`` (the area under the curve), and its standard error."""
        inside = self.at < horizon
        edges = np.concatenate([[0.0], self.at[inside], [horizon]])
        areas = np.diff(edges) * np.concatenate([[1.0], self.survival[inside]])
        value = float(areas.sum())
        beyond = np.zeros(len(self.at))
        beyond[inside] = value - np.cumsum(areas)[:-1]
        error = standard_error(self._influence(beyond, horizon), self.times.patients)
        return Estimate.wald(value, error), error

    def _influence(self, size: np.ndarray, until: float) -> np.ndarray:
        """(n_rows,): how much each row moves the sum over steps up to ``until`` of ``size`` × hazard."""
        counted = np.where(self.at <= until, size, 0.0)
        passed = np.concatenate([[0.0], np.cumsum(counted * self.hazard / self.risk)])
        place = np.searchsorted(self.at, self.times.time, side="right")
        own = np.zeros(len(self.times.time))
        events = self.times.event == 1
        own[events] = (counted / self.risk)[place[events] - 1]
        return self.times.weights * (own - passed[place])
