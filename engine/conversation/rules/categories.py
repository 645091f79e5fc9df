"""Categories in requests: "women", "Hispanic", "insulin steady", "gender female"."""

from engine.cohort.spec import Criterion
from engine.conversation.rules.bands import bands_of
from engine.conversation.rules.facts import Choice, Demand, Fact, Problem
from engine.conversation.rules.lexicon import Category
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.tokens import GLUE, key_of
from engine.schema.table import Column, Kind


def category(reading: Reading, at: int) -> Fact | None:
    """Reads "women", "emergency", "Hispanic"; one that several columns share is settled by the column beside it."""
    categories = reading.items[at].get("category")
    if not categories:
        return None
    end = at + 1
    if len({category.column for category in categories}) > 1:
        beside = [reading.at(at + 1), reading.at(at - 1) if at else None]
        named = {name for item in beside if item is not None for name in (item.get("column") or ())}
        chosen = [category for category in categories if category.column in named]
        if not chosen:
            owners = ", ".join(category.column for category in categories)
            message = f"{reading.request.span(at, end)!r} is a category of several columns: say which of {owners}."
            choices = tuple(_one_of(at, end, one) for one in categories)
            return Problem(at, end, code="invalid", message=message, choices=choices)
        categories = tuple(chosen)
    chosen_one = categories[0]
    following = reading.at(at + 1)
    if following is not None and following.is_("condition") and chosen_one.column in (following.get("column") or ()):
        end += 1  # "never smokers" of a column of smoking
    if is_only_a_noun(reading, at):
        return None
    values = tuple(one.value for one in categories if one.column == chosen_one.column)
    criterion = Criterion(column=chosen_one.column, any_of=values)
    negated = reading.negated(at, chosen_one.column)
    return Demand(at, end, reading.request.notes(at, end), criterion, negated, after_or(reading, at))


def _one_of(first: int, last: int, meant: Category) -> Choice:
    criterion = Criterion(column=meant.column, any_of=(meant.value,))
    return Choice(f"{meant.column.replace('_', ' ')}: {meant.value}", (Demand(first, last, criterion=criterion),))


def is_only_a_noun(reading: Reading, at: int) -> bool:
    """In "excluding pregnant women" the women are the noun of what is excluded."""
    last = reading.facts[-1] if reading.facts else None
    return isinstance(last, Demand) and last.negated and last.last == at and reading.items[at - 1].is_("condition")


def names_its_category(reading: Reading, at: int) -> bool:
    """Whether a column stands beside one of its categories: "gender female", "white ethnicity"."""
    names = reading.items[at].get("column")
    i = reading.skip(at + 1, "filler", symbols=":=")
    while (figure := reading.at(i)) is not None and figure.is_("number", "unit") and i < at + 6:
        i += 1  # "insurance mix: 50 % Medicare"
    beside = (reading.at(i), reading.at(at - 1) if at else None)
    return any(category.column in names for item in beside if item for category in (item.get("category") or ()))


def column_then_category(reading: Reading, at: int) -> Fact | None:
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


def after_or(reading: Reading, at: int) -> bool:
    """Whether an "or" stands between this and the fact before it."""
    before = reading.facts[-1].last if reading.facts else 0
    return any(item.is_("or") and not item.is_("and") for item in reading.items[before:at])
