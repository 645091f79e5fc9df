"""The Compare page while a report grows, when it is whole, and where a section is missing; without a browser."""

import copy
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.core.numerals import minus
from engine.core.progress import Silent
from engine.core.workspace import Workspace, write_json
from engine.jobs import steps
from engine.jobs.queue import JobState, Queue
from engine.storage.database import Database
from pages.components.text import plain
from tests.helpers.compared_admissions import admit, report
from tests.helpers.sections import every_section, open_section
from tests.pages.test_pages import at


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return report()


def opened(workspace: Workspace, result: dict[str, Any]) -> tuple[AppTest, str]:
    cohort = admit(workspace)
    write_json(workspace.comparison(cohort), result)
    app = at("compare")
    assert not app.exception
    return app, cohort


def words(app: AppTest) -> str:
    return "\n".join(one.value for kind in (app.markdown, app.caption, app.info, app.error) for one in kind)


def test_three_cards_each_with_its_reference_on_real_patients(empty: Workspace, whole: dict[str, Any]) -> None:
    app, _ = opened(empty, whole)
    cards = {metric.label: metric.value for metric in app.metric if metric.label in ("Fidelity", "Utility", "Privacy")}
    assert cards == {card["label"]: card["value"] for card in whole["cards"].values()}
    assert (
        cards["Fidelity"].endswith("%") and cards["Utility"].startswith("AUROC") and cards["Privacy"].startswith("AU")
    )
    captions = [one.value for one in app.caption]
    for card in whole["cards"].values():
        assert plain(card["reference"]) in captions
    for words_of_it in ("Held-out real patients", "Learned from real rows", "Among held-out real patients"):
        assert any(card["reference"].startswith(words_of_it) for card in whole["cards"].values())


def test_every_section_is_there_and_marked_as_internal(empty: Workspace, whole: dict[str, Any]) -> None:
    app, _ = opened(empty, whole)
    assert [tab.label for tab in app.tabs] == [
        "Table 1", "Distributions", "Associations", "Tell apart", "Conclusions", "Privacy", "Plausibility",
    ]  # fmt: skip
    found = every_section(app)
    for name, tab in found.items():
        assert any("Internal: computed on real rows" in one.value for one in tab.caption), name
        assert not tab.error, name
    table = found["Table 1"].dataframe[0].value
    assert {"Real", "Synthetic", "Held-out real", "SMD, synthetic", "SMD, held-out real"} <= set(table.columns)
    assert table["Characteristic"].str.contains("Lactate").any()
    # The planted difference: lactate kills fewer in the synthetic rows, and their conclusion says so.
    open_section(app, "Conclusions")
    assert plain("The opposite direction: Lactate") in words(app)
    assert "Not made yet" not in words(app)


def test_what_is_made_is_shown_while_the_rest_is_on_its_way(empty: Workspace, whole: dict[str, Any]) -> None:
    partial = copy.deepcopy(whole)
    late = ("scores", "detection", "conclusions", "privacy")
    for name in late:
        partial["sections"][name] |= {"state": "pending"}
        del partial[name]
    partial["cards"]["privacy"] |= {"state": "pending", "value": "", "reference": "", "sentence": ""}
    cohort = admit(empty)
    database = Database.for_workspace(empty, None)
    Queue(database).cancel(Queue(database).submit("compare", {"cohort_id": cohort}, cohort).id)
    write_json(empty.comparison(cohort), partial)
    app = at("compare")
    assert not app.exception
    found = every_section(app)
    waiting = {name for name, tab in found.items() if any("not made yet" in one.value for one in tab.info)}
    assert waiting == {"Tell apart", "Conclusions", "Privacy"}
    assert found["Table 1"].dataframe[0].value.shape[0] > 10
    assert {metric.label: metric.value for metric in app.metric}["Privacy"] == "…"
    # Cancelled: what was made stays, and the job can be repeated.
    assert "was cancelled" in words(app)
    assert any(button.label == "Try again" for button in app.button)


def test_a_failed_section_says_so_and_the_others_stay(empty: Workspace, whole: dict[str, Any]) -> None:
    broken = copy.deepcopy(whole)
    broken["sections"]["detection"] |= {"state": "failed", "reason": "This section failed with ValueError."}
    del broken["detection"]
    app, _ = opened(empty, broken)
    failed = {name: [one.value for one in tab.error] for name, tab in every_section(app).items() if tab.error}
    assert list(failed) == ["Tell apart"] and "ValueError" in failed["Tell apart"][0]
    assert any(button.label == "Compare again" for button in app.button)


