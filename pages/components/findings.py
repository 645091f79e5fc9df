"""The Compare page's findings at a glance, its Table 1, and what tells synthetic from real rows."""

from typing import Any

import pandas as pd
import streamlit as st

from engine.evaluation.table_lines import lines
from pages.components.state import is_dark, studio
from pages.components.text import plain

_HEADS = {
    "characteristic": "Characteristic",
    "statistic": "Statistic",
    "real": "Real",
    "synthetic": "Synthetic",
    "holdout": "Held-out real",
    "smd_synthetic": "SMD, synthetic",
    "smd_holdout": "SMD, held-out real",
}


def cards(result: dict[str, Any]) -> None:
    """Fidelity, utility and privacy: a figure, its reference on real patients, a sentence."""
    found = result["cards"]
    for place, card in zip(st.columns(len(found)), found.values(), strict=True):
        with place, st.container(border=True, height="stretch"):
            pending = card["state"] == "pending"
            st.metric(card["label"], "…" if pending else card["value"], help=card["meaning"])
            if pending or card["reference"]:
                st.caption("Not made yet" if pending else plain(card["reference"]))
            if card["sentence"]:
                st.markdown(plain(card["sentence"]))


def notes(result: dict[str, Any]) -> None:
    """Which real rows the cohort was compared with, and what to know about it."""
    told = [result["reference"]["sentence"], *(f":material/info: {plain(note)}" for note in result["notes"])]
    st.caption("  \n".join(told))


def is_unfinished(result: dict[str, Any]) -> bool:
    """Whether sections are still to come."""
    return any(one["state"] == "pending" for one in result["sections"].values())


def has_failed(result: dict[str, Any]) -> bool:
    """Whether a section could not be made."""
    return any(one["state"] == "failed" for one in result["sections"].values())


def is_there(result: dict[str, Any], section: str) -> bool:
    """Whether the section is made, and then its mark as internal; else the page says that it is to come, or failed."""
    told = result["sections"][section]
    if told["state"] == "pending":
        st.info("This section is not made yet.", icon=":material/hourglass_empty:")
        return False
    if told["state"] == "failed":
        st.error(f"This section is not there. {plain(told['reason'])}", icon=":material/error:")
        return False
    st.caption(":material/lock: Internal: computed on real rows, for people who may see them. Not part of an export.")
    return True


def table_one(result: dict[str, Any]) -> None:
    """Every column of the three tables side by side, and the Love plot of the differences."""
    if not is_there(result, "table_one"):
        return
    found = result["table_one"]
    figure, text = studio().comparison.love(found, dark=is_dark())
    st.plotly_chart(figure, width="stretch", theme=None, key="love", alt=text)
    rows = pd.DataFrame(lines(found), columns=list(_HEADS))
    # Leading spaces would be swallowed on the screen.
    rows["characteristic"] = rows["characteristic"].str.replace("  ", "\u2003")
    st.dataframe(
        rows.rename(columns=_HEADS), hide_index=True, height=560, key="table-one",
        alt="Table 1: every column of real, synthetic and held-out real patients with standardised differences",
    )  # fmt: skip
    for note in found["notes"]:
        st.caption(plain(note))


def detection(result: dict[str, Any]) -> None:
    """How well a classifier tells synthetic from real rows, and by which columns."""
    if not is_there(result, "detection"):
        return
    found = result["detection"]
    if found["reason"]:
        st.info(found["reason"])
        return
    names = {"synthetic": "AUC, synthetic against real", "holdout": "AUC, held-out real against real"}
    for place, (table, name) in zip(st.columns(len(names)), names.items(), strict=True):
        with place, st.container(border=True, height="stretch"):
            st.metric(name, figure_text(found["auc"][table]), help="0.5 is guessing, 1 is certainty.")
            st.caption(interval_text(found["auc"][table]))
    st.markdown(plain(found["sentence"]))
    if found["columns"]:
        st.subheader("What gives the synthetic rows away", anchor=False)
        st.dataframe(
            [
                {
                    "Column": one["label"],
                    "AUC lost without it": one["drop"]["synthetic"],
                    "AUC lost, held-out real": one["drop"]["holdout"],
                    "AUC by itself": one["alone"]["synthetic"],
                    "AUC by itself, held-out real": one["alone"]["holdout"],
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
                    "AUC together": one["auc"]["synthetic"],
                    "AUC of each": " and ".join(f"{value:.2f}" for value in one["alone"]),
                    "AUC together, held-out real": one["auc"]["holdout"],
                }
                for one in found["pairs"]
            ],
            hide_index=True, key="telling-pairs", alt="Pairs of columns that tell more together than alone",
        )  # fmt: skip
    for note in found["notes"]:
        st.caption(plain(note))


def figure_text(figure: dict[str, Any], digits: int = 2) -> str:
    """The value of ``{value, low, high, reason}`` for the screen."""
    return "not assessable" if figure["value"] is None else f"{figure['value']:.{digits}f}".replace("-", "−")


def with_interval(figure: dict[str, Any]) -> str:
    """The value and its interval, or the reason why either is missing, in one line of a table."""
    if figure["value"] is None:
        return figure["reason"] or "not assessable"
    value = figure_text(figure)
    if figure["low"] is None:
        return value
    return f"{value} [{figure['low']:.2f}, {figure['high']:.2f}]".replace("-", "−")


def interval_text(figure: dict[str, Any]) -> str:
    """Its 95 % interval, or why there is none."""
    if figure["low"] is None:
        return plain(figure["reason"])
    return f"95 % interval {figure['low']:.2f} to {figure['high']:.2f}".replace("-", "−")
