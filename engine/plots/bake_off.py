"""A bake-off in one picture: how hard synthetic rows are to tell from real ones, and what a model learns from them.

To the right it is harder to tell them apart, upwards a model learns more. The dotted line is what a model learns from
real rows. Filled circles have no formal privacy, open diamonds have (ε, δ), grey squares are the references; each has
its number, told in the legend.
"""

from typing import Any

import plotly.graph_objects as go

from engine.plots.theme import SYNTHETIC, empty_figure, escaped, ink, quiet, shortened, template

_TITLE = "Hard to tell apart, and good to learn from"
_LONGEST_LABEL = 40
_KINDS: dict[str, dict[str, Any]] = {
    "contender": {"symbol": "circle", "size": 13, "color": SYNTHETIC},
    "private": {"symbol": "diamond-open", "size": 13, "color": SYNTHETIC, "line": {"width": 2.5}},
    "reference": {"symbol": "square", "size": 11},
}


def bake_off_points(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The chart as a table: ``number``, ``label``, ``kind``, ``c2st`` and ``tstr``; lines without both are left out."""
    points = []
    lines = [(result["ceiling"], "reference"), (result["floor"], "reference")]
    lines[1:1] = [(line, "private" if line.get("privacy") else "contender") for line in result["contenders"]]
    for line, kind in lines:
        figures = (line or {}).get("figures")
        if figures is None or figures["c2st"]["value"] is None or figures["tstr"]["value"] is None:
            continue
        points.append(
            {
                "number": len(points) + 1, "label": line["label"], "kind": kind, "c2st": figures["c2st"]["value"],
                "tstr": figures["tstr"]["value"],
            }
        )  # fmt: skip
    return points


def bake_off_figure(result: dict[str, Any], *, dark: bool = False) -> go.Figure:
    """The chart of a bake-off's result (:mod:`engine.jobs.contest`)."""
    points = bake_off_points(result)
    if not points:
        return empty_figure("No generator has both figures.", title=_TITLE, dark=dark)
    outcome = result["outcome"]
    figure = go.Figure()
    for point in points:
        style = dict(_KINDS[point["kind"]])
        if point["kind"] == "reference":
            style["color"] = quiet(dark=dark)
        name = escaped(shortened(point["label"], _LONGEST_LABEL))
        figure.add_trace(
            go.Scatter(
                x=[point["c2st"]], y=[point["tstr"]], mode="markers+text", name=f"{point['number']}  {name}",
                text=[str(point["number"])], textposition="top center", textfont={"color": ink(dark=dark)},
                marker=style, hoverinfo="text",
                hovertext=f"{name}<br>C2ST {point['c2st']:.3f}<br>TSTR {point['tstr']:.3f}",
            )
        )  # fmt: skip
    trtr = result["ceiling"]["figures"]["trtr"]["value"] if result["ceiling"] else None
    if trtr is not None:
        figure.add_hline(y=trtr, line={"color": quiet(dark=dark), "dash": "dot", "width": 1.5})
    figure.update_xaxes(title="C2ST: 0.5 (right) cannot be told from real rows", range=[1.03, 0.46])
    heights = [point["tstr"] for point in points] + ([] if trtr is None else [trtr])
    span = max(0.02, max(heights) - min(heights))
    # Room above the highest marker for its number.
    room = [min(heights) - 0.1 * span, max(heights) + 0.2 * span]
    figure.update_yaxes(title=f"TSTR ({outcome['score']})", range=room)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": _TITLE, "subtitle": {"text": f"Outcome: {escaped(shortened(outcome['label'], 44))}"}},
        # Below the chart, one under the other: names are long, and a phone is narrow.
        legend={"orientation": "v", "y": -0.22, "yanchor": "top", "yref": "paper"},
        height=400 + 22 * len(points),
        margin={"t": 76, "b": 70 + 22 * len(points)},
    )
    return figure


def bake_off_alt_text(result: dict[str, Any]) -> str:
    """The chart in sentences."""
    points = bake_off_points(result)
    if not points:
        return "Scatter of C2ST and TSTR: no generator has both figures yet."
    told = "; ".join(f"{point['label']}: C2ST {point['c2st']:.2f}, TSTR {point['tstr']:.2f}" for point in points)
    return (
        f"Scatter of how well a classifier tells rows from real ones (C2ST, 0.5 ideal) and of what a model learns "
        f"about {result['outcome']['label']} (TSTR, higher is better). {told}."
    )
