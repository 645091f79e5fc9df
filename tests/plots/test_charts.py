"""Charts: what they draw is what the entry says, nothing of it is a row, and every shape of entry draws."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from engine.evaluation.cells import Sample
from engine.evaluation.columns import describe
from engine.evaluation.profile import profile
from engine.plots import theme
from engine.plots.associations import association_alt_text, association_figure
from engine.plots.axes import lay_out
from engine.plots.distributions import alt_text, column_profile_figure, distribution_figure
from engine.plots.training import training_alt_text, training_figure
from engine.schema.table import Column, Kind, TableSchema, conform

RNG = np.random.default_rng(0)
HEMOGLOBIN = Column(
    name="hemoglobin",
    kind=Kind.NUMERIC,
    label="Hemoglobin",
    unit="g/dL",
    decimals=1,
    reference_low=12,
    reference_high=16,
)


def entry(column: Column, real, synthetic, holdout=None):
    schema = TableSchema(columns=(column,))

    def sample(values):
        return Sample(conform(pd.DataFrame({column.name: values}), schema))

    holdout = real if holdout is None else holdout
    tables = {"real": sample(real), "holdout": sample(holdout), "synthetic": sample(synthetic)}
    return describe(tables, column, minimum=11)


def hemoglobin(missing: float = 0.2):
    real, synthetic = RNG.normal(11, 2, 1000).round(1), RNG.normal(11.5, 2, 1000).round(1)
    real[: int(missing * 1000)] = np.nan
    return entry(HEMOGLOBIN, real, synthetic)


def bars(figure: go.Figure, name: str) -> go.Bar:
    return next(trace for trace in figure.data if trace.name == name)


def test_bars_are_the_shares_of_the_entry():
    column = entry(Column(name="sex", kind=Kind.CATEGORICAL), ["F"] * 60 + ["M"] * 40, ["F"] * 30 + ["M"] * 70)
    figure = distribution_figure(column)
    assert list(bars(figure, "Real").y) == [0.6, 0.4]
    assert list(bars(figure, "Synthetic").y) == [0.3, 0.7]
    assert list(bars(figure, "Real hold-out").y) == [0.6, 0.4]


@pytest.mark.parametrize("kind", [Kind.NUMERIC, Kind.CATEGORICAL])
def test_weighted_rows_are_drawn_by_weight_and_said(kind):
    # Twenty rows weigh as much as sixty others.
    values = [1.0] * 20 + [9.0] * 60 if kind is Kind.NUMERIC else ["a"] * 20 + ["b"] * 60
    schema = TableSchema(columns=(Column(name="x", kind=kind),))
    real = Sample(conform(pd.DataFrame({"x": values}), schema))
    tables = {"real": real.weighted(np.r_[np.full(20, 2.0), np.full(60, 2 / 3)]), "holdout": real, "synthetic": real}
    column = describe(tables, schema["x"], minimum=11)
    figure = distribution_figure(column)
    assert [y for y in bars(figure, "Real").y if y] == [0.5, 0.5]
    assert [y for y in bars(figure, "Synthetic").y if y] == [0.25, 0.75]
    assert figure.layout.title.subtitle.text.startswith("real rows weighted · ")
    assert ": 50.0%" in bars(figure, "Real").hovertext[0] and "Real, weighted" in bars(figure, "Real").hovertext[0]
    assert "weighted" not in bars(figure, "Real hold-out").hovertext[0] + bars(figure, "Synthetic").hovertext[0]
    assert "Real rows are weighted." in alt_text(column)
    assert "weighted" not in alt_text(describe(tables | {"real": real}, schema["x"], minimum=11))


def test_real_and_synthetic_differ_by_more_than_colour():
    figure = distribution_figure(hemoglobin())
    assert bars(figure, "Real").marker.color == theme.REAL == "#0072B2"
    assert bars(figure, "Synthetic").marker.line.color == theme.SYNTHETIC == "#D55E00"
    assert bars(figure, "Synthetic").marker.pattern.shape == "/"
    assert bars(figure, "Real").marker.pattern.shape is None


def test_the_area_of_a_histogram_is_the_share():
    column = hemoglobin()
    figure, layout = distribution_figure(column), lay_out(column)
    drawn = bars(figure, "Real")
    typical = sorted(layout.widths)[len(layout.widths) // 2]
    for height, width, cell in zip(drawn.y, layout.widths, column["bins"], strict=True):
        assert height * width / typical == pytest.approx(cell["real"], rel=0.2)
    assert all(b - a > 0 for a, b in zip(layout.starts, layout.starts[1:], strict=False))
    for left, width, following in zip(layout.starts, layout.widths, layout.starts[1:], strict=False):
        assert left + width == pytest.approx(following)


def test_a_merged_bin_is_as_low_as_it_is_wide():
    edges, shares = [0, 10, 20, 60], [0.3, 0.3, 0.4]
    bins = [
        {"label": "", "low": low, "high": high, "note": "", "real": share}
        for low, high, share in zip(edges, edges[1:], shares, strict=False)
    ]
    column = hemoglobin() | {"bins": bins, "decimals": 0, "missing": {"real": 0.0, "note": ""}}
    figure = column_profile_figure(column)
    assert figure.data[0].y == pytest.approx((0.3, 0.3, 0.1))
    assert figure.layout.yaxis.title.text == "Share of rows, per equal width"


def test_the_browser_gets_bins_and_no_values():
    figure = distribution_figure(hemoglobin())
    assert {type(trace).__name__ for trace in figure.data} == {"Bar", "Scatter"}
    assert max(len(trace.y) for trace in figure.data) < 40
    assert len(figure.to_json()) < 40_000


def test_missing_values_have_their_own_bars():
    drawn = [trace for trace in distribution_figure(hemoglobin()).data if trace.xaxis == "x2"]
    assert [trace.y[0] for trace in drawn if isinstance(trace, go.Bar)] == [0.2, 0.0]
    assert not [trace for trace in distribution_figure(hemoglobin(missing=0)).data if trace.xaxis == "x2"]


def test_the_reference_range_is_shaded():
    shapes = distribution_figure(hemoglobin()).layout.shapes
    assert len(shapes) == 1
    assert shapes[0].x0 == 12
    assert shapes[0].x1 <= 16


def test_a_reference_range_inside_an_open_end_is_an_arrow():
    low = entry(HEMOGLOBIN, RNG.normal(7, 1, 300).round(1), RNG.normal(7, 1, 300).round(1))
    figure = distribution_figure(low)
    assert not figure.layout.shapes
    assert figure.layout.annotations[0].text == "reference range 12–16 →"


def test_the_reference_range_of_a_logarithmic_axis():
    column = Column(name="alt", kind=Kind.NUMERIC, decimals=0, reference_low=7, reference_high=56)
    values = np.exp(RNG.normal(3.5, 1.2, 2000)).round()
    figure = distribution_figure(entry(column, values, values))
    assert figure.layout.shapes[0].x1 == pytest.approx(np.log10(56))
    assert figure.layout.xaxis.ticktext[-1].startswith("≥ ")


def test_a_count_that_is_not_shown_is_said():
    column = entry(Column(name="died", kind=Kind.BOOLEAN), [True] * 4 + [False] * 96, [True] * 10 + [False] * 90)
    figure = distribution_figure(column)
    assert list(bars(figure, "Real").y) == [None, None]
    assert any("11 patients" in note.text for note in figure.layout.annotations)
    assert "fewer than 11" in alt_text(column)


def test_a_column_that_is_not_shown_says_why():
    column = entry(HEMOGLOBIN, [11.0] * 5 + [None] * 90, [11.0] * 50)
    figure = distribution_figure(column)
    assert not figure.data
    assert "Fewer than 11 real patients" in figure.layout.annotations[0].text
    assert alt_text(column) == "Hemoglobin (g/dL): not shown. Fewer than 11 real patients have a value."


@pytest.mark.parametrize("count", [2, 3, 8, 25, 60, 90])
def test_any_number_of_categories(count):
    names = [f"Diagnosis {i} with a name as long as the ones in the hospital's own list" for i in range(count)]
    column = entry(Column(name="diagnosis", kind=Kind.CATEGORICAL), names * 20, names * 10)
    figure = distribution_figure(column)
    shown = min(count, 60) + (count > 60)
    assert len(column["bins"]) == len(bars(figure, "Real").x) == shown
    assert len(set(figure.layout.yaxis.tickvals)) == shown
    assert max(len(line) for text in figure.layout.yaxis.ticktext for line in text.split("<br>")) <= 22
    assert figure.layout.height >= 25 * shown


def test_markup_in_a_name_is_text():
    names = ["<b>bold</b>", "a & b"]
    column = entry(Column(name="x", kind=Kind.CATEGORICAL, label="<i>x</i>"), names * 20, names * 10)
    figure = distribution_figure(column)
    assert "<b>&lt;b&gt;bold&lt;/b&gt;</b>" in figure.data[0].hovertext[0]
    assert set(figure.layout.xaxis.ticktext or figure.layout.yaxis.ticktext) == {
        "&lt;b&gt;bold&lt;/b&gt;",
        "a &amp; b",
    }
    assert figure.layout.title.text == "&lt;i&gt;x&lt;/i&gt;"


KINDS = {
    Kind.NUMERIC: RNG.normal(0, 1, 300),
    Kind.INTEGER: RNG.poisson(2, 300),
    Kind.CATEGORICAL: RNG.choice(list("abc"), 300),
    Kind.BOOLEAN: RNG.random(300) < 0.5,
    Kind.DATE: pd.Timestamp("2150-01-01") + pd.to_timedelta(RNG.integers(0, 2000, 300), unit="D"),
}


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_draws_in_both_themes(kind, dark):
    column = entry(Column(name="x", kind=kind), KINDS[kind], KINDS[kind][:100])
    figure = distribution_figure(column, dark=dark)
    assert figure.layout.template.layout.font.color == theme.ink(dark=dark)
    json.loads(figure.to_json())
    assert alt_text(column).startswith("x: shares of real and synthetic rows over")


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_profile_draws_real_rows_alone(kind):
    schema = TableSchema(columns=(Column(name="x", kind=kind),))
    found = profile(conform(pd.DataFrame({"x": KINDS[kind]}), schema), schema, small_cell_minimum=11)[0]
    figure = column_profile_figure(found)
    assert [trace.name for trace in figure.data if trace.name] == ["Real"]
    assert "synthetic" not in alt_text(found).lower()


@pytest.mark.parametrize("values", [[5.0] * 50, [0.0] * 49 + [1.0] * 20, [1.0] * 30 + [1e9] * 30])
def test_degenerate_numbers_draw(values):
    for kind in (Kind.NUMERIC, Kind.INTEGER):
        figure = distribution_figure(entry(Column(name="x", kind=kind), values, [*values, 7.0]))
        assert np.isfinite([y for y in bars(figure, "Real").y if y is not None]).all()


def test_whole_numbers_stand_over_their_tick():
    column = entry(Column(name="visits", kind=Kind.INTEGER), [0, 1, 2, 3] * 40, [0, 1, 2, 3] * 40)
    layout = lay_out(column)
    assert layout.labels[:3] == ["0", "1", "2"]
    assert layout.ticks[0] == 0
    assert layout.starts[0] == -0.5


def test_alt_text_in_full():
    column = hemoglobin()
    text = alt_text(column)
    assert f"Real median {column['stats']['real']['median']:g}" in text
    assert "Missing: real 20.0%, synthetic 0.0%." in text
    assert "KS complement 0." in text


MATRIX = {
    "titles": ["Age", "Weight", "Ward"],
    "kinds": ["number", "number", "category"],
    "real": [[1, 0.8, 0.3], [0.8, 1, None], [0.3, None, 1]],
    "synthetic": [[1, 0.2, 0.3], [0.2, 1, None], [0.3, None, 1]],
    "difference": [[0, -0.6, 0], [-0.6, 0, None], [0, None, 0]],
    "mean_difference": {"synthetic": 0.3, "holdout": 0.02},
}


@pytest.mark.parametrize(("which", "limit"), [("real", 1), ("synthetic", 1), ("difference", 0.6)])
def test_heat_map_scales(which, limit):
    heat = association_figure(MATRIX, which).data[0]
    assert (heat.zmin, heat.zmax) == (-limit, limit)
    assert heat.z[1][2] is None
    assert "not assessable" in heat.hovertext[1][2]


def test_measures_without_sign_start_at_zero():
    heat = association_figure(MATRIX | {"kinds": ["category", "category", "number"]}, "real").data[0]
    assert (heat.zmin, heat.zmax) == (0, 1)


def test_a_tiny_difference_does_not_shout():
    small = MATRIX | {"difference": [[0, 0.01, 0], [0.01, 0, 0], [0, 0, 0]]}
    assert association_figure(small, "difference").data[0].zmax == 0.2


def test_the_lower_axis_of_a_heat_map_can_leave_names_out_and_keeps_equal_ones_apart():
    """Plotly leaves out what would overlap on a narrow screen only of categories without ticks of their own."""
    titles = ["Age", "Weight", "Weight"]
    figure = association_figure(MATRIX | {"titles": titles}, "real")
    assert figure.layout.xaxis.type == "category" and figure.layout.xaxis.tickvals is None
    assert len(set(figure.data[0].x)) == 3
    assert [name.rstrip("\N{ZERO WIDTH SPACE}") for name in figure.data[0].x] == titles
    assert list(figure.layout.yaxis.ticktext) == titles


def test_no_pair_no_map():
    empty = {"titles": [], "kinds": [], "real": [], "synthetic": [], "difference": []}
    assert "Not assessable" in association_figure(empty, "real").layout.annotations[0].text
    assert "not assessable" in association_alt_text(empty, "real")


def test_a_heat_map_of_weighted_rows_says_so():
    weighted = MATRIX | {"weighted": ["real", "holdout"]}
    subtitles = {
        which: association_figure(weighted, which).layout.title.subtitle.text for which in ("real", "synthetic")
    }
    assert subtitles == {"real": "real rows weighted", "synthetic": ""}
    assert association_alt_text(weighted, "difference").startswith("Difference (synthetic − real), real rows weighted:")
    assert "weighted" not in association_alt_text(weighted, "synthetic") + association_alt_text(MATRIX, "real")


def test_heat_map_in_words():
    assert "Weight and Age −0.60" in association_alt_text(MATRIX, "difference")


def test_training_curve():
    history = [{"epoch": float(i), "loss": 1 / (i + 1), "epsilon": i / 10} for i in range(2000)]
    figure = training_figure(history)
    loss, epsilon = figure.data
    assert len(loss.x) <= 700
    assert loss.x[-1] == 1999
    assert epsilon.yaxis == "y2"
    assert training_alt_text(history) == "Training curve: loss from 1 to 0.0005 over 2000 reports."


def test_training_curves_of_a_gan():
    history = [{"generator_loss": 0.5, "critic_loss": -0.2}, {"generator_loss": 0.4}, {}]
    figure = training_figure(history)
    assert [trace.name for trace in figure.data] == ["generator loss", "critic loss"]
    assert figure.data[0].line.dash != figure.data[1].line.dash
    assert list(figure.data[0].y) == [0.5, 0.4]


def test_training_without_figures():
    assert "first epoch" in training_figure([]).layout.annotations[0].text
    assert training_alt_text([]) == "Training curve: no figures yet."


def test_shortened_names_keep_both_ends():
    assert theme.shortened("short", 10) == "short"
    text = theme.shortened("Diabetes mellitus without mention of complication, type II", 30)
    assert len(text) <= 30
    assert text.startswith("Diabetes")
    assert text.endswith("type II")


@pytest.mark.parametrize("dark", [False, True])
def test_colours_keep_their_contrast(dark):
    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    def contrast(colour: str) -> float:
        pair = sorted([luminance(colour), luminance(theme.ground(dark=dark))], reverse=True)
        return (pair[0] + 0.05) / (pair[1] + 0.05)

    assert contrast(theme.ink(dark=dark)) > 7
    assert contrast(theme.quiet(dark=dark)) > 4.5
    assert contrast(theme.REAL) > 3
    assert contrast(theme.SYNTHETIC) > 3


def test_charts_need_no_heavy_library():
    code = (
        "import sys\n"
        "import engine.plots.distributions, engine.plots.associations, engine.plots.training\n"
        "from engine.plots.training import training_figure\n"
        "training_figure([{'loss': 1.0}])\n"
        "heavy = {'torch', 'sdmetrics', 'sdv', 'scipy', 'sklearn', 'transformers', 'engine.evaluation'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
