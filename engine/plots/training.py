"""How a training went: loss by epoch, and the privacy spent where there is any."""

from typing import Any

import plotly.graph_objects as go

from engine.plots.theme import REAL, SYNTHETIC, empty_figure, escaped, quiet, template

_MOST_POINTS = 500
_DASHES = ("solid", "dash", "dot", "dashdot")


def training_figure(history: list[dict[str, float]], *, dark: bool = False) -> go.Figure:
    """Loss curves from a job's or a fit report's ``history``.

    Each point is a dictionary of figures: ``epoch`` or ``step`` for the axis (else the position), every key with
    ``loss`` in its name as a curve, ``epsilon`` on an axis of its own. Points may lack figures.
    """
    names = list(dict.fromkeys(key for point in history for key in point if "loss" in key))
    if not names:
        return empty_figure("The curve appears with the first epoch.", dark=dark, height=220)
    along = next((key for key in ("epoch", "step") if any(key in point for point in history)), None)
    points = history[:: max(1, len(history) // _MOST_POINTS)]
    if points[-1] is not history[-1]:
        points = [*points, history[-1]]
    figure = go.Figure()
    colours = (REAL, SYNTHETIC, quiet(dark=dark))
    for place, name in enumerate(names):
        x, y = _curve(points, name, along)
        label = name.replace("_", " ")
        figure.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="lines+markers" if len(x) < 3 else "lines",
                name=escaped(label),
                line={"color": colours[place % 3], "dash": _DASHES[place % 4], "width": 2},
                hovertemplate=f"{escaped(along or 'point')} %{{x}}<br>{escaped(label)} %{{y:.4g}}<extra></extra>",
            )
        )
    with_epsilon = any("epsilon" in point for point in history)
    if with_epsilon:
        x, y = _curve(points, "epsilon", along)
        line = {"color": quiet(dark=dark), "dash": "dot", "width": 2}
        figure.add_trace(go.Scatter(x=x, y=y, mode="lines", name="ε spent", line=line, yaxis="y2"))
        figure.update_layout(
            yaxis2={
                "overlaying": "y",
                "side": "right",
                "title": {"text": "ε"},
                "rangemode": "tozero",
                "tickmode": "auto",
                "nticks": 5,
                "showgrid": False,
            }
        )
    figure.update_layout(
        template=template(dark=dark),
        height=260,
        margin={"t": 36},
        showlegend=len(names) > 1 or with_epsilon,
        hovermode="x unified" if len(names) > 1 else "closest",
    )
    figure.update_xaxes(title_text=(along or "report").capitalize(), showgrid=False)
    figure.update_layout(
        yaxis={"title": {"text": "Loss" if len(names) > 1 else names[0].replace("_", " ").capitalize()}}
    )
    return figure


def training_alt_text(history: list[dict[str, float]]) -> str:
    """The curve in one sentence."""
    points = [(key, point[key]) for point in history for key in point if "loss" in key]
    if not points:
        return "Training curve: no figures yet."
    name = points[0][0]
    values = [value for key, value in points if key == name]
    return (
        f"Training curve: {name.replace('_', ' ')} from {values[0]:.3g} to {values[-1]:.3g} over {len(values)} reports."
    )


def _curve(points: list[dict[str, float]], name: str, along: str | None) -> tuple[list[Any], list[Any]]:
    kept = [(point.get(along) if along else place, point[name]) for place, point in enumerate(points) if name in point]
    return [x for x, _ in kept], [y for _, y in kept]
