"""Calibration: predicted against observed shares of events in the real hold-out, by what the model was trained on."""

from typing import Any

import plotly.graph_objects as go

from engine.core.numerals import minus
from engine.plots.theme import REAL, SYNTHETIC, empty_figure, escaped, quiet, template, wrapped

_NAMES = {"real": "Trained on real rows", "synthetic": "Trained on synthetic rows"}
_STYLES: dict[str, dict[str, Any]] = {
    "real": {"color": REAL, "dash": "solid", "symbol": "circle"},
    "synthetic": {"color": SYNTHETIC, "dash": "dash", "symbol": "diamond-open"},
}


def calibration_figure(entry: dict[str, Any], model: str, *, dark: bool = False) -> go.Figure:
    """The curves of one model of a utility entry (:mod:`engine.evaluation.utility`, binary outcomes).

    ``entry["models"][model]["calibration"]`` is ``{real, synthetic}`` of ``{slope, intercept, bins: [{predicted,
    observed, low, high, rows}]}``. The dotted diagonal is ideal; bars are 95 % intervals.
    """
    title = wrapped(f"Calibration: {entry['outcome']['label']}")
    curves = _curves(entry, model)
    if not any(curve["bins"] for curve in curves.values()):
        reason = entry.get("reason") or "Not assessable: too few patients in the hold-out have the event."
        return empty_figure(escaped(reason), title=title, dark=dark)
    figure = go.Figure()
    largest = max(max(b["predicted"], b["high"]) for curve in curves.values() for b in curve["bins"])
    end = min(1.0, 1.05 * largest)
    line = {"color": quiet(dark=dark), "dash": "dot", "width": 1.5}
    figure.add_trace(go.Scatter(x=[0, end], y=[0, end], mode="lines", name="Ideal", line=line, hoverinfo="skip"))
    for table, curve in curves.items():
        style = _STYLES[table]
        figure.add_trace(
            go.Scatter(
                x=[b["predicted"] for b in curve["bins"]],
                y=[b["observed"] for b in curve["bins"]],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [max(0.0, b["high"] - b["observed"]) for b in curve["bins"]],
                    "arrayminus": [max(0.0, b["observed"] - b["low"]) for b in curve["bins"]],
                    "thickness": 1.2,
                    "width": 3,
                    "color": style["color"],
                },
                mode="lines+markers",
                name=_NAMES[table],
                line={"color": style["color"], "dash": style["dash"], "width": 2},
                marker={"symbol": style["symbol"], "size": 9, "color": style["color"]},
                hovertext=[
                    f"{_NAMES[table]}<br>predicted {b['predicted']:.1%}, observed {b['observed']:.1%} "
                    f"[{b['low']:.1%}, {b['high']:.1%}]<br>{b['rows']:,} hold-out rows"
                    for b in curve["bins"]
                ],
                hoverinfo="text",
            )
        )
    # In lines of their own: a phone cuts what is longer.
    subtitle = "<br>".join(
        minus(f"{_NAMES[table].lower()}: slope {curve['slope']['value']:.2f}")
        for table, curve in curves.items()
        if curve["slope"]["value"] is not None
    )
    figure.update_layout(
        template=template(dark=dark),
        title={"text": title, "subtitle": {"text": subtitle}},
        height=480,
        margin={"t": 150},
        hovermode="closest",
    )
    figure.update_xaxes(title_text="Predicted probability", tickformat=".0~%", range=[0, end], nticks=7)
    figure.update_yaxes(title_text="Observed share", tickformat=".0~%", range=[0, end], nticks=7)
    return figure


def calibration_alt_text(entry: dict[str, Any], model: str) -> str:
    """The chart in a few sentences."""
    curves = {table: curve for table, curve in _curves(entry, model).items() if curve["bins"]}
    if not curves:
        return f"Calibration of {entry['outcome']['label']}: not assessable."
    sentences = [f"Calibration of {entry['outcome']['label']} in the real hold-out; slope 1 and intercept 0 are ideal."]
    for table, curve in curves.items():
        low, high = curve["bins"][0], curve["bins"][-1]
        sentences.append(
            f"{_NAMES[table]}: slope {_text(curve['slope'])}, intercept {_text(curve['intercept'])}; predicted "
            f"{low['predicted']:.0%} to {high['predicted']:.0%}, observed {low['observed']:.0%} to "
            f"{high['observed']:.0%}."
        )
    return " ".join(sentences)


def _curves(entry: dict[str, Any], model: str) -> dict[str, Any]:
    found = entry.get("models", {}).get(model, {}).get("calibration", {})
    return {table: found[table] for table in _NAMES if table in found}


def _text(figure: dict[str, Any]) -> str:
    return "not assessable" if figure["value"] is None else minus(f"{figure['value']:.2f}")
