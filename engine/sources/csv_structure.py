"""Rows and columns of a scanned file: which records are data, which are left out, what the columns are called."""

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from engine.core.errors import DataError
from engine.sources.csv_scan import Scan, scan_file
from engine.sources.csv_sniff import DELIMITERS, Layout, read_record
from engine.sources.interpretation import Interpretation, Note

TOTAL = re.compile(
    r"^\W*(grand |sub|overall )?(totals?|sum|summe|gesamt|insgesamt|total général|totaal|totale|average|mean)\b",
    re.IGNORECASE,
)
MOST_COLUMNS = 10_000
_FOOTERS = 3
_LONGEST_NAME = 80
_MOST_WORDS = 10
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f<>{}`\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b]")


@dataclass
class Structure:
    """Where the data of a file lies."""

    names: list[str]
    rows: np.ndarray
    """int64 ``(n_rows,)``: the row of the file that each data record is, counted from 1."""
    start: int
    """Byte offset at which the first data record begins."""
    cuts: np.ndarray
    """int64 ``(n_cuts, 2)``: byte ranges after ``start`` that belong to no cell, ascending."""
    longest: int
    """Bytes of the longest record."""
    dropped: list[int] = field(default_factory=list)
    """Rows left out at the end."""
    notes: list[Note] = field(default_factory=list)


def find_structure(path: Path, given: Interpretation, layout: Layout, *, guess: bool) -> Structure:
    """Scan the whole file and decide about every record.

    Raises:
        DataError: the cells of a row cannot be assigned to columns, or there are no rows.
    """
    if layout.skip_bytes >= path.stat().st_size:
        raise DataError("the file holds comments only", remedy="Export it again with its rows.")
    scan = scan_file(path, delimiter=given.delimiter, quote=given.quote, skip=layout.skip_bytes)
    return _Finder(path, scan, given, layout.skip_lines, guess=guess).find()


class _Finder:
    def __init__(self, path: Path, scan: Scan, given: Interpretation, skipped: int, *, guess: bool) -> None:
        self._text = np.memmap(path, dtype=np.uint8, mode="r")
        self._scan, self._given, self._skipped, self._guess = scan, given, skipped, guess
        self._notes: list[Note] = []
        self._cuts: list[np.ndarray] = [np.array(scan.padding, dtype=np.int64).reshape(-1, 2)]
        self._dropped: list[int] = []

    def find(self) -> Structure:
        scan = self._scan
        header, names = self._header()
        data = ~scan.blank
        data[: header + 1] = False
        self._leave_out_comments(data, len(names))
        for row in self._given.dropped_rows:
            record = row - 1 - self._skipped
            if 0 <= record < len(data) and data[record]:
                self._drop(data, record)
        names = self._check_lengths(data, names)
        records = np.flatnonzero(data)
        if not len(records):
            raise DataError("the file has column names and no rows", remedy="Export it again with its rows.")
        if scan.stray_quote is not None:
            self._notes.append(
                Note(
                    f"A quote inside a cell without quotes (first near line {scan.stray_quote + self._skipped + 1}) "
                    "was kept as text.",
                    row=scan.stray_quote + self._skipped + 1,
                )
            )
        start = int(scan.ends[header]) if header >= 0 else int(scan.starts[records[0]])
        cuts = np.concatenate(self._cuts)
        cuts = cuts[cuts[:, 0] >= start]
        return Structure(
            names=names,
            rows=records + 1 + self._skipped,
            start=start,
            cuts=cuts[np.argsort(cuts[:, 0], kind="stable")],
            longest=int((scan.ends - scan.starts).max()),
            dropped=sorted(self._dropped),
            notes=self._notes,
        )

    def _header(self) -> tuple[int, list[str]]:
        """Record number of the header (-1 without one) and the column names."""
        scan = self._scan
        if self._given.header_row is None:
            filled = np.flatnonzero(~scan.blank)
            if not len(filled):
                raise DataError("the file has no rows", remedy="Export it again with its rows.")
            width = int(scan.cells[filled[0]])
            self._check_width(width)
            return -1, [f"column_{position + 1}" for position in range(width)]
        record = self._given.header_row - 1 - self._skipped
        if not 0 <= record < len(scan.cells) or scan.blank[record]:
            raise DataError(
                "the header row is empty or not there",
                where=f"row {self._given.header_row}",
                remedy="Choose the row that holds the column names.",
            )
        self._check_width(int(scan.cells[record]))
        cells = read_record(self._record(record), self._given.delimiter, self._given.quote)
        if len(cells) != int(scan.cells[record]):
            raise DataError("the cells of the header cannot be told apart", where=f"row {self._given.header_row}")
        if self._given.comment_prefix and cells[0].startswith(self._given.comment_prefix):
            cells[0] = cells[0].removeprefix(self._given.comment_prefix)
        names, notes = clean_names(cells, row=self._given.header_row)
        self._notes += notes
        return record, names

    def _check_width(self, width: int) -> None:
        if width > MOST_COLUMNS:
            raise DataError(
                f"the file has {width} columns, more than {MOST_COLUMNS}",
                remedy="Keep the columns that are needed; a matrix may have to be transposed.",
            )

    def _leave_out_comments(self, data: np.ndarray, width: int) -> None:
        prefix = self._given.comment_prefix
        odd = np.flatnonzero(data & (self._scan.cells != width))
        if prefix is None or not len(odd):
            return
        mark = prefix.encode()
        comments = [record for record in odd.tolist() if self._record(record).startswith(mark)]
        for record in comments:
            self._leave_out(data, record)
        if comments:
            row = comments[0] + 1 + self._skipped
            self._notes.append(
                Note(f"{len(comments)} lines that begin with {prefix} were left out (first in row {row}).", row=row)
            )

    def _check_lengths(self, data: np.ndarray, names: list[str]) -> list[str]:
        scan, width = self._scan, len(names)
        odd = np.flatnonzero(data & (scan.cells != width))
        if not len(odd):
            return names
        for record in odd[(scan.cells[odd] == 1)].tolist():
            # A line of spaces is a blank line.
            if not self._record(record).strip():
                self._leave_out(data, record)
        odd = np.flatnonzero(data & (scan.cells != width))
        self._cut_empty_ends(odd[scan.cells[odd] > width], width, int(data.sum()))
        odd = np.flatnonzero(data & (scan.cells != width))
        odd = odd[~self._cut_records[odd]] if len(odd) else odd
        if self._guess and len(odd):
            odd = self._drop_footers(data, odd)
        if len(odd):
            self._refuse(odd, width, int(data.sum()))
        return names

    def _cut_empty_ends(self, longer: np.ndarray, width: int, total: int) -> None:
        """Cut cells beyond the header that hold nothing."""
        scan = self._scan
        self._cut_records = np.zeros(len(scan.cells), dtype=bool)
        if not len(longer):
            return
        ends = scan.ends[longer].copy()
        for mark in (10, 13):
            ends -= (self._text[ends - 1] == mark) & (ends > scan.starts[longer])
        extra = (scan.cells[longer] - width).astype(np.int64)
        empty = np.ones(len(longer), dtype=bool)
        for back in range(1, int(min(extra.max(), 256)) + 1):
            needed = extra >= back
            empty &= ~needed | (self._text[np.maximum(ends - back, 0)] == ord(self._given.delimiter))
        empty &= extra <= 256
        if not empty.any():
            return
        self._cut_records[longer[empty]] = True
        self._cuts.append(np.stack([ends[empty] - extra[empty], ends[empty]], axis=1))
        first = int(longer[empty][0]) + 1 + self._skipped
        count = int(empty.sum())
        if count == total:
            text = "Every row ends with a delimiter: the empty cell after it was left out."
        else:
            text = f"{count} rows have empty cells beyond the last column (first row {first}); these were left out."
        self._notes.append(Note(text, row=first))

    def _drop_footers(self, data: np.ndarray, odd: np.ndarray) -> np.ndarray:
        """Leave out up to three last records that are a total or a remark."""
        left = set(odd.tolist())
        for record in np.flatnonzero(data)[::-1][:_FOOTERS].tolist():
            if record not in left:
                break
            cells = [
                cell.strip()
                for cell in read_record(self._record(record), self._given.delimiter, self._given.quote)
                if cell.strip()
            ]
            is_total = bool(cells) and bool(TOTAL.match(cells[0]))
            if not (is_total or len(cells) <= 1):
                break
            row = record + 1 + self._skipped
            what = "looks like a total" if is_total else "looks like a remark and not like data"
            self._drop(data, record)
            left.discard(record)
            self._notes.append(Note(f"Row {row} {what} and was left out.", row=row))
        return np.array(sorted(left), dtype=np.int64)

    def _refuse(self, odd: np.ndarray, width: int, total: int) -> None:
        cells = self._scan.cells[odd]
        first = int(odd[0])
        delimiter = DELIMITERS.get(self._given.delimiter, self._given.delimiter)
        where = f"row {first + 1 + self._skipped}, column {min(int(cells[0]), width) + 1}"
        if len(odd) == total and (cells == width + 1).all():
            raise DataError(
                f"every row has one cell more than the header names ({width + 1} against {width})",
                where=where,
                remedy="The header lacks the name of a column, often the first one: add it.",
            )
        longer = bool(cells[0] > width)
        remedy = (
            f"Put quotes around cells that contain a {delimiter}, or choose another delimiter."
            if longer
            else f"Fill the row with {delimiter}s, or remove it if the file was cut off there."
        )
        rows = "1 row has" if len(odd) == 1 else f"{len(odd)} rows have"
        raise DataError(
            f"{rows} another number of cells than the header, the first of them {int(cells[0])} and not {width}",
            where=where,
            remedy=remedy,
        )

    def _drop(self, data: np.ndarray, record: int) -> None:
        self._leave_out(data, record)
        self._dropped.append(record + 1 + self._skipped)

    def _leave_out(self, data: np.ndarray, record: int) -> None:
        data[record] = False
        self._cuts.append(np.array([[self._scan.starts[record], self._scan.ends[record]]], dtype=np.int64))

    def _record(self, record: int) -> bytes:
        return bytes(self._text[int(self._scan.starts[record]) : int(self._scan.ends[record])])


def clean_names(cells: list[str], *, row: int) -> tuple[list[str], list[Note]]:
    """Column names that are present, distinct and safe to show, and notes about those that were changed.

    A name that holds markup, control characters or a whole sentence is replaced by its number: names are shown in
    pages and named to the language model, where text of a stranger must not speak.
    """
    names: list[str] = []
    blank, unsafe, doubled = [], [], []
    taken: set[str] = set()
    originals = {cell.strip() for cell in cells}
    for position, cell in enumerate(cells):
        name = re.sub(r"\s+", " ", cell).strip()
        if not name:
            blank.append(position + 1)
            name = f"column_{position + 1}"
        elif _UNSAFE.search(name) or len(name) > _LONGEST_NAME or len(name.split()) > _MOST_WORDS:
            unsafe.append(position + 1)
            name = f"column_{position + 1}"
        if name in taken:
            doubled.append(position + 1)
            number = 2
            while f"{name}_{number}" in taken or f"{name}_{number}" in originals:
                number += 1
            name = f"{name}_{number}"
        taken.add(name)
        names.append(name)
    notes = []
    for places, text in (
        (blank, "no name; numbered"),
        (unsafe, "a name that is a sentence, very long or holds markup; numbered"),
        (doubled, "the name of an earlier column; a number was added"),
    ):
        if places:
            shown = ", ".join(map(str, places[:5])) + (f" and {len(places) - 5} more" if len(places) > 5 else "")
            which = "Column" if len(places) == 1 else "Columns"
            verb = "has" if len(places) == 1 else "have"
            notes.append(Note(f"{which} {shown} {verb} {text}.", row=row, column=places[0]))
    return names, notes
