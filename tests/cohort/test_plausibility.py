"""Every rule against rows made by hand, the rule file against mistakes, and the way from a table's columns to rules."""

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from engine.cohort.plausibility import rules as rules_module
from engine.cohort.plausibility.binding import bind
from engine.cohort.plausibility.rules import FILE, read_rules, rule_book
from engine.cohort.plausibility.violations import any_broken, rules_for, verdicts, violations
from engine.core.errors import DataError
from engine.schema.inference import infer_schema
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from tests.cohort.plausibility_rows import CASES, table

RULES = [rule.id for rule in rule_book().rules]


def broken(rows: list[dict[str, Any]], rule: str) -> list[bool]:
    return violations(*table(rows))[rule].tolist()


def test_every_rule_has_rows_made_by_hand() -> None:
    assert sorted(CASES) == sorted(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_is_broken_by_what_breaks_it_and_by_nothing_else(rule: str) -> None:
    bad, good = CASES[rule]
    assert broken(bad + good, rule) == [True] * len(bad) + [False] * len(good)


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "statistics_in_order"])
def test_a_missing_value_breaks_no_rule(rule: str) -> None:
    bad, good = CASES[rule]
    # Of pregnancy and age, each alone says nothing; of a chain of three, two can still be in the wrong order.
    gaps = [{**row, name: None} for row in bad for name in row if len(row) < 3]
    filled, holes = len(bad + good), len(gaps)
    assert broken(bad + good + gaps, rule)[filled:] == [False] * holes
    empty = dict.fromkeys(bad[0])
    assert broken([*bad, *good, empty], rule)[-1] is False


def test_two_of_three_pressures_can_still_be_in_the_wrong_order() -> None:
    rows = [{"diastolic_bp": 90, "mean_arterial_pressure": None, "systolic_bp": 60},
            {"diastolic_bp": None, "mean_arterial_pressure": 140, "systolic_bp": 120}]  # fmt: skip
    assert broken(rows, "mean_pressure_between") == [True, True]


def test_a_row_counts_as_checked_only_where_the_rule_could_be_judged() -> None:
    frame, schema = table(
        [{"bmi": 25.0, "height_cm": 170, "weight_kg": None}, {"bmi": 25, "height_cm": 170, "weight_kg": 80}]
    )
    verdict = verdicts(frame, rules_for(schema))["bmi_from_height_and_weight"]
    assert verdict.known.tolist() == [False, True]
    assert verdict.broken.tolist() == [False, True]


def test_rules_are_fast_on_many_rows() -> None:
    bad, good = CASES["bmi_from_height_and_weight"]
    frame, schema = table(bad + good)
    many = pd.concat([frame] * 40_000, ignore_index=True)
    assert any_broken(many, rules_for(schema)).sum() == 80_000


# ------------------------------------------------------------------------------------------------ the file


def test_every_rule_says_why_and_where_from() -> None:
    for rule in rule_book().rules:
        assert rule.message.endswith("."), rule.id
        assert re.search(r"\d{4}|Definition|documentation|Census|ICD-9|CMS|Standards|Guyton|edit", rule.citation), (
            rule.id
        )


def test_no_two_rules_share_a_title() -> None:
    titles = [rule.title for rule in rule_book().rules]
    assert len(set(titles)) == len(titles)


