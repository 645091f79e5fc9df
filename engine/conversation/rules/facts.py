"""What the grammar finds in a request: small facts, each with the words it came from."""

from dataclasses import dataclass
from typing import Literal

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion, Share
from engine.conversation.contract import WarningCode
from engine.schema.table import Column, Kind

Manner = Literal["plain", "join", "only", "anew", "end", "cutoff"]
"""How words lean on what was demanded before (:mod:`engine.conversation.rules.editing`).

``join``: beside it; ``only`` and ``anew``: in its place; ``end``: one end of its range; ``cutoff``: the end that a
number can stand for ("raise the cutoff to 4"). ``plain``: none of these words was said.
"""


@dataclass(frozen=True)
class Fact:
    """One thing that a request says. ``first`` and ``last`` are its items."""

    first: int
    last: int
    note: str = ""


@dataclass(frozen=True)
class Count(Fact):
    """How many patients; where ``factor`` is given, so many times the previous number and ``patients`` more."""

    patients: float = 0.0
    factor: float | None = None


@dataclass(frozen=True)
class Limit(Fact):
    """A range on an ordered (or banded) column, in the column's unit."""

    column: str = ""
    intervals: tuple[Interval, ...] = ()
    backwards: bool = False
    joined_by_or: bool = False
    manner: Manner = "plain"


@dataclass(frozen=True)
class Demand(Fact):
    """A criterion on categories, codes or flags; ``negated`` ones have still to be turned round."""

    criterion: Criterion | None = None
    negated: bool = False
    joined_by_or: bool = False
    manner: Manner = "plain"


@dataclass(frozen=True)
class Proportion(Fact):
    """A target share; ``percent`` may lie outside what is possible."""

    column: str = ""
    category: bool | str = True
    share: float = 0.0
    manner: Manner = "plain"


@dataclass(frozen=True)
class Columns(Fact):
    """Columns asked for; ``how`` is ``set``, ``add``, ``drop`` or ``all``."""

    names: tuple[str, ...] = ()
    how: str = "set"
    said: str = ""
    """What they are, in words, where they were not named one by one."""


@dataclass(frozen=True)
class Removal(Fact):
    """Criteria and shares on these columns are dropped from the previous spec.

    ``wanted`` is False where it makes no difference whether there were any ("both sexes"). ``criteria`` are what the
    words stand for ("leave out the smokers"): of several categories only these are dropped, and where ``excludes``,
    what was not demanded becomes an exclusion.
    """

    columns: tuple[str, ...] = ()
    wanted: bool = True
    criteria: tuple[Criterion, ...] = ()
    excludes: bool = False


@dataclass(frozen=True)
class Population(Fact):
    """The cohort follows a reference population."""

    name: str = "us"


@dataclass(frozen=True)
class Aside(Fact):
    """Words that are understood and change nothing: ``meaning`` says why."""

    meaning: str = ""


@dataclass(frozen=True)
class Restart(Fact):
    """The previous spec is dropped."""


@dataclass(frozen=True)
class Problem(Fact):
    """Words whose sense is known but cannot be met; ``code`` as in warnings."""

    code: WarningCode = "invalid"
    message: str = ""
    blocks: bool = False
    """Whether nothing can be proposed at all, rather than the request without these words."""
    choices: tuple["Choice", ...] = ()
    """What the words may have meant, for a person to choose."""


@dataclass(frozen=True)
class Choice:
    """One reading of a problem: what a button says, and the facts that it puts in the problem's place."""

    label: str
    facts: tuple[Fact, ...]


def column_of(fact: Fact) -> str:
    """The column that a range or demand is about; empty for other facts."""
    if isinstance(fact, Limit):
        return fact.column
    return fact.criterion.column if isinstance(fact, Demand) and fact.criterion is not None else ""


def criterion_of(column: Column, intervals: tuple[Interval, ...]) -> Criterion:
    """The criterion for values in one of ``intervals``."""
    if len(intervals) > 1:
        ordered = sorted(intervals, key=lambda part: part.low)
        ranges = tuple((_end(part.low), _end(part.high)) for part in ordered)
        return Criterion(column=column.name, ranges=ranges)
    only = next(iter(intervals))
    low, high = _end(only.low), _end(only.high)
    return Criterion(
        column=column.name,
        minimum=low,
        maximum=high,
        include_minimum=only.include_low,
        include_maximum=only.include_high,
    )


def negate(criterion: Criterion, column: Column) -> Criterion:
    """The criterion that holds where ``criterion`` (on categories, codes or a flag) does not."""
    name = criterion.column
    if criterion.starts_with is not None:
        return Criterion(column=name, not_starts_with=criterion.starts_with)
    if criterion.any_of is not None:
        if column.kind is Kind.BOOLEAN:
            return Criterion(column=name, any_of=(not criterion.any_of[0],))
        return Criterion(column=name, none_of=criterion.any_of)
    if criterion.none_of is not None:
        return Criterion(column=name, any_of=criterion.none_of)
    if criterion.recorded is not None:
        return Criterion(column=name, recorded=not criterion.recorded)
    if criterion.between_codes is not None:
        return Criterion(column=name, not_starts_with=_prefixes(criterion.between_codes))
    raise ValueError(f"a range on {name!r} is not turned round here")


def _prefixes(pairs: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """Three-digit prefixes of ranges of whole categories ("390" to "459")."""
    found = []
    for low, high in pairs:
        letter = low[0] if low[0].isalpha() else ""
        width = len(low[:3].removeprefix(letter)) if letter != "E" else 3
        first, last = low.removeprefix(letter)[:width], high.removeprefix(letter)[:width]
        found += [f"{letter}{number:0{width}d}" for number in range(int(first), int(last) + 1)]
    return tuple(found)


def share_of(fact: Proportion) -> Share:
    """The share of a proportion that lies between 0 and 1."""
    return Share(column=fact.column, category=fact.category, share=fact.share)


def _end(value: float) -> float | None:
    return None if value in (float("inf"), float("-inf")) else value
