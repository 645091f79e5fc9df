"""One end of a range that is moved: "raise the creatinine cutoff to 4", "cap the stay at a week", "up to 75"."""

from dataclasses import replace

from engine.conversation.rules.converting import limit_of
from engine.conversation.rules.facts import Count, Fact, Limit
from engine.conversation.rules.ranges import RangeRead, interval_of, read_range
from engine.conversation.rules.reading import Reading
from engine.schema.table import Column, Kind

_LONGEST = 9
_ENDS = {"<=": ("upper", "maximum", "max", "highest", "top", "oldest", "longest", "ceiling"),
         ">=": ("lower", "minimum", "min", "lowest", "bottom", "youngest", "shortest", "floor")}  # fmt: skip
_OPERATORS = {"up": ">=", "down": "<=", "cap": "<="}
_SIZES = ("number", "size", "cohort", "it", "count", "sample", "patients", "total")


def moved(reading: Reading, at: int) -> Fact | None:
    """A verb of moving, its column, and the number that an end of the range is moved to."""
    direction = reading.items[at].get("move")
    if direction is None:
        return None
    end, column, sized, i = None, None, False, at + 1
    while (item := reading.at(i)) is not None and i - at < _LONGEST and not item.is_("number"):
        said = reading.request.span(i, i + 1).lower()
        end = end or next((sign for sign, words in _ENDS.items() if said.split()[0] in words), None)
        sized = sized or any(word in said.split() for word in _SIZES) or item.is_("size")
        names = item.get("column") or ()
        if item.is_("category", "condition") or any(reading.column(name).kind is Kind.BOOLEAN for name in names):
            return None  # "raise the share of women to 45 %"
        column = column or next((one for one in map(reading.column, names) if one.kind.is_ordered), None)
        known = item.is_("filler", "to", "limit", "column", "size", "patients", "statistic", "between", "move")
        compares = item.is_("operator") and said.split()[0] not in (*_ENDS["<="], *_ENDS[">="])
        if compares or not (known or end):
            return None
        i += 1
    found = read_range(reading.items, i) if reading.at(i) is not None else None
    if found is None or not _is_target(reading, i, found):
        return None
    if found.exact and found.unit is None and column is None and sized:
        return Count(at, found.end, patients=found.intervals[0].low)
    column = column or _last_ranged(reading, found)
    if column is None or not (found.exact or reading.items[i].is_("number")):
        return None
    if not found.exact:
        if not any(item.is_("between") for item in reading.items[at:i]):
            return None  # "extend the age to 30-50" says both ends
        found = replace(found, intervals=(replace(found.intervals[0], low=found.intervals[0].high),))
    value = found.intervals[0].high
    sign = end or _OPERATORS[direction]
    limit = limit_of(reading, at, column, replace(found, intervals=(interval_of(sign, value),), exact=False))
    manner = "end" if end or direction == "cap" else "cutoff"
    return replace(limit, manner=manner) if isinstance(limit, Limit) else limit


def _is_target(reading: Reading, at: int, found: RangeRead) -> bool:
    """Whether the number is what something is moved to ("to 70", "at a week"), and no share or number of more."""
    before = reading.request.span(at - 1, at).lower()
    return (before.split()[-1] in ("to", "at", "from", "a", "of") or reading.items[at - 1].is_("limit")) and (
        found.unit != "%" or before != "by"
    )


def _last_ranged(reading: Reading, found: RangeRead) -> Column | None:
    """The column of the last range of the previous spec, where a number without a unit can be of it."""
    for criterion in reversed(reading.previous.criteria if reading.previous is not None else ()):
        column = reading.column(criterion.column)
        if column.kind.is_ordered and (criterion.minimum is not None or criterion.maximum is not None):
            return column if found.unit is None or found.unit == column.unit else None
    return None
