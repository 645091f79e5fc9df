"""Which outcomes tables of each shape offer, their values, and what may not predict them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.core.errors import UserError
from engine.evaluation.outcome_book import meanings, outcome_book
from engine.evaluation.outcomes import binary_outcome, default_outcomes, possible_outcomes, time_to_event
from engine.evaluation.predictors import predictors
from engine.schema.catalogue import catalogue
from engine.schema.inference import infer_schema
from engine.schema.table import Column, Kind, TableSchema, conform

MIMIC = catalogue().mimic3_schema()
DIABETES_130 = TableSchema(
    columns=(
        Column(name="gender", kind=Kind.CATEGORICAL, categories=("Female", "Male")),
        Column(name="time_in_hospital", kind=Kind.INTEGER),
        Column(name="discharge_disposition_id", kind=Kind.CATEGORICAL, categories=("1", "3", "11", "19")),
        Column(name="metformin", kind=Kind.CATEGORICAL, categories=("No", "Steady")),
        Column(name="readmitted", kind=Kind.CATEGORICAL, categories=("<30", ">30", "NO")),
    )
)


def by_key(schema: TableSchema, key: str):
    return next(one for one in possible_outcomes(schema) if one.key == key)


def refused(schema: TableSchema, key: str) -> dict[str, str]:
    return {one.column: one.reason for one in predictors(schema, by_key(schema, key))[1]}


def test_an_admission_table_is_asked_about_death_readmission_and_stay() -> None:
    assert [one.key for one in default_outcomes(MIMIC)] == [
        "died_in_hospital",
        "readmitted_within_30_days",
        "length_of_stay_hours",
        "died_in_hospital@length_of_stay_hours",
    ]
    stay = by_key(MIMIC, "length_of_stay_hours")
    assert (stay.kind, stay.unit, stay.is_duration) == ("continuous", "h", True)
    assert not by_key(MIMIC, "age_years").is_duration


def test_readmission_under_thirty_days_counts_and_the_dead_are_not_at_risk() -> None:
    frame = pd.DataFrame(
        {
            "gender": "Male",
            "time_in_hospital": 3,
            "discharge_disposition_id": ["1", "1", "3", "11", None],
            "metformin": "No",
            "readmitted": ["<30", ">30", "NO", "NO", None],
        }
    )
    found = default_outcomes(DIABETES_130)
    assert [one.key for one in found] == [
        "discharge_disposition_id",
        "readmitted",
        "time_in_hospital",
        "discharge_disposition_id@time_in_hospital",
    ]
    table = conform(frame, DIABETES_130)
    np.testing.assert_array_equal(found[1].observe(table, DIABETES_130).value, [1, 0, 0, np.nan, np.nan])
    np.testing.assert_array_equal(found[0].observe(table, DIABETES_130).value, [0, 0, 0, 1, np.nan])
    timed = found[3].observe(table, DIABETES_130)
    assert timed.time is not None and timed.known.tolist() == [True, True, True, True, False]


def test_diabetes_is_the_default_only_where_nothing_comes_before_it() -> None:
    categories = ("borderline", "no", "yes")
    survey = TableSchema(
        columns=(
            Column(name="age_years", kind=Kind.NUMERIC),
            Column(name="diabetes_dx", kind=Kind.CATEGORICAL, categories=categories),
        )
    )
    (one,) = default_outcomes(survey)
    assert (one.key, one.events) == ("diabetes_dx", ("yes",))
    assert by_key(MIMIC, "diabetes").usual and not by_key(MIMIC, "diabetes").default


def test_what_is_known_at_discharge_or_later_does_not_predict_death() -> None:
    reasons = refused(MIMIC, "died_in_hospital")
    for name in ("discharge_destination", "length_of_stay_hours", "icu_days", "readmitted_within_30_days"):
        assert reasons[name].startswith("known only")
    kept = {column.name for column in predictors(MIMIC, by_key(MIMIC, "died_in_hospital"))[0]}
    assert {"age_years", "sex", "lactate", "sepsis"} <= kept and "died_in_hospital" not in kept
    # At discharge the stay and its end are known, so they may predict what comes after, whatever rules say of both.
    assert refused(DIABETES_130, "readmitted") == {}
    assert "length_of_stay_hours" not in refused(MIMIC, "readmitted_within_30_days")


def test_definitions_treatments_and_codes_do_not_predict_a_disease() -> None:
    reasons = refused(MIMIC, "diabetes")
    assert {"hba1c", "insulin", "diabetes_type_2", "primary_icd9_code", "primary_icd9_chapter"} <= set(reasons)
    assert "heart_failure" not in reasons and "age_years" not in reasons


def test_a_rule_that_computes_the_outcome_names_itself() -> None:
    reasons = refused(MIMIC, "bmi")
    assert {"height_cm", "weight_kg"} <= set(reasons)
    assert reasons["height_cm"].startswith("tied by a rule:")
    assert {"sex", "age_years"}.isdisjoint(refused(MIMIC, "pregnancy"))


def test_two_columns_for_one_thing() -> None:
    schema = TableSchema(
        columns=(
            Column(name="hospitaldischargestatus", kind=Kind.CATEGORICAL, categories=("Alive", "Expired")),
            Column(name="actualhospitalmortality", kind=Kind.CATEGORICAL, categories=("ALIVE", "EXPIRED")),
            Column(name="hospital_los_days", kind=Kind.NUMERIC, unit="days"),
            Column(name="apachescore", kind=Kind.INTEGER),
        )
    )
    assert default_outcomes(schema)[0].events == ("Expired",)
    kept, excluded = predictors(schema, default_outcomes(schema)[0])
    assert [column.name for column in kept] == ["apachescore"]
    assert excluded[0].as_dict() == {
        "column": "actualhospitalmortality",
        "label": "actualhospitalmortality",
        "reason": "the same as the outcome",
    }
    assert meanings(schema["hospital_los_days"]) == {"length_of_stay_hours"}


def test_any_column_can_be_picked_and_wrong_ones_say_why() -> None:
    readmitted = binary_outcome(DIABETES_130, column="readmitted", events=["<30", ">30"])
    assert readmitted.label == "readmitted: <30, >30"
    timed = time_to_event(DIABETES_130, time="time_in_hospital", column="gender", events=["Male"])
    assert timed.key == "gender@time_in_hospital"
    with pytest.raises(UserError, match="no category 'never'"):
        binary_outcome(DIABETES_130, column="readmitted", events=["never"])
    with pytest.raises(UserError, match="3 categories"):
        binary_outcome(DIABETES_130, column="readmitted")
    with pytest.raises(UserError, match="no categories"):
        binary_outcome(DIABETES_130, column="time_in_hospital")
    with pytest.raises(UserError, match="not a number"):
        time_to_event(DIABETES_130, time="gender", column="readmitted", events=["<30"])
    with pytest.raises(UserError, match="no column"):
        binary_outcome(DIABETES_130, column="height")


def test_negative_times_are_not_known() -> None:
    schema = MIMIC.select(["died_in_hospital", "length_of_stay_hours"])
    table = conform(pd.DataFrame({"died_in_hospital": [True, False], "length_of_stay_hours": [-2.0, 0.0]}), schema)
    found = by_key(schema, "died_in_hospital@length_of_stay_hours").observe(table, schema)
    assert found.known.tolist() == [False, True]


def test_the_file_names_columns_that_exist() -> None:
    book = outcome_book()
    known = {concept.name for concept in catalogue().concepts} | set(book.words) | set(_terms())
    named = {entry.column for entry in book.usual} | {name for stage in book.stages for name in stage.columns}
    named |= set(book.defining) | {name for names in book.defining.values() for name in names} | set(book.increments)
    assert named <= known, named - known


def _terms() -> list[str]:
    from engine.cohort.plausibility.rules import rule_book

    return [term.name for term in rule_book().terms]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("diabetes130/diabetes130_full.csv.gz", "readmitted"),
        ("nhanes/nhanes_2015_2018_adults_examined.csv.gz", "diabetes_dx"),
        ("eicu-demo/eicu_demo_icu_stays.csv.gz", "hospitaldischargestatus@hospital_los_days"),
    ],
)
def test_open_tables_offer_their_outcome(shared: Path, name: str, key: str) -> None:
    schema = infer_schema(pd.read_csv(shared / "data" / name, dtype=str, nrows=3000))
    assert key in [one.key for one in default_outcomes(schema)]
