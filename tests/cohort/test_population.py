"""Reference populations: what ships, malformed tables, the group that fits, criteria and shares, hand-solved."""

import numpy as np
import pytest

from engine.cohort.population import fits, target
from engine.cohort.population_columns import dimensions
from engine.cohort.reference_tables import (
    FOLDER,
    population_names,
    read_reference_table,
    reference_table,
)
from engine.cohort.spec import CohortSpec
from engine.core.errors import DataError, UserError
from engine.schema.table import Column, Kind, TableSchema

AGE = Column(name="age_years", kind=Kind.NUMERIC, unit="years", minimum=0, maximum=110)
SEX = Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M"))
ETHNICITY = Column(name="ethnicity", kind=Kind.CATEGORICAL, categories=("ASIAN", "BLACK", "HISPANIC", "OTHER", "WHITE"))
TYPE_2 = Column(name="diabetes_type_2", kind=Kind.BOOLEAN)
STROKE = Column(name="stroke", kind=Kind.BOOLEAN)
BMI = Column(name="bmi", kind=Kind.NUMERIC, unit="kg/m2")
CODE = Column(name="primary_icd9_code", kind=Kind.CATEGORICAL, code_system="icd9", categories=("25000", "4280"))
SCHEMA = TableSchema(columns=(AGE, SEX, ETHNICITY, TYPE_2, STROKE, BMI, CODE))
WOMEN = {"column": "sex", "any_of": ["F"]}
DIABETICS = {"column": "diabetes_type_2", "any_of": [True]}


def followed(*criteria: dict, shares: tuple[dict, ...] = (), schema: TableSchema = SCHEMA, name: str = "us"):
    spec = CohortSpec.model_validate({"reference_population": name, "criteria": criteria, "shares": shares})
    found = target(spec, schema)
    assert found is not None
    return found


def us(group: str) -> np.ndarray:
    table = reference_table("us")
    return table.shares(next(one for one in table.groups if one.name == group))


@pytest.mark.parametrize("name", population_names())
def test_what_ships_is_valid_cited_and_whole(name):
    table = reference_table(name)
    assert "Centers for Disease Control" in table.source and "fasting subsample" in table.method
    assert {"adults", "diabetes_type_2", "hypertension", "heart_failure"} <= {one.name for one in table.groups}
    for group in table.groups:
        assert table.shares(group).sum() == pytest.approx(1)
        assert table.participants(group).sum(axis=2).min() >= 30


def test_the_latest_population_is_us():
    assert population_names()[:2] == ("us", "us-2011-2014")
    with pytest.raises(UserError, match=r"no reference population is called 'mars'.*us-1999-2002"):
        reference_table("mars")


def text_of(**changes: str) -> str:
    text = (FOLDER / "us.yaml").read_text(encoding="utf-8")
    for before, after in changes.values():
        assert before in text
        text = text.replace(before, after, 1)
    return text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("sex: F, percent: [1.", "sex: F, percent: [9."), "add up to 10"),
        (("participants: 10735", "participants: 10736"), "do not add up to 10736"),
        (("age_bands: [20, 30,", "age_bands: [30, 20,"), "do not ascend"),
        (("- {age: 20, sex: F", "- {age: 20, sex: M"), "not each age band with each sex"),
        (("percent: [1.", "percent: [0.5, 1."), "one figure for each ethnicity"),
        (("percent: [1.", "percent: [-1."), "negative|add up"),
        (("name: adults", "name: children"), "first group must be the adults"),
        (("title: US population", "caption: US population"), "not valid"),
        (("includes:\n  OTHER:", "includes:\n  NOBODY:"), "an ethnicity that the table does not have"),
        (("groups:\n", "groups: [\n"), "not YAML"),
    ],
)
def test_malformed_tables(change, message):
    with pytest.raises(DataError, match=message):
        read_reference_table(text_of(change=change), "us")


def test_a_table_under_another_name():
    with pytest.raises(DataError, match="calls itself 'us'"):
        read_reference_table(text_of(), "uk")


def test_without_a_population_there_is_no_target():
    assert target(CohortSpec(), SCHEMA) is None


def test_everybody_follows_the_adults_table():
    found = followed()
    assert found.group.name == "adults"
    assert found.shares == pytest.approx(us("adults"))
    assert found.sentence.startswith("Age, sex and ethnicity follow all adults in the United States, 2015–2018 (NHANES")
    assert any("nobody under 20" in note for note in found.notes)


