"""A folder of MIMIC-III tables (csv or csv.gz, any letter case) as DuckDB views, in bounded memory.

The full database has 330 million rows in CHARTEVENTS: nothing here reads a table into Python. Each view reads only the
columns that preparation needs, with declared types; what is not read is never parsed into values.
"""

import csv
import gzip
import re
import tempfile
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import duckdb
import pandas as pd

from engine.core.errors import Cancelled, DataError
from engine.core.progress import Progress, Silent
from engine.sources.mimic3_tables import TABLES, Mimic3Table, column_type

MEMORY_LIMIT = "2GB"
"""DuckDB writes to its temporary folder rather than pass this."""

_SUFFIXES = (".csv", ".csv.gz")
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class TableFile:
    """One of the 26 tables in the folder: where it is (None: missing) and its header in upper case."""

    table: Mimic3Table
    path: Path | None
    header: tuple[str, ...] = ()

    @property
    def present(self) -> bool:
        """Whether the folder has the table."""
        return self.path is not None

    def describe_absence(self) -> str:
        """What the patient table lacks without this file; empty when it is there."""
        return "" if self.present else self.table.gives


class Mimic3Folder:
    """An open folder: a DuckDB connection with one view per present table that preparation reads.

    Use it as a context manager; leaving it closes the connection and removes its temporary folder.
    """

    def __init__(self, path: Path, files: tuple[TableFile, ...], *, memory_limit: str, threads: int | None) -> None:
        self.path = path
        self.files = files
        self._by_name = {file.table.name: file for file in files}
        self._spill = tempfile.TemporaryDirectory(prefix="cohort-studio-mimic3-")
        self._connection = duckdb.connect(":memory:")
        options = {
            "memory_limit": memory_limit,
            "temp_directory": self._spill.name,
            "preserve_insertion_order": "false",
            # Progress is asked for, never printed: standard output belongs to the command line's JSON.
            "enable_progress_bar": "true",
            "enable_progress_bar_print": "false",
            # The planner takes an unread csv for a handful of rows and would hold all of CHARTEVENTS in a hash table:
            # joins are carried out as written, with the event table on the left.
            "disabled_optimizers": "join_order,build_side_probe_side",
        }
        if threads is not None:
            options["threads"] = str(threads)
        for name, value in options.items():
            self._connection.execute(f"SET {name} = {_literal(value)}")
        for file in files:
            if file.path is not None and file.table.reads:
                self._connection.execute(_view(file))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the connection and the temporary folder."""
        self._connection.close()
        self._spill.cleanup()

    def has(self, name: str) -> bool:
        """Whether the folder has the table ``name`` (upper case, as in the documentation)."""
        return self._by_name[name].present

    @property
    def present(self) -> list[str]:
        """Names of the tables that are there."""
        return [file.table.name for file in self.files if file.present]

    @property
    def missing(self) -> dict[str, str]:
        """Missing table → what will be absent without it."""
        return {file.table.name: file.describe_absence() for file in self.files if not file.present}

    def register(self, name: str, frame: pd.DataFrame) -> None:
        """Make a small frame (item numbers, code lists) a table that queries can join."""
        # A table of its own: a registered frame would stay tied to Python objects while other threads query.
        self._connection.register("handed_in", frame)
        self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM handed_in")
        self._connection.unregister("handed_in")

    def execute(self, sql: str, *, progress: Progress | None = None, message: str = "") -> None:
        """Run a statement, reporting how far the file has been read; a cancellation interrupts it within a second.

        Raises:
            Cancelled: the progress receiver asked to stop.
            DataError: a table cannot be read as the documented format (line given, cell not shown).
        """
        progress = progress or Silent()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                self._connection.execute(sql)
            except duckdb.Error as error:
                failures.append(error)

        worker = threading.Thread(target=work, daemon=True)
        worker.start()
        try:
            while worker.is_alive():
                worker.join(_POLL_SECONDS)
                progress.update(min(max(self._connection.query_progress(), 0.0), 100.0) / 100, message)
        except Cancelled:
            self._connection.interrupt()
            worker.join()
            raise
        if failures:
            raise self._refusal(failures[0]) from None  # the cause quotes the line with the patient's cells

    def frame(self, sql: str) -> pd.DataFrame:
        """The result of a query.

        Raises:
            DataError: as for :meth:`execute`.
        """
        try:
            return self._connection.execute(sql).df()
        except duckdb.Error as error:
            raise self._refusal(error) from None

    def count(self, sql: str) -> int:
        """The single number that a query gives."""
        return int(self.frame(sql).to_numpy()[0, 0])

    def _refusal(self, error: BaseException) -> DataError:
        text = str(error)
        file = next((f for f in self.files if f.path is not None and str(f.path) in text), None)
        line = re.search(r"CSV Error on Line: (\d+)", text)
        column = re.search(r'converting column "(\w+)"', text)
        name = file.path.name if file is not None and file.path is not None else str(self.path)
        if "unicode" in text or "utf-8" in text:
            what, remedy = f"{name} is not UTF-8 text", "Download the file again, or save it as UTF-8."
        elif column:
            kind = column_type(column.group(1))
            what = f"{name} has a {column.group(1)} that is not {kind.lower()}"
            remedy = "Download the file again from PhysioNet; the columns must be as published."
        elif isinstance(error, duckdb.OutOfMemoryException):
            what, remedy = (
                "the tables need more memory or disk than allowed",
                "Free disk space in the temporary folder.",
            )
        else:
            what = f"{name} cannot be read ({type(error).__name__})"
            remedy = "Check that the file is complete and download it again if it is cut off."
        return DataError(what, where=f"line {line.group(1)}" if line else "", remedy=remedy)


def open_folder(path: Path, *, memory_limit: str = MEMORY_LIMIT, threads: int | None = None) -> Mimic3Folder:
    """Open the MIMIC-III folder ``path``; ``folder.present`` and ``folder.missing`` say what it holds.

    File names may be upper or lower case, ``.csv`` or ``.csv.gz`` (an unpacked csv is taken where both are there); the
    letter case and order of header columns do not matter.

    Raises:
        DataError: there is no such folder, ADMISSIONS or PATIENTS is not in it, or a table lacks a documented column.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(
            f"{path} is not a folder", remedy="Give the folder that holds ADMISSIONS.csv.gz and the others."
        )
    found = _known_files(path)
    files = tuple(_table_file(table, found.get(table.name)) for table in TABLES)
    absent = [file.table.name for file in files if file.table.required and not file.present]
    if absent:
        raise DataError(
            f"{path} is not a MIMIC-III folder: {' and '.join(absent)} (.csv or .csv.gz) not found",
            where=f"{len(found)} of the {len(TABLES)} tables are there",
            remedy=_remedy(path),
        )
    return Mimic3Folder(path, files, memory_limit=memory_limit, threads=threads)


