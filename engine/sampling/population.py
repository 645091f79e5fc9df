"""Rows in the proportions of a reference population: the model's own rows are raked to its table.

A pool of generated rows tells how the columns of the table and of the shares associate in the model under the
criteria. It is raked (:mod:`engine.cohort.raking`) to the population's table and to the shares; whole rows go to each
combination, and are then drawn under its conditions, so that every criterion holds.

Where the model has no patient of a combination, others of the same age, sex and ethnicity stand for it as far as the
margins allow. Where it has none of a whole category, that is said for a category of at most 5 % of the population,
and refused for a larger one: the cohort would be called after a population that it does not resemble.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition
from engine.cohort.population import Target
from engine.cohort.predicate import satisfied
from engine.cohort.raking import Axes, allocate, effective_size, largest_remainder, rake
from engine.core.errors import UserError
from engine.sampling.plausible import Draws
from engine.sampling.shares import REST, ShareColumn, Stratum, labelled, labels_of
from engine.schema.table import TableSchema

MATERIAL = 0.05
"""Proportion of the population that may be missing from the model."""
LEAST_POOL = 2_000
"""Rows from which "the model has none" can be told."""
_LOOSE = 0.005
_MOST_NAMED = 4


@dataclass(frozen=True)
class Plan:
    """How the rows of a cohort divide.

    Attributes:
        strata: rows of each combination with their conditions.
        columns: names of those that every stratum has a condition on.
        effective_rows: Kish's effective size of the pool under the weights that rake it.
        pool_rows: rows of the pool that have a part in the population.
        notes: what the model cannot stand for, in sentences.
    """

    strata: list[Stratum]
    columns: list[str]
    effective_rows: float
    pool_rows: int
    notes: tuple[str, ...]

    @property
    def design_effect(self) -> float:
        """By how much weighting the pool would inflate the variance of a mean (Kish 1965)."""
        return self.pool_rows / self.effective_rows


def plan(
    target: Target, shares: list[ShareColumn], conditions: dict[str, Condition], *, pool: pd.DataFrame, rows: int
) -> Plan:
    """The strata of ``rows`` rows that follow ``target`` and the ``shares`` of other columns.

    Args:
        target: the population's proportions, with the user's own for its columns in them.
        shares: those of the columns that the population does not speak of are reached too.
        conditions: of the request.
        pool: rows generated under them.
        rows: to be drawn.

    Raises:
        UserError: the model lacks patients that stand for a material part of the population or of a share.
    """
    known = {one.column.name for one in target.dimensions}
    others = [one for one in shares if one.column.name not in known]
    places = [one.codes(pool) for one in target.dimensions] + [_positions(pool, one) for one in others]
    inside = np.logical_and.reduce([place >= 0 for place in places])
    cells = tuple(place[inside] for place in places)
    counts = np.zeros((*target.shares.shape, *(len(one.categories) + 1 for one in others)))
    np.add.at(counts, cells, 1.0)
    fitted, wanted, notes = _raked(target, others, counts)
    exact = [largest_remainder(_margin(wanted, axis) * rows, rows) for axis in range(wanted.ndim)]
    found = allocate(fitted, rows, [*exact, *(np.array([*one.counts, one.rest]) for one in others)])
    strata = [
        Stratum(int(found[tuple(cell)]), _conditions(target, others, conditions, cell)) for cell in np.argwhere(found)
    ]
    weight = np.divide(fitted, counts, out=np.zeros_like(fitted), where=counts > 0)
    names = [one.column.name for one in (*target.dimensions, *others)]
    return Plan(strata, names, effective_size(weight[cells]), int(inside.sum()), notes)


def _raked(
    target: Target, others: list[ShareColumn], counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """The pool's ``counts`` raked to population and shares, the population as the pool supports it, and sentences."""
    axes = tuple(range(target.shares.ndim))
    extra = tuple(range(len(axes), counts.ndim))
    wanted, notes = _supported(target, counts.sum(axis=extra))
    margins = [Axes(axes, wanted)]
    start, spread = counts, np.ones(counts.shape[len(axes) :])
    for axis, one in zip(extra, others, strict=True):
        share = np.array([*one.counts, one.rest], dtype=float)
        margins.append(Axes((axis,), share / share.sum()))
        spread = spread * np.expand_dims(share / share.sum(), tuple(at - len(axes) for at in extra if at != axis))
    if others:
        # One row in the wanted proportions keeps combinations possible that the pool happens to lack.
        start = counts + np.expand_dims((wanted > 0).astype(float), extra) * spread
    fitted, left = rake(start, margins)
    if left > _LOOSE:
        raise UserError(
            f"no patients of this model have the proportions of {target.title} and the shares together",
            remedy="Drop shares or the population.",
        )
    return fitted, wanted, notes


