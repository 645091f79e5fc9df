"""The structure of a CSV file without its contents: where each record ends and how many cells it has.

A library reader guesses at ragged rows and stray quotes; this scan finds them first and says where they are. Blocks of
bytes are examined with NumPy: quotes that open and close toggle between inside and outside, and delimiters and line
breaks outside count. Quotes follow RFC 4180, except that a quote inside an unquoted cell is an
ordinary character.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.core.errors import DataError

BLOCK = 8 << 20
LONGEST_RECORD = 8 << 20
_LF, _CR, _SPACE = 10, 13, 32


@dataclass(frozen=True)
class Scan:
    """Records of a text, blank lines included."""

    starts: np.ndarray
    """int64 ``(n_records,)``: byte offset of each record."""
    ends: np.ndarray
    """int64 ``(n_records,)``: byte offset after each record's line break."""
    cells: np.ndarray
    """int32 ``(n_records,)``: cells of each record; a blank line has 1."""
    blank: np.ndarray
    """bool ``(n_records,)``: the record is an empty line."""
    stray_quote: int | None
    """Line (0-based) of the first quote inside an unquoted cell."""
    padding: tuple[tuple[int, int], ...]
    """Byte ranges of spaces between a delimiter and a quote, which belong to no cell."""


def scan_file(path: Path, *, delimiter: str, quote: str, skip: int = 0) -> Scan:
    """Scan a UTF-8 file from byte ``skip`` on; offsets count from the start of the file.

    Raises:
        DataError: a quote is never closed, text follows a closing quote, or a record is too long.
    """
    return _Scanner(np.memmap(path, dtype=np.uint8, mode="r"), delimiter, quote, skip).run(whole=True)


def scan_start(text: bytes, *, delimiter: str, quote: str) -> Scan:
    """Scan the complete records at the start of a text; what follows the last of them is ignored.

    Raises:
        DataError: text follows a closing quote.
    """
    return _Scanner(np.frombuffer(text, dtype=np.uint8), delimiter, quote, 0).run(whole=False)


