"""The form shows and keeps every request; requests and conversations belong to their data set."""

import re
from pathlib import Path

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec
from engine.core.errors import UserError
from engine.core.workspace import Workspace, write_json
from engine.schema.table import Column, Kind
from engine.storage.database import Database
from engine.storage.records import State
from engine.storage.tables import write_table
from pages.components import entries
from pages.components.preparation import _changes
from pages.components.state import studio
from pages.components.text import plain
from tests.helpers.prepared_workspace import SCHEMA

APP = Path(__file__).resolve().parents[2] / "streamlit_app.py"
DATE = Column(name="admitted", kind=Kind.DATE, label="Admitted")
NUMBER = Column(name="creatinine", kind=Kind.NUMERIC, unit="mg/dL")
CODES = Column(
    name="icd9_code", kind=Kind.CATEGORICAL, label="Diagnosis", code_system="icd9", categories=("25000", "4280", "V270")
)


def cohort_page(spec: CohortSpec | None = None) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=30).run()
    if spec is not None:
        app.session_state["_spec"] = spec
    return app.switch_page("pages/cohort.py").run()


def ward() -> str:
    """The data set of the prepared workspace."""
    return next(record.id for record in studio().datasets.all() if record.name == "ward.csv")


def add_dataset(workspace: Workspace) -> str:
    """A second data set with the rarer kinds of columns."""
    database = Database.for_workspace(workspace, None)
    dataset = database.add_dataset(name="codes.csv", source="csv", location="codes.csv")
    table = pd.DataFrame(
        {
            "admitted": pd.Series(pd.date_range("2020-01-01", periods=60), dtype="datetime64[s]"),
            "creatinine": [0.5 + number / 20 for number in range(60)],
            "icd9_code": pd.Categorical(["25000", "4280", "V270"] * 20),
        }
    )
    schema = SCHEMA.model_copy(update={"columns": (DATE, NUMBER, CODES)})
    write_table(workspace.dataset(dataset.id) / "table.parquet", table, schema)
    write_json(workspace.dataset(dataset.id) / "report.json", {})
    database.update_dataset(dataset.id, state=State.READY, rows=60, patients=60, columns=3)
    database.close()
    return dataset.id


@pytest.mark.parametrize(
    "criterion",
    [
        {"column": "admitted", "minimum": "2020-01-05", "include_minimum": False, "maximum": "2020-02-01"},
        {"column": "admitted", "ranges": [[18262.0, 18270.0], [18290.0, None]]},
        {"column": "creatinine", "minimum": 1.2, "include_minimum": False, "maximum": 2, "include_maximum": False},
        {"column": "creatinine", "ranges": [[None, 1], [2, None]], "none_of": [0.5]},
        {"column": "icd9_code", "starts_with": ["250", "428"], "not_starts_with": ["4281"]},
        {"column": "icd9_code", "between_codes": [["250", "250.93"], ["V27", "V28"]], "recorded": True},
        {"column": "icd9_code", "none_of": ["4280"]},
        {"column": "creatinine", "recorded": False},
    ],
)
def test_the_form_gives_back_each_kind_of_criterion(prepared: Workspace, criterion: dict) -> None:
    add_dataset(prepared)
    wanted = CohortSpec.model_validate({"criteria": [criterion]})
    app = cohort_page(wanted)
    assert not app.exception
    assert app.session_state["_spec"] == wanted


@pytest.mark.parametrize("typed", [0.0, -3.0, 1.5, 10_000_001.0])
def test_an_impossible_number_of_patients_is_answered_with_the_limits(prepared: Workspace, typed: float) -> None:
    app = cohort_page()
    app.number_input(key="v0-patients").set_value(typed).run()
    assert not app.exception
    assert f"{typed:,.12g} patients is not possible: ask for a whole number from 1 to 10,000,000." == app.error[0].value
    assert "generate" not in [button.key for button in app.button]
    app.number_input(key="v0-patients").set_value(40.0).run()
    assert not app.error and app.session_state["_spec"].patients == 40


def test_more_than_a_million_patients_are_confirmed(prepared: Workspace) -> None:
    app = cohort_page(CohortSpec(patients=1_000_000))
    assert not app.button(key="generate").disabled
    app.number_input(key="v0-patients").set_value(10_000_000.0).run()
    assert app.button(key="generate").disabled
    assert any("At most 10,000,000 are possible" in info.value for info in app.info)
    app.checkbox(key="sure-10000000").check().run()
    assert not app.button(key="generate").disabled
    app.number_input(key="v0-patients").set_value(9_000_000.0).run()
    assert app.button(key="generate").disabled, "another number is confirmed anew"


def test_a_rare_demand_is_written_out_while_more_is_closed(prepared: Workspace) -> None:
    add_dataset(prepared)
    criterion = {"column": "creatinine", "minimum": 1.5, "include_minimum": False, "none_of": [2]}
    app = cohort_page(CohortSpec.model_validate({"criteria": [criterion]}))
    assert any("above 1\\.5, not equal · not 2" in caption.value for caption in app.caption)


def test_an_emptied_criterion_stays_in_its_place(prepared: Workspace) -> None:
    criteria = [{"column": "sex", "any_of": ["F"]}, {"column": "age_years", "minimum": 40}]
    app = cohort_page(CohortSpec.model_validate({"criteria": criteria}))
    app.multiselect(key="v0-c0-any").set_value([]).run()
    assert not app.exception
    first, second = app.session_state["_spec"].criteria
    assert (first.column, first.recorded) == ("sex", True)
    assert (second.column, second.minimum) == ("age_years", 40)
    app.multiselect(key="v0-c0-any").set_value(["M"]).run()
    assert app.session_state["_spec"].criteria[0].any_of == ("M",)


