"""Exact copies: counted at the stored precision, beside what chance makes equal."""

import numpy as np
import pandas as pd
import pytest
from planted_memoriser import COLUMNS, HOLDOUT, SCHEMA, TRAIN, cohort

from engine.evaluation.attacks.copies import exact_copies, row_keys
from engine.evaluation.cells import Sample
from engine.schema.table import Column, Kind, TableSchema, conform


def copies(synthetic, *, train=TRAIN, holdout=HOLDOUT, columns=COLUMNS, minimum=11):
    return exact_copies(Sample(train), Sample(holdout), Sample(synthetic), columns, minimum=minimum)


def test_shares_of_copies_are_those_that_were_planted() -> None:
    for share in (0.0, 0.25, 1.0):
        entry = copies(cohort(share))
        assert entry["attack"]["value"] == pytest.approx(share, abs=0.001)
        assert entry["control"]["value"] == 0
        assert entry["synthetic_in_holdout"]["value"] == 0
        assert entry["verdict"] == ("leak" if share else "none_found")
        # As many rows as patients, each copied once.
        assert entry["patients"]["attack"]["value"] == pytest.approx(share, abs=0.001)


def test_a_few_copies_are_told_without_their_number() -> None:
    few, several = (copies(cohort(count / 1200)) for count in (7, 10))
    assert few == several
    assert few["attack"]["text"] == "fewer than 11 of 1,200"
    assert few["verdict"] == "leak"
    one = copies(cohort(1 / 1200))
    assert [one[part] for part in ("attack", "control", "risk", "chance")] == [
        few[part] for part in ("attack", "control", "risk", "chance")
    ]


def test_numbers_are_compared_at_the_stored_precision() -> None:
    column = Column(name="x", kind=Kind.NUMERIC, decimals=1)
    frame = pd.DataFrame({"x": [1.2, 1.2000000001, 1.24, 1.3, -0.0, 0.0, np.nan, np.nan]})
    keys = row_keys(frame, [column])
    assert keys[0] == keys[1] == keys[2] != keys[3]
    assert keys[4] == keys[5] and keys[6] == keys[7] and keys[6] != keys[4]
    exact = row_keys(frame, [column.model_copy(update={"decimals": None})])
    assert exact[0] != exact[1]


def test_missing_is_no_category_of_that_name() -> None:
    column = Column(name="c", kind=Kind.CATEGORICAL)
    keys = row_keys(pd.DataFrame({"c": pd.Categorical([None, "nan", "None", None, ""])}), [column])
    assert len(set(keys)) == 4 and keys[0] == keys[3]


def test_order_of_categories_and_types_change_nothing() -> None:
    schema = TableSchema(
        columns=(
            Column(name="c", kind=Kind.CATEGORICAL),
            Column(name="b", kind=Kind.BOOLEAN),
            Column(name="d", kind=Kind.DATE),
            Column(name="n", kind=Kind.INTEGER),
        )
    )
    frame = conform(
        pd.DataFrame({"c": ["x", "y", None], "b": [True, None, False], "d": ["2020-01-01", None, "2021-05-05"]}).assign(
            n=[1, None, 3]
        ),
        schema,
    )
    other = frame.iloc[::-1].reset_index(drop=True)
    other["c"] = other["c"].cat.reorder_categories(["y", "x"])
    assert list(row_keys(other, schema.columns)) == list(row_keys(frame, schema.columns))[::-1]


def test_copies_that_chance_explains_are_no_alarm() -> None:
    columns = [SCHEMA[name] for name in ("sex", "unit", "diagnosis", "died")]
    entry = copies(cohort(0.0), columns=columns, train=TRAIN.head(60), holdout=HOLDOUT)
    assert 0.3 < entry["control"]["value"] < 0.9
    assert entry["risk"]["low"] <= 0 <= entry["risk"]["high"]
    assert entry["verdict"] == "none_found"


def test_without_a_holdout_there_is_no_control() -> None:
    assert copies(cohort(0.0), holdout=HOLDOUT.head(0))["reason"].startswith("Not assessable")
