"""The most important columns of a disease that a source has: those a guideline speaks of first, then the associated.

Every column comes with its reason and where that stands. Without the source's associations the list is of guidelines
only; with fewer columns than were asked for, it is shorter.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.cohort.spec import Criterion
from engine.conversation.contract import RankedColumn, Source
from engine.conversation.knowledge.guidelines import Guideline
from engine.conversation.knowledge.records import Associations
from engine.conversation.knowledge.tables import GROUPS, is_of_groups
from engine.conversation.rules.concepts import concept_of
from engine.conversation.rules.lexicon import Lexicon
from engine.schema.icd9 import comorbidity_names, comorbidity_prefixes

FROM_HERE_ON = 10
"""Lists of this length and more keep age, sex and the column that defines the cohort."""
LEAST_STRENGTH = 0.05
"""Weaker associations are no reason."""
_DESCRIBES = Source(title="Requests", section="Important columns")
_ASSOCIATED = Source(title="Requests", section="Associations in a list")


@dataclass(frozen=True)
class Wish:
    """What is to be listed."""

    count: int
    disease: str
    """As people say it, for the reasons."""
    diagnosis: Criterion | None = None
    """How the source records the disease; None where it doesn't."""
    guideline: Guideline | None = None
    criteria: tuple[Criterion, ...] = ()
    """Those of the cohort: their columns belong to the list."""
    kinds: tuple[str, ...] = ()
    """Keys of :data:`.tables.GROUPS`; empty for columns of every kind."""


def rank(wish: Wish, lexicon: Lexicon, associations: Associations | None = None) -> tuple[RankedColumn, ...]:
    """At most ``wish.count`` columns of the source: those of guidelines, then the associated, then the cohort's own.

    Args:
        wish: the disease and the length.
        lexicon: of the source.
        associations: asked only where the guideline's columns are too few.
    """
    groups = frozenset().union(*(GROUPS[kind] for kind in wish.kinds)) if wish.kinds else None
    cohort = _cohort(wish, lexicon) if groups is None and wish.count >= FROM_HERE_ON else []
    advised = [one for one in _advised(wish, lexicon) if is_of_groups(lexicon.schema[one.column], groups)]
    named = {one.column for one in advised}
    cohort = [one for one in cohort if one.column not in named]
    room = wish.count - len(cohort)
    taken = advised[:room]
    taken_names = {one.column for one in (*taken, *cohort)}
    if len(taken) < room:
        strengths = associations(wish.diagnosis) if associations and wish.diagnosis else {}
        associated = _associated(wish, lexicon, strengths)
        fitting = [one for one in associated if is_of_groups(lexicon.schema[one.column], groups)]
        taken += [one for one in fitting if one.column not in taken_names][: room - len(taken)]
    return (*taken, *cohort)


def _advised(wish: Wish, lexicon: Lexicon) -> list[RankedColumn]:
    if wish.guideline is None:
        return []
    diagnosis = concept_of(lexicon.schema[wish.diagnosis.column]) if wish.diagnosis is not None else None
    known = diagnosis if diagnosis in wish.guideline.diagnoses else None
    found: dict[str, RankedColumn] = {}
    for entry in wish.guideline.entries_for(known):
        for concept in entry.concepts:
            column = lexicon.column_for(concept)
            if column is not None and column.name not in found and concept not in wish.guideline.diagnoses:
                source = wish.guideline.source_of(entry)
                found[column.name] = RankedColumn(
                    column=column.name, reason=entry.statement, basis="guideline", source=source
                )
    return list(found.values())


def _associated(wish: Wish, lexicon: Lexicon, strengths: Mapping[str, float]) -> list[RankedColumn]:
    same = _same_by_definition(wish, lexicon)
    ordered = sorted(strengths.items(), key=lambda pair: -pair[1])
    return [
        RankedColumn(
            column=name,
            reason=f"Among the source's patients it goes with {wish.disease} (strength {strength:.2f} of 1).",
            basis="association",
            source=_ASSOCIATED,
        )
        for name, strength in ordered
        if strength >= LEAST_STRENGTH and name in lexicon.schema and name not in same
    ]


def _same_by_definition(wish: Wish, lexicon: Lexicon) -> set[str]:
    """Columns that record the diagnosis itself: they go with it by definition and tell nothing of it."""
    same = {column.name for column in lexicon.schema.features if column.code_system or column.group == "Diagnoses"}
    if wish.diagnosis is None:
        return same
    same.add(wish.diagnosis.column)
    own = concept_of(lexicon.schema[wish.diagnosis.column])
    codes = comorbidity_prefixes(own) if own in comorbidity_names() else wish.diagnosis.starts_with or ()
    for name in comorbidity_names():
        column = lexicon.column_for(name)
        others = comorbidity_prefixes(name)
        overlap = any(one.startswith(other) or other.startswith(one) for one in codes for other in others)
        if column is not None and overlap:
            same.add(column.name)
    return same


def _cohort(wish: Wish, lexicon: Lexicon) -> list[RankedColumn]:
    """Age, sex and the columns of the criteria."""
    defining = [criterion.column for criterion in wish.criteria]
    if not defining and wish.diagnosis is not None:
        defining = [wish.diagnosis.column]
    person = [column.name for name in ("age_years", "sex") if (column := lexicon.column_for(name)) is not None]
    reasons = dict.fromkeys(person, "Says who the patients are.") | dict.fromkeys(
        defining, "The cohort is defined by it."
    )
    return [
        RankedColumn(column=name, reason=reason, basis="cohort", source=_DESCRIBES)
        for name, reason in reasons.items()
        if name in lexicon.schema
    ]
