"""One small figure per column: shares of real and of synthetic rows per interval or category."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from engine.evaluation.columns import HOLDOUT, REAL, SYNTHETIC
from engine.reports.content import Figure
from engine.reports.drawing import GREY, HATCHED, LINES, NAMES, SOLID, TILE, drawn, label

MOST_BARS = 10
"""Bars of a figure; the table on the dashboard has them all."""
_HEIGHT = 2.1
_ROW = 0.165
_LABEL = 24


def distribution(entry: dict[str, Any], tables: tuple[str, ...] = (REAL, SYNTHETIC, HOLDOUT)) -> Figure:
    """The figure of a shown column entry (:mod:`engine.evaluation.columns`), of those of ``tables`` that it has."""
    tables = tuple(table for table in tables if any(one.get(table) is not None for one in entry["bins"]))
    bars = _histogram if entry["form"] == "histogram" else _bars
    height = _HEIGHT if entry["form"] == "histogram" else 0.8 + _ROW * max(3, min(MOST_BARS, len(entry["bins"])))

    def draw(axes: Axes) -> None:
        bars(axes, entry, tables)

    svg = drawn(
        TILE, height, draw, title=label(entry["title"], 46), grid="y" if entry["form"] == "histogram" else "x",
        legend=len(tables) > 1,
    )  # fmt: skip
    return Figure(svg, distribution_alt(entry, tables))


def _bars(axes: Axes, entry: dict[str, Any], tables: tuple[str, ...]) -> None:
    """Horizontal bars, the real one above the synthetic."""
    kept = _largest(entry["bins"], tables)
    places = -np.arange(len(kept), dtype=float)
    beside = len([table for table in tables if table != HOLDOUT]) > 1
    thick = 0.38 if beside else 0.66
    for table, shift, look in ((REAL, thick / 2, SOLID), (SYNTHETIC, -thick / 2, HATCHED)):
        if table not in tables:
            continue
        at = places + (shift if beside else 0)
        shares = [one.get(table) for one in kept]
        axes.barh(at, [share or 0 for share in shares], height=thick, label=NAMES[table], **look)
        for place, share in zip(at, shares, strict=True):
            if share is None:
                axes.annotate("not shown", (0, place), xytext=(2, 0), textcoords="offset points", va="center",
                              fontsize=6, color=GREY)  # fmt: skip
    if HOLDOUT in tables:
        told = [(one[HOLDOUT], place) for one, place in zip(kept, places, strict=True) if one[HOLDOUT] is not None]
        axes.plot(*zip(*told, strict=True), "|", color=GREY, markersize=9, markeredgewidth=1.4, label=NAMES[HOLDOUT])
    axes.set_yticks(places, [label(one["label"], _LABEL) for one in kept])
    axes.set_ylim(places[-1] - 0.6, 0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.xaxis.set_major_locator(_few_ticks())
    axes.set_xlim(left=0)
    if len(kept) < len(entry["bins"]):
        axes.set_xlabel(f"the {len(kept)} most frequent of {len(entry['bins'])} bars", fontsize=7, color=GREY)


def _largest(bins: list[dict[str, Any]], tables: tuple[str, ...]) -> list[dict[str, Any]]:
    """The most frequent bars, in the order that they have."""
    order = sorted(range(len(bins)), key=lambda at: -max(bins[at].get(table) or 0.0 for table in tables))
    return [bins[at] for at in sorted(order[:MOST_BARS])]


def _histogram(axes: Axes, entry: dict[str, Any], tables: tuple[str, ...]) -> None:
    """Bars of real rows with a dashed outline of synthetic ones, and ticks of held-out ones; or hatched bars alone."""
    edges = _edges(entry)
    widths = np.diff(edges)
    # Areas stay comparable where intervals were merged.
    factors = np.median(widths) / widths
    heights = {t: np.array([one.get(t) or 0.0 for one in entry["bins"]]) * factors for t in tables}
    if REAL in tables:
        axes.bar(edges[:-1], heights[REAL], widths, align="edge", label=NAMES[REAL], **{**SOLID, "edgecolor": "white"})
    if SYNTHETIC in tables and REAL not in tables:
        axes.bar(edges[:-1], heights[SYNTHETIC], widths, align="edge", label=NAMES[SYNTHETIC], **HATCHED)
    elif SYNTHETIC in tables:
        # Vermilion on blue is hard to see without the white below it.
        axes.stairs(heights[SYNTHETIC], edges, color="white", linewidth=3)
        axes.stairs(heights[SYNTHETIC], edges, color=LINES[SYNTHETIC]["color"], linewidth=1.5,
                    linestyle=LINES[SYNTHETIC]["linestyle"], label=NAMES[SYNTHETIC])  # fmt: skip
    if HOLDOUT in tables:
        shown = np.array([one[HOLDOUT] is not None for one in entry["bins"]])
        middles = (edges[:-1] + edges[1:]) / 2
        axes.plot(middles[shown], heights[HOLDOUT][shown], "_", color=GREY, markersize=5, markeredgewidth=1.3,
                  label=NAMES[HOLDOUT])  # fmt: skip
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
    axes.yaxis.set_major_locator(_few_ticks())
    axes.set_xlim(edges[0], edges[-1])
    _value_axis(axes, entry, edges)


def _edges(entry: dict[str, Any]) -> np.ndarray:
    """(n_bins + 1,) edges on the axis (logarithms where the scale is); an open end is as wide as a typical bin."""
    bins = entry["bins"]
    is_log = entry["scale"] == "log"

    def at(value: float | None) -> float | None:
        if value is None:
            return None
        return math.log10(value) if is_log and value > 0 else None if is_log else float(value)

    lows, highs = [at(one["low"]) for one in bins], [at(one["high"]) for one in bins]
    closed = [high - low for low, high in zip(lows, highs, strict=True) if low is not None and high is not None]
    typical = float(np.median(closed)) if closed else 1.0
    edges = []
    for place, (low, high) in enumerate(zip(lows, highs, strict=True)):
        before = highs[place - 1] if place else None
        edges.append(low if low is not None else before if before is not None else (high or 0.0) - typical)
    edges.append(highs[-1] if highs[-1] is not None else edges[-1] + typical)
    return np.array(edges, dtype=float)


def _value_axis(axes: Axes, entry: dict[str, Any], edges: np.ndarray) -> None:
    bins = entry["bins"]
    if entry["scale"] == "date":
        ticks = np.linspace(edges[0], edges[-1], 4)[1:-1] if len(edges) > 2 else edges
        axes.set_xticks(ticks, [str(np.datetime64(int(tick), "D"))[:7] for tick in ticks])
    elif entry["scale"] == "log":
        start, end = math.ceil(edges[0]), math.floor(edges[-1])
        if end > start:
            ticks = np.arange(start, end + 1, max(1, (end - start) // 5))
        else:
            ticks = np.linspace(edges[0], edges[-1], 4)
        axes.set_xticks(ticks, [f"{10**tick:,.3g}" for tick in ticks])
    elif entry["kind"] == "integer" and all(width == 1 for width in np.diff(edges)):
        # A whole number stands under the middle of its bar.
        every = max(1, math.ceil((len(edges) - 1) / 10))
        starts = edges[:-1:every]
        axes.set_xticks(starts + 0.5, [f"{start:,.0f}" for start in starts])
    else:
        axes.xaxis.set_major_locator(_few_ticks(6))
    ends = [bins[0]["label"] if bins[0]["low"] is None else "", bins[-1]["label"] if bins[-1]["high"] is None else ""]
    told = [f"first bar: {label(ends[0], 20)}"] * bool(ends[0]) + [f"last bar: {label(ends[1], 20)}"] * bool(ends[1])
    if told:
        axes.set_xlabel("; ".join(told), fontsize=7, color=GREY)


def _few_ticks(most: int = 4) -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])


def distribution_alt(entry: dict[str, Any], tables: tuple[str, ...]) -> str:
    """The figure in a sentence: medians of a number, or the most frequent categories."""
    parts = []
    for table in tables:
        stats = entry["stats"].get(table) or {}
        if entry["form"] == "histogram" and stats.get("median") is not None and entry["scale"] != "date":
            span = "" if stats.get("q1") is None else f" [{stats['q1']:g} to {stats['q3']:g}]"
            parts.append(f"{NAMES[table].lower()} median {stats['median']:g}{span}")
        else:
            known = [one for one in entry["bins"] if one.get(table) is not None]
            if known:
                most = max(known, key=lambda one: one[table])
                parts.append(f"{NAMES[table].lower()} most often {most['label']} ({most[table]:.0%})")
    return f"Distribution of {entry['title']}: {'; '.join(parts) or 'shares are not shown'}."
