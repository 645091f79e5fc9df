"""Comparing with a private summary: exact without noise, honest with it, silent where it cannot know."""

import numpy as np
import pandas as pd
import pytest

from engine.cohort.conditions import Condition, Interval, compile_conditions
from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.core.progress import Silent
from engine.evaluation.associations import Coding, association_matrix
from engine.evaluation.report import SECTIONS, VERSION
from engine.evaluation.summarised import figures
from engine.evaluation.summarised.associations import associations, strengths
from engine.evaluation.summarised.columns import describe, profile
from engine.evaluation.summarised.group import choose, distribution
from engine.evaluation.summarised.pairs import Contingency, correlation_ratio, cramers_v
from engine.evaluation.summarised.report import compare
from engine.evaluation.summarised.table_one import table_one
from engine.privacy.groups import share_within, size_of
from engine.privacy.summary import Margin
from engine.schema.table import Column, Kind
from tests.helpers.small_bundle import SCHEMA, patients
from tests.helpers.summaries import summary_from

ROWS = 4_000
EDGES = {"age_years": [18.0, 40, 60, 75, 95], "glucose": [40.0, *range(70, 200, 10), 400]}
NAMES = SCHEMA.names
TABLE = patients(ROWS)
EXACT = summary_from(TABLE, SCHEMA, edges=EDGES)
NOISY = summary_from(TABLE, SCHEMA, edges=EDGES, noise=25.0, seed=3)
OLD = Criterion(column="age_years", minimum=60)
DIABETIC = Criterion(column="diabetes", any_of=(True,))


def spec(*criteria: Criterion, **more) -> CohortSpec:
    return CohortSpec(patients=500, criteria=criteria, **more)


def random() -> np.random.Generator:
    return np.random.default_rng(0)


# -- how many ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "expected"),
    [
        (Interval(), [1, 1, 1]),
        (Interval(12, 17), [0, 0.8, 0]),  # 12 to 15 of 11 to 15
        (Interval(12, 15, include_low=False, include_high=False), [0, 0.4, 0]),  # 13, 14
        (Interval(10.5, 11), [0, 0.2, 0]),
        (Interval(low=15.5), [0, 0, 1]),
        (Interval(30, 40), [0, 0, 0]),
    ],
)  # fmt: skip
def test_share_of_a_cell_within_an_interval(interval: Interval, expected: list[float]) -> None:
    column = Column(name="x", kind=Kind.INTEGER)
    cells = np.array([[1.0, 10], [11, 15], [20, 20]])
    margin = Margin(column, np.zeros(4, np.int64), 1.0, cells=cells, level=np.arange(3), levels=cells)
    found = share_within(margin, Condition("x", intervals=(interval,), allow_missing=False))
    assert found.tolist() == pytest.approx([*expected, 0])
    without = Condition("x", intervals=(Interval(11, 15),), excluded=frozenset({12.0, 99.0}), allow_missing=True)
    assert share_within(margin, without).tolist() == pytest.approx([0, 0.8, 0, 1])
    beside = Condition("x", intervals=(Interval(11, 13),), excluded=frozenset({12.0, 14.0}), allow_missing=False)
    assert share_within(margin, beside).tolist() == pytest.approx([0, 0.4, 0, 0]), "14 was not inside"
    assert share_within(margin, Condition("x", allow_present=False)).tolist() == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "criteria",
    [
        (),
        (OLD,),
        (DIABETIC,),
        (OLD, DIABETIC),
        (Criterion(column="glucose", recorded=False), OLD),
        (Criterion(column="sex", none_of=("M",)), Criterion(column="glucose", minimum=150)),
    ],
)  # fmt: skip
def test_without_noise_groups_of_up_to_two_columns_are_counted_exactly(criteria: tuple[Criterion, ...]) -> None:
    from engine.cohort.predicate import attrition

    exact = attrition(TABLE, spec(*criteria), SCHEMA)[-1].patients
    found = size_of(EXACT, compile_conditions(spec(*criteria), SCHEMA))
    assert found.patients == pytest.approx(exact, abs=0.01)


def test_a_third_column_follows_the_one_it_depends_on() -> None:
    three = spec(OLD, DIABETIC, Criterion(column="glucose", minimum=150))
    exact = int(((TABLE["age_years"] >= 60) & TABLE["diabetes"] & (TABLE["glucose"] >= 150)).sum())
    found = size_of(EXACT, compile_conditions(three, SCHEMA))
    assert found.patients == pytest.approx(exact, rel=0.05)
    assert found.noise is None


def test_noise_is_said_as_large_as_it_is() -> None:
    both = compile_conditions(spec(OLD, DIABETIC), SCHEMA)
    exact = int(((TABLE["age_years"] >= 60) & TABLE["diabetes"]).sum())
    found = [size_of(summary_from(TABLE, SCHEMA, edges=EDGES, noise=25.0, seed=seed), both) for seed in range(60)]
    spread = np.std([one.patients - exact for one in found])
    assert found[0].noise == pytest.approx(spread, rel=0.35)


