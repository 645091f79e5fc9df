"""Real and synthetic bars one over the other: the same figures as side by side, at the same places."""

from typing import Any

import plotly.graph_objects as go

from engine.plots.theme import REAL, SYNTHETIC, ground

_PALE = "rgba(0, 114, 178, 0.30)"
_NARROW = 0.5
"""Of the real bar's width."""


def overlaid(figure: go.Figure, *, dark: bool = False) -> go.Figure:
    """A chart of :func:`engine.plots.distributions.distribution_figure` with the synthetic bars over the real ones.

    Real bars are pale and take the whole width. Over intervals the synthetic ones become a dashed outline, over
    categories a narrow hatched bar. Bars of an axis for missing values stay side by side.
    """
    bars = {one.name: one for one in figure.data if isinstance(one, go.Bar) and one.name}
    if {"Real", "Synthetic"} <= set(bars):
        for one in figure.data:
            if isinstance(one, go.Bar) and one.legendgroup == "real":
                one.marker = {"color": _PALE, "line": {"color": REAL, "width": 1.5}}
        for note in figure.layout.annotations:
            if "real: " in note.text:
                # Of a real share that is not shown; the synthetic bar now stands where it was written.
                note.update({"xanchor": "right"} if note.textangle else {"yanchor": "bottom"})
        _overlay(figure, bars["Real"], bars["Synthetic"], dark=dark)
    return figure


def _overlay(figure: go.Figure, real: Any, synthetic: Any, *, dark: bool) -> None:
    across, along = ("y", "x") if real.orientation == "h" else ("x", "y")
    widths = _widths(real)
    # Side by side, each has half of a place: the places begin where the first of the two does.
    starts = [min(pair) for pair in zip(real[across], synthetic[across], strict=True)]
    real.update({across: starts, "width": [2 * width for width in widths], "legendrank": 1})
    if real.orientation == "h" or not _touch(starts, widths):
        edge = (1 - _NARROW) / 2
        shifted = [start + 2 * width * edge for start, width in zip(starts, widths, strict=True)]
        synthetic.update({across: shifted, "width": [2 * width * _NARROW for width in widths]})
        synthetic.marker.color = ground(dark=dark)
        return
    outline = go.Scatter(
        **_steps(starts, [2 * width for width in widths], list(synthetic[along])), mode="lines",
        name=synthetic.name, legendgroup=synthetic.legendgroup, legendrank=2, xaxis=synthetic.xaxis,
        yaxis=synthetic.yaxis, line={"color": SYNTHETIC, "width": 2.5, "dash": "5px,3px"},
        hovertext=[text for text in synthetic.hovertext for _ in range(3)], hoverinfo="text",
    )  # fmt: skip
    figure.data = tuple(one for one in figure.data if one is not synthetic)
    figure.add_trace(outline)


def _widths(bar: Any) -> list[float]:
    across = bar.y if bar.orientation == "h" else bar.x
    return [float(bar.width)] * len(across) if isinstance(bar.width, (int, float)) else [float(w) for w in bar.width]


def _touch(starts: list[float], widths: list[float]) -> bool:
    """Whether the places follow each other without a gap to speak of, as intervals do and categories do not."""
    gaps = [after - (start + 2 * width) for start, after, width in zip(starts, starts[1:], widths, strict=False)]
    return len(starts) > 1 and all(gap < 0.1 * 2 * width for gap, width in zip(gaps, widths, strict=False))


def _steps(starts: list[float], widths: list[float], heights: list[float | None]) -> dict[str, list[Any]]:
    """A line over the top of each bar; broken where there is none."""
    x: list[float | None] = []
    y: list[float | None] = []
    for start, width, height in zip(starts, widths, heights, strict=True):
        x += [start, start + width / 2, start + width]
        y += [height] * 3
    return {"x": x, "y": y}
