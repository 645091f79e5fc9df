"""A spec's criteria as one condition per column: which values it may take. Generators obey conditions, not specs."""

import math
from collections.abc import Sequence, Set
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.core.errors import UserError
from engine.schema.table import Column, Kind, TableSchema


@dataclass(frozen=True)
class Interval:
    """Numbers between ``low`` and ``high`` (infinite where open-ended); for dates, days since 1970-01-01."""

    low: float = -math.inf
    high: float = math.inf
    include_low: bool = True
    include_high: bool = True

    def contains(self, values: np.ndarray) -> np.ndarray:
        """Which of ``values`` (floats; NaN is never inside) lie in the interval."""
        above = values >= self.low if self.include_low else values > self.low
        below = values <= self.high if self.include_high else values < self.high
        return above & below

    def meet(self, other: "Interval") -> "Interval | None":
        """The intersection, or None where it is empty."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        include_low = all(part.include_low for part in (self, other) if part.low == low)
        include_high = all(part.include_high for part in (self, other) if part.high == high)
        if low > high or (low == high and not (include_low and include_high)):
            return None
        return Interval(low, high, include_low, include_high)


@dataclass(frozen=True)
class Condition:
    """What one column may be.

    Attributes:
        column: its name.
        intervals: for numeric, integer and date columns: the value lies in one of them. None: any value.
        values: for numeric columns asked for by value: the value is one of them. None: any.
        excluded: for numeric columns: values that are not allowed.
        categories: for categorical and boolean columns: the allowed categories (booleans as ``"true"``/``"false"``).
        allow_missing: whether a missing value satisfies the condition.
        allow_present: False when only missing values do.
    """

    column: str
    intervals: tuple[Interval, ...] | None = None
    excluded: frozenset[float] = frozenset()
    categories: frozenset[str] | None = None
    allow_missing: bool = True
    allow_present: bool = True

    def satisfied(self, series: pd.Series, column: Column) -> np.ndarray:
        """Boolean array of ``len(series)``: the rows that satisfy the condition. ``series`` is conformed."""
        missing = series.isna().to_numpy()
        if not self.allow_present:
            return missing & self.allow_missing
        if column.kind.is_ordered:
            numbers = as_numbers(series, column)
            good = np.ones(len(series), dtype=bool)
            if self.intervals is not None:
                good = np.zeros(len(series), dtype=bool)
                for interval in self.intervals:
                    good |= interval.contains(numbers)
            for value in self.excluded:
                good &= numbers != value
        elif self.categories is None:
            good = np.ones(len(series), dtype=bool)
        else:
            good = as_text(series, column).isin(self.categories).to_numpy()
        return np.where(missing, self.allow_missing, good)


def as_numbers(series: pd.Series, column: Column) -> np.ndarray:
    """An ordered column as float64 with NaN for missing; dates as days since 1970-01-01."""
    if column.kind is Kind.DATE:
        days = series.astype("datetime64[s]").astype("int64").to_numpy() / 86_400
        return np.where(series.isna().to_numpy(), np.nan, days)
    return series.astype("float64").to_numpy()


def as_text(series: pd.Series, column: Column) -> pd.Series:
    """A categorical column as it is, a boolean one as ``"true"``/``"false"``."""
    if column.kind is Kind.BOOLEAN:
        return series.map({True: "true", False: "false"})
    return series


def category_text(value: object) -> str:
    """How a category of a spec is written in a table (booleans in lower case)."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def bare_code(code: str) -> str:
    """A diagnosis code without dot and blanks, upper case: ``"250.00"`` → ``"25000"``."""
    return code.replace(".", "").replace(" ", "").upper()


def in_code_range(code: str, first: str, last: str) -> bool:
    """Whether ``code`` lies in ``first``-``last``, all sub-codes of ``last`` included: ICD-9 sorts as text."""
    bare, low, high = bare_code(code), bare_code(first), bare_code(last)
    return bare >= low and (bare <= high or bare.startswith(high))


