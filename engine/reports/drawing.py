"""How every figure of a report looks, and how it becomes SVG: real solid blue, synthetic dashed or hatched vermilion.

The two colours are Okabe and Ito's, as on the dashboard; no table is told by its colour alone. Letters are drawn as
paths, so that a figure looks the same in a browser, on paper and on a machine without the font. Only the worker and the
command line import this module: it loads matplotlib.
"""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from engine.reports.content import clean

REAL, SYNTHETIC, GREY, INK = "#0072B2", "#D55E00", "#5B6670", "#1F2933"
NAMES = {"real": "Real", "synthetic": "Synthetic", "holdout": "Held-out real"}
LINES: dict[str, dict[str, Any]] = {
    "real": {"color": REAL, "linestyle": "solid", "marker": "s"},
    "synthetic": {"color": SYNTHETIC, "linestyle": (0, (4, 2)), "marker": "D", "markerfacecolor": "white"},
}
HATCHED: dict[str, Any] = {"facecolor": "#FBEBDD", "edgecolor": SYNTHETIC, "hatch": "/////", "linewidth": 0.9}
SOLID: dict[str, Any] = {"facecolor": REAL, "edgecolor": REAL, "linewidth": 0.5}

_ORDER = ("Real", "Synthetic", "Held-out real")
_TITLE, _LEGEND = 0.23, 0.2
"""Inches."""
FULL, TILE = 5.6, 3.2
"""Inches. A tile is half of a page's text; a full figure stays legible on a phone."""
NATURAL = 0.84
"""Share of the text's width that makes a full figure's letters as large on paper as they are drawn."""

_STYLE: Any = {
    "svg.fonttype": "path",
    "svg.hashsalt": "report",
    # A name may hold two dollar signs; it is no formula for that.
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#9AA5AF",
    "axes.linewidth": 0.7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "hatch.linewidth": 0.7,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
}


def label(text: Any, most: int = 34) -> str:
    """``text`` for a figure: of at most ``most`` characters, cut in the middle so that both ends can be told apart."""
    words = clean(text)
    if len(words) <= most:
        return words
    tail = most // 3
    return f"{words[: most - tail - 1].rstrip()}…{words[-tail:].lstrip()}"


@contextmanager
def _styled() -> Iterator[None]:
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # A script that the font lacks is drawn as boxes; the name stands beside in letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def drawn(
    width: float,
    height: float,
    draw: Callable[[Axes], object],
    *,
    title: str = "",
    grid: str = "",
    legend: bool = True,
) -> str:
    """SVG of one pair of axes, ``width`` by ``height`` inches, that ``draw`` fills.

    Title and legend stand above the axes at the left edge, however long the names on the axis are. ``grid``: ``"x"`` or
    ``"y"``.
    """
    with _styled():
        drawing = Drawing(figsize=(width, height))
        top = (_TITLE if title else 0.0) + (_LEGEND if legend else 0.0)
        drawing.set_layout_engine("constrained", rect=(0, 0, 1, 1 - top / height), h_pad=0.04, w_pad=0.04)
        axes = drawing.add_subplot()
        if grid in ("x", "y"):
            axes.grid(axis=grid, color="#E3E7EB", linewidth=0.6)
            axes.set_axisbelow(True)
        draw(axes)
        if title:
            words = drawing.text(0.01, 1 - 0.03 / height, title, va="top", fontsize=9.5, fontweight="bold")
            words.set_in_layout(False)
        if legend:
            _legend(drawing, axes, 1 - (_TITLE if title else 0.02) / height)
        out = io.StringIO()
        drawing.savefig(out, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _small(out.getvalue())


def _legend(drawing: Drawing, axes: Axes, height: float) -> None:
    found = {name: handle for handle, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    order = [name for name in _ORDER if name in found] + [name for name in found if name not in _ORDER]
    beside = drawing.legend(
        [found[name] for name in order], order, loc="upper left", bbox_to_anchor=(0.0, height), ncols=4,
        handlelength=2.0, columnspacing=1.1, borderaxespad=0.1, borderpad=0.2,
    )  # fmt: skip
    beside.set_in_layout(False)


def _small(text: str) -> str:
    """The drawing without what is not seen, numbers cut to hundredths of a point: a report holds a hundred drawings."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"([1-9]\d*\.\d\d)\d+", r"\1", text)
    text = re.sub(r"\s*\n\s*", " ", text)
    return re.sub(r">\s+<", "><", text).replace('"', "'")
