"""How an uploaded file was read: shown to the person, who confirms it or changes it, and the notes that explain it."""

from dataclasses import dataclass
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator


class Interpretation(BaseModel):
    """All that turns the bytes of a file into a table. Given back to ``read_csv`` it decides, nothing is guessed.

    Rows count from 1 with the header, as a spreadsheet shows them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_format: Literal["csv", "parquet"] = "csv"
    compression: Literal["none", "gzip"] = "none"
    encoding: str = "utf-8"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    quote: str = Field(default='"', min_length=1, max_length=1)
    header_row: int | None = Field(default=1, ge=1)
    """Row that holds the column names; None when the first row is data. Rows above it are left out."""
    comment_prefix: str | None = Field(default=None, min_length=1, max_length=4)
    """Lines that begin so, and have not as many cells as the table, are left out."""
    decimal_mark: Literal[".", ","] = "."
    thousands_mark: Literal["", ",", ".", " ", "'"] = ""
    date_order: Literal["year first", "day first", "month first"] = "year first"
    missing_tokens: tuple[str, ...] = ()
    """Besides the empty cell, these mean missing in every column."""
    numeric_missing_tokens: tuple[str, ...] = ()
    """These mean missing in columns of numbers or dates; in columns of text they are a category."""
    trim_spaces: bool = True
    """Whether spaces around a cell are removed."""
    dropped_rows: tuple[int, ...] = ()
    """Rows left out because they are totals, footers or repeated headers."""

    @property
    def summary(self) -> str:
        """The reading in a few words, for the screen."""
        packed = ", gzip" if self.compression == "gzip" else ""
        if self.file_format == "parquet":
            return f"Parquet{packed}"
        between = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}.get(self.delimiter, self.delimiter)
        header = "no header" if self.header_row is None else f"header in row {self.header_row}"
        decimal = ", decimal comma" if self.decimal_mark == "," else ""
        return f"CSV separated by {between}, {self.encoding.upper()}, {header}{decimal}{packed}"

    @field_validator("delimiter", "quote")
    @classmethod
    def _one_byte(cls, value: str) -> str:
        if ord(value) > 127 or value in "\r\n\0":
            raise ValueError("must be one ASCII character other than a line break")
        return value


@dataclass(frozen=True)
class Note:
    """A sentence about one interpretation or repair; row and column of its first occurrence, never a cell."""

    text: str
    row: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Upload:
    """A file's table and how it was read.

    ``frame`` holds text (dtype ``str``, or ``category`` of text where a large file repeats itself) with missing as
    NaN; numbers are written with a decimal point and dates as YYYY-MM-DD. A Parquet file keeps its types.
    """

    frame: pd.DataFrame
    interpretation: Interpretation
    notes: tuple[Note, ...]


def columns_text(positions: list[int], names: list[str]) -> str:
    """``column 3 (age)`` or ``columns 3 (age), 5 (bmi) and 12 more`` for 0-based positions."""
    shown = [f"{position + 1} ({names[position]})" for position in positions[:4]]
    more = len(positions) - len(shown)
    text = ", ".join(shown) + (f" and {more} more" if more else "")
    return f"column {text}" if len(positions) == 1 else f"columns {text}"
