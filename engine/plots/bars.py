"""The bars of a column's chart: over intervals, upright for a few categories, lying for many."""

from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from engine.plots.axes import Layout, lay_out, position
from engine.plots.theme import REFERENCE_RANGE, escaped, fill, ink, quiet, shortened

NAMES = {"real": "Real", "synthetic": "Synthetic"}
_TABLES = ("real", "synthetic", "holdout")
_HEIGHT = 340
_ROW = 34
_LONGEST_LABEL = 42


def _hover(column: dict[str, Any], table: str, *, label: str | None = None) -> list[str]:
    name = NAMES.get(table, "Real hold-out")
    rows = [(b["label"], b[table]) for b in column["bins"]]
    if label is not None:
        rows = [(label, column["missing"].get(table))]
    unit = f" {column['unit']}" if column.get("unit") and label is None and column["form"] == "histogram" else ""
    return [
        f"<b>{escaped(text)}{escaped(unit)}</b><br>{name}: {'not shown' if share is None else f'{share:.1%}'}"
        for text, share in rows
    ]


def _base(column: dict[str, Any], with_missing: bool, bars: int) -> go.Figure:
    if not with_missing:
        return go.Figure()
    share = max(0.1, min(0.22, 1.6 / (bars + 2)))
    return make_subplots(rows=1, cols=2, column_widths=[1 - share, share], horizontal_spacing=0.09)


def _add(figure: go.Figure, trace: Any, with_missing: bool) -> None:
    if with_missing:
        figure.add_trace(trace, row=1, col=1)
    else:
        figure.add_trace(trace)


def histogram(column: dict[str, Any], tables: tuple[str, ...], with_missing: bool, *, dark: bool) -> go.Figure:
    """Bars over intervals, missing values on an axis of their own at the right."""
    layout = lay_out(column)
    bins = column["bins"]
    figure = _base(column, with_missing, len(bins))
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
            hovertext=_hover(column, table),
            hoverinfo="text",
        )
        _add(figure, trace, with_missing)
    if len(tables) > 1 and any(b.get("holdout") is not None for b in bins):
        centres = [s + w / 2 for s, w in zip(layout.starts, layout.widths, strict=True)]
        heights = [
            None if b["holdout"] is None else b["holdout"] * f for b, f in zip(bins, layout.factors, strict=True)
        ]
        _add(figure, _ticks_of_holdout(centres, heights, column, dark=dark), with_missing)
    _reference_range(figure, column, layout, with_missing, dark=dark)
    if with_missing:
        _missing_column(figure, column, tables, dark=dark)
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


def _ticks_of_holdout(x: list[Any], y: list[Any], column: dict[str, Any], *, dark: bool, upright: bool = False) -> Any:
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
        hovertext=_hover(column, "holdout"),
        hoverinfo="text",
    )


def _reference_range(
    figure: go.Figure, column: dict[str, Any], layout: Layout, with_missing: bool, *, dark: bool
) -> None:
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
    return "" if value is None else f"{value:g}"


def _missing_column(figure: go.Figure, column: dict[str, Any], tables: tuple[str, ...], *, dark: bool) -> None:
    for place, table in enumerate(tables):
        figure.add_trace(
            go.Bar(
                x=[place],
                y=[column["missing"][table]],
                width=0.9,
                marker=fill(table),
                showlegend=False,
                legendgroup=table,
                hovertext=_hover(column, table, label="Missing"),
                hoverinfo="text",
            ),
            row=1,
            col=2,
        )
    middle = (len(tables) - 1) / 2
    holdout = column["missing"].get("holdout")
    if holdout is not None and len(tables) > 1:
        trace = _ticks_of_holdout([middle], [holdout], column, dark=dark)
        trace.update(showlegend=False, hovertext=_hover(column, "holdout", label="Missing"))
        figure.add_trace(trace, row=1, col=2)
    figure.update_xaxes(
        tickvals=[middle], ticktext=["Missing"], range=[-0.7, len(tables) - 0.3], showgrid=False, row=1, col=2
    )
    figure.update_yaxes(tickformat=".0~%", range=_missing_range(column, tables), nticks=4, row=1, col=2)
    if column["missing"]["note"]:
        figure.add_annotation(
            text=escaped(_short_note(column["missing"]["note"])),
            x=0,
            y=0,
            xref="x2",
            yref="y2",
            yanchor="bottom",
            textangle=-90,
            showarrow=False,
            font={"size": 11, "color": quiet(dark=dark)},
        )


def _short_note(note: str) -> str:
    return note.replace("all but fewer than ", "all but < ").replace("fewer than ", "< ")


def _missing_range(column: dict[str, Any], tables: tuple[str, ...]) -> list[float]:
    highest = max([column["missing"].get(table) or 0.0 for table in (*tables, "holdout")])
    return [0, min(1.02, max(0.1, 1.15 * highest))]


def columns(column: dict[str, Any], tables: tuple[str, ...], with_missing: bool, *, dark: bool) -> go.Figure:
    """Upright bars of a few categories with short names."""
    bins = column["bins"]
    figure = _base(column, with_missing, len(bins))
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
            hovertext=_hover(column, table),
            hoverinfo="text",
        )
        _add(figure, trace, with_missing)
    if len(tables) > 1 and any(b.get("holdout") is not None for b in bins):
        heights = [b["holdout"] for b in bins]
        _add(figure, _ticks_of_holdout(list(range(len(bins))), heights, column, dark=dark), with_missing)
    if with_missing:
        _missing_column(figure, column, tables, dark=dark)
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
                text=f"real: {escaped(_short_note(b['note']))}",
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
    labels = [escaped(shortened(b["label"], _LONGEST_LABEL)) for b in bins] + (["Missing"] if with_missing else [])
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
                hovertext=with_last(_hover(column, table), _hover(column, table, label="Missing")[0]),
                hoverinfo="text",
            )
        )
    if len(tables) > 1 and any(b.get("holdout") is not None for b in bins):
        shares = with_last([b["holdout"] for b in bins], column["missing"].get("holdout"))
        trace = _ticks_of_holdout(shares, places, column, dark=dark, upright=True)
        figure.add_trace(
            trace.update(hovertext=with_last(_hover(column, "holdout"), _hover(column, "holdout", label="Missing")[0]))
        )
    notes = with_last([b["note"] for b in bins], column["missing"]["note"])
    reals = with_last([b["real"] for b in bins], column["missing"]["real"])
    for at, note, real in zip(places, notes, reals, strict=True):
        if note and real is None:
            figure.add_annotation(
                text=f" real: {escaped(_short_note(note))}",
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