@pytest.mark.parametrize(
    ("criteria", "group"),
    [
        ([DIABETICS], "diabetes_type_2"),
        ([{"column": "primary_icd9_code", "starts_with": ["25000", "25002"]}], "diabetes_type_2"),
        ([{"column": "primary_icd9_code", "starts_with": ["428"]}], "heart_failure"),
        ([{"column": "bmi", "minimum": 35}], "obesity"),
        ([{"column": "bmi", "minimum": 25}], "adults"),
        ([{"column": "stroke", "any_of": [False]}], "adults"),
        ([DIABETICS, {"column": "stroke", "any_of": [True]}], "stroke"),
    ],
)
def test_the_smallest_group_that_a_criterion_demands(criteria, group):
    assert followed(*criteria).group.name == group


def test_the_other_disease_is_said():
    assert "also asks for adults with type 2 diabetes" in " ".join(
        followed(DIABETICS, {"column": "stroke", "any_of": [True]}).notes
    )


def test_women_over_60_with_type_2_diabetes():
    found = followed(DIABETICS, WOMEN, {"column": "age_years", "minimum": 60, "include_minimum": False})
    # The bands from 60 on, women only, rescaled; the band that begins at 60 is whole.
    table = us("diabetes_type_2")
    expected = np.zeros_like(table)
    expected[3:, 0] = table[3:, 0]
    assert found.shares == pytest.approx(expected / expected.sum())
    assert 30 <= found.participants < 1000
    assert not any("nobody under" in note for note in found.notes)
    band = found.dimensions[0].slots[3].condition
    assert band.intervals is not None and not band.intervals[0].include_low


def test_half_a_band_counts_half():
    found = followed({"column": "age_years", "minimum": 65})
    margin = us("adults").sum(axis=(1, 2))
    assert found.margin(0) == pytest.approx(
        np.array([0, 0, 0, 0, margin[4] / 2, *margin[5:]]) / (margin[4] / 2 + margin[5:].sum())
    )
    whole_years = SCHEMA.replace(AGE.model_copy(update={"kind": Kind.INTEGER}))
    found = followed({"column": "age_years", "minimum": 60, "maximum": 62}, schema=whole_years)
    assert found.margin(0)[4] == pytest.approx(1)


@pytest.mark.parametrize("column", [{"kind": Kind.INTEGER}, {"decimals": 0}], ids=["integer", "without decimals"])
def test_completed_years_count_one_by_one(column):
    schema, margin = SCHEMA.replace(AGE.model_copy(update=column)), us("adults").sum(axis=(1, 2))
    # Both 40 and 44 are among the years from 35 to 44: five in either band.
    found = followed({"column": "age_years", "minimum": 35, "maximum": 44}, schema=schema)
    assert found.margin(0)[1:3] == pytest.approx(margin[1:3] / margin[1:3].sum())
    found = followed(DIABETICS, {"column": "age_years", "minimum": 65, "maximum": 65}, schema=schema)
    assert found.margin(0).tolist() == [0, 0, 0, 1, 0, 0], "one year alone"


def test_a_small_group_gives_way_to_the_adults_and_that_is_said():
    found = followed({"column": "stroke", "any_of": [True]}, {"column": "age_years", "maximum": 29})
    assert found.group.name == "adults"
    assert "Fewer than 30 participants among adults after a stroke" in found.notes[0]


def test_nobody_in_the_survey_is_refused():
    with pytest.raises(UserError, match=r"fewer than 30 participants.*begins at 20"):
        followed({"column": "age_years", "maximum": 15})


def test_a_source_without_ethnicity_follows_what_it_has():
    found = followed(schema=TableSchema(columns=(AGE, SEX)))
    assert found.shares == pytest.approx(us("adults").sum(axis=2))
    assert "no ethnicity" in " ".join(found.notes)
    assert found.sentence.startswith("Age and sex follow")


def test_neither_age_nor_sex_is_refused():
    schema = TableSchema(columns=(AGE.model_copy(update={"unit": "months"}), ETHNICITY))
    assert not fits("us", schema)
    with pytest.raises(UserError, match="neither an age in years nor a sex"):
        followed(schema=schema)


