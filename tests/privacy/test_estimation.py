"""Estimates from noisy counts, against projections solved by hand and by the conditions of optimality."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.privacy.estimation import above_noise, on_simplex


@pytest.mark.parametrize(
    ("noisy", "total", "expected"),
    [
        # Already there.
        ([2.0, 3.0, 5.0], 10.0, [2.0, 3.0, 5.0]),
        # The difference is shared equally.
        ([1.0, 2.0], 5.0, [2.0, 3.0]),
        ([4.0, 5.0], 5.0, [2.0, 3.0]),
        # A negative count becomes 0, and the others give what it took: 5 + 8 - 2·1.5 = 10.
        ([-4.0, 5.0, 8.0], 10.0, [0.0, 3.5, 6.5]),
        # 1 would become negative once the others have paid: it is 0 as well.
        ([1.0, 9.0, 9.0], 10.0, [0.0, 5.0, 5.0]),
        # All of it is one cell's.
        ([0.0, 100.0, 3.0], 10.0, [0.0, 10.0, 0.0]),
        ([-5.0, -5.0], 4.0, [2.0, 2.0]),
        ([7.0], 3.0, [3.0]),
    ],
)
def test_projections_solved_by_hand(noisy: list[float], total: float, expected: list[float]) -> None:
    assert on_simplex(np.array(noisy), total) == pytest.approx(expected)


def test_nothing_or_nobody_is_zero() -> None:
    assert on_simplex(np.array([3.0, 4.0]), 0.0).tolist() == [0.0, 0.0]
    assert on_simplex(np.array([3.0, 4.0]), -1.0).tolist() == [0.0, 0.0]
    assert on_simplex(np.zeros(0), 5.0).tolist() == []


@given(st.lists(st.integers(-1_000, 1_000), min_size=1, max_size=40), st.floats(0.5, 5_000))
def test_projections_are_optimal(noisy: list[int], total: float) -> None:
    given_counts = np.array(noisy, dtype=np.float64)
    found = on_simplex(given_counts, total)
    assert found.min() >= 0
    assert found.sum() == pytest.approx(total)
    # Karush, Kuhn and Tucker: kept cells moved by one common amount, and no cell at 0 wanted to stay above it.
    moved = given_counts - found
    shift = moved[found > 0]
    assert np.ptp(shift) < 1e-6
    assert (given_counts[found == 0] <= shift.mean() + 1e-6).all()


def test_integers_are_taken_as_they_are_and_left_alone() -> None:
    noisy = np.array([5, -2, 8], dtype=np.int64)
    assert on_simplex(noisy, 10.0) == pytest.approx([3.5, 0.0, 6.5])
    assert noisy.tolist() == [5, -2, 8]


@pytest.mark.parametrize(("noisy", "expected"), [(25.1, 25.1), (25.0, 0.0), (3.0, 0.0), (-40.0, 0.0)])
def test_what_noise_explains_is_zero(noisy: float, expected: float) -> None:
    assert above_noise(noisy, 10.0) == expected


def test_the_number_of_errors_can_be_chosen() -> None:
    assert above_noise(15.0, 10.0, errors=1.0) == 15.0
