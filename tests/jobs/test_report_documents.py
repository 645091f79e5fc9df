"""The job that writes a report, and the service that finds it again."""

from pathlib import Path
from typing import Any

import pytest

from engine.core.errors import UserError
from engine.core.progress import Silent
from engine.core.settings import Settings
from engine.core.workspace import write_json
from engine.jobs.queue import JobState
from engine.jobs.steps import STEPS
from engine.services.context import Context
from engine.services.reports import FORMATS, VIEWS, Reports
from tests.helpers.compared_admissions import admit


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context.open(Settings(workspace=tmp_path))


def pending(comparison: dict[str, Any] | None = None) -> dict[str, Any]:
    """A comparison of which no section is made."""
    names = ("columns", "table_one", "plausibility", "associations", "scores", "detection", "conclusions", "privacy")
    return {
        "version": 2, "small_cell_minimum": 11, "notes": [], "synthetic_rows": 800, "cards": {},
        "reference": {"kind": "all", "sentence": "Compared with all real rows."},
        "sections": {name: {"state": "pending", "reason": ""} for name in names},
    } | (comparison or {})  # fmt: skip


def written(context: Context, cohort: str, view: str, format: str) -> Path:
    payload = {"cohort_id": cohort, "view": view, "format": format}
    job = context.queue.submit("report", payload, Reports(context).subject(cohort, view, format))
    STEPS["report"](job, workspace=context.workspace, database=context.database, progress=Silent())
    return context.workspace.document(cohort, view, format)


def test_the_two_views_are_files_beside_each_other_under_names_that_say_which(context: Context) -> None:
    cohort = admit(context.workspace)
    write_json(context.workspace.comparison(cohort), pending())
    reports = Reports(context)
    names = set()
    for view in VIEWS:
        for format in FORMATS:
            assert reports.document(cohort, view, format) is None
            path = written(context, cohort, view, format)
            made = reports.document(cohort, view, format)
            assert made is not None and made.path == path and made.read() == path.read_bytes()
            assert ("INTERNAL" in made.name) is (view == "internal") and made.name.endswith(format)
            names.add((path.name, made.name, made.mime))
    assert len(names) == 4


def test_a_report_of_figures_that_have_changed_is_not_handed_out(context: Context) -> None:
    import os

    cohort = admit(context.workspace)
    comparison = context.workspace.comparison(cohort)
    write_json(comparison, pending())
    written(context, cohort, "internal", "html")
    written(context, cohort, "release", "html")
    later = context.workspace.document(cohort, "internal", "html").stat().st_mtime_ns + 10**9
    os.utime(comparison, ns=(later, later))
    assert Reports(context).document(cohort, "internal", "html") is None
    assert Reports(context).document(cohort, "release", "html") is not None, "it tells nothing of the comparison"


def test_a_cohort_that_is_not_compared_has_a_release_report_only(context: Context) -> None:
    cohort = admit(context.workspace)
    with pytest.raises(UserError, match="not compared"):
        written(context, cohort, "internal", "html")
    assert written(context, cohort, "release", "html").exists()


@pytest.mark.parametrize(("view", "format"), [("internal", "docx"), ("everything", "html"), ("../internal", "html")])
def test_other_views_and_formats_are_refused(context: Context, view: str, format: str) -> None:
    cohort = admit(context.workspace)
    with pytest.raises(UserError, match="there is no report"):
        written(context, cohort, view, format)
    assert not (context.workspace.cohort(cohort) / "documents").exists()


def test_no_path_outside_of_the_cohorts_folder_is_named(context: Context) -> None:
    with pytest.raises(ValueError, match="not alphanumeric"):
        context.workspace.document("c1", "../../internal", "html")


def test_each_report_is_found_by_a_subject_of_its_own(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(context.supervisor), "ensure", lambda self: None)
    reports = Reports(context)
    subjects = {reports.subject("c1", view, format) for view in VIEWS for format in FORMATS}
    assert len(subjects) == 4 and "c1" not in subjects
    job = reports.start("c1", "release", "pdf")
    found = context.queue.job(job)
    assert (found.kind, found.state) == ("report", JobState.QUEUED)
    assert found.payload == {"cohort_id": "c1", "view": "release", "format": "pdf"}