# -- distributions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("criteria", [(), (OLD,), (DIABETIC,), (Criterion(column="age_years", maximum=39),)])
def test_without_noise_distributions_are_those_of_the_rows(criteria: tuple[Criterion, ...]) -> None:
    from engine.cohort.predicate import satisfied

    rows = TABLE[satisfied(TABLE, compile_conditions(spec(*criteria), SCHEMA), SCHEMA)]
    group = choose(EXACT, spec(*criteria))
    assert group.kind == ("criteria" if criteria else "all")
    assert group.patients == pytest.approx(len(rows), abs=0.01)
    for index, margin in enumerate(EXACT.margins):
        found, exact = distribution(group, index), figures.counted(margin, rows[margin.column.name])
        assert found is not None
        assert found.levels == pytest.approx(exact.levels, abs=0.01)
        assert found.missing == pytest.approx(exact.missing, abs=0.01)
        assert figures.similarity(found, exact) == pytest.approx(1, abs=1e-6)


def test_a_cohort_of_the_same_patients_is_alike_everywhere() -> None:
    report = compare(EXACT, TABLE, spec=spec(), small_cell_minimum=11, progress=Silent())
    assert report["version"] == VERSION
    assert [report["sections"][one.name]["state"] for one in SECTIONS] == ["done"] * len(SECTIONS)
    assert report["cards"]["fidelity"]["value"] == "100.0%"
    assert all(entry["similarity"]["synthetic"] == pytest.approx(1) for entry in report["columns"])
    assert all(abs(one["smd"]["synthetic"]["value"]) < 0.02 for one in report["table_one"]["columns"])
    assert report["associations"]["mean_difference"]["synthetic"] < 0.01
    assert report["reference"]["kind"] == "summary"
    assert "ε 3, δ 1e-06" in report["reference"]["sentence"]
    assert "not with real rows" in report["reference"]["sentence"]
    assert not report["internal"]


def test_another_cohort_is_told_apart() -> None:
    other = TABLE.assign(glucose=TABLE["glucose"] + 40, diabetes=(~TABLE["diabetes"]).astype("boolean"))
    report = compare(EXACT, other, spec=spec(), small_cell_minimum=11, progress=Silent())
    entry = {one["name"]: one for one in report["columns"]}
    share = float(TABLE["diabetes"].mean())
    assert entry["diabetes"]["similarity"]["synthetic"] == pytest.approx(1 - abs(1 - 2 * share), abs=0.001)
    assert entry["glucose"]["similarity"]["synthetic"] < 0.6
    assert entry["sex"]["similarity"]["synthetic"] == pytest.approx(1)


def test_table_one_by_hand() -> None:
    found = {one["name"]: one for one in table_one(choose(EXACT, spec()), [0, 1, 2, 3], TABLE)["columns"]}
    age, glucose = found["age_years"]["tables"]["real"], found["glucose"]["tables"]["real"]
    # Ages are counted one by one, so their figures are those of the rows.
    assert age["mean"] == pytest.approx(TABLE["age_years"].mean(), abs=0.05)
    assert age["sd"] == pytest.approx(TABLE["age_years"].std(), abs=0.05)
    assert age["median"] == pytest.approx(TABLE["age_years"].median(), abs=1)
    assert glucose["median"] == pytest.approx(TABLE["glucose"].median(), abs=6)
    assert glucose["missing"]["share"] == pytest.approx(TABLE["glucose"].isna().mean(), abs=0.001)
    sex = {line["label"]: line for line in found["sex"]["categories"]}
    assert sex["F"]["real"]["share"] == pytest.approx((TABLE["sex"] == "F").mean(), abs=0.001)
    assert sex["F"]["synthetic"]["text"] == f"{(TABLE['sex'] == 'F').sum():,} ({(TABLE['sex'] == 'F').mean():.1%})"


def test_the_noise_beside_a_mean_is_the_noise_in_it() -> None:
    group = choose(EXACT, spec(DIABETIC))
    truth = figures.moments(distribution(group, NAMES.index("age_years")))[0]
    means, noise = [], 0.0
    for seed in range(60):
        summary = summary_from(TABLE, SCHEMA, edges=EDGES, noise=25.0, seed=seed)
        found = distribution(choose(summary, spec(DIABETIC)), NAMES.index("age_years"))
        means.append(figures.moments(found)[0] - truth)
        noise = figures.mean_noise(found)
    assert np.std(means) == pytest.approx(noise, rel=0.35)


