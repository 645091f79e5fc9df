"""The grammar: at each item the first matcher that recognises something takes it; the rest is filler or unknown."""

from collections.abc import Callable
from dataclasses import replace

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.rules.categories import (
    after_or,
    category,
    column_then_category,
    is_only_a_noun,
    names_its_category,
)
from engine.conversation.rules.column_lists import column_list
from engine.conversation.rules.counts import count, population, removal, restart
from engine.conversation.rules.diagnoses import codes
from engine.conversation.rules.facts import Demand, Fact, Limit, Problem
from engine.conversation.rules.lexicon import Unavailable
from engine.conversation.rules.limits import column_then_range, range_then_column
from engine.conversation.rules.ranges import complement
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.references import reference_then_column
from engine.conversation.rules.shares import shares
from engine.conversation.rules.titles import titles
from engine.conversation.rules.tokens import key_of
from engine.schema.table import Kind

_QUIET = frozenset(
    [
        "filler",
        "patients",
        "but",
        "verb",
        "and",
        "or",
        "not",
        "to",
        "also",
        "only",
        "instead",
        "same",
        "all",
        "limit",
        "size",
        "columns",
        "include",
        "symbol",
        "between",
        "exclusion_heading",
        "inclusion_heading",
        "plural_s",
        "recorded",
        "remove",
        "code",
        "half",
        "high",
        "low",
        "normal",
        "upward",
    ]
)
Matcher = Callable[[Reading, int], Fact | list[Fact] | None]


def find_facts(reading: Reading) -> list[tuple[int, int]]:
    """Fill ``reading.facts``; returns the stretches of items (first, last) that nothing and no filler accounts for."""
    unknown: list[tuple[int, int]] = []
    at = 0
    while at < len(reading.items):
        _note_negation(reading, at)
        _turn_round(reading, at)
        found = _first_match(reading, at)
        if found:
            for fact in found:
                reading.add(fact)
            at = max(fact.last for fact in found)
            continue
        if not _is_quiet(reading, at):
            adjoins = bool(unknown) and unknown[-1][1] == at
            unknown[-1:] = [(unknown[-1][0], at + 1)] if adjoins else [*unknown[-1:], (at, at + 1)]
        at += 1
    return unknown


def _first_match(reading: Reading, at: int) -> list[Fact]:
    for matcher in _MATCHERS:
        found = matcher(reading, at)
        if found:
            return found if isinstance(found, list) else [found]
    return []


def _note_negation(reading: Reading, at: int) -> None:
    item = reading.items[at]
    if item.is_("exclusion_heading") and _is_heading(reading, at):
        reading.excluding, reading.scope = True, None
    elif item.is_("inclusion_heading") and _is_heading(reading, at):
        reading.excluding, reading.scope = False, None
    elif item.is_("not") and not item.is_("category", "condition"):
        reading.open_scope(at)


def _turn_round(reading: Reading, at: int) -> None:
    """In "HIV or sepsis excluded" the exclusion comes last: the demands joined before it are negated."""
    if reading.request.span(at, at + 1).lower() != "excluded" or _is_heading(reading, at):
        return
    end = at
    for i in range(len(reading.facts) - 1, -1, -1):
        fact = reading.facts[i]
        between = reading.items[fact.last : end]
        joined = all(item.is_("and", "or", "filler") or item.get("symbol") == "," for item in between)
        if not joined or not isinstance(fact, Demand):
            return
        reading.facts[i] = replace(fact, negated=not fact.negated)
        end = fact.first


def _is_heading(reading: Reading, at: int) -> bool:
    following = reading.at(at + 1)
    return following is not None and following.get("symbol") in (":", "-", "–")


def _is_quiet(reading: Reading, at: int) -> bool:
    item = reading.items[at]
    if item.is_("category") and is_only_a_noun(reading, at):
        return True
    if item.is_("column") and names_its_category(reading, at):
        return True
    if item.is_("number", "icd", "unknown", "operator", "unit", "title", "decade", "category", "condition"):
        return item.is_("filler") and not item.is_("number")
    if item.is_("column"):
        # "in hospital" names the stay only beside a range.
        words = key_of(reading.request.span(at, at + 1))
        return all("filler" in reading.lexicon.phrases.get((word,), {}) for word in words)
    return bool(_QUIET & item.parts.keys())


def _condition(reading: Reading, at: int) -> Fact | None:
    """A disease, drug, clinical word or flag."""
    criterion = reading.items[at].get("condition")
    if criterion is None:
        return None
    note = reading.request.notes(at, at + 1)
    if criterion.minimum is not None or criterion.maximum is not None:
        return _spoken_range(reading, at, criterion, note)
    negated = reading.negated(at, criterion.column, is_flag=True)
    column = reading.column(criterion.column)
    if negated and column.kind is Kind.CATEGORICAL and column.categories and criterion.any_of is not None:
        # "not on insulin" of a column with No, Down, Steady and Up is "No".
        rest = tuple(value for value in column.categories if value not in criterion.any_of)
        criterion, negated = Criterion(column=column.name, any_of=rest), False
    return Demand(at, at + 1, note, criterion, negated, after_or(reading, at))


def _spoken_range(reading: Reading, at: int, criterion: Criterion, note: str) -> Fact:
    low = float("-inf") if criterion.minimum is None else float(criterion.minimum)
    high = float("inf") if criterion.maximum is None else float(criterion.maximum)
    parts = (Interval(low, high, criterion.include_minimum, criterion.include_maximum),)
    if reading.negated(at, criterion.column, is_flag=True):
        parts = complement(parts)
    return Limit(at, at + 1, note, criterion.column, parts)


def _title(reading: Reading, at: int) -> Fact | None:
    """An ICD-9 title written out."""
    code = reading.items[at].get("title")
    column = reading.lexicon.code_column
    if code is None or column is None:
        return None
    criterion = Criterion(column=column.name, starts_with=(code,))
    note = f"ICD-9 {code}: {titles()[code]}"
    return Demand(at, at + 1, note, criterion, reading.negated(at, column.name, is_flag=True), after_or(reading, at))


def _unavailable(reading: Reading, at: int) -> Fact | None:
    item = reading.items[at]
    missing = item.get("unavailable")
    if not isinstance(missing, Unavailable) or item.is_("filler"):
        return None
    nearest = f" The nearest is {missing.nearest}." if missing.nearest else ""
    message = f"This source has no column for {missing.name}.{nearest}"
    return Problem(at, at + 1, code="invalid", message=message)


_MATCHERS: tuple[Matcher, ...] = (
    restart, removal, population, column_list, shares, codes, reference_then_column, column_then_range,
    column_then_category, count, range_then_column, category, _condition, _title, _unavailable,
)  # fmt: skip
