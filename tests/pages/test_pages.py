"""Every page in its empty and its filled state, without a browser."""

from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec
from engine.core.workspace import Workspace

APP = Path(__file__).resolve().parents[2] / "streamlit_app.py"
PAGES = ("start", "data", "train", "cohort", "compare", "bake_off", "export", "about")


def at(page: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    return app if page == "start" else app.switch_page(f"pages/{page}.py").run()


@pytest.mark.parametrize("page", PAGES)
def test_an_empty_workspace_says_what_to_do_first(empty: Workspace, page: str) -> None:
    app = at(page)
    assert not app.exception
    assert not app.error
    if page not in ("start", "about"):
        assert app.info, "an empty page names its prerequisite"


@pytest.mark.parametrize("page", [page for page in PAGES if page != "compare"])
def test_a_prepared_workspace_is_shown_without_an_error(prepared: Workspace, page: str) -> None:
    app = at(page)
    assert not app.exception
    assert not app.error


def test_chat_fills_the_form_only_when_applied_and_can_be_undone(prepared: Workspace) -> None:
    app = at("cohort")
    app.chat_input(key="say").set_value("250 women over 65").run()
    assert request(app) == CohortSpec()
    app.button(key="apply-1").click().run()
    applied = request(app)
    assert applied.patients == 250
    assert {criterion.column for criterion in applied.criteria} == {"sex", "age_years"}
    assert any(field.value == 65 for field in app.number_input if field.label.endswith("from"))
    app.button(key="undo-1").click().run()
    assert request(app) == CohortSpec()


def test_the_form_edits_the_same_request(prepared: Workspace) -> None:
    app = at("cohort")
    app.selectbox(key="v0-add").set_value("age_years").run()
    app.number_input(key="v1-c0-min").set_value(40.0).run()
    app.number_input(key="v1-c0-max").set_value(60.0).run()
    criterion = request(app).criteria[0]
    assert (criterion.column, criterion.minimum, criterion.maximum) == ("age_years", 40, 60)
    app.button(key="v1-c0-drop").click().run()
    assert request(app).criteria == ()


def test_every_field_of_a_criterion_survives_the_form(prepared: Workspace) -> None:
    wanted = CohortSpec.model_validate(
        {
            "patients": 77,
            "seed": 3,
            "criteria": [
                {"column": "age_years", "minimum": 20, "include_minimum": False, "ranges": [[None, 40], [60, None]],
                 "none_of": [33]},
                {"column": "sex", "any_of": ["F"]},
                {"column": "admission_type", "none_of": ["URGENT"], "recorded": True},
                {"column": "died_in_hospital", "any_of": [False]},
            ],
            "shares": [{"column": "admission_type", "category": "ELECTIVE", "share": 0.25}],
            "columns": ["sex", "age_years"],
        }
    )  # fmt: skip
    app = AppTest.from_file(APP, default_timeout=30).run()
    app.session_state["_spec"] = wanted
    app.switch_page("pages/cohort.py").run()
    assert not app.error
    assert request(app) == wanted


def test_shares_beyond_the_whole_are_refused_in_words(prepared: Workspace) -> None:
    app = at("cohort")
    app.chat_input(key="say").set_value("100 patients, 30 % men and 80 % women").run()
    assert request(app) == CohortSpec()
    assert app.warning, "the answer names the contradiction"


def test_generate_queues_one_job_for_the_request(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self, warm=False: False)
    app = at("cohort")
    app.button(key="generate").click().run()
    assert not app.error
    from pages.components.state import studio

    (job,) = studio().work.active()
    assert (job.kind, job.payload["spec"]["patients"]) == ("generate", 1000)


def request(app: AppTest) -> CohortSpec:
    return app.session_state["_spec"]


@pytest.mark.parametrize("address", ["0.0.0.0", "192.0.2.7", ""])
def test_a_public_address_without_sign_in_shows_nothing(
    prepared: Workspace, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    before = st.get_option
    monkeypatch.setattr(st, "get_option", lambda name: address if name == "server.address" else before(name))
    app = at("start")
    assert "no sign-in is configured" in app.error[0].value
    assert not app.title
