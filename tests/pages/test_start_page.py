"""Start: a request finds its source, what is ready, the tour, and the way back."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec
from engine.core.settings import settings
from engine.core.workspace import Workspace
from engine.services.shipped import read_source
from pages.components.state import studio
from tests.helpers import small_bundle
from tests.helpers.prepared_workspace import prepare

APP = Path(__file__).resolve().parents[2] / "streamlit_app.py"


@pytest.fixture
def ward(empty: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A workspace with a shipped source; gives its data set's id."""
    source = read_source(small_bundle.bundle_in(tmp_path / "models"))
    monkeypatch.setenv("COHORT_STUDIO_SHIPPED_MODELS", str(tmp_path / "models"))
    settings.cache_clear()
    yield source.dataset_id
    settings.cache_clear()


def start() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert not app.exception
    return app


def ask(app: AppTest, text: str) -> AppTest:
    app.chat_input(key="ask").set_value(text).run()
    return settled(app)


def settled(app: AppTest) -> AppTest:
    talk = app.session_state["_conversation"]
    end = time.monotonic() + 60
    while studio().conversations.reply(talk.id) is not None:
        assert time.monotonic() < end
        time.sleep(0.01)
    app.run()
    assert not app.exception
    return app


def prepare_own(ward: str) -> str:
    """A data set of a person's own beside the one that ships; gives its id."""
    prepare(Workspace(settings().workspace))
    return next(record.id for record in studio().datasets.all() if record.id != ward)


def title(app: AppTest) -> str:
    return app.title[0].value


def text(app: AppTest) -> str:
    parts = [element.value for kind in ("markdown", "caption", "info", "error") for element in app.get(kind)]
    return "\n".join(parts)


def test_nothing_is_ready_and_the_request_is_told_so(empty: Workspace) -> None:
    app = start()
    assert "Ready to answer" not in [header.value for header in app.header]
    app.chat_input(key="ask").set_value("200 women over 60").run()
    assert "No data set is ready" in text(app) or "no data set is ready" in text(app)


def test_what_ships_is_ready_with_its_guarantee_and_card(ward: str) -> None:
    app = start()
    assert r"Small ward \(simulated\)" in [one.value for one in app.subheader]
    assert "ε" in text(app) and "patients learned" in text(app)
    assert "Simulated patients of a ward." in text(app)


def test_a_request_on_start_becomes_a_proposal_on_the_cohort_page(ward: str) -> None:
    app = ask(start(), "200 women over 60 with diabetes")
    assert title(app) == "Cohort"
    assert app.session_state["dataset"] == ward
    talk = app.session_state["_conversation"]
    assert talk.exchanges[0].text == "200 women over 60 with diabetes"
    assert talk.last_proposal is not None and talk.last_proposal.turn.spec.patients == 200


def test_a_request_finds_the_source_that_has_its_columns(ward: str) -> None:
    """The bar, which takes the choice over, is not drawn again in these tests: the browser's go on from here."""
    own = prepare_own(ward)
    assert "glucose" in studio().datasets.schema(ward).names and "glucose" not in studio().datasets.schema(own).names
    app = start()
    assert app.session_state["dataset"] == own, "the newest is shown first"
    app.chat_input(key="ask").set_value("200 patients with glucose above 150 mg/dL").run()
    assert app.session_state["_next_dataset"] == ward
    assert [talk.title for talk in studio().conversations.all(ward)] == ["200 patients with glucose above 150 mg/dL"]
    assert studio().conversations.all(own) == []


def test_a_source_that_a_person_chose_stays_and_the_better_one_is_offered(ward: str) -> None:
    own = prepare_own(ward)
    app = start()
    app.session_state["_pinned"] = own
    app = ask(app, "200 patients with glucose above 150 mg/dL")
    assert "_next_dataset" not in app.session_state
    assert "which you chose" in text(app)
    app.button(key="better-source").click().run()
    assert app.session_state["_next_dataset"] == ward and app.session_state["_pinned"] == ward
    assert len(studio().conversations.all(ward)) == 1


def test_a_conversation_is_resumed_with_its_form(ward: str) -> None:
    app = ask(start(), "200 women over 60 with diabetes")
    talk = app.session_state["_conversation"]
    app.button(key=f"apply-{talk.exchanges[0].position}").click().run()
    fresh = start()
    fresh.button(key=f"resume-{talk.id}").click().run()
    assert not fresh.exception
    assert title(fresh) == "Cohort"
    assert fresh.session_state["_conversation"].id == talk.id
    assert fresh.session_state["_spec"].patients == 200


def test_the_tour_says_on_each_page_what_to_do_until_it_is_left(ward: str) -> None:
    app = start()
    assert "Tour" not in text(app)
    app.button(key="tour-begin").click().run()
    assert "Tour 1 of 4" in text(app)
    app = ask(app, "200 women over 60 with diabetes")
    assert "Tour 2 of 4" in text(app)
    app.button(key="tour-end").click().run()
    assert "Tour" not in text(app)


def test_one_click_applies_and_generates(ward: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self: None)
    app = ask(start(), "200 women over 60 with diabetes")
    talk = app.session_state["_conversation"]
    app.button(key=f"generate-{talk.exchanges[0].position}").click().run()
    assert not app.exception
    (cohort,) = studio().cohorts.all()
    assert cohort.spec["patients"] == 200 and cohort.conversation_id == talk.id
    assert app.session_state["_next_cohort"] == cohort.id


def test_the_form_goes_to_another_source_as_far_as_it_fits(ward: str) -> None:
    own = prepare_own(ward)
    app = start().switch_page("pages/cohort.py").run()
    app.session_state["_spec"] = CohortSpec.model_validate(
        {
            "patients": 70,
            "criteria": [{"column": "age_years", "minimum": 60}, {"column": "admission_type", "any_of": ["EMERGENCY"]}],
        }
    )
    app.session_state["_spec_version"] = 1  # as whatever replaces the request does
    app.run()
    assert not app.exception
    assert app.session_state["dataset"] == own
    assert "admission_type" not in studio().datasets.schema(ward)
    assert "Source: " in text(app) and "A table of your own" in text(app)
    assert "Cannot be asked for: admission type is emergency" in text(app)
    app.button(key=f"use-source-{ward}").click().run()
    assert app.session_state["_next_dataset"] == ward and app.session_state["_pinned"] == ward
    # The bar, which would turn to it, is not drawn again here, so that its form waits.
    request, talk = app.session_state["_requests"][ward]
    assert ([part.column for part in request.criteria], request.patients) == (["age_years"], 70)
    assert talk is None


def test_a_request_that_no_ready_source_is_about_is_told_where_to_find_one(ward: str) -> None:
    app = ask(start(), "200 ICU patients over 60")
    assert "No source that is ready is about intensive\\-care patients" in text(app)
    assert "fetch its open demo" in text(app)
    app.button(key="add-source").click().run()
    assert title(app) == "Synthetic patients, on request"


def test_a_request_that_suits_is_told_nothing_of_the_kind(ward: str) -> None:
    app = ask(start(), "200 women over 60 with diabetes")
    assert "No source that is ready" not in text(app)
