"""Forest plot: each effect of a regression with its 95 % interval, real above synthetic."""

import math
from typing import Any

import plotly.graph_objects as go

from engine.core.numerals import minus
from engine.plots.theme import REAL, ROW, SYNTHETIC, empty_figure, escaped, null_line, template, wrapped, write_row

_NAMES = {"real": "Real", "synthetic": "Synthetic"}
_STYLES: dict[str, dict[str, Any]] = {
    "real": {"color": REAL, "dash": "solid", "symbol": "square", "sign": "■", "shift": -0.1, "at": 0},
    "synthetic": {"color": SYNTHETIC, "dash": "dash", "symbol": "diamond-open", "sign": "◇", "shift": -0.33, "at": 168},
}
"""``shift``: of the interval in its row; ``at``: where the numbers begin, in pixels."""
_TOP = 116
_WIDEST_RATIO = 100.0


def forest_figure(entry: dict[str, Any], *, dark: bool = False) -> go.Figure:
    """The effects of a conclusion entry (:mod:`engine.evaluation.conclusion`): ratios on a logarithmic axis.

    ``entry["terms"]`` is ``[{label, real, synthetic, verdict}]`` of ``{value, low, high, reason}``. Names and numbers
    stand above their intervals, which so have the whole width of a phone; intervals beyond a hundredfold are cut at
    the axis' end.
    """
    title = wrapped(f"{entry['model']}: {entry['outcome']['label']}")
    if entry["reason"]:
        return empty_figure(escaped(entry["reason"]), title=title, dark=dark)
    terms = entry["terms"]
    is_ratio = entry["null"] == 1.0
    start, end = _limits(terms, is_ratio=is_ratio)
    figure = go.Figure()
    places = list(range(len(terms)))[::-1]
    figure.add_trace(null_line(entry["null"], places, dark=dark))
    for table, style in _STYLES.items():
        heights = [place + style["shift"] for place in places]
        figure.add_trace(_intervals(terms, table, heights, start, end))
        figure.add_trace(
            go.Scatter(
                x=[min(max(term[table]["value"], start), end) for term in terms],
                y=heights,
                mode="markers",
                name=_NAMES[table],
                legendgroup=table,
                marker={
                    "symbol": style["symbol"],
                    "size": 10,
                    "color": style["color"],
                    "line": {"width": 2, "color": style["color"]},
                },
                hovertext=[f"<b>{escaped(t['label'])}</b><br>{_NAMES[table]}: {_text(t[table])}" for t in terms],
                hoverinfo="text",
            )
        )
    for term, place in zip(terms, places, strict=True):
        numbers = [(f"{style['sign']} {_text(term[table])}", style["at"]) for table, style in _STYLES.items()]
        write_row(figure, place, term["label"], numbers, dark=dark)
    unit = f" ({entry['outcome']['unit']})" if not is_ratio and entry["outcome"]["unit"] else ""
    axis: dict[str, Any] = {"title": {"text": f"{entry['effect'].capitalize()}{escaped(unit)}, 95 % interval"}}
    if is_ratio:
        ticks = _ratio_ticks(start, end)
        axis |= {"type": "log", "range": [math.log10(start), math.log10(end)], "tickvals": ticks}
        axis |= {"ticktext": [f"{tick:g}" for tick in ticks]}
    else:
        axis |= {"range": [start, end], "nticks": 7, "zeroline": False}
    figure.update_xaxes(**axis, showgrid=False, showline=True, ticks="outside")
    figure.update_yaxes(range=[-0.5, len(terms) - 0.5], visible=False)
    lines = title.count("<br>")
    figure.update_layout(
        template=template(dark=dark),
        title={"text": title, "subtitle": {"text": _subtitle(entry)}},
        height=_TOP + 24 * lines + 70 + ROW * len(terms),
        margin={"t": _TOP + 24 * lines, "l": 16, "r": 24},
        hovermode="closest",
    )
    return figure


def forest_alt_text(entry: dict[str, Any]) -> str:
    """The chart in a few sentences: the finding, then every effect."""
    if entry["reason"]:
        return f"{entry['model']} of {entry['outcome']['label']}: {entry['reason']}"
    effects = [f"{t['label']}: real {_text(t['real'])}, synthetic {_text(t['synthetic'])}" for t in entry["terms"]]
    return f"Forest plot of {entry['effect']}s with 95 % intervals. {entry['sentence']} {'. '.join(effects)}."


def _intervals(terms: list[dict[str, Any]], table: str, heights: list[float], start: float, end: float) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    for term, height in zip(terms, heights, strict=True):
        if term[table]["low"] is not None:
            x += [min(max(term[table][side], start), end) for side in ("low", "high")] + [None]
            y += [height, height, None]
    style = _STYLES[table]
    line = {"color": style["color"], "width": 2, "dash": style["dash"]}
    return go.Scatter(x=x, y=y, mode="lines", line=line, legendgroup=table, showlegend=False, hoverinfo="skip")


def _limits(terms: list[dict[str, Any]], *, is_ratio: bool) -> tuple[float, float]:
    figures = [term[table] for term in terms for table in _NAMES]
    ends = [one[side] for one in figures for side in ("low", "high", "value") if one[side] is not None]
    if is_ratio:
        low = max(min([0.8, *(one for one in ends if one > 0)]), 1 / _WIDEST_RATIO)
        return low / 1.1, min(max([1.25, *ends]), _WIDEST_RATIO) * 1.1
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def _ratio_ticks(start: float, end: float) -> list[float]:
    steps = (0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 5, 10, 20, 50, 100)
    inside = [tick for tick in steps if start <= tick <= end]
    if len(inside) > 7:
        inside = [tick for tick in inside if tick in (0.01, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)]
    return inside


def _subtitle(entry: dict[str, Any]) -> str:
    agreed = entry["agreement"]
    text = f"same conclusion {sum(t['verdict'] == 'same' for t in entry['terms'])} of {len(entry['terms'])}"
    if agreed["synthetic"]["overlap"] is not None:
        text += f" · interval overlap {agreed['synthetic']['overlap']:.2f}"
    if agreed["halves"]["overlap"] is not None:
        text += f"<br>halves of the real rows: overlap {agreed['halves']['overlap']:.2f}"
    return text


def _text(figure: dict[str, Any]) -> str:
    def number(value: float) -> str:
        return minus(f"{value:.2f}" if abs(value) < 100 else f"{value:.3g}")

    if figure["low"] is None:
        return number(figure["value"])
    return f"{number(figure['value'])} [{number(figure['low'])}, {number(figure['high'])}]"
