"""What a report says, apart from how it looks: sections of typed blocks, which HTML and PDF are made of alike.

Texts are plain: names of columns and categories come from files and may hold the markup of anything, so whoever writes
a block escapes it for its own format.
"""

import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from engine.core.numerals import minus

View = Literal["internal", "release"]
VIEWS: tuple[View, ...] = ("internal", "release")
FORMATS = ("html", "pdf")

MARKS: dict[View, str] = {
    "internal": "Internal: contains aggregates of real patients",
    "release": "Release: synthetic rows only, no figure of real patients",
}
"""What every page and every section says of itself."""
SUMMARY_MARK = "Comparison with a differentially private summary: no real row is behind it"
"""Instead, where a model ships without rows."""

_BREAK_AFTER = 16
_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def clean(text: Any) -> str:
    """``text`` without what no document can hold: control characters, halves of characters, changes of direction."""
    return "".join(
        one if one not in _DIRECTIONS and unicodedata.category(one) not in ("Cc", "Cs", "Cn") else " "
        for one in str(text)
    )


def breakable(text: str) -> str:
    """``text`` with places where a long word may be broken, so that no name is wider than its column."""
    out, run = [], 0
    for one in text:
        run = 0 if one.isspace() else run + 1
        out.append(one)
        if run >= _BREAK_AFTER:
            out.append("\u200b")
            run = 0
    return "".join(out)


@dataclass(frozen=True)
class Text:
    """A paragraph. ``note``: small print; ``finding``: the sentence that counts; ``absent``: why nothing is here."""

    words: str
    role: Literal["text", "note", "finding", "absent"] = "text"


@dataclass(frozen=True)
class Heading:
    """A heading inside a section."""

    words: str


@dataclass(frozen=True)
class Table:
    """A table whose first column names its rows. Two leading spaces indent a row's name.

    Attributes:
        caption: what it shows.
        heads: of the columns.
        rows: each as long as ``heads``.
        wide: indices of columns of running text, which get more room.
        words: indices of further columns that are read from the left.
    """

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: tuple[int, ...] = (0,)
    words: tuple[int, ...] = ()


@dataclass(frozen=True)
class Figure:
    """A drawing (SVG) and the sentence that says the same. ``share``: of the text's width on paper."""

    svg: str
    alt: str
    share: float = 1.0


@dataclass(frozen=True)
class Tiles:
    """Small figures of one kind, two beside each other on paper."""

    figures: tuple[Figure, ...]


@dataclass(frozen=True)
class Card:
    """A finding at a glance, with its reference on held-out real patients."""

    label: str
    value: str
    reference: str
    sentence: str
    meaning: str


@dataclass(frozen=True)
class Cards:
    """The findings at a glance."""

    cards: tuple[Card, ...]


Block = Text | Heading | Table | Figure | Tiles | Cards


@dataclass(frozen=True)
class Section:
    """A part of a report. ``on_real_rows``: whether its figures come from them, which it then says."""

    title: str
    blocks: tuple[Block, ...]
    on_real_rows: bool = False


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: the cohort in one sentence.
        about: what the document is.
        view: who it is for.
        sections: in order.
        made_at: day of the report (UTC).
        of_summary: whether a private summary stands for the real rows.
    """

    title: str
    about: str
    view: View
    sections: tuple[Section, ...]
    made_at: str = field(default_factory=lambda: f"{datetime.now(UTC):%Y-%m-%d}")
    of_summary: bool = False

    @property
    def mark(self) -> str:
        """What every page says."""
        return SUMMARY_MARK if self.of_summary and self.view == "internal" else MARKS[self.view]


def notes(words: list[str] | tuple[str, ...]) -> tuple[Text, ...]:
    """Small print, a paragraph each."""
    return tuple(Text(one, "note") for one in words)


def value_text(figure: dict[str, Any], digits: int = 2) -> str:
    """The value of ``{value, low, high, reason}`` with its 95 % interval, or why there is none."""
    if figure["value"] is None:
        return figure.get("reason") or "not assessable"
    text = f"{figure['value']:.{digits}f}"
    if figure.get("low") is not None and figure.get("high") is not None:
        text += f" [{figure['low']:.{digits}f}, {figure['high']:.{digits}f}]"
    return minus(text)


def number_text(value: float | None, digits: int = 2) -> str:
    """A number that may not be there."""
    return "not assessable" if value is None else minus(f"{value:.{digits}f}")