def _known_files(path: Path) -> dict[str, Path]:
    names = {table.name for table in TABLES}
    found: dict[str, Path] = {}
    # Sorted by length of suffix: an unpacked csv is taken before its csv.gz, because DuckDB reads it in parallel.
    for file in sorted(path.iterdir(), key=lambda file: (file.name.lower().endswith(".gz"), file.name)):
        lower = file.name.lower()
        suffix = next((suffix for suffix in reversed(_SUFFIXES) if lower.endswith(suffix)), None)
        if suffix is None or not file.is_file():
            continue
        name = lower.removesuffix(suffix).upper()
        if name in names:
            found.setdefault(name, file)
    return found


def _remedy(path: Path) -> str:
    for inner in sorted(folder for folder in path.iterdir() if folder.is_dir()):
        if any(table.name in _known_files(inner) for table in TABLES if table.required):
            return f"The tables seem to be one folder further in: use {inner}."
    return "Give the folder of the MIMIC-III Clinical Database (26 tables), or upload a CSV file instead."


def _table_file(table: Mimic3Table, path: Path | None) -> TableFile:
    if path is None or not table.reads:
        return TableFile(table, path)
    header = _header(path)
    lacking = [column for column in table.reads if column not in header]
    if lacking:
        raise DataError(
            f"{path.name} lacks the columns {', '.join(lacking)}",
            where="its header line",
            remedy="Use the table as published for MIMIC-III 1.4, or take the file out of the folder.",
        )
    return TableFile(table, path, header)


def _header(path: Path) -> tuple[str, ...]:
    """Column names in upper case.

    Raises:
        DataError: the file is empty, damaged, not text, or names a column twice.
    """
    try:
        with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as stream:
            line = stream.readline(1 << 16).decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(
            f"{path.name} cannot be read", remedy="The file is damaged or not a csv; download it again."
        ) from error
    names = tuple(name.strip().upper() for name in next(csv.reader([line]), []))
    if not any(names):
        raise DataError(f"{path.name} has no header line", remedy="Download the file again.")
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(f"{path.name} names columns twice: {', '.join(doubled)}", remedy="Download the file again.")
    return names


def _view(file: TableFile) -> str:
    wanted = file.table.reads
    types = ", ".join(
        f"{_literal(name)}: {_literal(column_type(name) if name in wanted else 'VARCHAR')}" for name in file.header
    )
    columns = ", ".join(f'"{name}" AS {name.lower()}' for name in wanted)
    compression = "gzip" if str(file.path).lower().endswith(".gz") else "none"
    # Everything is declared: sniffing would read the file twice and could guess differently from folder to folder.
    return (
        f"CREATE VIEW {file.table.view} AS SELECT {columns} FROM read_csv({_literal(str(file.path))}, "
        f"auto_detect = false, header = true, delim = ',', quote = '\"', escape = '\"', nullstr = '', "
        f"compression = '{compression}', max_line_size = 16777216, columns = {{{types}}})"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