def entry(**changes: Any) -> dict[str, Any]:
    return {
        "id": "spo2_share", "title": "Saturation is a share", "severity": "impossible",
        "message": "Saturation is a share of all.", "citation": "Definition (a part of a whole)",
        "constraint": {"kind": "range", "column": "spo2", "low": 0, "high": 100},
    } | changes  # fmt: skip


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ([entry(), entry()], "rules occur twice: spo2_share"),
        ([{k: v for k, v in entry().items() if k != "citation"}], "citation"),
        ([entry(citation="")], "citation"),
        ([entry(severity="odd")], "severity"),
        ([entry(constraint={"kind": "range", "column": "spo3"})], "no column 'spo3'"),
        ([entry(constraint={"kind": "guess", "column": "spo2"})], "kind|tag"),
        ([entry(where=[{"column": "nothing_known", "any_of": ["x"]}])], "no column 'nothing_known'"),
        ([entry(where=[{"column": "sex"}])], "says nothing"),
        ([entry(where=[{"column": "sex", "any_of": ["F"], "at_least": 1}])], "categories and for numbers"),
        ([entry(units={"spo2": "mmHg"})], "spo2 is measured in %, not in mmHg"),
        ([entry(colour="red")], "Extra inputs"),
        (
            [entry(constraint={"kind": "implies", "when": [{"column": "sex", "any_of": ["M"]}],
                               "then": {"column": "pregnancy", "any_of": ["true", "false"]}, "repair": True})],
            "exactly one value",
        ),
        (
            [entry(constraint={"kind": "formula", "column": "bmi", "constant": 1,
                               "products": [{"powers": {"weight_kg": 1}}], "repair": ["weight_kg"]})],
            "can be solved",
        ),
        (
            [entry(constraint={"kind": "icd9_flag", "code": "primary_icd9_code", "flags": ["sex"]})],
            "no codes define sex",
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_the_file_is_refused_by_name(entries: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_rules(yaml.safe_dump({"rules": entries}))


def test_what_is_not_yaml_is_refused() -> None:
    with pytest.raises(DataError, match="not YAML"):
        read_rules("rules: [")


def test_the_file_that_ships_names_no_unit_that_is_not_the_catalogues() -> None:
    assert read_rules(FILE.read_text(encoding="utf-8")) == rules_module.rule_book()


# ------------------------------------------------------------------------------------------------ from columns to rules


def upload(**columns: list[Any]) -> tuple[pd.DataFrame, TableSchema]:
    frame = pd.DataFrame({name: pd.Series(values, dtype="string") for name, values in columns.items()})
    schema = infer_schema(frame)
    return conform(frame, schema), schema


def test_an_uploads_own_words_are_understood() -> None:
    frame, schema = upload(gender=["male", "female", "male"], pregnant=["yes", "yes", "no"])
    assert violations(frame, schema)["pregnancy_in_men"].tolist() == [True, False, False]


def test_units_are_converted_where_they_are_declared() -> None:
    columns = (
        Column(name="hgb", kind=Kind.NUMERIC, unit="g/L"),
        Column(name="hct", kind=Kind.NUMERIC, unit="L/L"),
    )
    schema = TableSchema(columns=columns)
    frame = conform(pd.DataFrame({"hgb": [150, 150], "hct": [0.45, 0.05]}), schema)
    assert violations(frame, schema)["hematocrit_hemoglobin_impossible"].tolist() == [False, True]


def test_without_a_unit_nothing_is_said() -> None:
    columns = (Column(name="hgb", kind=Kind.NUMERIC), Column(name="hct", kind=Kind.NUMERIC, unit="%"))
    assert "hematocrit_hemoglobin_impossible" not in {one.rule.id for one in bind(TableSchema(columns=columns))}


@pytest.mark.parametrize(
    ("systolic", "diastolic", "asked"), [("mmHg", "mmHg", True), (None, None, True), ("mmHg", None, False)]
)
def test_an_order_needs_one_unit_not_a_known_one(systolic: str | None, diastolic: str | None, asked: bool) -> None:
    columns = (
        Column(name="d1_sbp", kind=Kind.NUMERIC, unit=systolic),
        Column(name="d1_dbp", kind=Kind.NUMERIC, unit=diastolic),
    )
    assert ("systolic_above_diastolic" in {one.rule.id for one in bind(TableSchema(columns=columns))}) == asked


def test_a_minimum_is_never_held_against_a_maximum() -> None:
    columns = tuple(Column(name=name, kind=Kind.NUMERIC, unit="mmHg") for name in ("sbp_min", "dbp_max", "sbp_max"))
    (rule,) = (one for one in bind(TableSchema(columns=columns)) if one.rule.id == "systolic_above_diastolic")
    assert [{name: source.column.name for name, source in one.items()} for one in rule.instances] == [
        {"diastolic_bp": "dbp_max", "systolic_bp": "sbp_max"}
    ]


def test_a_rule_does_not_guess_between_two_columns_of_one_name() -> None:
    two = tuple(Column(name=name, kind=Kind.NUMERIC, unit="%") for name in ("sats", "sao2"))
    assert bind(TableSchema(columns=two)) == ()
    exact = (*two, Column(name="spo2", kind=Kind.NUMERIC, unit="%"))
    (rule,) = bind(TableSchema(columns=exact))
    assert [column.name for column in rule.columns] == ["spo2"]


def test_every_diagnosis_column_is_held_against_sex() -> None:
    frame, schema = upload(
        sex=["M", "M", "F"] * 5, diag_1=["V45.81", "650", "650"] * 5, diag_2=["V22.1", "250.00", "V27.0"] * 5
    )
    assert violations(frame, schema)["female_diagnosis_in_men"].tolist() == [True, True, False] * 5


def test_columns_that_are_not_generated_or_of_another_kind_take_no_part() -> None:
    columns = (
        Column(name="age_years", kind=Kind.NUMERIC, unit="years", role=Role.EXCLUDED),
        Column(name="spo2", kind=Kind.CATEGORICAL, categories=("good", "bad")),
        Column(name="insulin", kind=Kind.NUMERIC, unit="pmol/L"),
    )
    assert bind(TableSchema(columns=columns)) == ()


# ------------------------------------------------------------------------------------------------ real tables

KNOWN_FAULTS = {
    # Five stays end in death in the unit and alive in the hospital; one ICU stay is longer than its hospital stay.
    "eicu-demo/eicu_demo_icu_stays.csv.gz": {"death_in_unit_is_in_hospital": 5, "icu_within_stay": 1},
    "nhanes/nhanes_2015_2018_adults_examined.csv.gz": {},
    "diabetes130/diabetes130_full.csv.gz": {},
}
LEAST_RULES = {
    "eicu-demo/eicu_demo_icu_stays.csv.gz": 8,
    "nhanes/nhanes_2015_2018_adults_examined.csv.gz": 11,
    "diabetes130/diabetes130_full.csv.gz": 6,
}


@pytest.mark.shared
@pytest.mark.parametrize("path", list(KNOWN_FAULTS))
def test_real_uploads_hold_no_impossible_row_but_the_known_ones(shared, path: str) -> None:
    from engine.sources.csv_upload import read_csv

    frame = read_csv(shared / "data" / path).frame
    schema = infer_schema(frame)
    assert len(rules_for(schema)) >= LEAST_RULES[path]
    found = verdicts(conform(frame, schema), rules_for(schema, "impossible"))
    assert {name: int(one.broken.sum()) for name, one in found.items() if one.broken.any()} == KNOWN_FAULTS[path]


@pytest.mark.shared
def test_the_real_demo_holds_no_impossible_row_and_few_discordant_ones(shared) -> None:
    from engine.core.progress import Silent
    from engine.preparation.pipeline import prepare_mimic3

    prepared = prepare_mimic3(shared / "data" / "mimic3-demo", progress=Silent())
    assert len(rules_for(prepared.schema)) > 60
    found = violations(prepared.table, prepared.schema)
    impossible = {one.rule.id for one in rules_for(prepared.schema, "impossible")}
    assert [name for name in impossible if found[name].any()] == []
    assert {name: int(rows.sum()) for name, rows in found.items() if rows.any()} == {
        "mcv_from_hematocrit": 4,
        "mean_pressure_between": 1,
        "end_stage_creatinine": 1,
    }
    # A rule that cannot fail would pass as well: shuffled columns break the same rules.
    rng = np.random.default_rng(0)
    shuffled = pd.DataFrame(
        {name: prepared.table[name].to_numpy()[rng.permutation(129)] for name in prepared.schema.names}
    )
    assert any_broken(conform(shuffled, prepared.schema), rules_for(prepared.schema, "impossible")).mean() > 0.8
