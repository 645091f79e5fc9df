"""Associations with a diagnosis: planted structure, chance, small groups, repeated admissions, what is kept."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.cohort.spec import Criterion
from engine.core.workspace import read_json, write_json
from engine.schema.table import Column, Kind, Role, TableSchema, conform
from engine.services.associations import TableAssociations, strengths
from engine.storage.tables import write_table

SCHEMA = TableSchema(
    columns=(
        Column(name="patient_id", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY),
        Column(name="ill", kind=Kind.BOOLEAN),
        Column(name="marker", kind=Kind.NUMERIC),
        Column(name="twin", kind=Kind.CATEGORICAL, categories=("no", "yes")),
        Column(name="noise", kind=Kind.NUMERIC),
        Column(name="code", kind=Kind.CATEGORICAL, categories=("250", "401"), code_system="icd9"),
    )
)
ILL = Criterion(column="ill", any_of=(True,))


def table(rows: int = 400, share: float = 0.5) -> pd.DataFrame:
    random = np.random.default_rng(4)
    ill = np.arange(rows) < rows * share
    frame = pd.DataFrame(
        {
            "patient_id": [f"P{number}" for number in range(rows)],
            "ill": ill,
            "marker": random.normal(0, 1, rows) + 2 * ill,
            "twin": np.where(ill, "yes", "no"),
            "noise": random.normal(0, 1, rows),
            "code": random.choice(["250", "401"], rows),
        }
    )
    return conform(frame, SCHEMA)


def test_planted_associations_are_found_and_chance_is_not() -> None:
    found = strengths(table(), SCHEMA, ILL, small_cell_minimum=11)
    assert found["twin"] == 1.0
    # Two groups of one half, two standard deviations apart: 1 of 2 parts of the variance lies between them.
    assert found["marker"] == pytest.approx(np.sqrt(0.5), abs=0.05)
    assert found.keys() == {"twin", "marker"}


def test_small_groups_are_not_measured() -> None:
    assert strengths(table(share=10 / 400), SCHEMA, ILL, small_cell_minimum=11) == {}
    assert strengths(table(share=390 / 400), SCHEMA, ILL, small_cell_minimum=11) == {}
    assert strengths(table(share=11 / 400), SCHEMA, ILL, small_cell_minimum=11) != {}


def test_a_patient_with_many_admissions_counts_once() -> None:
    once = table()
    often = pd.concat([once, *[once.iloc[[399]]] * 300], ignore_index=True)
    assert strengths(often, SCHEMA, ILL, small_cell_minimum=11) == strengths(once, SCHEMA, ILL, small_cell_minimum=11)


def test_a_code_that_nobody_has_gives_nothing() -> None:
    nobody = Criterion(column="code", starts_with=("999",))
    assert strengths(table(), SCHEMA, nobody, small_cell_minimum=11) == {}


def test_they_are_measured_once(tmp_path: Path) -> None:
    write_table(tmp_path / "table.parquet", table(), SCHEMA)
    associations = TableAssociations(tmp_path, small_cell_minimum=11)
    first = associations(ILL)
    kept = read_json(tmp_path / "associations.json")
    assert list(kept["strengths"].values()) == [first]
    for found in kept["strengths"].values():
        found["twin"] = 0.5
    write_json(tmp_path / "associations.json", kept)
    assert associations(ILL) == {**first, "twin": 0.5}, "read from the file, not measured again"


def test_a_stricter_minimum_and_a_new_preparation_are_measured_anew(tmp_path: Path) -> None:
    path = tmp_path / "table.parquet"
    write_table(path, table(share=20 / 400), SCHEMA)
    assert TableAssociations(tmp_path, small_cell_minimum=11)(ILL) != {}
    assert TableAssociations(tmp_path, small_cell_minimum=21)(ILL) == {}
    assert TableAssociations(tmp_path, small_cell_minimum=11)(ILL) != {}
    write_table(path, table(share=10 / 400), SCHEMA)
    assert TableAssociations(tmp_path, small_cell_minimum=11)(ILL) == {}


def test_a_file_of_an_earlier_version_is_not_trusted(tmp_path: Path) -> None:
    write_table(tmp_path / "table.parquet", table(), SCHEMA)
    write_json(tmp_path / "associations.json", {"{}": {"noise": 1.0}})
    assert TableAssociations(tmp_path, small_cell_minimum=11)(ILL).keys() == {"twin", "marker"}