class _Scanner:
    def __init__(self, text: np.ndarray, delimiter: str, quote: str, skip: int) -> None:
        self._bytes = text
        self._delimiter, self._quote = ord(delimiter), ord(quote)
        self._inside = False
        self._opened_in = 0
        self._records = 0
        self._skip = self._last_end = skip
        self._pending_cells = 0
        self._stray: int | None = None
        self._skip_until = 0
        self._padding: list[tuple[int, int]] = []

    def run(self, *, whole: bool) -> Scan:
        ends, cells = [np.zeros(0, np.int64)], [np.zeros(0, np.int32)]
        for start in range(self._skip, len(self._bytes), BLOCK):
            block_ends, block_cells = self._block(start, min(start + BLOCK, len(self._bytes)))
            ends.append(block_ends)
            cells.append(block_cells.astype(np.int32))
        if self._inside and whole:
            raise DataError(
                "a quote is opened and never closed",
                where=f"row {self._opened_in + 1}",
                remedy="Close the quote, or double the quotes inside the cell.",
            )
        if self._last_end < len(self._bytes) and not self._inside:
            ends.append(np.array([len(self._bytes)], np.int64))
            cells.append(np.array([self._pending_cells + 1], np.int32))
        all_ends, all_cells = np.concatenate(ends), np.concatenate(cells)
        starts = np.concatenate([[self._skip], all_ends[:-1]])[: len(all_ends)].astype(np.int64)
        blank = (all_cells == 1) & (all_ends - starts <= 2)
        for record in np.flatnonzero(blank):
            blank[record] = bool(np.isin(self._bytes[starts[record] : all_ends[record]], (_LF, _CR)).all())
        return Scan(starts, all_ends, all_cells, blank, self._stray, tuple(self._padding))

    def _block(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        part = self._bytes[start:stop]
        breaks = part == _LF
        returns = np.flatnonzero(part == _CR)
        if len(returns):
            # A carriage return alone ends a record too; before a line feed it belongs to that break.
            following = self._bytes[np.minimum(start + returns + 1, len(self._bytes) - 1)]
            alone = (following != _LF) | (start + returns + 1 >= len(self._bytes))
            breaks = breaks.copy()
            breaks[returns[alone]] = True
        newlines = np.flatnonzero(breaks) + start
        delimiters = np.flatnonzero(part == self._delimiter) + start
        quotes = np.flatnonzero(part == self._quote) + start
        quotes = quotes[quotes >= self._skip_until]
        was_inside = self._inside
        toggles = self._toggles(quotes, newlines)
        if len(toggles) or was_inside:
            newlines = newlines[(np.searchsorted(toggles, newlines) + was_inside) % 2 == 0]
            delimiters = delimiters[(np.searchsorted(toggles, delimiters) + was_inside) % 2 == 0]
        seen = np.searchsorted(delimiters, newlines)
        cells = np.diff(seen, prepend=0) + 1
        if len(cells):
            cells[0] += self._pending_cells
            self._pending_cells = len(delimiters) - int(seen[-1])
        else:
            self._pending_cells += len(delimiters)
        ends = newlines + 1
        self._check_length(ends, stop)
        if self._inside and len(toggles):
            self._opened_in = self._records + int(np.searchsorted(newlines, toggles[-1]))
        self._records += len(ends)
        if len(ends):
            self._last_end = int(ends[-1])
        return ends, cells

    def _check_length(self, ends: np.ndarray, stop: int) -> None:
        lengths = np.diff(ends, prepend=self._last_end)
        last = stop - (int(ends[-1]) if len(ends) else self._last_end)
        long = np.flatnonzero(lengths > LONGEST_RECORD)
        if len(long) or last > LONGEST_RECORD:
            row = self._records + (int(long[0]) if len(long) else len(ends)) + 1
            raise DataError(
                f"a row is longer than {LONGEST_RECORD >> 20} MB",
                where=f"row {row}",
                remedy="A quote may be open there; close it, or remove the long text.",
            )

    def _toggles(self, quotes: np.ndarray, newlines: np.ndarray) -> np.ndarray:
        """Positions of the quotes that open or close a cell, and the state after the block."""
        if not len(quotes):
            return quotes
        before = np.where(quotes > 0, self._bytes[quotes - 1], _LF)
        last = len(self._bytes) - 1
        after = np.where(quotes < last, self._bytes[np.minimum(quotes + 1, last)], _LF)
        opens = (np.arange(len(quotes)) % 2 == 0) ^ self._inside
        edge_before = (before == self._delimiter) | (before == _LF) | (before == _CR)
        edge_after = (after == self._delimiter) | (after == _LF) | (after == _CR)
        # A doubled quote closes and opens again: by parity it needs a quote on the other side.
        reopened = np.concatenate([[self._reopens(quotes[0])], np.diff(quotes) == 1])
        closed_again = np.concatenate([np.diff(quotes) == 1, [after[-1] == self._quote]])
        regular = np.where(opens, edge_before | reopened, edge_after | closed_again)
        if regular.all():
            self._inside ^= bool(len(quotes) % 2)
            return quotes
        return self._resolve(quotes, newlines)

    def _reopens(self, position: int) -> bool:
        return bool(position > 0 and not self._inside and self._bytes[position - 1] == self._quote)

    def _resolve(self, quotes: np.ndarray, newlines: np.ndarray) -> np.ndarray:
        """Quote by quote, for a block whose quotes do not simply alternate."""
        toggles: list[int] = []
        inside, end = self._inside, len(self._bytes)
        skip = -1
        # A block may begin with the second half of a doubled quote, where parity says "outside".
        reopening = not inside and self._reopens(quotes[0])
        for position in quotes.tolist():
            if position == skip:
                continue
            if not inside:
                if reopening or self._starts_cell(position, toggles[-1] if toggles else -1):
                    toggles.append(position)
                    inside = True
                elif self._stray is None:
                    self._stray = self._records + int(np.searchsorted(newlines, position))
                reopening = False
                continue
            following = self._bytes[position + 1] if position + 1 < end else _LF
            if following == self._quote:
                skip = position + 1
                if position == int(quotes[-1]):
                    # The pair's other half lies in the next block.
                    self._skip_until = position + 2
            elif self._ends_cell(position):
                toggles.append(position)
                inside = False
            else:
                line = self._records + int(np.searchsorted(newlines, position)) + 1
                raise DataError(
                    "text follows a closing quote, so the cells of the row cannot be told apart",
                    where=f"near line {line}",
                    remedy="Double the quotes inside a quoted cell, or remove the stray quote.",
                )
        self._inside = inside
        return np.array(toggles, dtype=np.int64)

    def _starts_cell(self, position: int, previous: int) -> bool:
        place = position - 1
        while place > previous and self._bytes[place] == _SPACE and self._delimiter != _SPACE:
            place -= 1
        edge = place < 0 or self._bytes[place] in (self._delimiter, _LF, _CR)
        if edge and place < position - 1:
            self._padding.append((place + 1, position))
        return bool(edge)

    def _ends_cell(self, position: int) -> bool:
        place, end = position + 1, len(self._bytes)
        while place < end and self._bytes[place] == _SPACE and self._delimiter != _SPACE:
            place += 1
        edge = place >= end or self._bytes[place] in (self._delimiter, _LF, _CR)
        if edge and place > position + 1:
            self._padding.append((position + 1, place))
        return bool(edge)