def _conditions(
    target: Target, others: list[ShareColumn], conditions: dict[str, Condition], cell: np.ndarray
) -> dict[str, Condition]:
    narrowed = dict(conditions)
    axes = len(target.dimensions)
    for dimension, slot in zip(target.dimensions, cell[:axes], strict=True):
        narrowed[dimension.column.name] = dimension.slots[slot].condition
    for one, position in zip(others, cell[axes:], strict=True):
        label = REST if position == len(one.categories) else int(position)
        narrowed[one.column.name] = labelled(narrowed.get(one.column.name), one, label)
    return narrowed


def covered(target: Target, conditions: Mapping[str, Condition]) -> dict[str, Condition]:
    """``conditions`` of a pool for ``target``: with any of the slots of each of its columns."""
    found = dict(conditions)
    for dimension in target.dimensions:
        own = [slot.condition for slot in dimension.slots]
        if dimension.column.kind.is_ordered:
            pieces = tuple(piece for one in own for piece in one.intervals or ())
            found[dimension.column.name] = replace(own[0], intervals=pieces)
        else:
            categories = frozenset().union(*(one.categories or () for one in own))
            found[dimension.column.name] = replace(own[0], categories=categories)
    return found


def held(strata: list[Stratum], columns: list[str], pool: pd.DataFrame, schema: TableSchema) -> list[pd.DataFrame]:
    """For each stratum the rows of the ``pool`` that belong to it: drawing to order has a price of its own."""
    found = []
    for one in strata:
        own = {name: one.conditions[name] for name in columns}
        found.append(pool[satisfied(pool, own, schema)].reset_index(drop=True))
    return found


def served(rows_at_hand: pd.DataFrame, draws: Draws) -> Draws:
    """``draws``, which gives the rows at hand first, each of them once."""
    given = 0

    def first(rows: int, seed: int) -> pd.DataFrame:
        nonlocal given
        mine = rows_at_hand.iloc[given : given + rows]
        given += len(mine)
        if len(mine) == rows:
            return mine.reset_index(drop=True)
        return pd.concat([mine, draws(rows - len(mine), seed)], ignore_index=True)

    return first


def _positions(pool: pd.DataFrame, share: ShareColumn) -> np.ndarray:
    found = labels_of(pool[share.column.name], share)
    return np.where(found == REST, len(share.categories), found)


def _supported(target: Target, counts: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """The target over the combinations that the pool has, its margins as near as these allow, and what is not there."""
    there = counts > 0
    notes: list[str] = []
    margins = []
    for axis, dimension in enumerate(target.dimensions):
        wanted = target.margin(axis)
        absent = (_margin(there, axis) == 0) & (wanted > 0)
        if absent.any():
            share = float(wanted[absent].sum())
            title = dimension.column.label or dimension.column.name
            named = _named([slot.label for slot, gone in zip(dimension.slots, absent, strict=True) if gone])
            if share > MATERIAL or dimension.column.name in target.user:
                raise UserError(
                    f"the model has no patients with {title} {named} under these criteria, who are {_percent(share)} "
                    f"of {target.title}",
                    remedy="Narrow the request to patients that the source has, or generate without the population.",
                )
            notes.append(
                f"The model has no patients with {title} {named}, who are {_percent(share)} of the population: the "
                "cohort follows the rest of it."
            )
            wanted = np.where(absent, 0.0, wanted)
        margins.append(Axes((axis,), wanted / wanted.sum()))
    lost = float(target.shares[~there].sum())
    if not lost:
        return target.shares, ()
    seed = target.shares * there
    raked, left = rake(seed, margins) if seed.sum() > 0 else (seed, 1.0)
    if left > _LOOSE:
        raise UserError(
            f"the model lacks patients of combinations that are {_percent(lost)} of {target.title}, and others cannot "
            "stand for them",
            remedy="Narrow the request to patients that the source has, or generate without the population.",
        )
    if lost >= _LOOSE:
        notes.append(
            f"The model has no patients of combinations that are {_percent(lost)} of the population; others stand for "
            "them, so that each proportion by itself is kept."
        )
    return raked, tuple(notes)


def _margin(values: np.ndarray, axis: int) -> np.ndarray:
    return values.sum(axis=tuple(other for other in range(values.ndim) if other != axis))


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else f"{share:.1%}"


def _named(labels: list[str]) -> str:
    more = len(labels) - _MOST_NAMED
    return ", ".join(labels[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
