"""Raking: hand-solved tables, empty cells, whole rows with exact margins."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.cohort.raking import Axes, allocate, effective_size, largest_remainder, rake
from engine.core.errors import UserError

SEED = np.array([[40.0, 10.0], [10.0, 40.0]])
ROWS, COLUMNS = Axes((0,), np.array([0.8, 0.2])), Axes((1,), np.array([0.5, 0.5]))


def test_a_two_by_two_table_by_hand():
    found, left = rake(SEED, [ROWS, COLUMNS])
    # Margins 0.8/0.2 and 0.5/0.5 with the odds ratio 16 of the seed: x(x - 0.3) = 16 (0.8 - x)(0.5 - x),
    # 15 x² - 20.5 x + 6.4 = 0.
    x = (20.5 - np.sqrt(20.5**2 - 4 * 15 * 6.4)) / 30
    assert found == pytest.approx(np.array([[x, 0.8 - x], [0.5 - x, x - 0.3]]), abs=1e-6)
    assert found[0, 0] * found[1, 1] / (found[0, 1] * found[1, 0]) == pytest.approx(16, rel=1e-5)
    assert left < 1e-9


def test_an_empty_cell_stays_empty_and_the_rest_reaches_the_margins():
    found, left = rake(np.array([[1.0, 0.0], [1.0, 1.0]]), [Axes((0,), np.array([0.3, 0.7])), COLUMNS])
    assert found == pytest.approx(np.array([[0.3, 0.0], [0.2, 0.5]]), abs=1e-6)
    assert left < 1e-6


def test_margins_that_no_table_with_these_cells_has_leave_a_difference():
    # All of the first row and half of everything would have to be in one empty column.
    _, left = rake(np.array([[1.0, 0.0], [1.0, 1.0]]), [ROWS, COLUMNS])
    assert left > 0.1


@pytest.mark.parametrize(
    ("table", "margins", "message"),
    [
        (np.zeros((2, 2)), [ROWS], "without any support"),
        (np.array([[-1.0, 2.0]]), [], "without any support"),
        (SEED, [Axes((0,), np.array([0.8, 0.3]))], "no distribution"),
        (SEED, [Axes((0,), np.array([0.5, 0.3, 0.2]))], "no distribution"),
        (np.array([[0.0, 0.0], [1.0, 1.0]]), [Axes((0,), np.array([1.0, 0.0]))], "no cell"),
    ],
)
def test_tables_that_cannot_be_raked(table, margins, message):
    with pytest.raises(UserError, match=message):
        rake(table, margins)


def test_rows_by_largest_remainder():
    assert largest_remainder(np.array([1.5, 1.3, 1.2]), 4).tolist() == [2, 1, 1]


def test_kish_by_hand():
    # 400² / (100 · 2² + 300 · (2/3)²) = 300.
    assert effective_size(np.array([2.0] * 100 + [2 / 3] * 300)) == pytest.approx(300)
    assert effective_size(np.zeros(3)) == 0


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 400))
def test_whole_rows_have_exact_margins(seed: int, rows: int):
    random = np.random.default_rng(seed)
    proportions = random.dirichlet(np.full(24, 0.4)).reshape(4, 2, 3) + 1e-9
    proportions /= proportions.sum()
    counts = [
        largest_remainder(proportions.sum(axis=tuple(o for o in range(3) if o != axis)) * rows, rows)
        for axis in range(3)
    ]
    found = allocate(proportions, rows, counts)
    assert found.min() >= 0
    for axis, wanted in enumerate(counts):
        assert found.sum(axis=tuple(o for o in range(3) if o != axis)).tolist() == wanted.tolist()
    assert np.abs(found - proportions * rows).max() < 4


def test_rows_never_go_to_a_cell_without_support():
    proportions = np.array([[0.5, 0.0], [0.25, 0.25]])
    found = allocate(proportions, 7, [np.array([4, 3]), np.array([5, 2])])
    assert found.tolist() == [[4, 0], [1, 2]]
