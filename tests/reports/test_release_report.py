"""The release report: the synthetic rows' own figures, and nothing that was computed on real rows."""

from typing import Any

import pandas as pd
import pytest

from engine.core.progress import Silent
from engine.core.workspace import Workspace, read_json, write_json
from engine.jobs.documents import write_report
from engine.jobs.queue import Queue
from engine.privacy.accounts import Account
from engine.reports.content import MARKS
from engine.reports.facts import Facts
from engine.reports.html import as_html
from engine.reports.pdf import as_pdf
from engine.reports.views import release
from engine.schema.table import Column, Kind, TableSchema, conform
from engine.storage.database import Database
from tests.helpers.compared_admissions import admit
from tests.helpers.documents import flat, read_html, read_pdf

MARKER = "Zebra"
NUMBER = 0.98765


def planted(value: Any) -> Any:
    """``value`` with a marker in every text and a telling number in place of every other."""
    if isinstance(value, dict):
        return {key: planted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [planted(part) for part in value]
    if isinstance(value, str):
        return f"{MARKER}{value}"
    return value if isinstance(value, bool) or value is None else NUMBER


def spoiled(result: dict[str, Any]) -> dict[str, Any]:
    """A comparison in which whatever tells of real rows is marked, and that can still be read."""
    whole = planted(result)
    kept = ("version", "small_cell_minimum", "sections", "synthetic_rows")
    whole |= {name: result[name] for name in kept}

    # Words of the program, and ends of intervals, without which a figure cannot be drawn.
    words = ("form", "scale", "kind", "severity", "verdict", "headline", "state", "reason")
    places = ("low", "high", "null", "horizon", "time")

    def restore(marked: Any, original: Any) -> None:
        if isinstance(marked, dict):
            for key, value in marked.items():
                if key in places or (key in words and not isinstance(value, (dict, list))):
                    marked[key] = original[key]
                else:
                    restore(value, original[key])
        elif isinstance(marked, list):
            for one, other in zip(marked, original, strict=True):
                restore(one, other)

    restore(whole, result)
    return whole


def test_marks_in_every_field_of_the_comparison_reach_the_internal_report_only(
    tmp_path: Any, made: dict[str, Any]
) -> None:
    workspace = Workspace(tmp_path)
    cohort = admit(workspace)
    marked = spoiled(made)
    # A figure of each form is enough: drawing, setting and reading a hundred takes half a minute.
    forms = {one.get("form"): one for one in marked["columns"]}
    marked["columns"] = list(forms.values())
    assert len(forms) > 1
    write_json(workspace.comparison(cohort), marked)
    write_json(workspace.outcome(cohort, "picked"), marked["conclusions"]["outcomes"][0])
    manifest = read_json(workspace.cohort(cohort) / "manifest.json")
    manifest["source"]["fingerprint"] = f"{MARKER}digest"
    manifest["notes"].append(f"{MARKER} of the real rows")
    write_json(workspace.cohort(cohort) / "manifest.json", manifest)
    database = Database.for_workspace(workspace, None)
    found = {}
    for view in ("internal", "release"):
        for format in ("html", "pdf"):
            payload = {"cohort_id": cohort, "view": view, "format": format}
            job = Queue(database).submit("report", payload, cohort)
            write_report(job, workspace=workspace, database=database, progress=Silent())
            content = workspace.document(cohort, view, format).read_bytes()
            found[view, format] = content.decode() if format == "html" else "".join(read_pdf(content))
    database.close()
    assert found["internal", "html"].count(MARKER) > 300 and found["internal", "pdf"].count(MARKER) > 300
    assert "0.99" in found["internal", "pdf"] and "98.8%" in found["internal", "pdf"]
    for format in ("html", "pdf"):
        assert MARKER not in found["release", format]
        for number in ("0.98765", "0.988", "98.8", "98.77"):
            assert number not in found["release", format].replace("\u200b", ""), number


def test_it_tells_the_synthetic_table_itself(released: Any, facts: Facts) -> None:
    frame, schema = released
    report = release(frame, schema, facts)
    page, pages = read_html(as_html(report)), read_pdf(as_pdf(report))
    known = [
        f"{frame['lactate'].mean():.2f} ({frame['lactate'].std():.2f})",
        f"{int((frame['sex'] == 'F').sum()):,} ({(frame['sex'] == 'F').mean():.1%})",
        "No formal guarantee", "Not for clinical decisions", "dp_cgan", "ward.csv",
    ]  # fmt: skip
    for words in (page.words, "".join(pages)):
        assert [one for one in known if flat(one) not in flat(words)] == []
        for other in ("Held-out", "SMD", "AUC", "f" * 20):
            assert flat(other) not in flat(words)
    assert all(MARKS["release"] in one and MARKS["internal"] not in one for one in pages)
    assert MARKS["internal"] not in page.words


def test_categories_and_bounds_of_the_schema_that_no_synthetic_row_has_are_not_told(facts: Facts) -> None:
    columns = (
        Column(name="ward", kind=Kind.CATEGORICAL, categories=("A", "B", MARKER)),
        Column(name="weight", kind=Kind.NUMERIC, minimum=3.25, maximum=987.5),
    )
    schema = TableSchema(columns=columns)
    frame = conform(pd.DataFrame({"ward": ["A", "B"] * 30, "weight": [60.0 + at for at in range(60)]}), schema)
    frame["ward"] = frame["ward"].cat.set_categories(["A", "B", MARKER])
    text = as_html(release(frame, schema, facts))
    assert MARKER not in text and "987" not in text and "3.25" not in text and "in no real row" not in text


def test_nothing_depends_on_what_a_schema_has_read_off_real_rows(facts: Facts) -> None:
    frame = pd.DataFrame({"ward": ["A", "B"] * 30, "weight": [60.0 + at for at in range(60)]})
    texts = []
    for order, bounds in ((("A", "B"), (60.0, 119.0)), (("B", MARKER, "A"), (3.25, 987.5))):
        columns = (
            Column(name="ward", kind=Kind.CATEGORICAL, categories=order),
            Column(name="weight", kind=Kind.NUMERIC, minimum=bounds[0], maximum=bounds[1]),
        )
        schema = TableSchema(columns=columns)
        typed = conform(frame, schema)
        typed["ward"] = typed["ward"].cat.set_categories(list(order))
        texts.append(as_html(release(typed, schema, facts)))
    assert texts[0] == texts[1]


def test_an_empty_column_is_said_to_be_empty_without_speaking_of_real_patients(released: Any, facts: Facts) -> None:
    frame, schema = released
    empty = conform(frame.assign(lactate=float("nan")), schema)
    words = read_html(as_html(release(empty, schema, facts))).words
    assert words.count("No row has a value.") == 2 and "real patient has" not in words


def test_epsilon_delta_unit_and_the_ledger_are_told(released: Any, facts: Facts) -> None:
    privacy = {
        "guarantee": "(epsilon, delta)-differential privacy", "epsilon": 2.5, "delta": 1e-5, "unit": "patient",
        "neighbours": "add or remove one patient",
    }  # fmt: skip
    account = Account(
        source="s", name="ward.csv", members=(MARKER,), limit=10.0, delta=1e-5, spent=3.33, remaining=5.0,
        runs=(object(),), version=1, base_delta=1e-5,  # type: ignore[arg-type]
    )  # fmt: skip
    told = Facts(facts.sentence, facts.manifest | {"privacy": privacy}, account=account)
    words = read_html(as_html(release(*released, told))).words
    for one in ("2.5", "1e-05", "add or remove one patient", "have spent ε 3.33 of 10"):
        assert flat(one) in flat(words)
    assert "No formal guarantee" not in words and MARKER not in words


@pytest.mark.parametrize("manifest", [{}, {"source": {"file": "x.csv"}}])
def test_a_table_without_a_manifest_claims_nothing(released: Any, manifest: dict[str, Any]) -> None:
    words = read_html(as_html(release(*released, Facts("800 patients", manifest)))).words
    assert "No manifest lies beside the synthetic table" in words and "No formal guarantee" in words


def test_no_export_holds_a_report(tmp_path: Any, made: dict[str, Any]) -> None:
    from engine.core.settings import Settings
    from engine.services.studio import Studio

    workspace = Workspace(tmp_path)
    cohort = admit(workspace)
    write_json(workspace.comparison(cohort), made)
    path = workspace.document(cohort, "internal", "html")
    path.parent.mkdir(parents=True)
    path.write_text(f"{MARKER * 50}", encoding="utf-8")
    exports = Studio(Settings(workspace=tmp_path)).exports
    for format in exports.formats():
        made_file = exports.build(cohort, format)
        content = made_file.read_bytes() if hasattr(made_file, "read_bytes") else bytes(made_file)
        assert MARKER.encode() not in content and b"internal.html" not in content


def test_a_large_cohort_says_that_its_figures_are_of_a_part(released: Any, facts: Facts) -> None:
    frame, schema = released
    words = read_html(as_html(release(frame, schema, facts, rows_in_all=5_000_000))).words
    assert "Figures are of 800 of the cohort's 5,000,000 rows" in words
