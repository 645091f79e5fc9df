"""Names and categories come from files: whatever they hold is shown as it is, and neither HTML nor typst runs it."""

from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.reports.content import Card, Cards, Figure, Heading, Report, Section, Table, Text, breakable, clean
from engine.reports.drawing import drawn, label
from engine.reports.facts import Facts
from engine.reports.html import as_html
from engine.reports.pdf import as_pdf
from engine.reports.views import release
from engine.schema.table import Column, Kind, TableSchema, conform
from tests.helpers.documents import flat, read_html, read_pdf

HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</style><b>", "&amp;&lt;", "<!-- x", "]]>",
    '#eval("1+1")', '#import "x.typ"', "*bold* _x_ `raw` $x^2$", "\\u{41}", "= Heading", "@label <label>",
    "//x /*y*/", "$\\frac{", "a$b$c", "{{7*7}}", '=HYPERLINK("http://x")', "a\x00b\x1b[31m", "\u202egnp.exe",
    "a\ud800b", "x" * 400, "'; url(http://x)", "年齢 возраст عمر", "--><svg onload=alert(1)>",
]  # fmt: skip


def drawing(name: str) -> str:
    """A figure lettered with ``name``."""

    def draw(axes: Any) -> None:
        axes.plot([0, 1], label=label(name))
        axes.set_xlabel(label(name))

    return drawn(3.0, 1.5, draw, title=label(name))


PLAIN = drawing("plain")


def document(name: str, svg: str = PLAIN) -> Report:
    """A report with ``name`` wherever a name can stand."""
    blocks = (
        Text(name, "finding"), Heading(name), Table(name, (name, "Value"), ((f"  {name}", name), ("", name))),
        Figure(svg, f"The figure of {name}"), Cards((Card(name, name, name, name, name),)),
    )  # fmt: skip
    return Report(name, name, "internal", (Section(name, blocks, on_real_rows=True),))


def shown(name: str) -> str:
    return flat(clean(name))


@given(st.text(min_size=1, max_size=60).filter(shown))  # a row without a name goes on with the one above
@hypothesis_settings(max_examples=40)
def test_html_shows_any_name_as_text(name: str) -> None:
    _holds(read_html(as_html(document(name))), name)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_in_html(name: str) -> None:
    svg = drawing(name)
    ElementTree.fromstring(svg)  # well-formed, whatever it is lettered with
    assert "<script" not in svg and "onload" not in svg and "http://x" not in svg
    _holds(read_html(as_html(document(name, svg))), name)


def _holds(page: Any, name: str) -> None:
    plain = read_html(as_html(document("plain")))
    assert page.tags == plain.tags
    assert [(tag, key) for tag, key, _ in page.attributes] == [(tag, key) for tag, key, _ in plain.attributes]
    assert flat(page.words).count(shown(name)) >= 9
    assert all(flat(text) in (shown(name), "") for level, text in page.headings if level > 1)


@pytest.mark.parametrize("name", [one for one in HOSTILE if one.isascii() or len(one) > 100])
def test_hostile_names_are_text_in_pdf(name: str) -> None:
    words = flat("".join(read_pdf(as_pdf(document(name, drawing(name))))))
    assert words.count(shown(name).strip()) >= 8, words[:400]


@pytest.mark.parametrize("name", ["\r", "\x00", "\ud800", "\x1c", "\u202e", "\u2028", "\x85"])
def test_a_row_named_by_blanks_alone_has_no_empty_head(name: str) -> None:
    table = Table("A table", ("Name", "Value"), ((name, "1"),))
    report = Report("t", "t", "internal", (Section("s", (table,)),))
    assert read_html(as_html(report)).tags.count("th") == 2, "the two heads of the columns"


@pytest.mark.parametrize("name", ["a\rb", "\ra", "a\r", "\r\nb", "a\x1cb", "\x0cb", "a\u2029b", "  b", "\t\tb"])
def test_a_name_with_breaks_is_one_text(name: str) -> None:
    _holds(read_html(as_html(document(name))), name)
    assert "\r" not in as_html(document(name))
    assert len(read_pdf(as_pdf(document(name)))) >= 1


@given(st.text(min_size=1, max_size=30))
@hypothesis_settings(max_examples=15)
def test_any_name_can_be_set_as_pdf(name: str) -> None:
    assert len(read_pdf(as_pdf(document(name)))) >= 1


def test_long_words_can_be_broken_and_stay_whole_for_who_reads_them() -> None:
    assert breakable("x" * 40).replace("\u200b", "") == "x" * 40
    assert max(map(len, breakable("x" * 40 + " short").split("\u200b"))) <= 22
    assert breakable("several short words") == "several short words"


def test_a_table_of_hostile_columns_and_categories_is_described() -> None:
    names = [name for name in HOSTILE if name != "a\ud800b"]
    columns = tuple(Column(name=name, kind=Kind.CATEGORICAL) for name in names[:8])
    schema = TableSchema(columns=columns)
    frame = conform(pd.DataFrame(dict.fromkeys(names[:8], names[:6] * 4)), schema)
    report = release(frame, schema, Facts("24 patients", {}))
    page = read_html(as_html(report))
    assert "script" not in page.tags
    assert [name for name in names[:8] if shown(name.replace("_", " ")) not in flat(page.words)] == []
    assert len(read_pdf(as_pdf(report))) > 1