def test_a_report_of_an_earlier_release_is_made_anew(empty: Workspace, whole: dict[str, Any]) -> None:
    _, cohort = opened(empty, {"version": 1})
    database = Database.for_workspace(empty, None)
    (job,) = Queue(database).jobs(subject=cohort)
    assert job.kind == "compare"
    Queue(database).cancel(job.id)


def test_the_user_picks_an_outcome_and_a_small_job_analyses_it(empty: Workspace, whole: dict[str, Any]) -> None:
    app, cohort = opened(empty, whole)
    open_section(app, "Conclusions")
    picker = app.selectbox(key="outcome")
    assert picker.options[0] == "Died in hospital" and "Heart failure" in picker.options
    picker.set_value("heart_failure").run()
    database = Database.for_workspace(empty, None)
    queue = Queue(database)
    before = len(queue.jobs())
    app.button(key="analyse").click().run()
    assert not app.exception
    (job, *_) = queue.jobs()
    assert len(queue.jobs()) == before + 1
    assert (job.kind, job.payload) == ("outcome", {"cohort_id": cohort, "outcome": "heart_failure"})
    if job.state is JobState.QUEUED:
        queue.cancel(job.id)
    steps.STEPS["outcome"](job, workspace=empty, database=database, progress=Silent())
    app.run()
    assert not app.exception
    assert "On Heart failure, the synthetic rows lead to" in words(app)


def test_a_larger_group_than_asked_for_is_in_plain_sight(empty: Workspace, whole: dict[str, Any]) -> None:
    relaxed = copy.deepcopy(whole)
    sentence = (
        "Fewer than 20 real patients meet every criterion (fewer than 11 patients), so the nearest larger group …"
    )
    relaxed["reference"] |= {"kind": "relaxed", "sentence": sentence, "dropped": ["Sex"]}
    app, _ = opened(empty, relaxed)
    assert [one.value for one in app.main.warning if "nearest larger group" in one.value]


def test_a_section_without_figures_says_why(empty: Workspace, whole: dict[str, Any]) -> None:
    told = copy.deepcopy(whole)
    reason = "Not assessable: no real row ships with this model (-1 of 2)."
    told["privacy"] = {"reason": reason}
    told["detection"] = {"reason": reason}
    told["associations"] = told["associations"] | {"titles": []}
    app, _ = opened(empty, told)
    tabs = {name: [one.value.replace("\\", "") for one in tab.info] for name, tab in every_section(app).items()}
    assert tabs["Privacy"] == tabs["Tell apart"] == [reason.replace("-1", "−1")]
    assert tabs["Associations"][0].startswith("Not assessable: there are too few real patients")


def test_distributions_stand_side_by_side_or_overlaid_with_their_bars_as_a_table(
    empty: Workspace, whole: dict[str, Any]
) -> None:
    app, _ = opened(empty, whole)
    open_section(app, "Distributions")
    view = app.button_group(key="view")
    assert view.value == "Side by side"
    view.set_value("Overlaid").run()
    assert not app.exception
    assert app.button_group(key="view").value == "Overlaid"
    (column,) = [one for one in whole["columns"] if one["name"] == "sex"]
    bars = next(one.value for one in app.tabs[1].dataframe if "Bar" in one.value.columns)
    sex = bars[bars["Column"] == column["title"]].set_index("Bar")
    for one in column["bins"]:
        assert sex.loc[one["label"], "Synthetic"] == f"{one['synthetic']:.1%}"
        assert sex.loc[one["label"], "Held-out real"] == f"{one['holdout']:.1%}"
    assert "missing" in sex.index


def test_every_pair_of_columns_is_in_the_table_of_associations(empty: Workspace, whole: dict[str, Any]) -> None:
    app, _ = opened(empty, whole)
    associations = open_section(app, "Associations")
    pairs = next(one.value for one in associations.dataframe if "Difference" in one.value.columns)
    titles = whole["associations"]["titles"]
    assert len(pairs) == len(titles) * (len(titles) - 1) // 2
    first = pairs.iloc[0]
    i, j = titles.index(first["Column"]), titles.index(first["And"])
    assert first["Difference"] == minus(f"{whole['associations']['difference'][i][j]:.2f}")
    known = [value for row in whole["associations"]["difference"] for value in row if value is not None]
    assert abs(float(first["Difference"].replace("−", "-"))) == pytest.approx(max(map(abs, known)), abs=0.006)
    assert not any("-" in value for value in pairs["Difference"])
