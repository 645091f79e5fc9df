"""What a reference population asks of a cohort: the group that fits the criteria, and its shares over the columns.

The group is the smallest one that a criterion demands (type 2 diabetes), else all adults. Further criteria on age, sex
or ethnicity restrict its table. Shares that the user set win: the table keeps the associations it has and is raked to
them. A table that fewer than 30 participants are behind after that is not used.
"""

from dataclasses import dataclass, replace
from functools import reduce
from math import isfinite

import numpy as np

from engine.cohort.conditions import Condition, Interval, bare_code, compile_conditions, share_text
from engine.cohort.population_columns import Dimension, Slot, dimensions
from engine.cohort.raking import Axes, rake
from engine.cohort.reference_tables import FEW, Group, ReferenceTable, reference_table
from engine.cohort.spec import CohortSpec, Criterion
from engine.cohort.vocabulary import diseases
from engine.core.errors import UserError
from engine.schema.catalogue import unit_key
from engine.schema.linking import concept_of
from engine.schema.table import Column, Kind, TableSchema

_WORDS = {"age_years": "age", "sex": "sex", "ethnicity": "ethnicity"}
_CLOSE = 1e-6
_MATERIAL = 0.05


@dataclass(frozen=True)
class Target:
    """Proportions that a cohort is to have.

    Attributes:
        table: the population.
        group: of it.
        dimensions: the columns, with the slots that the criteria leave.
        shares: an array with one axis per dimension, adding up to 1.
        participants: of the survey, behind it.
        few: proportion of the cohort in combinations that fewer than 30 participants are behind.
        user: names of the columns whose proportions are the user's own.
        notes: what a person should know of it, in sentences.
    """

    table: ReferenceTable
    group: Group
    dimensions: tuple[Dimension, ...]
    shares: np.ndarray
    participants: int
    few: float = 0.0
    user: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The group, country and years in words."""
        return f"{self.group.label} in {self.table.label}"

    @property
    def sentence(self) -> str:
        """Which columns follow whom, by which source."""
        mine = [_WORDS[one.concept] for one in self.dimensions if one.column.name not in self.user]
        follow = "follow" if len(mine) != 1 else "follows"
        if not mine:
            return f"Every proportion that {self.title} would give is set by the request itself."
        behind = f"{self.table.survey}, {self.participants:,} participants"
        return f"{_listed(mine).capitalize()} {follow} {self.title} ({behind})."

    def margin(self, axis: int) -> np.ndarray:
        """Shares of one dimension's slots."""
        return _margin(self.shares, axis)


def fits(name: str, schema: TableSchema) -> bool:
    """Whether the population can be held against ``schema``: at least its age or sex."""
    table = reference_table(name)
    return any(one.concept in ("age_years", "sex") for one in dimensions(table, table.everybody, schema))


def target(spec: CohortSpec, schema: TableSchema) -> Target | None:
    """What ``spec.reference_population`` asks for; None without one.

    Raises:
        UserError: the source has neither age nor sex in a form that the table knows, fewer than 30 participants meet
            the criteria, or shares and criteria cannot be combined with it.
    """
    if spec.reference_population is None:
        return None
    table = reference_table(spec.reference_population)
    if not fits(table.name, schema):
        raise UserError(
            f"the {table.title} cannot be followed: the source has neither an age in years nor a sex that its table "
            "knows",
            remedy="Generate without it.",
        )
    conditions = compile_conditions(spec, schema)
    asked = _groups(table, spec, schema)
    passed_over = []
    for group in (*(one for one, _ in asked), table.everybody):
        found = _of_group(table, group, conditions, schema)
        if found is not None and found.participants >= FEW:
            return _with_shares(replace(found, notes=_notes(found, asked, passed_over, conditions)), spec)
        passed_over.append(group)
    raise UserError(
        f"fewer than {FEW} participants of the survey behind the {table.title} meet the criteria on age, sex and "
        "ethnicity",
        remedy=f"Widen them (the table begins at {table.everybody.age_bands[0]} years), or generate without the "
        "population.",
    )


def _groups(table: ReferenceTable, spec: CohortSpec, schema: TableSchema) -> list[tuple[Group, set[int]]]:
    """The groups that a criterion demands, the smallest first, each with the numbers of those criteria."""
    by: dict[str, set[int]] = {}
    for number, criterion in enumerate(spec.criteria):
        demanded = _diseases(criterion, schema)
        for group in table.groups[1:]:
            if group.name in demanded or _within(criterion, group, schema):
                by.setdefault(group.name, set()).add(number)
    found = sorted((group for group in table.groups if group.name in by), key=lambda group: group.participants)
    return [(group, by[group.name]) for group in found]


