"""Heat maps of associations: real, synthetic, difference."""

import math
from typing import Any

import plotly.graph_objects as go

from engine.core.numerals import minus
from engine.plots.theme import diverging, empty_figure, escaped, shortened, template

_TITLES = {"real": "Real", "synthetic": "Synthetic", "difference": "Difference (synthetic − real)"}
_LONGEST_LABEL = 26
_CELL = 17
_UPRIGHT = 20


def association_figure(matrix: dict[str, Any], which: str, *, dark: bool = False) -> go.Figure:
    """One heat map with a fixed scale: -1 to 1, or 0 to 1 where no measure has a sign.

    ``matrix`` is ``comparison["associations"]``: ``{titles: [n], kinds: [n], real, synthetic, difference: [n][n]}``,
    None where a pair is not assessable (left blank). ``which`` is ``"real"``, ``"synthetic"`` or ``"difference"``; the
    difference has its own colours and a scale that ends at the largest difference (at least 0.2). ``weighted`` names
    the tables whose measures are by weight.
    """
    titles = matrix["titles"]
    if len(titles) < 2:
        return empty_figure(
            "Not assessable: fewer than two columns have enough values.", title=_TITLES[which], dark=dark
        )
    values = matrix[which]
    low, high, scale = _scale(matrix, which, dark=dark)
    size = len(titles)
    places = list(range(size))
    names = [escaped(shortened(title, _LONGEST_LABEL)) for title in titles]
    hover = [
        [
            f"<b>{escaped(titles[i])}</b><br><b>{escaped(titles[j])}</b><br>"
            + ("not assessable" if values[i][j] is None else minus(f"{_TITLES[which]}: {values[i][j]:.2f}"))
            for j in places
        ]
        for i in places
    ]
    figure = go.Figure(
        go.Heatmap(
            x=_told_apart(names),
            y=places,
            z=values,
            zmin=low,
            zmax=high,
            colorscale=scale,
            xgap=1,
            ygap=1,
            hovertext=hover,
            hoverinfo="text",
            hoverongaps=False,
            colorbar={"thickness": 12, "len": 0.9, "outlinewidth": 0, "tickformat": "+.1f" if low < 0 else ".1f"},
        )
    )
    every = 1 if size <= 45 else 2
    axis = {
        "showgrid": False,
        "zeroline": False,
        "tickfont": {"size": 11 if size <= _UPRIGHT else 10 if size <= 25 else 9},
    }
    # Named categories without ticks of their own: on a narrow screen plotly leaves out names that would overlap.
    figure.update_xaxes(**axis, type="category", tickangle=-90 if size > _UPRIGHT else -60 if size > 4 else 0)
    figure.update_yaxes(**axis, tickvals=places[::every], ticktext=names[::every], autorange="reversed")
    figure.update_layout(
        template=template(dark=dark),
        title={"text": _TITLES[which], "subtitle": {"text": _subtitle(matrix, which)}},
        height=max(380, 230 + _CELL * size),
        margin={"t": 64},
    )
    return figure


def _told_apart(names: list[str]) -> list[str]:
    """The names, repeated ones with blanks after them: of equal ones the axis would make one place."""
    return [name + "\N{ZERO WIDTH SPACE}" * names[:place].count(name) for place, name in enumerate(names)]


def association_alt_text(matrix: dict[str, Any], which: str) -> str:
    """The heat map in two sentences: the three strongest pairs (or largest differences)."""
    titles, values = matrix["titles"], matrix[which]
    pairs = [
        (abs(values[i][j]), values[i][j], titles[i], titles[j])
        for i in range(len(titles))
        for j in range(i)
        if values[i][j] is not None
    ]
    if not pairs:
        return f"{_TITLES[which]}: associations are not assessable."
    first = "; ".join(
        f"{a} and {b} {minus(format(value, '+.2f'))}" for _, value, a, b in sorted(pairs, reverse=True)[:3]
    )
    kind = "largest differences" if which == "difference" else "strongest"
    title = _TITLES[which] + (", real rows weighted" if _is_weighted(matrix, which) else "")
    return f"{title}: heat map of associations between {len(titles)} columns. {kind.capitalize()}: {first}."


def _scale(matrix: dict[str, Any], which: str, *, dark: bool) -> tuple[float, float, list[list[Any]]]:
    lowest, middle, highest = diverging("difference" if which == "difference" else "association", dark=dark)
    if which == "difference":
        size = len(matrix["titles"])
        largest = max((abs(v) for row in matrix[which] for v in row if v is not None), default=0.0)
        limit = min(1.0, max(0.2, math.ceil(largest * 10 - 1e-9) / 10)) if size else 1.0
        return -limit, limit, [[0, lowest], [0.5, middle], [1, highest]]
    if matrix["kinds"].count("number") < 2:
        return 0.0, 1.0, [[0, middle], [1, highest]]
    return -1.0, 1.0, [[0, lowest], [0.5, middle], [1, highest]]


def _is_weighted(matrix: dict[str, Any], which: str) -> bool:
    return which != "synthetic" and "real" in matrix.get("weighted", ())


def _subtitle(matrix: dict[str, Any], which: str) -> str:
    parts = ["real rows weighted"] if _is_weighted(matrix, which) else []
    differences = matrix.get("mean_difference") or {}
    if which == "difference" and differences.get("synthetic") is not None:
        # Shorter beside the first words, so that a phone shows the last ones.
        parts = ["weighted"] if parts else []
        parts.append(f"mean {'|difference|' if parts else 'absolute difference'} {differences['synthetic']:.3f}")
        parts += [f"hold-out {differences['holdout']:.3f}"] if differences.get("holdout") is not None else []
    return " · ".join(parts)
