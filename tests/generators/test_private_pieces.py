"""Where inside a cell private values lie: shared values, roundings, tails, and what conditions make of them."""

import numpy as np
import pandas as pd
import pytest

from engine.cohort.conditions import Condition, Interval
from engine.generators.binning import Bins
from engine.generators.dp_cgan.limits import make_limit
from engine.generators.encoding import ColumnCode
from engine.generators.private_grid import Grid
from engine.generators.private_pieces import shared_values, with_pieces
from engine.schema.table import Column, Kind, conform
from tests.helpers.private_tables import encode, schema_of


def bins_of(*cells: tuple[int, int, int, float], last: tuple[int, ...]) -> Bins:
    """Bins that end at ``last``, from cells (bin, first, length, mass)."""
    of_bin, first, length, mass = (np.array(part) for part in zip(*cells, strict=True))
    ends = np.array(last)
    starts = np.append(first[0], ends[:-1] + 1)
    return Bins(starts, ends, of_bin, first, length, mass.astype(float), np.ones_like(first))


def pieces(bins: Bins) -> list[tuple[int, int, int, float, int]]:
    parts = (bins.cell_bin, bins.cell_first, bins.cell_length, bins.cell_mass.round(9), bins.cell_step)
    return [tuple(part.item() for part in row) for row in zip(*parts, strict=True)]


WHOLE = ((1, 1.0),)


def test_a_shared_value_is_cut_out_of_its_cell() -> None:
    # Ten positions with 100 patients, 60 of them at 13; a cell without one, and one of a single position.
    bins = bins_of((0, 10, 10, 100.0), (0, 20, 5, 7.0), (1, 25, 1, 9.0), last=(24, 25))
    found = with_pieces(bins, roundings=WHOLE, atoms={13: 60.0, 25: 40.0, 99: 5.0})
    assert pieces(found) == [(0, 10, 10, 40.0, 1), (0, 13, 1, 60.0, 1), (0, 20, 5, 7.0, 1), (1, 25, 1, 9.0, 1)]
    assert (found.first == bins.first).all() and (found.last == bins.last).all()


def test_shared_values_never_take_more_than_their_cell_has() -> None:
    bins = bins_of((0, 0, 10, 50.0), last=(9,))
    found = with_pieces(bins, roundings=WHOLE, atoms={0: 60.0, 9: 40.0})
    assert [part for part in pieces(found) if part[3] > 0] == [(0, 0, 1, 30.0, 1), (0, 9, 1, 20.0, 1)]


def test_cells_of_no_round_position_stay_and_others_are_cut_into_steps() -> None:
    # Tens three quarters of the time, fives a quarter: 11-14 has neither, 15-19 fives alone, 20-39 two and four.
    bins = bins_of((0, 11, 4, 8.0), (0, 15, 5, 5.0), (1, 20, 20, 40.0), last=(19, 39))
    found = with_pieces(bins, roundings=((10, 0.75), (5, 0.25)), atoms={})
    assert pieces(found)[:2] == [(0, 11, 4, 8.0, 1), (0, 15, 1, 5.0, 5)]
    assert [(first, length, step) for _, first, length, _, step in pieces(found)[2:]] == [(20, 2, 10), (20, 4, 5)]
    assert found.cell_mass[2:].sum() == pytest.approx(40)
    # Below zero as above: multiples of the step, not steps from the cell's start.
    below = with_pieces(bins_of((0, -13, 14, 6.0), last=(0,)), roundings=((5, 1.0),), atoms={})
    assert pieces(below) == [(0, -10, 3, 6.0, 5)]


@pytest.mark.parametrize("seed", range(8))
def test_mass_and_places_stay_inside_each_cell(seed: int) -> None:
    random = np.random.default_rng(seed)
    length = random.integers(1, 40, 12)
    first = -60 + np.append(0, np.cumsum(length)[:-1])
    mass = random.gamma(1, 20, 12)
    ends = (first + length - 1)[[3, 7, 11]]
    cells = zip(np.repeat([0, 1, 2], 4), first, length, mass, strict=True)
    bins = bins_of(*cells, last=tuple(ends))
    places = random.choice(np.arange(first[0], ends[-1] + 1), 9, replace=False)
    atoms = {int(place): float(mass) for place, mass in zip(places, random.gamma(2, 10, 9), strict=True)}
    found = with_pieces(bins, roundings=((10, 0.6), (5, 0.3), (1, 0.1)), atoms=atoms)
    of_cell = np.searchsorted(first, found.cell_first, side="right") - 1
    assert np.bincount(of_cell, weights=found.cell_mass, minlength=12) == pytest.approx(mass)
    last = found.cell_first + (found.cell_length - 1) * found.cell_step
    assert (last < first[of_cell] + length[of_cell]).all() and found.cell_mass.min() > -1e-9
    stepped = (found.cell_step > 1) & ~np.isin(found.cell_first, places)
    assert (found.cell_first[stepped] % found.cell_step[stepped] == 0).all()
    # Cells overlap now; what is drawn for a bin stays inside it all the same, and has its cells' shares.
    code = ColumnCode(Column(name="x", kind=Kind.INTEGER), np.append(np.bincount(found.cell_bin), 0.0), bins=found)
    levels = np.repeat([0, 1, 2], 5_000)
    drawn = np.asarray(code.decode(levels, cells=code.cells(), random=random)).astype(int)
    assert (found.find(drawn) == levels).all()
    at = np.searchsorted(first, drawn, side="right") - 1
    wanted = np.concatenate([mass[a : a + 4] / mass[a : a + 4].sum() for a in (0, 4, 8)])
    assert np.bincount(at, minlength=12) / 5_000 == pytest.approx(wanted, abs=0.03)


