"""Weights that give real rows the proportions that a synthetic cohort was asked for, or those of a population.

Raking (generalised raking of Deville, Särndal and Sautory 1993): of all weights that reach the target margins, the ones
nearest to equal weights in relative entropy, which is where iterative proportional fitting ends. A patient has one
weight for all their rows (integrated weighting, Lemaître and Dufour 1987) wherever the targets can be reached so.

What the real rows cannot stand for is said, not invented: a category that no real row has is left out and the others
keep their proportions; categories of a few patients are weighted together with others, as their rows would otherwise
stand for a whole group (and figures with and without weights would tell those few apart).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from engine.cohort.conditions import Condition, Interval, as_numbers, as_text, share_text
from engine.cohort.population import target
from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.evaluation.cells import Sample
from engine.evaluation.raking import CLOSE, Cells, raked
from engine.schema.table import Column, TableSchema

Category = str | Interval | frozenset[str]
"""A category as text (booleans ``"true"``/``"false"``), several that count as one, or the numbers of an ordered column
(dates: days)."""

LEAST_EFFECTIVE = 20
"""Weighted rows that count as fewer patients than this say too little."""

_MOST_NAMED = 3


@dataclass(frozen=True)
class Margin:
    """Target proportions of one column, or of the combinations of several.

    Attributes:
        columns: names; each category of ``targets`` has one part per column.
        targets: proportion by category; at most 1 together, the remainder is for all other rows.
    """

    columns: tuple[str, ...]
    targets: Mapping[tuple[Category, ...], float]

    def __post_init__(self) -> None:
        total = sum(self.targets.values())
        if not self.targets or min(self.targets.values()) < 0 or total > 1 + 1e-6:
            raise UserError(f"the target proportions of {', '.join(self.columns)} add up to {total:.3g}, not 0 to 1")
        if any(len(category) != len(self.columns) for category in self.targets):
            raise UserError(f"each target needs one category for each of {', '.join(self.columns)}")


Margins = Sequence[Margin]


@dataclass(frozen=True)
class Weights:
    """The outcome of :func:`weigh`.

    Attributes:
        values: (n_rows,) of mean 1, 0 where a row has no part in the target; None where rows keep equal weights.
        effective_patients: Kish's effective size: as many equally weighted patients say as much.
        reason: why there are no weights although they were asked for, else empty.
        notes: what the real rows cannot stand for, in sentences.
    """

    values: np.ndarray | None
    effective_patients: float
    reason: str = ""
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON values: ``weighted``, ``effective_patients`` (two digits), ``sentence``, ``notes``."""
        size = float(f"{self.effective_patients:.2g}")
        sentence = self.reason
        if self.values is not None:
            sentence = f"Real rows are weighted to the proportions asked for; they count as about {size:,.0f} patients."
        shown = None if self.values is None else round(size)
        return {
            "weighted": self.values is not None,
            "effective_patients": shown,
            "sentence": sentence,
            "notes": list(self.notes),
        }


def share_margins(spec: CohortSpec, schema: TableSchema) -> tuple[Margin, ...]:
    """The spec's shares as one margin per column.

    Raises:
        UserError: a share names an unknown column or category.
    """
    targets: dict[str, dict[tuple[Category, ...], float]] = {}
    for share in spec.shares:
        column = schema[share.column]
        text = share_text(share, column)
        category = Interval(float(text), float(text)) if column.kind.is_ordered else text
        targets.setdefault(share.column, {})[(category,)] = share.share
    return tuple(Margin((name,), of_column) for name, of_column in targets.items())


def asked_margins(spec: CohortSpec, schema: TableSchema) -> tuple[Margin, ...]:
    """The proportions that a cohort is to have: by its shares, and by its reference population (one margin per column).

    Raises:
        UserError: a share names an unknown column or category, or the population cannot be followed.
    """
    followed = target(spec, schema)
    if followed is None:
        return share_margins(spec, schema)
    of_population = []
    for axis, dimension in enumerate(followed.dimensions):
        shares = followed.margin(axis)
        targets: dict[tuple[Category, ...], float] = {}
        for slot, share in zip(dimension.slots, shares / shares.sum(), strict=True):
            for category in _categories(slot.condition):
                targets[(category,)] = float(share)
        of_population.append(Margin((dimension.column.name,), targets))
    known = {one.column.name for one in followed.dimensions}
    others = [one for one in share_margins(spec, schema) if one.columns[0] not in known]
    return (*of_population, *others)


def _categories(condition: Condition) -> tuple[Category, ...]:
    """The one category that a slot of a population is; none where the criteria leave nothing of it."""
    if condition.intervals is not None:
        # The criteria hold for every row that is compared, so what lies between the pieces does not occur.
        pieces = condition.intervals
        return (replace(pieces[0], high=pieces[-1].high, include_high=pieces[-1].include_high),) if pieces else ()
    return (condition.categories,) if condition.categories else ()


