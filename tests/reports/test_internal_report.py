"""The internal report: everything the comparison holds, as HTML and PDF, and that a section is pending or failed."""

import re
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

import pytest

from engine.core.errors import DataError, UserError
from engine.reports.content import MARKS, SUMMARY_MARK, Report, Text
from engine.reports.facts import Facts
from engine.reports.html import as_html
from engine.reports.pdf import as_pdf
from engine.reports.views import internal
from engine.reports.writing import write
from tests.helpers.documents import flat, read_html, read_pdf

TITLES = [
    "At a glance", "What it was compared with", "Table 1", "Standardised differences (Love plot)", "Distributions",
    "Associations", "Scores of columns and pairs", "What gives the synthetic rows away", "Conclusions",
    "Attacks on the cohort", "Privacy statement", "Plausibility", "Provenance", "Limits",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(made: dict[str, Any], facts: Facts) -> Report:
    return internal(made, facts)


@pytest.fixture(scope="module")
def text(whole: Report) -> str:
    return as_html(whole)


@pytest.fixture(scope="module")
def pages(whole: Report) -> list[str]:
    return read_pdf(as_pdf(whole))


def known_words(made: dict[str, Any]) -> list[str]:
    """Figures from every section."""
    outcome = made["conclusions"]["outcomes"][0]
    words = [card[part] for card in made["cards"].values() for part in ("value", "reference", "sentence")]
    words += [made["reference"]["sentence"], *made["notes"], made["detection"]["sentence"]]
    lactate = next(one for one in made["table_one"]["columns"] if one["name"] == "lactate")
    words += [lactate["tables"][table]["mean_sd"] for table in ("real", "synthetic", "holdout")]
    words += [outcome["conclusion"]["sentence"], outcome["utility"]["sentence"]]
    words += [one["sentence"] for one in (made["privacy"]["copies"], made["privacy"]["attribute"])]
    words += [one["title"] for one in made["plausibility"]["rules"]]
    return [*words, "No formal guarantee", "dp_cgan", "ward.csv", "Option: epochs", "Not for clinical decisions"]


def test_the_html_holds_every_section_in_order_with_its_figures(made: dict[str, Any], text: str) -> None:
    page = read_html(text)
    assert [words for level, words in page.headings if level == 2] == TITLES
    assert [words for level, words in page.headings if level == 1] == ["800 patients as in the source"]
    assert [words for words in known_words(made) if flat(words) not in flat(page.words)] == []


def test_the_pdf_holds_the_same_and_every_page_says_that_it_is_internal(made: dict[str, Any], pages: list[str]) -> None:
    words = flat("".join(pages))
    # Lines that go on over the end of a page are broken by its header and footer.
    missing = [one for one in known_words(made) if flat(one) not in words]
    assert len(missing) <= 1, missing
    assert all(title in "".join(pages) for title in TITLES)
    assert all(MARKS["internal"] in page for page in pages)
    assert [f"{at}of{len(pages)}" in flat(page) for at, page in enumerate(pages, start=1)] == [True] * len(pages)


def test_nothing_is_fetched_or_run_and_every_picture_says_what_it_shows(made: dict[str, Any], text: str) -> None:
    page = read_html(text)
    assert not {"script", "link", "iframe", "object", "svg"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    sources = [value for _, name, value in page.attributes if name in ("src", "href")]
    assert all(value.startswith(("data:image/svg+xml,", "#section-")) for value in sources)
    assert "url(" not in re.sub(r'src="[^"]*"', "", text)
    pictures = [unquote(value) for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert not any(re.search(r"url\((?!#)|href='(?!#|data:image/png)|<script", one) for one in pictures)
    alts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert len(alts) == len(pictures) > len([one for one in made["columns"] if one["shown"]]) + 5
    assert all(len(one) > 30 for one in alts)


def test_headings_do_not_skip_and_table_heads_have_a_scope(text: str) -> None:
    page = read_html(text)
    levels = [level for level, _ in page.headings]
    assert levels[0] == 1 and all(second - first <= 1 for first, second in pairwise(levels))
    scopes = [value for tag, name, value in page.attributes if (tag, name) == ("th", "scope")]
    assert len(scopes) == page.tags.count("th") and set(scopes) == {"row", "col"}
    assert page.tags.count("caption") == page.tags.count("table") > 5
    assert ("html", "lang", "en") in page.attributes


NAMED = {
    "columns": "Distributions", "table_one": "Table 1", "detection": "What gives the synthetic rows away",
    "conclusions": "Conclusions", "privacy": "Attacks on the cohort", "plausibility": "Plausibility",
    "associations": "Associations", "scores": "Scores of columns and pairs",
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "words"), [("pending", "Pending: "), ("failed", "Failed: this section is not there.")]
)
def test_sections_that_are_not_there_say_so(comparison: dict[str, Any], facts: Facts, state: str, words: str) -> None:
    for section in NAMED:
        _take_away(comparison, section, state)
    found = {one.title: one for one in internal(comparison, facts).sections}
    for section, title in NAMED.items():
        (block,) = found[title].blocks
        assert isinstance(block, Text) and block.words.startswith(words)
        assert (f"{section} ran out of luck" in block.words) is (state == "failed")


def _take_away(comparison: dict[str, Any], section: str, state: str) -> None:
    del comparison[section]
    comparison["sections"][section] |= {
        "state": state,
        "reason": f"{section} ran out of luck" if state == "failed" else "",
    }


def test_what_is_not_assessable_says_so(comparison: dict[str, Any], facts: Facts) -> None:
    reason = "Not assessable: the tables are too small for this sentence."
    comparison["detection"] = {"reason": reason}
    comparison["privacy"]["membership"] = {"reason": reason}
    comparison["conclusions"]["outcomes"][0]["conclusion"]["reason"] = reason
    comparison["associations"]["titles"] = []
    _take_away(comparison, "columns", "pending")
    page = read_html(as_html(internal(comparison, facts)))
    assert page.words.count(reason) == 3
    assert "too few real patients to show associations" in page.words


def test_where_a_summary_stands_for_real_rows_no_page_speaks_of_real_patients(
    comparison: dict[str, Any], facts: Facts
) -> None:
    comparison["reference"]["kind"] = "summary"
    told = as_html(internal(comparison, facts))
    assert SUMMARY_MARK in told and MARKS["internal"] not in told


def test_a_comparison_of_another_version_is_refused(comparison: dict[str, Any], facts: Facts) -> None:
    with pytest.raises(DataError, match="version 1, not 2"):
        internal(comparison | {"version": 1}, facts)


def test_outcomes_that_were_picked_are_part_of_it(comparison: dict[str, Any], facts: Facts) -> None:
    for section in ("columns", "associations", "privacy"):
        _take_away(comparison, section, "pending")
    picked = comparison["conclusions"]["outcomes"].pop()
    picked["outcome"]["label"] = "A picked outcome"
    with_it = Facts(facts.sentence, facts.manifest, analyses=(picked,))
    assert "A picked outcome: " in read_html(as_html(internal(comparison, with_it))).words
    assert "A picked outcome: " not in read_html(as_html(internal(comparison, facts))).words


def test_sixty_columns_stay_below_five_megabytes(comparison: dict[str, Any], facts: Facts, tmp_path: Any) -> None:
    # A report is mailed and printed.
    columns, lines = comparison["columns"], comparison["table_one"]["columns"]
    comparison["columns"] = [columns[at % len(columns)] | {"title": f"Column number {at}"} for at in range(60)]
    comparison["table_one"]["columns"] = [lines[at % len(lines)] | {"label": f"Column number {at}"} for at in range(60)]
    names = [f"Column number {at}" for at in range(40)]
    matrix = [[round(((i * 7 + j * 3) % 19) / 19, 3) for j in range(40)] for i in range(40)]
    comparison["associations"] |= {"titles": names, "names": names, "kinds": ["number"] * 40}
    comparison["associations"] |= dict.fromkeys(("real", "synthetic", "difference"), matrix)
    report = internal(comparison, facts)
    html, pdf = write(report, tmp_path / "wide.html"), write(report, tmp_path / "wide.pdf")
    assert html.stat().st_size < 5_000_000 and pdf.stat().st_size < 5_000_000
    assert all(f"Column number {at}" in read_html(html.read_text("utf-8")).words for at in range(60))


def test_another_extension_is_refused(whole: Report, tmp_path: Any) -> None:
    with pytest.raises(UserError, match=r"ends in \.html or \.pdf"):
        write(whole, tmp_path / "report.docx")
    assert list(tmp_path.iterdir()) == []
