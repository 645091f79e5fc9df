"""What the charts of a column share: texts under the mouse, the hold-out's ticks, missing values, reference ranges."""

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.core.numerals import minus
from engine.plots.axes import Layout, position
from engine.plots.theme import REFERENCE_RANGE, escaped, fill, ink, quiet

NAMES = {"real": "Real", "synthetic": "Synthetic"}


def hover(column: dict[str, Any], table: str, *, label: str | None = None) -> list[str]:
    """Texts of the bars of ``table``; of its bar of missing values where that is called ``label``."""
    name = NAMES.get(table, "Real hold-out") + (", weighted" if table in column.get("weighted", ()) else "")
    # A name of a category stays as it is written; an interval is of numbers.
    named = minus if column["form"] == "histogram" and column["scale"] != "date" else str
    rows = [(named(b["label"]), b[table]) for b in column["bins"]]
    if label is not None:
        rows = [(label, column["missing"].get(table))]
    unit = f" {column['unit']}" if column.get("unit") and label is None and column["form"] == "histogram" else ""
    return [
        f"<b>{escaped(text)}{escaped(unit)}</b><br>{name}: {'not shown' if share is None else f'{share:.1%}'}"
        for text, share in rows
    ]


def base(with_missing: bool, bars: int) -> go.Figure:
    """An empty figure for so many bars, with an axis for missing values at its right if there are any."""
    if not with_missing:
        return go.Figure()
    share = max(0.1, min(0.22, 1.6 / (bars + 2)))
    return make_subplots(rows=1, cols=2, column_widths=[1 - share, share], horizontal_spacing=0.09)


def add(figure: go.Figure, trace: Any, with_missing: bool) -> None:
    """``trace`` on the axes of the values."""
    if with_missing:
        figure.add_trace(trace, row=1, col=1)
    else:
        figure.add_trace(trace)


def ticks_of_holdout(x: list[Any], y: list[Any], column: dict[str, Any], *, dark: bool, upright: bool = False) -> Any:
    """The hold-out's shares as short lines across the bars."""
    return go.Scatter(
        x=x,
        y=y,
        mode="markers",
        name="Real hold-out",
        legendgroup="holdout",
        marker={
            "symbol": "line-ns-open" if upright else "line-ew-open",
            "size": 13,
            "color": ink(dark=dark),
            "line": {"width": 2, "color": ink(dark=dark)},
        },
        hovertext=hover(column, "holdout"),
        hoverinfo="text",
    )


def missing_column(figure: go.Figure, column: dict[str, Any], tables: tuple[str, ...], *, dark: bool) -> None:
    """Bars of missing values on the axis of their own."""
    for place, table in enumerate(tables):
        figure.add_trace(
            go.Bar(
                x=[place],
                y=[column["missing"][table]],
                width=0.9,
                marker=fill(table),
                showlegend=False,
                legendgroup=table,
                hovertext=hover(column, table, label="Missing"),
                hoverinfo="text",
            ),
            row=1,
            col=2,
        )
    middle = (len(tables) - 1) / 2
    holdout = column["missing"].get("holdout")
    if holdout is not None and len(tables) > 1:
        trace = ticks_of_holdout([middle], [holdout], column, dark=dark)
        trace.update(showlegend=False, hovertext=hover(column, "holdout", label="Missing"))
        figure.add_trace(trace, row=1, col=2)
    figure.update_xaxes(
        tickvals=[middle], ticktext=["Missing"], range=[-0.7, len(tables) - 0.3], showgrid=False, row=1, col=2
    )
    figure.update_yaxes(tickformat=".0~%", range=_missing_range(column, tables), nticks=4, row=1, col=2)
    if column["missing"]["note"]:
        figure.add_annotation(
            text=escaped(short_note(column["missing"]["note"])),
            x=0,
            y=0,
            xref="x2",
            yref="y2",
            yanchor="bottom",
            textangle=-90,
            showarrow=False,
            font={"size": 11, "color": quiet(dark=dark)},
        )


def short_note(note: str) -> str:
    """Why a share is not shown, as short as a bar is wide."""
    return note.replace("all but fewer than ", "all but < ").replace("fewer than ", "< ")


def _missing_range(column: dict[str, Any], tables: tuple[str, ...]) -> list[float]:
    highest = max([column["missing"].get(table) or 0.0 for table in (*tables, "holdout")])
    return [0, min(1.02, max(0.1, 1.15 * highest))]


def reference_range(
    figure: go.Figure, column: dict[str, Any], layout: Layout, with_missing: bool, *, dark: bool
) -> None:
    """A shade over the column's reference range, or an arrow towards it."""
    low, high = column.get("reference_low"), column.get("reference_high")
    if (low is None and high is None) or column["scale"] == "date":
        return
    # An open end is drawn as wide as any other bin, so no place inside it means a value: the shade ends there.
    left, right = layout.closed
    start, end = position(low, column), position(high, column)
    start, end = max(left, left if start is None else start), min(right, right if end is None else end)
    cell: dict[str, Any] = {"row": 1, "col": 1} if with_missing else {}
    if low is not None and high is not None:
        text = f"reference range {_limit_text(low)}–{_limit_text(high)}"
    else:
        text = f"reference range from {_limit_text(low)}" if low is not None else f"reference up to {_limit_text(high)}"
    words: dict[str, Any] = {"x": (start + end) / 2}
    if start < end:
        figure.add_vrect(x0=start, x1=end, fillcolor=REFERENCE_RANGE, line_width=0, layer="below", **cell)
    elif start >= right:
        words, text = {"x": layout.span[1], "xanchor": "right"}, f"{text} →"
    else:
        words, text = {"x": layout.span[0], "xanchor": "left"}, f"← {text}"
    figure.add_annotation(
        text=text,
        xref="x",
        y=1,
        yref="y domain",
        yanchor="top",
        showarrow=False,
        font={"size": 11, "color": quiet(dark=dark)},
        **words,
    )


def _limit_text(value: float | None) -> str:
    """A reference limit as text."""
    return "" if value is None else minus(f"{value:g}")
