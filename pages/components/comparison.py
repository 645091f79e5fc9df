"""The sections of the Compare page."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.components.state import studio


def scores(result: dict[str, Any]) -> None:
    """SDMetrics scores, each with the hold-out patients' own score beside it."""
    reference = result["reference"]
    st.caption(reference["text"])
    shown = result["scores"]
    for card, entry in zip(st.columns(len(shown)), shown, strict=True):
        with card, st.container(border=True, height="stretch"):
            value = entry["synthetic"]
            st.metric(entry["title"], "not assessable" if value is None else f"{value:.1%}", help=entry["help"])
            held = entry["holdout"]
            st.caption(f"Held-out real patients: {'not assessable' if held is None else f'{held:.1%}'}")
            if entry.get("reason"):
                st.caption(entry["reason"])


def distributions(result: dict[str, Any]) -> None:
    """Side-by-side bars of every column, by group, and the same figures as a table."""
    columns = result["columns"]
    groups = list(dict.fromkeys(column.get("group") or "Other" for column in columns))
    picked = st.pills("Show", groups, default=groups[0], key="groups") or groups[0]
    shown = [column for column in columns if (column.get("group") or "Other") == picked]
    grid = st.columns(2)
    for number, column in enumerate(shown):
        with grid[number % 2]:
            figure, text = studio().comparison.distribution(column)
            st.plotly_chart(figure, width="stretch", key=f"distribution-{column['name']}", alt=text)
    with st.expander("The same as a table"):
        st.dataframe(
            pd.DataFrame([_line(column) for column in columns]), hide_index=True, key="figures",
            alt="Every column's real and synthetic figures",
        )  # fmt: skip


def _line(column: dict[str, Any]) -> dict[str, Any]:
    real, synthetic = column.get("real") or {}, column.get("synthetic") or {}
    return {
        "Column": column["title"],
        "Real": real.get("summary", ""),
        "Synthetic": synthetic.get("summary", ""),
        "Missing, real": _percent(column["missing"]["real"]),
        "Missing, synthetic": _percent(column["missing"]["synthetic"]),
        "Similarity": column.get("similarity"),
    }


def _percent(share: float | None) -> str:
    return "not shown" if share is None else f"{share:.0%}"


def associations(result: dict[str, Any]) -> None:
    """Three heat maps: real, synthetic, and where they differ."""
    for card, which in zip(st.columns(3), ("real", "synthetic", "difference"), strict=True):
        with card:
            st.plotly_chart(
                studio().comparison.association(result, which), width="stretch", key=f"association-{which}",
                alt=f"Heat map of associations between columns: {which}",
            )  # fmt: skip
