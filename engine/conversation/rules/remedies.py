"""Ways out of what cannot be met: each is a changed request that is applied in thought and offered only if it works."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from engine.cohort.spec import CohortSpec, Criterion
from engine.conversation.contract import Action, Warning, WarningCode
from engine.conversation.rules.facts import Fact, Proportion
from engine.conversation.rules.wording import phrase, share_phrase
from engine.schema.table import TableSchema

_DEEPEST = 3
"""A way out of one trouble may leave others: so many are solved on the way."""
_MOST = 5


@dataclass(frozen=True)
class Way:
    """One way out: other facts to apply, or a spec."""

    label: str
    facts: tuple[Fact, ...] | None = None
    spec: CohortSpec | None = None


@dataclass(frozen=True)
class Trouble:
    """Something wrong with a request; ``blocks`` where nothing can be proposed because of it."""

    code: WarningCode
    message: str
    ways: tuple[Way, ...] = ()
    blocks: bool = True


class Attempt(Protocol):
    """What applying facts comes to."""

    spec: CohortSpec | None
    troubles: list[Trouble]


def warning_of(
    trouble: Trouble,
    apply: Callable[[Sequence[Fact]], Attempt],
    check: Callable[[CohortSpec], list[Trouble]],
) -> Warning:
    """The warning with those ways as actions whose spec is free of trouble.

    Args:
        trouble: what is wrong.
        apply: what facts come to.
        check: what is wrong with a spec.
    """
    actions: dict[CohortSpec, Action] = {}
    for way in trouble.ways:
        settled = _settled(way, apply, check, _DEEPEST)
        if settled is not None and settled.spec not in actions:
            actions[settled.spec] = settled
    return Warning(code=trouble.code, message=trouble.message, actions=tuple(actions.values())[:_MOST])


def _settled(
    way: Way,
    apply: Callable[[Sequence[Fact]], Attempt],
    check: Callable[[CohortSpec], list[Trouble]],
    depth: int,
) -> Action | None:
    if way.spec is not None:
        spec, troubles = way.spec, check(way.spec)
    else:
        attempt = apply(way.facts or ())
        spec, troubles = attempt.spec, attempt.troubles
    left = [trouble for trouble in troubles if trouble.blocks]
    if spec is not None and not left:
        return Action(label=way.label, spec=spec)
    if depth > 1:
        for further in (way for trouble in left for way in trouble.ways):
            settled = _settled(further, apply, check, depth - 1)
            if settled is not None:
                label = f"{way.label}; {settled.label[0].lower()}{settled.label[1:]}"
                return Action(label=label, spec=settled.spec)
    return None


def without_column(spec: CohortSpec, column: str, *, criteria: bool = True, shares: bool = True) -> CohortSpec:
    """``spec`` without its criteria and shares on a column."""
    return spec.model_copy(
        update={
            "criteria": tuple(part for part in spec.criteria if not (criteria and part.column == column)),
            "shares": tuple(part for part in spec.shares if not (shares and part.column == column)),
        }
    )


def dropping(spec: CohortSpec, column: str, schema: TableSchema) -> list[Way]:
    """Ways that give up what is demanded of a column: its criteria, or its shares."""
    asked = [part for part in spec.criteria if part.column == column]
    shared = [part for part in spec.shares if part.column == column]
    ways = []
    if asked:
        names = " and ".join(phrase(part, schema) for part in asked)
        ways.append(Way(f"Drop “{names}”", spec=without_column(spec, column, shares=False)))
    if shared:
        names = " and ".join(share_phrase(part, schema) for part in shared)
        ways.append(Way(f"Drop “{names}”", spec=without_column(spec, column, criteria=False)))
    return ways


def relaxed(spec: CohortSpec, column: str, schema: TableSchema) -> list[Way]:
    """The way that moves a range outside a column's bounds to the nearest one inside them."""
    one = schema[column]
    lows = [part.minimum for part in spec.criteria if part.column == column and isinstance(part.minimum, (int, float))]
    highs = [part.maximum for part in spec.criteria if part.column == column and isinstance(part.maximum, (int, float))]
    if one.maximum is not None and lows and max(lows) >= one.maximum:
        nearest = Criterion(column=column, maximum=one.maximum)
    elif one.minimum is not None and highs and min(highs) <= one.minimum:
        nearest = Criterion(column=column, minimum=one.minimum)
    else:
        return []
    kept = without_column(spec, column, shares=False)
    changed = kept.model_copy(update={"criteria": (*kept.criteria, nearest)})
    return [Way(f"Relax to {phrase(nearest, schema)}", spec=changed)]


def balanced(shares: Sequence[Proportion]) -> list[tuple[float, ...]]:
    """Shares that add up to 1: of two, each as it is with the rest for the other; of more, in proportion."""
    values = [fact.share for fact in shares]
    if len(values) == 2 and max(values) <= 1:
        return [(values[0], round(1 - values[0], 6)), (round(1 - values[1], 6), values[1])]
    percent = [int(100 * value / sum(values)) for value in values]
    short = 100 - sum(percent)
    percent = [value + (i < short) for i, value in enumerate(percent)]
    return [tuple(value / 100 for value in percent)]
