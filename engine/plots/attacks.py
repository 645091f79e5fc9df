"""The risks of a synthetic cohort: each attack's excess over its control, with the span of the control in grey."""

from typing import Any

import plotly.graph_objects as go

from engine.core.numerals import minus
from engine.plots.theme import ROW, SYNTHETIC, empty_figure, escaped, null_line, quiet, template, write_row

_TITLE = "Risk of patients in the training data"
_MOST_SECRETS = 3
_VERDICTS = {"leak": "found", "none_found": "none found", "too_weak": "too weak to say"}


def attack_rows(entry: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of the figure, also for a table: ``{label, risk, chance, detail, verdict, reason}``.

    ``entry`` is that of :mod:`engine.evaluation.attacks.privacy`. ``risk`` and ``chance`` are ``{value, low, high}`` on
    one scale: 0 as safe as other patients, 1 always exposed. For membership that is twice the area under the ROC curve
    less one. ``verdict`` is in words; ``reason`` says why there is no figure, else is empty.
    """
    rows = []
    membership = entry["membership"]
    for name, label in (("all", "Membership, all patients"), ("rarest", "Membership, rarest patients")):
        group = membership if membership["reason"] else membership["groups"][name]
        if group["reason"]:
            rows.append(_nothing(label, group["reason"]))
            continue
        area = group["auc"][membership["headline"]]
        detail = f"AUC {area['value']:.2f}; at 1 % false alarms: {group['true_positives']['text']}"
        found = {"risk": _advantage(area), "chance": _advantage(group["chance"]), "detail": detail}
        rows.append({"label": label, "verdict": _VERDICTS[group["verdict"]], "reason": ""} | found)
    rows.append(_row("Attribute inference, all columns", entry["attribute"]))
    secrets = entry["attribute"].get("secrets", [])
    exposed = [one for one in secrets if one["verdict"] == "leak"][:_MOST_SECRETS]
    rows += [_row(f"Attribute inference: {one['label']}", one | {"reason": ""}) for one in exposed]
    rows.append(_row("Singling out", entry["singling_out"]))
    rows.append(_row("Exact copies", entry["copies"]))
    return rows


def attacks_figure(entry: dict[str, Any], *, dark: bool = False) -> go.Figure:
    """Forest plot of :func:`attack_rows`: risk as a diamond with its interval, what the control spans as a grey bar."""
    if entry["reason"]:
        return empty_figure(escaped(entry["reason"]), title=_TITLE, dark=dark)
    rows = attack_rows(entry)
    places = list(range(len(rows)))[::-1]
    shown = [(row, place) for row, place in zip(rows, places, strict=True) if not row["reason"]]
    figure = go.Figure()
    figure.add_trace(null_line(0.0, [place for _, place in shown], dark=dark))
    figure.add_trace(
        go.Scatter(
            **_segments(shown, "chance", -0.33),
            mode="lines",
            name="Control: other patients",
            line={"color": quiet(dark=dark), "width": 7},
            opacity=0.55,
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            **_segments(shown, "risk", -0.1),
            mode="lines",
            line={"color": SYNTHETIC, "width": 2, "dash": "4px,2px"},
            legendgroup="risk",
            showlegend=False,
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[row["risk"]["value"] for row, _ in shown],
            y=[place - 0.1 for _, place in shown],
            mode="markers",
            name="Training patients",
            legendgroup="risk",
            marker={
                "symbol": ["diamond" if row["verdict"] == _VERDICTS["leak"] else "diamond-open" for row, _ in shown],
                "size": 11,
                "color": SYNTHETIC,
                "line": {"width": 2, "color": SYNTHETIC},
            },
            hovertext=[
                f"<b>{escaped(row['label'])}</b><br>{_text(row['risk'])}, {row['verdict']}<br>{escaped(row['detail'])}"
                for row, _ in shown
            ],
            hoverinfo="text",
        )
    )
    for row, place in zip(rows, places, strict=True):
        text = "not assessable" if row["reason"] else f"◆ {_text(row['risk'])} · {row['verdict']}"
        write_row(figure, place, row["label"], [(text, 0)], dark=dark)
    ends = [row[part]["low"] for row, _ in shown for part in ("risk", "chance") if row[part]["low"] is not None]
    figure.update_xaxes(
        title={"text": "Risk beyond the control, 95 % interval<br>rounded outwards (0 none, 1 certain)"},
        showgrid=False,
        showline=True,
        zeroline=False,
        ticks="outside",
        range=[max(-1.0, min([-0.05, *ends])) - 0.03, 1.03],
    )
    figure.update_yaxes(range=[-0.5, len(rows) - 0.5], visible=False)
    figure.update_layout(
        template=template(dark=dark),
        title={"text": _TITLE, "subtitle": {"text": "filled: more exposed than other patients"}},
        height=205 + ROW * len(rows),
        margin={"l": 16, "r": 24},
        hovermode="closest",
    )
    return figure


def attacks_alt_text(entry: dict[str, Any]) -> str:
    """The chart in a few sentences: what was found, then every risk."""
    if entry["reason"]:
        return f"{_TITLE}: {entry['reason']}"
    rows = attack_rows(entry)
    found = [row["label"] for row in rows if row["verdict"] == _VERDICTS["leak"]]
    told = f"Training patients are more exposed than others by: {', '.join(found)}." if found else "No risk was found."
    texts = [
        f"{row['label']}: {row['reason'][0].lower() + row['reason'][1:].rstrip('.')}"
        if row["reason"]
        else f"{row['label']}: {_text(row['risk'])}, {row['verdict']}"
        for row in rows
    ]
    return f"Forest plot of privacy risks beyond their controls, 0 none to 1 certain. {told} {'. '.join(texts)}."


def _row(label: str, entry: dict[str, Any]) -> dict[str, Any]:
    if entry["reason"]:
        return _nothing(label, entry["reason"])
    if entry["risk"]["value"] is None:
        return _nothing(label, entry["risk"]["reason"])
    return {
        "label": label,
        "risk": entry["risk"],
        "chance": entry["chance"],
        "detail": f"attack {entry['attack']['text']}; control {entry['control']['text']}",
        "verdict": _VERDICTS[entry["verdict"]],
        "reason": "",
    }


def _nothing(label: str, reason: str) -> dict[str, Any]:
    empty = {"value": None, "low": None, "high": None}
    return {"label": label, "risk": empty, "chance": empty, "detail": "", "verdict": "", "reason": reason}


def _advantage(area: dict[str, Any]) -> dict[str, Any]:
    return {part: None if area[part] is None else round(2 * area[part] - 1, 3) for part in ("value", "low", "high")}


def _segments(rows: list[tuple[dict[str, Any], int]], part: str, shift: float) -> dict[str, list[float | None]]:
    x: list[float | None] = []
    y: list[float | None] = []
    for row, place in rows:
        if row[part]["low"] is not None:
            x += [row[part]["low"], row[part]["high"], None]
            y += [place + shift, place + shift, None]
    return {"x": x, "y": y}


def _text(figure: dict[str, Any]) -> str:
    def number(value: float) -> str:
        return minus(f"{value:.2f}" if value == 0 or abs(value) >= 0.01 else f"{value:.3f}")

    if figure["low"] is None:
        return number(figure["value"])
    return f"{number(figure['value'])} [{number(figure['low'])}, {number(figure['high'])}]"
