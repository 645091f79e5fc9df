"""Beside the attacks stands what is promised of each patient, or plainly that nothing is."""

import copy
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.core.settings import settings
from engine.core.workspace import Workspace, write_json
from engine.jobs.budget import enter
from engine.privacy.ledger import Ledger
from engine.privacy.runs import PrivateRun, asked_budget
from engine.services.studio import Studio
from engine.storage.database import Database
from tests.helpers.compared_admissions import admit, report
from tests.helpers.sections import open_section
from tests.pages.test_pages import at

REPORT = {
    "rows": 1200, "columns": 10, "epsilon": 2.9876, "delta": 1e-5,
    "privacy": {"unit": "patient", "neighbours": "add or remove one patient"},
}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> dict[str, Any]:
    return report()


def words(app: AppTest) -> str:
    tab = open_section(app, "Privacy")
    kinds = (tab.markdown, tab.caption, tab.warning, tab.subheader)
    return "\n".join(one.value for kind in kinds for one in kind).replace("\\", "")


def test_without_a_guarantee_the_page_says_so_plainly(empty: Workspace, whole: dict[str, Any]) -> None:
    write_json(empty.comparison(admit(empty)), whole)
    told = words(at("compare"))
    assert "No formal guarantee: treat as confidential" in told
    assert "keeps no account" in told
    assert "Differential privacy, ε" not in told


def test_a_private_model_states_its_figures_and_what_its_source_has_spent(
    empty: Workspace, whole: dict[str, Any], tmp_path
) -> None:
    cohort_id = admit(empty)
    write_json(empty.comparison(cohort_id), whole)
    database = Database.for_workspace(empty, None)
    cohort = database.cohort(cohort_id)
    database.update_model(cohort.model_id, report=REPORT)
    ledger = Ledger(database, empty, quick=True)
    source = enter(ledger, empty, database.dataset(cohort.dataset_id)).source
    budget = asked_budget({"private": True, "epsilon": 3.0, "delta": 1e-5}, capable=True, generator="dp_cgan")
    assert budget is not None
    for number in range(2):
        # Reserved and not settled: a reservation counts.
        PrivateRun(
            ledger, source=source, run_id=f"run{number}", budget=budget, label="a training", checkpoint=tmp_path,
            identity=None,
        ).__enter__()  # fmt: skip
    told = words(at("compare"))
    assert "Differential privacy, ε 2.99 and δ 1e-05, for each patient" in told
    assert "neighbouring tables: add or remove one patient" in told
    assert "at most 95 % sure" in told
    account = ledger.account(source)
    assert f"ε {account.spent:.2f} of 25 spent by 2 private trainings" in told
    assert "No formal guarantee" not in told
    # The same figures as in the manifest of an export and on the ledger.
    settings.cache_clear()
    stated = Studio(settings()).comparison.privacy_statement(cohort_id)
    assert stated.guarantee is not None and stated.account is not None
    assert (stated.guarantee["epsilon"], stated.guarantee["unit"]) == (2.9876, "patient")
    assert stated.account.spent == account.spent and len(stated.account.runs) == 2


@pytest.mark.parametrize("state", ["pending", "failed"])
def test_the_guarantee_does_not_wait_for_the_attacks(empty: Workspace, whole: dict[str, Any], state: str) -> None:
    partial = copy.deepcopy(whole)
    partial["sections"]["privacy"] |= {"state": state, "reason": "This section failed with ValueError."}
    del partial["privacy"]
    write_json(empty.comparison(admit(empty)), partial)
    assert "No formal guarantee: treat as confidential" in words(at("compare"))