def test_each_rounding_has_its_share_of_the_values() -> None:
    found = with_pieces(
        bins_of((0, 0, 100, 90.0), last=(99,)), roundings=((10, 0.6), (5, 0.3), (1, 0.1)), atoms={}
    )  # fmt: skip
    code = ColumnCode(Column(name="x", kind=Kind.INTEGER), np.array([90.0, 0.0]), bins=found)
    drawn = np.asarray(code.decode(np.zeros(20_000, int), cells=code.cells(), random=np.random.default_rng(0)))
    assert rounded(drawn.astype(float) / 10) == pytest.approx([0.6, 0.3, 0.1], abs=0.02)


def test_shared_values_stand_above_the_noise() -> None:
    random = np.random.default_rng(0)
    noise = 20.0
    alarms = sum(bool(shared_values(np.rint(random.normal(0, noise, 500)), noise)) for _ in range(400))
    assert 2 <= alarms <= 40  # one column in twenty
    counts = np.zeros(500)
    counts[[3, 77]] = 400.0, 60.0
    assert shared_values(counts, noise) == {3: 400.0}
    assert shared_values(counts, 10.0) == {3: 400.0, 77: 60.0}


# Tails.


def grid_of(cells: int, width: int = 5, first: int = 100) -> Grid:
    starts = first + width * np.arange(cells)
    return Grid(Column(name="x", kind=Kind.INTEGER), 1.0, starts, starts + width - 1, WHOLE, np.zeros(0))


def test_ends_that_stand_out_are_untouched() -> None:
    counts = np.array([90, 5, -3, 0, 200, 80])
    grid, out = grid_of(6).with_tails(counts, 10.0)
    assert (out == counts).all() and out.dtype == np.float64
    assert (grid.first == grid_of(6).first).all() and (grid.last == grid_of(6).last).all()


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_tail_falls_off_and_keeps_its_patients(mirrored: bool) -> None:
    # Thirty cells with 210 patients among noise of 20, of which no sum stands out, then the body.
    noise, tail = 20.0, np.array([14, -20, 15, 9, -15, 21, -2, 26, 10, 12] * 3)
    body = np.array([60.0, 70.0, 50.0])
    counts = np.append(tail, body)
    grid, out = grid_of(33).with_tails(counts[::-1] if mirrored else counts, noise)
    if mirrored:
        out = out[::-1]
        assert grid.first[0] == 100
    else:
        assert grid.last[-1] == 264
    kept = len(out) - 3
    assert (out[kept:] == body).all()
    assert 3 < kept < 30 and len(grid.first) == len(out)
    assert (np.diff(out[:kept]) > 0).all() and (out[:kept] > 0).all()
    # An exponential with the body's density at its start and so many patients, up to the half that is cut off.
    patients = float(tail.sum())
    falling = body.sum() / (3 * 5) / patients
    assert patients - 0.6 - patients * np.exp(-falling * 150) <= out[:kept].sum() <= patients
    far = 5 * np.arange(kept)[::-1]
    assert out[:kept] == pytest.approx(patients * (np.exp(-falling * far) - np.exp(-falling * (far + 5))))


def test_a_tail_without_patients_is_cut_off_and_noise_alone_changes_nothing() -> None:
    grid, out = grid_of(9).with_tails(np.array([-5, 3, -4, 300, 200, 100, 4, -6, -2]), 20.0)
    assert out.tolist() == [300, 200, 100]
    assert (grid.first[0], grid.last[-1]) == (115, 129)
    assert pytest.approx(1) == float(np.sum(grid_of(4).with_tails(np.array([5, -3, 1, -2]), 20.0)[1]))


# End to end.


