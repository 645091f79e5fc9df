"""From facts and the previous spec to the next spec, with what is wrong with it and the ways out.

What a follow-up does to a column that has a demand already:

1. A demand replaces the one before it on the same column; "only", "make it", "instead" and "change to" say so.
2. A joining word ("also", "add", "too", "as well", or an "and" that the request begins with) puts it beside the one
   before: categories and codes become alternatives, shares of other categories stay, and ranges must both hold.
3. Exclusions ("not Hispanic", "nobody over 80") always come on top.
4. A range open to one side closes the side that was open before ("over 40", then "under 70"). Where no value lies in
   both ranges, the new one replaces the old.
5. "Up to", "cap", "the upper limit" and "raise the cutoff to" move one end of a range and leave the other.
6. What is taken back clears its column: its demand, else its place among the shown columns. Of several categories only
   the named ones go, and "swap X for Y" puts Y in their place. People who are left out though nothing was demanded of
   them ("leave out the smokers") are excluded.

:mod:`engine.conversation.rules.manners` finds the words, :mod:`engine.conversation.rules.revising` applies 2 to 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.cohort.vocabulary import diseases
from engine.conversation.contract import Warning
from engine.conversation.rules.amounts import patients_of, share_troubles
from engine.conversation.rules.facts import (
    Columns,
    Demand,
    Fact,
    Limit,
    Population,
    Problem,
    Proportion,
    Removal,
    Restart,
    share_of,
)  # fmt: skip
from engine.conversation.rules.feasibility import troubles
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.merging import merge
from engine.conversation.rules.remedies import Trouble, Way, warning_of
from engine.conversation.rules.removals import EVERYTHING
from engine.conversation.rules.revising import revised
from engine.conversation.rules.wording import phrase


@dataclass
class Edit:
    """The next spec; None where nothing can be proposed."""

    spec: CohortSpec | None
    warnings: list[Warning] = field(default_factory=list)
    criteria: dict[str, tuple[Criterion, ...]] = field(default_factory=dict)
    """Column → the criteria that this request put on it."""
    troubles: list[Trouble] = field(default_factory=list)
    """What the warnings are about, with the ways out that were thought of."""


def edit(
    facts: Sequence[Fact],
    *,
    previous: CohortSpec | None,
    lexicon: Lexicon,
    instead: bool,
    offers: Sequence[Trouble] = (),
) -> Edit:
    """Apply ``facts`` to ``previous`` (None: to an empty spec); ``offers`` are readings that a person may choose."""

    def apply(changed: Sequence[Fact]) -> Edit:
        return _apply(changed, previous=previous, lexicon=lexicon, instead=instead)

    def check(spec: CohortSpec) -> list[Trouble]:
        return troubles(spec, lexicon)

    result = apply(facts)
    found = dict.fromkeys((*result.troubles, *offers))
    result.warnings = [warning_of(trouble, apply, check) for trouble in found]
    return result


def _apply(facts: Sequence[Fact], *, previous: CohortSpec | None, lexicon: Lexicon, instead: bool) -> Edit:
    found = [_of_problem(fact, facts) for fact in facts if isinstance(fact, Problem)]
    facts = revised(facts, previous, lexicon)
    base = (previous or CohortSpec()).model_dump(exclude={"criteria", "shares"})
    patients, counted = patients_of(facts, base["patients"])
    new, merged = _merged(facts, lexicon)
    proportions = [fact for fact in facts if isinstance(fact, Proportion)]
    found += [*counted, *merged, *share_troubles(facts, lexicon.schema)]
    if any(trouble.blocks for trouble in found):
        return Edit(None, criteria=new, troubles=found)
    shares = {(fact.column, fact.category): share_of(fact) for fact in proportions}
    removals = [fact for fact in facts if isinstance(fact, Removal)]
    dropped, absent = _dropped(removals, previous)
    if absent:
        names = ", ".join(name.replace("_", " ") for name in absent)
        found.append(Trouble("invalid", f"There was no demand on {names} to drop.", blocks=False))
    # "COPD instead of gout" says what goes; "COPD instead" replaces whatever disease there was.
    instead = instead and not removals
    kept, kept_shares = _kept(previous, new, list(shares.values()), dropped, lexicon, instead)
    changes: dict[str, Any] = {
        **base,
        "patients": patients,
        "criteria": (*kept, *(criterion for one in new.values() for criterion in one)),
        "shares": (*kept_shares, *shares.values()),
        "columns": _columns([fact for fact in facts if isinstance(fact, Columns)], base["columns"], lexicon),
    }
    for fact in facts:
        if isinstance(fact, Population):
            changes["reference_population"] = fact.name
    try:
        spec = CohortSpec(**changes)
    except ValidationError as error:
        message = "; ".join(str(part["msg"]) for part in error.errors())
        return Edit(None, criteria=new, troubles=[*found, Trouble("invalid", message)])
    impossible = troubles(spec, lexicon)
    return Edit(None if impossible else spec, criteria=new, troubles=[*found, *impossible])


def _of_problem(problem: Problem, facts: Sequence[Fact]) -> Trouble:
    """A problem with its readings, each in the problem's place among the facts."""
    ways = []
    for choice in problem.choices:
        rest = (part for fact in facts for part in (choice.facts if fact is problem else (fact,)))
        ways.append(Way(choice.label, facts=tuple(rest)))
    return Trouble(problem.code, problem.message, tuple(ways), blocks=problem.blocks)