def test_a_field_that_cannot_be_read_is_named_and_the_form_stays(prepared: Workspace) -> None:
    app = cohort_page(CohortSpec.model_validate({"criteria": [{"column": "age_years", "minimum": 40}]}))
    app.text_input(key="v0-c0-ranges").set_value("forty").run()
    assert "'forty' is not a range of Age (years)" in app.error[0].value
    assert app.selectbox(key="v0-add") is not None
    app.number_input(key="v0-c0-max").set_value(30.0).run()
    app.text_input(key="v0-c0-ranges").set_value("").run()
    assert "is above maximum" in app.error[0].value
    app.number_input(key="v0-c0-max").set_value(50.0).run()
    assert not app.error
    assert app.session_state["_spec"].criteria[0].maximum == 50


def test_each_data_set_has_its_own_request_and_conversation(prepared: Workspace) -> None:
    second = add_dataset(prepared)
    app = AppTest.from_file(APP, default_timeout=30).run()
    first = ward()
    app.selectbox(key="dataset").set_value(first).run()
    app.switch_page("pages/cohort.py").run()
    app.chat_input(key="say").set_value("250 women over 65").run()
    app.button(key="apply-1").click().run()
    app.session_state["dataset"] = second
    app.run()
    assert not app.exception
    assert not app.error
    assert app.session_state["_spec"] == CohortSpec()
    assert not app.chat_message
    app.session_state["dataset"] = first
    app.run()
    assert app.session_state["_spec"].patients == 250
    assert len(app.chat_message) == 2


def test_a_follow_up_continues_the_proposal_that_waits(prepared: Workspace) -> None:
    app = cohort_page()
    app.chat_input(key="say").set_value("250 women over 65").run()
    app.chat_input(key="say").set_value("only emergencies").run()
    assert app.session_state["_spec"] == CohortSpec()
    app.button(key="apply-2").click().run()
    applied = app.session_state["_spec"]
    assert applied.patients == 250
    assert {criterion.column for criterion in applied.criteria} == {"sex", "age_years", "admission_type"}


def test_the_request_of_a_cohort_returns_to_the_form(prepared: Workspace) -> None:
    app = cohort_page(CohortSpec(patients=9))
    app.button(key="to-form").click().run()
    assert app.session_state["_spec"] == CohortSpec(patients=120)


def test_the_bar_lists_the_cohorts_of_the_chosen_data_set(prepared: Workspace) -> None:
    second = add_dataset(prepared)
    app = AppTest.from_file(APP, default_timeout=30)
    app.session_state["dataset"] = ward()
    assert app.run().selectbox(key="cohort").options == ["120 patients"]
    app = AppTest.from_file(APP, default_timeout=30)
    app.session_state["dataset"] = second
    assert [box.key for box in app.run().selectbox] == ["dataset"]


def test_two_data_sets_of_one_name_have_labels_of_their_own(empty: Workspace) -> None:
    database = Database.for_workspace(empty, None)
    for _ in range(3):
        database.add_dataset(name="ward.csv", source="csv", location="ward.csv")
    database.close()
    app = AppTest.from_file(APP, default_timeout=30).run()
    assert len(set(app.selectbox(key="dataset").options)) == 3


def test_a_table_that_was_never_read_says_so(empty: Workspace) -> None:
    database = Database.for_workspace(empty, None)
    database.add_dataset(name="lost.csv", source="csv", location="lost.csv")
    database.close()
    app = AppTest.from_file(APP, default_timeout=30).run().switch_page("pages/data.py").run()
    assert "Upload it again" in app.info[0].value


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        ("..20; 35..40", NUMBER, ((None, 20.0), (35.0, 40.0))),
        ("2020-01-01..", DATE, ((18262.0, None),)),
        (" ", NUMBER, None),
    ],
)
def test_ranges_are_read_and_written_alike(text: str, column: Column, expected: tuple | None) -> None:
    assert entries.ranges(text, column) == expected
    assert entries.ranges(entries.shown_ranges(expected, column), column) == expected


@pytest.mark.parametrize("text", ["20", "..", "a..b", "5..b"])
def test_a_malformed_range_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        entries.ranges(text, NUMBER)


def test_large_and_exact_numbers_are_written_in_full() -> None:
    assert entries.shown_list((1234567.5, 0.1), NUMBER) == "1234567.5, 0.1"


def test_categories_are_shown_as_they_are_written() -> None:
    assert plain("[70-80) *a*") == "&#91;70\\-80\\) \\*a\\*"


@pytest.mark.parametrize(
    "text", ["https://a.example.org/x", "(HTTP://x.org)", "see www.example.org", "mail a.b@example.org", "WWW.x.org"]
)
def test_addresses_in_data_are_no_links(text: str) -> None:
    # What Streamlit's Markdown links, looked for in the text that is left when the escapes are gone.
    linked = re.compile(r"(?:https?://|www\.)[-.\w]+|[-.\w+]+@[-\w]+(?:\.[-\w]+)+", re.IGNORECASE)
    assert linked.search(text)
    assert not linked.search(plain(text).replace("\\", ""))
    assert plain(text).replace("\\", "").replace("\N{WORD JOINER}", "") == text


def test_an_emptied_unit_is_removed_and_an_emptied_bound_stays() -> None:
    before = pd.Series({"Role": "feature", "Kind": "numeric", "Unit": "mg", "Minimum": 1.0, "Maximum": 2.0})
    after = pd.Series({"Role": "feature", "Kind": "integer", "Unit": None, "Minimum": None, "Maximum": 3.0})
    assert _changes(before, after) == {"kind": "integer", "unit": "", "maximum": 3.0}
