"""What each figure of a bake-off means, which values are good, and who does best; imports nothing heavy.

A *line* of the table has ``figures`` and ``cost``: per name ``{"value": number or None, "text": as shown, "reason"}``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

NOT_ASSESSABLE = "not assessable"


@dataclass(frozen=True)
class FigureInfo:
    """A column of the table.

    Attributes:
        name: its key in ``figures`` or ``cost``.
        label: its header.
        meaning: one or two sentences, with the ideal.
        better: which values are better; None where a value is not to be judged by itself.
        digits: after the point.
    """

    name: str
    label: str
    meaning: str
    better: Literal["high", "low", "half"] | None
    digits: int = 3


FIGURES = (
    FigureInfo(
        "quality", "Quality",
        "SDMetrics' overall quality against the training rows: the mean of shapes and pairs. Ideal: 1. It alone says "
        "little, since columns shuffled independently reach 0.9: read C2ST and TSTR beside it.",
        "high",
    ),
    FigureInfo(
        "shapes", "Shapes", "How alike each column is distributed (KS and TV complement, mean over columns). Ideal: 1.",
        "high",
    ),
    FigureInfo(
        "pairs", "Pairs",
        "How alike the associated pairs of columns are (SDMetrics' pair trends, only pairs above its threshold). "
        "Ideal: 1.",
        "high",
    ),
    FigureInfo(
        "c2st", "C2ST",
        "Area under the ROC curve of a classifier that tells synthetic from held-out real rows, rows shuffled. Ideal: "
        "0.5 (it can only guess); 1: it always knows. Of the ceiling: held-out against training rows.",
        "half",
    ),
    FigureInfo(
        "tstr", "TSTR",
        "Train on synthetic, test on real: how well a model that learned the outcome from synthetic rows predicts it "
        "in held-out real patients (AUROC, or R² of a number). Ideal: the TRTR beside it.",
        "high",
    ),
    FigureInfo(
        "trtr", "TRTR",
        "Train on real, test on real: the same model after learning from as many real training rows. What TSTR can "
        "hope for.",
        None,
    ),
    FigureInfo(
        "copies", "Copies: training",
        "Synthetic rows that equal a training row in every column. Ideal: no more often than they equal a held-out "
        "row, and than held-out rows equal a training row (the ceiling's line).",
        "low",
    ),
    FigureInfo(
        "copies_holdout", "Copies: held-out",
        "Synthetic rows that equal a held-out row, which no generator has seen: chance alone.",
        None,
    ),
    FigureInfo(
        "closer", "Closer to training",
        "Share of synthetic rows whose nearest real row is a training row rather than one of as many held-out rows. "
        "Ideal: 0.5; more means that training rows are remembered. As many training rows are drawn as there are "
        "held-out ones, so with four times as many of them a copy of all reaches 0.63, not 1. A sanity figure: it does "
        "not prove privacy.",
        "half",
    ),
    FigureInfo(
        "implausible", "Impossible",
        "Rows that break a rule of what no patient can be, as the generator makes them; such rows are never returned "
        "in a cohort. Ideal: 0.",
        "low", 4,
    ),
)  # fmt: skip
COSTS = (
    FigureInfo("fit_cpu_seconds", "Fit, CPU s", "Processor time of the training, in seconds.", "low", 1),
    FigureInfo("fit_wall_seconds", "Fit, wall s", "Time of the training on the clock, in seconds.", "low", 1),
    FigureInfo(
        "peak_memory_mb", "Peak MB",
        "Most memory that the whole process held during the training, libraries and the table included, in MiB.",
        "low", 0,
    ),
    FigureInfo(
        "rows_per_second", "Rows/s",
        "Synthetic rows for each second of processor time, in a draw of 50,000. Packages of which only synthetic rows "
        "are kept draw them during the fit, whose time includes it.",
        "high", 0,
    ),
)  # fmt: skip


def figure(value: float | None, *, digits: int = 3, text: str = "", reason: str = "") -> dict[str, Any]:
    """A cell: ``value`` rounded, its ``text``, and the ``reason`` where there is no value."""
    if value is None:
        return {"value": None, "text": text or NOT_ASSESSABLE, "reason": reason}
    return {"value": round(float(value), digits), "text": text or f"{value:,.{digits}f}", "reason": reason}


def missing(names: Sequence[str], reason: str) -> dict[str, dict[str, Any]]:
    """Cells without value, for ``reason``."""
    return {name: figure(None, reason=reason) for name in names}


def best(lines: Sequence[Mapping[str, Any]]) -> set[tuple[str, str]]:
    """(line's key, figure's name) of the best values; none where fewer than two lines have one or all are alike."""
    found = set()
    for info in (*FIGURES, *COSTS):
        if info.better is None:
            continue
        values = {line["key"]: _value(line, info.name) for line in lines}
        distances = {key: _distance(info, value) for key, value in values.items() if value is not None}
        if len(set(distances.values())) < 2:
            continue
        least = min(distances.values())
        found |= {(key, info.name) for key, distance in distances.items() if distance == least}
    return found


def _value(line: Mapping[str, Any], name: str) -> float | None:
    cell = {**line.get("figures", {}), **line.get("cost", {})}.get(name)
    return None if cell is None else cell["value"]


def _distance(info: FigureInfo, value: float) -> float:
    """From the ideal, in the figure's own digits: what rounds alike is alike."""
    if info.better == "half":
        return round(abs(value - 0.5), info.digits)
    return round(-value if info.better == "high" else value, info.digits)
