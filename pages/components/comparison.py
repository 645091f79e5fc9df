"""The distributions and associations of the Compare page."""

from typing import Any

import pandas as pd
import streamlit as st

from engine.core.numerals import minus
from pages.components.findings import is_of_summary, is_there
from pages.components.state import is_dark, studio
from pages.components.text import plain, told

_BESIDE, _OVERLAID = "Side by side", "Overlaid"
_TWO_DIGITS = st.column_config.NumberColumn(format="%.2f")
_MOST_PAIRS = 500


def _scores(result: dict[str, Any]) -> None:
    """SDMetrics scores, each with what held-out real patients reach beside it."""
    figures = result["scores"]["figures"]
    beside = {"holdout": "Held-out real", "halves": "Real, half against half"}
    if is_of_summary(result):
        beside = {"noise": "Noise alone"}
    with st.expander("All scores"):
        st.dataframe(
            [
                {
                    "Score": entry["label"],
                    "Synthetic": _score(entry["synthetic"]),
                    **{head: _score(entry[name]) for name, head in beside.items()},
                    "Meaning": entry["meaning"],
                }
                for entry in figures.values()
            ],
            hide_index=True,
            key="scores",
            column_config={"Meaning": st.column_config.TextColumn(width="large")},
            alt="Scores of the synthetic patients beside those of real patients",
        )
        for note in result["scores"]["notes"]:
            st.caption(note)


def _score(figure: dict[str, Any]) -> str:
    return "not assessable" if figure["value"] is None else f"{figure['value']:.1%}"


def distributions(result: dict[str, Any]) -> None:
    """Bars of every column, by group, side by side or overlaid; and the same figures as tables."""
    if not is_there(result, "columns"):
        return
    columns = result["columns"]
    groups = list(dict.fromkeys(column["group"] or "Other" for column in columns))
    with st.container(horizontal=True, vertical_alignment="bottom", horizontal_alignment="distribute"):
        picked = st.pills("Show", groups, default=groups[0], required=True, key="groups")
        view = st.segmented_control(
            "Real and synthetic", (_BESIDE, _OVERLAID), default=_BESIDE, required=True, key="view",
            persist_state="session",
        )  # fmt: skip
    members = [column for column in columns if (column["group"] or "Other") == picked]
    drawn = [column for column in members if column["shown"]]
    for start in range(0, len(drawn), 2):
        for place, column in zip(st.columns(2), drawn[start : start + 2], strict=False):
            figure, text = studio().comparison.distribution(column, dark=is_dark(), overlay=view == _OVERLAID)
            place.plotly_chart(figure, width="stretch", theme=None, key=f"distribution-{column['name']}", alt=text)
    for column in members:
        if not column["shown"]:
            st.caption(f"**{plain(column['title'])}**: {told(column['reason'])}")
    with st.expander("The same as a table"):
        st.dataframe(
            pd.DataFrame([_line(column) for column in members]), hide_index=True, key="figures",
            column_config={
                "Column": st.column_config.TextColumn(width="medium", pinned=True), "Similarity": _TWO_DIGITS,
                "Similarity, held-out real": _TWO_DIGITS, "Similarity, noise alone": _TWO_DIGITS,
            },
            alt=f"Real and synthetic figures of each column of the group {picked}",
        )  # fmt: skip
        st.dataframe(
            pd.DataFrame([line for column in drawn for line in _bars(column)]), hide_index=True, key="bars",
            column_config={
                "Column": st.column_config.TextColumn(width="medium", pinned=True),
                "Bar": st.column_config.TextColumn(width="medium"),
            },
            alt=f"Every bar of the charts of the group {picked}: shares of real, synthetic and held-out real rows",
        )  # fmt: skip


def _bars(column: dict[str, Any]) -> list[dict[str, str]]:
    """A chart's bars as lines of a table; of a share that is not shown, why."""
    # A name of a category stays as it is written; an interval is of numbers.
    named = minus if column["form"] == "histogram" and column["scale"] != "date" else str
    bars = [(named(one["label"]), one, one["note"]) for one in column["bins"]]
    bars.append(("missing", column["missing"], column["missing"]["note"]))
    return [
        {
            "Column": column["title"],
            "Bar": label,
            "Real": note if share["real"] is None and note else _percent(share["real"], 1),
            "Synthetic": _percent(share["synthetic"], 1),
            **({"Held-out real": _percent(share["holdout"], 1)} if "holdout" in share else {}),
        }
        for label, share, note in bars
    ]


