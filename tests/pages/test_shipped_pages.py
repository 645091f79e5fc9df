"""The pages of a model that ships: what stands where a source of real rows has its figures."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.cohort.spec import CohortSpec, Criterion
from engine.core.settings import settings
from engine.core.workspace import Workspace
from pages.components import state
from tests.helpers.small_bundle import bundle_in, compared

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def shipped(empty: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose only data set ships with its model; no worker is started."""
    bundle_in(tmp_path / "shipped")
    monkeypatch.setenv("COHORT_STUDIO_SHIPPED_MODELS", str(tmp_path / "shipped"))
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self, warm=False: False)
    settings.cache_clear()
    state.studio.clear()
    return empty


def opened(page: str) -> AppTest:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    app.switch_page(f"pages/{page}.py").run()
    assert not app.exception
    return app


def text_of(app: AppTest) -> str:
    kinds = (app.markdown, app.caption, app.info, app.warning, app.error, app.text)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def test_data_shows_the_private_summary(shipped: Workspace) -> None:
    app = opened("data")
    assert "differentially private summary" in text_of(app)
    assert [tab.label for tab in app.tabs] == ["Private summary", "Model card"]
    assert {metric.label: metric.value for metric in app.metric}["Patients"].startswith("about ")
    assert "Simulated patients of a ward" in text_of(app)
    (overview,) = [frame.value for frame in app.dataframe]
    assert next(iter(overview["Column"])).startswith("Age")


def test_train_says_that_there_is_nothing_to_train(shipped: Workspace) -> None:
    app = opened("train")
    assert "there is nothing to train" in text_of(app)
    assert "ε 6" in text_of(app) or "ε 5" in text_of(app)
    assert not [button for button in app.button if button.key == "train"]


def test_the_bake_off_says_why_there_is_none_and_where_to_go(shipped: Workspace) -> None:
    app = opened("bake_off")
    assert "has no real row to learn from" in text_of(app)
    assert not app.info and not app.error


def test_the_bar_shows_the_epsilon_of_the_model(shipped: Workspace) -> None:
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60).run()
    assert any("Ready made, ε" in str(caption.value) for caption in app.caption)


def test_the_cohort_page_estimates(shipped: Workspace) -> None:
    app = opened("cohort")
    assert "By its own estimate" in text_of(app)
    assert "real patients support" not in text_of(app)
    app.chat_input[0].set_value("women over 60 with diabetes").run()
    assert not app.exception
    assert [button for button in app.button if button.key == "generate"]


@pytest.mark.parametrize(
    "criteria",
    [(), (Criterion(column="diabetes", any_of=(True,)), Criterion(column="age_years", minimum=60))],
    ids=["everyone", "criteria"],
)
def test_compare_is_with_the_summary(shipped: Workspace, criteria: tuple[Criterion, ...]) -> None:
    compared(CohortSpec(patients=400, criteria=criteria))
    app = opened("compare")
    text = text_of(app)
    assert "differentially private summary" in text
    assert "computed on real rows" not in text
    assert "no real row ships with this model" in text
    assert ("Differences that follow from what was left out are expected" in text) == bool(criteria)
    cards = {metric.label: metric.value for metric in app.metric}
    assert cards["Privacy"].startswith("ε 5") or cards["Privacy"].startswith("ε 6")
    assert cards["Utility"] == "not assessable"
    assert float(cards["Fidelity"].removesuffix("%")) > 85
    table = next(frame.value for frame in app.dataframe if "Characteristic" in frame.value.columns)
    assert not [name for name in table.columns if "Held-out" in name]
    made = {button.label for button in app.button if button.label.startswith("Make")}
    assert made == {"Make comparison report as HTML", "Make comparison report as PDF"}
    assert table["Private summary"].str.contains("±").any()
    assert not app.error
