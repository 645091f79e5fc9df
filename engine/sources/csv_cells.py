"""What the cells of each column mean: numbers, dates, codes, words; every change of a cell leaves a note."""

import re
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from engine.schema.text_values import TextKind, decide, every, pc, some
from engine.sources.csv_notes import SENTENCES
from engine.sources.csv_numbers import (
    DateOrder,
    Dates,
    NumberMarks,
    looks_like_dates,
    number_marks,
    rewrite_dates,
    rewrite_numbers,
)
from engine.sources.csv_sniff import MISSING_WORDS
from engine.sources.interpretation import Interpretation, Note, columns_text

_EDGE_SPACE = r"^\s|\s$"
_FORMULA = r"^[=@]|^[+-][^\d.,]|^\x{0009}"
_MARKUP = r"<\s*/?\s*[A-Za-z!][^>]*>"
_LONG_CELL = 10_000
_FLOAT_ID = r"^\d+\.0$"
_ID_NAME = re.compile(r"(^|[_\s])(id|nbr|no|number|mrn|key|code)$|id$", re.IGNORECASE)
_MOST_BAD_DATES = 0.05
_SAMPLE = 50_000


@dataclass
class TextColumn:
    """A column as ``values`` (may hold None, seldom repeated) and an index into them for each row."""

    indices: pa.Array
    values: pa.Array

    @classmethod
    def of(cls, cells: pa.ChunkedArray) -> "TextColumn":
        """Encode a column of text."""
        start = cells.slice(0, _SAMPLE)
        if len(cells) > _SAMPLE and pc.count_distinct(start).as_py() > _SAMPLE // 2:
            # A table of millions of different values costs more memory than it saves: each cell stands for itself.
            values = cells.combine_chunks()
            every_row = pa.array(np.arange(len(values), dtype=np.int32))
            return cls(pc.if_else(values.is_valid(), every_row, pa.scalar(None, pa.int32())), values)
        encoded = pc.dictionary_encode(cells.combine_chunks())
        if isinstance(encoded, pa.ChunkedArray):
            encoded = encoded.combine_chunks()
        indices = encoded.indices
        if len(encoded.dictionary) <= 127:
            # Most clinical columns hold few values: one byte a row keeps a wide file small.
            indices = indices.cast(pa.int8())
        pa.default_memory_pool().release_unused()
        return cls(indices, encoded.dictionary)

    def counts(self) -> np.ndarray:
        """Rows of each distinct value."""
        present = self.indices.drop_null().to_numpy()
        return np.bincount(present, minlength=len(self.values))

    def first_row(self, mask: pa.Array) -> int:
        """Position of the first row whose value is marked in ``mask`` (bool over the distinct values)."""
        marked = pc.index(pc.fill_null(pc.take(mask, self.indices), False), True)
        return int(marked.as_py())

    def present(self) -> pa.Array:
        """The distinct values that are not missing."""
        return self.values.drop_null()

    def cells(self) -> pa.Array:
        """The column again, cell by cell."""
        return pc.take(self.values, self.indices)


