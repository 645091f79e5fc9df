"""Edges: round, readable, and moved by no single patient."""

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.histograms import grid_for, interval_text
from engine.schema.table import Column, Kind

DECIMAL = Column(name="x", kind=Kind.NUMERIC, decimals=1)
WHOLE = Column(name="x", kind=Kind.INTEGER)
DATE = Column(name="x", kind=Kind.DATE)


def normal(n: int = 2000, mean: float = 100, sd: float = 10) -> np.ndarray:
    return np.random.default_rng(0).normal(mean, sd, n)


def test_edges_are_round_and_span_the_bulk():
    grid = grid_for(normal(), DECIMAL, minimum=11)
    steps = np.diff(grid.edges)
    assert np.allclose(steps, 2)
    assert grid.edges[0] <= 80 <= 120 <= grid.edges[-1]
    assert 15 <= grid.cells <= 32


def test_an_extreme_value_moves_no_edge():
    values = normal()
    far = np.sort(values)
    far[[0, -1]] = -1e6, 1e6
    assert np.allclose(grid_for(values, DECIMAL, minimum=11).edges, grid_for(far, DECIMAL, minimum=11).edges)


def test_edges_are_inside_the_values_that_the_minimum_exceeds():
    values = np.arange(50.0)
    grid = grid_for(values, Column(name="x", kind=Kind.NUMERIC, decimals=0), minimum=11)
    assert (values >= grid.edges[-1]).sum() >= 5
    assert (values < grid.edges[0]).sum() >= 5


def test_values_on_an_edge_belong_above_it():
    values = np.round(np.random.default_rng(1).integers(0, 30, 500) / 10, 1)
    grid = grid_for(values, DECIMAL, minimum=1)
    # As the values are written: 0.6, not the 0.6000000000000001 that three steps of 0.2 add up to.
    edge = round(float(grid.edges[3]), 1)
    codes = grid.codes(np.array([edge, edge - 1e-6, np.nan]))
    assert codes[0] == codes[1] + 1
    assert codes[2] == -1


def test_whole_numbers_get_whole_cells():
    grid = grid_for(np.random.default_rng(0).poisson(3, 3000).astype(float), WHOLE, minimum=11)
    assert np.allclose(np.diff(grid.edges), 1)
    assert interval_text(3.0, 4.0, grid, WHOLE) == "3"
    assert interval_text(3.0, 6.0, grid, WHOLE) == "3–5"
    assert interval_text(9.0, None, grid, WHOLE) == "9 or more"
    assert interval_text(None, 2.0, grid, WHOLE) == "under 2"


def test_skewed_laboratory_values_get_a_logarithmic_axis():
    values = np.exp(np.random.default_rng(0).normal(3.5, 1.2, 3000))
    grid = grid_for(values, DECIMAL, minimum=11)
    assert grid.scale == "log"
    assert set(grid.edges) <= {m * 10.0**p for p in range(-1, 5) for m in (1, 1.5, 2, 3, 5, 7)}


def test_zeros_keep_a_linear_axis():
    values = np.where(np.random.default_rng(0).random(3000) < 0.3, 0, np.exp(normal(3000, 3, 1.5)))
    assert grid_for(values, DECIMAL, minimum=11).scale == "linear"


@pytest.mark.parametrize("value", [0.0, 5.0, -3.2, 1e7, 1e-5])
def test_a_constant_column(value):
    for column in (DECIMAL, Column(name="x", kind=Kind.NUMERIC), WHOLE):
        grid = grid_for(np.full(50, value), column, minimum=11)
        assert len(np.unique(grid.codes(np.full(3, value)))) == 1
        assert (np.diff(grid.edges) > 0).all()


@pytest.mark.parametrize(("days", "text"), [(10, "2150-01"), (300, "2150"), (3000, "2150"), (36_000, "2150")])
def test_dates_get_calendar_edges(days, text):
    start = pd.Timestamp("2150-01-01").timestamp() / 86_400
    values = start + np.random.default_rng(0).integers(0, days, 800).astype(float)
    grid = grid_for(values, DATE, minimum=11)
    assert grid.scale == "date"
    assert 5 <= grid.cells <= 36
    code = int(grid.codes(np.array([start + days // 2]))[0])
    assert interval_text(*grid.bounds([code]), grid, DATE).startswith(text[:2])
