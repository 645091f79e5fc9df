"""Which columns of a source a reference population speaks of, and which of their values its categories are."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.cohort.conditions import Condition, Interval
from engine.cohort.reference_tables import Group, ReferenceTable
from engine.cohort.vocabulary import category_words
from engine.schema.catalogue import unit_key
from engine.schema.linking import concept_of
from engine.schema.table import Column, Kind, TableSchema

CONCEPTS = ("age_years", "sex", "ethnicity")
"""The columns of the catalogue that populations speak of, in the order of their tables' axes."""
_NUMBER = re.compile(r"\d+")
_OPEN_ENDED = re.compile(r"\+|≥|>|\b(over|older|above|more)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Slot:
    """Values of a column that a population's table takes together: ``condition`` says which, ``label`` in words."""

    label: str
    condition: Condition


@dataclass(frozen=True)
class Dimension:
    """A column of the source with its slots.

    Attributes:
        concept: of the catalogue.
        column: the source's.
        slots: no value lies in two of them; values in none have no part in the population.
        origin: for each category of the population's table its slot.
    """

    concept: str
    column: Column
    slots: tuple[Slot, ...]
    origin: tuple[int, ...]

    def codes(self, frame: pd.DataFrame) -> np.ndarray:
        """(n_rows,) the slot of each row, -1 for none."""
        codes = np.full(len(frame), -1)
        for number, slot in enumerate(self.slots):
            codes[slot.condition.satisfied(frame[self.column.name], self.column)] = number
        return codes


def dimensions(table: ReferenceTable, group: Group, schema: TableSchema) -> tuple[Dimension, ...]:
    """The columns of ``schema`` that the table of ``group`` can be held against, in the order of its axes."""
    found = []
    for concept in CONCEPTS:
        column = _column(concept, schema)
        made = None if column is None else _dimension(concept, column, table, group)
        found += [] if made is None else [made]
    return tuple(found)


def _column(concept: str, schema: TableSchema) -> Column | None:
    """The column that is the concept; None where there is none, or several and none of the very name."""
    meant = [one for one in schema.features if _means(one, concept)]
    named = [one for one in meant if one.name == concept]
    return named[0] if named else meant[0] if len(meant) == 1 else None


def _means(column: Column, concept: str) -> bool:
    known = concept_of(column.name) or (concept_of(column.label) if column.label else None)
    return known is not None and known.name == concept


def _dimension(concept: str, column: Column, table: ReferenceTable, group: Group) -> Dimension | None:
    if concept == "age_years":
        return _age(column, group) if column.kind.is_ordered else _age_groups(column, group)
    if column.kind is not Kind.CATEGORICAL:
        return None
    wanted = table.sexes if concept == "sex" else table.ethnicities
    inside: dict[str, str] = {one: one for one in wanted}
    if concept == "ethnicity":
        inside |= {more: one for one, others in table.includes.items() for more in others}
    of: dict[str, list[str]] = {one: [] for one in wanted}
    for category in column.categories or ():
        known = inside.get(_meaning(category, concept) or "")
        if known is not None:
            of[known].append(category)
    if sum(map(bool, of.values())) < 2:
        return None
    slots = tuple(_nominal(column, tuple(categories), one) for one, categories in of.items())
    return Dimension(concept, column, slots, tuple(range(len(slots))))


def _nominal(column: Column, categories: tuple[str, ...], name: str) -> Slot:
    label = " or ".join(categories) if categories else name
    return Slot(label, Condition(column.name, categories=frozenset(categories), allow_missing=False))


def _meaning(category: str, concept: str) -> str | None:
    """The catalogue's category that a source's means, by its name or its words."""
    key = _letters(category)
    for known, words in category_words()[concept].items():
        if key in {_letters(known), *map(_letters, words)}:
            return known
    return None


def _letters(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum())


def _age(column: Column, group: Group) -> Dimension | None:
    if column.kind is Kind.DATE or (column.unit and unit_key(column.unit) != unit_key("years")):
        return None
    slots = []
    for low, high in _bands(group):
        interval = Interval(low, high, include_high=False) if math.isfinite(high) else Interval(low)
        slots.append(Slot(band_label(low, high), Condition(column.name, intervals=(interval,), allow_missing=False)))
    return Dimension("age_years", column, tuple(slots), tuple(range(len(slots))))


def _age_groups(column: Column, group: Group) -> Dimension | None:
    """Bands of the table that one of the source's age groups overlaps together make one slot."""
    bands = list(_bands(group))
    reach = {one: known for one in column.categories or () if (known := _years(one)) is not None}
    inside = {one: (low, high) for one, (low, high) in reach.items() if low >= bands[0][0]}
    if len(inside) < 2:
        return None
    joined = [0]
    for low, _ in bands[1:]:
        across = any(start < low < end for start, end in inside.values())
        joined.append(joined[-1] + (not across))
    slots = []
    for number in range(joined[-1] + 1):
        mine = [band for band, slot in zip(bands, joined, strict=True) if slot == number]
        low, high = mine[0][0], mine[-1][1]
        categories = frozenset(one for one, (start, _) in inside.items() if low <= start < high)
        condition = Condition(column.name, categories=categories, allow_missing=False)
        slots.append(Slot(band_label(low, high), condition))
    return Dimension("age_years", column, tuple(slots), tuple(joined))


def _years(category: str) -> tuple[float, float] | None:
    """From the first to before the last year of an age group: ``[70-80)``, ``70–79``, ``80+``."""
    numbers = [float(number) for number in _NUMBER.findall(category)]
    if len(numbers) == 1 and _OPEN_ENDED.search(category):
        return numbers[0], math.inf
    if len(numbers) != 2 or numbers[0] >= numbers[1]:
        return None
    last = numbers[1] if category.rstrip().endswith(")") else numbers[1] + 1
    return numbers[0], last


def _bands(group: Group) -> Iterator[tuple[float, float]]:
    ends = (*group.age_bands[1:], math.inf)
    return ((float(low), float(high)) for low, high in zip(group.age_bands, ends, strict=True))


def band_label(low: float, high: float) -> str:
    """An age band in completed years: "60-69", "80 and older"."""
    return f"{low:g}–{high - 1:g}" if math.isfinite(high) else f"{low:g} and older"
