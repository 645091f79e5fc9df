"""The grammar: at each item the first matcher that recognises something takes it; the rest is filler or unknown."""

from collections.abc import Callable

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.bands import bands_of
from engine.conversation.column_lists import column_list
from engine.conversation.counts import count, population, removal, restart
from engine.conversation.diagnoses import codes
from engine.conversation.facts import Demand, Fact, Limit, Problem
from engine.conversation.lexicon import Unavailable
from engine.conversation.limits import column_then_range, range_then_column, reference_then_column
from engine.conversation.ranges import complement
from engine.conversation.reading import Reading
from engine.conversation.shares import shares
from engine.conversation.titles import titles
from engine.conversation.tokens import GLUE, key_of
from engine.schema.table import Column, Kind

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


def _is_heading(reading: Reading, at: int) -> bool:
    following = reading.at(at + 1)
    return following is not None and following.get("symbol") in (":", "-", "–")


def _is_quiet(reading: Reading, at: int) -> bool:
    item = reading.items[at]
    if item.is_("category") and _is_only_a_noun(reading, at):
        return True
    if item.is_("column") and _names_its_category(reading, at):
        return True
    if item.is_("number", "icd", "unknown", "operator", "unit", "title", "decade", "category", "condition"):
        return item.is_("filler") and not item.is_("number")
    if item.is_("column"):
        # "in hospital" names the stay only beside a range.
        words = key_of(reading.request.span(at, at + 1))
        return all("filler" in reading.lexicon.phrases.get((word,), {}) for word in words)
    return bool(_QUIET & item.parts.keys())


def _names_its_category(reading: Reading, at: int) -> bool:
    """Whether a column stands beside one of its categories: "gender female", "white ethnicity"."""
    names = reading.items[at].get("column")
    beside = (reading.at(reading.skip(at + 1, "filler", symbols=":=")), reading.at(at - 1) if at else None)
    return any(category.column in names for item in beside if item for category in (item.get("category") or ()))


def _category(reading: Reading, at: int) -> Fact | None:
    """Reads "women", "emergency", "Hispanic"; one that several columns share is settled by the column beside it."""
    categories = reading.items[at].get("category")
    if not categories:
        return None
    end = at + 1
    if len(categories) > 1:
        beside = [reading.at(at + 1), reading.at(at - 1) if at else None]
        named = {name for item in beside if item is not None for name in (item.get("column") or ())}
        chosen = [category for category in categories if category.column in named]
        if not chosen:
            owners = ", ".join(category.column for category in categories)
            message = f"{reading.request.span(at, end)!r} is a category of several columns: say which of {owners}."
            return Problem(at, end, code="invalid", message=message)
        following = reading.at(at + 1)
        if following is not None and chosen[0].column in (following.get("column") or ()):
            end += 1
        categories = tuple(chosen)
    category = categories[0]
    if _is_only_a_noun(reading, at):
        return None
    criterion = Criterion(column=category.column, any_of=(category.value,))
    negated = reading.negated(at, category.column)
    return Demand(at, end, reading.request.notes(at, end), criterion, negated, _after_or(reading, at))


def _is_only_a_noun(reading: Reading, at: int) -> bool:
    """In "excluding pregnant women" the women are the noun of what is excluded."""
    last = reading.facts[-1] if reading.facts else None
    return isinstance(last, Demand) and last.negated and last.last == at and reading.items[at - 1].is_("condition")


def _column_then_category(reading: Reading, at: int) -> Fact | None:
    """Reads "insulin steady", "change is Ch", "A1C result Norm": a category that only its column's name makes clear."""
    names = reading.items[at].get("column")
    if names is None:
        return None
    column = reading.column(names[0])
    if column.kind is not Kind.CATEGORICAL or column.code_system or not column.categories:
        return None
    linked = reading.skip(at + 1, "filler", symbols=":=")
    values, last = [], at + 1
    for start in range(at + 1, linked + 1):
        i = start
        while (found := _category_text(reading, i, column)) is not None:
            values.append(found[0])
            last = found[1]
            i = reading.skip(last, "or", "and", symbols=",/")
            if i == last:
                break
        if values:
            criterion = Criterion(column=column.name, any_of=tuple(dict.fromkeys(values)))
            return Demand(at, last, "", criterion, reading.negated(at, column.name))
    return None


def _category_text(reading: Reading, at: int, column: Column) -> tuple[str, int] | None:
    """The category of ``column`` that is written at item ``at``, and the item after it."""
    if at >= len(reading.items):
        return None
    keys = [token.key for token in reading.request.tokens]
    for value in sorted(column.categories or (), key=len, reverse=True):
        if value in bands_of(column):
            continue
        end = _matches(keys, reading.items[at].first, list(key_of(value)))
        if end is not None:
            last = next((k for k in range(at, len(reading.items)) if reading.items[k].last >= end), at)
            return value, last + 1
    return None


def _matches(keys: list[str], start: int, wanted: list[str]) -> int | None:
    i = start
    for word in wanted:
        while i < len(keys) and keys[i] in GLUE and i > start:
            i += 1
        if i >= len(keys) or keys[i] != word:
            return None
        i += 1
    return i


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
    return Demand(at, at + 1, note, criterion, negated, _after_or(reading, at))


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
    return Demand(at, at + 1, note, criterion, reading.negated(at, column.name, is_flag=True), _after_or(reading, at))


def _unavailable(reading: Reading, at: int) -> Fact | None:
    item = reading.items[at]
    missing = item.get("unavailable")
    if not isinstance(missing, Unavailable) or item.is_("filler"):
        return None
    nearest = f" The nearest is {missing.nearest}." if missing.nearest else ""
    message = f"This source has no column for {missing.name}.{nearest}"
    return Problem(at, at + 1, code="invalid", message=message)


def _after_or(reading: Reading, at: int) -> bool:
    """Whether an "or" stands between this and the fact before it."""
    before = reading.facts[-1].last if reading.facts else 0
    return any(item.is_("or") and not item.is_("and") for item in reading.items[before:at])


_MATCHERS: tuple[Matcher, ...] = (
    restart, removal, population, column_list, shares, codes, reference_then_column, column_then_range,
    _column_then_category, count, range_then_column, _category, _condition, _title, _unavailable,
)  # fmt: skip
