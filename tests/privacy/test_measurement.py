"""Histograms of patients: how far one patient moves them, what is announced when, and which cells are released."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mp, mpf
from scipy.stats import binomtest

from engine.core.errors import InternalError
from engine.privacy.accounting import Gaussian, Threshold, gaussian_mu
from engine.privacy.accounting import epsilon as cost_of
from engine.privacy.measurement import Histogram, Measurer
from engine.privacy.noise import NoiseStream
from tests.helpers import privacy_sabotage as sabotage

KEY = b"measurements"
SIZE = 6


def histogram(cells: Sequence[int], *purpose: str, size: int = SIZE, noise: float = 1.5, **more) -> Histogram:
    return Histogram(purpose or ("h",), lambda: np.array(cells, dtype=np.int64), size, noise, **more)


def measurer(
    patients: int, *, kind: type[Measurer] = Measurer, stream: NoiseStream | None = None, told=None
) -> Measurer:
    def announce(events) -> None:
        if told is not None:
            told.append(tuple(events))

    return kind(patients, stream or NoiseStream(KEY), announce)


def pair_cells(first: Sequence[int], second: Sequence[int]) -> list[int]:
    return [-1 if a < 0 or b < 0 else a * 3 + b for a, b in zip(first, second, strict=True)]


def counted(rows: Sequence[tuple[int, int]], kind: type[Measurer]) -> list[np.ndarray]:
    """The counts of both columns, their pair and the patients, without noise."""
    first, second = [a for a, _ in rows], [b for _, b in rows]
    return measurer(len(rows), kind=kind, stream=sabotage.Silent(KEY)).measure(
        [
            histogram(first, "first", size=4),
            histogram(second, "second", size=3),
            histogram(pair_cells(first, second), "pair", size=12),
            histogram([0] * len(rows), "patients", size=1),
        ]
    )


def check_sensitivity(rows: list[tuple[int, int]], kind: type[Measurer] = Measurer) -> None:
    whole = counted(rows, kind)
    for index in range(len(rows)):
        less = counted(rows[:index] + rows[index + 1 :], kind)
        moved = [math.dist(one, other) for one, other in zip(whole, less, strict=True)]
        assert max(moved) <= 1
        assert math.hypot(*moved) <= math.sqrt(len(moved))


@given(st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 2)), min_size=1, max_size=25))
def test_a_patient_moves_each_histogram_by_at_most_one(rows: list[tuple[int, int]]) -> None:
    check_sensitivity(rows)


@given(st.lists(st.integers(-1, SIZE - 1), max_size=30))
def test_noise_is_all_that_is_added(cells: list[int]) -> None:
    (noisy,) = measurer(len(cells)).measure([histogram(cells)])
    noise = NoiseStream(KEY).rounded_gaussian(SIZE, "h", sigma=1.5)
    assert (noisy - noise).tolist() == [cells.count(cell) for cell in range(SIZE)]


def check_announced_first(kind: type[Measurer] = Measurer) -> None:
    told: list[tuple] = []

    def cells() -> np.ndarray:
        assert told, "rows are counted before the ledger knows"
        return np.zeros(3, dtype=np.int64)

    measuring = measurer(3, kind=kind, told=told)
    measuring.measure([Histogram(("a",), cells, 1, 2.0), Histogram(("b",), cells, 2, 3.0, 1e-3, always=1)])
    assert told[0] == (Gaussian(2.0), Gaussian(3.0), Threshold(1e-3))
    measuring.measure([Histogram(("c",), cells, 1, 4.0)])
    # All so far, not the last ones alone.
    assert told[1] == (Gaussian(2.0), Gaussian(3.0), Threshold(1e-3), Gaussian(4.0))
    assert tuple(measuring.events) == told[1]
    assert len(told) == 2


def test_everything_is_announced_before_a_row_is_read() -> None:
    check_announced_first()


def test_where_the_ledger_refuses_nothing_is_read() -> None:
    def refuse(events) -> None:
        raise InternalError("no budget")

    def cells() -> np.ndarray:
        raise AssertionError("read")

    with pytest.raises(InternalError, match="no budget"):
        Measurer(1, NoiseStream(KEY), refuse).measure([Histogram(("a",), cells, 1, 2.0)])


def test_what_is_recorded_costs_the_budget_it_was_solved_for() -> None:
    measuring, count = measurer(2), 7
    mu = gaussian_mu(epsilon=2.0, delta=1e-5)
    measuring.measure([histogram([0, 1], str(number), noise=math.sqrt(count) / mu) for number in range(count)])
    assert cost_of(measuring.events, 1e-5).epsilon == pytest.approx(2.0, abs=5e-3)


@pytest.mark.parametrize("cells", [[0], [0, 1, 2], []])
def test_one_cell_per_patient_and_nothing_else(cells: list[int]) -> None:
    with pytest.raises(InternalError, match=r"margin/age does not count one cell per patient"):
        measurer(2).measure([histogram(cells, "margin", "age")])


def test_a_cell_that_is_not_there_is_refused() -> None:
    with pytest.raises(InternalError, match="not as announced"):
        measurer(2).measure([histogram([0, SIZE])])


def passes(threshold: int, noise: float) -> float:
    """P(1 + rounded noise ≥ threshold), exact."""
    with mp.workdps(40):
        return mp.erfc((threshold - mpf(1.5)) / (mpf(noise) * mp.sqrt(2))) / 2


@pytest.mark.parametrize("delta", [0.3, 1e-2, 1e-5, 1e-6 / 7, 1e-9])
@pytest.mark.parametrize("noise", [0.3, 1.0, 5.5, 47.0])
def test_the_threshold_is_the_smallest_that_delta_allows(delta: float, noise: float) -> None:
    threshold = histogram([], noise=noise, threshold_delta=delta).threshold
    # 1 - delta is rounded before the quantile is taken.
    assert passes(threshold, noise) <= delta * (1 + 1e-6)
    assert passes(threshold - 1, noise) > delta * (1 - 1e-6)


def test_without_public_absence_there_is_no_threshold() -> None:
    with pytest.raises(InternalError, match="no threshold"):
        _ = histogram([]).threshold


def check_threshold(kind: type[Measurer] = Measurer) -> None:
    """Of categories that one patient each has, no more pass than the delta says, and of empty ones none."""
    delta, noise, size = 0.02, 3.0, 40_000
    lonely = np.arange(size) < size // 2
    measuring = measurer(size // 2, kind=kind)
    (noisy,) = measuring.measure(
        [Histogram(("h",), lambda: np.flatnonzero(lonely), size, noise, threshold_delta=delta)]
    )
    assert (noisy[~lonely] == -1).all()
    released = int((noisy[lonely] > 0).sum())
    interval = binomtest(released, size // 2).proportion_ci(0.999)
    exact = float(passes(histogram([], noise=noise, threshold_delta=delta).threshold, noise))
    assert interval.low <= delta
    assert interval.low <= exact <= interval.high


def test_a_category_of_one_patient_passes_as_often_as_delta_says() -> None:
    check_threshold()


def test_cells_below_the_threshold_are_all_alike() -> None:
    cells = [0] * 500 + [1] * 3 + [2]
    (noisy,) = measurer(len(cells)).measure([histogram(cells, noise=2.0, threshold_delta=1e-5)])
    threshold = histogram(cells, noise=2.0, threshold_delta=1e-5).threshold
    assert 3 < threshold < 20
    assert abs(noisy[0] - 500) < 12
    # Some patients, one patient and nobody look the same.
    assert noisy[1:].tolist() == [-1] * 5


def test_public_cells_beside_a_threshold_are_always_released() -> None:
    cells = [0] * 3 + [4]
    for key in range(20):
        stream = NoiseStream(bytes([key]))
        (noisy,) = measurer(4, stream=stream).measure([histogram(cells, threshold_delta=1e-9, always=2)])
        noise = NoiseStream(bytes([key])).rounded_gaussian(SIZE, "h", sigma=1.5)
        assert noisy.tolist() == [-1, -1, -1, -1, 1 + noise[4], noise[5]]


def test_the_same_measurement_twice_is_refused() -> None:
    with pytest.raises(InternalError, match="drawn twice"):
        measurer(1).measure([histogram([0], "a"), histogram([0], "a")])


@pytest.mark.parametrize("bug", [sabotage.Unannounced, sabotage.Forgetful])
def test_the_check_catches_a_measurement_that_is_not_announced(bug: type[Measurer]) -> None:
    with pytest.raises((AssertionError, IndexError)):
        check_announced_first(bug)


def test_the_check_catches_a_patient_who_is_counted_twice() -> None:
    with pytest.raises(AssertionError):
        check_sensitivity([(0, 1), (2, 2)], sabotage.CountsTwice)


def test_the_check_catches_a_threshold_that_is_skipped() -> None:
    with pytest.raises(AssertionError):
        check_threshold(sabotage.IgnoresThresholds)
