"""The whole comparison on tables where the answer is known."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from engine.cohort.spec import CohortSpec, Criterion, Share
from engine.core.errors import Cancelled, DataError, UserError
from engine.core.progress import Silent
from engine.evaluation import fidelity
from engine.evaluation.report import SECTIONS, analyse, compare
from engine.evaluation.similarity import ks_complement, pair_similarity, tv_complement
from engine.schema.table import Column, Kind, Role, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="age", kind=Kind.NUMERIC, label="Age", unit="years", decimals=1),
        Column(name="weight", kind=Kind.NUMERIC, label="Weight", unit="kg", decimals=1),
        Column(name="visits", kind=Kind.INTEGER),
        Column(name="ward", kind=Kind.CATEGORICAL),
        Column(name="doctor", kind=Kind.CATEGORICAL),
        Column(name="died", kind=Kind.BOOLEAN),
        Column(name="admitted", kind=Kind.DATE),
        Column(name="empty", kind=Kind.NUMERIC),
    )
)


def real_table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.normal(60, 15, n).round(1)
    ward = np.where(age > 65, "geriatric", np.where(rng.random(n) < 0.5, "medical", "surgical"))
    frame = pd.DataFrame(
        {
            "patient": [f"{seed}-{i}" for i in range(n)],
            "age": age,
            "weight": (age / 2 + 40 + rng.normal(0, 2, n)).round(1),
            "visits": np.where(rng.random(n) < 0.2, np.nan, rng.poisson(2, n)),
            "ward": pd.Series(ward).where(rng.random(n) > 0.1),
            "doctor": np.char.add("Dr ", np.where(ward == "medical", "A", "B")),
            "died": rng.random(n) < age / 200,
            "admitted": pd.Timestamp("2150-01-01") + pd.to_timedelta(rng.integers(0, 3000, n), unit="D"),
            "empty": np.nan,
        }
    )
    return conform(frame, SCHEMA)


TRAIN, HOLDOUT = real_table(800, 1), real_table(400, 2)


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: frame[name].iloc[rng.permutation(len(frame))].to_numpy() for name in frame})


def run(synthetic: pd.DataFrame, *, holdout=HOLDOUT, spec=None, train=TRAIN, schema=SCHEMA):
    features = schema.select([c.name for c in schema.features if c.name in synthetic])
    return compare(
        train,
        holdout,
        conform(synthetic, features),
        schema,
        spec=spec or CohortSpec(),
        small_cell_minimum=11,
        progress=Silent(),
    )


@pytest.fixture(scope="module")
def copied():
    return run(TRAIN)


@pytest.fixture(scope="module")
def independent():
    return run(shuffled(TRAIN))


def figure(result, name: str, table: str = "synthetic"):
    return result["scores"]["figures"][name][table]["value"]


def timeless(value):
    """The report without the seconds that its parts took."""
    if isinstance(value, dict):
        return {name: timeless(part) for name, part in value.items() if name != "seconds"}
    return value


def test_a_copy_scores_one(copied):
    for name in ("quality", "shapes", "pairs", "all_pairs", "validity", "structure"):
        assert figure(copied, name) == 1, name
    assert figure(copied, "associations") == 0
    assert figure(copied, "quality", "holdout") < 1
    assert all(c["similarity"]["synthetic"] == 1 for c in copied["columns"] if c["shown"])
    for row in copied["associations"]["difference"]:
        assert all(value in (None, 0) for value in row)


def test_independent_columns_lose_their_pairs_and_keep_their_shapes(independent):
    assert figure(independent, "shapes") > 0.99
    assert figure(independent, "pairs") + 0.1 < figure(independent, "pairs", "holdout")
    assert figure(independent, "all_pairs") < figure(independent, "all_pairs", "holdout")
    assert figure(independent, "associations") > 3 * figure(independent, "associations", "holdout")
    names = independent["associations"]["names"]
    at, beside = names.index("age"), names.index("weight")
    assert independent["associations"]["real"][at][beside] > 0.9
    assert abs(independent["associations"]["synthetic"][at][beside]) < 0.15
    assert independent["associations"]["difference"][at][beside] < -0.75
    assert independent["associations"]["pearson"]["real"][at][beside] > 0.9


def test_a_shift_is_found_where_it_is():
    found = {c["name"]: c for c in run(TRAIN.assign(age=TRAIN["age"] + 15))["columns"]}
    # Half of a normal distribution's mass lies within 0.674 SD; a shift of one SD moves 38 % past the middle.
    assert found["age"]["similarity"]["synthetic"] == pytest.approx(0.617, abs=0.04)
    assert found["weight"]["similarity"]["synthetic"] == 1
    assert found["age"]["stats"]["synthetic"]["mean"] - found["age"]["stats"]["real"]["mean"] == pytest.approx(
        15, abs=0.2
    )


def test_the_result_is_plain_json_without_rows(copied):
    text = json.dumps(copied, allow_nan=False)
    assert json.loads(text) == copied
    assert "1-17" not in text
    assert len(text) < 60_000


def test_every_kind_of_column_has_an_entry(copied):
    assert [c["name"] for c in copied["columns"]] == [c.name for c in SCHEMA.features]
    assert [c["name"] for c in copied["columns"] if not c["shown"]] == ["empty"]
    assert any("1 of 8 columns" in note for note in copied["notes"])


def test_same_input_same_result():
    first, second = (run(shuffled(TRAIN)) for _ in range(2))
    assert timeless(first) == timeless(second)


def test_pair_trends_without_an_associated_pair_are_not_assessable():
    loose = shuffled(TRAIN)
    found = run(loose, train=loose.assign(patient=TRAIN["patient"].to_numpy()))
    pairs = found["scores"]["figures"]["pairs"]["synthetic"]
    assert pairs["value"] is None
    assert "no pair of columns is associated strongly enough" in pairs["reason"]
    assert figure(found, "quality") == figure(found, "shapes") == 1


def test_a_cohort_is_compared_with_the_rows_that_meet_its_criteria():
    spec = CohortSpec(criteria=(Criterion(column="age", minimum=70),))
    old = TRAIN[TRAIN["age"] >= 70]
    found = run(old, spec=spec)
    assert found["reference"]["kind"] == "criteria"
    assert found["reference"]["train_rows"] == len(old)
    assert figure(found, "shapes") == 1
    young = run(TRAIN[TRAIN["age"] < 70], spec=spec)
    assert next(c for c in young["columns"] if c["name"] == "age")["similarity"]["synthetic"] == 0
    # A value that other real patients have is valid, whatever the criteria.
    assert figure(young, "validity") == 1


def test_real_rows_are_weighted_to_the_proportions_that_were_asked_for():
    share = Share(column="died", category=True, share=0.6)
    died = TRAIN["died"].to_numpy(dtype=bool)
    asked = pd.concat([TRAIN[died], TRAIN[~died].iloc[: int(died.sum() * 2 / 3)]])
    found = run(asked, spec=CohortSpec(shares=(share,)))
    notes = " ".join(found["notes"])
    assert "set proportions of died. Real rows are weighted to the proportions asked for" in notes
    assert "as they are" not in notes
    assert found["weights"]["real"]["weighted"] and found["weights"]["holdout"]["weighted"]
    assert 200 < found["weights"]["real"]["effective_patients"] < len(TRAIN)
    entry = next(one for one in found["table_one"]["columns"] if one["name"] == "died")
    yes = next(one for one in entry["categories"] if one["label"] == "Yes")
    assert [yes[table]["share"] for table in ("real", "holdout")] == pytest.approx([0.6, 0.6], abs=0.002)
    for section in (*found["columns"], found["associations"], found["plausibility"]):
        assert section["weighted"] == ["real", "holdout"]
    assert any("drawn anew by weight" in note for note in found["scores"]["notes"])
    # Age goes with death: without the weights the cohort asked for would look too old.
    age = next(one for one in found["table_one"]["columns"] if one["name"] == "age")
    assert abs(age["smd"]["synthetic"]["value"]) < 0.06
    plain = next(one for one in run(asked)["table_one"]["columns"] if one["name"] == "age")
    assert plain["smd"]["synthetic"]["value"] > 0.1


def test_a_share_that_no_real_row_can_stand_for_is_said():
    share = Share(column="ward", category="maternity", share=0.5)
    schema = TableSchema(
        columns=tuple(
            c.model_copy(update={"categories": ("geriatric", "maternity", "medical", "surgical")})
            if c.name == "ward"
            else c
            for c in SCHEMA.columns
        )
    )
    notes = " ".join(run(TRAIN, spec=CohortSpec(shares=(share,)), schema=schema)["notes"])
    assert "No real row has ward: maternity" in notes


def test_real_rows_are_weighted_to_the_population_of_the_cohort():
    found = run(TRAIN, spec=CohortSpec(reference_population="us"))
    assert found["weights"]["real"]["weighted"]
    notes = " ".join(found["notes"])
    assert "asked for with the proportions of the US population. Real rows are weighted" in notes


def test_counts_that_the_reference_hides_are_not_in_table_one():
    # All but five patients are old enough: their number would follow from Table 1.
    youngest = np.sort(TRAIN["age"].to_numpy())[5]
    found = run(TRAIN, spec=CohortSpec(criteria=(Criterion(column="age", minimum=float(youngest)),)))
    assert found["reference"]["train_rows"] is None
    assert found["table_one"]["tables"]["real"]["rows"] is None
    counted = [cell["real"]["rows"] for one in found["table_one"]["columns"] for cell in one["categories"]]
    assert set(counted) == {None}


def test_every_section_is_made_and_marked_as_internal(copied):
    assert {name: one["state"] for name, one in copied["sections"].items()} == {one.name: "done" for one in SECTIONS}
    assert copied["internal"] and all(copied[name]["internal"] for name in ("table_one", "detection", "privacy"))
    for card in copied["cards"].values():
        assert card["state"] == "done" and card["value"] and card["sentence"]


def test_a_copy_is_no_worse_than_held_out_patients_and_gives_its_patients_away(copied):
    assert copied["cards"]["fidelity"]["value"] == "100.0%"
    assert all(one["smd"]["synthetic"]["value"] == 0 for one in copied["table_one"]["columns"] if one["form"] != "none")
    assert copied["privacy"]["copies"]["verdict"] == "leak"
    assert copied["privacy"]["membership"]["groups"]["all"]["auc"]["calibrated"]["value"] > 0.95
    assert "Leaks were found by: membership inference" in copied["cards"]["privacy"]["sentence"]


def test_independent_columns_are_told_apart(independent):
    assert independent["detection"]["auc"]["synthetic"]["value"] > 0.75
    assert {"weight", "age"} & {one["name"] for one in independent["detection"]["columns"]}


def test_the_report_is_published_after_each_section():
    seen = []
    publish = lambda report: seen.append(json.dumps(report, allow_nan=False))  # noqa: E731
    whole = compare(
        TRAIN, HOLDOUT, shuffled(TRAIN), SCHEMA, spec=CohortSpec(), small_cell_minimum=11, progress=Silent(),
        publish=publish,
    )  # fmt: skip
    assert [len(one) for one in seen] == sorted(len(one) for one in seen)
    assert json.loads(seen[-1]) == whole
    first = json.loads(seen[0])
    assert first["sections"]["columns"]["state"] == "done" and first["sections"]["privacy"]["state"] == "pending"
    assert first["cards"]["privacy"]["state"] == "pending"


def test_an_outcome_by_its_key():
    def one(key: str):
        return analyse(
            TRAIN, HOLDOUT, TRAIN.drop(columns="patient"), SCHEMA, key, spec=CohortSpec(), small_cell_minimum=11,
            progress=Silent(),
        )  # fmt: skip

    entry = one("died")
    assert entry["conclusion"]["reason"] == ""
    # The same rows lead to the same conclusion.
    assert {term["verdict"] for term in entry["conclusion"]["terms"]} == {"same"}
    with pytest.raises(UserError, match="no outcome 'nothing'"):
        one("nothing")


def test_without_a_hold_out_its_figures_are_not_assessable():
    found = run(TRAIN, holdout=HOLDOUT.iloc[:0])
    assert figure(found, "quality") == 1
    assert found["scores"]["figures"]["quality"]["holdout"]["value"] is None
    assert "fewer than 20 rows" in found["scores"]["figures"]["quality"]["holdout"]["reason"]
    assert any("hold-out" in note for note in found["notes"])


def test_few_real_patients_give_no_figure():
    found = run(TRAIN, train=TRAIN.iloc[:9], holdout=HOLDOUT.iloc[:5])
    assert not any(c["shown"] for c in found["columns"])
    assert all(f["synthetic"]["value"] is None for f in found["scores"]["figures"].values())
    assert found["associations"]["names"] == []
    assert found["reference"]["train_rows"] is None


def test_the_index_of_a_table_does_not_matter():
    again = TRAIN.set_axis(np.zeros(len(TRAIN), dtype=int), axis=0)
    assert timeless(run(TRAIN, train=again)) == timeless(run(TRAIN))


def test_some_columns_only():
    found = run(TRAIN[["age", "died"]])
    assert [c["name"] for c in found["columns"]] == ["age", "died"]
    assert [c["name"] for c in run(TRAIN[["age"]])["columns"]] == ["age"]


@pytest.mark.parametrize("rows", [1, 5, 30])
def test_a_small_cohort_is_compared(rows):
    found = run(TRAIN.iloc[:rows])
    json.dumps(found, allow_nan=False)
    assert found["synthetic_rows"] == rows


def test_synthetic_columns_without_values_or_variation():
    odd = TRAIN.assign(age=np.nan, weight=70.0, ward=None)
    found = {c["name"]: c for c in run(odd)["columns"]}
    assert found["age"]["missing"]["synthetic"] == 1
    assert found["age"]["similarity"]["synthetic"] is None
    assert found["weight"]["stats"]["synthetic"]["sd"] == 0


def test_tables_that_cannot_be_compared_are_refused():
    with pytest.raises(DataError, match="no column of the real one"):
        run(pd.DataFrame({"other": [1]}))
    with pytest.raises(DataError, match="synthetic table has no rows"):
        run(TRAIN.iloc[:0])


def test_progress_can_cancel():
    class Stop:
        def update(self, fraction: float, message: str, **figures: float) -> None:
            if fraction > 0.1:
                raise Cancelled

    with pytest.raises(Cancelled):
        compare(TRAIN, HOLDOUT, TRAIN, SCHEMA, spec=CohortSpec(), small_cell_minimum=11, progress=Stop())


def test_our_formulas_are_those_of_sdmetrics():
    from sdmetrics.column_pairs import ContingencySimilarity
    from sdmetrics.single_column import KSComplement, TVComplement

    rng = np.random.default_rng(0)
    one, two = rng.normal(0, 1, 300), rng.normal(0.3, 1.2, 200)
    one[:20] = np.nan
    assert ks_complement(one, two) == pytest.approx(KSComplement.compute(pd.Series(one), pd.Series(two)))
    first, second = rng.integers(0, 4, 300), rng.integers(0, 5, 200)
    assert tv_complement(first, second) == pytest.approx(TVComplement.compute(pd.Series(first), pd.Series(second)))
    pair = [pd.DataFrame({"a": rng.integers(0, 3, n), "b": rng.integers(0, 3, n)}) for n in (300, 200)]
    assert pair_similarity(*([t["a"].to_numpy(), t["b"].to_numpy()] for t in pair), [3, 3]) == pytest.approx(
        ContingencySimilarity.compute(*pair)
    )


def test_quality_is_that_of_the_sdmetrics_report():
    from sdmetrics.reports import QualityReport

    columns = [SCHEMA[name] for name in ("age", "weight", "visits", "ward", "doctor", "died", "admitted")]
    other = shuffled(TRAIN)
    ours = fidelity.quality(TRAIN, other, columns, columns)
    report = QualityReport()
    tables = ({"table": fidelity.prepared(frame, columns)} for frame in (TRAIN, other))
    report.generate(*tables, fidelity.metadata(columns), verbose=False)
    assert ours["overall"].value == pytest.approx(report.get_score(), abs=0.0006)


def test_many_columns_are_capped_and_it_says_so():
    rng = np.random.default_rng(0)
    n, width = 1000, 60
    latent = rng.normal(size=(n, 4))
    frame = {f"n{i}": latent[:, i % 4] + rng.normal(size=n) for i in range(width // 2)}
    frame |= {f"b{i}": latent[:, i % 4] > 0.5 for i in range(width // 2)}
    schema = TableSchema(
        columns=tuple(Column(name=k, kind=Kind.NUMERIC if k[0] == "n" else Kind.BOOLEAN) for k in frame)
    )
    table = conform(pd.DataFrame(frame), schema)
    found = run(table.iloc[:500], train=table.iloc[500:], holdout=table.iloc[:0], schema=schema)
    assert len(found["associations"]["names"]) == 40
    assert found["scores"]["pair_columns"] == fidelity.MOST_PAIR_COLUMNS
    assert any("strongest real associations" in note for note in found["scores"]["notes"])


def test_the_profile_needs_no_heavy_library():
    code = (
        "import sys, engine.evaluation.profile\n"
        "heavy = {'torch', 'sdmetrics', 'sdv', 'scipy', 'sklearn', 'transformers'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.shared
def test_real_patients_against_real_patients(shared):
    folder = shared / "bench" / "diabetes130"
    kinds = json.loads((folder / "schema.json").read_text())["columns"]
    dtype = {name: str for name, kind in kinds.items() if kind == "categorical"}
    schema = TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))
    train, holdout = (conform(pd.read_csv(folder / f"{n}.csv", dtype=dtype), schema) for n in ("train", "holdout"))
    found = run(holdout, train=train, holdout=holdout, schema=schema)
    # shared/bench/README.md: the hold-out reaches 0.988 on all rows.
    assert figure(found, "quality") > 0.95
    assert figure(found, "associations") < 0.02
