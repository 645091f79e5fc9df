"""One over the other: the same figures as side by side, told apart by more than colour."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.evaluation.cells import Sample
from engine.evaluation.columns import describe
from engine.plots import theme
from engine.plots.distributions import distribution_figure
from engine.plots.overlay import overlaid
from engine.schema.table import Column, Kind, TableSchema, conform

RNG = np.random.default_rng(0)


def entry(column: Column, real: list, synthetic: list):
    schema = TableSchema(columns=(column,))
    tables = {
        name: Sample(conform(pd.DataFrame({column.name: values}), schema))
        for name, values in (("real", real), ("holdout", real), ("synthetic", synthetic))
    }
    return describe(tables, column, minimum=11)


def trace(figure: go.Figure, name: str):
    (found,) = [one for one in figure.data if one.name == name]
    return found


def test_over_intervals_the_synthetic_bars_become_an_outline_of_the_same_heights() -> None:
    values = RNG.normal(11, 2, 1000).round(1)
    values[:200] = np.nan
    column = Column(name="hb", kind=Kind.NUMERIC, decimals=1, reference_low=12, reference_high=16)
    found = entry(column, list(values), list(RNG.normal(11.5, 2, 1000).round(1)))
    beside, over = distribution_figure(found), overlaid(distribution_figure(found))
    real, outline = trace(over, "Real"), trace(over, "Synthetic")
    assert list(real.y) == list(trace(beside, "Real").y)
    assert list(outline.y)[1::3] == list(trace(beside, "Synthetic").y)
    # The outline stands over the real bars, bin by bin.
    assert list(outline.x)[::3] == pytest.approx(list(real.x))
    assert list(outline.x)[2::3] == pytest.approx([x + w for x, w in zip(real.x, real.width, strict=True)])
    assert outline.line.dash and (real.marker.line.color, outline.line.color) == (theme.REAL, theme.SYNTHETIC)
    # The reference range and the bars of missing values are still there.
    assert len(over.layout.shapes) == len(beside.layout.shapes) == 1
    assert len([one for one in over.data if one.xaxis == "x2"]) == len(
        [one for one in beside.data if one.xaxis == "x2"]
    )


@pytest.mark.parametrize(
    "names", [("F", "M"), tuple(f"a rather long category {number}" for number in range(9))], ids=["upright", "lying"]
)
def test_over_categories_a_narrow_hatched_bar_stands_in_the_middle_of_the_real_one(names: tuple[str, ...]) -> None:
    real = [name for name in names for _ in range(40)] + [names[0]] * 20
    found = entry(Column(name="ward", kind=Kind.CATEGORICAL), real, [*real, *[names[1]] * 30])
    beside, over = distribution_figure(found), overlaid(distribution_figure(found), dark=True)
    across, along = ("y", "x") if trace(over, "Real").orientation == "h" else ("x", "y")
    wide, narrow = trace(over, "Real"), trace(over, "Synthetic")
    for name in ("Real", "Synthetic"):
        assert list(trace(over, name)[along]) == list(trace(beside, name)[along])
    middles = [[at + w / 2 for at, w in zip(one[across], one.width, strict=True)] for one in (wide, narrow)]
    assert middles[0] == pytest.approx(middles[1])
    assert narrow.width[0] == pytest.approx(wide.width[0] / 2)
    assert narrow.marker.pattern.shape == "/" and not wide.marker.pattern.shape


def test_a_chart_without_bars_stays_as_it_is() -> None:
    found = entry(Column(name="ward", kind=Kind.CATEGORICAL), ["A"] * 3, ["A"] * 30)
    assert overlaid(distribution_figure(found)) == distribution_figure(found)