def rounded(values: np.ndarray) -> list[float]:
    """Shares of whole numbers, halves, and the rest."""
    tenths = np.rint(values * 10).astype(int) % 10
    return [float((tenths == 0).mean()), float((tenths == 5).mean()), float(((tenths != 0) & (tenths != 5)).mean())]


def code_and_values(values: np.ndarray, **budget: float) -> tuple[ColumnCode, np.ndarray]:
    schema = schema_of(x=Kind.NUMERIC)
    code = encode(conform(pd.DataFrame({"x": values}), schema), schema, **budget).encoding.columns[0]
    random = np.random.default_rng(1)
    levels = random.choice(code.n_levels, 20_000, p=code.counts / code.counts.sum())
    return code, np.asarray(code.decode(levels, cells=code.cells(), random=random))


def as_recorded(rows: int = 8_000) -> np.ndarray:
    """60 % whole numbers, 30 % halves, 10 % other tenths, around 50."""
    random = np.random.default_rng(0)
    rest = random.choice([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9], rows)
    part = np.where(random.random(rows) < 0.6, 0.0, np.where(random.random(rows) < 0.75, 0.5, rest))
    return np.round(np.floor(random.normal(50, 8, rows)) + part, 1)


def test_values_are_as_round_as_they_were() -> None:
    values = as_recorded()
    code, drawn = code_and_values(values, square=1e6)
    assert code.scale == 10
    assert rounded(drawn) == pytest.approx(rounded(values), abs=0.02)
    assert (np.round(drawn, 1) == drawn).all()
    quantiles = [0.05, 0.25, 0.5, 0.75, 0.95]
    assert np.quantile(drawn, quantiles) == pytest.approx(np.quantile(values, quantiles), abs=0.6)
    # At a usual budget no even tenths: those would make one in ten whole.
    _, drawn = code_and_values(values, epsilon=10.0)
    assert rounded(drawn) == pytest.approx(rounded(values), abs=0.15)


def heaped(rows: int = 8_000) -> np.ndarray:
    """A quarter of the patients have exactly 72.5, the others lie around 70 in tenths."""
    random = np.random.default_rng(3)
    return np.where(random.random(rows) < 0.25, 72.5, random.normal(70, 12, rows).round(1))


@pytest.mark.parametrize("budget", [{"square": 1e6}, {"epsilon": 10.0}, {"epsilon": 1.0}])
def test_a_heaped_value_stays_one(budget: dict[str, float]) -> None:
    values = heaped()
    _, drawn = code_and_values(values, **budget)
    assert (drawn == 72.5).mean() == pytest.approx((values == 72.5).mean(), abs=0.05)
    assert (np.abs(drawn - 72.5) <= 0.3).mean() - (drawn == 72.5).mean() < 0.08


@pytest.mark.parametrize("values", [as_recorded(), heaped()])
@pytest.mark.parametrize("epsilon", [1.0, 10.0])
@pytest.mark.parametrize(
    "interval", [Interval(47.3, 72.5), Interval(50, 50.4), Interval(61.05, 61.2), Interval(low=70)]
)
def test_ranges_of_such_columns_are_obeyed(values: np.ndarray, epsilon: float, interval: Interval) -> None:
    code, free = code_and_values(values, epsilon=epsilon)
    limit = make_limit(code, Condition("x", intervals=(interval,), allow_missing=False))
    random = np.random.default_rng(2)
    weight = limit.share * np.where(limit.share > 0, np.maximum(code.counts, 1e-9), 0)
    levels = random.choice(code.n_levels, 4_000, p=weight / weight.sum())
    drawn = np.asarray(code.decode(levels, cells=limit.cells, random=random))
    assert interval.contains(drawn).all()
    assert weight.sum() / code.counts.sum() == pytest.approx(interval.contains(free).mean(), abs=0.02)


def test_equality_with_a_heaped_value_and_its_exclusion() -> None:
    code, _ = code_and_values(heaped(), epsilon=3.0)
    limit = make_limit(code, Condition("x", intervals=(Interval(72.5, 72.5),), allow_missing=False))
    assert (limit.share @ code.counts) / code.counts.sum() == pytest.approx(0.25, abs=0.05)
    level = limit.only_level
    assert level is not None
    drawn = code.decode(np.full(50, level), cells=limit.cells, random=np.random.default_rng(0))
    assert set(drawn) == {72.5}
    out = make_limit(code, Condition("x", excluded=frozenset({72.5}), allow_missing=False))
    assert (out.share @ code.counts) / code.counts.sum() == pytest.approx(0.75, abs=0.05)
    drawn = code.decode(np.full(2_000, level), cells=out.cells, random=np.random.default_rng(0))
    assert 72.5 not in set(drawn) and (code.encode(pd.Series(drawn)) == level).all()
