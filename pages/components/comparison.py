"""The distributions and associations of the Compare page."""

from typing import Any

import pandas as pd
import streamlit as st

from pages.components.findings import is_there
from pages.components.state import is_dark, studio
from pages.components.text import plain


def _scores(result: dict[str, Any]) -> None:
    """SDMetrics scores, each with what held-out real patients reach beside it."""
    figures = result["scores"]["figures"]
    with st.expander("All scores"):
        st.dataframe(
            [
                {
                    "Score": entry["label"],
                    "Synthetic": _score(entry["synthetic"]),
                    "Held-out real": _score(entry["holdout"]),
                    "Real, half against half": _score(entry["halves"]),
                    "Meaning": entry["meaning"],
                }
                for entry in figures.values()
            ],
            hide_index=True,
            key="scores",
            alt="Scores of the synthetic patients beside those of real patients",
        )
        for note in result["scores"]["notes"]:
            st.caption(note)


def _score(figure: dict[str, Any]) -> str:
    return "not assessable" if figure["value"] is None else f"{figure['value']:.1%}"


def distributions(result: dict[str, Any]) -> None:
    """Side-by-side bars of every column, by group, and the same figures as a table."""
    if not is_there(result, "columns"):
        return
    columns = result["columns"]
    groups = list(dict.fromkeys(column["group"] or "Other" for column in columns))
    picked = st.pills("Show", groups, default=groups[0], key="groups") or groups[0]
    members = [column for column in columns if (column["group"] or "Other") == picked]
    drawn = [column for column in members if column["shown"]]
    for start in range(0, len(drawn), 2):
        for place, column in zip(st.columns(2), drawn[start : start + 2], strict=False):
            figure, text = studio().comparison.distribution(column, dark=is_dark())
            place.plotly_chart(figure, width="stretch", theme=None, key=f"distribution-{column['name']}", alt=text)
    for column in members:
        if not column["shown"]:
            st.caption(f"**{plain(column['title'])}**: {plain(column['reason'])}")
    with st.expander("The same as a table"):
        st.dataframe(
            pd.DataFrame([_line(column) for column in columns]), hide_index=True, key="figures",
            alt="Every column's real and synthetic figures",
        )  # fmt: skip


def _line(column: dict[str, Any]) -> dict[str, Any]:
    similarity = column.get("similarity") or {}
    return {
        "Column": column["title"],
        "Real": typical(column, "real"),
        "Synthetic": typical(column, "synthetic"),
        "Missing, real": _percent(column["missing"]["real"]),
        "Missing, synthetic": _percent(column["missing"]["synthetic"]),
        "Similarity": similarity.get("synthetic"),
        "Similarity, held-out real": similarity.get("holdout"),
    }


def typical(column: dict[str, Any], table: str) -> str:
    """Median [quartiles] of a number, the most frequent category of the others."""
    if not column["shown"]:
        return "not shown"
    if column["form"] == "histogram":
        stats = (column.get("stats") or {}).get(table) or {}
        if column["scale"] == "date" or any(stats.get(name) is None for name in ("median", "q1", "q3")):
            return "" if column["scale"] == "date" else "not shown"
        return f"{stats['median']:g} [{stats['q1']:g}, {stats['q3']:g}]"
    shown = [cell for cell in column["bins"] if cell.get(table) is not None]
    if not shown:
        return "not shown"
    most = max(shown, key=lambda cell: cell[table])
    return f"{most['label']}: {most[table]:.0%}"


def _percent(share: float | None) -> str:
    return "not shown" if share is None else f"{share:.0%}"


def associations(result: dict[str, Any]) -> None:
    """Three heat maps: real, synthetic, and where they differ; and SDMetrics' scores of columns and pairs."""
    if is_there(result, "associations"):
        _maps(result)
    if result["sections"]["scores"]["state"] != "pending" and is_there(result, "scores"):
        _scores(result)


def _maps(result: dict[str, Any]) -> None:
    if not result["associations"].get("titles"):
        st.info("There are too few real patients to show associations.")
        return
    st.caption(result["associations"]["measure"])
    for which in ("real", "synthetic", "difference"):
        figure, text = studio().comparison.association(result, which, dark=is_dark())
        st.plotly_chart(figure, width="stretch", theme=None, key=f"association-{which}", alt=text)
