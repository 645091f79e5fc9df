"""Which real rows a cohort is compared with."""

import numpy as np
import pandas as pd
import pytest

from engine.cohort.spec import CohortSpec, Criterion
from engine.core.errors import UserError
from engine.evaluation.cells import Sample
from engine.evaluation.reference import choose, shown_count
from engine.schema.table import Column, Kind, TableSchema, conform

SCHEMA = TableSchema(
    columns=(
        Column(name="age", kind=Kind.NUMERIC, label="Age"),
        Column(name="sex", kind=Kind.CATEGORICAL, label="Sex", categories=("F", "M")),
        Column(name="rare", kind=Kind.BOOLEAN, label="Rare disease"),
    )
)
N = 400
FRAME = conform(
    pd.DataFrame({"age": np.arange(N) % 100, "sex": ["F", "M"] * (N // 2), "rare": np.arange(N) < 15}), SCHEMA
)
WOMEN = Criterion(column="sex", any_of=("F",))
OLD = Criterion(column="age", minimum=50)
RARE = Criterion(column="rare", any_of=(True,))


def reference(*criteria: Criterion):
    return choose(Sample(FRAME), Sample(FRAME.iloc[:100]), CohortSpec(criteria=criteria), SCHEMA)


def as_dict(*criteria: Criterion):
    chosen = reference(*criteria)
    return chosen.as_dict(Sample(FRAME), Sample(FRAME.iloc[:100]), SCHEMA, minimum=11)


def test_without_criteria_all_rows():
    found = reference()
    assert found.kind == "all"
    assert found.train.all()
    assert found.holdout.all()


def test_the_rows_that_meet_the_criteria():
    found = reference(WOMEN, OLD)
    assert found.kind == "criteria"
    assert found.train.sum() == 100
    assert found.holdout.sum() == 25
    assert as_dict(WOMEN, OLD)["train_text"] == "100 rows"


def test_too_few_rows_take_the_nearest_larger_group():
    found = reference(WOMEN, OLD, RARE)
    assert found.kind == "relaxed"
    # Without Rare 100 rows remain; without Age or Sex there would be fewer than twenty.
    assert found.dropped == ("rare",)
    assert found.train.sum() == 100
    said = as_dict(WOMEN, OLD, RARE)
    assert "Rare disease" in said["sentence"]
    assert said["meeting_rows"] == 0


def test_of_two_larger_groups_the_smaller_is_the_nearer():
    # Of any two criteria at most 16 rows meet both; alone 200, 32 and 15 rows meet them.
    found = reference(WOMEN, Criterion(column="age", minimum=92), RARE)
    assert found.dropped == ("sex", "rare")
    assert found.train.sum() == 32


@pytest.mark.parametrize(("patients", "kind"), [(19, "relaxed"), (20, "criteria")])
def test_twenty_patients_are_enough_however_many_rows_they_have(patients, kind):
    sample = Sample(FRAME.iloc[: 10 * patients], np.repeat(np.arange(patients), 10))
    assert choose(sample, sample, CohortSpec(criteria=(WOMEN,)), SCHEMA).kind == kind


def test_fewer_than_twenty_is_said():
    said = as_dict(WOMEN, OLD, RARE)["sentence"]
    assert said.startswith("Fewer than 20 real patients meet every criterion (0 rows)")


def test_no_group_is_left_but_everyone():
    found = reference(RARE)
    assert found.dropped == ("rare",)
    assert found.train.all()


def test_a_count_of_few_patients_is_not_said():
    rows = np.arange(N) < 7
    assert shown_count(Sample(FRAME), rows, 11) == {"rows": None, "patients": None, "text": "fewer than 11 patients"}
    beside = shown_count(Sample(FRAME), ~rows, 11)
    assert beside["rows"] is None
    assert "393" not in beside["text"]
    assert shown_count(Sample(FRAME), np.zeros(N, bool), 11)["rows"] == 0


def test_patients_are_counted_not_rows():
    sample = Sample(FRAME, np.arange(N) // 40)
    assert shown_count(sample, np.ones(N, bool), 11)["rows"] is None
    assert shown_count(sample, np.ones(N, bool), 5)["text"] == "400 rows of 10 patients"


def test_an_unknown_column_is_an_error():
    with pytest.raises(UserError, match="height"):
        reference(Criterion(column="height", minimum=1))
