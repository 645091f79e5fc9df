"""dp_cgan: what it must learn, what it must obey, what it must survive. The contract has its own file."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from contract import Recorder

from engine.cohort.conditions import Condition, Interval
from engine.cohort.predicate import satisfied
from engine.core.errors import Cancelled, DataError, UserError
from engine.core.progress import Silent
from engine.generators.dp_cgan import conditional
from engine.generators.dp_cgan.calibration import rake, systematic
from engine.generators.dp_cgan.generator import DPCGAN
from engine.generators.dp_cgan.limits import make_limit
from engine.generators.dp_cgan.network import Network, Shape
from engine.generators.dp_cgan.structure import column_order, find_nestings
from engine.generators.dp_cgan.training import split_rows
from engine.generators.encoding import ColumnCode
from engine.schema.table import Column, Kind, Role, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="patient", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="chapter", kind=Kind.CATEGORICAL, categories=("heart", "lung", "kidney")),
        Column(name="hemoglobin", kind=Kind.NUMERIC, decimals=1, minimum=3, maximum=22),
        Column(name="anemia", kind=Kind.BOOLEAN),
        Column(name="stay_days", kind=Kind.INTEGER, minimum=0, maximum=400),
        Column(name="lactate", kind=Kind.NUMERIC),
        Column(name="admitted", kind=Kind.DATE),
        Column(name="sex", kind=Kind.CATEGORICAL, categories=("F", "M")),
    )
)


def planted(rows: int, seed: int = 1) -> pd.DataFrame:
    """Women have less hemoglobin; below 11 is anemia; lactate is measured in lung patients only, who stay longest."""
    random = np.random.default_rng(seed)
    sex = random.choice(["F", "M"], rows)
    chapter = random.choice(["heart", "lung", "kidney"], rows, p=[0.5, 0.3, 0.2])
    hemoglobin = (random.normal(12.5, 1.6, rows) + np.where(sex == "M", 2.0, 0.0)).clip(3, 22).round(1)
    stay = random.geometric(np.where(chapter == "lung", 0.08, 0.3))
    return conform(
        pd.DataFrame(
            {
                "patient": [f"p{row // 2}" for row in range(rows)],
                "chapter": chapter,
                "hemoglobin": hemoglobin,
                "anemia": hemoglobin < 11,
                "stay_days": np.where(random.random(rows) < 0.1, None, stay.astype(object)),
                "lactate": np.where(chapter == "lung", random.gamma(4, 0.5, rows).round(2), np.nan),
                "admitted": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 700, rows), unit="D"),
                "sex": sex,
            }
        ),
        SCHEMA,
    )


def fitted(table: pd.DataFrame, schema: TableSchema, *, seed: int = 3, **options: Any) -> DPCGAN:
    made = DPCGAN()
    chosen = {"private": False, "hidden_per_column": 12, **options}
    made.fit(table, schema, seed=seed, options=chosen, progress=Silent())
    return made


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return planted(2_500)


@pytest.fixture(scope="module")
def model(real: pd.DataFrame) -> DPCGAN:
    return fitted(real, SCHEMA, epochs=14)


def test_planted_dependence_is_learned(model: DPCGAN, real: pd.DataFrame) -> None:
    rows = model.sample(4_000, seed=1)
    for frame in (rows, real):
        by_sex = frame.groupby("sex", observed=True)["hemoglobin"].mean()
        assert by_sex["M"] - by_sex["F"] == pytest.approx(2.0, abs=0.35)
        assert ((frame["hemoglobin"] < 11) == frame["anemia"]).mean() > 0.97
        by_chapter = frame.groupby("chapter", observed=True)["stay_days"].mean().astype(float)
        assert by_chapter["lung"] / by_chapter["heart"] > 2.2
        assert frame["stay_days"].isna().mean() == pytest.approx(0.1, abs=0.025)


def test_the_pattern_of_missingness_is_learned(model: DPCGAN) -> None:
    rows = model.sample(4_000, seed=2)
    assert rows.loc[rows["chapter"] == "lung", "lactate"].notna().mean() > 0.95
    assert rows.loc[rows["chapter"] != "lung", "lactate"].isna().mean() > 0.97


def test_marginals_are_met(model: DPCGAN, real: pd.DataFrame) -> None:
    rows = model.sample(5_000, seed=3)
    for name in ("chapter", "sex", "anemia"):
        gap = rows[name].value_counts(normalize=True) - real[name].value_counts(normalize=True)
        assert gap.abs().max() < 0.01
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert (rows["hemoglobin"].quantile(quantiles) - real["hemoglobin"].quantile(quantiles)).abs().max() < 0.25


CHOICES: Mapping[str, tuple[Condition, ...]] = {
    "chapter": (
        Condition("chapter", categories=frozenset({"kidney"}), allow_missing=False),
        Condition("chapter", categories=frozenset({"kidney", "lung"}), allow_missing=False),
    ),
    "hemoglobin": (
        Condition("hemoglobin", intervals=(Interval(7.05, 8.0, include_high=False),), allow_missing=False),
        Condition("hemoglobin", intervals=(Interval(9, 9.3), Interval(16.1, 99)), excluded=frozenset({9.2, 17.0})),
        Condition("hemoglobin", intervals=(Interval(high=3.0),), allow_missing=False),
        Condition("hemoglobin", intervals=(Interval(21.5, 22),), allow_missing=False),
    ),
    "anemia": (Condition("anemia", categories=frozenset({"true"}), allow_missing=False),),
    "stay_days": (
        Condition("stay_days", allow_present=False),
        Condition("stay_days", intervals=(Interval(7, 7),), allow_missing=False),
        Condition("stay_days", intervals=(Interval(10, 30),), excluded=frozenset({12.0, 13.0}), allow_missing=True),
        Condition("stay_days", intervals=(Interval(low=390),), allow_missing=False),
    ),
    "lactate": (
        Condition("lactate", intervals=(Interval(1.234, 1.3),), allow_missing=False),
        Condition("lactate", allow_missing=False),
    ),
    "admitted": (Condition("admitted", intervals=(Interval(18_300, 18_310),), allow_missing=False),),
    "sex": (Condition("sex", categories=frozenset({"F"}), allow_missing=False),),
}


@pytest.mark.parametrize("seed", range(25))
def test_every_row_obeys_conditions_drawn_at_random(model: DPCGAN, seed: int) -> None:
    random = np.random.default_rng(seed)
    names = random.choice(list(CHOICES), size=random.integers(1, len(CHOICES) + 1), replace=False)
    conditions = {name: CHOICES[name][random.integers(len(CHOICES[name]))] for name in names}
    rows = model.sample(120, seed=seed, conditions=conditions)
    assert len(rows) == 120
    assert satisfied(rows, conditions, model.schema).all()
    pd.testing.assert_frame_equal(conform(rows, model.schema), rows)
    assert rows["hemoglobin"].between(3, 22).all()


def test_columns_before_the_condition_follow_it(model: DPCGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    # Sex is the last column and hemoglobin an early one: masks alone would leave hemoglobin as it is in everybody.
    woman = {"sex": Condition("sex", categories=frozenset({"F"}), allow_missing=False)}
    rows = model.sample(3_000, seed=4, conditions=woman)
    assert rows["hemoglobin"].mean() == pytest.approx(12.5, abs=0.25)
    monkeypatch.setattr(conditional, "_FREE_ROWS", 0)
    monkeypatch.setattr(conditional, "_ENOUGH", 10**9)
    measured = {"lactate": Condition("lactate", intervals=(Interval(0, 20),), allow_missing=False)}
    rows = model.sample(1_000, seed=4, conditions=measured)
    assert (rows["chapter"] == "lung").mean() > 0.8


def test_levels_inside_a_condition_keep_their_proportions(model: DPCGAN, monkeypatch: pytest.MonkeyPatch) -> None:
    either = {"chapter": Condition("chapter", categories=frozenset({"lung", "kidney"}), allow_missing=False)}
    for enough in (150, 10**9):
        monkeypatch.setattr(conditional, "_FREE_ROWS", 0)
        monkeypatch.setattr(conditional, "_ENOUGH", enough)
        rows = model.sample(3_000, seed=5, conditions=either)
        assert (rows["chapter"] == "lung").mean() == pytest.approx(0.6, abs=0.04)


def test_a_range_inside_a_bin_counts_for_its_share() -> None:
    table = pd.DataFrame({"x": np.repeat(np.arange(1_000), 2).astype(float)})
    column = Column(name="x", kind=Kind.NUMERIC, decimals=0)
    code, levels = ColumnCode.learn(table["x"], column)
    limit = make_limit(code, Condition("x", intervals=(Interval(100, 299),), allow_missing=False))
    assert (limit.share[levels]).mean() == pytest.approx(0.2, abs=0.02)
    assert 0 < limit.share[limit.share > 0].min() < 1


@pytest.mark.parametrize(
    ("condition", "column"),
    [
        (Condition("hemoglobin", intervals=(Interval(30, 40),), allow_missing=False), "hemoglobin"),
        (Condition("hemoglobin", allow_present=False), "hemoglobin"),
        (Condition("stay_days", intervals=(Interval(3.2, 3.8),), allow_missing=False), "stay_days"),
        (
            Condition("stay_days", intervals=(Interval(3, 3),), excluded=frozenset({3.0}), allow_missing=False),
            "stay_days",
        ),
        (Condition("chapter", categories=frozenset({"brain"}), allow_missing=False), "chapter"),
    ],
)
def test_a_condition_without_any_value_names_its_column(model: DPCGAN, condition: Condition, column: str) -> None:
    with pytest.raises(UserError, match=column):
        model.sample(5, seed=1, conditions={condition.column: condition})


def test_a_category_without_patients_can_be_asked_for() -> None:
    schema = SCHEMA.replace(
        Column(name="chapter", kind=Kind.CATEGORICAL, categories=("heart", "lung", "kidney", "skin"))
    )
    made = fitted(planted(300), schema, epochs=2)
    assert "skin" not in set(made.sample(3_000, seed=1)["chapter"])
    skin = {"chapter": Condition("chapter", categories=frozenset({"skin"}), allow_missing=False)}
    assert set(made.sample(50, seed=1, conditions=skin)["chapter"]) == {"skin"}


def test_a_coarse_column_stays_consistent_with_its_fine_one() -> None:
    random = np.random.default_rng(2)
    codes = random.choice([f"{chapter}{number:02d}" for chapter in "ABCDE" for number in range(30)], 600)
    schema = TableSchema(
        columns=(
            Column(name="code", kind=Kind.CATEGORICAL),
            Column(name="sex", kind=Kind.CATEGORICAL),
            Column(name="chapter", kind=Kind.CATEGORICAL),
        )
    )
    table = pd.DataFrame({"code": codes, "sex": random.choice(["F", "M"], 600), "chapter": [code[0] for code in codes]})
    made = fitted(conform(table, schema), schema, epochs=3)
    rows = made.sample(2_000, seed=1)
    assert (rows["code"].str[0] == rows["chapter"].astype(str)).all()
    wanted = {"code": Condition("code", categories=frozenset({"C03", "D07"}), allow_missing=False)}
    rows = made.sample(200, seed=1, conditions=wanted)
    assert set(rows["code"]) <= {"C03", "D07"}
    assert (rows["code"].str[0] == rows["chapter"].astype(str)).all()


def test_agreement_by_coincidence_is_no_structure() -> None:
    random = np.random.default_rng(3)
    codes = np.concatenate([np.arange(88), [0, 1, 2]])
    flag = np.concatenate([np.zeros(88), np.zeros(3)]).astype(int)
    flag[50:] = 1
    flag[88:] = 0
    assert find_nestings(np.column_stack([codes, flag]), [89, 3]) == []
    fine = random.integers(0, 40, 500)
    nested = find_nestings(np.column_stack([fine, fine // 10]), [40, 5])
    assert [(one.coarse, one.fine) for one in nested] == [(1, 0)]
    assert column_order([40, 5], nested) == [1, 0]


def odd_table(rows: int) -> tuple[pd.DataFrame, TableSchema]:
    random = np.random.default_rng(rows)
    rare = np.array(["common"] * rows, dtype=object)
    rare[0] = "once"
    frame = pd.DataFrame(
        {
            "empty": np.nan,
            "constant": "same",
            "rare": rare,
            "codes": [f"{number:05d}" for number in random.integers(0, 500, rows)],
            "count": random.integers(0, 9, rows),
            "weight": np.where(random.random(rows) < 0.5, np.nan, random.normal(80, 15, rows).round(1)),
        }
    )
    kinds = (Kind.NUMERIC, Kind.CATEGORICAL, Kind.CATEGORICAL, Kind.CATEGORICAL, Kind.INTEGER, Kind.NUMERIC)
    schema = TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in zip(frame, kinds, strict=True)))
    return conform(frame, schema), schema


@pytest.mark.parametrize("rows", [1, 2, 60, 1_200])
def test_odd_tables(rows: int) -> None:
    table, schema = odd_table(rows)
    made = fitted(table, schema, epochs=3)
    out = made.sample(500, seed=1)
    assert out["empty"].isna().all()
    assert set(out["constant"]) == {"same"}
    assert set(out["rare"]) <= {"common", "once"}
    assert (out["rare"] == "once").mean() <= max(0.1, 3 / rows)
    assert set(out["codes"]) <= set(table["codes"])
    assert out["count"].dtype == "Int64"
    assert (out["weight"].dropna().round(1) == out["weight"].dropna()).all()
    if rows == 1_200:
        assert len(set(out["codes"])) > 250
    if rows >= 60:
        assert out["weight"].isna().mean() == pytest.approx(table["weight"].isna().mean(), abs=0.05)


def test_a_small_wide_table_is_not_memorised() -> None:
    random = np.random.default_rng(8)
    rows, columns = 129, 60
    base = random.normal(size=(rows, 1))
    values = np.where(
        random.random((rows, columns)) < 0.4, np.nan, (random.normal(size=(rows, columns)) + base).round(1)
    )
    frame = pd.DataFrame(values, columns=[f"x{number}" for number in range(columns)])
    schema = TableSchema(columns=tuple(Column(name=name, kind=Kind.NUMERIC) for name in frame))
    made = fitted(conform(frame, schema), schema)
    out = made.sample(300, seed=1)
    # Same values in the same places: a copied row would share all, rows drawn apart share few.
    same = np.array([((row == values) | (np.isnan(row) & np.isnan(values))).mean(1).max() for row in out.to_numpy()])
    among_real = np.array(
        [
            np.delete(((row == values) | (np.isnan(row) & np.isnan(values))).mean(1), index).max()
            for index, row in enumerate(values)
        ]
    )
    assert same.mean() < among_real.mean() + 0.05


class CancelAt:
    """Cancels when the report of epoch ``epoch`` arrives."""

    def __init__(self, epoch: int) -> None:
        self._message = f"Epoch {epoch} of"
        self.losses: list[float] = []

    def update(self, fraction: float, message: str, **figures: float) -> None:
        if "validation_loss" in figures:
            self.losses.append(figures["validation_loss"])
            if message.startswith(self._message):
                raise Cancelled


def fit_with_checkpoint(folder: Path, progress: Any, *, seed: int = 4) -> DPCGAN:
    made = DPCGAN()
    options = {"private": False, "epochs": 5, "hidden_per_column": 8}
    made.fit(planted(400), SCHEMA, seed=seed, options=options, progress=progress, checkpoint=folder)
    return made


def test_a_resumed_fit_gives_the_rows_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = fit_with_checkpoint(tmp_path / "whole", Silent())
    for epoch in (2, 4):
        with pytest.raises(Cancelled):
            fit_with_checkpoint(tmp_path / "part", CancelAt(epoch))
    files = sorted(path.name for path in (tmp_path / "part").iterdir())
    assert files == ["epoch-00003.safetensors", "epoch-00004.safetensors"]
    # The last state is damaged, as by a full disk: the one before it is continued.
    (tmp_path / "part" / files[-1]).write_bytes(b"damaged")
    rest = CancelAt(99)
    resumed = fit_with_checkpoint(tmp_path / "part", rest)
    assert len(rest.losses) == 2
    pd.testing.assert_frame_equal(resumed.sample(300, seed=9), whole.sample(300, seed=9))


def test_a_checkpoint_of_other_inputs_is_not_continued(tmp_path: Path) -> None:
    fit_with_checkpoint(tmp_path, Silent(), seed=4)
    told = CancelAt(99)
    other = fit_with_checkpoint(tmp_path, told, seed=5)
    assert len(told.losses) == 5
    pd.testing.assert_frame_equal(
        other.sample(50, seed=1), fit_with_checkpoint(tmp_path / "fresh", Silent(), seed=5).sample(50, seed=1)
    )


def test_a_damaged_manifest_or_foreign_folder_is_refused(model: DPCGAN, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no model"):
        DPCGAN.load(tmp_path)
    model.save(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["privacy"] == "none"
    for change in ({"generator": "ctgan"}, {"version": 99}, {"encoding": [{}]}, {"order": None}):
        (tmp_path / "manifest.json").write_text(json.dumps(manifest | change))
        with pytest.raises(DataError):
            DPCGAN.load(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="manifest"):
        DPCGAN.load(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "not told whether"),
        ({"private": True}, "epsilon"),
        ({"private": True, "epsilon": 1}, "delta"),
        ({"private": True, "delta": 1e-5}, "epsilon"),
        ({"private": False, "epsilon": 1}, "private=False"),
    ],
)
def test_nothing_of_privacy_is_assumed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DPCGAN().fit(planted(50), SCHEMA, seed=1, options=options, progress=Silent())


def test_progress_carries_losses() -> None:
    told = CancelAt(99)
    recorder = Recorder()
    DPCGAN().fit(planted(200), SCHEMA, seed=1, options={"private": False, "epochs": 3}, progress=recorder)
    DPCGAN().fit(planted(200), SCHEMA, seed=1, options={"private": False, "epochs": 3}, progress=told)
    assert len(told.losses) == 3
    assert recorder.fractions == sorted(recorder.fractions)


def test_a_column_sees_only_the_columns_before_it() -> None:
    shape = Shape((3, 4, 5), (False, True, False), 6)
    random = torch.Generator().manual_seed(0)
    network = Network.initial(shape, marginals=[torch.full((size,), 1 / size) for size in shape.levels], random=random)
    network.weights["output"].normal_(generator=random)
    rows, nothing = torch.tensor([[0, 1, 2], [2, 1, 2], [0, 3, 2], [0, 1, 4]]), torch.zeros(4, 3, dtype=torch.bool)
    logits = network.logits(rows, nothing, random=random)
    same = [torch.equal(logits[0, :3], logits[row, :3]) for row in (1, 2, 3)]
    assert same == [True, True, True]
    assert not torch.allclose(logits[0, 3:7], logits[1, 3:7])
    assert torch.allclose(logits[0, 3:7], logits[2, 3:7])
    assert not torch.allclose(logits[0, 7:], logits[2, 7:])
    assert torch.allclose(logits[0], logits[3])
    named = network.logits(rows, torch.tensor([[False, False, True]] * 4), random=random)
    assert not torch.allclose(named[0], named[3])


def test_the_sampler_draws_from_the_networks_distribution(model: DPCGAN) -> None:
    fitted_model, sampler = model._fitted()
    random = np.random.default_rng(0)
    levels = sampler.draw(20_000, random).levels
    counts = [fitted_model.encoding.columns[column].counts for column in fitted_model.order]
    for index, count in enumerate(counts):
        drawn = np.bincount(levels[:, index], minlength=len(count)) / len(levels)
        assert np.abs(drawn - count / count.sum()).max() < 0.015


def test_raking_reaches_marginals_and_systematic_draws_keep_weights() -> None:
    random = np.random.default_rng(0)
    levels = np.column_stack([random.integers(0, 2, 4_000), random.integers(0, 3, 4_000)])
    weights = rake(levels, [np.array([0.7, 0.3]), np.array([0.2, 0.3, 0.5])])
    assert np.bincount(levels[:, 0], weights=weights)[0] / 4_000 == pytest.approx(0.7, abs=1e-3)
    assert np.bincount(levels[:, 1], weights=weights)[2] / 4_000 == pytest.approx(0.5, abs=1e-3)
    chosen = systematic(np.array([1.0, 0.0, 2.0, 1.0]), 8, random)
    assert np.bincount(chosen, minlength=4).tolist() == [2, 0, 4, 2]


def test_patients_are_held_back_as_a_whole() -> None:
    patients = np.repeat(np.arange(100), 3)
    learned, held = split_rows(patients, 1)
    assert not set(patients[learned]) & set(patients[held])
    assert len(held) == 60
    assert len(split_rows(np.arange(20), 1)[1]) == 0


def test_limits_far_beyond_the_grid_neither_overflow_nor_restrict() -> None:
    column = Column(name="lactate", kind=Kind.NUMERIC, decimals=2)
    code = ColumnCode.learn(pd.Series(np.arange(60) / 100), column)[0]
    wide = Condition("lactate", (Interval(-1e308, 1e308),), frozenset({1e308}), allow_missing=False)
    assert make_limit(code, wide).share[:-1].min() == 1
    with pytest.raises(UserError, match="the criterion on 'lactate' leaves no value") as refusal:
        make_limit(code, Condition("lactate", (Interval(low=1e308),), allow_missing=False))
    assert "missing" not in str(refusal.value)


@pytest.mark.parametrize("public", [True, False])
def test_a_refusal_shows_bounds_only_when_they_are_public(public: bool) -> None:
    column = Column(name="weight", kind=Kind.NUMERIC, minimum=41.7, maximum=133.9, bounds_are_public=public)
    code = ColumnCode.learn(pd.Series([41.7, 80.0, 133.9] * 20), column)[0]
    with pytest.raises(UserError) as refusal:
        make_limit(code, Condition("weight", (Interval(low=200),), allow_missing=False))
    assert ("133.9" in str(refusal.value)) is public


def test_whole_numbers_up_to_the_largest_exact_one_come_back() -> None:
    values = pd.Series(2**53 - 1 - np.arange(60), dtype="Int64")
    code, levels = ColumnCode.learn(values, Column(name="number", kind=Kind.INTEGER))
    made = code.decode(levels.astype(np.int64), cells=code.cells(), random=np.random.default_rng(1))
    assert set(made.tolist()) <= set(values.tolist())


@pytest.mark.shared
def test_diabetes_130_is_learned_well(shared: Path) -> None:
    folder = shared / "bench" / "diabetes130"
    kinds = json.loads((folder / "schema.json").read_text())["columns"]
    schema = TableSchema(columns=tuple(Column(name=name, kind=kind) for name, kind in kinds.items()))
    text = {name: str for name, kind in kinds.items() if kind == "categorical"}
    table = conform(pd.read_csv(folder / "train.csv", dtype=text, keep_default_na=False, na_values=[""]), schema)
    rows = fitted(table, schema, epochs=6).sample(len(table), seed=1)
    for name, kind in kinds.items():
        if kind == "categorical":
            real, made = (frame[name].value_counts(normalize=True) for frame in (table, rows))
            assert 0.5 * real.sub(made, fill_value=0).abs().sum() < 0.03
    on_insulin = [(frame["insulin"] != "No") & (frame["diabetesMed"] == "No") for frame in (table, rows)]
    assert on_insulin[0].mean() == 0
    assert on_insulin[1].mean() < 0.01
