"""Figures with 95 % intervals, or the reason why there is none; standard errors that take the patient as the unit.

An *influence* array has one number per row: how much the row moves the figure. Its sum per patient, squared and summed,
is the figure's variance, whatever the weights and however many rows a patient has (the sandwich, or infinitesimal
jackknife; for the AUROC of one row per patient it is DeLong's).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Z95 = 1.959963984540054
"""The normal distribution's 97.5 % point."""


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; ``value`` is None where it is not assessable, for ``reason``."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""

    @classmethod
    def missing(cls, reason: str) -> "Estimate":
        """Not assessable, for ``reason``."""
        return cls(None, reason=f"Not assessable: {reason}.")

    @classmethod
    def wald(cls, value: float, error: float) -> "Estimate":
        """``value`` ± 1.96 standard errors."""
        if not math.isfinite(error):
            return cls(value, reason="The interval is not assessable.")
        return cls(value, value - Z95 * error, value + Z95 * error)

    @classmethod
    def share(cls, value: float, error: float) -> "Estimate":
        """A figure between 0 and 1: the interval is taken on the logit scale, so that it stays there."""
        if not 0 < value < 1 or not math.isfinite(error):
            return cls(value, reason="The interval is not assessable: the figure is at its limit.")
        logit, spread = math.log(value / (1 - value)), Z95 * error / (value * (1 - value))
        low, high = (1 / (1 + math.exp(-(logit + sign * spread))) for sign in (-1, 1))
        return cls(value, low, high)

    def mapped(self, change: Callable[[float], float]) -> "Estimate":
        """The figure and its interval on another scale, by an increasing function."""
        value, low, high = (None if one is None else change(one) for one in (self.value, self.low, self.high))
        return Estimate(value, low, high, self.reason)

    def as_dict(self, digits: int = 3) -> dict[str, Any]:
        """JSON values, rounded to ``digits`` after the point."""
        parts = {"value": self.value, "low": self.low, "high": self.high}
        return {name: None if part is None else round(part, digits) for name, part in parts.items()} | {
            "reason": self.reason
        }


def standard_error(influence: np.ndarray, patients: np.ndarray | None) -> float:
    """Standard error of a figure from the influence (n_rows,) of each row, rows of a patient taken together."""
    if patients is not None:
        influence = np.bincount(np.unique(patients, return_inverse=True)[1], weights=influence)
    return math.sqrt(float((influence**2).sum()))
