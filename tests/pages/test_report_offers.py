"""Where the report is offered: the internal one on Compare, on Export only behind a confirmation."""

import pytest
from streamlit.testing.v1 import AppTest

from engine.core.progress import Silent
from engine.core.workspace import Workspace, write_json
from engine.jobs.queue import Queue
from engine.jobs.steps import STEPS
from engine.storage.database import Database
from tests.helpers.compared_admissions import admit, report
from tests.pages.test_pages import at

MAKE = {f"Make {view} report as {format}" for view in ("internal", "release") for format in ("HTML", "PDF")}


@pytest.fixture(scope="module")
def compared() -> dict:
    return report()


def offered(app: AppTest) -> set[str]:
    assert not app.exception
    return {button.label for button in app.button} & MAKE


def test_compare_offers_the_internal_report_and_queues_it_when_asked(empty: Workspace, compared: dict) -> None:
    cohort = admit(empty)
    write_json(empty.comparison(cohort), compared)
    app = at("compare")
    assert offered(app) == {"Make internal report as HTML", "Make internal report as PDF"}
    assert any("It is not part of an export" in one.value for one in app.caption)
    app.button(key="make-internal-pdf").click().run()
    database = Database.for_workspace(empty)
    jobs = [job for job in Queue(database).jobs() if job.kind == "report"]
    assert [job.payload for job in jobs] == [{"cohort_id": cohort, "view": "internal", "format": "pdf"}]
    database.close()


def test_export_offers_the_internal_report_only_to_who_confirms(empty: Workspace, compared: dict) -> None:
    cohort = admit(empty)
    write_json(empty.comparison(cohort), compared)
    app = at("export")
    assert offered(app) == {"Make release report as HTML", "Make release report as PDF"}
    assert [one.label for one in app.expander if "aggregates of real patients" in one.label]
    app.checkbox(key="internal-report").check().run()
    assert offered(app) == MAKE


def test_export_of_a_cohort_that_is_not_compared_has_no_internal_report(empty: Workspace) -> None:
    admit(empty)
    app = at("export")
    app.checkbox(key="internal-report").check().run()
    assert offered(app) == {"Make release report as HTML", "Make release report as PDF"}
    assert any("not compared with real patients yet" in one.value for one in app.info)


def test_a_report_that_is_made_is_offered_for_download(empty: Workspace) -> None:
    cohort = admit(empty)
    database = Database.for_workspace(empty)
    job = Queue(database).submit("report", {"cohort_id": cohort, "view": "release", "format": "html"}, "s")
    STEPS["report"](job, workspace=empty, database=database, progress=Silent())
    database.close()
    app = at("export")
    assert offered(app) == {"Make release report as PDF"}
    assert "Download release report as HTML" in [one.label for one in app.get("download_button")]