def compile_conditions(spec: CohortSpec, schema: TableSchema) -> dict[str, Condition]:
    """One condition per column that the spec's criteria name.

    Raises:
        UserError: a column or category is unknown, a criterion does not suit its column's kind, the criteria of one
            column contradict each other or its bounds, or exclude what a share asks for; names the criterion.
    """
    by_column: dict[str, list[Criterion]] = {}
    for criterion in spec.criteria:
        by_column.setdefault(criterion.column, []).append(criterion)
    shares = [(share, share_text(share, schema[share.column])) for share in spec.shares]
    asked = [(share.column, text) for share, text in shares]
    for name, text in asked:
        if asked.count((name, text)) > 1:
            raise UserError(f"two shares for {text!r} of {name!r}", remedy="Keep one of them.")
    conditions = {name: _compile(criteria, schema[name]) for name, criteria in by_column.items()}
    for share, text in shares:
        if share.share > 0:
            restrict(conditions.get(share.column), schema[share.column], text)
    return conditions


def restrict(condition: Condition | None, column: Column, category: str) -> Condition:
    """``condition`` with the column fixed to one category (for drawing the strata of shares).

    Raises:
        UserError: ``condition`` excludes the category.
    """
    number = _share_number(category, column) if column.kind.is_ordered else None
    if condition is not None and not _admits(condition, category, number):
        raise UserError(
            f"a share asks for {category!r} in {column.name!r}, which a criterion excludes",
            remedy="Drop the share or the criterion.",
        )
    if number is not None:
        return Condition(column.name, intervals=(Interval(number, number),), allow_missing=False)
    return Condition(column.name, categories=frozenset({category}), allow_missing=False)


def _admits(condition: Condition, category: str, number: float | None) -> bool:
    if not condition.allow_present:
        return False
    if number is None:
        return condition.categories is None or category in condition.categories
    inside = condition.intervals is None or any(part.contains(np.array([number]))[0] for part in condition.intervals)
    return bool(inside) and number not in condition.excluded


def _compile(criteria: Sequence[Criterion], column: Column) -> Condition:
    if column.role != "feature":
        raise UserError(f"column {column.name!r} is not generated, so nothing can be asked of it")
    return _ordered(criteria, column) if column.kind.is_ordered else _nominal(criteria, column)


def _ordered(criteria: Sequence[Criterion], column: Column) -> Condition:
    intervals: list[Interval] = [Interval()]
    excluded: set[float] = set()
    allow_missing, allow_present = True, True
    for criterion in criteria:
        if criterion.starts_with or criterion.not_starts_with or criterion.between_codes:
            raise UserError(f"column {column.name!r} holds numbers, not codes", remedy="Use minimum and maximum.")
        if criterion.recorded is not None:
            allow_missing, allow_present = (
                allow_missing and not criterion.recorded,
                (allow_present and criterion.recorded),
            )
        offered: list[list[Interval]] = []
        if criterion.minimum is not None or criterion.maximum is not None:
            low = -math.inf if criterion.minimum is None else _number(criterion.minimum, column)
            high = math.inf if criterion.maximum is None else _number(criterion.maximum, column)
            offered.append([Interval(low, high, criterion.include_minimum, criterion.include_maximum)])
        if criterion.ranges is not None:
            offered.append(
                [Interval(-math.inf if a is None else a, math.inf if b is None else b) for a, b in criterion.ranges]
            )
        if criterion.any_of is not None:
            offered.append([Interval(_number(value, column), _number(value, column)) for value in criterion.any_of])
        for choice in offered:
            allow_missing = False
            intervals = [met for one in intervals for other in choice if (met := one.meet(other)) is not None]
        if criterion.none_of is not None:
            excluded |= {_number(value, column) for value in criterion.none_of}
        if allow_present and not _reachable(intervals, excluded, column):
            raise UserError(
                f"no value of {column.name!r} satisfies every criterion on it",
                where=_bounds_text(column),
                remedy="Widen or drop one of its ranges.",
            )
    if not (allow_missing or allow_present):
        raise UserError(f"the criteria on {column.name!r} contradict each other")
    free = intervals == [Interval()]
    return Condition(
        column.name,
        intervals=None if free else tuple(sorted(intervals, key=lambda part: (part.low, part.high))),
        excluded=frozenset(excluded),
        allow_missing=allow_missing,
        allow_present=allow_present,
    )


def _reachable(intervals: list[Interval], excluded: Set[float], column: Column) -> bool:
    low = -math.inf if column.minimum is None else column.minimum
    high = math.inf if column.maximum is None else column.maximum
    inside = [met for part in intervals if (met := part.meet(Interval(low, high))) is not None]
    if column.kind is not Kind.INTEGER:
        return any(part.low < part.high or part.low not in excluded for part in inside)
    return any(_holds_an_integer(part, excluded) for part in inside)


