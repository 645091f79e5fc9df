"""From facts and the previous spec to the next spec, with what is wrong with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from engine.cohort.spec import MAX_PATIENTS, CohortSpec, Criterion, Share
from engine.cohort.vocabulary import diseases
from engine.conversation.contract import Warning
from engine.conversation.rules.facts import (
    Columns,
    Count,
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
from engine.conversation.rules.feasibility import infeasibilities
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.merging import merge

LARGE = 1_000_000


@dataclass
class Edit:
    """The next spec; None where nothing can be proposed."""

    spec: CohortSpec | None
    warnings: list[Warning] = field(default_factory=list)
    criteria: dict[str, tuple[Criterion, ...]] = field(default_factory=dict)
    """Column → the criteria that this request put on it."""


def edit(facts: Sequence[Fact], *, previous: CohortSpec | None, lexicon: Lexicon, instead: bool) -> Edit:
    """Apply ``facts`` to ``previous`` (None: to an empty spec)."""
    warnings = [Warning(code=fact.code, message=fact.message) for fact in facts if isinstance(fact, Problem)]
    blocked = any(isinstance(fact, Problem) and fact.blocks for fact in facts)
    base = (previous or CohortSpec()).model_dump(exclude={"criteria", "shares"})
    patients, problem = _patients([fact for fact in facts if isinstance(fact, Count)], base["patients"])
    if problem is not None:
        warnings.append(problem)
        blocked = blocked or problem.code != "large"

    by_column: dict[str, list[Fact]] = {}
    for fact in facts:
        column = fact.column if isinstance(fact, Limit) else _demanded(fact)
        if column:
            by_column.setdefault(column, []).append(fact)
    new: dict[str, tuple[Criterion, ...]] = {}
    for name, found in by_column.items():
        merged = merge(lexicon.schema[name], found)
        new[name] = merged.criteria
        if merged.code is not None:
            warnings.append(Warning(code=merged.code, message=merged.message))
        blocked = blocked or merged.blocks
    proportions = [fact for fact in facts if isinstance(fact, Proportion)]
    for fact in proportions:
        if not 0 <= fact.share <= 1:
            message = f"A share of {fact.share:.0%} of {fact.column} is not possible: shares lie between 0 % and 100 %."
            warnings.append(Warning(code="invalid", message=message))
            blocked = True
    if blocked:
        return Edit(None, warnings, new)

    shares = {(fact.column, fact.category): share_of(fact) for fact in proportions}
    removals = [fact for fact in facts if isinstance(fact, Removal)]
    dropped, absent = _dropped(removals, previous)
    if absent:
        names = ", ".join(name.replace("_", " ") for name in absent)
        warnings.append(Warning(code="invalid", message=f"There was no demand on {names} to drop."))
    # "COPD instead of gout" says what goes; "COPD instead" replaces whatever disease there was.
    instead = instead and not removals
    kept, kept_shares = _kept(previous, new, list(shares.values()), dropped, lexicon, instead)
    criteria = (*kept, *(criterion for found in new.values() for criterion in found))
    changes: dict[str, Any] = {
        **base,
        "patients": patients,
        "criteria": criteria,
        "shares": (*kept_shares, *shares.values()),
        "columns": _columns([fact for fact in facts if isinstance(fact, Columns)], base["columns"], lexicon),
    }
    if any(isinstance(fact, Population) for fact in facts):
        changes["reference_population"] = "us"
    totals: dict[str, float] = {}
    for share in changes["shares"]:
        totals[share.column] = totals.get(share.column, 0.0) + share.share
    excess = [(name, total) for name, total in totals.items() if total > 1 + 1e-9]
    for name, total in excess:
        message = f"The shares of {name} add up to {total:.0%}, more than 100 %: lower one of them."
        warnings.append(Warning(code="infeasible", message=message))
    if excess:
        return Edit(None, warnings, new)
    try:
        spec = CohortSpec(**changes)
    except ValidationError as error:
        message = "; ".join(str(part["msg"]) for part in error.errors())
        warnings.append(Warning(code="invalid", message=message))
        return Edit(None, warnings, new)
    impossible = infeasibilities(spec, lexicon)
    warnings += impossible
    stops = any(warning.code == "infeasible" for warning in impossible)
    return Edit(None if stops else spec, warnings, new)


def _patients(counts: list[Count], before: int) -> tuple[int, Warning | None]:
    if not counts:
        return before, None
    last = counts[-1]
    wanted = before * last.factor if last.factor is not None else last.patients
    if wanted < 1 or wanted > MAX_PATIENTS or wanted != int(wanted):
        message = f"{wanted:,g} patients is not possible: ask for a whole number from 1 to {MAX_PATIENTS:,}."
        return before, Warning(code="invalid", message=message)
    if wanted > LARGE:
        return int(wanted), Warning(
            code="large", message=f"{wanted:,.0f} patients take a while to generate and export."
        )
    return int(wanted), None


def _dropped(removals: list[Removal], previous: CohortSpec | None) -> tuple[set[str], list[str]]:
    """The columns of ``previous`` to clear, and the names that it demands nothing of ("diabetes" clears its types)."""
    demanded = {part.column for part in (*previous.criteria, *previous.shares)} if previous is not None else set()
    dropped, absent = set(), []
    for name in (name for fact in removals for name in fact.columns):
        found = {name} & demanded or {column for column in demanded if column.startswith(f"{name}_")}
        dropped |= found
        if not found:
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
    replaced = {*dropped, *(share.column for share in shares)}
    for name, found in new.items():
        if not (found and all(_only_excludes(criterion) for criterion in found)):
            replaced.add(name)
    illnesses = _illness_columns(lexicon)
    if instead and illnesses & new.keys():
        replaced |= illnesses
    return (
        [criterion for criterion in previous.criteria if criterion.column not in replaced],
        [share for share in previous.shares if share.column not in replaced | new.keys()],
    )


def _only_excludes(criterion: Criterion) -> bool:
    return criterion.any_of is None and (criterion.none_of is not None or criterion.not_starts_with is not None)


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
