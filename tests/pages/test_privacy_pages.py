"""The privacy budget on the pages: levels, what is spent, what does not fit, and what a model guarantees."""

import subprocess
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from engine.core.progress import Silent
from engine.core.workspace import Workspace
from engine.generators.registry import describe
from engine.jobs import steps
from engine.jobs.records import JobRecord
from engine.storage.database import Database
from pages.components.budget import LEVELS, certainty, statement
from pages.components.state import studio
from tests.helpers.private_generator import INFO, Noisy
from tests.pages.test_pages import at

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def private(prepared: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A prepared workspace whose dp_cgan keeps the contract of private fits; nothing starts a worker."""
    infos = [INFO, *(info for info in describe() if info.name != INFO.name)]
    monkeypatch.setattr("engine.services.training.describe", lambda: infos)
    monkeypatch.setattr("engine.jobs.supervisor.Supervisor.ensure", lambda self, warm=False: False)
    monkeypatch.setattr("engine.generators.registry.create", lambda name: Noisy())
    monkeypatch.setattr("engine.generators.registry.load", Noisy.load)
    return prepared


def train(app: AppTest, workspace: Workspace) -> JobRecord:
    """Press Train and do the worker's work."""
    app.button(key="train").click().run()
    assert not app.error
    (job,) = studio().work.active()
    database = Database.for_workspace(workspace)
    steps.train(job, workspace=workspace, database=database, progress=Silent())
    studio().work.cancel(job.id)
    return job


def words(app: AppTest) -> str:
    return "\n".join(one.value for kind in (app.markdown, app.caption, app.warning, app.info) for one in kind)


def test_a_level_says_what_it_means_and_what_it_would_cost(private: Workspace) -> None:
    app = at("train")
    # A few hundred patients are too few for any level, and that is said when one is chosen.
    assert app.radio(key="privacy-level").value == "No formal privacy"
    app.radio(key="privacy-level").set_value("Balanced · ε 3").run()
    assert "patients are few for ε 3" in words(app)
    assert "ε 0.00 of 25 spent" in words(app)
    assert "δ 0.001) brings it to **ε 3.00** of 25" in words(app)
    app.radio(key="privacy-level").set_value("Detailed · ε 10").run()
    assert "brings it to **ε 10.00** of 25" in words(app)
    app.radio(key="privacy-level").set_value("No formal privacy").run()
    assert "protected by nothing" in words(app)


def test_training_asks_for_what_the_screen_says_and_is_charged(private: Workspace) -> None:
    app = at("train")
    app.radio(key="privacy-level").set_value("Strong · ε 1").run()
    job = train(app, private)
    assert {name: job.payload["options"][name] for name in ("private", "epsilon", "delta")} == {
        "private": True, "epsilon": 1.0, "delta": 1e-3,
    }  # fmt: skip
    app = at("train")
    assert "ε 1.00 of 25 spent" in words(app)
    assert any("ε 1.00 of 25 spent" in one.value for one in at("start").caption), "the bar tells it on every page"
    assert list(app.dataframe[0].value["Privacy"]) == ["ε 1.00, δ 0.001", "no formal privacy"]
    cohort = at("cohort")
    assert any("ε 1.00, δ 0.001" in option for option in cohort.selectbox(key="model").options)
    assert "Privacy of its model: no formal privacy" in words(cohort)


def test_no_formal_privacy_is_an_explicit_choice(private: Workspace) -> None:
    app = at("train")
    app.radio(key="privacy-level").set_value("No formal privacy").run()
    job = train(app, private)
    assert job.payload["options"]["private"] is False
    assert "ε 0.00 of 25 spent" in words(at("train"))


def test_what_does_not_fit_is_said_before_the_click(private: Workspace) -> None:
    app = at("train")
    (dataset,) = (record.id for record in studio().datasets.all())
    studio().training.set_limit(studio().training.account(dataset), 4.0)
    app.radio(key="privacy-level").set_value("Detailed · ε 10").run()
    assert app.button(key="train").disabled
    assert "ε 10 does not fit the budget of these patients: at most ε 4 more fits" in words(app)
    assert "raise the limit in the expert settings" in words(app)
    app.radio(key="privacy-level").set_value("Strong · ε 1").run()
    assert not app.button(key="train").disabled
    (limit,) = (field for field in app.number_input if field.label.startswith("Limit of this source"))
    limit.set_value(30.0).run()
    app.button(key="set-limit").click().run()
    assert "ε 0.00 of 30 spent" in words(app)
    assert studio().training.account(dataset).limit == 30.0


def test_epsilon_and_delta_can_be_set_by_experts(private: Workspace) -> None:
    app = at("train")
    app.radio(key="privacy-level").set_value("Balanced · ε 3").run()
    fields = {field.label: field for field in app.number_input}
    assert fields["δ of this training"].value == 1e-3
    fields["ε of this training"].set_value(2.0)
    fields["δ of this training"].set_value(1e-5).run()
    job = train(app, private)
    assert (job.payload["options"]["epsilon"], job.payload["options"]["delta"]) == (2.0, 1e-5)


def test_a_generator_without_the_capability_offers_no_level(private: Workspace) -> None:
    app = at("train")
    app.selectbox(key="generator").set_value("ctgan").run()
    assert not app.radio
    assert not app.button(key="train").disabled


def test_a_shared_budget_is_told(private: Workspace) -> None:
    at("train")
    (dataset,) = (record.id for record in studio().datasets.all())
    account = studio().training.account(dataset)
    from tests.helpers.prepared_workspace import SCHEMA, patients

    studio().training._ledger.register(
        kind="table", reference="newer*.csv", name="newer*.csv", table=patients(40, seed=5), schema=SCHEMA
    )
    app = at("train")
    assert r"One budget with newer\*\.csv: some patients are the same." in words(app)
    assert studio().training.account(dataset).source == account.source


def test_the_certainties_in_words_are_true() -> None:
    assert [certainty(level.epsilon) for level in LEVELS if level.epsilon] == ["73 %", "95 %", "99.995 %"]
    for level in LEVELS:
        if level.epsilon:
            assert certainty(level.epsilon) in level.meaning


@pytest.mark.parametrize(
    ("report", "text"),
    [
        (None, "no formal privacy"),
        ({"epsilon": None, "delta": None}, "no formal privacy"),
        ({"epsilon": 3.0, "delta": 1e-5}, "ε 3.00, δ 1e-05"),
    ],
)
def test_a_models_guarantee_in_words(report: dict | None, text: str) -> None:
    assert statement(report) == text


def test_the_accounts_of_the_dashboard_load_nothing_heavy(private: Workspace) -> None:
    code = (
        "import sys; from engine.core.settings import settings; from engine.services.studio import Studio\n"
        "studio = Studio(settings()); (record,) = studio.datasets.all()\n"
        "account = studio.training.account(record.id)\n"
        "studio.training.outlook(account, epsilon=3.0, delta=1e-3); studio.training.set_limit(account, 5.0)\n"
        "print([name for name in ('torch', 'scipy', 'dp_accounting', 'sklearn', 'sdv') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
