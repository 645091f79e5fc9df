"""Love plot: how far each column of the synthetic patients is from the real ones, in standardised mean differences.

Absolute differences, largest at the top, with the line at 0.1 below which a difference counts as small (Austin 2009,
Stat Med 28:3083). Grey circles show held-out real patients: what chance alone makes.
"""

from typing import Any

import plotly.graph_objects as go

from engine.plots.theme import SYNTHETIC, empty_figure, escaped, ink, quiet, shortened, template

SMALL = 0.1
"""An absolute difference below this is small."""
_LONGEST_LABEL = 28
_ROW = 22


def love_points(table_one: dict[str, Any]) -> list[dict[str, Any]]:
    """The plot as a table, largest difference first: ``label``, ``synthetic`` and ``holdout`` (absolute, or None).

    ``table_one``: :func:`engine.evaluation.table_one.table_one`. Columns whose difference is not assessable are last,
    with ``reason``.
    """
    points = []
    for column in table_one["columns"]:
        figures = {table: column["smd"].get(table) or {} for table in ("synthetic", "holdout")}
        values = {t: None if f.get("value") is None else abs(f["value"]) for t, f in figures.items()}
        reason = column["reason"] or figures["synthetic"].get("reason", "")
        points.append({"label": column["label"]} | values | {"reason": reason if values["synthetic"] is None else ""})
    return sorted(points, key=lambda point: (point["synthetic"] is None, -(point["synthetic"] or 0.0)))


def love_figure(
    table_one: dict[str, Any], *, most: int = 40, dark: bool = False, of_summary: bool = False
) -> go.Figure:
    """The ``most`` columns with the largest differences, synthetic diamonds beside grey hold-out circles.

    ``of_summary``: a private summary stands for the real patients, and the titles say so.
    """
    drawn = _drawn(table_one)
    if not drawn:
        return empty_figure("Not assessable: no column has a standardised difference.", dark=dark)
    shown = drawn[:most]
    places = [-place for place in range(len(shown))]
    figure = go.Figure()
    figure.add_vline(x=SMALL, line={"color": ink(dark=dark), "width": 1, "dash": "dash"})
    grey = quiet(dark=dark)
    styles = {
        "holdout": ("Real hold-out", {"symbol": "circle-open", "size": 9, "color": grey, "line": {"width": 2}}),
        "synthetic": ("Synthetic", {"symbol": "diamond", "size": 10, "color": SYNTHETIC}),
    }
    for table, (name, marker) in styles.items():
        values = [point[table] for point in shown]
        if any(value is not None for value in values):
            hover = [f"<b>{escaped(p['label'])}</b><br>{name}: {_text(p[table])}" for p in shown]
            figure.add_scatter(
                x=values, y=places, mode="markers", name=name, marker=marker, hovertext=hover, hoverinfo="text"
            )
    largest = max(value for point in shown for value in (point["synthetic"], point["holdout"]) if value is not None)
    figure.update_xaxes(title_text="Absolute difference (SMD)", range=[-0.01, 1.08 * max(largest, 0.2)])
    figure.update_yaxes(
        tickvals=places,
        ticktext=[escaped(shortened(point["label"], _LONGEST_LABEL)) for point in shown],
        range=[places[-1] - 0.7, 0.7],
    )
    figure.add_annotation(
        text="0.1",
        x=SMALL,
        y=1,
        yref="paper",
        xanchor="left",
        yanchor="top",
        showarrow=False,
        font={"color": grey, "size": 11},
    )
    small = sum(point["synthetic"] < SMALL for point in drawn)
    text = f"{small} of {len(drawn)} columns differ by less than {SMALL:g}"
    text += f"<br>the {most} largest differences are shown" if len(drawn) > most else ""
    has_legend = any(point["holdout"] is not None for point in shown)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": f"Differences from {_reference(of_summary)}", "subtitle": {"text": text}},
        legend={"traceorder": "reversed"},
        # Room for a legend of two lines, as a phone shows it; a single kind of mark has none.
        height=int((210 if has_legend else 154) + _ROW * len(shown)),
        margin={"t": 132 if has_legend else 76},
    )
    return figure


def love_alt_text(table_one: dict[str, Any], *, of_summary: bool = False) -> str:
    """The plot in sentences: how many columns differ little, the three that differ most, and the hold-out beside."""
    drawn = _drawn(table_one)
    if not drawn:
        return "Love plot: no standardised difference is assessable."
    small = sum(point["synthetic"] < SMALL for point in drawn)
    most = "; ".join(f"{point['label']} {point['synthetic']:.2f}" for point in drawn[:3])
    text = (
        f"Love plot of absolute standardised mean differences from {_reference(of_summary)}: {small} of {len(drawn)} "
        f"columns are below {SMALL:g}. Largest: {most}."
    )
    held = [point["holdout"] for point in drawn if point["holdout"] is not None]
    if not held:
        return text
    below = sum(value < SMALL for value in held)
    return f"{text} Held-out real patients: {below} of {len(held)} below {SMALL:g}, largest {max(held):.2f}."


def _reference(of_summary: bool) -> str:
    return "the private summary" if of_summary else "the real patients"


def _drawn(table_one: dict[str, Any]) -> list[dict[str, Any]]:
    return [point for point in love_points(table_one) if point["synthetic"] is not None]


def _text(value: float | None) -> str:
    return "not assessable" if value is None else f"{value:.2f}"