def _diseases(criterion: Criterion, schema: TableSchema) -> set[str]:
    """The catalogue's yes/no columns that are true of whoever meets the criterion."""
    column = schema[criterion.column]
    if column.kind is Kind.BOOLEAN and criterion.any_of is not None and set(criterion.any_of) == {True}:
        known = concept_of(column.name)
        return {known.name if known else column.name}
    if not criterion.starts_with:
        return set()
    codes = [bare_code(code) for code in criterion.starts_with]
    return {one.flag for one in diseases() if one.flag and all(code.startswith(one.icd9) for code in codes)}


def _within(criterion: Criterion, group: Group, schema: TableSchema) -> bool:
    """Whether the criterion asks for quantities by which a patient belongs to the group (a BMI of 30 or more)."""
    column = schema[criterion.column]
    known = concept_of(column.name)
    if known is None or known.name not in group.least or not isinstance(criterion.minimum, (int, float)):
        return False
    same = column.unit is not None and known.unit is not None and unit_key(column.unit) == unit_key(known.unit)
    return same and criterion.minimum >= group.least[known.name]


def _of_group(
    table: ReferenceTable, group: Group, conditions: dict[str, Condition], schema: TableSchema
) -> Target | None:
    """The group's table over the columns, restricted by the criteria; None where they leave nothing of it."""
    axes = dimensions(table, group, schema)
    concepts = [one.concept for one in axes]
    left_out = tuple(axis for axis, concept in enumerate(_WORDS) if concept not in concepts)
    shares, people = (one.sum(axis=left_out) for one in (table.shares(group), table.participants(group).astype(float)))
    kept = []
    for axis, dimension in enumerate(axes):
        shares, people = (_summed(one, axis, dimension) for one in (shares, people))
        narrowed, part = _narrowed(dimension, conditions.get(dimension.column.name))
        others = tuple(other for other in range(shares.ndim) if other != axis)
        shares, people = (one * np.expand_dims(part, others) for one in (shares, people))
        kept.append(narrowed)
    if not shares.sum() > 0:
        return None
    shares = shares / shares.sum()
    few = float(shares[people < FEW].sum())
    return Target(table, group, tuple(kept), shares, round(people.sum()), few)


def _summed(values: np.ndarray, axis: int, dimension: Dimension) -> np.ndarray:
    """``values`` with the table's categories along ``axis`` put together as the dimension's slots."""
    moved = np.moveaxis(values, axis, 0)
    out = np.zeros((len(dimension.slots), *moved.shape[1:]))
    np.add.at(out, np.array(dimension.origin), moved)
    return np.moveaxis(out, 0, axis)


def _narrowed(dimension: Dimension, condition: Condition | None) -> tuple[Dimension, np.ndarray]:
    """The slots within ``condition``, and which part of each is left."""
    if condition is None:
        return dimension, np.ones(len(dimension.slots))
    met = [_met(slot, condition, dimension) for slot in dimension.slots]
    return replace(dimension, slots=tuple(slot for slot, _ in met)), np.array([part for _, part in met])


def _met(slot: Slot, condition: Condition, dimension: Dimension) -> tuple[Slot, float]:
    own = slot.condition
    if not condition.allow_present:
        return slot, 0.0
    if own.intervals is None:
        left = (own.categories or frozenset()) & (condition.categories or own.categories or frozenset())
        return replace(slot, condition=replace(own, categories=left)), float(bool(left))
    (band,) = own.intervals
    pieces = tuple(met for one in condition.intervals or (Interval(),) if (met := one.meet(band)) is not None)
    narrowed = replace(own, intervals=pieces, excluded=condition.excluded)
    return replace(slot, condition=narrowed), _part(band, pieces, dimension.column) if pieces else 0.0


def _part(band: Interval, pieces: tuple[Interval, ...], column: Column) -> float:
    """Which part of a band's years lies in ``pieces``, as if each year held as many people."""
    if not isfinite(band.high):
        return 1.0
    if column.kind is Kind.INTEGER or column.decimals == 0:
        years = np.arange(band.low, band.high)
        return float(np.logical_or.reduce([one.contains(years) for one in pieces]).mean())
    return sum(one.high - one.low for one in pieces) / (band.high - band.low)


