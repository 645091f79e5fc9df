"""Time to an event, real beside synthetic: Kaplan-Meier curves and the difference in restricted mean survival time.

No p-value of a log-rank test: with enough rows any difference has one. The restricted mean is the area under the curve
up to a horizon, so its difference is told in time (Royston and Parmar 2013).

Of real patients no single event can be read off. The curve is told only at times between which the events of at least
``small_cell_minimum`` real patients lie (and the synthetic one at the same times); numbers at risk are rounded to a
multiple of one less than that minimum, and not told below the minimum; the horizon is a round time up to which a
twentieth of the real rows are at risk. The entry (JSON values, an internal view: it is computed on real rows) has:

- ``outcome``: ``{key, label, kind, unit}``; ``reason``: why nothing is assessable, else empty, and then these follow
- ``horizon``: in ``unit``; ``curve``: ``[{time, real, synthetic}]`` of ``{value, low, high, reason}``, from time 0
- ``at_risk``: ``[{time, real, real_text, synthetic}]``, patients; ``real`` is None where not told
- ``restricted_mean``: ``{real, holdout, synthetic, difference, holdout_difference}`` of ``{value, low, high, reason}``
  in ``unit``; the differences are from the real rows
- ``sentence``: the finding in words; ``notes``
"""

import math
from typing import Any

import numpy as np

from engine.core.errors import UserError
from engine.core.numerals import minus
from engine.evaluation.cells import Sample
from engine.evaluation.estimates import Estimate
from engine.evaluation.kaplan_meier import KaplanMeier, Times
from engine.evaluation.outcomes import Outcome
from engine.evaluation.tables import HOLDOUT, REAL, SYNTHETIC
from engine.schema.catalogue import unit_key
from engine.schema.table import TableSchema

LEAST_EVENTS = 10
_LEAST_AT_RISK = 0.05
_MOST_TICKS = 7
_STEPS_PER_TICK = 8
_NICE = (1, 2, 3, 5, 7, 10, 14, 20, 30, 50, 70)


def survival(
    real: Sample,
    holdout: Sample,
    synthetic: Sample,
    schema: TableSchema,
    outcome: Outcome,
    *,
    minimum: int,
    weights: np.ndarray | None = None,
    holdout_weights: np.ndarray | None = None,
) -> dict[str, Any]:
    """The entry (see the module) of a ``time_to_event`` outcome.

    Args:
        real: reference rows, conformed to ``schema``.
        holdout: real rows of other patients; may be empty.
        synthetic: the cohort, conformed to the features it has.
        schema: the real table's.
        outcome: the event and its time.
        minimum: counts of real patients below this are not shown.
        weights: (n_real_rows,) of mean 1.
        holdout_weights: (n_holdout_rows,) of mean 1.

    Raises:
        UserError: the outcome has no time.
    """
    if outcome.time is None:
        raise UserError(f"{outcome.label!r} has no time", remedy="Choose an outcome with a time to the event.")
    entry: dict[str, Any] = {
        "outcome": {"key": outcome.key, "label": outcome.label, "kind": outcome.kind, "unit": outcome.unit},
        "internal": True,
    }
    if any(name not in synthetic.frame.columns for name in outcome.columns):
        return entry | {"reason": "Not assessable: the synthetic table lacks the event or its time."}
    tables = {
        REAL: _times(real, schema, outcome, weights),
        HOLDOUT: _times(holdout, schema, outcome, holdout_weights),
        SYNTHETIC: _times(synthetic, schema, outcome, None),
    }
    least = max(LEAST_EVENTS, minimum)
    if tables[REAL].patients_where(tables[REAL].event == 1) < least:
        return entry | {"reason": f"Not assessable: fewer than {least} real patients have the event."}
    if len(tables[SYNTHETIC].time) < least:
        return entry | {"reason": f"Not assessable: fewer than {least} synthetic rows have a time."}
    step = _tick(tables, outcome, least)
    if step is None:
        return entry | {"reason": "Not assessable: too few rows are followed for any time."}
    size, count = step
    horizon = size * count
    curves = {name: KaplanMeier.of(times) for name, times in tables.items() if len(times.time)}
    marks = _marks(tables[REAL], size, count, minimum)
    if len(marks) < 2:
        return entry | {"reason": f"Not assessable: fewer than {least} real patients have the event by {horizon:g}."}
    means = {name: curve.restricted_mean(horizon) for name, curve in curves.items()}
    if not len(tables[HOLDOUT].time) or tables[HOLDOUT].patients_where(tables[HOLDOUT].time >= horizon) < minimum:
        means[HOLDOUT] = (Estimate.missing("too few hold-out patients are followed so long"), math.nan)
    told = {name: one.as_dict() for name, (one, _) in means.items()}
    told["difference"] = _difference(means[SYNTHETIC], means[REAL]).as_dict()
    told["holdout_difference"] = _difference(means[HOLDOUT], means[REAL]).as_dict()
    return entry | {
        "reason": "",
        "horizon": horizon,
        "curve": [
            {"time": mark} | {name: curves[name].estimate(mark).as_dict() for name in (REAL, SYNTHETIC)}
            for mark in marks
        ],
        "at_risk": [_at_risk(tables, size * place, minimum) for place in range(count + 1)],
        "restricted_mean": told,
        "sentence": _sentence(told, outcome, horizon),
        "notes": [
            "Rows without the event end unobserved; where they end by discharge, that is not independent of the event.",
            f"The curves are told at times between which at least {minimum} real patients have the event.",
        ],
    }


