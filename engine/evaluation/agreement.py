"""How far two fits of one regression agree, coefficient by coefficient, and how far random halves of the rows do."""

import math
from typing import Any

import numpy as np

from engine.evaluation import regression
from engine.evaluation.estimates import Estimate
from engine.evaluation.regression import Family, Fit, Rows
from engine.evaluation.tables import REAL, SYNTHETIC

SPLITS = 3
"""Random splits whose agreement is averaged."""
VERDICTS = {
    "same": "the same conclusion",
    "weaker": "not found in the synthetic rows",
    "stronger": "found in the synthetic rows only",
    "opposite": "the opposite direction",
}


def interval_overlap(first: Estimate, second: Estimate) -> float | None:
    """Karr's overlap of two intervals, 0 to 1; None where one has no width."""
    if first.low is None or first.high is None or second.low is None or second.high is None:
        return None
    widths = (first.high - first.low, second.high - second.low)
    if min(widths) <= 0 or not all(map(math.isfinite, widths)):
        return None
    common = max(0.0, min(first.high, second.high) - max(first.low, second.low))
    return (common / widths[0] + common / widths[1]) / 2


def _estimate(fit: Fit, at: int) -> Estimate:
    return Estimate.wald(float(fit.coefficients[at]), float(fit.errors[at]))


def _is_significant(one: Estimate) -> bool:
    return one.low is not None and one.high is not None and not one.low <= 0 <= one.high


def compared(first: Fit, second: Fit, at: int, *, is_ratio: bool) -> dict[str, Any]:
    """The real and the synthetic estimate of parameter ``at`` (exponentiated where ``is_ratio``) and how they agree."""
    pair = (_estimate(first, at), _estimate(second, at))
    sign = _same_sign(*pair)
    found = [_is_significant(one) for one in pair]
    verdict = "same" if found[0] == found[1] else "weaker" if found[0] else "stronger"
    verdict = "opposite" if all(found) and not sign else verdict
    shown = [one.mapped(lambda number: math.exp(min(number, 300.0))) if is_ratio else one for one in pair]
    overlap = interval_overlap(*pair)
    return {
        REAL: shown[0].as_dict(),
        SYNTHETIC: shown[1].as_dict(),
        "overlap": None if overlap is None else round(overlap, 3),
        "same_sign": sign,
        "same_significance": found[0] == found[1] and (sign or not found[0]),
        "verdict": verdict,
    }


def _same_sign(first: Estimate, second: Estimate) -> bool:
    return ((first.value or 0) > 0) == ((second.value or 0) > 0)


def agreement(first: Fit, second: Fit) -> dict[str, float | None]:
    """Mean overlap and the shares of parameters of the same sign and of the same significance."""
    terms = [compared(first, second, at, is_ratio=False) for at in range(len(first.coefficients))]
    overlaps = [term["overlap"] for term in terms if term["overlap"] is not None]
    return {
        "overlap": round(float(np.mean(overlaps)), 3) if overlaps else None,
        "sign": round(float(np.mean([term["same_sign"] for term in terms])), 3),
        "significance": round(float(np.mean([term["same_significance"] for term in terms])), 3),
    }


def halves(family: Family, rows: Rows, rng: np.random.Generator) -> dict[str, float | None]:
    """The mean agreement of random halves by patient; None where a half cannot be fitted."""
    owners = np.arange(len(rows.value)) if rows.patients is None else rows.patients
    unique = np.unique(owners)
    found = []
    for _ in range(SPLITS):
        inside: np.ndarray = np.isin(owners, rng.permutation(unique)[: len(unique) // 2])
        pair = rows.take(inside), rows.take(~inside)
        if any(len(np.unique(half.value)) < 2 for half in pair) or regression.usable(*pair):
            continue
        first, second, _ = regression.fit_both(family, *pair)
        found.append(agreement(first, second))
    names = ("overlap", "sign", "significance")
    values = {name: [one[name] for one in found if one[name] is not None] for name in names}
    return {name: round(float(np.mean(values[name])), 3) if values[name] else None for name in names}