def _notes(
    found: Target, asked: list[tuple[Group, set[int]]], passed_over: list[Group], conditions: dict[str, Condition]
) -> tuple[str, ...]:
    notes = []
    if passed_over:
        names = _listed([group.label for group in passed_over])
        notes.append(f"Fewer than {FEW} participants among {names} meet the other criteria, so that table is not used.")
    covered = set().union(*(criteria for group, criteria in asked if group in (found.group, *passed_over)))
    further = [group.label for group, criteria in asked if not criteria & covered]
    if further:
        notes.append(f"The request also asks for {_listed(further)}, whose own proportions are not looked at.")
    known = [one.concept for one in found.dimensions]
    missing = [word for concept, word in _WORDS.items() if concept not in known]
    if missing:
        notes.append(f"The source has no {_listed(missing)} in a form that the table knows: nothing is done about it.")
    youngest = found.group.age_bands[0]
    if "age_years" in known and found.dimensions[0].column.name not in conditions:
        notes.append(f"The population is of adults: nobody under {youngest} years is drawn.")
    if found.few >= _MATERIAL:
        notes.append(
            f"Combinations that stand for {found.few:.0%} of it rest on fewer than {FEW} participants each, so their "
            "shares are uncertain."
        )
    return tuple(notes)


def _with_shares(found: Target, spec: CohortSpec) -> Target:
    """``found`` with the user's proportions where they are about the same columns."""
    margins, axes, shares = [], list(found.dimensions), found.shares
    for axis, dimension in enumerate(found.dimensions):
        column = dimension.column
        wanted = {share_text(one, column): one.share for one in spec.shares if one.column == column.name}
        if not wanted:
            continue
        if column.kind.is_ordered:
            raise UserError(
                f"shares of single values of {column.name!r} cannot be combined with the {found.table.title}",
                remedy="Drop the shares or the population.",
            )
        axes[axis], origin = _split(dimension, wanted, found.table)
        shares = np.take(shares, origin, axis=axis)
        own = found.margin(axis)[origin]
        named = len(wanted)
        rest = max(0.0, 1 - sum(wanted.values()))
        if rest > _CLOSE and not own[named:].sum() > 0:
            raise UserError(
                f"the shares of {column.name!r} leave {rest:.0%} to other categories, and the {found.table.title} has "
                "none within the criteria",
                remedy="Let the shares add up to 100 %.",
            )
        others = own[named:] / own[named:].sum() * rest if rest > _CLOSE else np.zeros(len(own) - named)
        margins.append(Axes((axis,), np.concatenate([list(wanted.values()), others])))
    if not margins:
        return found
    # Of whom the table lacks, the share is spread as everybody within the criteria is.
    apart = [
        np.maximum(_margin(shares, axis), _CLOSE * (axis in {margin.axes[0] for margin in margins}))
        for axis in range(shares.ndim)
    ]
    raked, left = rake(shares + _CLOSE * _CLOSE * reduce(np.multiply.outer, apart), margins)
    if left > _CLOSE:
        raise UserError("the shares cannot be combined with the population", remedy="Drop one of them.")
    user = tuple(axes[margin.axes[0]].column.name for margin in margins)
    titles = _listed([_WORDS[axes[margin.axes[0]].concept] for margin in margins])
    note = f"The shares of {titles} are those of the request; within them the rest follows the population."
    return replace(found, dimensions=tuple(axes), shares=raked, user=user, notes=(*found.notes, note))


def _split(dimension: Dimension, wanted: dict[str, float], table: ReferenceTable) -> tuple[Dimension, list[int]]:
    """The categories of ``wanted`` as slots of their own, then what is left of each slot; and whence each comes."""
    slots, origin = [], []
    for category in wanted:
        home = [at for at, one in enumerate(dimension.slots) if category in (one.condition.categories or ())]
        if not home:
            raise UserError(
                f"a share asks for {category!r} in {dimension.column.name!r}, which the {table.title} does not have",
                remedy="Drop the share or the population.",
            )
        condition = replace(dimension.slots[home[0]].condition, categories=frozenset({category}))
        slots.append(Slot(category, condition))
        origin.append(home[0])
    for at, slot in enumerate(dimension.slots):
        left = (slot.condition.categories or frozenset()) - set(wanted)
        if left:
            slots.append(Slot(" or ".join(sorted(left)), replace(slot.condition, categories=left)))
            origin.append(at)
    return Dimension(dimension.concept, dimension.column, tuple(slots), tuple(origin)), origin


def _margin(shares: np.ndarray, axis: int) -> np.ndarray:
    return shares.sum(axis=tuple(other for other in range(shares.ndim) if other != axis))


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