def _times(sample: Sample, schema: TableSchema, outcome: Outcome, weights: np.ndarray | None) -> Times:
    if not len(sample.frame):
        return Times(np.empty(0), np.empty(0), np.empty(0))
    observed = outcome.observe(sample.frame, schema)
    assert observed.time is not None
    rows, weight = observed.counted(weights)
    patients = None if sample.patients is None else sample.patients[rows]
    return Times(observed.time[rows], observed.value[rows], weight, patients)


def _tick(tables: dict[str, Times], outcome: Outcome, least: int) -> tuple[float, int] | None:
    """A round step between the numbers at risk, and how many of them the horizon has."""
    limits = []
    for name in (REAL, SYNTHETIC):
        times = np.sort(tables[name].time)[::-1]
        needed = max(least, math.ceil(_LEAST_AT_RISK * len(times)))
        # Real rows may be several of one patient: patients are counted, not rows.
        while needed <= len(times) and tables[name].patients_where(tables[name].time >= times[needed - 1]) < least:
            needed += least
        limits.append(float(times[needed - 1]) if needed <= len(times) else 0.0)
    limit = min(limits)
    if limit <= 0:
        return None
    unit = 24.0 if unit_key(outcome.unit) == unit_key("h") and limit > 48 else 10.0 ** math.floor(math.log10(limit) - 1)
    while unit * _NICE[-1] * _MOST_TICKS <= limit:
        unit *= 10
    size = next(unit * nice for nice in _NICE if limit / (unit * nice) < _MOST_TICKS + 1)
    count = int(limit / size + 1e-9)
    return (float(f"{size:.6g}"), count) if count else None


def _marks(real: Times, size: float, count: int, minimum: int) -> list[float]:
    """Times at which the curves are told: the events of ``minimum`` real patients lie between two of them, or none."""
    fine = [float(f"{size * place / _STEPS_PER_TICK:.9g}") for place in range(1, count * _STEPS_PER_TICK + 1)]
    marks = [0.0]
    # Events at time 0 belong to the first interval.
    before = -1.0
    for mark in fine:
        inside = (real.event == 1) & (real.time > before) & (real.time <= mark)
        if real.patients_where(inside) >= minimum:
            marks.append(mark)
            before = mark
    if marks[-1] != fine[-1] and len(marks) > 1:
        rest = (real.event == 1) & (real.time > before) & (real.time <= fine[-1])
        # A few last events are told with those of the interval before.
        marks = [*marks[:-1], fine[-1]] if rest.any() else [*marks, fine[-1]]
    return marks


def _at_risk(tables: dict[str, Times], time: float, minimum: int) -> dict[str, Any]:
    real = tables[REAL].patients_where(tables[REAL].time >= time)
    rounding = max(1, minimum - 1)
    shown = None if real < minimum else round(real / rounding) * rounding
    text = f"<{minimum}" if shown is None else f"{shown:,}"
    synthetic = tables[SYNTHETIC].patients_where(tables[SYNTHETIC].time >= time)
    return {"time": time, REAL: shown, "real_text": text, SYNTHETIC: synthetic}


def _difference(first: tuple[Estimate, float], second: tuple[Estimate, float]) -> Estimate:
    if first[0].value is None or second[0].value is None:
        return first[0]
    return Estimate.wald(first[0].value - second[0].value, math.hypot(first[1], second[1]))


def _sentence(told: dict[str, Any], outcome: Outcome, horizon: float) -> str:
    unit = f" {outcome.unit}" if outcome.unit else ""
    gap, real = told["difference"], told[REAL]
    text = (
        f"Over the first {horizon:g}{unit}, the mean time without the event ({outcome.label}) is "
        f"{real['value']:.3g}{unit} in real and {told[SYNTHETIC]['value']:.3g}{unit} in synthetic patients"
    )
    if gap["low"] is None:
        return f"{text}."
    interval = f"{_signed(gap['value'])}{unit}, 95 % interval {_signed(gap['low'])} to {_signed(gap['high'])}"
    chance = gap["low"] <= 0 <= gap["high"]
    return f"{text}: {interval}" + (", which chance explains." if chance else ", more than chance explains.")


def _signed(value: float) -> str:
    return minus(f"{value:+.3g}")
