"""The Compare page's findings at a glance, its Table 1, and what tells synthetic from real rows."""

from typing import Any

import pandas as pd
import streamlit as st

from engine.core.numerals import minus
from engine.evaluation.table_lines import lines
from pages.components.state import is_dark, studio
from pages.components.text import told

_HEADS = {
    "characteristic": "Characteristic",
    "statistic": "Statistic",
    "real": "Real",
    "synthetic": "Synthetic",
    "holdout": "Held-out real",
    "smd_synthetic": "SMD, synthetic",
    "smd_holdout": "SMD, held-out real",
}

_INTERNAL = ":material/lock: Internal: computed on real rows, for people who may see them. Not part of an export."
_PRIVATE = ":material/shield: Computed on a differentially private summary: no real row is behind these figures."

_FIGURE = st.column_config.TextColumn(width=130, alignment="right")


def cards(result: dict[str, Any]) -> None:
    """Fidelity, utility and privacy: a figure, its reference on real patients, a sentence."""
    found = result["cards"]
    st.caption(_source(result))
    for place, card in zip(st.columns(len(found)), found.values(), strict=True):
        with place, st.container(border=True, height="stretch"):
            pending = card["state"] == "pending"
            st.metric(card["label"], "…" if pending else minus(card["value"]), help=card["meaning"])
            if pending or card["reference"]:
                st.caption("Not made yet" if pending else told(card["reference"]))
            if card["sentence"]:
                st.markdown(told(card["sentence"]))


def notes(result: dict[str, Any]) -> None:
    """Which real rows the cohort was compared with, and what to know about it."""
    reference = result["reference"]
    if reference["dropped"]:
        # What every figure below is measured against is not what was asked for: nobody may overlook it.
        st.warning(told(reference["sentence"]), icon=":material/group_off:")
    else:
        st.markdown(told(reference["sentence"]))
    if result["notes"]:
        st.caption("  \n".join(f":material/info: {told(note)}" for note in result["notes"]))


def is_unfinished(result: dict[str, Any]) -> bool:
    """Whether sections are still to come."""
    return any(one["state"] == "pending" for one in result["sections"].values())


def has_failed(result: dict[str, Any]) -> bool:
    """Whether a section could not be made."""
    return any(one["state"] == "failed" for one in result["sections"].values())


def is_there(result: dict[str, Any], section: str) -> bool:
    """Whether the section is made, and then its mark as internal; else the page says that it is to come, or failed."""
    stands = result["sections"][section]
    if stands["state"] == "pending":
        st.info("This section is not made yet.", icon=":material/hourglass_empty:")
        return False
    if stands["state"] == "failed":
        st.error(f"This section could not be made. {told(stands['reason'])}", icon=":material/error:")
        return False
    st.caption(_source(result))
    return True


def is_of_summary(result: dict[str, Any]) -> bool:
    """Whether a private summary stands for the real rows, as none ships with the model."""
    return result["reference"]["kind"] == "summary"


def _source(result: dict[str, Any]) -> str:
    return _PRIVATE if is_of_summary(result) else _INTERNAL


def table_one(result: dict[str, Any]) -> None:
    """Every column of the three tables side by side, and the Love plot of the differences."""
    if not is_there(result, "table_one"):
        return
    found = result["table_one"]
    figure, text = studio().comparison.love(result, dark=is_dark())
    st.plotly_chart(figure, width="stretch", theme=None, key="love", alt=text)
    heads = [name for name in _HEADS if "holdout" not in name or "holdout" in found["tables"]]
    named = _HEADS | ({"real": "Private summary"} if is_of_summary(result) else {})
    rows = pd.DataFrame(lines(found), columns=heads)
    # Leading spaces would be swallowed on the screen.
    rows["characteristic"] = rows["characteristic"].str.replace("  ", "\u2003")
    st.dataframe(
        rows.rename(columns=named), hide_index=True, height=560, key="table-one",
        column_config={
            "Characteristic": st.column_config.TextColumn(width=230, pinned=True),
            **{name: st.column_config.TextColumn(width=150) for name in ("Real", "Synthetic", "Held-out real")},
            **{name: _FIGURE for name in _HEADS.values() if "SMD" in name},
        },
        alt="Table 1: every column of real, synthetic and held-out real patients with standardised differences",
    )  # fmt: skip
    for note in found["notes"]:
        st.caption(told(note))


def detection(result: dict[str, Any]) -> None:
    """How well a classifier tells synthetic from real rows, and by which columns."""
    if not is_there(result, "detection"):
        return
    found = result["detection"]
    if found["reason"]:
        st.info(told(found["reason"]))
        return
    names = {"synthetic": "AUC, synthetic against real", "holdout": "AUC, held-out real against real"}
    for place, (table, name) in zip(st.columns(len(names)), names.items(), strict=True):
        with place, st.container(border=True, height="stretch"):
            st.metric(name, figure_text(found["auc"][table]), help="0.5 is guessing, 1 is certainty.")
            st.caption(interval_text(found["auc"][table]))
    st.markdown(told(found["sentence"]))
    if found["columns"]:
        st.subheader("What gives the synthetic rows away", anchor=False)
        st.dataframe(
            [
                {
                    "Column": one["label"],
                    "AUC lost without it": _three(one["drop"]["synthetic"]),
                    "AUC lost, held-out real": _three(one["drop"]["holdout"]),
                    "AUC by itself": _three(one["alone"]["synthetic"]),
                    "AUC by itself, held-out real": _three(one["alone"]["holdout"]),
                }
                for one in found["columns"]
            ],
            hide_index=True, key="telling-columns", alt="Columns that give synthetic rows away, the most telling first",
        )  # fmt: skip
    if found["pairs"]:
        st.subheader("Pairs that tell more than either column", anchor=False)
        st.dataframe(
            [
                {
                    "Pair": " and ".join(one["labels"]),
                    "AUC together": _three(one["auc"]["synthetic"]),
                    "AUC of each": " and ".join(_three(value) for value in one["alone"]),
                    "AUC together, held-out real": _three(one["auc"]["holdout"]),
                }
                for one in found["pairs"]
            ],
            hide_index=True, key="telling-pairs", alt="Pairs of columns that tell more together than alone",
        )  # fmt: skip
    for note in found["notes"]:
        st.caption(told(note))


def figure_text(figure: dict[str, Any], digits: int = 2) -> str:
    """The value of ``{value, low, high, reason}`` for the screen."""
    return "not assessable" if figure["value"] is None else minus(f"{figure['value']:.{digits}f}")


def _three(value: float | None) -> str:
    return "not assessable" if value is None else minus(f"{value:.3f}")


def with_interval(figure: dict[str, Any]) -> str:
    """The value and its interval, or the reason why either is missing, in one line of a table."""
    if figure["value"] is None:
        return minus(figure["reason"] or "not assessable")
    value = figure_text(figure)
    if figure["low"] is None:
        return value
    return minus(f"{value} [{figure['low']:.2f}, {figure['high']:.2f}]")


def interval_text(figure: dict[str, Any]) -> str:
    """Its 95 % interval, or why there is none."""
    if figure["low"] is None:
        return told(figure["reason"])
    return minus(f"95 % interval {figure['low']:.2f} to {figure['high']:.2f}")
