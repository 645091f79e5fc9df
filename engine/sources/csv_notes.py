"""The sentences that explain how cells were read. They name rows and columns, never a cell."""

_CONFIRM = " Please confirm."

SENTENCES = {
    "spaces": "{columns}: spaces around {rows} cells were removed (first in row {row}).",
    "missing": "{columns}: {rows} cells hold a chosen word for missing (first in row {row}).",
    "numeric words": "{columns}: {rows} cells hold a word such as NA among numbers or dates (first in row {row}); "
    "they count as missing.",
    "words": "{columns}: {rows} cells hold a word such as NA or None (first in row {row}); it is kept as a category. "
    "Name it as a missing-value token if it means missing.",
    "mixed": "{columns}: mostly numbers, but {rows} cells are not (first in row {row}); read as text.",
    "empty": "{columns}: no row has a value.",
    "code": "{columns}: kept as codes and not read as numbers ({detail}).",
    "decimal comma": "{columns}: read with a decimal comma.",
    "thousands": "{columns}: marks between thousands were removed.",
    "unsure thousands": "{columns}: the mark before three digits was read as a thousands mark." + _CONFIRM,
    "unsure comma": "{columns}: the comma before three digits was read as a decimal comma." + _CONFIRM,
    "float ids": "{columns}: whole numbers written with .0 were read as identifiers without it.",
    "odd dates": "{columns}: looks like dates, but not all in one notation with four-digit years; read as text.",
    "not dates": "{columns}: looks like dates, but {rows} cells are no day of the calendar (first in row {row}); "
    "read as text.",
    "bad dates": "{columns}: {rows} cells are no day of the calendar (first in row {row}); they count as missing.",
    "far dates": "{columns}: {rows} dates lie before 1678 or after 2261 (first in row {row}), as 9999 for never; "
    "they count as missing.",
    "dates year first": "{columns}: dates were brought into one form (YYYY-MM-DD).",
    "dates day first": "{columns}: dates were read with the day first.",
    "dates month first": "{columns}: dates were read with the month first.",
    "dates day first unsure": "{columns}: dates were read with the day first; the month could be first." + _CONFIRM,
    "dates month first unsure": "{columns}: dates were read with the month first; the day could be first." + _CONFIRM,
    "zones": "{columns}: times with a zone were converted to UTC.",
    "formula": "{columns}: {rows} cells would run as a formula in a spreadsheet (first in row {row}); "
    "they are kept as text and quoted on export.",
    "markup": "{columns}: {rows} cells hold HTML (first in row {row}); it is kept as text and never displayed as HTML.",
    "long": "{columns}: {rows} cells are longer than 10,000 characters (first in row {row}).",
}
