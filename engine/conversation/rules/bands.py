"""Categories that are bands of numbers ("[60-70)", ">8", "65+", "18-24"), so that ranges can be asked of them."""

import math
import re
from functools import lru_cache

from engine.cohort.conditions import Interval
from engine.schema.table import Column, Kind

_NUMBER = r"(\d+(?:\.\d+)?)"
_PAIR = re.compile(rf"([\[(]?)\s*{_NUMBER}\s*(?:-|–|to|,)\s*{_NUMBER}\s*([\])]?)(?:\s*\w+)?")
_OPEN = re.compile(rf"(>=|<=|>|<|≥|≤)\s*{_NUMBER}")
_PLUS = re.compile(rf"{_NUMBER}\s*\+")


def bands_of(column: Column) -> dict[str, Interval]:
    """The column's categories that are bands, with the interval each covers; empty where none or only one is."""
    if column.kind is not Kind.CATEGORICAL or column.code_system:
        return {}
    return _bands(column.categories or ())


@lru_cache(maxsize=512)
def _bands(categories: tuple[str, ...]) -> dict[str, Interval]:
    found = {text: interval for text in categories if (interval := _band(text.strip())) is not None}
    return found if len(found) > 1 else {}


def choose(column: Column, wanted: list[Interval]) -> tuple[tuple[str, ...], bool]:
    """The bands that lie inside one of the ``wanted`` intervals, and whether a band was cut by their edges.

    A cut band is left out. Whether an edge itself belongs to the range makes no difference.
    """
    chosen, cut = [], False
    for text, band in bands_of(column).items():
        meets = [part.meet(band) for part in wanted]
        if any(_contains(part, band) for part in wanted):
            chosen.append(text)
        elif math.isfinite(band.low + band.high) and any(met is not None and met.low < met.high for met in meets):
            cut = True
    return tuple(chosen), cut


def _contains(outer: Interval, inner: Interval) -> bool:
    # "over 60" takes the band [60-70): a band cannot be cut at a point.
    return outer.low <= inner.low and outer.high >= inner.high


def _band(text: str) -> Interval | None:
    if match := _PAIR.fullmatch(text):
        opening, low, high, closing = match.groups()
        return Interval(float(low), float(high), opening != "(", closing != ")")
    if match := _OPEN.fullmatch(text):
        sign, number = match.group(1).replace("≥", ">=").replace("≤", "<="), float(match.group(2))
        if sign.startswith(">"):
            return Interval(low=number, include_low="=" in sign)
        return Interval(high=number, include_high="=" in sign)
    if match := _PLUS.fullmatch(text):
        return Interval(low=float(match.group(1)), high=math.inf)
    return None
