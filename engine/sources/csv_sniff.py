"""The dialect of a CSV file from its first part: delimiter, quote, comment lines, title lines, header."""

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.core.errors import DataError
from engine.schema.text_values import NUMBER
from engine.sources.csv_scan import Scan, scan_start
from engine.sources.interpretation import Interpretation, Note

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MISSING_WORDS = frozenset(
    {"na", "n/a", "#n/a", "nan", "null", "none", "nil", "\\n", "?", "-", "--", ".", "..", "missing", "not available"}
)
"""Words that mean missing in a column of numbers, in lower case."""
_HEAD = 256 << 10
_COMMENTS = ("#", "%", "//")
_MOST_TITLES = 20
_NUMBER = re.compile(NUMBER)
_NUMBER_LIKE = re.compile(r"^[+-]?[\d.,' \u00a0\u202f]*\d[\d.,]*%?([eE][+-]?\d+)?$")
_DATE_LIKE = re.compile(r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([T ].*)?$")
_SEPARATOR_LINE = re.compile(rb"^sep=(.)\r?\n", re.IGNORECASE)


@dataclass(frozen=True)
class Layout:
    """Where the table begins: the leading lines that are no CSV at all, and how many."""

    skip_bytes: int
    skip_lines: int


def read_head(path: Path) -> bytes:
    """The first part of a UTF-8 file, cut after a line break where the file goes on."""
    with path.open("rb") as file:
        text = file.read(_HEAD)
        # Thousands of columns make long rows; a guess from fewer than some twenty rows would be a poor one.
        while len(text) % _HEAD == 0 and text.count(b"\n") < 20 and len(text) < 32 * _HEAD:
            more = file.read(_HEAD)
            if not more:
                return text
            text += more
        if not file.read(1):
            return text
    cut = max(text.rfind(b"\n"), text.rfind(b"\r"))
    return text[: cut + 1] if cut >= 0 else text


def leading_lines(head: bytes, *, comment_prefix: str | None, before_row: int | None = None) -> Layout:
    """Skip an Excel ``sep=;`` line and the comment lines at the start (those above ``before_row`` only)."""
    offset = lines = 0
    separator = _SEPARATOR_LINE.match(head)
    if separator:
        offset, lines = separator.end(), 1
    prefix = comment_prefix.encode() if comment_prefix else None
    while prefix and head.startswith(prefix, offset) and (before_row is None or lines + 1 < before_row):
        offset = _line_end(head, offset)
        lines += 1
    return Layout(offset, lines)


def sniff(head: bytes) -> tuple[Interpretation, list[Note]]:
    """Guess the dialect of a file that begins with ``head``; encoding and compression are left at their defaults.

    Raises:
        DataError: no delimiter gives cells that can be told apart.
    """
    separator = _SEPARATOR_LINE.match(head)
    prefix = next((mark for mark in _COMMENTS if _first_line_starts(head, mark, separator)), None)
    layout = leading_lines(head, comment_prefix=prefix)
    body = head[layout.skip_bytes :]
    if not body.strip():
        raise DataError("the file holds comments only", remedy="Export it again with its rows.")
    delimiter, scan = _delimiter(body, separator.group(1).decode("latin-1") if separator else None)
    quote = '"'
    if b'"' not in body and _single_quoted(body, delimiter):
        quote = "'"
        scan = scan_start(body, delimiter=delimiter, quote=quote)
    notes: list[Note] = []
    records = _records(body, scan, delimiter, quote)
    first, titles = _first_row(records, _modal(scan.cells[~scan.blank]))
    header_row: int | None = layout.skip_lines + first + 1
    if not looks_like_header(records[first], [cells for position, cells in records.items() if position > first]):
        header_row = None
        if prefix and layout.skip_lines and not titles:
            last = _last_comment(head, layout, delimiter, quote)
            if len(last) == len(records[first]) > 1:
                header_row = layout.skip_lines
        if header_row is None:
            notes.append(Note("The first row looks like data, so the file has no header: columns are numbered.", row=1))
    if prefix and layout.skip_lines and header_row != layout.skip_lines:
        notes.append(Note(f"{layout.skip_lines} lines above the header that begin with {prefix} were left out.", row=1))
    elif separator:
        notes.append(Note("Row 1 only names the delimiter and was left out.", row=1))
    if titles:
        notes.append(Note(f"{titles} rows above the header hold a title or nothing and were left out.", row=1))
    if delimiter != ",":
        notes.append(Note(f"Cells are separated by {DELIMITERS.get(delimiter, repr(delimiter))}."))
    if quote != '"':
        notes.append(Note("Cells are quoted with apostrophes."))
    return (
        Interpretation(delimiter=delimiter, quote=quote, header_row=header_row, comment_prefix=prefix),
        notes,
    )


def read_record(text: bytes, delimiter: str, quote: str) -> list[str]:
    """The cells of one record."""
    source = io.StringIO(text.decode("utf-8", errors="replace"), newline="")
    reader = csv.reader(source, delimiter=delimiter, quotechar=quote, skipinitialspace=delimiter != " ")
    try:
        return next(reader, [])
    except csv.Error as error:
        raise DataError("a row of the file's beginning cannot be read", remedy="Check its quotes.") from error


def looks_like_header(first: list[str], rows: list[list[str]]) -> bool:
    """Whether ``first`` names the columns of ``rows``.

    A name above numbers proves a header, a number above numbers that there is none. Among words alone, a first row
    whose cells occur again below is data.
    """
    cells = [cell.strip() for cell in first]
    if not rows:
        return not any(_is_value(cell) for cell in cells)
    # The same names again are two files joined; data that repeats a whole row repeats its cells elsewhere as well.
    rows = [row for row in rows if [cell.strip() for cell in row] != cells] or rows
    named = data = repeated = 0
    for position, cell in enumerate(cells):
        below = [row[position].strip() for row in rows if position < len(row)]
        below = [value for value in below if value and value.lower() not in MISSING_WORDS]
        if not cell or cell.lower() in MISSING_WORDS or not below:
            continue
        values = sum(_is_value(value) for value in below)
        if values >= 0.8 * len(below):
            data += _is_value(cell)
            named += cell[0].isalpha() or cell[0] == "_"
        elif cell in below:
            repeated += 1
    if named:
        return True
    return not data and repeated < max(1, 0.5 * sum(bool(cell) for cell in cells))


def _is_value(cell: str) -> bool:
    return bool(_NUMBER.match(cell) or _NUMBER_LIKE.match(cell) or _DATE_LIKE.match(cell))


def _first_line_starts(head: bytes, mark: str, separator: re.Match[bytes] | None) -> bool:
    return head.startswith(mark.encode(), separator.end() if separator else 0)


def _line_end(text: bytes, offset: int) -> int:
    places = [place for mark in (b"\n", b"\r") if (place := text.find(mark, offset)) >= 0]
    if not places:
        return len(text)
    end = min(places) + 1
    return end + 1 if text[end - 1 : end + 1] == b"\r\n" else end


def _delimiter(body: bytes, named: str | None) -> tuple[str, Scan]:
    """The delimiter that cuts most records into the same number of cells, at least two; else a single column."""
    best: tuple[float, int] = (0.0, 0)
    chosen: tuple[str, Scan] | None = None
    fault: DataError | None = None
    for delimiter in [named] if named else DELIMITERS:
        try:
            scan = scan_start(body, delimiter=delimiter, quote='"')
        except DataError as error:
            fault = fault or error
            continue
        cells = scan.cells[~scan.blank]
        modal = _modal(cells)
        if modal < 2 and not named:
            # One column, unless a better one is found; a comma is the least surprising name for "no delimiter".
            if chosen is None:
                chosen = (delimiter, scan)
            continue
        score = (float((cells == modal).mean()) - 0.1 * float(cells[0] != modal), modal)
        if score > best or chosen is None:
            best, chosen = score, (delimiter, scan)
    if chosen is None or (fault is not None and best == (0.0, 0)):
        raise fault if fault is not None else DataError("the file holds no complete row")
    return chosen


def _modal(cells: np.ndarray) -> int:
    return Counter(cells.tolist()).most_common(1)[0][0] if len(cells) else 1


def _single_quoted(body: bytes, delimiter: str) -> bool:
    lines = [line for line in body.decode("utf-8", errors="replace").splitlines() if line][:200]
    mark = re.escape(delimiter)
    cell = re.compile(rf"(?:^|(?<={mark}))'[^']*'(?={mark}|$)")
    return bool(lines) and sum(bool(cell.search(line)) for line in lines) > 0.5 * len(lines)


def _records(body: bytes, scan: Scan, delimiter: str, quote: str) -> dict[int, list[str]]:
    """Cells of the first records that are not blank, by record number."""
    numbers = np.flatnonzero(~scan.blank)[:300].tolist()
    return {
        number: read_record(body[int(scan.starts[number]) : int(scan.ends[number])], delimiter, quote)
        for number in numbers
    }


def _first_row(records: dict[int, list[str]], modal: int) -> tuple[int, int]:
    """Record number of the first row of the table, and how many title rows lie above it."""
    numbers = list(records)
    if not numbers:
        raise DataError("the file holds no complete row", remedy="Export it again as CSV.")
    for titles, number in enumerate(numbers[:_MOST_TITLES]):
        cells = records[number]
        filled = [cell for cell in cells if cell.strip()]
        below = records[numbers[titles + 1]] if titles + 1 < len(numbers) else []
        is_title = (
            modal > 1
            and len(filled) <= 1
            and sum(bool(cell.strip()) for cell in below) > 1
            and (len(cells) != modal or (modal > 2 and all(cell.strip() for cell in below)))
        )
        if not is_title:
            return number, titles
    return numbers[0], 0


def _last_comment(head: bytes, layout: Layout, delimiter: str, quote: str) -> list[str]:
    lines = head[: layout.skip_bytes].rstrip(b"\r\n")
    start = max(lines.rfind(b"\n"), lines.rfind(b"\r")) + 1
    return read_record(lines[start:], delimiter, quote)
