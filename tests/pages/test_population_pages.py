"""A reference population in the form, before the cohort is generated, and beside what was reached."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec
from engine.core.progress import Silent
from engine.core.workspace import Workspace
from engine.sampling.conditional import draw
from engine.storage.database import Database
from tests.sampling.test_drawn_like_a_population import Clinic

APP = Path(__file__).resolve().parents[2] / "streamlit_app.py"


def cohort_page(spec: CohortSpec, cohort: str | None = None) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    app.session_state["_spec"] = spec
    if cohort is not None:
        app.session_state["_cohort"] = cohort
    return app.switch_page("pages/cohort.py").run()


def test_the_form_offers_the_populations_and_keeps_the_choice(prepared: Workspace) -> None:
    app = cohort_page(CohortSpec())
    choice = app.selectbox(key="v0-population")
    assert choice.options[:3] == [
        "As among the source's patients", "US population (2015–2018)", "US population of 2011–2014",
    ]  # fmt: skip
    choice.select("us").run()
    assert not app.exception
    assert app.session_state["_spec"].reference_population == "us"
    assert any("all adults in the United States, 2015–2018" in caption.value for caption in app.caption)
    assert any("following the US population" in text.value for text in app.text)


def test_a_population_that_nobody_belongs_to_is_refused_before_it_is_drawn(prepared: Workspace) -> None:
    children = CohortSpec.model_validate(
        {"reference_population": "us", "criteria": [{"column": "age_years", "maximum": 12}]}
    )
    app = cohort_page(children)
    assert not app.exception
    assert "fewer than 30 participants" in app.error[0].value.lower()
    assert "generate" not in [button.key for button in app.button]


def test_wanted_and_reached_stand_side_by_side(prepared: Workspace) -> None:
    spec = CohortSpec(patients=120, reference_population="us")
    found = draw(Clinic(), spec, table=None, progress=Silent())
    database = Database.for_workspace(prepared, None)
    cohort = database.cohorts()[0]
    database.update_cohort(
        cohort.id, report={**(cohort.report or {}), "notes": found.notes, "population": found.population}
    )
    database.close()
    app = cohort_page(spec, cohort.id)
    assert not app.exception
    table = next(frame.value for frame in app.dataframe if "Reached %" in frame.value.columns)
    assert abs(table["Wanted %"] - table["Reached %"]).max() < 1
    assert set(table["Category"]) >= {"20–29", "80 and older", "F", "WHITE", "ASIAN or OTHER"}
    assert not app.warning, "what the population says is told once"
    assert any("Design effect" in caption.value and "Centers for Disease" in caption.value for caption in app.caption)
