"""Facts on one column as one criterion: ranges meet, categories join, exclusions are taken away."""

from dataclasses import dataclass

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.contract import WarningCode
from engine.conversation.rules.bands import bands_of, choose
from engine.conversation.rules.facts import Demand, Fact, Limit, criterion_of, negate
from engine.schema.table import Column, Kind


@dataclass(frozen=True)
class Merged:
    """A column's criteria (none where it is no restriction), and what is wrong with them."""

    criteria: tuple[Criterion, ...] = ()
    code: WarningCode | None = None
    message: str = ""
    blocks: bool = False


def merge(column: Column, facts: list[Fact]) -> Merged:
    """The criteria that ``facts`` on ``column`` amount to."""
    limits = [fact for fact in facts if isinstance(fact, Limit)]
    demands = [fact for fact in facts if isinstance(fact, Demand)]
    merged = _limits(column, limits) if limits else Merged()
    if merged.blocks or not demands:
        return merged
    recorded = [fact for fact in demands if fact.criterion is not None and _is_presence(fact.criterion)]
    others = [fact for fact in demands if fact not in recorded]
    more = _flags(column, others) if column.kind is Kind.BOOLEAN else _categories(column, others)
    presence = tuple(fact.criterion for fact in recorded if fact.criterion is not None)[:1]
    return Merged(
        (*merged.criteria, *more.criteria, *presence), merged.code or more.code, merged.message or more.message,
        more.blocks,
    )  # fmt: skip


def _limits(column: Column, limits: list[Limit]) -> Merged:
    name = column.label or column.name
    alternatives: tuple[Interval, ...] = (Interval(),)
    for limit in limits:
        alternatives = tuple(met for a in alternatives for b in limit.intervals if (met := a.meet(b)) is not None)
    if not alternatives:
        return Merged((), "infeasible", f"{name}: no value lies in all of the ranges asked for.", blocks=True)
    backwards = any(limit.backwards for limit in limits)
    code: WarningCode | None = "invalid" if backwards else None
    message = f"{name}: the first end of the range is above the second; the ends were exchanged." if backwards else ""
    if bands_of(column):
        bands, cut = choose(column, list(alternatives))
        if not bands:
            return Merged((), "infeasible", f"{name}: no category lies inside the range asked for.", blocks=True)
        if cut and not message:
            code, message = (
                "extrapolated",
                f"{name} is recorded in bands; bands that lie only partly inside are left out.",
            )
        return Merged((Criterion(column=column.name, any_of=bands),), code, message)
    if alternatives == (Interval(),):
        return Merged((), code, message)
    return Merged((criterion_of(column, alternatives),), code, message)


def _flags(column: Column, demands: list[Demand]) -> Merged:
    wanted = set()
    for demand in demands:
        values = demand.criterion.any_of if demand.criterion is not None else None
        if values:
            wanted.add(bool(values[0]) != demand.negated)
    if len(wanted) > 1:
        message = f"{column.label or column.name} is both demanded and excluded."
        return Merged((), "infeasible", message, blocks=True)
    return Merged(tuple(Criterion(column=column.name, any_of=(value,)) for value in wanted))


def _categories(column: Column, demands: list[Demand]) -> Merged:
    positives = [fact.criterion for fact in demands if fact.criterion is not None and not fact.negated]
    negatives = [negate(fact.criterion, column) for fact in demands if fact.criterion is not None and fact.negated]
    # "no insulin" on a column that says "No" turns into a demand for it.
    positives += [criterion for criterion in negatives if criterion.any_of is not None]
    negatives = [criterion for criterion in negatives if criterion.any_of is None]
    if any(part.starts_with or part.between_codes for part in positives):
        return _codes(column, positives, negatives, demands)
    any_of = dict.fromkeys(value for part in positives for value in part.any_of or ())
    none_of = dict.fromkeys(value for part in (*negatives, *positives) for value in part.none_of or ())
    prefixes = dict.fromkeys(code for part in negatives for code in part.not_starts_with or ())
    if any_of:
        left = tuple(value for value in any_of if value not in none_of)
        if not left:
            message = f"{column.label or column.name}: everything that is demanded is also excluded."
            return Merged((), "infeasible", message, blocks=True)
        if column.categories is not None and set(left) == set(column.categories):
            return Merged()
        return Merged((Criterion(column=column.name, any_of=left),))
    recorded = True if any(part.recorded for part in positives) else None
    if none_of or prefixes:
        criterion = Criterion(
            column=column.name,
            none_of=tuple(none_of) or None,
            not_starts_with=tuple(prefixes) or None,
            recorded=recorded,
        )
        return Merged((criterion,))
    return Merged()


def _codes(column: Column, positives: list[Criterion], negatives: list[Criterion], demands: list[Demand]) -> Merged:
    prefixes = tuple(dict.fromkeys(code for part in positives for code in part.starts_with or ()))
    ranges = tuple(dict.fromkeys(pair for part in positives for pair in part.between_codes or ()))
    excluded = tuple(dict.fromkeys(code for part in negatives for code in part.not_starts_with or ())) or None
    if prefixes and ranges:
        ranges, prefixes = (*ranges, *((code, code) for code in prefixes)), ()
    criterion = Criterion(
        column=column.name, starts_with=prefixes or None, between_codes=ranges or None, not_starts_with=excluded
    )
    together = [fact for fact in demands if not fact.negated]
    if len(together) > 1 and not any(fact.joined_by_or for fact in together[1:]):
        message = f"{column.label or column.name} holds one code, so the diagnoses were read as alternatives."
        return Merged((criterion,), "invalid", message)
    return Merged((criterion,))


def _is_presence(criterion: Criterion) -> bool:
    alone = criterion.model_dump(exclude={"column", "recorded", "include_minimum", "include_maximum"})
    return criterion.recorded is not None and all(part is None for part in alone.values())