def weigh(sample: Sample, margins: Margins, schema: TableSchema, *, minimum: int) -> Weights:
    """Weights of the real rows of ``sample`` (conformed) that reach every margin, or why there are none.

    ``minimum``: categories with fewer patients are weighted together with others.

    Raises:
        UserError: a margin names an unknown column.
    """
    equal = Weights(None, float(sample.patient_count))
    if not margins or not len(sample.frame):
        return equal
    notes: list[str] = []
    cells = []
    for margin in margins:
        found, said = _supported(sample, margin, schema, minimum)
        notes += said
        cells += [] if found is None else [found]
    if not cells:
        reason = "Real rows are not weighted: too few real patients differ in what the proportions are about."
        return Weights(None, equal.effective_patients, reason, tuple(notes))
    values = raked(sample, cells)
    if values is None:
        reason = "Real rows are not weighted: no weights of theirs reach all the proportions asked for together."
        return Weights(None, equal.effective_patients, reason, tuple(notes))
    effective = _effective_patients(sample, values)
    if effective < LEAST_EFFECTIVE:
        reason = f"Real rows are not weighted: with weights they would count as fewer than {LEAST_EFFECTIVE} patients."
        return Weights(None, equal.effective_patients, reason, tuple(notes))
    return Weights(values, effective, "", tuple(notes))


def _supported(sample: Sample, margin: Margin, schema: TableSchema, minimum: int) -> tuple[Cells | None, list[str]]:
    codes, columns = _codes(sample, margin, schema), [schema[name] for name in margin.columns]
    names = [_category_text(category, columns) for category in margin.targets] + ["another value, or none"]
    targets = np.array([*margin.targets.values(), 0.0])
    targets[-1] = max(0.0, 1 - targets.sum())
    targets[targets < CLOSE] = 0.0
    title = " and ".join(column.label or column.name for column in columns)
    patients = np.array([_patients(sample, codes == cell) for cell in range(len(targets))])
    notes = []
    absent = [cell for cell in np.flatnonzero(patients == 0) if targets[cell] > 0]
    if absent:
        notes.append(
            f"No real row has {title}: {_list([names[cell] for cell in absent])}, which {targets[absent].sum():.0%} "
            "are to have. The real rows stand for the other categories only."
        )
    pool = [int(cell) for cell in np.flatnonzero((patients > 0) & (patients < minimum))]
    if pool:
        few = _list([names[cell] for cell in pool])
        others = [int(cell) for cell in np.argsort(patients, kind="stable") if patients[cell] >= minimum]
        while others and _patients(sample, np.isin(codes, pool)) < minimum:
            pool.append(others.pop(0))
        notes.append(f"Fewer than {minimum} real patients have {title}: {few}. They are weighted together with others.")
        codes = np.where(np.isin(codes, pool), pool[0], codes)
        targets[pool[0]], targets[pool[1:]] = targets[pool].sum(), 0.0
    present = np.unique(codes)
    if len(present) < 2 or not targets[present].sum() > 0:
        return None, notes
    kept = targets[present]
    return Cells(np.searchsorted(present, codes), kept / kept.sum()), notes


def _codes(sample: Sample, margin: Margin, schema: TableSchema) -> np.ndarray:
    """(n_rows,) the position of each row's category among the targets; the last for every other row."""
    codes = np.full(len(sample.frame), len(margin.targets))
    for position, category in reversed(list(enumerate(margin.targets))):
        rows = np.ones(len(codes), dtype=bool)
        for name, part in zip(margin.columns, category, strict=True):
            column = schema[name]
            if isinstance(part, Interval):
                rows &= part.contains(as_numbers(sample.frame[name], column))
            elif isinstance(part, frozenset):
                rows &= as_text(sample.frame[name], column).isin(part).to_numpy(dtype=bool)
            else:
                rows &= (as_text(sample.frame[name], column).astype("object") == part).to_numpy(dtype=bool)
        codes[rows] = position
    return codes


def _patients(sample: Sample, rows: np.ndarray) -> int:
    return int(sample.support(rows).sum())


def _effective_patients(sample: Sample, values: np.ndarray) -> float:
    """Patients with weight, divided by Kish's design effect (1 + the squared variation of their rows' weights)."""
    kept = values > 0
    return _patients(sample, kept) * values.sum() ** 2 / (kept.sum() * (values**2).sum())


def _category_text(category: tuple[Category, ...], columns: list[Column]) -> str:
    parts = []
    for part, column in zip(category, columns, strict=True):
        if isinstance(part, frozenset):
            parts.append(" or ".join(sorted(part)))
        elif isinstance(part, str):
            parts.append({"true": "yes", "false": "no"}.get(part, part))
        elif part.low == part.high:
            parts.append(f"{part.low:g}")
        else:
            parts.append(f"{part.low:g} to {part.high:g} {column.unit or ''}".strip())
    return " and ".join(parts)


def _list(names: list[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
