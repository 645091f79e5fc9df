"""Kaplan-Meier curves, real beside synthetic, with confidence bands and the numbers at risk below.

The entry tells the curves at a few times only, so they are drawn straight between them: steps would put the events of
an interval at its end.
"""

from typing import Any

import plotly.graph_objects as go

from engine.core.numerals import minus
from engine.plots.theme import REAL, SYNTHETIC, empty_figure, escaped, ink, template, wrapped

_NAMES = {"real": "Real", "synthetic": "Synthetic"}
_STYLES: dict[str, dict[str, Any]] = {
    "real": {"color": REAL, "dash": "solid", "symbol": "circle", "band": "rgba(0, 114, 178, 0.16)"},
    "synthetic": {"color": SYNTHETIC, "dash": "dash", "symbol": "diamond-open", "band": "rgba(213, 94, 0, 0.16)"},
}
_PLOT = 300
_TABLE_ROW = 22
_TOP, _BOTTOM = 150, 138


def survival_figure(entry: dict[str, Any], *, dark: bool = False) -> go.Figure:
    """The curves of a survival entry (:mod:`engine.evaluation.survival`).

    ``entry["curve"]`` is ``[{time, real, synthetic}]`` of ``{value, low, high}``; ``entry["at_risk"]`` is ``[{time,
    real_text, synthetic}]`` and stands under the axis.
    """
    title = wrapped(f"Without the event: {entry['outcome']['label']}")
    if entry["reason"]:
        return empty_figure(escaped(entry["reason"]), title=title, dark=dark)
    figure = go.Figure()
    for table in _NAMES:
        _add_curve(figure, entry["curve"], table)
    unit = entry["outcome"]["unit"]
    ticks = [row["time"] for row in entry["at_risk"]]
    lowest = min(
        part["low"] if part["low"] is not None else part["value"]
        for point in entry["curve"]
        for part in (point["real"], point["synthetic"])
    )
    figure.update_xaxes(
        title_text=f"Time ({escaped(unit)})" if unit else "Time",
        tickvals=ticks,
        ticktext=[f"{tick:g}" for tick in ticks],
        range=[0, 1.02 * entry["horizon"]],
        showgrid=False,
        automargin=False,
    )
    # A curve near 1 is told in its own range; the axis then says that it does not begin at 0.
    start = 0.0 if lowest < 0.6 else max(0.0, round(lowest - 0.05, 1))
    figure.update_yaxes(
        title_text="Share without the event" + (f" (axis from {start:.0%})" if start else ""),
        tickformat=".0~%",
        range=[start, 1.0 + 0.02 * (1 - start)],
        nticks=6,
    )
    figure.update_layout(
        template=template(dark=dark),
        title={"text": title, "subtitle": {"text": _subtitle(entry)}},
        height=_PLOT + _TOP + _BOTTOM,
        margin={"t": _TOP, "b": _BOTTOM, "l": 120},
        hovermode="closest",
    )
    _add_table(figure, entry["at_risk"], dark=dark)
    return figure


def survival_alt_text(entry: dict[str, Any]) -> str:
    """The chart in a few sentences."""
    label = entry["outcome"]["label"]
    if entry["reason"]:
        return f"Survival curves of {label}: {entry['reason']}"
    last = entry["curve"][-1]
    ends = ", ".join(f"{_NAMES[table].lower()} {last[table]['value']:.0%}" for table in _NAMES)
    unit = f" {entry['outcome']['unit']}" if entry["outcome"]["unit"] else ""
    first, final = entry["at_risk"][0], entry["at_risk"][-1]
    return (
        f"Kaplan-Meier curves of {label}. Without the event at {last['time']:g}{unit}: {ends}. {entry['sentence']} "
        f"At risk: real {first['real_text']} at first and {final['real_text']} at the end, synthetic "
        f"{first['synthetic']:,} and {final['synthetic']:,}."
    )


def _add_curve(figure: go.Figure, curve: list[dict[str, Any]], table: str) -> None:
    style = _STYLES[table]
    times = [point["time"] for point in curve]
    parts = [point[table] for point in curve]
    for side, fill in (("low", None), ("high", "tonexty")):
        figure.add_trace(
            go.Scatter(
                x=times,
                y=[part["value"] if part[side] is None else part[side] for part in parts],
                mode="lines",
                line={"width": 0},
                fill=fill,
                fillcolor=style["band"],
                legendgroup=table,
                showlegend=False,
                hoverinfo="skip",
            )
        )
    figure.add_trace(
        go.Scatter(
            x=times,
            y=[part["value"] for part in parts],
            mode="lines+markers",
            name=_NAMES[table],
            legendgroup=table,
            line={"color": style["color"], "dash": style["dash"], "width": 2.5},
            marker={"symbol": style["symbol"], "size": 6, "color": style["color"]},
            hovertext=[
                f"{_NAMES[table]}, {time:g}: {part['value']:.1%}"
                + ("" if part["low"] is None else f" [{part['low']:.1%}, {part['high']:.1%}]")
                for time, part in zip(times, parts, strict=True)
            ],
            hoverinfo="text",
        )
    )


def _add_table(figure: go.Figure, at_risk: list[dict[str, Any]], *, dark: bool) -> None:
    """Numbers at risk under the axis, each below its tick."""
    common: dict[str, Any] = {"showarrow": False, "yref": "paper", "y": 0, "yanchor": "middle"}
    rows = [("Real", "real_text", REAL), ("Synthetic", "synthetic", SYNTHETIC)]
    figure.add_annotation(
        text="Patients at risk", x=0, xref="paper", xanchor="left", xshift=-112, yshift=-68, font={"size": 12}, **common
    )
    for place, (name, key, colour) in enumerate(rows):
        shift = -68 - _TABLE_ROW * (place + 1)
        text = f"<b>{'━' if key == 'real_text' else '╌'}</b> {name}"
        figure.add_annotation(
            text=text, x=0, xref="paper", xanchor="left", xshift=-112, yshift=shift,
            font={"size": 12, "color": colour if not dark else ink(dark=dark)}, **common,
        )  # fmt: skip
        for row in at_risk:
            shown = row[key] if isinstance(row[key], str) else f"{row[key]:,}"
            figure.add_annotation(
                text=escaped(shown), x=row["time"], xanchor="center", yshift=shift,
                font={"size": 12, "color": ink(dark=dark)}, **common,
            )  # fmt: skip


def _subtitle(entry: dict[str, Any]) -> str:
    unit = f" {entry['outcome']['unit']}" if entry["outcome"]["unit"] else ""
    told = entry["restricted_mean"]
    parts = []
    for key, name in (("difference", "synthetic"), ("holdout_difference", "hold-out")):
        gap = told[key]
        if gap["low"] is not None:
            figures = f"{gap['value']:+.3g}{escaped(unit)} [{gap['low']:.3g}, {gap['high']:.3g}]"
            parts.append(f"{name} − real {minus(figures)}")
    # In lines of their own: a phone cuts what is longer.
    return "<br>".join([f"restricted mean to {entry['horizon']:g}{escaped(unit)}", *parts]) if parts else ""
