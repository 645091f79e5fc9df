"""How often an attack is right, on training patients and on others, and what of it is due to the training.

An attack that is right about patients whom the generator never saw has learned about the population, which is what a
synthetic cohort is for. Risk is what is left: ``(attack - control) / (1 - control)``, 0 where training patients are as
safe as others and 1 where the attack is always right about them and only about them (Giomi, Boenisch, Wehmeyer and
Tasnádi 2023, "A unified framework for quantifying privacy risk in synthetic data", section 4).
"""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.evaluation.cells import rounded_share
from engine.evaluation.estimates import Z95, Estimate

_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
_LEAST_WRONG = 10
"""Attempts of the control that must be wrong: risk is measured in what the control leaves."""
_WIDEST = 0.5
"""An interval wider than this leaves the question open."""


@dataclass(frozen=True)
class Tally:
    """Attempts and how many were right.

    Attributes:
        share: right attempts, of all.
        count: right attempts that were counted, in patients (or rows).
        targets: patients (or rows) that were attacked.
        trials: independent attempts that carry as much evidence; ``targets`` where each was attacked once.
    """

    share: float
    count: int
    targets: int
    trials: float

    @classmethod
    def of(cls, right: np.ndarray, *, factor: float = 1.0) -> "Tally":
        """From (n_targets,) the share of right attempts on each target; true or false where there was one.

        ``factor``: how often an attempt like the right ones was made for each that was counted.
        """
        counted = right.astype(float) * factor
        targets = len(counted)
        share = min(1.0, float(counted.mean())) if targets else 0.0
        variance = float(counted.var()) if targets else 0.0
        trials = targets * share * (1 - share) / variance if variance > 0 and share < 1 else targets / factor
        # Parts of attempts on a patient add up, but some are not none, nor most all.
        count = round(float(right.sum()))
        count = min(max(count, int((right > 0).any())), targets - int((right < 1).any()))
        return cls(share, count, targets, trials)

    def wilson(self, z: float = Z95) -> tuple[float, float]:
        """Centre and half-width of Wilson's interval (1927)."""
        scale = 1 + z**2 / self.trials
        centre = (self.share + z**2 / (2 * self.trials)) / scale
        spread = self.share * (1 - self.share) / self.trials + z**2 / (4 * self.trials**2)
        return centre, z * math.sqrt(spread) / scale

    def masked(self, minimum: int) -> "Tally":
        """The same for every small count, or small rest: half of the minimum."""
        if 0 < self.count < minimum:
            return replace(self, share=min(0.5, minimum / 2 / self.targets))
        if 0 < self.targets - self.count < minimum:
            return replace(self, share=max(0.5, 1 - minimum / 2 / self.targets))
        return self

    def shown(self, minimum: int) -> dict[str, Any]:
        """``value``, ``low``, ``high`` (Wilson), ``text``; bounds only where the count, or the rest, is a small one."""
        centre, half = self.wilson() if self.targets else (0.5, 0.5)
        return shown_share(self, max(0.0, centre - half), min(1.0, centre + half), minimum)

    def exact(self, minimum: int) -> dict[str, Any]:
        """As ``shown``, with the interval of Clopper and Pearson (1934)."""
        return shown_share(self, *clopper_pearson(self.count, self.targets), minimum)


