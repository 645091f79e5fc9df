"""Figures of an outcome: forest plot, calibration, and survival curves with the numbers at risk."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator, PercentFormatter

from engine.reports.content import Figure, value_text
from engine.reports.drawing import FULL, GREY, LINES, NAMES, NATURAL, TILE, drawn, label

_WIDEST_RATIO = 100.0
_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
_NEAR_TICKS = (0.5, 0.67, 0.8, 1, 1.25, 1.5, 2)
_PAIR = ("real", "synthetic")


def forest(entry: dict[str, Any]) -> Figure:
    """Effects with 95 % intervals, the real one above the synthetic, of an assessable conclusion entry."""
    terms, is_ratio = entry["terms"], entry["null"] == 1.0
    start, end = _limits(terms, is_ratio=is_ratio)
    places = -np.arange(len(terms), dtype=float)

    def draw(axes: Axes) -> None:
        if is_ratio:
            axes.set_xscale("log")
        for table, shift in (("real", 0.17), ("synthetic", -0.17)):
            look = LINES[table]
            for at, term in zip(places + shift, terms, strict=True):
                figure = term[table]
                if figure["low"] is not None:
                    ends = np.clip([figure["low"], figure["high"]], start, end)
                    axes.plot(ends, [at, at], color=look["color"], linestyle=look["linestyle"], linewidth=1.3)
            values = np.clip([term[table]["value"] for term in terms], start, end)
            axes.plot(values, places + shift, markersize=4.5, label=NAMES[table], **{**look, "linestyle": "none"})
        axes.axvline(entry["null"], color=GREY, linewidth=0.9, linestyle="dotted")
        axes.set_yticks(places, [label(term["label"], 38) for term in terms])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(places[-1] - 0.6, 0.6)
        axes.set_xlim(start, end)
        if is_ratio:
            ticks = [one for one in (_NEAR_TICKS if end / start < 8 else _TICKS) if start <= one <= end]
            axes.xaxis.set_major_locator(FixedLocator(ticks))
            axes.xaxis.set_major_formatter(FixedFormatter([f"{one:g}" for one in ticks]))
            axes.xaxis.set_minor_locator(NullLocator())
        unit = entry["outcome"]["unit"]
        unit = f" ({label(unit)})" if unit and not is_ratio else ""
        axes.set_xlabel(f"{entry['effect'].capitalize()}{unit}, 95 % interval")

    alt = f"Forest plot of {entry['effect']}s for {entry['outcome']['label']}: " + "; ".join(
        f"{term['label']} real {value_text(term['real'])}, synthetic {value_text(term['synthetic'])}" for term in terms
    )
    return Figure(drawn(FULL, 1.0 + 0.33 * len(terms), draw, grid="x"), alt + ".", share=NATURAL)


def _limits(terms: list[dict[str, Any]], *, is_ratio: bool) -> tuple[float, float]:
    figures = [term[table] for term in terms for table in _PAIR]
    ends = [one[side] for one in figures for side in ("low", "high", "value") if one[side] is not None]
    if is_ratio:
        low = max(min([0.8, *(one for one in ends if one > 0)]), 1 / _WIDEST_RATIO)
        return low / 1.1, min(max([1.25, *ends]), _WIDEST_RATIO) * 1.1
    low, high = min([0.0, *ends]), max([0.0, *ends])
    room = 0.05 * (high - low) or 1.0
    return low - room, high + room


def calibration(entry: dict[str, Any], model: str) -> Figure | None:
    """Predicted against observed shares of one model of a utility entry; None where there are no bins."""
    found = entry["models"][model].get("calibration") or {}
    curves = {table: found[table] for table in _PAIR if found.get(table) and found[table]["bins"]}
    if not curves:
        return None
    end = min(1.0, 1.05 * max(max(b["predicted"], b["high"]) for curve in curves.values() for b in curve["bins"]))
    slopes = "; ".join(
        f"learned from {table} rows slope {value_text(curve['slope'])}" for table, curve in curves.items()
    )

    def draw(axes: Axes) -> None:
        axes.plot([0, end], [0, end], color=GREY, linestyle="dotted", linewidth=1, label="Ideal")
        for table, curve in curves.items():
            bins = curve["bins"]
            observed = np.array([one["observed"] for one in bins])
            errors = np.array([[one["observed"] - one["low"], one["high"] - one["observed"]] for one in bins]).T
            bars = axes.errorbar(
                [one["predicted"] for one in bins], observed, yerr=np.maximum(0, errors), label=f"{NAMES[table]} rows",
                markersize=4, linewidth=1.2, elinewidth=0.7, capsize=1.5, **LINES[table],
            )  # fmt: skip
            bars.lines[0].set_zorder(3)
        axes.set(xlim=(0, end), ylim=(0, end), xlabel="Predicted probability", ylabel="Observed share")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(PercentFormatter(1.0, decimals=None))

    alt = f"Calibration of {entry['models'][model]['label']} for {entry['outcome']['label']} in the hold-out: {slopes}."
    return Figure(drawn(TILE, 2.9, draw, title=label(entry["models"][model]["label"], 44), grid="y"), alt)


def survival(entry: dict[str, Any]) -> Figure:
    """Kaplan-Meier curves of an assessable survival entry, the numbers at risk below the axis.

    The curves are told at a few times only, so they are drawn straight between them.
    """
    curve, at_risk, horizon = entry["curve"], entry["at_risk"], entry["horizon"]
    times = [point["time"] for point in curve]
    lowest = min(
        part["value"] if part["low"] is None else part["low"] for p in curve for part in (p["real"], p["synthetic"])
    )
    start = 0.0 if lowest < 0.6 else max(0.0, math.floor(10 * (lowest - 0.05)) / 10)

    def draw(axes: Axes) -> None:
        for table in _PAIR:
            parts = [point[table] for point in curve]
            bounds = [[p["value"] if p[side] is None else p[side] for p in parts] for side in ("low", "high")]
            axes.fill_between(times, bounds[0], bounds[1], color=LINES[table]["color"], alpha=0.14, linewidth=0)
            axes.plot(
                times, [p["value"] for p in parts], markersize=2.5, linewidth=1.5, label=NAMES[table], **LINES[table]
            )
        unit = entry["outcome"]["unit"]
        axes.set_xlabel(f"Time ({label(unit)})" if unit else "Time")
        axes.set_ylabel("Share without the event" + (f"\n(axis from {start:.0%})" if start else ""))
        axes.set(xlim=(0, 1.02 * horizon), ylim=(start, 1 + 0.02 * (1 - start)))
        ticks = [row["time"] for row in at_risk]
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=None))
        for line, (name, key) in enumerate((("Real", "real_text"), ("Synthetic", "synthetic"))):
            # In points below the axis: a share of its height would change while the layout is found.
            place: Any = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "center"}
            height, colour = -40 - 12 * line, LINES[name.lower()]["color"]
            axes.annotate(f"{name} at risk", (0, 0), (-14, height), ha="right", fontsize=7.5, color=colour, **place)
            for row in at_risk:
                shown = row[key] if isinstance(row[key], str) else f"{row[key]:,}"
                axes.annotate(shown, (row["time"], 0), (0, height), ha="center", fontsize=7, **place)

    first, last = at_risk[0], curve[-1]
    alt = (
        f"Kaplan-Meier curves of {entry['outcome']['label']}: without the event at {last['time']:g} real "
        f"{last['real']['value']:.0%}, synthetic {last['synthetic']['value']:.0%}; at risk at first real "
        f"{first['real_text']}, synthetic {first['synthetic']:,}."
    )
    return Figure(drawn(FULL, 3.3, draw, grid="y"), alt, share=NATURAL)