def _line(column: dict[str, Any]) -> dict[str, Any]:
    similarity = column.get("similarity") or {}
    return {
        "Column": column["title"],
        "Real": typical(column, "real"),
        "Synthetic": typical(column, "synthetic"),
        "Missing, real": _percent(column["missing"]["real"]),
        "Missing, synthetic": _percent(column["missing"]["synthetic"]),
        "Similarity": similarity.get("synthetic"),
        **({"Similarity, noise alone": similarity["noise"]} if "noise" in similarity
           else {"Similarity, held-out real": similarity.get("holdout")}),
    }  # fmt: skip


def typical(column: dict[str, Any], table: str) -> str:
    """Median [quartiles] of a number, the most frequent category of the others."""
    if not column["shown"]:
        return "not shown"
    if column["form"] == "histogram":
        stats = (column.get("stats") or {}).get(table) or {}
        if column["scale"] == "date" or any(stats.get(name) is None for name in ("median", "q1", "q3")):
            return "" if column["scale"] == "date" else "not shown"
        return minus(f"{stats['median']:g} [{stats['q1']:g}, {stats['q3']:g}]")
    shown = [cell for cell in column["bins"] if cell.get(table) is not None]
    if not shown:
        return "not shown"
    most = max(shown, key=lambda cell: cell[table])
    return f"{most['label']}: {most[table]:.0%}"


def _percent(share: float | None, digits: int = 0) -> str:
    return "not shown" if share is None else f"{share:.{digits}%}"


def associations(result: dict[str, Any]) -> None:
    """Three heat maps: real, synthetic, and where they differ; and SDMetrics' scores of columns and pairs."""
    if is_there(result, "associations"):
        _maps(result)
    if result["sections"]["scores"]["state"] != "pending" and is_there(result, "scores"):
        _scores(result)


def _maps(result: dict[str, Any]) -> None:
    found = result["associations"]
    if not found.get("titles"):
        st.info(told(found.get("reason") or "Not assessable: there are too few real patients to show associations."))
        return
    st.caption(told(found["measure"]))
    places = (*st.columns(2), st.container())
    for place, which in zip(places, ("real", "synthetic", "difference"), strict=True):
        figure, text = studio().comparison.association(result, which, dark=is_dark())
        place.plotly_chart(figure, width="stretch", theme=None, key=f"association-{which}", alt=text)
    pairs = _pairs(found)
    with st.expander("The same as a table"):
        if len(pairs) > _MOST_PAIRS:
            st.caption(f"The {_MOST_PAIRS} pairs that differ most, of {len(pairs):,}.")
        st.dataframe(
            pd.DataFrame(pairs[:_MOST_PAIRS], columns=["Column", "And", "Real", "Synthetic", "Difference"]),
            hide_index=True, key="pairs",
            column_config={
                name: st.column_config.TextColumn(alignment="right") for name in ("Real", "Synthetic", "Difference")
            },
            alt="Association of each pair of columns in real and synthetic rows, the largest difference first",
        )  # fmt: skip


def _pairs(found: dict[str, Any]) -> list[tuple[str, str, str, str, str]]:
    """Titles and figures of every pair of columns, the largest difference first, what is not assessable last."""
    titles, difference = found["titles"], found["difference"]
    places = [(i, j) for i in range(len(titles)) for j in range(i)]
    gaps = {place: difference[place[0]][place[1]] for place in places}
    places.sort(key=lambda place: (gaps[place] is None, -abs(gaps[place] or 0.0)))
    return [
        (titles[j], titles[i], _signed(found["real"][i][j]), _signed(found["synthetic"][i][j]), _signed(gaps[i, j]))
        for i, j in places
    ]


def _signed(value: float | None) -> str:
    return "not assessable" if value is None else minus(f"{value:.2f}")


def outline() -> None:
    """Where the first picture will be: the browser loads what draws charts while the worker computes."""
    st.plotly_chart(studio().comparison.outline(dark=is_dark()), width="stretch", theme=None, key="outline",
                    alt="The first picture is on its way")  # fmt: skip
