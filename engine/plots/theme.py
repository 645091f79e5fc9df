"""How every chart looks: real solid blue, synthetic hatched vermilion, hold-out as ticks; never colour alone.

The two colours are Okabe and Ito's; they keep 3:1 against both backgrounds (WCAG 1.4.11). Backgrounds are transparent,
so a chart sits on whatever page or paper it is put on.
"""

import textwrap
from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

REAL = "#0072B2"
SYNTHETIC = "#D55E00"
REFERENCE_RANGE = "rgba(0, 158, 115, 0.14)"

_FONT = "'Source Sans Pro', 'Source Sans 3', 'Segoe UI', 'DejaVu Sans', sans-serif"
_SIZE = 14
_LONGEST_SENTENCE = 46
_LONGEST_LINE = 38
"""Characters of a title that a phone shows in one line."""
_LONGEST_ROW = 48
ROW = 80
"""Height of a forest plot's row in pixels."""


def ink(*, dark: bool) -> str:
    """Colour of text."""
    return "#E6EDF3" if dark else "#1F2933"


def quiet(*, dark: bool) -> str:
    """Colour of secondary text and of the hold-out; 4.5:1 on its background."""
    return "#A9B4BE" if dark else "#5B6670"


def ground(*, dark: bool) -> str:
    """Colour of the page behind a chart."""
    return "#10171D" if dark else "#FFFFFF"


def diverging(kind: str, *, dark: bool) -> tuple[str, str, str]:
    """Lowest, middle and highest colour of a heat map of ``"association"`` or ``"difference"``."""
    middle = "#1B242C" if dark else "#FFFFFF"
    if kind == "difference":
        return ("#5FCF80", middle, "#C792EA") if dark else ("#1B7837", middle, "#7B3294")
    return ("#F28C4A", middle, "#4DA3DB") if dark else (SYNTHETIC, middle, REAL)


def template(*, dark: bool) -> go.layout.Template:
    """The plotly template of every chart."""
    line = "#33404B" if dark else "#D9DEE3"
    axis: dict[str, Any] = {
        "gridcolor": line,
        "linecolor": line,
        "zerolinecolor": line,
        "ticks": "",
        "automargin": True,
        "title": {"font": {"size": _SIZE - 1}, "standoff": 8},
        "tickfont": {"size": _SIZE - 2},
    }
    return go.layout.Template(
        layout={
            "font": {"family": _FONT, "size": _SIZE, "color": ink(dark=dark)},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": [REAL, SYNTHETIC, quiet(dark=dark)],
            # Below title and subtitle there is room for a legend of two lines, as a phone shows it.
            "margin": {"l": 12, "r": 12, "t": 116, "b": 12},
            "title": {
                "x": 0,
                "xref": "container",
                "pad": {"l": 12, "t": 14},
                "y": 1,
                "yanchor": "top",
                "yref": "container",
                "font": {"size": _SIZE + 2},
                "subtitle": {"font": {"size": _SIZE - 2, "color": quiet(dark=dark)}},
            },
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1,
                "yanchor": "bottom",
                "font": {"size": _SIZE - 1},
                "itemsizing": "constant",
            },
            "hoverlabel": {"bgcolor": ground(dark=dark), "font": {"color": ink(dark=dark), "size": _SIZE - 1}},
            "xaxis": axis,
            "yaxis": axis,
        }
    )


def fill(table: str) -> dict[str, Any]:
    """Marker of a bar for ``"real"`` or ``"synthetic"``."""
    if table == "real":
        return {"color": REAL, "line": {"color": REAL, "width": 1}}
    return {
        "color": "rgba(213, 94, 0, 0.18)",
        "line": {"color": SYNTHETIC, "width": 1.5},
        "pattern": {"shape": "/", "fgcolor": SYNTHETIC, "fgopacity": 1, "size": 6, "solidity": 0.35},
    }


def empty_figure(message: str, *, title: str = "", dark: bool = False, height: int = 160) -> go.Figure:
    """A chart's place with a sentence in it."""
    figure = go.Figure()
    lines = textwrap.wrap(message, _LONGEST_SENTENCE, break_on_hyphens=False)
    height = max(height, 70 + 20 * len(lines))
    figure.update_layout(template=template(dark=dark), height=height, title={"text": title}, margin={"t": 40})
    figure.update_xaxes(visible=False).update_yaxes(visible=False)
    figure.add_annotation(
        text="<br>".join(lines),
        x=0.5,
        y=0.5,
        xref="paper",
        yref="paper",
        showarrow=False,
        font={"color": quiet(dark=dark)},
    )
    return figure


def write_row(
    figure: go.Figure, place: int, label: str, numbers: Sequence[tuple[str, int]], *, dark: bool = False
) -> None:
    """The name of a forest plot's row, and below it its numbers, each so many pixels from the left.

    They stand above the row's intervals (drawn below ``place``), which so have the whole width of a phone.
    """
    common: dict[str, Any] = {
        "x": 0, "xref": "paper", "xanchor": "left", "y": place + 0.5, "yanchor": "top", "showarrow": False,
        "align": "left",
    }  # fmt: skip
    colour = ink(dark=dark)
    name = f"<b>{escaped(shortened(label, _LONGEST_ROW))}</b>"
    figure.add_annotation(text=name, font={"size": _SIZE - 1, "color": colour}, **common)
    for text, shift in numbers:
        figure.add_annotation(
            text=text, xshift=shift, yshift=-18, font={"size": _SIZE - 2, "color": colour}, **common
        )  # fmt: skip


def null_line(null: float, places: Sequence[int], *, dark: bool = False) -> go.Scatter:
    """No effect in a forest plot, as a line through the intervals of each row and not through its text."""
    x = [value for _ in places for value in (null, null, None)]
    y = [height for place in places for height in (place + 0.02, place - 0.45, None)]
    line = {"color": quiet(dark=dark), "width": 1.5, "dash": "dot"}
    return go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")


def shortened(text: str, most: int) -> str:
    """``text`` of at most ``most`` characters, cut in the middle so that both ends can be told apart."""
    if len(text) <= most:
        return text
    tail = most // 3
    return f"{text[: most - tail - 1].rstrip()}…{text[-tail:].lstrip()}"


def wrapped(text: str, most: int = _LONGEST_LINE) -> str:
    """``text``, escaped, in lines of about ``most`` characters: plotly cuts a title that is longer than the screen."""
    return "<br>".join(escaped(line) for line in textwrap.wrap(text, most, break_on_hyphens=False)) or ""


def escaped(text: str) -> str:
    """``text`` as plotly shows it literally: names come from files, and plotly reads a little HTML."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
