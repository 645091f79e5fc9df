"""The page Bake-off: what can be chosen and what it costs, and a table that says who is best; without a browser."""

import csv
import io

import pytest
from streamlit.testing.v1 import AppTest

from engine.core.workspace import Workspace
from engine.jobs.contenders import Contest
from engine.jobs.queue import Queue
from engine.plots.bake_off import bake_off_alt_text, bake_off_figure, bake_off_points
from engine.privacy.ledger import Ledger
from engine.services.bake_off import as_csv, columns, table
from engine.storage.database import Database
from tests.helpers import bake_off_results
from tests.pages.test_pages import at

GENERATORS = "bake-off-generators-"


def dataset(workspace: Workspace) -> str:
    (record,) = Database.for_workspace(workspace, None).datasets()
    return record.id


def words(app: AppTest) -> str:
    return "\n".join(
        one.value for kind in (app.markdown, app.caption, app.info, app.warning, app.error) for one in kind
    )


def test_without_a_data_set_it_says_what_to_do_first(empty: Workspace) -> None:
    app = at("bake_off")
    assert not app.exception and not app.error
    assert "needs a prepared data set" in app.info[0].value


def test_a_data_set_without_rows_is_explained(prepared: Workspace) -> None:
    (prepared.dataset(dataset(prepared)) / "splits.json").unlink()
    app = at("bake_off")
    assert not app.exception
    assert "comes without rows to learn from" in app.info[0].value
    assert not app.multiselect


def test_it_starts_what_was_chosen(prepared: Workspace) -> None:
    of = dataset(prepared)
    app = at("bake_off")
    assert not app.exception
    chosen = app.multiselect(key=GENERATORS + of)
    # 300 patients are too few for a private proposal; our own is there without, beside the baselines.
    assert chosen.value == [
        "DP-CGAN (Cohort Studio) · No formal privacy", "Gaussian copula (SDV)", "CTGAN (SDV)", "TVAE (SDV)",
    ]  # fmt: skip
    assert "Nothing bounds what the model remembers" in words(app)
    assert app.selectbox(key=f"bake-off-outcome-{of}").value == "died_in_hospital"
    chosen.set_value(["DP-CGAN (Cohort Studio) · Balanced · ε 3", "Gaussian copula (SDV)"]).run()
    assert "The private training brings it to" in words(app) and "300 patients are few for ε 3" in words(app)
    app.button(key="bake-off-start").click().run()
    assert not app.exception and not app.error
    queue = Queue(Database.for_workspace(prepared, None))
    (job,) = queue.jobs(kind="bake_off")
    queue.cancel(job.id)
    contest = Contest.from_json(job.payload)
    assert [one.key for one in contest.contenders] == ["dp_cgan_eps3", "gaussian_copula"]
    assert contest.contenders[0].options == {"private": True, "epsilon": 3.0, "delta": 1e-3}
    assert (contest.rows, contest.outcome, contest.seed) == (210, "died_in_hospital", 7)


def test_nothing_chosen_and_an_exceeded_budget_cannot_be_started(prepared: Workspace) -> None:
    of = dataset(prepared)
    app = at("bake_off")
    app.multiselect(key=GENERATORS + of).set_value([]).run()
    assert app.button(key="bake-off-start").disabled and "Choose a generator." in words(app)
    levels = ["Strong · ε 1", "Balanced · ε 3", "Detailed · ε 10"]
    app.multiselect(key=GENERATORS + of).set_value([f"DP-CGAN (Cohort Studio) · {one}" for one in levels]).run()
    assert not app.button(key="bake-off-start").disabled
    assert "The 3 private trainings bring it to" in words(app)
    database = Database.for_workspace(prepared, None)
    ledger = Ledger(database, prepared)
    (account,) = ledger.accounts()
    # Each alone would fit; together they do not.
    ledger.set_limit(account.source, 10.2)
    app.run()
    assert app.button(key="bake-off-start").disabled and "more than the limit of 10.2" in words(app)


def test_the_table_is_framed_and_marks_the_best(prepared: Workspace) -> None:
    bake_off_results.put(prepared, dataset(prepared))
    app = at("bake_off")
    assert not app.exception and not app.error
    shown = next(frame.value for frame in app.dataframe if "Generator" in frame.value)
    assert shown["Generator"].iloc[0].startswith("Real hold-out")
    assert shown["Generator"].iloc[-1].startswith("Columns shuffled")
    assert list(shown["Quality"]) == ["0.988", "★ 0.997", "0.990", "", "", "0.892"]
    assert list(shown["C2ST"])[1] == "★ 0.519" and list(shown["TRTR"])[1] == "0.628"
    assert list(shown["Status"]) == ["", "", "", "failed", "failed", ""]
    text = words(app)
    assert "Internal: computed on real rows" in text
    assert "took longer than the limit of 600 s" in text
    assert "Copies: held-out — Not assessable" in text
    for info in columns():
        assert f"**{info.label}**" in text
    assert app.get("download_button")


def test_a_cancelled_bake_off_shows_what_it_reached(prepared: Workspace) -> None:
    bake_off_results.put(prepared, dataset(prepared), done=False)
    app = at("bake_off")
    assert not app.exception
    shown = next(frame.value for frame in app.dataframe if "Generator" in frame.value)
    assert list(shown["Status"]) == ["", "", "", "failed", "not finished", ""]
    assert "was cancelled" in words(app) and any(button.label == "Try again" for button in app.button)


def test_the_file_has_numbers_and_every_line_is_marked_internal() -> None:
    made = bake_off_results.result()
    made["contenders"][2]["label"] = "=1+1"
    lines = list(csv.DictReader(io.StringIO(as_csv(made))))
    assert [line["use"] for line in lines] == ["internal: aggregates of real patients"] * 6
    assert float(lines[1]["quality"]) == 0.997 and float(lines[2]["epsilon"]) == 2.99
    assert lines[0]["copies_holdout"] == "not assessable" and lines[3]["state"] == "failed"
    assert lines[3]["generator"] == "'=1+1"


def test_a_line_at_work_is_not_the_best_of_anything() -> None:
    made = bake_off_results.result()
    assert [one.state for one in table(made)] == ["", "", "", "failed", "at work", ""]
    assert all("★" not in cell for one in table(made) for cell in one.cells.values() if one.state)


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_has_each_generator_by_number_shape_and_name(dark: bool) -> None:
    made = bake_off_results.result()
    points = bake_off_points(made)
    assert [(one["number"], one["kind"]) for one in points] == [
        (1, "reference"), (2, "contender"), (3, "private"), (4, "reference"),
    ]  # fmt: skip
    figure = bake_off_figure(made, dark=dark)
    assert [trace.text[0] for trace in figure.data] == ["1", "2", "3", "4"]
    assert len({trace.marker.symbol for trace in figure.data}) == 3
    assert "C2ST 0.52, TSTR 0.62" in bake_off_alt_text(made)
    made["outcome"] = None
    for line in (made["ceiling"], made["floor"], *made["contenders"][:2]):
        line["figures"]["tstr"] = {"value": None, "text": "not assessable", "reason": "x"}
    assert "No generator has both figures" in bake_off_figure(made, dark=dark).layout.annotations[0].text
    assert "no generator has both" in bake_off_alt_text(made)