def test_other_names_of_the_categories_and_age_groups():
    schema = TableSchema(
        columns=(
            Column(name="age", kind=Kind.CATEGORICAL,
                   categories=("[10-20)", "[20-40)", "[40-50)", "[50-60)", "[60-70)", "[70-80)", "80+")),
            Column(name="gender", kind=Kind.CATEGORICAL, categories=("Female", "Male")),
            Column(name="race", kind=Kind.CATEGORICAL,
                   categories=("AfricanAmerican", "Asian", "Caucasian", "Hispanic", "Other", "Not said")),
        )
    )  # fmt: skip
    found = followed(schema=schema)
    age, sex, race = found.dimensions
    assert [slot.label for slot in age.slots][:2] == ["20–39", "40–49"]
    assert [slot.label for slot in sex.slots] == ["Female", "Male"]
    assert [slot.label for slot in race.slots] == ["AfricanAmerican", "Hispanic", "Asian or Other", "Caucasian"]
    assert found.margin(0)[0] == pytest.approx(us("adults")[:2].sum())
    assert age.slots[0].condition.categories == {"[20-40)"}


def test_two_columns_of_one_meaning_are_not_guessed():
    schema = TableSchema(
        columns=(AGE, SEX.model_copy(update={"name": "gender"}), SEX.model_copy(update={"name": "Sex"}))
    )
    table = reference_table("us")
    assert [one.concept for one in dimensions(table, table.everybody, schema)] == ["age_years"]


def test_the_share_of_the_request_wins_and_the_rest_keeps_its_associations():
    found = followed(shares=({"column": "sex", "category": "F", "share": 0.7},))
    table = us("adults")
    assert found.margin(1) == pytest.approx([0.7, 0.3])
    # With one margin to change, each sex keeps its own ages and ethnicities.
    assert found.shares[:, 0] == pytest.approx(table[:, 0] / table[:, 0].sum() * 0.7)
    assert found.user == ("sex",) and found.sentence.startswith("Age and ethnicity follow")


def test_a_share_of_whom_the_table_lacks_stays_within_the_criteria():
    # No man of 60 to 69 with heart failure was of another ethnicity then.
    criteria = (
        {"column": "heart_failure", "any_of": [True]},
        {"column": "sex", "any_of": ["M"]},
        {"column": "age_years", "minimum": 60, "maximum": 69},
    )
    schema = TableSchema(columns=(*SCHEMA.columns, Column(name="heart_failure", kind=Kind.BOOLEAN)))
    share = {"column": "ethnicity", "category": "OTHER", "share": 0.5}
    alone = followed(*criteria, schema=schema, name="us-2003-2006")
    assert alone.margin(2)[2] == 0
    found = followed(*criteria, shares=(share,), schema=schema, name="us-2003-2006")
    assert found.margin(0) == pytest.approx(alone.margin(0))
    assert found.margin(1) == pytest.approx([0, 1])
    # The share's own category stands first; the others divide the rest as they did.
    named = {slot.label: share for slot, share in zip(found.dimensions[2].slots, found.margin(2), strict=True)}
    assert named["OTHER"] == pytest.approx(0.5)
    assert named["WHITE"] == pytest.approx(alone.margin(2)[3] / 2)


def test_a_share_of_a_part_of_a_category_is_a_part_of_its_own():
    found = followed(shares=({"column": "ethnicity", "category": "ASIAN", "share": 0.4},))
    labels = [slot.label for slot in found.dimensions[2].slots]
    assert labels == ["ASIAN", "BLACK", "HISPANIC", "OTHER", "WHITE"]
    margin = us("adults").sum(axis=(0, 1))
    assert found.margin(2) == pytest.approx([0.4, *(0.6 * margin)])


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        (({"column": "age_years", "category": 50, "share": 0.2},), "single values of 'age_years'"),
        (({"column": "race", "category": "Not said", "share": 0.2},), "which the US population does not have"),
    ],
)
def test_shares_that_a_population_cannot_be_combined_with(shares, message):
    race = Column(name="race", kind=Kind.CATEGORICAL, categories=("White", "Black", "Not said"))
    with pytest.raises(UserError, match=message):
        followed(shares=shares, schema=TableSchema(columns=(AGE, SEX, race)))
