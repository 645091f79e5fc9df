"""From an uploaded file to UTF-8 text on disk: what the file really is, unpacked within limits, decoded.

The name of a file proves nothing, so its first bytes decide. Text is streamed in blocks: memory does not grow with
the file, and a gzip bomb is refused as soon as it passes a limit.
"""

import codecs
import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.core.errors import DataError

BLOCK = 4 << 20
_NEWLINE = b"\n"
LARGEST_FILE = 2 << 30
LARGEST_UNPACKED = 1 << 30
_FREE_UNPACKED = 64 << 20
_MOST_EXPANSION = 100

_SAVE_AS_CSV = "Open it in the program that wrote it and save it as CSV (UTF-8)."
_OTHERS: tuple[tuple[bytes, str, str], ...] = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Excel or Office file", _SAVE_AS_CSV),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and upload the CSV file inside."),
    (b"Rar!", "a RAR archive", "Unpack it and upload the CSV file inside."),
    (b"BZh", "a bzip2 file", "Unpack it, or compress it with gzip."),
    (b"\xfd7zXZ\x00", "an xz file", "Unpack it, or compress it with gzip."),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file", "Unpack it, or compress it with gzip."),
    (b"%PDF", "a PDF document", "Export the table as CSV from the program that made the document."),
    (b"SQLite format 3", "an SQLite database", "Export the table as CSV."),
    (b"$FL2", "an SPSS file", _SAVE_AS_CSV),
    (b"$FL3", "an SPSS file", _SAVE_AS_CSV),
    (b"<stata_dta>", "a Stata file", _SAVE_AS_CSV),
    (b"HEADER RECORD*******", "a SAS transport file", _SAVE_AS_CSV),
    (b"\x89HDF", "an HDF5 file", _SAVE_AS_CSV),
    (b"ARROW1", "an Arrow file", "Write it as Parquet or CSV."),
    (b"Obj\x01", "an Avro file", "Write it as Parquet or CSV."),
    (b"\x89PNG", "a picture", "Upload the table itself as CSV."),
    (b"\xff\xd8\xff", "a picture", "Upload the table itself as CSV."),
    (b"RDX", "an R data file", "Write it with write.csv."),
    (b"X\n\x00\x00", "an R data file", "Write it with write.csv."),
)


@dataclass(frozen=True)
class Opened:
    """A file recognised: where its bytes lie (unpacked) and what they are."""

    path: Path
    file_format: Literal["csv", "parquet"]
    compression: Literal["none", "gzip"]


