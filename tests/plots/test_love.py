"""Love plot: what it draws is what Table 1 says."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from engine.evaluation.cells import Sample
from engine.evaluation.table_one import table_one
from engine.plots import theme
from engine.plots.love import love_alt_text, love_figure, love_points
from engine.schema.table import Column, Kind, TableSchema, conform


def column(label: str, synthetic: float | None, holdout: float | None = 0.02, reason: str = ""):
    smd = {"synthetic": {"value": synthetic, "reason": reason}, "holdout": {"value": holdout, "reason": ""}}
    return {"label": label, "reason": "", "smd": smd}


TABLE = {
    "columns": [
        column("Age", 0.05),
        column("Sodium", -0.6),
        column("<b>Ward</b>", 0.2, None),
        column("Rare", None, None, "Not assessable: too few."),
        {"label": "Empty", "reason": "No real patient has a value.", "smd": {}},
    ]
}


def test_largest_first_and_the_rest_with_its_reason():
    points = love_points(TABLE)
    assert [point["label"] for point in points] == ["Sodium", "<b>Ward</b>", "Age", "Rare", "Empty"]
    assert points[0] == {"label": "Sodium", "synthetic": 0.6, "holdout": 0.02, "reason": ""}
    assert points[3]["reason"] == "Not assessable: too few."
    assert points[4]["reason"] == "No real patient has a value."


@pytest.mark.parametrize("dark", [False, True])
def test_markers_differ_by_more_than_colour(dark):
    figure = love_figure(TABLE, dark=dark)
    held, made = figure.data
    assert list(made.x) == [0.6, 0.2, 0.05]
    assert list(made.y) == [0, -1, -2]
    assert list(held.x) == [0.02, None, 0.02]
    assert (made.marker.color, held.marker.color) == (theme.SYNTHETIC, theme.quiet(dark=dark))
    assert made.marker.symbol != held.marker.symbol
    assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0.1
    assert figure.layout.title.subtitle.text == "1 of 3 columns differ by less than 0.1"
    assert figure.layout.yaxis.ticktext[1] == "&lt;b&gt;Ward&lt;/b&gt;"
    json.loads(figure.to_json())


def test_a_summary_is_not_called_real_patients():
    alone = {"columns": [column("Age", 0.05, None), column("Sodium", 0.4, None)]}
    figure, text = love_figure(alone, of_summary=True), love_alt_text(alone, of_summary=True)
    assert figure.layout.title.text == "Differences from the private summary"
    assert "differences from the private summary: 1 of 2" in text and "real" not in text
    assert love_figure(TABLE).layout.title.text == "Differences from the real patients"
    assert figure.layout.margin.t < love_figure(TABLE).layout.margin.t, "no room is kept for a legend of one kind"


def test_in_words():
    assert love_alt_text(TABLE) == (
        "Love plot of absolute standardised mean differences from the real patients: 1 of 3 columns are below 0.1. "
        "Largest: Sodium 0.60; <b>Ward</b> 0.20; Age 0.05. "
        "Held-out real patients: 2 of 2 below 0.1, largest 0.02."
    )


def test_many_columns_are_cut_and_said():
    many = {"columns": [column(f"x{i}", i / 100) for i in range(60)]}
    figure = love_figure(many, most=40)
    assert len(figure.data[1].x) == 40
    assert figure.data[1].x[0] == 0.59
    assert "10 of 60" in figure.layout.title.subtitle.text
    assert "40 largest" in figure.layout.title.subtitle.text


def test_nothing_to_draw():
    nothing = {"columns": TABLE["columns"][3:]}
    assert "Not assessable" in love_figure(nothing).layout.annotations[0].text
    assert "no standardised difference" in love_alt_text(nothing)


def test_from_a_real_table_one():
    schema = TableSchema(columns=(Column(name="x", kind=Kind.NUMERIC), Column(name="y", kind=Kind.BOOLEAN)))
    rng = np.random.default_rng(0)

    def sample(shift: float) -> Sample:
        return Sample(conform(pd.DataFrame({"x": rng.normal(shift, 1, 900), "y": rng.random(900) < 0.3}), schema))

    samples = {"real": sample(0), "synthetic": sample(1), "holdout": sample(0)}
    points = love_points(table_one(samples, schema.features, minimum=11))
    assert points[0]["label"] == "x"
    assert points[0]["synthetic"] == pytest.approx(1, abs=0.15)
    assert points[0]["holdout"] < 0.15


def test_it_needs_no_heavy_library():
    code = (
        "import sys\nimport engine.plots.love\n"
        "heavy = {'torch', 'scipy', 'sklearn', 'tableone', 'engine.evaluation'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