def _holds_an_integer(part: Interval, excluded: Set[float]) -> bool:
    if math.isinf(part.low) or math.isinf(part.high):
        return True
    first = math.floor(part.low) + 1 if not part.include_low else math.ceil(part.low)
    last = math.ceil(part.high) - 1 if not part.include_high else math.floor(part.high)
    # Exclusions take away at most as many integers as there are of them.
    return any(value not in excluded for value in range(first, min(last, first + len(excluded)) + 1))


def _nominal(criteria: Sequence[Criterion], column: Column) -> Condition:
    known = ("true", "false") if column.kind is Kind.BOOLEAN else (column.categories or ())
    allowed = set(known)
    allow_missing, allow_present = True, True
    for criterion in criteria:
        if criterion.minimum is not None or criterion.maximum is not None or criterion.ranges is not None:
            raise UserError(f"column {column.name!r} holds categories, not numbers", remedy="Use any_of or none_of.")
        if criterion.recorded is not None:
            allow_missing, allow_present = (
                allow_missing and not criterion.recorded,
                (allow_present and criterion.recorded),
            )
        demands_value = any(
            part is not None for part in (criterion.any_of, criterion.starts_with, criterion.between_codes)
        )
        allow_missing = allow_missing and not demands_value
        if criterion.any_of is not None:
            allowed &= {_category(value, column, known) for value in criterion.any_of}
        if criterion.none_of is not None:
            # An unknown category is excluded anyway; of a boolean it is a word that was meant to say something.
            allowed -= {
                _category(value, column, known) if column.kind is Kind.BOOLEAN else category_text(value)
                for value in criterion.none_of
            }
        if criterion.starts_with is not None:
            prefixes = tuple(bare_code(prefix) for prefix in criterion.starts_with)
            allowed = {code for code in allowed if bare_code(code).startswith(prefixes)}
        if criterion.not_starts_with is not None:
            prefixes = tuple(bare_code(prefix) for prefix in criterion.not_starts_with)
            allowed = {code for code in allowed if not bare_code(code).startswith(prefixes)}
        if criterion.between_codes is not None:
            pairs = criterion.between_codes
            allowed = {code for code in allowed if any(in_code_range(code, low, high) for low, high in pairs)}
    if allow_present and not allowed:
        raise UserError(
            f"no category of {column.name!r} satisfies every criterion on it",
            remedy="Choose from the column's categories, or drop one of its criteria.",
        )
    if not (allow_missing or allow_present):
        raise UserError(f"the criteria on {column.name!r} contradict each other")
    return Condition(
        column.name,
        categories=None if allowed == set(known) else frozenset(allowed),
        allow_missing=allow_missing,
        allow_present=allow_present,
    )


def _category(value: object, column: Column, known: Sequence[str]) -> str:
    text = category_text(value)
    text = text.lower() if column.kind is Kind.BOOLEAN else text
    if text not in known:
        shown = ", ".join(list(known)[:12]) + (", …" if len(known) > 12 else "")
        raise UserError(f"{column.name!r} has no category {text!r}", remedy=f"It has: {shown}.")
    return text


def _number(value: object, column: Column) -> float:
    if column.kind is Kind.DATE and isinstance(value, str):
        try:
            return pd.Timestamp(datetime.fromisoformat(value)).timestamp() / 86_400
        except ValueError as error:
            raise UserError(f"{value!r} is not a date", remedy="Write dates as 2026-11-23.") from error
    if isinstance(value, (str, bool)):
        raise UserError(f"{value!r} is not a number, as {column.name!r} needs")
    try:
        return float(value)  # type: ignore[arg-type]
    except OverflowError as error:
        raise UserError(f"a number asked of {column.name!r} is too large") from error


def _share_number(category: str, column: Column) -> float:
    try:
        return float(category)
    except ValueError:
        return _number(category, column)


def share_text(share: Share, column: Column) -> str:
    """The category of ``share`` as text: of ordered columns its number (of dates, days since 1970-01-01).

    Raises:
        UserError: the column has no such category, or it is not a number or date.
    """
    if column.kind.is_ordered:
        return repr(_number(share.category, column))
    known = ("true", "false") if column.kind is Kind.BOOLEAN else (column.categories or ())
    return _category(share.category, column, known)


def _bounds_text(column: Column) -> str:
    # Bounds that were read from the data are two patients' values.
    if not column.bounds_are_public or column.minimum is None or column.maximum is None:
        return ""
    unit = f" {column.unit}" if column.unit else ""
    return f"the column ranges from {column.minimum:g} to {column.maximum:g}{unit}"
