"""Numbers before their column: "18 < age < 65", "21 ≤ age"."""

from dataclasses import replace

from engine.conversation.rules.converting import limit_of
from engine.conversation.rules.facts import Fact
from engine.conversation.rules.limits import is_measured
from engine.conversation.rules.ranges import RangeRead, interval_of, read_ranges
from engine.conversation.rules.reading import Reading

_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def sandwiched(reading: Reading, at: int) -> Fact | None:
    """The limit of a number, a sign and a column, with the sign and number that may follow."""
    first, sign = reading.items[at].get("number"), reading.at(at + 1)
    if first is None or sign is None or sign.get("operator") not in _TURNED or not sign.is_("symbol"):
        return None
    i = reading.skip(at + 2, "filler", most=2)
    names = (item.get("column") if (item := reading.at(i)) is not None else None) or ()
    column = next((reading.column(name) for name in names if is_measured(reading.column(name))), None)
    if column is None:
        return None
    found = RangeRead((interval_of(_TURNED[sign.get("operator")], first.value),), None, i + 1)
    further = read_ranges(reading.items, i + 1) if reading.at(i + 1) is not None else None
    if further is not None and further.comparison and not further.exact:
        met = tuple(both for one in further.intervals for both in [one.meet(found.intervals[0])] if both is not None)
        found = replace(further, intervals=met)
    return limit_of(reading, at, column, found)
