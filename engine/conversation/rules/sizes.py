"""Other sizes of the cohort: "500 more", "another 200", "10 % more", "reduce it by half", "5 times as many"."""

from engine.conversation.rules.facts import Count, Fact
from engine.conversation.rules.reading import Reading

_MORE = ("more", "additional", "extra", "on top", "further")
_FEWER = ("fewer", "less")
_TIMES = ("times", "x", "fold", "-fold", "×")
_SIZES = ("patients", "size", "filler")


def resized(reading: Reading, at: int) -> Fact | None:
    """A number of patients in terms of the previous one."""
    item = reading.items[at]
    if item.is_("multiply"):
        return Count(at, at + 1, factor=float(item.get("multiply")))
    if item.is_("move") and (by := _by(reading, at)) is not None:
        number, end = by, reading.at(by)
        sign = -1.0 if item.get("move") == "down" else 1.0
        return _changed(reading, at, number, sign) if end is not None else None
    if item.is_("another"):
        number = reading.skip(at + 1, "filler", most=1)
        following = reading.at(number)
        return _changed(reading, at, number, 1.0) if following is not None and following.is_("number") else None
    if not item.is_("number"):
        return None
    return _counted(reading, at)


def _counted(reading: Reading, at: int) -> Fact | None:
    i = at + 1
    following = reading.at(i)
    percent = following is not None and following.get("unit") == "%"
    i = reading.skip(i + percent, "patients", most=1)
    said = reading.request.span(i, i + 1).lower() if reading.at(i) is not None else ""
    if said in _TIMES and not percent and reading.at(i + 1) is not None:
        if reading.request.span(i + 1, i + 2).lower() not in ("as many", "more", "that many", "the number", "that"):
            return None
        return Count(at, i + 2, factor=reading.items[at].get("number").value)
    if said not in (*_MORE, *_FEWER):
        return None
    end = reading.skip(i + 1, "patients", most=1)
    if (after := reading.at(end)) is not None and after.is_("column", "unit", "number"):
        return None
    change = _changed(reading, at, at, -1.0 if said in _FEWER else 1.0)
    return Count(at, end, patients=change.patients, factor=change.factor) if isinstance(change, Count) else None


def _by(reading: Reading, at: int) -> int | None:
    """The item after "by" in "increase the number by 200"; None where something else than a size is moved."""
    i = at + 1
    while (item := reading.at(i)) is not None and i - at < 6:
        if reading.request.span(i, i + 1).lower() in ("by", "it by"):
            return i + 1
        if item.is_("column", "number") or not item.is_(*_SIZES):
            return None
        i += 1
    return None


def _changed(reading: Reading, first: int, number: int, sign: float) -> Fact | None:
    item, following = reading.items[number], reading.at(number + 1)
    if item.is_("fraction"):
        return Count(first, number + 1, factor=1.0 + sign * float(item.get("fraction")))
    if not item.is_("number"):
        return None
    value = item.get("number").value
    if following is not None and following.get("unit") == "%":
        return Count(first, number + 2, factor=1.0 + sign * value / 100)
    if following is not None and following.is_("unit", "column"):
        return None
    end = reading.skip(number + 1, "patients", most=1)
    return Count(first, end, patients=sign * value, factor=1.0)