def clopper_pearson(count: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a share, ``count`` of ``trials``."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, count, trials - count + 1)) if count > 0 else 0.0
    high = float(beta.ppf(0.975, count + 1, trials - count)) if count < trials else 1.0
    return low, high


def shown_share(tally: Tally, low: float, high: float, minimum: int) -> dict[str, Any]:
    """The share with its interval, or only what holds for every small count: none of them can be read back."""
    of, rest = f"of {tally.targets:,}", tally.targets - tally.count
    if not tally.targets:
        return {"value": None, "low": None, "high": None, "text": "nothing to attack"}
    if 0 < tally.count < minimum:
        high = clopper_pearson(min(minimum - 1, tally.targets), tally.targets)[1]
        return {"value": None, "low": 0.0, "high": round(high, 3), "text": f"fewer than {minimum} {of}"}
    if 0 < rest < minimum:
        low = clopper_pearson(max(0, tally.targets - minimum + 1), tally.targets)[0]
        return {"value": None, "low": round(low, 3), "high": 1.0, "text": f"all but fewer than {minimum} {of}"}
    value = rounded_share(tally.share * tally.targets, tally.targets)
    digits = 2 if 0.001 <= value <= 0.999 else 1
    return {
        "value": value,
        "low": round(low, 3),
        "high": round(high, 3),
        "text": f"{100 * value:.{digits}g} % {of}" if 0 < value < 1 else f"{'none' if value == 0 else 'all'} {of}",
    }


def risk(attack: Tally, control: Tally, *, z: float = Z95) -> Estimate:
    """``(attack - control) / (1 - control)`` with its interval, both rates shrunk as Wilson does; between -1 and 1.

    Errors are propagated as in Giomi et al. 2023 (their implementation, anonymeter, does the same).
    """
    if not attack.targets or not control.targets:
        return Estimate.missing("there is nothing to attack")
    if control.trials * (1 - control.share) < _LEAST_WRONG:
        return Estimate.missing("the attack is right about nearly everyone, trained on or not")
    (hit, hit_error), (chance, chance_error) = attack.wilson(z), control.wilson(z)
    value = (hit - chance) / (1 - chance)
    error = math.hypot(hit_error / (1 - chance), (hit - 1) / (1 - chance) ** 2 * chance_error)
    return Estimate(value, max(-1.0, value - error), min(1.0, value + error))


def risk_entry(
    attack: Tally, control: Tally, *, minimum: int, baseline: Tally | None = None, z: float = Z95
) -> dict[str, Any]:
    """JSON values of a risk.

    Keys: ``risk`` ``{value, low, high, reason}``; ``chance``: what the control alone spans on that scale;
    ``attack``, ``control``, ``baseline`` (:meth:`Tally.shown`); ``verdict``: ``"leak"`` (the interval lies above 0),
    ``"too_weak"`` (the attack is no better than guessing without the cohort, or the interval is too wide or absent: it
    cannot say) or ``"none_found"``.
    """
    # Whether there is a leak is told even where it is of a few patients; how many they are is not.
    verdict = _verdict(risk(attack, control, z=z), attack, baseline)
    attack_shown, control_shown = attack.masked(minimum), control.masked(minimum)
    found = coarse(risk(attack_shown, control_shown, z=z), min(attack.targets, control.targets), minimum)
    chance = Estimate.missing("there is nothing to attack")
    if control.targets:
        centre, half = control_shown.wilson()
        chance = coarse(Estimate(0.0, -half / (1 - centre), half / (1 - centre)), control.targets, minimum)
    return {
        "risk": found.as_dict(),
        "chance": chance.as_dict(),
        "attack": attack.shown(minimum),
        "control": control.shown(minimum),
        "baseline": None if baseline is None else baseline.shown(minimum),
        "verdict": verdict,
    }


def _verdict(found: Estimate, attack: Tally, baseline: Tally | None) -> str:
    if found.low is None or found.high is None:
        return "too_weak"
    if found.low > 0:
        return "leak"
    centre, half = attack.wilson()
    if found.high - found.low > _WIDEST or (baseline is not None and centre - half <= baseline.share):
        return "too_weak"
    return "none_found"


def coarse(estimate: Estimate, targets: int, minimum: int) -> Estimate:
    """The figure in steps worth at least ``minimum`` targets, so that no small count is read back; bounds outwards."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    step = next((step for step in _STEPS if step * targets >= minimum), _STEPS[-1])
    low, high = (max(-1.0, math.floor(estimate.low / step) * step), min(1.0, math.ceil(estimate.high / step) * step))
    return Estimate(round(estimate.value / step) * step, low, high)
