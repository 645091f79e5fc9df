"""Rates of broken rules, real beside synthetic, and no figure about a few real patients."""

import json
from typing import Any

import pandas as pd
import pytest

from engine.cohort.spec import CohortSpec
from engine.core.progress import Silent
from engine.evaluation.cells import Sample
from engine.evaluation.plausibility import plausibility
from engine.evaluation.report import compare
from engine.schema.catalogue import catalogue
from engine.schema.table import TableSchema, conform

NAMES = ("patient_id", "sex", "pregnancy", "hemoglobin", "hematocrit", "ph")
SCHEMA = TableSchema(columns=tuple(catalogue().column(name) for name in NAMES))
FEATURES = SCHEMA.select(list(NAMES[1:]))


def table(
    rows: int, *, pregnant_men: int = 0, discordant: int = 0, acid: int = 0, per_patient: int = 1
) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{number // per_patient}" for number in range(rows)],
            "sex": ["M", "F"] * (rows // 2),
            "pregnancy": False,
            "hemoglobin": 12.0,
            "hematocrit": 36.0,
            "ph": 7.4,
        }
    )
    frame.loc[frame.index[frame["sex"] == "M"][:pregnant_men], "pregnancy"] = True
    frame.loc[: discordant - 1, "hematocrit"] = 60.0
    frame.loc[: acid - 1, "ph"] = 6.5
    return conform(frame, SCHEMA)


def found(real: pd.DataFrame, synthetic: pd.DataFrame, holdout: pd.DataFrame | None = None) -> dict[str, Any]:
    samples = {
        "real": Sample.of(real, SCHEMA),
        "holdout": Sample.of(table(0) if holdout is None else holdout, SCHEMA),
        "synthetic": Sample(synthetic[FEATURES.names]),
    }
    return plausibility(samples, FEATURES, minimum=11)


def rule(entry: dict[str, Any], name: str, where: str) -> dict[str, Any]:
    (one,) = (rule for rule in entry["rules"] if rule["id"] == name)
    return one[where]


def test_rates_and_totals_are_those_of_the_rows() -> None:
    entry = found(table(1000, discordant=200), table(400, pregnant_men=3, discordant=100))
    assert rule(entry, "hematocrit_to_hemoglobin", "real")["rate"] == 0.2
    assert rule(entry, "hematocrit_to_hemoglobin", "synthetic") == {
        "rate": 0.25, "rows": 100, "text": "100 (25.0%)", "checked": True,
    }  # fmt: skip
    assert rule(entry, "pregnancy_in_men", "synthetic")["rows"] == 3
    assert entry["totals"]["impossible"]["synthetic"]["text"] == "3 (0.8%)"
    assert entry["totals"]["impossible"]["real"]["text"] == "0"
    assert entry["totals"]["discordant"]["real"]["text"] == "20.0%"
    assert entry["totals"]["impossible"]["holdout"]["text"] == "no row to check"


def test_every_entry_says_why_and_where_from() -> None:
    entry = found(table(100), table(100))
    assert {one["id"] for one in entry["rules"]} == {
        "pregnancy_in_men", "hematocrit_to_hemoglobin", "hematocrit_hemoglobin_impossible", "blood_ph_limits",
        "ph_scale",
    }  # fmt: skip
    assert all(one["message"] and one["citation"] and one["columns"] for one in entry["rules"])
    assert entry["rules_in_all"] > 70
    json.dumps(entry, allow_nan=False)


@pytest.mark.parametrize("few", [1, 10])
def test_a_few_real_patients_are_not_counted_and_no_total_tells_of_them(few: int) -> None:
    entry = found(table(1000, discordant=few, acid=few), table(100))
    for name, severity in (("hematocrit_to_hemoglobin", "discordant"), ("blood_ph_limits", "rare")):
        figure = rule(entry, name, "real")
        assert (figure["rate"], figure["rows"], figure["text"]) == (None, None, "fewer than 11 patients")
        assert entry["totals"][severity]["real"]["rate"] is None
    assert f'"rows": {few}' not in json.dumps(entry)


def test_patients_are_counted_not_their_rows() -> None:
    # Thirty rows of ten patients are few; thirty of thirty are not.
    assert (
        rule(found(table(900, discordant=30, per_patient=3), table(100)), "hematocrit_to_hemoglobin", "real")["rate"]
        is None
    )
    assert rule(found(table(900, discordant=30), table(100)), "hematocrit_to_hemoglobin", "real")["rate"] is not None


def test_the_few_who_keep_a_rule_are_as_hidden_as_the_few_who_break_it() -> None:
    figure = rule(found(table(100, discordant=95), table(100)), "hematocrit_to_hemoglobin", "real")
    assert figure["text"] == "all but fewer than 11 patients"


def test_held_out_patients_are_kept_as_small_cells_too() -> None:
    entry = found(table(1000), table(100), table(200, discordant=5))
    assert rule(entry, "hematocrit_to_hemoglobin", "holdout")["text"] == "fewer than 11 patients"


def test_real_rows_that_break_an_impossible_rule_are_reported() -> None:
    entry = found(table(1000, pregnant_men=50), table(100))
    assert "5.0% of the real rows break the rule “No pregnancy in patients recorded as male”" in entry["notes"][0]
    assert found(table(1000, discordant=300), table(100))["notes"] == []


def test_a_comparison_carries_the_rules_and_names_the_total() -> None:
    result = compare(
        table(600), table(200), table(300, pregnant_men=2)[FEATURES.names], SCHEMA, spec=CohortSpec(),
        small_cell_minimum=11, progress=Silent(),
    )  # fmt: skip
    assert result["impossible_rows"] == {"real": "0", "holdout": "0", "synthetic": "2 (0.7%)"}
    assert result["plausibility"]["totals"]["impossible"]["synthetic"]["rows"] == 2