def test_the_floor_is_what_a_fresh_draw_of_the_noise_makes() -> None:
    index = NAMES.index("glucose")
    found = distribution(choose(NOISY, spec(DIABETIC)), index)
    truth = distribution(choose(EXACT, spec(DIABETIC)), index)
    floor = figures.similarity_floor(found, random())
    drawn = [summary_from(TABLE, SCHEMA, edges=EDGES, noise=25.0, seed=seed) for seed in range(20)]
    reached = [figures.similarity(distribution(choose(one, spec(DIABETIC)), index), truth) for one in drawn]
    assert 0.9 < floor < 0.99
    assert np.mean(reached) == pytest.approx(floor, abs=0.02)
    assert figures.similarity_floor(distribution(choose(EXACT, spec()), index), random()) == pytest.approx(1, abs=1e-6)


# -- criteria and shares -----------------------------------------------------------------------------------------------


def test_of_several_columns_the_criteria_on_all_but_one_are_dropped_and_said() -> None:
    group = choose(EXACT, spec(OLD, DIABETIC, Criterion(column="sex", any_of=("F",))))
    assert group.kind == "relaxed"
    assert group.dropped == ("age_years", "sex")  # those with diabetes are the fewest
    assert "criteria on Diabetes mellitus, without the criteria on Age, Sex" in group.sentence
    assert "Differences that follow from what was left out are expected" in group.sentence


def test_a_column_whose_criterion_was_dropped_is_itself_told_within_it() -> None:
    group, rows = choose(EXACT, spec(OLD, DIABETIC)), TABLE[(TABLE["age_years"] >= 60) & TABLE["diabetes"]]
    assert group.dropped == ("age_years",)
    index = NAMES.index("age_years")
    exact = figures.counted(EXACT.margins[index], rows["age_years"])
    assert distribution(group, index).levels == pytest.approx(exact.levels, abs=0.01)
    hidden = choose(NOISY, spec(Criterion(column="age_years", minimum=94)))
    assert distribution(hidden, index).cells[: 94 - 18].tolist() == [0.0] * 76


def test_a_group_that_noise_hides_is_no_reference() -> None:
    few = Criterion(column="age_years", minimum=95)
    group = choose(NOISY, spec(few))
    assert (group.kind, group.column, group.dropped) == ("relaxed", None, ("age_years",))
    assert "without the criteria on Age" in group.sentence


def test_a_pair_that_was_not_measured_is_not_assessable() -> None:
    summary = summary_from(TABLE, SCHEMA, edges=EDGES, without=(("diabetes", "glucose"),))
    entry = describe(choose(summary, spec(DIABETIC)), NAMES.index("glucose"), TABLE, random())
    assert not entry["shown"]
    assert "not measured" in entry["reason"]
    assert describe(choose(summary, spec()), NAMES.index("glucose"), TABLE, random())["shown"]
    report = compare(summary, TABLE, spec=spec(DIABETIC), small_cell_minimum=11, progress=Silent())
    assert {one["name"]: one["form"] for one in report["table_one"]["columns"]}["glucose"] == "none"


def test_shares_weight_the_reference() -> None:
    group = choose(EXACT, spec(shares=(Share(column="diabetes", category=True, share=0.8),)))
    assert group.weighted
    diabetic, glucose = (TABLE[TABLE["diabetes"] == is_so] for is_so in (True, False)), NAMES.index("glucose")
    (ill, well), margin = diabetic, EXACT.margins[glucose]
    levels = [figures.counted(margin, part["glucose"]).levels / len(part) for part in (ill, well)]
    found = distribution(group, glucose).levels
    assert found / ROWS == pytest.approx(0.8 * levels[0] + 0.2 * levels[1], abs=1e-4)
    own = distribution(group, NAMES.index("diabetes"))
    assert own.levels / own.present == pytest.approx([0.2, 0.8], abs=1e-6)


def test_what_is_not_applied_is_said() -> None:
    shares = (Share(column="diabetes", category=True, share=0.8), Share(column="sex", category="F", share=0.5))
    assert "several columns" in choose(EXACT, spec(shares=shares)).notes[0]
    assert "Target proportions are not applied" in choose(EXACT, spec(OLD, shares=shares[:1])).notes[0]
    assert "reference population" in choose(EXACT, spec(reference_population="us")).notes[0]


# -- associations ------------------------------------------------------------------------------------------------------


def test_without_noise_associations_are_those_of_the_binned_rows() -> None:
    found = associations(choose(EXACT, spec()), list(range(5)), TABLE, random())
    columns = SCHEMA.features
    coded = TABLE.copy()
    exact = association_matrix(coded, columns, coding=Coding.of(coded, columns), least_rows=20)
    at = [found["names"].index(name) for name in NAMES]
    measured = np.array(found["real"], dtype=float)[np.ix_(at, at)]
    assert measured == pytest.approx(exact, abs=0.06)  # bins lose a little
    assert found["mean_difference"]["synthetic"] < 0.01


