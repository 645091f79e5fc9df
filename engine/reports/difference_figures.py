"""The Love plot and the heat maps of associations."""

import math
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from engine.core.numerals import minus
from engine.reports.content import Figure
from engine.reports.drawing import FULL, GREY, INK, NAMES, NATURAL, REAL, SYNTHETIC, drawn, label

SMALL = 0.1
"""An absolute standardised difference below this is small (Austin 2009)."""
MOST_COLUMNS = 40
_WITH_NUMBERS = 11
_TITLES = {"real": "Associations, real", "synthetic": "Associations, synthetic",
           "difference": "Difference, synthetic minus real"}  # fmt: skip


def love(table_one: dict[str, Any]) -> Figure | None:
    """Absolute standardised differences, the largest on top; None where none is assessable."""
    points = _points(table_one)
    if not points:
        return None
    shown = points[:MOST_COLUMNS]
    places = -np.arange(len(shown), dtype=float)

    def draw(axes: Axes) -> None:
        looks = {
            "synthetic": {"marker": "D", "color": SYNTHETIC, "markersize": 5},
            "holdout": {"marker": "o", "color": GREY, "markersize": 6, "markerfacecolor": "none"},
        }
        for table, look in looks.items():
            told = [(one[table], at) for one, at in zip(shown, places, strict=True) if one[table] is not None]
            if told:
                axes.plot(*zip(*told, strict=True), linestyle="none", label=NAMES[table], **look)
        axes.axvline(SMALL, color=INK, linewidth=0.9, linestyle="dashed", label="0.1: below it is small")
        axes.set_yticks(places, [label(one["label"]) for one in shown])
        axes.set_ylim(places[-1] - 0.7, 0.7)
        axes.set_xlim(
            left=0, right=1.06 * max(0.2, *(v for one in shown for v in (one["synthetic"], one["holdout"] or 0)))
        )
        axes.set_xlabel("Absolute standardised difference from the real patients")

    small = sum(one["synthetic"] < SMALL for one in points)
    most = "; ".join(f"{one['label']} {one['synthetic']:.2f}" for one in points[:3])
    held = [one["holdout"] for one in points if one["holdout"] is not None]
    alt = f"Love plot: {small} of {len(points)} columns differ by less than {SMALL:g}. Largest: {most}."
    if held:
        alt += f" Held-out real patients: {sum(one < SMALL for one in held)} of {len(held)}."
    return Figure(drawn(FULL, 1.0 + 0.185 * len(shown), draw, grid="x"), alt, share=NATURAL)


def _points(table_one: dict[str, Any]) -> list[dict[str, Any]]:
    points = []
    for column in table_one["columns"]:
        values = {table: (column["smd"].get(table) or {}).get("value") for table in ("synthetic", "holdout")}
        if values["synthetic"] is not None:
            points.append({"label": column["label"]} | {t: None if v is None else abs(v) for t, v in values.items()})
    return sorted(points, key=lambda one: -one["synthetic"])


def heat_map(associations: dict[str, Any], which: str) -> Figure:
    """The lower half of the matrix ``"real"``, ``"synthetic"`` or ``"difference"``; crosses: not assessable."""
    titles = associations["titles"]
    values = np.array([[np.nan if one is None else one for one in row] for row in associations[which]], dtype=float)
    size = len(titles)
    lower = np.tril(np.ones((size, size), dtype=bool))
    colours, limit = _colours(values, which)
    letters = 7.5 if size <= 16 else 6 if size <= 28 else 5

    def draw(axes: Axes) -> None:
        shown = np.where(lower, values, np.nan)
        mesh = axes.pcolormesh(shown, cmap=colours, vmin=-limit, vmax=limit, edgecolors="#EEF1F3", linewidth=0.3)
        for row, column in zip(*np.nonzero(lower), strict=True):
            value = values[row, column]
            if np.isnan(value):
                axes.text(column + 0.5, row + 0.5, "×", ha="center", va="center", fontsize=letters, color=GREY)
            elif size <= _WITH_NUMBERS:
                ink = "white" if abs(value) > 0.6 * limit else INK
                axes.text(column + 0.5, row + 0.5, minus(f"{value:.2f}"), ha="center", va="center",
                          fontsize=6.5, color=ink)  # fmt: skip
        names = [label(one, 26) for one in titles]
        axes.set_xticks(np.arange(size) + 0.5, names, rotation=90, fontsize=letters)
        axes.set_yticks(np.arange(size) + 0.5, names, fontsize=letters)
        axes.invert_yaxis()
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.figure.colorbar(mesh, ax=axes, shrink=0.6, aspect=24, pad=0.02)  # type: ignore[attr-defined]

    side = min(FULL, 3.0 + 0.14 * size)
    return Figure(
        drawn(FULL, side, draw, title=_TITLES[which], legend=False),
        _heat_alt(associations, which),
        share=0.62 if size <= 16 else NATURAL,
    )


def _colours(values: np.ndarray, which: str) -> tuple[LinearSegmentedColormap, float]:
    if which != "difference":
        return LinearSegmentedColormap.from_list("association", [SYNTHETIC, "#FFFFFF", REAL]), 1.0
    known = np.abs(values[~np.isnan(values)])
    largest = float(known.max()) if known.size else 0.0
    limit = min(1.0, max(0.2, math.ceil(largest * 10 - 1e-9) / 10))
    return LinearSegmentedColormap.from_list("difference", ["#1B7837", "#FFFFFF", "#7B3294"]), limit


def _heat_alt(associations: dict[str, Any], which: str) -> str:
    titles, values = associations["titles"], associations[which]
    pairs = [
        (values[i][j], titles[i], titles[j]) for i in range(len(titles)) for j in range(i) if values[i][j] is not None
    ]
    pairs.sort(key=lambda pair: -abs(pair[0]))
    told = "; ".join(f"{first} and {second} {value:+.2f}" for value, first, second in pairs[:3])
    return f"{_TITLES[which]}: heat map of {len(titles)} columns. Largest: {told or 'none is assessable'}."
