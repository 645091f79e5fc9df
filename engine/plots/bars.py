"""The bars of a column's chart: over intervals, upright for a few categories, lying for many."""

from typing import Any

import plotly.graph_objects as go

from engine.plots.axes import lay_out
from engine.plots.bar_parts import (
    NAMES,
    add,
    base,
    hover,
    missing_column,
    reference_range,
    short_note,
    ticks_of_holdout,
)
from engine.plots.theme import escaped, fill, quiet, shortened, wrapped

_TABLES = ("real", "synthetic", "holdout")
_HEIGHT = 340
_ROW = 34
_LONGEST_LABEL = 42
_LONGEST_LINE = 22


def histogram(column: dict[str, Any], tables: tuple[str, ...], with_missing: bool, *, dark: bool) -> go.Figure:
    """Bars over intervals, missing values on an axis of their own at the right."""
    layout = lay_out(column)
    bins = column["bins"]
    figure = base(with_missing, len(bins))
    for place, table in enumerate(tables):
        part = [0.94 * width / len(tables) for width in layout.widths]
        starts = [s + 0.03 * w + place * p for s, w, p in zip(layout.starts, layout.widths, part, strict=True)]
        trace = go.Bar(
            x=starts,
            y=[None if b[table] is None else b[table] * f for b, f in zip(bins, layout.factors, strict=True)],
            width=part,
            offset=0,
            name=NAMES[table],
            legendgroup=table,
            marker=fill(table),
            hovertext=hover(column, table),
            hoverinfo="text",
        )
        add(figure, trace, with_missing)
    if len(tables) > 1 and any(b.get("holdout") is not None for b in bins):
        centres = [s + w / 2 for s, w in zip(layout.starts, layout.widths, strict=True)]
        heights = [
            None if b["holdout"] is None else b["holdout"] * f for b, f in zip(bins, layout.factors, strict=True)
        ]
        add(figure, ticks_of_holdout(centres, heights, column, dark=dark), with_missing)
    reference_range(figure, column, layout, with_missing, dark=dark)
    if with_missing:
        missing_column(figure, column, tables, dark=dark)
    left, right = layout.span
    margin = 0.01 * (right - left)
    unit = column["title"] if column["scale"] != "log" else f"{column['title']}, logarithmic scale"
    axis: dict[str, Any] = {
        "tickvals": layout.ticks,
        "ticktext": layout.labels,
        "range": [left - margin, right + margin],
    }
    cell: dict[str, Any] = {"row": 1, "col": 1} if with_missing else {}
    figure.update_xaxes(title_text=escaped(unit), showgrid=False, **axis, **cell)
    title = "Share of rows, per equal width" if layout.uneven else "Share of rows"
    tallest = max(
        (
            b[table] * f
            for b, f in zip(bins, layout.factors, strict=True)
            for table in b
            if table in _TABLES and b[table]
        ),
        default=1.0,
    )
    # Room for the words above the reference range.
    figure.update_yaxes(title_text=title, tickformat=".0~%", range=[0, 1.16 * tallest], nticks=7, **cell)
    figure.update_layout(height=_HEIGHT)
    return figure


def columns(column: dict[str, Any], tables: tuple[str, ...], with_missing: bool, *, dark: bool) -> go.Figure:
    """Upright bars of a few categories with short names."""
    bins = column["bins"]
    figure = base(with_missing, len(bins))
    width = 0.8 / len(tables)
    for place, table in enumerate(tables):
        trace = go.Bar(
            x=[i - 0.4 + place * width for i in range(len(bins))],
            y=[b[table] for b in bins],
            width=width,
            offset=0,
            name=NAMES[table],
            legendgroup=table,
            marker=fill(table),
            hovertext=hover(column, table),
            hoverinfo="text",
        )
        add(figure, trace, with_missing)
    if len(tables) > 1 and any(b.get("holdout") is not None for b in bins):
        heights = [b["holdout"] for b in bins]
        add(figure, ticks_of_holdout(list(range(len(bins))), heights, column, dark=dark), with_missing)
    if with_missing:
        missing_column(figure, column, tables, dark=dark)
    cell: dict[str, Any] = {"row": 1, "col": 1} if with_missing else {}
    figure.update_xaxes(
        tickvals=list(range(len(bins))),
        ticktext=[escaped(b["label"]) for b in bins],
        range=[-0.6, len(bins) - 0.4],
        showgrid=False,
        **cell,
    )
    figure.update_yaxes(title_text="Share of rows", tickformat=".0~%", rangemode="tozero", **cell)
    for i, b in enumerate(bins):
        if b["real"] is None and b["note"]:
            figure.add_annotation(
                text=f"real: {escaped(short_note(b['note']))}",
                x=i - 0.4 + width / 2,
                y=0,
                xref="x",
                yref="y",
                yanchor="bottom",
                textangle=-90,
                showarrow=False,
                font={"size": 11, "color": quiet(dark=dark)},
            )
    figure.update_layout(height=_HEIGHT)
    return figure


def rows(column: dict[str, Any], tables: tuple[str, ...], with_missing: bool, *, dark: bool) -> go.Figure:
    """Lying bars: many categories, or long names; the chart grows with them."""
    bins = column["bins"]
    figure = go.Figure()
    # Missing values stand apart below the categories: their share is of all rows, the others' of the rows with a value.
    places = [-i for i in range(len(bins))] + ([-len(bins) - 0.6] if with_missing else [])
    labels = [wrapped(shortened(b["label"], _LONGEST_LABEL), _LONGEST_LINE) for b in bins]
    labels += ["Missing"] if with_missing else []
    height = 0.8 / len(tables)

    def with_last(values: list[Any], last: Any) -> list[Any]:
        return [*values, last] if with_missing else values

    for place, table in enumerate(tables):
        figure.add_trace(
            go.Bar(
                y=[at + 0.4 - (place + 1) * height for at in places],
                x=with_last([b[table] for b in bins], column["missing"][table]),
                width=height,
                offset=0,
                orientation="h",
                name=NAMES[table],
                legendgroup=table,
                marker=fill(table),
                hovertext=with_last(hover(column, table), hover(column, table, label="Missing")[0]),
                hoverinfo="text",
            )
        )
    if len(tables) > 1 and any(b.get("holdout") is not None for b in bins):
        shares = with_last([b["holdout"] for b in bins], column["missing"].get("holdout"))
        trace = ticks_of_holdout(shares, places, column, dark=dark, upright=True)
        figure.add_trace(
            trace.update(hovertext=with_last(hover(column, "holdout"), hover(column, "holdout", label="Missing")[0]))
        )
    notes = with_last([b["note"] for b in bins], column["missing"]["note"])
    reals = with_last([b["real"] for b in bins], column["missing"]["real"])
    for at, note, real in zip(places, notes, reals, strict=True):
        if note and real is None:
            figure.add_annotation(
                text=f" real: {escaped(short_note(note))}",
                x=0,
                y=at + 0.4 - height / 2,
                xanchor="left",
                showarrow=False,
                font={"size": 11, "color": quiet(dark=dark)},
            )
    figure.update_yaxes(tickvals=places, ticktext=labels, range=[places[-1] - 0.7, 0.7], showgrid=False)
    figure.update_xaxes(title_text="Share of rows", tickformat=".0~%", rangemode="tozero")
    figure.update_layout(height=int(150 + _ROW * (len(places) if len(tables) > 1 else 0.75 * len(places))))
    return figure
