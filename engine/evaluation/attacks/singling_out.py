"""Singling out: do conditions that fit one synthetic record fit exactly one training patient?

The multivariate attack of Giomi et al. 2023 (section 5.1). From a synthetic record a condition is built: columns in
random order, a number as "at least" or "at most" its value (away from the median), a category as itself, until no other
synthetic record meets it. It singles out a patient when exactly one meets it. The baseline builds conditions of the
same length from values that are drawn independently of each other.

A condition that fits one of a thousand patients fits one of ten thousand less often, so attack and control must be of
equally many patients. The control takes the training patients, exchanges as many of them as there are held-out ones
for those, and counts the conditions that fit one patient alone, and a held-out one. Where m of n are exchanged, m / n
of what is found by chance falls to them; the share is raised by n / m. So without a memory of the training, attack and
control are alike on average, whatever the sizes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from engine.core.progress import Progress, Silent
from engine.evaluation.attacks.records import Coder, Records, some
from engine.evaluation.attacks.risk import Tally, risk_entry

MOST_CONDITIONS = 2000
LEAST_CONDITIONS = 50
LEAST_PATIENTS = 50
MOST_COLUMNS = 12
"""Columns of a condition."""

_Test = tuple[int, str, float]


@dataclass(frozen=True)
class Patients:
    """Training and held-out rows, stacked.

    Attributes:
        values: (n_rows, n_columns), as in :class:`Records`.
        patients: (n_rows,) integers; no patient is in both tables.
        learned: (n_rows,) boolean: of training patients.
        beside: (n_rows,) boolean: of the patients of the control, held-out ones included.
        factor: training patients per patient who is exchanged.
    """

    values: np.ndarray
    patients: np.ndarray
    learned: np.ndarray
    beside: np.ndarray
    factor: float

    @classmethod
    def of(
        cls, train: tuple[Records, np.ndarray], holdout: tuple[Records, np.ndarray], rng: np.random.Generator
    ) -> "Patients":
        """From the records and the patients of each table."""
        places = [np.unique(of_rows, return_inverse=True)[1] for _, of_rows in (train, holdout)]
        sizes = [int(place.max(initial=-1)) + 1 for place in places]
        exchanged = min(sizes)
        stays = ~np.isin(places[0], some(sizes[0], exchanged, rng))
        comes = np.isin(places[1], some(sizes[1], exchanged, rng))
        return cls(
            values=np.asfortranarray(np.vstack([train[0].values, holdout[0].values])),
            patients=np.concatenate([places[0], places[1] + sizes[0]]),
            learned=np.arange(len(stays) + len(comes)) < len(stays),
            beside=np.concatenate([stays, comes]),
            factor=sizes[0] / max(1, exchanged),
        )

    @property
    def fewest(self) -> int:
        """Patients of the smaller table."""
        return min(len(np.unique(self.patients[rows])) for rows in (self.learned, ~self.learned))


def singling_out(
    everyone: Patients,
    synthetic: Records,
    coder: Coder,
    rng: np.random.Generator,
    *,
    minimum: int,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """JSON values: ``reason`` (why nothing is assessable, else empty, and then) :func:`risk.risk_entry`'s keys.

    Also ``conditions`` that were built, ``columns``, their mean length, and ``sentence``.
    """
    progress = progress or Silent()
    if everyone.fewest < max(LEAST_PATIENTS, minimum):
        least = max(LEAST_PATIENTS, minimum)
        return {"reason": f"Not assessable: fewer than {least} patients were trained on, or held out."}
    medians = np.array([np.nanmedian(one) if not np.isnan(one).all() else 0.0 for one in synthetic.values.T])
    conditions: list[list[_Test]] = []
    # Rows that are the same are one record to the attacker.
    synthetic = synthetic.take(np.flatnonzero(~pd.DataFrame(synthetic.values).duplicated().to_numpy()))
    sources = some(len(synthetic), MOST_CONDITIONS, rng)
    for done, source in enumerate(sources):
        if done % 200 == 0:
            progress.update(0.8 * done / len(sources), "Singling out")
        condition = _condition(synthetic, int(source), medians, coder, rng)
        if condition is not None:
            conditions.append(condition)
    blind = [_blind(synthetic, len(one), coder, rng) for one in conditions]
    if len(conditions) < LEAST_CONDITIONS:
        return {"reason": f"Not assessable: fewer than {LEAST_CONDITIONS} conditions fit one synthetic record alone."}
    attack, control = _hits(conditions, everyone)
    entry = risk_entry(attack, control, baseline=_hits(blind, everyone)[0], minimum=minimum)
    text = (
        f"Conditions that fit one synthetic record alone single out a training patient: {entry['attack']['text']}; a "
        f"patient who was not in the training: {entry['control']['text']}; conditions made at random: "
        f"{entry['baseline']['text']}."
    )
    length = round(float(np.mean([len(one) for one in conditions])), 1)
    return {"reason": ""} | entry | {"conditions": len(conditions), "columns": length, "sentence": text}


def _meets(values: np.ndarray, test: _Test, rows: np.ndarray | None = None) -> np.ndarray:
    column = values[:, test[0]] if rows is None else values[rows, test[0]]
    if test[1] == "missing":
        return np.isnan(column)
    if test[1] == "=":
        return column == test[2]
    return column >= test[2] if test[1] == ">=" else column <= test[2]


def _fitting(values: np.ndarray, condition: list[_Test]) -> np.ndarray:
    """Positions of the rows that meet every test."""
    rows = np.flatnonzero(_meets(values, condition[0]))
    for test in condition[1:]:
        rows = rows[_meets(values, test, rows)]
    return rows


def _test(value: float, place: int, is_high: bool, coder: Coder) -> _Test:
    if not coder.ordered[place]:
        return place, "=", value
    if np.isnan(value):
        return place, "missing", 0.0
    return place, ">=" if is_high else "<=", value


def _condition(
    synthetic: Records, source: int, medians: np.ndarray, coder: Coder, rng: np.random.Generator
) -> list[_Test] | None:
    """A condition that only the record ``source`` meets; None where ``MOST_COLUMNS`` columns do not tell it apart."""
    condition: list[_Test] = []
    rows: np.ndarray | None = None
    for place in rng.permutation(len(coder.columns))[:MOST_COLUMNS]:
        value = float(synthetic.values[source, place])
        test = _test(value, int(place), bool(value >= medians[place]), coder)
        met = _meets(synthetic.values, test, rows)
        rows = np.flatnonzero(met) if rows is None else rows[met]
        condition.append(test)
        if len(rows) == 1:
            return condition
    return None


def _blind(synthetic: Records, length: int, coder: Coder, rng: np.random.Generator) -> list[_Test]:
    places = rng.permutation(len(coder.columns))[:length]
    rows = rng.integers(len(synthetic), size=length)
    return [
        _test(float(synthetic.values[row, place]), int(place), bool(rng.random() < 0.5), coder)
        for row, place in zip(rows, places, strict=True)
    ]


def _hits(conditions: list[list[_Test]], everyone: Patients) -> tuple[Tally, Tally]:
    """Conditions that fit one training patient alone; one patient of the control alone, and a held-out one."""
    attack, control = np.zeros(len(conditions), dtype=bool), np.zeros(len(conditions), dtype=bool)
    for at, condition in enumerate(conditions):
        rows = _fitting(everyone.values, condition)
        learned, beside = rows[everyone.learned[rows]], rows[everyone.beside[rows]]
        attack[at] = len(np.unique(everyone.patients[learned])) == 1
        control[at] = len(np.unique(everyone.patients[beside])) == 1 and not everyone.learned[beside].any()
    return Tally.of(attack), Tally.of(control, factor=everyone.factor)
