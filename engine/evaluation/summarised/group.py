"""Which patients of a private summary a cohort is compared with, and how each column is distributed among them.

A summary knows columns one by one and in pairs. So the patients who meet the criteria on one column are known through
the tables of that column and each other; of criteria on several columns all but one are dropped, as
:mod:`engine.evaluation.reference` drops criteria that too few real patients meet. Target proportions of one column
weight its levels in the same tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from engine.cohort.conditions import Condition, compile_conditions, restrict, share_text
from engine.cohort.spec import CohortSpec
from engine.evaluation.reference import LEAST_PATIENTS
from engine.evaluation.tables import label_of
from engine.privacy.estimation import on_simplex, recorded
from engine.privacy.groups import level_shares, share_within, size_of
from engine.privacy.summary import Margin, PrivateSummary

_TOLD = 3.0
"""Standard deviations of noise that a group must exceed to be a reference."""
_TINY = 1e-9


@dataclass(frozen=True)
class Group:
    """The reference.

    Attributes:
        summary: whose patients they are.
        kind: ``"all"``, ``"criteria"`` (those who meet all) or ``"relaxed"`` (criteria were dropped).
        column: index of the column whose levels define the group; None for all patients.
        weights: float64 (levels + 1,), how much a patient of each of its levels counts.
        cells: float64 (cells + 1,), the same by cell.
        patients: estimated number.
        dropped: columns of the criteria that were dropped.
        notes: what could not be followed, in sentences.
        weighted: whether ``weights`` are target proportions.
        own: the dropped criteria by index of their column: that column's own distribution is told within them.
    """

    summary: PrivateSummary
    kind: str
    column: int | None
    weights: np.ndarray
    cells: np.ndarray
    patients: float
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    weighted: bool = False
    own: Mapping[int, Condition] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """Which patients they are, for a person."""
        told = self.summary.statement
        about = (
            f"a differentially private summary (ε {told['epsilon']:.3g}, δ {told['delta']:g}) of the patients that the "
            "model learned from, not with real rows"
        )
        if self.kind == "all":
            return f"Compared with {about}: about {self.patients:,.0f} patients."
        if self.column is None:
            return f"Compared with {about}: all of about {self.patients:,.0f} patients, without {self._left_out}."
        label = label_of(self.summary.margins[self.column].column)
        group = f"about {self.patients:,.0f} patients who meet the criteria on {label}"
        if self.kind == "criteria":
            return f"Compared with {about}: {group}."
        return (
            f"Compared with {about}: {group}, without {self._left_out}. A summary knows columns one by one and in "
            "pairs. Differences that follow from what was left out are expected; each of these columns itself is "
            "compared within its criteria."
        )

    @property
    def _left_out(self) -> str:
        labels = [label_of(self.summary.schema[name]) for name in self.dropped]
        return f"the criteria on {', '.join(labels)}"


@dataclass(frozen=True)
class Distribution:
    """One column among the patients of a group.

    Attributes:
        margin: the column.
        cells: float64 (cells,), estimated patients, none negative.
        missing: estimated patients without a value.
        level_noise: float64 (levels,), standard deviation of the noise in the patients of each level.
        missing_noise: the same of ``missing``.
    """

    margin: Margin
    cells: np.ndarray
    missing: float
    level_noise: np.ndarray
    missing_noise: float

    @property
    def levels(self) -> np.ndarray:
        """Patients at each level, float64 (levels,)."""
        return self.margin.by_level(np.append(self.cells, 0.0))[:-1]

    @property
    def present(self) -> float:
        """Patients with a value."""
        return float(self.cells.sum())

    @property
    def missing_share(self) -> float:
        """Share of the patients without a value."""
        return self.missing / max(self.present + self.missing, _TINY)

    def redrawn(self, random: np.random.Generator) -> "Distribution":
        """The distribution with a fresh draw of the noise on it: what noise alone makes of the same patients."""
        levels = on_simplex(self.levels + random.normal(size=len(self.level_noise)) * self.level_noise, self.present)
        return Distribution(
            self.margin, _spread(self.margin, levels, self.cells), self.missing, self.level_noise, self.missing_noise
        )


def choose(summary: PrivateSummary, spec: CohortSpec) -> Group:
    """The group for ``spec``: the smallest one that is told well enough, with as few criteria dropped as can be.

    Raises:
        UserError: the spec does not suit the summary's columns.
    """
    conditions = compile_conditions(CohortSpec(criteria=spec.criteria), summary.schema)
    notes = _population_note(spec)
    if not conditions:
        weighted, more = _weighted(summary, spec)
        if weighted is not None:
            index, weights, cells = weighted
            return Group(summary, "all", index, weights, cells, summary.patients, (), (*notes, *more), True)
        return _everyone(summary, "all", (), (*notes, *more))
    if spec.shares:
        notes = (*notes, "Target proportions are not applied to the reference: its criteria need the pairs already.")
    sizes = {name: size_of(summary, {name: condition}) for name, condition in conditions.items()}
    told = {
        name: size.patients
        for name, size in sizes.items()
        if size.patients >= LEAST_PATIENTS and size.patients > _TOLD * (size.noise or 0.0)
    }
    kept = min(told, key=lambda name: told[name]) if told else None
    dropped = tuple(name for name in conditions if name != kept)
    own = {summary.index(name): conditions[name] for name in dropped}
    if kept is None:
        return replace(_everyone(summary, "relaxed", dropped, notes), own=own)
    index = summary.index(kept)
    return Group(
        summary, "relaxed" if dropped else "criteria", index, level_shares(summary, index, conditions[kept]),
        share_within(summary.margins[index], conditions[kept]), told[kept], dropped, notes, own=own,
    )  # fmt: skip


def distribution(group: Group, index: int) -> Distribution | None:
    """The column at ``index`` among the patients of ``group``; None where the pair that it takes was not measured.

    Within the column's own criterion, where that was dropped for the others.
    """
    found = _whole(group, index)
    if found is None or index not in group.own:
        return found
    inside = share_within(found.margin, group.own[index])
    shares = level_shares(group.summary, index, group.own[index])
    return Distribution(
        found.margin, found.cells * inside[:-1], found.missing * float(inside[-1]), found.level_noise * shares[:-1],
        found.missing_noise * float(inside[-1]),
    )  # fmt: skip


def _whole(group: Group, index: int) -> Distribution | None:
    summary, margin = group.summary, group.summary.margins[index]
    estimate = summary.estimate(index)
    if group.column is None or group.column == index:
        inside = estimate if group.column is None else estimate * group.cells
        used = np.ones(len(margin.counts)) if group.column is None else group.cells
        noise = margin.noise * np.sqrt(margin.by_level(used**2))
        return Distribution(margin, inside[:-1], float(inside[-1]), noise[:-1], float(noise[-1]))
    measured = summary.pair(group.column, index)
    if measured is None:
        return None
    counts, noise = measured
    spread = noise * float((group.weights**2).sum()) ** 0.5
    of_group = group.weights @ counts
    patients = float((group.cells * summary.estimate(group.column)).sum())
    present, missing = recorded(
        float(of_group[-1]), spread, patients=patients, patients_noise=summary.margins[group.column].noise
    )
    levels = on_simplex(of_group[:-1], present)
    return Distribution(margin, _spread(margin, levels, estimate[:-1]), missing, np.full(margin.size, spread), spread)


def _everyone(summary: PrivateSummary, kind: str, dropped: tuple[str, ...], notes: tuple[str, ...]) -> Group:
    return Group(summary, kind, None, np.ones(0), np.ones(0), summary.patients, dropped, notes)


def _spread(margin: Margin, levels: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """Patients per cell, where ``levels`` (levels,) lie inside each level as ``cells`` (cells,) do."""
    mass = cells + _TINY
    return levels[margin.level] * mass / margin.by_level(np.append(mass, 0.0))[margin.level]


def _weighted(
    summary: PrivateSummary, spec: CohortSpec
) -> tuple[tuple[int, np.ndarray, np.ndarray] | None, tuple[str, ...]]:
    """Weights of one column's levels and cells that give it the proportions asked for, or a note why there are none."""
    names = list(dict.fromkeys(share.column for share in spec.shares))
    if not names:
        return None, ()
    if len(names) > 1:
        return None, ("Target proportions of several columns are not applied to the reference.",)
    index = summary.index(names[0])
    margin, estimate = summary.margins[index], summary.estimate(index)
    total = float(estimate.sum())
    parts: list[tuple[float, Condition]] = [
        (share.share, restrict(None, margin.column, share_text(share, margin.column))) for share in spec.shares
    ]
    cells, used = np.zeros(len(estimate)), np.zeros(len(estimate))
    for share, condition in parts:
        inside = share_within(margin, condition)
        patients = float((inside * estimate).sum())
        if share > 0 and patients <= margin.noise:
            return None, ("Target proportions name a category that the summary does not tell from its noise.",)
        cells += share * total / max(patients, _TINY) * inside
        used += inside
    rest = 1 - np.clip(used, 0, 1)
    left = 1 - sum(share for share, _ in parts)
    if left > _TINY and (rest * estimate).sum() > 0:
        cells += left * total / float((rest * estimate).sum()) * rest
    weight = estimate + _TINY
    levels = margin.by_level(cells * weight) / margin.by_level(weight)
    return (index, levels, cells), ("The reference is weighted to the proportions that were asked for.",)


def _population_note(spec: CohortSpec) -> tuple[str, ...]:
    if spec.reference_population is None:
        return ()
    return ("The cohort is weighted to a reference population: the summary's patients are as they are.",)
