"""An uploaded table: accepted with an interpretation that is shown and confirmed, or refused with place and remedy.

``read_csv`` works in five steps: recognise the file (:mod:`csv_open`), guess its dialect (:mod:`csv_sniff`), scan all
of its rows (:mod:`csv_scan`, :mod:`csv_structure`), cut it into columns of text with Arrow, and interpret the cells
column by column (:mod:`csv_cells`). Nothing is executed, nothing is changed without a note, no message repeats a cell.
"""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as arrow_csv

from engine.core.errors import DataError
from engine.schema.text_values import pc
from engine.sources.csv_cells import Cells, TextColumn
from engine.sources.csv_open import as_utf8, detect_encoding, open_upload
from engine.sources.csv_sniff import leading_lines, read_head, sniff
from engine.sources.csv_structure import TOTAL, Structure, find_structure
from engine.sources.interpretation import Interpretation, Note, Upload
from engine.sources.parquet_upload import read_parquet

__all__ = ["Interpretation", "Note", "Upload", "read_csv"]

_COMPACT_ABOVE = 64 << 20
_FEW_VALUES = 1_000
_LAST_ROWS = 3
_TEXT = pd.StringDtype("pyarrow", na_value=np.nan)


def read_csv(path: Path, *, name: str | None = None, overrides: Interpretation | None = None) -> Upload:
    """Read a CSV (plain or gzip) or Parquet file.

    Args:
        path: the file; its bytes decide what it is, not its name.
        name: what the person calls the file, for messages.
        overrides: an interpretation to follow to the letter, as returned before and changed by the person. None
            guesses one.

    Raises:
        DataError: the file cannot be read without guessing at its cells.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="cohort-studio-") as folder:
            return _read(Path(path), Path(folder), overrides)
    except DataError as error:
        if not name:
            raise
        where = f"{name}, {error.where}" if error.where else name
        raise DataError(error.what, where=where, remedy=error.remedy) from error


def _read(path: Path, scratch: Path, overrides: Interpretation | None) -> Upload:
    opened = open_upload(path, scratch)
    if opened.file_format == "parquet":
        return read_parquet(opened.path)
    notes: list[Note] = []
    if overrides is not None and overrides.file_format == "csv":
        encoding = overrides.encoding
    else:
        overrides = None
        encoding, line = detect_encoding(opened.path)
        if encoding not in ("utf-8", "utf-8-sig"):
            shown = f" (first seen in line {line})" if line else ""
            notes.append(Note(f"The text is written in {encoding}{shown}; letters with accents show it.", row=line))
    text = as_utf8(opened.path, encoding, scratch)
    if not text.stat().st_size:
        raise DataError("the file is empty", remedy="Export it again.")
    head = read_head(text)
    if not head.strip():
        raise DataError("the file holds blank lines only", remedy="Export it again.")
    if overrides is None:
        given, found = sniff(head)
        given = given.model_copy(update={"encoding": encoding, "compression": opened.compression})
        notes += found
    else:
        given = overrides
    guess = overrides is None
    layout = leading_lines(head, comment_prefix=given.comment_prefix, before_row=given.header_row)
    structure = find_structure(text, given, layout, guess=guess)
    notes += structure.notes
    columns = _cut(text, structure, given, scratch)
    rows, dropped, found = _leave_out_rows(columns, structure, given, guess=guess)
    notes += found
    given = given.model_copy(update={"dropped_rows": tuple(dropped)}) if guess else given
    if not len(rows):
        raise DataError("the file has column names and no rows", remedy="Export it again with its rows.")
    names = _without_empty_ends(columns, structure.names, notes)
    if len(rows) == 1:
        notes.append(Note("The file has one row only, which is too few to learn from.", row=int(rows[0])))
    interpretation, found = Cells(names, rows, given, guess=guess).interpret(columns)
    notes += found
    compact = text.stat().st_size > _COMPACT_ABOVE
    frame = pd.DataFrame(
        {name: _series(columns, position, compact=compact) for position, name in enumerate(names)}, copy=False
    )
    return Upload(frame=frame, interpretation=interpretation, notes=tuple(notes))


def _cut(text: Path, structure: Structure, given: Interpretation, scratch: Path) -> list[TextColumn]:
    """The data records as columns of text."""
    source = pa.memory_map(str(text)).read_buffer()
    if len(structure.cuts):
        source = pa.memory_map(str(_copy_without(source, structure, scratch / "cleaned"))).read_buffer()
    else:
        source = source.slice(structure.start)
    # Arrow's names are positions: the file's own may repeat.
    labels = [str(position) for position in range(len(structure.names))]
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(source),
            read_options=arrow_csv.ReadOptions(
                column_names=labels, block_size=max(4 << 20, 2 * structure.longest + 64)
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=given.delimiter, quote_char=given.quote, double_quote=True, newlines_in_values=True
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(labels, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                check_utf8=False,
            ),
        )
    except pa.ArrowException as error:
        raise DataError("the rows cannot be cut into cells", remedy="Save the file again as CSV (UTF-8).") from error
    if table.num_rows != len(structure.rows):
        raise DataError(
            f"{len(structure.rows)} rows were counted and {table.num_rows} read",
            remedy="Save the file again as CSV (UTF-8) with quotes around text.",
        )
    cells = table.columns[::-1]
    del table
    # Freed one by one, so that text and index of the whole table never lie in memory together.
    return [TextColumn.of(cells.pop()) for _ in labels]


def _copy_without(source: pa.Buffer, structure: Structure, target: Path) -> Path:
    view = memoryview(source)
    with target.open("wb") as sink:
        position = structure.start
        for start, stop in structure.cuts.tolist():
            if start > position:
                sink.write(view[position:start])
            position = max(position, stop)
        sink.write(view[position:])
    return target


def _leave_out_rows(
    columns: list[TextColumn], structure: Structure, given: Interpretation, *, guess: bool
) -> tuple[np.ndarray, list[int], list[Note]]:
    """Leave out empty rows, repeated headers and totals; returns the rows that stay, those dropped, and notes."""
    rows, notes = structure.rows, []
    keep = np.ones(len(rows), dtype=bool)
    if len(columns) > 1:
        filled = np.zeros(len(rows), dtype=bool)
        for column in columns:
            filled |= column.indices.is_valid().to_numpy(zero_copy_only=False)
            if filled.all():
                break
        if not filled.all():
            first = int(rows[~filled][0])
            notes.append(
                Note(f"{int((~filled).sum())} rows without any value were left out (first row {first}).", first)
            )
            keep &= filled
    dropped: list[int] = list(structure.dropped)
    if guess:
        for position in _repeated_headers(columns, structure.names, given).tolist():
            keep[position] = False
            dropped.append(int(rows[position]))
            notes.append(Note(f"Row {rows[position]} repeats the header and was left out.", row=int(rows[position])))
        for position in np.flatnonzero(keep)[::-1][:_LAST_ROWS].tolist():
            if not _is_total(columns, position):
                break
            keep[position] = False
            dropped.append(int(rows[position]))
            notes.append(Note(f"Row {rows[position]} looks like a total and was left out.", row=int(rows[position])))
    if not keep.all():
        mask = pa.array(keep)
        for position, column in enumerate(columns):
            # Encoded anew: a value of the rows left out must not decide what the column is.
            columns[position] = TextColumn.of(pa.chunked_array([column.cells().filter(mask)]))
    return rows[keep], sorted(dropped), notes


def _repeated_headers(columns: list[TextColumn], names: list[str], given: Interpretation) -> np.ndarray:
    none = np.zeros(0, dtype=np.int64)
    if given.header_row is None or len(columns) < 2:
        return none
    same: np.ndarray | None = None
    for column, name in zip(columns, names, strict=True):
        named = pc.equal(column.values, name)
        if not pc.any(named).as_py():
            return none
        equal = pc.fill_null(pc.take(named, column.indices), False).to_numpy(zero_copy_only=False)
        same = equal if same is None else same & equal
    return np.flatnonzero(same) if same is not None else none


def _is_total(columns: list[TextColumn], position: int) -> bool:
    """Whether the first filled cell of a row names a total, and does so nowhere else in its column."""
    if len(columns) < 2:
        return False
    for column in columns:
        index = column.indices[position].as_py()
        if index is None:
            continue
        value = column.values[index].as_py()
        if not TOTAL.match(value.strip()):
            return False
        return pc.sum(pc.take(pc.equal(column.values, value), column.indices)).as_py() == 1
    return False


def _without_empty_ends(columns: list[TextColumn], names: list[str], notes: list[Note]) -> list[str]:
    """Drop columns at the end that have neither a name nor a value."""
    kept = len(columns)
    while kept > 1 and names[kept - 1] == f"column_{kept}" and not len(columns[kept - 1].present()):
        kept -= 1
    if kept < len(columns):
        notes.append(Note(f"{len(columns) - kept} columns at the end without name and values were left out."))
        del columns[kept:]
    return names[:kept]


def _series(columns: list[TextColumn], position: int, *, compact: bool) -> pd.Series:
    column = columns[position]
    cells = column.cells()
    columns[position] = TextColumn(column.indices.slice(0, 0), column.values.slice(0, 0))
    if compact and len(column.values) <= _FEW_VALUES:
        encoded = pc.dictionary_encode(cells)
        categories = pd.Index(encoded.dictionary.to_pylist(), dtype=object)
        codes = pc.fill_null(encoded.indices, -1).to_numpy()
        return pd.Series(pd.Categorical.from_codes(codes, categories=categories))
    return pd.Series(pd.array(cells, dtype=_TEXT))
