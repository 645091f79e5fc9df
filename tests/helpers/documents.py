"""What a reader finds in a report: the words, headings and pictures of an HTML file, the words of a PDF's pages."""

import io
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

from pypdf import PdfReader

SILENT = ("style", "script", "title")


@dataclass
class Page(HTMLParser):
    """A parsed HTML report.

    Attributes:
        words: all its text, outside of styles.
        headings: (level, text).
        tags: of every element, in order.
        attributes: (tag, name, value).
    """

    words: str = ""
    headings: list[tuple[int, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    _open: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        HTMLParser.__init__(self, convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in ("meta", "img"):
            self._open.append(tag)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, "every element is closed"

    def handle_data(self, data: str) -> None:
        if not set(SILENT) & set(self._open):
            self.words += data + " "
        if self._open and re.fullmatch(r"h[1-6]", self._open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)


def read_html(text: str) -> Page:
    """The document's content; fails where an element is not closed."""
    page = Page()
    page.feed(text)
    page.close()
    return page


def read_pdf(content: bytes) -> list[str]:
    """The words of each page; where a long word may be broken is not told."""
    return [page.extract_text().replace("\u200b", "") for page in PdfReader(io.BytesIO(content)).pages]


def flat(text: str) -> str:
    """``text`` without any space: lines are broken where the page ends them."""
    return re.sub(r"\s+", "", text)
