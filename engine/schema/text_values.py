"""What a column of text holds: numbers, dates, truth values, codes that only look like numbers, or words.

Everything works on the distinct values of a column, so a column of a million rows with two values costs two checks.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

pc: Any = pyarrow.compute
"""Arrow's functions, which are made at import time where no type checker sees them."""

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
ISO_DATE_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}$"

_LEADING_ZERO = r"^[+-]?0\d"
_DIGITS_E_DIGITS = r"^\d+[eE]\d+$"
_FLOATING = r"\.|[eE][+-]"
_TOO_LONG = r"^[+-]?\d{16,}"
_PRECISE = 2.0**53
_PART = 200_000
"""Values that become Python objects at a time."""


class TextKind(StrEnum):
    """What the text of a column is."""

    EMPTY = "empty"
    INTEGER = "integer"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    CODE = "code"
    TEXT = "text"


@dataclass(frozen=True)
class TextVerdict:
    """A kind and, for codes, why the column is not a number."""

    kind: TextKind
    reason: str = ""


def distinct(values: pd.Series) -> pa.StringArray:
    """The distinct present values of a text column, as text."""
    present = values.dropna()
    if isinstance(present.dtype, pd.CategoricalDtype):
        present = pd.Series(present.cat.remove_unused_categories().cat.categories)
    return pa.array([str(value) for value in present.unique()], type=pa.string())


def every(values: pa.Array, pattern: str) -> bool:
    """Whether every value matches ``pattern``; true of no values."""
    return bool(pc.all(pc.match_substring_regex(values, pattern), min_count=0).as_py())


def some(values: pa.Array, pattern: str) -> bool:
    """Whether a value matches ``pattern``."""
    return bool(pc.any(pc.match_substring_regex(values, pattern), min_count=0).as_py())


def to_floats(values: pa.Array) -> np.ndarray:
    """Values that all match :data:`NUMBER`, as float64."""
    if some(values, r"^\+"):
        values = pc.utf8_ltrim(values, characters="+")
    return pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)


def decide(values: pa.Array) -> TextVerdict:
    """What distinct values, none missing, are. Digits are not always a number.

    Codes with leading zeros (``007``), codes such as ``1E5`` and digits too long for a float would be changed by
    reading them as numbers, so they stay text.
    """
    if not len(values):
        return TextVerdict(TextKind.EMPTY)
    values = pc.utf8_trim_whitespace(values)
    if every(values, NUMBER):
        return _decide_digits(values)
    if set(pc.unique(pc.utf8_lower(values)).to_pylist()) <= {"true", "false"}:
        return TextVerdict(TextKind.BOOLEAN)
    if (every(values, ISO_DATE) or every(values, ISO_DATE_TIME)) and not parse_dates(values).isna().any():
        return TextVerdict(TextKind.DATE)
    return TextVerdict(TextKind.TEXT)


def _decide_digits(values: pa.Array) -> TextVerdict:
    if some(values, _LEADING_ZERO):
        return TextVerdict(TextKind.CODE, "leading zeros")
    # A float that a program wrote has a point or a sign after the E; a code list has neither.
    if some(values, _DIGITS_E_DIGITS) and not some(values, _FLOATING):
        return TextVerdict(TextKind.CODE, "digits around an E")
    if some(values, _TOO_LONG):
        return TextVerdict(TextKind.CODE, "more than 15 digits")
    numbers = to_floats(values)
    if not np.isfinite(numbers).all():
        return TextVerdict(TextKind.TEXT)
    whole = bool((numbers % 1 == 0).all()) and bool((np.abs(numbers) < _PRECISE).all())
    if not whole:
        return TextVerdict(TextKind.NUMERIC)
    if len(numbers) < 100 and set(numbers.tolist()) == {0.0, 1.0}:
        return TextVerdict(TextKind.BOOLEAN)
    return TextVerdict(TextKind.INTEGER)


def parse_dates(values: pa.Array) -> pd.Series:
    """Dates in ISO form as datetime64; NaT where there is no such day or the year lies outside 1678-2261."""
    parts = [
        pd.to_datetime(values.slice(start, _PART).to_pandas(), format="ISO8601", errors="coerce")
        for start in range(0, max(len(values), 1), _PART)
    ]
    return pd.concat(parts, ignore_index=True)


def decimals(values: pd.Series) -> int | None:
    """Digits after the point that numbers are recorded with (99 of 100 values need no more); None beyond 8.

    Text is counted as written; floats by the fewest digits that restore the value.
    """
    present = values.dropna()
    if present.empty:
        return None
    sample = present.iloc[:: max(1, len(present) // 20_000)]
    written = sample.astype(str) if not pd.api.types.is_float_dtype(sample.dtype) else sample.map(repr)
    text = written.str.strip().str.lower()
    mantissa, _, exponent = (text.str.partition("e")[part] for part in range(3))
    digits = mantissa.str.partition(".")[2].str.rstrip("0").str.len()
    shift = pd.to_numeric(exponent.where(exponent != "", "0"), errors="coerce").fillna(0)
    needed = int(np.quantile(np.maximum(digits - shift, 0), 0.99, method="inverted_cdf"))
    return needed if needed <= 8 else None