def open_upload(path: Path, scratch: Path) -> Opened:
    """Recognise the file at ``path``; a gzip file is unpacked into the folder ``scratch``.

    Raises:
        DataError: the file is absent, empty, too large, damaged, or not a table in text or Parquet.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(4096)
    except OSError as error:
        raise DataError("the file cannot be opened", remedy="Check that it exists and is readable.") from error
    if not size:
        raise DataError("the file is empty", remedy="Export it again; it has 0 bytes.")
    if size > LARGEST_FILE:
        raise DataError(
            f"the file has {size / 1e9:.1f} GB, more than the {LARGEST_FILE / 1e9:.1f} GB that can be read",
            remedy="Upload the columns and rows that are needed.",
        )
    if start.startswith(b"PAR1"):
        return Opened(path, "parquet", "none")
    if not start.startswith(b"\x1f\x8b"):
        _refuse_others(start)
        return Opened(path, "csv", "none")
    unpacked = scratch / "unpacked"
    _unpack(path, unpacked)
    with unpacked.open("rb") as file:
        start = file.read(4096)
    if not start:
        raise DataError("the gzip file holds an empty file", remedy="Export it again.")
    if start.startswith((b"\x1f\x8b", b"PAR1")):
        raise DataError("the gzip file holds another packed file", remedy="Unpack it once and upload what is inside.")
    _refuse_others(start)
    return Opened(unpacked, "csv", "gzip")


def _refuse_others(start: bytes) -> None:
    if start.startswith(b"PK\x03\x04") or start.startswith(b"PK\x05\x06"):
        if b"xl/" in start or b"[Content_Types].xml" in start:
            raise DataError("the file is an Excel workbook, not a CSV file", remedy="In Excel, save it as CSV UTF-8.")
        raise DataError("the file is a zip archive, not a CSV file", remedy="Unpack it and upload the CSV file inside.")
    for magic, what, remedy in _OTHERS:
        if start.startswith(magic):
            raise DataError(f"the file is {what}, not a CSV file", remedy=remedy)
    head = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body", b"<table")):
        raise DataError(
            "the file is a web page, not a CSV file",
            remedy="Download the table itself; a login page may have been saved in its place.",
        )
    if head.startswith(b"<?xml"):
        raise DataError("the file is XML, not a CSV file", remedy=_SAVE_AS_CSV)
    if head.startswith((b'{"', b"[{", b"{\n", b"{\r\n")):
        raise DataError("the file is JSON, not a CSV file", remedy="Write it as CSV with one row per record.")


def _unpack(path: Path, target: Path) -> None:
    packed = path.stat().st_size
    written = 0
    try:
        with gzip.open(path, "rb") as source, target.open("wb") as sink:
            while block := source.read(BLOCK):
                written += len(block)
                if written > LARGEST_UNPACKED or (written > _FREE_UNPACKED and written > _MOST_EXPANSION * packed):
                    raise DataError(
                        f"the gzip file of {packed / 1e6:.1f} MB unpacks to more than {written / 1e6:.0f} MB, "
                        "which no clinical table does or which is too large",
                        remedy="Unpack it yourself, check it, and upload the rows that are needed.",
                    )
                sink.write(block)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            "the gzip file is damaged or cut off",
            where=f"after {written / 1e6:.1f} MB of text",
            remedy="Copy or download it again.",
        ) from error


def detect_encoding(path: Path) -> tuple[str, int | None]:
    """Encoding of the text file and, if it is not UTF-8 or UTF-16, the line of the first byte that shows it.

    Raises:
        DataError: the file holds NUL bytes, so it is not text.
    """
    with path.open("rb") as file:
        start = file.read(4096)
    for mark, encoding in (
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if start.startswith(mark):
            return encoding, None
    even, odd = start[::2].count(0), start[1::2].count(0)
    if min(even, odd) == 0 and max(even, odd) > 0.3 * (len(start) // 2):
        return ("utf-16-le" if odd else "utf-16-be"), None
    decoder = codecs.getincrementaldecoder("utf-8")()
    line, is_utf8, first, high = 1, True, None, False
    for block in _blocks(path):
        nul = block.find(0)
        if nul >= 0:
            raise DataError(
                "the file holds NUL bytes, so it is not a text file or it is damaged",
                where=f"line {line + block.count(_NEWLINE, 0, nul)}",
                remedy="Export it again as CSV (UTF-8).",
            )
        if is_utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError as error:
                is_utf8 = False
                # The decoder's buffer may begin with bytes of the block before; the line is exact up to that.
                first = line + block.count(_NEWLINE, 0, min(error.start, len(block)))
        if not is_utf8 and not high:
            high = bool(block.translate(None, delete=bytes({*range(256)} - {*range(0x80, 0xA0)})))
        line += block.count(_NEWLINE)
    if is_utf8:
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            is_utf8, first = False, line
    if is_utf8:
        return "utf-8", None
    # Windows-1252 is Latin-1 with letters and signs where Latin-1 has control characters.
    return ("windows-1252" if high else "latin-1"), first


def as_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """``path`` itself if it is plain UTF-8, else a copy in ``scratch`` as UTF-8 without a byte order mark.

    Raises:
        DataError: the text is not in that encoding, or there is no such encoding.
    """
    try:
        name = codecs.lookup(encoding).name
    except LookupError as error:
        raise DataError(f"there is no encoding {encoding!r}", remedy="Choose utf-8, utf-16 or windows-1252.") from error
    target = scratch / "decoded"
    if name == "utf-8":
        _check_utf8(path)
        return path
    line = 1
    decoder = codecs.getincrementaldecoder(name)()
    try:
        with target.open("wb") as sink:
            for block in _blocks(path):
                text = decoder.decode(block)
                _refuse_nul(text, line)
                line += text.count("\n")
                sink.write(text.encode("utf-8"))
            sink.write(decoder.decode(b"", final=True).encode("utf-8"))
    except UnicodeError as error:
        raise DataError(
            f"the file is not written in {name}", where=f"near line {line}", remedy="Choose another encoding."
        ) from error
    return target


def _check_utf8(path: Path) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    line = 1
    try:
        for block in _blocks(path):
            _refuse_nul(decoder.decode(block), line)
            line += block.count(_NEWLINE)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise DataError(
            "the file is not written in utf-8", where=f"near line {line}", remedy="Choose another encoding."
        ) from error


def _refuse_nul(text: str, line: int) -> None:
    if (nul := text.find("\0")) >= 0:
        raise DataError(
            "the file holds NUL characters, so it is not a text file or it is damaged",
            where=f"line {line + text.count(chr(10), 0, nul)}",
            remedy="Export it again as CSV (UTF-8).",
        )


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block
