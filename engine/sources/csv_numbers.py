"""Numbers and dates in the notations of the world, rewritten as ``1234.5`` and ``2021-03-04``."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
import pyarrow as pa

from engine.schema.text_values import ISO_DATE, ISO_DATE_TIME, NUMBER, every, parse_dates, pc, some

DateOrder = Literal["year first", "day first", "month first"]
_SHAPE = r"^[+-]?\d[\d.,' \x{00a0}\x{202f}]*([eE][+-]?\d+)?$|^[+-]?[.,]\d+$"
_TIME = r"(?:[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(?P<half>[AaPp][Mm])?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?$"
_MONTHS = {
    name: str(number)
    for number, name in enumerate(
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], start=1
    )
}
_YEAR_FIRST = r"^(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})[-/.](?P<day>\d{1,2})" + _TIME
_YEAR_LAST = r"^(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})[-/.](?P<year>\d{4})" + _TIME
_NAMED = r"^(?P<day>\d{1,2})[- .]+(?P<month>[A-Za-z]{3})[a-z]*\.?[- ,]+(?P<year>\d{4})" + _TIME
_ANY_DATE = r"^\d{1,4}[-/. ]+(\d{1,2}|[A-Za-z]{3,9})[-/., ]+\d{1,4}([T ]+\d{1,2}:\d{2}.*)?$"
FIRST_YEAR, LAST_YEAR = 1678, 2261
"""The years that a timestamp of nanoseconds spans; 9999 and 0001 stand for "never" and lie outside."""


@dataclass(frozen=True)
class NumberMarks:
    """Evidence of a column for its decimal mark."""

    comma: bool = False
    point: bool = False
    unsure: str = ""
    """The mark before groups of three that may be either (``1,234``)."""


def number_marks(values: pa.Array) -> NumberMarks:
    """What the distinct values of a column show; nothing unless all of them are shaped like numbers."""
    if not len(values) or not some(values, r"[.,]\d") or not every(values, _SHAPE):
        return NumberMarks()
    comma = some(values, _decimal(",")) or some(values, r"\.\d{3}\.\d{3}")
    point = some(values, _decimal(".")) or some(values, r",\d{3},\d{3}")
    unsure = "" if comma or point else "," if some(values, r",\d{3}") else "."
    return NumberMarks(comma and not point, point and not comma, unsure)


def _decimal(mark: str) -> str:
    group = "." if mark == "," else ","
    mark, group = rf"\{mark}", rf"\{group}"
    return (
        rf"^[+-]?\d*{mark}(\d{{1,2}}|\d{{4,}})([eE][+-]?\d+)?$|^[+-]?0{mark}\d+$|^[+-]?\d{{4,}}{mark}\d+$|"
        rf"^[+-]?\d{{1,3}}({group}\d{{3}})+{mark}\d+$"
    )


def rewrite_numbers(values: pa.Array, *, decimal: str, thousands: str | None = None) -> tuple[pa.Array, str] | None:
    """Distinct ``values`` as plain numbers and the thousands mark that was removed; None if they are not all numbers.

    Only regular groups of three are taken for thousands, so ``1,2`` is never 12. ``thousands`` is the mark to expect:
    None for any, empty for none.
    """
    if every(values, NUMBER) and (decimal == "." or not some(values, r"\.")):
        return values, ""
    point = rf"\{decimal}"
    for mark in [".", ",", " ", "'"] if thousands is None else [thousands]:
        if mark == decimal:
            continue
        group = r"[ \x{00a0}\x{202f}]" if mark == " " else rf"\{mark}" if mark else r"[^\x{0000}-\x{10ffff}]"
        number = rf"^[+-]?(\d+|\d{{1,3}}({group}\d{{3}})+)?({point}\d*)?([eE][+-]?\d+)?$"
        if every(values, number) and every(values, r"\d"):
            grouped = some(values, rf"\d{group}\d{{3}}")
            plain = pc.replace_substring_regex(values, group, "") if grouped else values
            plain = pc.replace_substring(plain, decimal, ".") if decimal != "." else plain
            return (plain, mark if grouped else "") if every(plain, NUMBER) else None
    return None


@dataclass(frozen=True)
class Dates:
    """Distinct values of a column of dates, rewritten; ``bad`` and ``far`` mark the values that became missing."""

    values: pa.Array
    order: DateOrder
    unsure: bool
    """Day and month could be exchanged."""
    changed: bool
    bad: pa.Array
    """bool: no such day in the calendar."""
    far: pa.Array
    """bool: the year stands for "never" or lies outside what can be computed with."""
    had_zone: bool


def looks_like_dates(values: pa.Array) -> bool:
    """Whether most distinct values have the shape of a date."""
    if not len(values) or not pc.match_substring_regex(values[:1], _ANY_DATE)[0].as_py():
        # A look at one value spares most columns the rest; a column that begins otherwise stays text.
        return False
    share = pc.mean(pc.cast(pc.match_substring_regex(values, _ANY_DATE), pa.float64())).as_py()
    return share is not None and share >= 0.9


def rewrite_dates(values: pa.Array, *, prefer: DateOrder | None) -> Dates | None:
    """Distinct ``values`` as ISO dates; None if they are not all of one notation with four-digit years.

    Args:
        values: distinct values, none missing.
        prefer: the order of day and month where the column itself does not tell.
    """
    if every(values, ISO_DATE) or every(values, ISO_DATE_TIME):
        return _already_iso(values)
    text = pd.Series(values.to_pylist(), dtype="object")
    order: DateOrder = "year first"
    unsure = False
    for pattern in (_YEAR_FIRST, _YEAR_LAST, _NAMED):
        parts = text.str.extract(pattern)
        if parts["year"].isna().any():
            continue
        if "first" in parts:
            first, second = parts["first"].astype(int), parts["second"].astype(int)
            if ((first > 12) & (second <= 12)).any() and ((second > 12) & (first <= 12)).any():
                return None
            day_first = bool((first > 12).any())
            unsure = not day_first and not bool((second > 12).any())
            order = "day first" if day_first else "month first"
            if unsure:
                day_first = prefer == "day first" or bool((parts["mark"] == ".").all())
                order = "day first" if day_first else "month first"
                unsure = not (parts["mark"] == ".").all()
            parts["day"], parts["month"] = (first, second) if order == "day first" else (second, first)
        elif pattern == _NAMED:
            parts["month"] = parts["month"].str.lower().map(_MONTHS)
            if parts["month"].isna().any():
                return None
        return _assemble(values, parts, order, unsure)
    return None


def _already_iso(values: pa.Array) -> Dates:
    missing = parse_dates(values).isna().to_numpy()
    year = pc.cast(pc.utf8_slice_codeunits(values, 0, 4), pa.int32()).to_numpy(zero_copy_only=False)
    outside = (year < FIRST_YEAR) | (year > LAST_YEAR)
    kept = pc.if_else(pa.array(missing), pa.scalar(None, pa.string()), values) if missing.any() else values
    return Dates(
        values=kept,
        order="year first",
        unsure=False,
        changed=False,
        bad=pa.array(missing & ~outside),
        far=pa.array(missing & outside),
        had_zone=False,
    )


def _assemble(values: pa.Array, parts: pd.DataFrame, order: DateOrder, unsure: bool) -> Dates:
    timed = bool(parts["time"].notna().any())
    year = parts["year"].astype(int)
    written = (
        parts["year"].astype(str)
        + "-"
        + parts["month"].astype(str).str.zfill(2)
        + "-"
        + parts["day"].astype(str).str.zfill(2)
    )
    if timed:
        clock = parts["time"].fillna("00:00").str.replace(r"^(\d):", r"0\1:", regex=True)
        written = written + " " + clock + parts["half"].fillna("").str.upper().radd(" ").str.rstrip()
    stamps = pd.to_datetime(written, format="mixed", errors="coerce", yearfirst=True)
    had_zone = bool(parts["zone"].notna().any())
    if had_zone:
        # Times of several zones are comparable in one of them only.
        zone = parts["zone"].fillna("Z").replace("Z", "+00:00").str.replace(":", "")
        minutes = zone.str[1:3].astype(int) * 60 + zone.str[3:5].astype(int)
        sign = zone.str[0].map({"+": 1, "-": -1})
        stamps = stamps - pd.to_timedelta(minutes * sign, unit="min")
    missing = stamps.isna()
    outside = (year < FIRST_YEAR) | (year > LAST_YEAR)
    iso = stamps.dt.strftime("%Y-%m-%d %H:%M:%S" if timed else "%Y-%m-%d")
    dates = [None if gone else date for date, gone in zip(iso, missing, strict=True)]
    return Dates(
        values=pa.array(dates, type=pa.string()),
        order=order,
        unsure=unsure,
        changed=True,
        bad=pa.array((missing & ~outside).to_numpy()),
        far=pa.array((missing & outside).to_numpy()),
        had_zone=had_zone,
    )
