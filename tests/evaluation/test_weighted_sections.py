"""Weighted real rows in every section: shares by weight, shown or not by patients alone."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.raking import effective_size
from engine.cohort.spec import CohortSpec, Share
from engine.core.progress import Silent
from engine.evaluation import fidelity
from engine.evaluation.cells import Counts, Sample, rounding
from engine.evaluation.columns import describe
from engine.evaluation.drawing import evened, halves, thinned
from engine.evaluation.plausibility import plausibility
from engine.evaluation.sections import associated, pictures, scores
from engine.evaluation.similarity import ks_complement, tv_complement
from engine.evaluation.study import Study
from engine.schema.catalogue import catalogue
from engine.schema.table import Column, Kind, TableSchema, conform

NUMBER = Column(name="x", kind=Kind.NUMERIC, decimals=1)
WORD = Column(name="x", kind=Kind.CATEGORICAL)
FLAG = Column(name="x", kind=Kind.BOOLEAN)


def sample(column: Column, values, weights=None, patients=None) -> Sample:
    frame = conform(pd.DataFrame({column.name: values}), TableSchema(columns=(column,)))
    return Sample(frame, patients).weighted(None if weights is None else np.asarray(weights, dtype=float))


def entry(column: Column, real: Sample, synthetic, holdout: Sample | None = None):
    tables = {"real": real, "holdout": holdout or sample(column, []), "synthetic": sample(column, synthetic)}
    return describe(tables, column, minimum=11)


def shares(found, table: str = "real"):
    return {cell["label"]: cell[table] for cell in found["bins"]}


def test_shares_of_categories_by_hand():
    # A hundred rows of weight 2 and three hundred of 2/3: half each.
    real = sample(WORD, ["a"] * 100 + ["b"] * 300, [2.0] * 100 + [2 / 3] * 300)
    found = entry(WORD, real, ["a"] * 50 + ["b"] * 50)
    assert shares(found) == {"a": 0.5, "b": 0.5}
    assert found["similarity"]["synthetic"] == 1.0
    assert found["weighted"] == ["real"]
    assert "weighted" not in entry(WORD, sample(WORD, ["a"] * 100), ["a"] * 50)


def test_intervals_and_figures_by_hand():
    values = [10.0] * 100 + [20.0] * 300
    found = entry(NUMBER, sample(NUMBER, values, [3.0] * 100 + [1 / 3] * 300), [10.0] * 75 + [20.0] * 25)
    drawn = [cell["real"] for cell in found["bins"] if cell["real"]]
    assert drawn == [0.75, 0.25] == [cell["synthetic"] for cell in found["bins"] if cell["real"]]
    assert found["stats"]["real"]["mean"] == 12.5
    assert found["stats"]["real"]["median"] == 10
    assert found["similarity"]["synthetic"] == 1.0


def test_missing_values_by_weight():
    real = sample(NUMBER, [1.0] * 100 + [None] * 100, [1.5] * 100 + [0.5] * 100)
    assert entry(NUMBER, real, [1.0] * 50)["missing"]["real"] == 0.25
    few = sample(NUMBER, [1.0] * 100 + [None] * 10, [1.0] * 100 + [30.0] * 10)
    missing = entry(NUMBER, few, [1.0] * 50)["missing"]
    assert (missing["real"], missing["note"]) == (None, "fewer than 11 patients")


def test_weight_makes_no_small_cell_large():
    heavy = sample(FLAG, [True] * 10 + [False] * 190, [10.0] * 10 + [0.5] * 190)
    found = entry(FLAG, heavy, [True] * 50 + [False] * 50)
    assert shares(found) == {"Yes": None, "No": None}
    assert "synthetic" not in found.get("similarity", {})


def test_rows_without_weight_support_nothing():
    # Twenty patients say yes, but only three of them have a part in the shares.
    weights = [0.0] * 17 + [1.0] * 103
    found = entry(FLAG, sample(FLAG, [True] * 20 + [False] * 100, weights), [True] * 50 + [False] * 50)
    assert shares(found) == {"Yes": None, "No": None}


def test_no_weight_makes_a_large_cell_small():
    light = sample(FLAG, [True] * 20 + [False] * 180, [0.1] * 20 + [1.1] * 180)
    assert shares(entry(FLAG, light, [True] * 50 + [False] * 50)) == {"Yes": 0.01, "No": 0.99}


def test_a_quartile_needs_patients_on_either_side():
    # The lowest value weighs more than all others: the median by weight would be that patient's own.
    values = np.arange(100.0)
    stats = entry(NUMBER, sample(NUMBER, values, [200.0] + [1.0] * 99), values)["stats"]["real"]
    assert stats["median"] is None
    # Of a hundred, the first m weights are m / 2 + m (m - 1) / 198: from 62 on, half of all.
    assert entry(NUMBER, sample(NUMBER, values, np.linspace(0.5, 1.5, 100)), values)["stats"]["real"]["median"] == 61


@pytest.mark.parametrize("column", [NUMBER, WORD, FLAG, Column(name="x", kind=Kind.DATE)])
def test_equal_weights_change_nothing(column):
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 40, 500)
    values = {
        Kind.NUMERIC: numbers.astype(float),
        Kind.CATEGORICAL: np.char.mod("c%d", numbers // 4),
        Kind.BOOLEAN: numbers < 9,
        Kind.DATE: pd.Timestamp("2150-01-01") + pd.to_timedelta(numbers, unit="D"),
    }[column.kind]
    some = pd.Series(values).where(rng.random(500) > 0.1)
    found = entry(column, sample(column, some, np.full(500, 0.7)), values[:200], sample(column, values[200:]))
    plain = entry(column, sample(column, some), values[:200], sample(column, values[200:]))
    if column.kind.is_ordered:
        # Quartiles by weight are values that occur, those without weights lie between two.
        assert abs(found["stats"]["real"].pop("median") - plain["stats"]["real"].pop("median")) <= 1
        for name in ("q1", "q3"):
            assert abs(found["stats"]["real"].pop(name) - plain["stats"]["real"].pop(name)) <= 1
    assert found.pop("weighted") == ["real"]
    assert found == plain


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_similarity_with_whole_weights_is_that_of_repeated_rows(seed):
    rng = np.random.default_rng(seed)
    times, other_times = rng.integers(1, 5, 60), rng.integers(1, 4, 40)
    for formula, draw in (
        (ks_complement, lambda n: rng.normal(size=n).round(1)),
        (tv_complement, lambda n: rng.integers(-1, 5, n)),
    ):
        real, other = draw(60), draw(40)
        repeated = formula(np.repeat(real, times), np.repeat(other, other_times))
        assert formula(real, other, times.astype(float), other_times.astype(float)) == pytest.approx(repeated)
        assert formula(real, other, np.full(60, 0.3)) == pytest.approx(formula(real, other))


def test_a_step_hides_the_heaviest_row():
    weights = np.r_[np.full(50, 10.0), np.ones(950)]
    of = Sample(pd.DataFrame(index=range(1000)), weights=weights)
    everyone = np.ones(1000, dtype=bool)
    assert of.units(everyone) == 145
    assert rounding(145) * 1450 >= 10
    with_one = of.rounded(np.arange(1000) < 30, everyone)
    steps = with_one / rounding(145)
    assert steps == pytest.approx(round(steps))
    counts = Counts.of(np.repeat([0, 1], 500), of, 2)
    assert counts.mass == pytest.approx([95, 50])
    assert counts.grouped([[0, 1]]).mass == pytest.approx([145])
    assert counts.small(501).tolist() == [True, True]


def test_taken_rows_keep_their_weights():
    of = sample(NUMBER, [1.0, 2, 3, 4], [1, 0, 2, 3], np.array([0, 0, 1, 2]))
    assert of.frame["x"].tolist() == [1, 3, 4]
    assert of.take(np.array([False, True, True])).weights.tolist() == [2, 3]
    assert of.patient_count == 3
    assert of.share(np.array([False, False, True]), np.array([True, True, True])) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_evened_rows_have_the_shares_of_the_weights(seed):
    rng = np.random.default_rng(seed)
    weights = rng.lognormal(0, 1, 800)
    of = Sample(pd.DataFrame({"x": range(800)}), np.arange(800), weights)
    drawn = evened(of, np.random.default_rng(seed), 2000)
    size = int(effective_size(weights))
    assert len(drawn.frame) == size < 800
    assert drawn.weights is None and (drawn.patients == drawn.frame["x"]).all()
    times = np.bincount(drawn.frame["x"], minlength=800)
    expected = weights / weights.sum() * size
    # As often as the weight says, rounded down or up: no other way repeats less.
    assert (np.abs(times - expected) < 1 + 1e-9).all()
    again = evened(of, np.random.default_rng(seed), 2000)
    assert (again.frame["x"] == drawn.frame["x"]).all()
    assert len(evened(of, rng, 100).frame) == 100


def test_rows_without_weights_are_thinned_as_ever():
    of = Sample(pd.DataFrame({"x": range(500)}))
    one, two = (draw(of, np.random.default_rng(1), 100).frame for draw in (evened, thinned))
    assert (one["x"] == two["x"]).all() and one["x"].is_unique
    assert evened(of, np.random.default_rng(1), 500) is of


@pytest.mark.parametrize("rows", [1, 7, 100, 333])
def test_equal_weights_keep_every_row_once(rows):
    of = sample(NUMBER, np.arange(rows), np.full(rows, 0.1))
    drawn = evened(of, np.random.default_rng(0), 10_000)
    assert sorted(drawn.frame["x"]) == list(range(rows))


def test_halves_share_no_patient_and_keep_weights():
    patients = np.repeat(np.arange(100), 3)
    of = Sample(pd.DataFrame({"x": range(300)}), patients, np.repeat(np.arange(1.0, 101), 3))
    first, second = halves(of, np.random.default_rng(0))
    assert not set(first.patients) & set(second.patients)
    assert len(first.frame) + len(second.frame) == 300
    assert (first.weights == first.patients + 1).all()
    drawn = [evened(half, np.random.default_rng(2), 300).frame["x"] for half in (first, second)]
    assert not set(drawn[0]) & set(drawn[1])


RULES = TableSchema(
    columns=tuple(catalogue().column(name) for name in ("sex", "pregnancy", "hemoglobin", "hematocrit"))
)
RULE = "hematocrit_to_hemoglobin"


def judged(discordant: int, weights: np.ndarray):
    frame = pd.DataFrame({"sex": "F", "pregnancy": False, "hemoglobin": 12.0, "hematocrit": 36.0}, index=range(400))
    frame.loc[: discordant - 1, "hematocrit"] = 60.0
    of = Sample(conform(frame, RULES))
    return plausibility({"real": of.weighted(weights), "holdout": of, "synthetic": of}, RULES, minimum=11)


def test_rates_by_weight_by_hand():
    found = judged(100, np.r_[np.full(100, 2.0), np.full(300, 2 / 3)])
    (rule,) = (one for one in found["rules"] if one["id"] == RULE)
    assert (rule["real"]["rate"], rule["holdout"]["rate"], rule["synthetic"]["rate"]) == (0.5, 0.25, 0.25)
    assert found["totals"]["discordant"]["real"]["text"] == "50.0%, weighted"
    assert found["totals"]["discordant"]["holdout"]["text"] == "25.0%"
    assert found["weighted"] == ["real"]


def test_heavy_rows_of_a_few_patients_give_no_rate():
    found = judged(10, np.r_[np.full(10, 20.0), np.full(390, 0.5)])
    (rule,) = (one for one in found["rules"] if one["id"] == RULE)
    assert (rule["real"]["rate"], rule["real"]["text"]) == (None, "fewer than 11 patients")
    assert found["totals"]["discordant"]["real"]["rate"] is None


SCHEMA = TableSchema(
    columns=(
        Column(name="age", kind=Kind.INTEGER),
        Column(name="stay", kind=Kind.NUMERIC, decimals=1),
        Column(name="ward", kind=Kind.CATEGORICAL),
        Column(name="died", kind=Kind.BOOLEAN),
    )
)


def population(rows: int, seed: int, dying: float = 0.2) -> pd.DataFrame:
    """Those who die are older and stay longer, and the longer the older: among the others, age says nothing."""
    rng = np.random.default_rng(seed)
    died = rng.random(rows) < dying
    age = np.where(died, rng.normal(75, 8, rows), rng.normal(50, 8, rows)).round()
    stay = np.where(died, age / 5 + rng.normal(0, 1, rows), rng.normal(5, 1, rows)).round(1)
    ward = np.where(died == (rng.random(rows) < 0.8), "intensive", "general")
    stay = np.where(rng.random(rows) < np.where(died, 0.4, 0.1), np.nan, stay)
    return conform(pd.DataFrame({"age": age, "stay": stay, "ward": ward, "died": died}), SCHEMA)


@pytest.fixture(scope="module")
def reports():
    """The sections that took no weights before, of a cohort that is as asked for: with its proportions and without."""
    tables = population(3000, 1), population(1500, 2), population(1000, 3, dying=0.6)
    found = []
    for one in ((Share(column="died", category=True, share=0.6),), ()):
        study = Study.of(*tables, SCHEMA, spec=CohortSpec(shares=one), minimum=11)
        report: dict[str, Any] = {"study": study, "associations": associated.associations(study, Silent())}
        report |= {"scores": scores.scores(study, Silent(), report["associations"])}
        found.append(report | {"columns": study.entries, "table_one": pictures.table_one(study, Silent())})
    return found


def column(report, name: str):
    return next(one for one in report["columns"] if one["name"] == name)


def test_a_cohort_as_asked_for_is_as_alike_as_chance_allows(reports):
    weighted, plain = reports
    for name in ("age", "stay", "ward", "died"):
        assert (
            column(weighted, name)["similarity"]["synthetic"]
            > 0.93
            > column(plain, name)["similarity"]["synthetic"] - 0.05
        )
    assert column(plain, "died")["similarity"]["synthetic"] == pytest.approx(0.6, abs=0.03)
    assert shares(column(weighted, "died")) == {"Yes": 0.6, "No": 0.4} == shares(column(weighted, "died"), "holdout")
    missing = column(weighted, "stay")["missing"]
    assert missing["real"] == pytest.approx(missing["synthetic"], abs=0.03)
    assert column(plain, "stay")["missing"]["real"] < missing["real"] - 0.08


def test_associations_and_scores_are_those_of_the_proportions(reports):
    weighted, plain = reports
    assert weighted["associations"]["weighted"] == ["real", "holdout"]
    assert weighted["associations"]["measure"].endswith("real rows by weight")
    assert weighted["associations"]["mean_difference"]["synthetic"] < 0.05
    assert (
        plain["associations"]["mean_difference"]["synthetic"] > weighted["associations"]["mean_difference"]["synthetic"]
    )
    for name in ("quality", "shapes", "all_pairs"):
        figures = [one["scores"]["figures"][name]["synthetic"]["value"] for one in reports]
        assert figures[0] > figures[1] + 0.05, name
        assert figures[0] > 0.9
    assert weighted["scores"]["figures"]["shapes"]["halves"]["value"] < 1


def test_the_scores_say_how_weighted_rows_were_drawn(reports):
    weighted, plain = reports
    told = " ".join(weighted["scores"]["notes"])
    size = weighted["study"].weights.as_dict()["effective_patients"]
    assert f"about {size:,} real ones and about" in told and "Kish" in told
    assert "weight" not in " ".join(plain["scores"]["notes"])
    assert "weighted" not in plain["associations"]


def test_a_heavy_row_stands_in_one_half_only(monkeypatch):
    # In both it would make the level of chance look high, and itself well known.
    share = Share(column="died", category=True, share=0.6)
    tables = population(600, 4), population(300, 5), population(300, 6, dying=0.6)
    study = Study.of(*tables, SCHEMA, spec=CohortSpec(shares=(share,)), minimum=11)
    compared, real = [], fidelity.quality
    monkeypatch.setattr(fidelity, "quality", lambda *given: compared.append(given[:2]) or real(*given))
    scores.scores(study, Silent(), associated.associations(study, Silent()))
    first, second = (part.index for part in compared[2])
    assert not set(first) & set(second)
    assert first.has_duplicates or second.has_duplicates


def test_table_one_and_the_distributions_agree(reports):
    weighted, _ = reports
    table = next(one for one in weighted["table_one"]["columns"] if one["name"] == "ward")
    assert {one["label"]: one["real"]["share"] for one in table["categories"]} == shares(column(weighted, "ward"))
    stay = next(one for one in weighted["table_one"]["columns"] if one["name"] == "stay")["tables"]
    assert stay["real"]["missing"]["share"] == column(weighted, "stay")["missing"]["real"]
