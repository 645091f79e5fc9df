"""Diseases, drugs, clinical words and yes/no columns: "T2DM", "tachycardic", "death status is 1", "diabetes: no"."""

from engine.cohort.conditions import Interval
from engine.cohort.spec import Criterion
from engine.conversation.rules.categories import after_or
from engine.conversation.rules.facts import Aside, Demand, Fact, Limit, Problem
from engine.conversation.rules.items import Item
from engine.conversation.rules.lexicon import Unavailable, positive
from engine.conversation.rules.ranges import complement
from engine.conversation.rules.reading import Reading
from engine.conversation.rules.titles import titles
from engine.schema.table import Kind

_TRUTH = {"yes": True, "true": True, "1": True, "positive": True, "present": True,
          "no": False, "false": False, "0": False, "negative": False, "absent": False}  # fmt: skip


def either_way(reading: Reading, at: int) -> Fact | None:
    """Reads "with or without diabetes": no demand."""
    if not reading.items[at].is_("either_way"):
        return None
    i = reading.skip(at + 1, "filler", most=2)
    following = reading.at(i)
    if following is None or not following.is_("condition", "column"):
        return None
    return Aside(at, i + 1, meaning="no demand: either is meant")


def flag_value(reading: Reading, at: int) -> Fact | None:
    """A yes/no column with its value: "diabetes: yes", "hypertension = no", "death status as 1"."""
    item = reading.items[at]
    names = item.get("column")
    own = item.get("condition")
    if own is not None and (own.any_of is None or len(own.any_of) != 1):
        return None
    column = reading.column(own.column if own is not None else names[0]) if own is not None or names else None
    if column is None or column.kind is not Kind.BOOLEAN:
        return None
    i = at + 1
    while (link := reading.at(i)) is not None and _links(reading, i, link):
        i += 1
    value = _TRUTH.get(reading.request.span(i, i + 1).lower()) if i > at + 1 and reading.at(i) is not None else None
    following = reading.at(i + 1)
    if value is None or (following is not None and not following.is_("symbol", "and", "or", "but")):
        return None
    yes = positive(column) or Criterion(column=column.name, any_of=(True,))
    return Demand(at, i + 1, reading.request.notes(at, i + 1), yes, not value)


def _links(reading: Reading, at: int, link: Item) -> bool:
    said = reading.request.span(at, at + 1).lower()
    return link.get("symbol") == ":" or link.get("operator") == "=" or said in ("is", "as", "of")


def _is_diagnosed(reading: Reading, at: int) -> bool:
    """Whether the words before say that a doctor named it: a diagnosis of hypoxemia, not a low saturation."""
    before = reading.request.span(max(0, at - 3), at).lower() if at else ""
    return "diagnos" in before or "coded" in before


def condition(reading: Reading, at: int) -> Fact | None:
    """Reads a disease, drug, clinical word or flag."""
    item = reading.items[at]
    criterion = item.get("coded") if item.is_("coded") and _is_diagnosed(reading, at) else item.get("condition")
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


def title(reading: Reading, at: int) -> Fact | None:
    """An ICD-9 title written out."""
    code = reading.items[at].get("title")
    column = reading.lexicon.code_column
    if code is None or column is None:
        return None
    criterion = Criterion(column=column.name, starts_with=(code,))
    note = f"ICD-9 {code}: {titles()[code]}"
    return Demand(at, at + 1, note, criterion, reading.negated(at, column.name, is_flag=True), after_or(reading, at))


def unavailable(reading: Reading, at: int) -> Fact | None:
    """Reads a known word that the source has no column for."""
    item = reading.items[at]
    missing = item.get("unavailable")
    if not isinstance(missing, Unavailable) or item.is_("filler"):
        return None
    nearest = f" The nearest is {missing.nearest}." if missing.nearest else ""
    message = f"This source has no column for {missing.name}.{nearest}"
    return Problem(at, at + 1, code="invalid", message=message)