def test_noise_makes_no_association() -> None:
    shuffled = pd.DataFrame({name: TABLE[name].sample(frac=1, random_state=place).to_numpy()
                             for place, name in enumerate(NAMES)}).astype(TABLE.dtypes.to_dict())  # fmt: skip
    drawn = [
        associations(choose(summary_from(shuffled, SCHEMA, edges=EDGES, noise=25.0, seed=seed), spec()),
                     list(range(5)), shuffled, random())["real"]
        for seed in range(5)
    ]  # fmt: skip
    upper = np.triu_indices(5, k=1)
    values = np.array(drawn, dtype=float)[:, *upper]
    assert np.nanmean(np.abs(values)) < 0.06


def test_associations_within_a_group_are_not_assessable() -> None:
    found = associations(choose(EXACT, spec(OLD)), list(range(5)), TABLE, random())
    assert "three columns" in found["reason"]
    assert found["titles"] == []


def test_columns_that_go_with_a_diagnosis_stand_above_the_noise() -> None:
    from engine.services.associations import strengths as of_rows

    exact = of_rows(TABLE, SCHEMA, DIABETIC, small_cell_minimum=11)
    found = strengths(EXACT, DIABETIC, small_cell_minimum=11)
    assert set(found) == set(exact)
    for one in (found, strengths(NOISY, DIABETIC, small_cell_minimum=11)):
        assert one["glucose"] > one["age_years"] > 0.2
        assert "sex" not in one
    rare = Criterion(column="age_years", minimum=95)
    assert strengths(NOISY, rare, small_cell_minimum=500) == {}


# -- the profile -------------------------------------------------------------------------------------------------------


def test_the_profile_shows_the_summary() -> None:
    found = {one["name"]: one for one in profile(EXACT)}
    assert list(found) == NAMES
    assert found["glucose"]["present"] == pytest.approx(TABLE["glucose"].notna().mean(), abs=1e-3)
    assert found["glucose"]["stats"]["real"]["median"] == pytest.approx(TABLE["glucose"].median(), abs=6)
    assert [cell["label"] for cell in found["diabetes"]["bins"]] == ["Yes", "No"]
    assert [cell["label"] for cell in found["age_years"]["bins"]] == ["18–39", "40–59", "60–74", "75–95"]
    assert sum(cell["real"] for cell in found["age_years"]["bins"]) == pytest.approx(1, abs=1e-3)


def test_the_document_of_a_comparison_reads_it() -> None:
    from engine.export.manifest import manifest
    from engine.reports.facts import Facts
    from engine.reports.views import internal

    told = manifest(spec(OLD), source={"name": "ward"}, generator={"name": "dp_cgan"}, seed=7)
    for criteria in ((), (OLD, DIABETIC)):
        report = compare(NOISY, TABLE, spec=spec(*criteria), small_cell_minimum=11, progress=Silent())
        made = internal(report, Facts("a cohort", told))
        assert "no real row ships with this model" in str(made)
        assert ("three columns" in str(made)) == bool(criteria)


def test_what_noise_adds_to_cramers_v_is_taken_off() -> None:
    random, found = np.random.default_rng(1), []
    for _ in range(40):
        counts = np.full((4, 4), 125.0) + 25.0 * random.normal(size=(4, 4))
        table = Contingency(counts, 25.0)
        found.append(cramers_v(table, table)[0])
    assert np.mean(found) < 0.06  # 0.073 with it
    planted = Contingency(np.diag([400.0, 300, 300]) + 20, 0.0)
    assert cramers_v(planted, planted)[0] == pytest.approx(1 - 0.17, abs=0.02)
    _, floor = cramers_v(table, table)
    assert np.mean(np.array(found) > floor) < 0.15


def test_what_noise_adds_to_a_correlation_ratio_is_taken_off() -> None:
    random, values, found = np.random.default_rng(1), np.arange(5.0), []
    for _ in range(40):
        table = Contingency(np.full((6, 5), 60.0) + 30.0 * random.normal(size=(6, 5)), 30.0)
        found.append(correlation_ratio(table, table, values) ** 2)
    # 0.036 without the correction.
    assert np.mean(found) < 0.03
    planted = Contingency(np.array([[100.0, 0, 0], [0, 0, 100.0]]), 0.0)
    assert correlation_ratio(planted, planted, np.array([0.0, 1, 2])) == pytest.approx(1)


def test_as_many_categories_as_patients_explain_nothing() -> None:
    few = Contingency(np.eye(20)[:, :20], 0.0)
    pooling = Contingency(np.full((20, 20), 200.0), 1.0)
    assert np.isnan(correlation_ratio(few, pooling, np.arange(20.0)))
