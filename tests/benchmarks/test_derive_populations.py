"""The tables that ship are those of the survey; the arithmetic on a toy survey, by hand."""

from pathlib import Path

import pandas as pd
import pytest

from engine.cohort.reference_tables import FOLDER, population_names, read_reference_table
from tests.benchmarks.derive_populations import GROUPS, as_text, calibrated, examined, group, joined_bands, populations


def people(*cells: tuple[int, str, str, int, float], cycle: str = "2015-2016") -> pd.DataFrame:
    """Rows of (age, sex, ethnicity, how many, weight of each)."""
    rows = [(age, sex, ethnicity, weight) for age, sex, ethnicity, many, weight in cells for _ in range(many)]
    frame = pd.DataFrame(rows, columns=["age_years", "sex", "ethnicity", "weight"])
    return frame.assign(cycle=cycle, diabetes=pd.array([True] * len(frame), dtype="boolean"))


TOY = people((25, "F", "WHITE", 40, 3.0), (29, "M", "BLACK", 40, 1.0), (45, "F", "WHITE", 30, 2.0),
             (45, "M", "OTHER", 30, 4.0), (80, "F", "HISPANIC", 35, 1.0), (80, "M", "WHITE", 35, 1.0))  # fmt: skip


def test_shares_by_hand():
    made = group(GROUPS[0], TOY)
    assert made is not None
    # 30–39 has nobody and joins the twenties, 50–79 have nobody and join.
    cells = {(one["age"], one["sex"]): one for one in made["cells"]}
    total = 40 * 3 + 40 * 1 + 30 * 2 + 30 * 4 + 35 + 35
    first, last = made["age_bands"][0], made["age_bands"][-1]
    assert cells[first, "F"]["percent"] == [0, 0, 0, round(100 * 120 / total, 2)]
    assert cells[last, "F"]["percent"][1] == round(100 * 35 / total, 2)
    assert cells[last, "M"]["participants"] == [0, 0, 0, 35]
    assert made["participants"] == 210


def test_bands_are_joined_until_each_has_thirty_of_each_sex():
    bands = joined_bands(TOY)
    assert bands[0] == 20 and len(bands) == 3
    for low, high in zip(bands, [*bands[1:], 200], strict=True):
        inside = TOY["age_years"].between(low, high - 1)
        assert TOY[inside].groupby("sex").size().min() >= 30
    assert joined_bands(TOY[TOY["sex"] == "F"].assign(sex="M")) == [20]


def test_a_group_with_hardly_anybody_has_no_table():
    assert group(GROUPS[1], TOY.assign(diabetes=[True] * 50 + [False] * 160)) is None
    assert group(GROUPS[1], TOY) is not None


def test_nobody_without_weight_counts():
    made = group(GROUPS[0], pd.concat([TOY, people((25, "F", "BLACK", 10, 0.0))], ignore_index=True))
    assert made == group(GROUPS[0], TOY)


def test_weights_add_up_to_the_subsample_in_each_cell():
    table = people((25, "F", "WHITE", 4, 1.0), (75, "F", "WHITE", 2, 1.0), (85, "F", "WHITE", 4, 1.0))
    fasting = people((22, "F", "WHITE", 1, 100.0), (75, "F", "WHITE", 1, 60.0), (81, "F", "WHITE", 2, 10.0))
    assert calibrated(table, fasting).tolist() == [25.0] * 4 + [30.0] * 2 + [5.0] * 4
    assert calibrated(table, fasting[:1]).tolist() == [25.0] * 4 + [0.0] * 6


def test_what_is_written_is_what_ships_reads():
    table = TOY.assign(bmi=20.0, **{one.name: False for one in GROUPS[1:] if one.name != "obesity"})
    content = populations(table)["us"]
    found = read_reference_table(as_text(content), "us")
    assert [one.name for one in found.groups] == ["adults"]


def test_the_tables_that_ship_are_those_of_the_survey(shared: Path):
    made = populations(examined(shared / "data" / "nhanes"))
    assert set(made) == set(population_names())
    for name, content in made.items():
        assert as_text(content) == (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


def test_the_adults_are_the_fasting_weights_of_the_file(shared: Path):
    raw = pd.read_csv(shared / "data" / "nhanes" / "nhanes_1999_2018_all.csv.gz", low_memory=False)
    raw = raw[raw["cycle"].isin(["2015-2016", "2017-2018"]) & (raw["age_years"] >= 20)]
    weight = raw["fasting_subsample_weight"].fillna(0)
    table = read_reference_table((FOLDER / "us.yaml").read_text(encoding="utf-8"), "us")
    shares = table.shares(table.everybody)
    for at, sex in enumerate(("female", "male")):
        for band, low in enumerate(table.everybody.age_bands):
            inside = (raw["sex"] == sex) & (raw["age_years"] >= low) & ((raw["age_years"] < low + 10) | (low == 80))
            expected = weight[inside].sum() / weight.sum()
            assert shares[band, at].sum() == pytest.approx(expected, abs=2e-3)
