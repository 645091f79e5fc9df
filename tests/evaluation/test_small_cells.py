"""Which counts are shown: hand-solved cells, and properties over random ones."""

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.cells import (
    Counts,
    Sample,
    merge_intervals,
    pool_categories,
    publishable,
    rounded_share,
    rounding,
)
from engine.schema.table import Column, Kind, Role, TableSchema


def counts(*rows: int) -> Counts:
    return Counts(np.array(rows), np.array(rows))


@pytest.mark.parametrize(
    ("rows", "groups"),
    [
        ([20, 30, 40], [[0], [1], [2]]),
        ([20, 5, 40], [[0], [1, 2]]),
        ([20, 30, 4], [[0], [1, 2]]),
        ([4, 3, 20], [[0, 1, 2]]),
        ([20, 0, 30], [[0], [1], [2]]),
        # Nobody can tell in which of the cells one to four the single patient is.
        ([50, 0, 0, 1, 40], [[0], [1, 2, 3, 4]]),
        ([50, 6, 6, 0, 40], [[0], [1, 2, 3], [4]]),
        ([0, 20, 30, 0], [[0], [1], [2], [3]]),
        ([0, 2, 30, 1, 0], [[0, 1, 2, 3, 4]]),
        ([5, 4], [[0, 1]]),
    ],
)
def test_small_intervals_join_their_neighbours(rows, groups):
    assert merge_intervals(counts(*rows), 11) == groups


def test_merged_intervals_hold_the_minimum_or_nobody():
    rng = np.random.default_rng(3)
    for _ in range(300):
        cells = counts(*rng.choice([0, 0, 1, 3, 8, 12, 30], size=rng.integers(1, 14)))
        groups = merge_intervals(cells, 11)
        assert [cell for group in groups for cell in group] == list(range(len(cells.rows)))
        merged = cells.grouped(groups)
        if cells.rows.sum() >= 11:
            assert not merged.small(11).any()
        for group in groups:
            # An empty cell is alone only where no merged group begins or ends beside it.
            if len(group) > 1:
                for beside in (group[0] - 1, group[-1] + 1):
                    assert [beside] not in groups or cells.rows[beside] > 0


def test_a_patient_with_many_rows_counts_once():
    sample = Sample(pd.DataFrame({"x": range(30)}), np.array([0] * 20 + list(range(1, 11))))
    found = Counts.of(np.array([0] * 20 + [1] * 10), sample, 2)
    assert found.rows.tolist() == [20, 10]
    assert found.support.tolist() == [1, 10]
    assert found.small(5).tolist() == [True, False]


def test_support_never_exceeds_the_patients_of_a_cell():
    rng = np.random.default_rng(0)
    patients, codes = rng.integers(0, 20, 200), rng.integers(-1, 4, 200)
    found = Counts.of(codes, Sample(pd.DataFrame(index=range(200)), patients), 4)
    for cell in range(4):
        assert found.support[cell] <= len(np.unique(patients[codes == cell]))


def test_the_patient_key_names_the_patients():
    schema = TableSchema(
        columns=(Column(name="who", kind=Kind.CATEGORICAL, role=Role.PATIENT_KEY), Column(name="x", kind=Kind.NUMERIC))
    )
    frame = pd.DataFrame({"who": ["a", "a", "b"], "x": [1.0, 2.0, 3.0]})
    assert Sample.of(frame, schema).patient_count == 2
    assert Sample.of(frame[["x"]], schema).patient_count == 3


def test_small_categories_are_pooled():
    pooling = pool_categories(counts(50, 6, 30, 7, 0), 11, most=60)
    assert pooling.named == [0, 2]
    assert sorted(pooling.pooled) == [1, 3, 4]
    assert pooling.all_small
    assert not pooling.hidden


def test_a_small_pool_takes_a_named_category_along():
    pooling = pool_categories(counts(50, 4, 30), 11, most=60)
    assert pooling.named == [0]
    assert sorted(pooling.pooled) == [1, 2]
    assert not pooling.all_small
    assert not pooling.hidden


def test_two_categories_of_which_one_is_small_are_hidden():
    pooling = pool_categories(counts(95, 5), 11, most=60)
    assert pooling.named == [0]
    assert pooling.hidden


def test_the_less_frequent_categories_share_a_bar():
    pooling = pool_categories(counts(*range(20, 120)), 11, most=60)
    assert len(pooling.named) == 60
    assert not pooling.all_small
    assert pooling.named[0] == 99


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ([20, 30], [True, True]),
        ([20, 0, 30], [True, True, True]),
        # One small cell alone would be the difference from the whole: the next one goes too.
        ([20, 5, 30], [False, False, True]),
        ([20, 6, 7, 30], [True, False, False, True]),
        # Two cells of ten each would be known to be ten each.
        ([20, 10, 10, 30], [False, False, False, True]),
        ([5, 30], None),
    ],
)
def test_cells_of_a_second_table(rows, shown):
    found = publishable(counts(*rows), 11)
    assert found is None if shown is None else found.tolist() == shown


@pytest.mark.parametrize("rows", [30, 40, 129, 555, 2_000])
def test_shares_do_not_tell_how_many_values_are_missing(rows):
    # Known: the rows, and that one to ten have no value. Exact shares would give the number away by their denominator.
    first = rows // 3
    for missing in (1, 4, min(10, rows - first - 1)):
        present = rows - missing
        told = rounded_share(first, present), rounded_share(present - first, present)
        possible = {
            other
            for other in range(1, min(11, rows))
            for count in range(rows - other + 1)
            if (rounded_share(count, rows - other), rounded_share(rows - other - count, rows - other)) == told
        }
        assert len(possible) >= 6


@pytest.mark.parametrize("rows", [12, 40, 129, 2_000, 40_000])
def test_shares_are_right_to_half_a_step(rows):
    for count in range(0, rows + 1, max(1, rows // 100)):
        assert abs(rounded_share(count, rows) - count / rows) <= rounding(rows) / 2 + 1e-9
