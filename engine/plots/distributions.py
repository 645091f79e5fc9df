"""Side-by-side distributions of one column, from the entries of :mod:`engine.evaluation.columns` (already binned)."""

from typing import Any

import plotly.graph_objects as go

from engine.core.numerals import minus
from engine.plots.bar_parts import NAMES
from engine.plots.bars import columns, histogram, rows
from engine.plots.theme import empty_figure, escaped, template

_MOST_UPRIGHT = 7
_LONGEST_UPRIGHT = 11


def distribution_figure(column: dict[str, Any], *, dark: bool = False) -> go.Figure:
    """Real beside synthetic, the hold-out as grey ticks, missing values as bars of their own.

    ``column`` is an entry of ``comparison["columns"]``: ``{name, title, kind, shown, reason, form, scale, bins:
    [{label, low, high, real, holdout, synthetic, note}], missing: {real, holdout, synthetic, note}, similarity, …}``;
    ``weighted`` names the tables whose figures are by weight.
    """
    return _figure(column, ("real", "synthetic"), dark=dark)


def column_profile_figure(profile: dict[str, Any], *, dark: bool = False) -> go.Figure:
    """One real column, from an entry of :func:`engine.evaluation.profile.profile` (``bins`` with ``real`` only)."""
    return _figure(profile, ("real",), dark=dark)


def alt_text(column: dict[str, Any]) -> str:
    """The chart in one to four sentences, for those who do not see it. Takes an entry of a comparison or a profile."""
    title = column["title"]
    if not column["shown"]:
        return f"{title}: not shown. {column['reason']}"
    tables = [table for table in NAMES if table in column["bins"][0]]
    form = "intervals" if column["form"] == "histogram" else "categories"
    sides = " and ".join(NAMES[table].lower() for table in tables)
    sentences = [f"{title}: shares of {sides} rows over {len(column['bins'])} {form}."]
    if "real" in column.get("weighted", ()):
        sentences.append("Real rows are weighted.")
    for table in tables:
        sentences.append(_typical(column, table))
    missing = [
        f"{table} {column['missing'][table]:.1%}" for table in tables if column["missing"].get(table) is not None
    ]
    if missing:
        sentences.append(f"Missing: {', '.join(missing)}.")
    alike = column.get("similarity", {})
    if alike.get("synthetic") is not None:
        reference = f", hold-out {alike['holdout']:.2f}" if alike.get("holdout") is not None else ""
        sentences.append(f"{alike['metric']} {alike['synthetic']:.2f}{reference} (1 is alike).")
    return " ".join(sentence for sentence in sentences if sentence)


def _typical(column: dict[str, Any], table: str) -> str:
    stats = column.get("stats", {}).get(table) or {}
    name = NAMES[table]
    if stats.get("median") is not None and column["scale"] != "date":
        quartiles = f" [{stats['q1']:g} to {stats['q3']:g}]" if stats.get("q1") is not None else ""
        return minus(f"{name} median {stats['median']:g}{quartiles}.")
    shares = [(b[table], b["label"]) for b in column["bins"] if b[table] is not None]
    if not shares:
        note = min((b["note"] for b in column["bins"] if b["note"]), key=len, default="too few patients")
        return f"{name} shares are not shown: {note} in a category."
    share, label = max(shares, key=lambda pair: pair[0])
    return f"{name} most often {label} ({share:.0%})."


def _figure(column: dict[str, Any], tables: tuple[str, ...], *, dark: bool) -> go.Figure:
    if not column["shown"]:
        return empty_figure(f"Not shown. {column['reason']}", title=escaped(column["title"]), dark=dark)
    missing = column["missing"]
    with_missing = bool(missing["note"]) or any((missing.get(table) or 0) > 0 for table in tables)
    if column["form"] == "histogram":
        figure = histogram(column, tables, with_missing, dark=dark)
    elif _is_horizontal(column):
        figure = rows(column, tables, with_missing, dark=dark)
    else:
        figure = columns(column, tables, with_missing, dark=dark)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": escaped(column["title"]), "subtitle": {"text": _subtitle(column, tables)}},
        showlegend=len(tables) > 1,
        hovermode="closest",
    )
    if len(tables) == 1:
        figure.update_layout(margin={"t": 76})
    return figure


def _subtitle(column: dict[str, Any], tables: tuple[str, ...]) -> str:
    parts = ["real rows weighted"] if "real" in column.get("weighted", ()) else []
    alike, stats = column.get("similarity", {}), column.get("stats", {}).get("real") or {}
    if len(tables) > 1 and alike.get("synthetic") is not None:
        parts.append(f"{alike['metric']} {alike['synthetic']:.2f}")
        parts += [f"hold-out {alike['holdout']:.2f}"] if alike.get("holdout") is not None else []
    elif stats.get("median") is not None and column["scale"] != "date":
        quartiles = f" [{stats['q1']:g}–{stats['q3']:g}]" if stats.get("q1") is not None else ""
        parts.append(minus(f"median {stats['median']:g}{quartiles}"))
    return " · ".join(parts)


def _is_horizontal(column: dict[str, Any]) -> bool:
    labels = [b["label"] for b in column["bins"]]
    return len(labels) > _MOST_UPRIGHT or max(map(len, labels)) > _LONGEST_UPRIGHT
