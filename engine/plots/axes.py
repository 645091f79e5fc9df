"""Where the bars of a binned column stand: positions, widths, heights and ticks, from an entry's ``bins``."""

import datetime
import math
from dataclasses import dataclass
from typing import Any

from engine.core.numerals import minus

_MOST_TICKS = 9


@dataclass(frozen=True)
class Layout:
    """Bars along the value axis, in the axis' own coordinates (logarithms for a logarithmic scale, days for dates).

    Attributes:
        starts: left edge of each bin.
        widths: width of each bin; an open end is drawn as wide as a typical bin.
        factors: height per share, so that areas stay comparable where bins were merged.
        ticks: positions of the tick labels.
        labels: their texts.
        uneven: whether bins differ in width.
        closed: where the bins with two edges begin and end.
    """

    starts: list[float]
    widths: list[float]
    factors: list[float]
    ticks: list[float]
    labels: list[str]
    uneven: bool
    closed: tuple[float, float]

    @property
    def span(self) -> tuple[float, float]:
        """Start and end of the axis."""
        return self.starts[0], self.starts[-1] + self.widths[-1]


def lay_out(column: dict[str, Any]) -> Layout:
    """Positions for the ``bins`` of a histogram entry (:mod:`engine.evaluation.columns`)."""
    bins = column["bins"]
    shift = -0.5 if column["kind"] == "integer" and column["scale"] == "linear" else 0.0
    lows = [position(b["low"], column, shift) for b in bins]
    highs = [position(b["high"], column, shift) for b in bins]
    closed = sorted(high - low for low, high in zip(lows, highs, strict=True) if low is not None and high is not None)
    typical = closed[len(closed) // 2] if closed else 1.0
    starts, widths = [], []
    for low, high in zip(lows, highs, strict=True):
        if low is None and high is None:
            low, high = 0.0, 1.0
        start = low if low is not None else float(high or 0) - typical
        starts.append(start)
        widths.append((high if high is not None else start + typical) - start)
    factors = [typical / width for width in widths]
    ticks, labels = _ticks(column, shift)
    uneven = max(widths) / min(widths) > (1.6 if column["scale"] == "log" else 1.2)
    first = starts[0] if lows[0] is not None else starts[0] + widths[0]
    last = starts[-1] + widths[-1] if highs[-1] is not None else starts[-1]
    return Layout(starts, widths, factors, ticks, labels, uneven and column["scale"] != "date", (first, last))


def position(value: float | None, column: dict[str, Any], shift: float = 0.0) -> float | None:
    """Where ``value`` lies on the axis; None stays None."""
    if value is None:
        return None
    if column["scale"] == "log":
        return math.log10(value) if value > 0 else None
    return float(value) + shift


def _ticks(column: dict[str, Any], shift: float) -> tuple[list[float], list[str]]:
    bins = column["bins"]
    edges = [b["low"] for b in bins if b["low"] is not None]
    if bins[-1]["high"] is not None:
        edges.append(bins[-1]["high"])
    if bins[0]["low"] is None and bins[0]["high"] is not None and bins[0]["high"] not in edges:
        edges.insert(0, bins[0]["high"])
    whole = column["kind"] == "integer" and column["scale"] == "linear"
    single = whole and all(b["high"] - b["low"] == 1 for b in bins if b["low"] is not None and b["high"] is not None)
    every = max(1, math.ceil(len(edges) / _MOST_TICKS))
    kept = edges[::every]
    last = bins[-1]["low"]
    if bins[-1]["high"] is None and last is not None and last not in kept:
        # The open end is named even where its neighbour has to give way.
        kept = [*kept[:-1], last] if len(edges) - 1 - edges.index(kept[-1]) < every else [*kept, last]
    if bins[-1]["high"] is not None and single:
        kept = [edge for edge in kept if edge != bins[-1]["high"]]
    ticks, labels = [], []
    for edge in kept:
        text = tick_text(edge, column)
        is_last, is_first = (
            bins[-1]["high"] is None and edge == last,
            bins[0]["low"] is None and edge == bins[0]["high"],
        )
        if is_last:
            text = f"≥ {text}" if column["scale"] != "date" else f"from {text}"
        elif is_first and column["scale"] != "date" and not single:
            text = f"&lt; {text}"
        at = position(edge, column, 0.0 if single else shift)
        if at is not None:
            ticks.append(at)
            labels.append(text)
    if single and bins[0]["low"] is None and bins[0]["high"] is not None:
        # A whole number's bar stands over it, and so does the one for everything below.
        ticks.insert(0, bins[0]["high"] - 1)
        labels.insert(0, f"&lt; {tick_text(bins[0]['high'], column)}")
    return ticks, labels


def tick_text(value: float, column: dict[str, Any]) -> str:
    """A number of the axis as text."""
    if column["scale"] == "date":
        day = datetime.date(1970, 1, 1) + datetime.timedelta(days=int(value))
        return day.isoformat() if day.day > 1 else (f"{day:%Y-%m}" if day.month > 1 else f"{day:%Y}")
    if column["scale"] == "log":
        return f"{value:,.6g}" if value < 1e6 else f"{value:,.0f}"
    return minus(f"{value:,.{column['decimals']}f}")
