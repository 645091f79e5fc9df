"""Facts that lean on the previous spec, exchanged for facts that stand alone."""

import math
from collections.abc import Sequence
from dataclasses import replace

from engine.cohort.conditions import Interval
from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.rules.facts import Columns, Demand, Fact, Limit, Proportion, Removal, column_of
from engine.conversation.rules.lexicon import Lexicon
from engine.conversation.rules.ranges import complement


def revised(facts: Sequence[Fact], previous: CohortSpec | None, lexicon: Lexicon) -> list[Fact]:
    """The facts with moved ends, removed parts and joined demands worked out; what still holds is said again."""
    found: list[Fact] = []
    for fact in facts:
        if isinstance(fact, Removal):
            found += _without(fact, previous)
        elif isinstance(fact, Limit) and fact.manner in ("end", "cutoff"):
            found.append(_moved(fact, _interval(previous, fact.column)))
        else:
            found.append(fact)
    if previous is None:
        return found
    again: list[Fact] = []
    for name in dict.fromkeys(filter(None, map(column_of, found))):
        own = [fact for fact in found if column_of(fact) == name]
        if lexicon.schema[name].kind.is_ordered:
            again += _narrowed(own, _interval(previous, name))
        elif _joins(own):
            again += [part for one in previous.criteria if one.column == name for part in said_again(one)]
    return [*again, *found, *_other_shares(found, previous)]


def said_again(criterion: Criterion) -> list[Fact]:
    """A criterion on categories or codes as the facts that amount to it."""
    name, parts = criterion.column, list[Fact]()
    if criterion.any_of is not None or criterion.starts_with is not None or criterion.between_codes is not None:
        positive = criterion.model_copy(update={"none_of": None, "not_starts_with": None, "recorded": None})
        parts.append(Demand(0, 0, criterion=positive))
    if criterion.none_of is not None:
        parts.append(Demand(0, 0, criterion=Criterion(column=name, any_of=criterion.none_of), negated=True))
    if (codes := criterion.not_starts_with) is not None:
        parts.append(Demand(0, 0, criterion=Criterion(column=name, starts_with=codes), negated=True))
    return parts


def _joins(facts: Sequence[Fact]) -> bool:
    """Whether demands on categories stand beside the previous ones: exclusions, and what a joining word adds."""
    first = facts[0]
    return all(isinstance(fact, Demand) and fact.negated for fact in facts) or (
        isinstance(first, Demand) and first.manner == "join"
    )


def _narrowed(facts: Sequence[Fact], before: Interval | None) -> list[Fact]:
    """The previous range said again, where it is to hold beside the new one and both have values in common."""
    limits = [fact for fact in facts if isinstance(fact, Limit)]
    if before is None or not limits or len(limits[0].intervals) != 1:
        return []
    new, manner = limits[0].intervals[0], limits[0].manner
    opens = (math.isinf(new.low) and math.isinf(before.high)) or (math.isinf(new.high) and math.isinf(before.low))
    if manner == "join" or (manner == "plain" and opens):
        met = before.meet(new)
        if met is not None and met.low < met.high:
            return [Limit(0, 0, column=limits[0].column, intervals=(before,))]
    return []


def _moved(limit: Limit, before: Interval | None) -> Limit:
    """The limit with the previous range's other end; a bare cutoff is the end that was there, or the one beyond it."""
    new = limit.intervals[0]
    value = new.low if math.isfinite(new.low) else new.high
    if before is None:
        return replace(limit, manner="anew")
    upper = math.isinf(new.low)
    if limit.manner == "cutoff":
        if math.isinf(before.low) != math.isinf(before.high):
            upper = math.isinf(before.low)
        elif not before.low < value < before.high:
            upper = value >= before.high
    changed = replace(before, high=value) if upper else replace(before, low=value)
    if upper and math.isinf(before.high):
        changed = replace(changed, include_high=new.include_high or math.isinf(new.high))
    if not upper and math.isinf(before.low):
        changed = replace(changed, include_low=new.include_low or math.isinf(new.low))
    if changed.low > changed.high:
        changed = new
    return replace(limit, intervals=(changed,), manner="anew")


def _interval(previous: CohortSpec | None, name: str) -> Interval | None:
    """The one range that ``previous`` demands of a column; None where it demands none or several."""
    found = [one for one in (previous.criteria if previous is not None else ()) if one.column == name]
    return _range_of(found[0]) if len(found) == 1 else None


def _range_of(criterion: Criterion) -> Interval | None:
    """A criterion's one range of numbers; None where it is no range."""
    low, high = criterion.minimum, criterion.maximum
    if (low is None and high is None) or isinstance(low, str) or isinstance(high, str):
        return None
    return Interval(
        -math.inf if low is None else low,
        math.inf if high is None else high,
        criterion.include_minimum,
        criterion.include_maximum,
    )


def _excluded(criterion: Criterion, removal: Removal) -> Fact:
    """The exclusion of those who meet ``criterion``."""
    first, last = removal.first, removal.last
    if (interval := _range_of(criterion)) is not None:
        return Limit(first, last, column=criterion.column, intervals=complement((interval,)))
    return Demand(first, last, criterion=criterion, negated=True)


def _without(removal: Removal, previous: CohortSpec | None) -> list[Fact]:
    """A removal as what it comes to: fewer categories, fewer columns to show, an exclusion, or no demand at all."""
    demanded = {part.column for part in (*previous.criteria, *previous.shares)} if previous is not None else set()
    shown = set(previous.columns or ()) if previous is not None else set()
    found: list[Fact] = []
    left: list[str] = []
    for name in removal.columns:
        named = [one for one in removal.criteria if one.column == name]
        if name in demanded or any(column.startswith(f"{name}_") for column in demanded):
            left.append(name)
            found += _rest(name, named, previous)
        elif name in shown and removal.wanted:
            found.append(Columns(removal.first, removal.last, names=(name,), how="drop"))
        elif named and removal.excludes:
            found += [_excluded(one, removal) for one in named]
        else:
            left.append(name)
    return [replace(removal, columns=tuple(left)), *found] if left else found


def _rest(name: str, named: Sequence[Criterion], previous: CohortSpec | None) -> list[Fact]:
    """What is still demanded of a column when only some of its categories or codes are taken away."""
    before = [one for one in (previous.criteria if previous is not None else ()) if one.column == name]
    if len(before) != 1 or not named:
        return []
    gone = {value for one in named for value in (*(one.any_of or ()), *(one.starts_with or ()))}
    for field in ("any_of", "starts_with"):
        kept = tuple(value for value in getattr(before[0], field) or () if value not in gone)
        if kept and len(kept) < len(getattr(before[0], field)):
            return [Demand(0, 0, criterion=Criterion(column=name, **{field: kept}))]  # pyright: ignore[reportArgumentType]
    return []


def _other_shares(facts: Sequence[Fact], previous: CohortSpec) -> list[Fact]:
    """The previous shares of a column's other categories, where new ones join them and there is room."""
    found: list[Fact] = []
    new = [fact for fact in facts if isinstance(fact, Proportion)]
    for name in {fact.column for fact in new if fact.manner == "join"}:
        own = {fact.category: fact.share for fact in new if fact.column == name}
        kept = [one for one in previous.shares if one.column == name and one.category not in own]
        if sum(own.values()) + sum(one.share for one in kept) <= 1 + 1e-9:
            found += [Proportion(0, 0, "", name, one.category, one.share) for one in kept]  # type: ignore[arg-type]
    return found
