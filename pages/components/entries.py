"""What a person types into the fields of a criterion, to values and back."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.cohort.spec import Value
from engine.core.errors import UserError
from engine.schema.table import Column, Kind

Range = tuple[float | None, float | None]
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - dates of a table are dates on the wall


def shown(value: Value, column: Column) -> str:
    """One value of an ordered column: ``60``, ``1.25``, ``2020-01-31``."""
    if column.kind is Kind.DATE and not isinstance(value, str):
        moment = _EPOCH + timedelta(days=float(value))
        return moment.date().isoformat() if moment.time() == datetime.min.time() else moment.isoformat(" ", "seconds")
    return value if isinstance(value, str) else f"{value:.15g}"


def shown_list(values: Iterable[Value] | None, column: Column) -> str:
    """Values with commas between them."""
    return ", ".join(shown(value, column) for value in values or ())


def shown_ranges(ranges: Iterable[Range] | None, column: Column) -> str:
    """Ranges as they are typed: ``..20; 35..``."""
    return "; ".join("..".join("" if end is None else shown(end, column) for end in pair) for pair in ranges or ())


def texts(text: str) -> tuple[str, ...] | None:
    """The parts between commas; None when there is none."""
    return tuple(part.strip() for part in text.split(",") if part.strip()) or None


def value(text: str, column: Column) -> float | str | None:
    """A number, or a date as ISO text; None for an empty field.

    Raises:
        UserError: the text is not a value of the column's kind.
    """
    if not text.strip():
        return None
    if column.kind is not Kind.DATE:
        return _number(text, column)
    _days(text, column)
    return text.strip()


def values(text: str, column: Column) -> tuple[float | str, ...] | None:
    """The values between commas; None when there is none.

    Raises:
        UserError: a part is not a value of the column's kind.
    """
    return tuple(one for part in text.split(",") if (one := value(part, column)) is not None) or None


def ranges(text: str, column: Column) -> tuple[Range, ...] | None:
    """Ranges between semicolons; dates become days since 1970-01-01, as a criterion has them.

    Raises:
        UserError: a part is not a range of the column.
    """
    number = _days if column.kind is Kind.DATE else _number
    example = "2020-01-01..2020-06-30" if column.kind is Kind.DATE else "20..35"
    pairs = _pairs(text, column, example)
    return (
        tuple((number(low, column) if low else None, number(high, column) if high else None) for low, high in pairs)
        or None
    )


def code_ranges(text: str, column: Column) -> tuple[tuple[str, str], ...] | None:
    """Code ranges between semicolons, both ends given.

    Raises:
        UserError: a part is not a range of codes.
    """
    pairs = tuple(_pairs(text, column, "250..250.93"))
    if any(not (low and high) for low, high in pairs):
        raise UserError(f"a range of {column.title} has no end", remedy="Write it as 250..250.93.")
    return pairs or None


def _pairs(text: str, column: Column, example: str) -> list[tuple[str, str]]:
    pairs = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        low, found, high = part.partition("..")
        if not found or not (low.strip() or high.strip()):
            raise UserError(f"{part!r} is not a range of {column.title}", remedy=f"Write it as {example}.")
        pairs.append((low.strip(), high.strip()))
    return pairs


def _number(text: str, column: Column) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UserError(f"{text.strip()!r} is not a number, as {column.title} needs") from error


def _days(text: str, column: Column) -> float:
    try:
        return (datetime.fromisoformat(text.strip()).replace(tzinfo=None) - _EPOCH) / timedelta(days=1)
    except ValueError as error:
        message = f"{text.strip()!r} is not a date, as {column.title} needs"
        raise UserError(message, remedy="Write dates as 2020-01-31.") from error
