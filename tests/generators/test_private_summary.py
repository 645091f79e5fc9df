"""The private summary: what the measurer released and nothing else, kept with the model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.core.errors import DataError
from engine.core.progress import Silent
from engine.core.workspace import read_json, write_json
from engine.generators.dp_cgan import material
from engine.generators.dp_cgan.generator import DPCGAN
from engine.privacy.summary import FILE, PrivateSummary
from tests.helpers.private_tables import Watching, simulated

OPTIONS = {"private": True, "epsilon": 4.0, "delta": 1e-5, "epochs": 1}
ROWS = 1_500


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Watching]:
    """A private model's folder, and the measurer of its fit."""
    watching: list[Watching] = []

    def watch(*arguments) -> Watching:
        watching.append(Watching(*arguments))
        return watching[-1]

    table, schema = simulated(ROWS)
    generator = DPCGAN()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(material, "Measurer", watch)
        generator.fit(table, schema, seed=1, options=OPTIONS, progress=Silent())
    folder = tmp_path_factory.mktemp("private") / "model"
    generator.save(folder)
    return folder, watching[0]


def summary(folder: Path) -> PrivateSummary:
    found = PrivateSummary.load(folder)
    assert found is not None
    return found


def test_it_is_what_the_measurer_released_and_nothing_else(fitted) -> None:
    folder, watching = fitted
    found, released = summary(folder), watching.released
    assert found.patients == max(released["patients",][0], 1)
    assert found.patients_noise == watching.asked["patients",].noise_multiplier
    for margin in found.margins:
        purpose = ("margin", margin.column.name)
        counts = released[purpose]
        if watching.asked[purpose].threshold_delta is not None:
            counts = np.append(counts[:-1][counts[:-1] > 0], counts[-1])
        assert margin.counts.tolist() == counts.tolist()
        assert margin.noise == watching.asked[purpose].noise_multiplier
        assert margin.counts.tolist() != watching.counts[purpose].tolist(), "counts without noise"
    tables = {(str(pair.first), str(pair.second)): pair for pair in found.pairs}
    assert {("pair", *key) for key in tables} == {purpose for purpose in released if purpose[0] == "pair"}
    for key, pair in tables.items():
        assert pair.counts.ravel().tolist() == released["pair", *key].tolist()
        assert pair.noise == watching.asked["pair", *key].noise_multiplier


def test_it_states_the_guarantee_of_the_fit(fitted) -> None:
    folder, _ = fitted
    told = read_json(folder / "manifest.json")["report"]["privacy"]
    assert summary(folder).statement == {name: told[name] for name in ("epsilon", "delta", "unit", "neighbours")}
    assert summary(folder).statement["epsilon"] <= OPTIONS["epsilon"]


def test_its_columns_and_levels_are_those_of_the_model(fitted) -> None:
    folder, _ = fitted
    found, model = summary(folder), material_of(folder)
    assert found.schema == model.schema
    for margin, code in zip(found.margins, model.columns, strict=True):
        assert margin.size == code.n_levels - 1
        assert margin.categories == code.categories
        if code.bins is not None:
            assert (margin.levels[:, 0] * code.scale).round().tolist() == code.bins.first.tolist()
            assert (margin.level[1:] >= margin.level[:-1]).all()
            # Every cell lies in its level, where noise cut no cell into two.
            inside = margin.cells[:, 0] >= margin.levels[margin.level, 0] - margin.step / 2
            assert inside.mean() > 0.7


def material_of(folder: Path):
    from engine.generators.dp_cgan.persistence import load_model

    return load_model(folder).encoding


def test_estimates_are_near_the_truth_and_add_up(fitted) -> None:
    folder, _ = fitted
    table, _ = simulated(ROWS)
    found = summary(folder)
    place = found.index("group")
    exact = table["group"].value_counts()[list(found.margins[place].categories)]
    assert found.estimate(place)[:-1] == pytest.approx(exact, abs=5 * found.margins[place].noise)
    value = found.estimate(found.index("value"))
    assert value[-1] == pytest.approx(table["value"].isna().sum(), abs=5 * found.margins[1].noise)
    assert value.sum() == pytest.approx(found.patients)
    assert (value >= 0).all()


def test_a_pair_reads_the_same_from_either_side(fitted) -> None:
    found = summary(fitted[0])
    first, second = found.pairs[0].first, found.pairs[0].second
    (one, noise), (other, same) = found.pair(first, second), found.pair(second, first)
    assert one.tolist() == other.T.tolist()
    assert noise == same
    assert found.pair(first, first) is None


def test_a_model_without_privacy_has_none_and_clears_an_earlier_one(fitted, tmp_path: Path) -> None:
    summary(fitted[0]).save(tmp_path)
    table, schema = simulated(200)
    plain = DPCGAN()
    plain.fit(table, schema, seed=1, options={"private": False, "epochs": 1}, progress=Silent())
    plain.save(tmp_path)
    assert PrivateSummary.load(tmp_path) is None
    assert sorted(file.name for file in tmp_path.iterdir()) == ["manifest.json", "weights.safetensors"]


def test_a_model_of_the_version_before_is_read_without_summary(fitted, tmp_path: Path) -> None:
    folder, _ = fitted
    (tmp_path / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes())
    write_json(tmp_path / "manifest.json", read_json(folder / "manifest.json") | {"version": 2})
    assert len(DPCGAN.load(tmp_path).sample(5, seed=1)) == 5


def test_a_loaded_model_saves_its_summary_again(fitted, tmp_path: Path) -> None:
    DPCGAN.load(fitted[0]).save(tmp_path)
    again, first = summary(tmp_path), summary(fitted[0])
    assert again.statement == first.statement
    assert all((a.counts == b.counts).all() for a, b in zip(again.margins, first.margins, strict=True))
    assert all((a.counts == b.counts).all() for a, b in zip(again.pairs, first.pairs, strict=True))


@pytest.mark.parametrize("damage", ["no tensors", "not json", "a column less"])
def test_a_damaged_summary_is_refused(fitted, tmp_path: Path, damage: str) -> None:
    summary(fitted[0]).save(tmp_path)
    if damage == "no tensors":
        (tmp_path / "summary.safetensors").unlink()
    elif damage == "not json":
        (tmp_path / FILE).write_text("{")
    else:
        told = read_json(tmp_path / FILE)
        write_json(tmp_path / FILE, told | {"columns": [*told["columns"], told["columns"][0]]})
    with pytest.raises(DataError, match="summary is damaged"):
        PrivateSummary.load(tmp_path)


def test_no_category_of_one_patient_is_named(fitted, tmp_path: Path) -> None:
    table, schema = simulated(600)
    table["group"] = pd.Categorical(["the only one", *table["group"].astype(str)[1:]])
    generator = DPCGAN()
    generator.fit(table, schema, seed=1, options=OPTIONS, progress=Silent())
    generator.save(tmp_path)
    assert all(b"the only one" not in file.read_bytes() for file in tmp_path.iterdir())
    margin = summary(tmp_path).margins[schema.names.index("group")]
    assert len(margin.counts) == len(margin.categories) + 1 == 4, "not even how many there are"
