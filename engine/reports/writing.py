"""A report as a file; its extension says which."""

from pathlib import Path

from engine.core.errors import UserError
from engine.core.workspace import write_atomically
from engine.reports.content import FORMATS, Report


def write(report: Report, path: Path) -> Path:
    """Write ``report`` to ``path``, whole or not at all; returns it.

    Raises:
        UserError: the extension is neither .html nor .pdf.
        InternalError: the PDF could not be set.
    """
    format = path.suffix.removeprefix(".").lower()
    if format not in FORMATS:
        raise UserError(f"a report ends in .html or .pdf, not {path.name!r}", remedy="Change the extension.")
    if format == "html":
        from engine.reports.html import as_html

        content = as_html(report).encode("utf-8")
    else:
        from engine.reports.pdf import as_pdf

        content = as_pdf(report)
    write_atomically(path, lambda temporary: temporary.write_bytes(content))
    return path