def _merged(facts: Sequence[Fact], lexicon: Lexicon) -> tuple[dict[str, tuple[Criterion, ...]], list[Trouble]]:
    """Column → its new criteria, and what is wrong with them: where demands contradict, each can be had alone."""
    by_column: dict[str, list[Fact]] = {}
    for fact in facts:
        column = fact.column if isinstance(fact, Limit) else _demanded(fact)
        if column:
            by_column.setdefault(column, []).append(fact)
    new: dict[str, tuple[Criterion, ...]] = {}
    found = []
    for name, parts in by_column.items():
        merged = merge(lexicon.schema[name], parts)
        new[name] = merged.criteria
        if merged.code is None:
            continue
        ways = []
        for part in parts if merged.blocks and len(parts) > 1 else ():
            alone = merge(lexicon.schema[name], [part]).criteria
            others = tuple(fact for fact in facts if fact is part or fact not in parts)
            ways.append(Way(f"Only {' and '.join(phrase(one, lexicon.schema) for one in alone)}", facts=others))
        if merged.blocks:
            none = tuple(fact for fact in facts if fact not in parts)
            ways.append(Way(f"Drop the demands on {name.replace('_', ' ')}", facts=none))
        found.append(Trouble(merged.code, merged.message, tuple(ways), blocks=merged.blocks))
    return new, found


def _dropped(removals: list[Removal], previous: CohortSpec | None) -> tuple[set[str], list[str]]:
    """The columns of ``previous`` to clear, and the names that it demands nothing of ("diabetes" clears its types)."""
    demanded = {part.column for part in (*previous.criteria, *previous.shares)} if previous is not None else set()
    dropped, absent = set(), []
    for name, wanted in ((name, fact.wanted) for fact in removals for name in fact.columns):
        found = (
            set(demanded)
            if name == EVERYTHING
            else {name} & demanded or {column for column in demanded if column.startswith(f"{name}_")}
        )
        dropped |= found
        if wanted and not found:
            absent.append(name)
    return dropped, absent


def _demanded(fact: Fact) -> str:
    return fact.criterion.column if isinstance(fact, Demand) and fact.criterion is not None else ""


def _kept(
    previous: CohortSpec | None,
    new: dict[str, tuple[Criterion, ...]],
    shares: list[Share],
    dropped: set[str],
    lexicon: Lexicon,
    instead: bool,
) -> tuple[list[Criterion], list[Share]]:
    """The previous criteria and shares that stay beside the new ones."""
    if previous is None:
        return [], []
    replaced = {*dropped, *new, *(share.column for share in shares)}
    illnesses = _illness_columns(lexicon)
    if instead and illnesses & new.keys():
        replaced |= illnesses
    return (
        [criterion for criterion in previous.criteria if criterion.column not in replaced],
        [share for share in previous.shares if share.column not in replaced],
    )


def _illness_columns(lexicon: Lexicon) -> set[str]:
    """The columns that say which disease a patient has."""
    flags = {column.name for disease in diseases() if disease.flag and (column := lexicon.column_for(disease.flag))}
    return flags | ({lexicon.code_column.name} if lexicon.code_column else set())


def _columns(facts: list[Columns], before: tuple[str, ...] | None, lexicon: Lexicon) -> tuple[str, ...] | None:
    chosen = before
    for fact in facts:
        if fact.how == "all":
            chosen = None
        elif fact.how == "set":
            chosen = fact.names
        elif fact.how == "add" and chosen is not None:
            chosen = tuple(dict.fromkeys((*chosen, *fact.names)))
        elif fact.how == "drop":
            everything = chosen or tuple(column.name for column in lexicon.schema.features)
            chosen = tuple(name for name in everything if name not in fact.names) or None
    return chosen


def starts_afresh(facts: Sequence[Fact]) -> bool:
    """Whether the facts drop the previous spec."""
    return any(isinstance(fact, Restart) for fact in facts)
