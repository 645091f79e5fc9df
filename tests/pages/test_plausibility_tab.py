"""The Plausibility tab of the Compare page, without a browser."""

from streamlit.testing.v1 import AppTest

from engine.core.workspace import Workspace
from tests.helpers.plausible_comparison import with_broken_rules
from tests.helpers.prepared_workspace import compare, prepare
from tests.helpers.sections import open_section
from tests.pages.test_pages import at


def opened(workspace: Workspace, *, dirty_real_rows: int = 0) -> AppTest:
    cohort = prepare(workspace)
    compare(workspace, cohort)
    with_broken_rules(workspace, cohort, dirty_real_rows=dirty_real_rows)
    app = at("compare")
    open_section(app, "Plausibility")
    return app


def test_the_tab_shows_that_no_synthetic_row_is_impossible(empty: Workspace) -> None:
    app = opened(empty)
    assert app.tabs[-1].label == "Plausibility"
    totals = {metric.label: metric.value for metric in app.metric if metric.label.startswith("Synthetic ")}
    assert totals == {
        "Synthetic impossible rows": "0",
        "Synthetic discordant rows": "60 (12.0%)",
        "Synthetic rare rows": "2 (0.4%)",
    }


def test_each_broken_rule_stands_with_its_rates_and_each_rule_with_its_source(empty: Workspace) -> None:
    app = opened(empty)
    tables = [table.value for table in app.table]
    assert [table.to_dict("records") for table in tables] == [
        [{"Rule": "Hematocrit is about three times hemoglobin", "Real": "3.0%", "Held-out real": "3.0%",
          "Synthetic": "60 (12.0%)"}],
        [{"Rule": "Blood pH between 6\\.8 and 8\\.0", "Real": "fewer than 11 patients", "Held-out real": "0",
          "Synthetic": "2 (0.4%)"}],
    ]  # fmt: skip
    text = "\n".join(one.value for one in app.markdown)
    assert "Wintrobe MM, Arch Intern Med 1934" in text
    assert "Sex conflict" in text
    assert not app.tabs[-1].warning


def test_real_rows_that_break_a_rule_are_pointed_out(empty: Workspace) -> None:
    app = opened(empty, dirty_real_rows=40)
    assert any("of the real rows break the rule" in one.value for one in app.warning)