class Cells:
    """Interprets the columns of one table, in two passes: the decimal mark is a matter of the whole file."""

    def __init__(self, names: list[str], rows: np.ndarray, interpretation: Interpretation, *, guess: bool) -> None:
        self._names, self._rows, self._guess = names, rows, guess
        self._given = interpretation
        self._found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
        """Finding → (column, rows concerned, first row position)."""
        self._numeric_missing: dict[str, None] = dict.fromkeys(interpretation.numeric_missing_tokens)
        self._thousands = interpretation.thousands_mark
        self._order: DateOrder = interpretation.date_order
        self._decimal = interpretation.decimal_mark

    def interpret(self, columns: list[TextColumn]) -> tuple[Interpretation, list[Note]]:
        """Rewrite ``columns`` in place; returns the interpretation completed with what was found, and the notes."""
        for position, column in enumerate(columns):
            self._clean(position, column)
        cores = [self._without_words(column) for column in columns]
        marks = [number_marks(core) for core in cores]
        if self._guess:
            self._decimal = self._decide_decimal(marks)
            self._order = self._decide_order(cores)
        for position, column in enumerate(columns):
            core, cores[position] = cores[position], None
            self._read(position, column, core, marks[position])
        found = self._given.model_copy(
            update={
                "decimal_mark": self._decimal,
                "thousands_mark": self._thousands,
                "date_order": self._order,
                "numeric_missing_tokens": tuple(self._numeric_missing),
            }
        )
        return (found if self._guess else self._given), self._notes()

    def _clean(self, position: int, column: TextColumn) -> None:
        values = column.values
        if not len(values):
            return
        if self._given.trim_spaces and some(values, _EDGE_SPACE):
            self._note("spaces", position, column, pc.match_substring_regex(values, _EDGE_SPACE))
            trimmed = pc.utf8_trim_whitespace(values)
            values = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
        if self._given.missing_tokens:
            mask = pc.is_in(values, value_set=pa.array(self._given.missing_tokens))
            if pc.any(mask).as_py():
                self._note("missing", position, column, mask)
                values = pc.if_else(mask, pa.scalar(None, pa.string()), values)
        column.values = values

    def _words(self, values: pa.Array) -> pa.Array:
        """Mask of the words that would mean missing in a column of numbers."""
        if self._guess:
            return pc.is_in(pc.utf8_lower(values), value_set=pa.array(sorted(MISSING_WORDS)))
        return pc.is_in(values, value_set=pa.array(list(self._given.numeric_missing_tokens), type=pa.string()))

    def _without_words(self, column: TextColumn) -> pa.Array:
        values = column.present()
        words = self._words(values)
        return values.filter(pc.invert(words)) if pc.any(words).as_py() else values

    def _decide_decimal(self, marks: list[NumberMarks]) -> str:
        comma, point = sum(mark.comma for mark in marks), sum(mark.point for mark in marks)
        if comma or point:
            return "," if comma > point else "."
        return "," if any(mark.unsure == "," for mark in marks) and self._given.delimiter == ";" else "."

    def _decide_order(self, cores: list[pa.Array]) -> DateOrder:
        """Day or month first, as the columns that tell show; otherwise as is usual beside the file's other marks."""
        order: DateOrder = "year first"
        for core in cores:
            if not looks_like_dates(core):
                continue
            dates = rewrite_dates(core, prefer=None)
            if dates is not None and dates.order != "year first":
                if not dates.unsure:
                    return dates.order
                european = self._decimal == "," or self._given.delimiter == ";"
                order = "day first" if european else "month first"
        return order

    def _read(self, position: int, column: TextColumn, core: pa.Array, mark: NumberMarks) -> None:
        present = column.present()
        if not len(present):
            self._found["empty"].append((position, len(column.indices), 0))
            return
        self._look_at(position, column)
        worded = len(core) < len(present)
        kind = "text"
        if len(core):
            kind = self._numbers(position, column, core, mark) or self._dates(position, column, core) or "text"
        if kind in ("number", "date"):
            if worded:
                self._drop_words(position, column)
            return
        if worded:
            self._note("words", position, column, pc.fill_null(self._words(column.values), False))
        if kind == "text":
            self._look_for_numbers(position, column)

    def _look_for_numbers(self, position: int, column: TextColumn) -> None:
        shaped = pc.fill_null(pc.match_substring_regex(column.values, r"^[+-]?\d+([.,]\d+)?$"), False)
        counts = column.counts()
        numeric = int(counts[shaped.to_numpy(zero_copy_only=False)].sum())
        total = int(counts[column.values.is_valid().to_numpy(zero_copy_only=False)].sum())
        if 0.8 * total < numeric < total:
            others = pc.and_(pc.invert(shaped), column.values.is_valid())
            self._note("mixed", position, column, others)

    def _numbers(self, position: int, column: TextColumn, core: pa.Array, mark: NumberMarks) -> str:
        # A file may mix both; what a column itself shows goes before the file.
        decimal = "," if mark.comma else "." if mark.point else self._decimal
        result = rewrite_numbers(core, decimal=decimal, thousands=None if self._guess else self._thousands)
        if result is None:
            return ""
        plain, thousands = result
        verdict = decide(plain)
        if verdict.kind is TextKind.CODE:
            self._found[f"code: {verdict.reason}"].append((position, 0, 0))
            return "code"
        if decimal == "," and plain is not core:
            self._found["decimal comma"].append((position, 0, 0))
        if thousands:
            self._thousands = self._thousands or thousands
            self._found["unsure thousands" if mark.unsure else "thousands"].append((position, 0, 0))
        elif mark.unsure and decimal == ",":
            self._found["unsure comma"].append((position, 0, 0))
        if _ID_NAME.search(self._names[position]) and every(plain, _FLOAT_ID):
            plain = pc.replace_substring_regex(plain, r"\.0$", "")
            self._found["float ids"].append((position, 0, 0))
        self._replace(column, core, plain)
        return "number"

    def _dates(self, position: int, column: TextColumn, core: pa.Array) -> str:
        if not looks_like_dates(core):
            return ""
        dates = rewrite_dates(core, prefer=self._order)
        if dates is None:
            self._found["odd dates"].append((position, 0, 0))
            return ""
        original = column.values
        bad, far = _spread(original, core, dates.bad), _spread(original, core, dates.far)
        counts = column.counts()
        n_bad = int(counts[bad.to_numpy(zero_copy_only=False)].sum())
        n_far = int(counts[far.to_numpy(zero_copy_only=False)].sum())
        if n_bad > _MOST_BAD_DATES * len(column.indices) or n_bad + n_far == int(counts.sum()):
            self._note("not dates", position, column, pc.or_(bad, far))
            return ""
        for finding, mask, number in (("bad dates", bad, n_bad), ("far dates", far, n_far)):
            if number:
                self._note(finding, position, column, mask)
        self._note_dates(position, dates)
        self._replace(column, core, dates.values)
        return "date"

    def _note_dates(self, position: int, dates: Dates) -> None:
        if dates.changed:
            self._found[f"dates {dates.order}" + (" unsure" if dates.unsure else "")].append((position, 0, 0))
        if dates.had_zone:
            self._found["zones"].append((position, 0, 0))

    def _drop_words(self, position: int, column: TextColumn) -> None:
        mask = pc.fill_null(self._words(column.values), False)
        self._numeric_missing |= dict.fromkeys(column.values.filter(mask).to_pylist())
        self._note("numeric words", position, column, mask)
        column.values = pc.if_else(mask, pa.scalar(None, pa.string()), column.values)

    def _look_at(self, position: int, column: TextColumn) -> None:
        """Note cells that are dangerous elsewhere; they are kept as they are."""
        values = column.values
        for finding, pattern in (("formula", _FORMULA), ("markup", _MARKUP)):
            if some(values, pattern):
                self._note(finding, position, column, pc.fill_null(pc.match_substring_regex(values, pattern), False))
        longest = pc.max(pc.utf8_length(values)).as_py()
        if longest is not None and longest > _LONG_CELL:
            self._note("long", position, column, pc.fill_null(pc.greater(pc.utf8_length(values), _LONG_CELL), False))

    def _replace(self, column: TextColumn, core: pa.Array, new: pa.Array) -> None:
        if new is core:
            return
        places = pc.index_in(column.values, value_set=core)
        column.values = pc.if_else(places.is_valid(), pc.take(new, places), column.values)

    def _note(self, finding: str, position: int, column: TextColumn, mask: pa.Array) -> None:
        marked = pc.fill_null(mask, False)
        rows = int(column.counts()[marked.to_numpy(zero_copy_only=False)].sum())
        if rows:
            self._found[finding].append((position, rows, column.first_row(marked)))

    def _notes(self) -> list[Note]:
        notes = []
        for finding, places in self._found.items():
            positions = [position for position, _, _ in places]
            rows = sum(number for _, number, _ in places)
            first = min(places, key=lambda place: place[2]) if rows else places[0]
            row = int(self._rows[first[2]]) if rows and finding != "empty" else None
            start, _, detail = finding.partition(": ")
            sentence = SENTENCES[start].format(
                columns=columns_text(positions, self._names), rows=rows, row=row, detail=detail
            )
            notes.append(Note(sentence[0].upper() + sentence[1:], row=row, column=first[0] + 1))
        return notes


def _spread(values: pa.Array, core: pa.Array, mask: pa.Array) -> pa.Array:
    """A mask over ``core`` as a mask over ``values``."""
    return pc.fill_null(pc.take(mask, pc.index_in(values, value_set=core)), False)
