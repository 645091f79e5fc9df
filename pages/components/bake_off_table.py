"""The table of a bake-off, its chart, what its figures mean, and the file to take away."""

from typing import Any

import streamlit as st

from engine.services.bake_off import BEST, as_csv, columns, table
from pages.components.state import is_dark, studio
from pages.components.text import plain


def results(result: dict[str, Any], *, is_active: bool) -> None:
    """Everything that is made so far; ``is_active``: whether the job still works on it."""
    st.caption(":material/lock: Internal: computed on real rows, for people who may see them. Not part of an export.")
    lines = table(result, active=is_active)
    # A column of its own only where it says something: a phone is narrow.
    is_told = any(one.state for one in lines)
    shown = [
        {"Generator": one.label}
        | ({"Status": one.state} if is_told else {})
        | {info.label: one.cells[info.name] for info in columns()}
        for one in lines
    ]
    st.dataframe(
        shown, hide_index=True, key="bake-off-table", alt=_alt(result),
        column_config={
            "Generator": st.column_config.TextColumn(pinned=True, help="The ceiling and the floor frame the others."),
            "Status": st.column_config.TextColumn(help="Empty where a line is complete."),
        }
        | {info.label: st.column_config.TextColumn(help=info.meaning) for info in columns()},
    )  # fmt: skip
    st.caption(f"{BEST} the best generator's value in a column. {_about(result)}")
    for one in lines:
        if one.reason:
            st.warning(f"**{plain(one.label)}**: {plain(one.reason)}", icon=":material/warning:")
    _unknown(result)
    with st.expander("What each figure means"):
        st.markdown("\n".join(f"- **{info.label}**: {plain(info.meaning)}" for info in columns()))
    figure, text = studio().bake_offs.chart(result, dark=is_dark())
    st.plotly_chart(figure, width="stretch", theme=None, key="bake-off-chart", alt=text)
    for note in result["notes"]:
        st.caption(f":material/info: {plain(note)}")
    st.download_button(
        "Table as CSV (internal)", as_csv(result), "bake-off-internal.csv", "text/csv", on_click="ignore",
        icon=":material/download:", key="bake-off-csv",
    )  # fmt: skip


def _about(result: dict[str, Any]) -> str:
    outcome = result["outcome"]
    told = f"{result['train_rows']:,} rows learned, {result['asked']['rows']:,} drawn, seed {result['asked']['seed']}."
    if outcome is None or outcome["model_label"] is None:
        return told
    return f"{told} TSTR and TRTR: {outcome['score']} of {plain(outcome['label'])} by {outcome['model_label'].lower()}."


def _unknown(result: dict[str, Any]) -> None:
    """Why figures are not assessable, each reason once, and what else is to know of a line."""
    labels = {info.name: info.label for info in columns()}
    reasons: dict[str, list[str]] = {}
    for line in (result["ceiling"], *result["contenders"], result["floor"]):
        for name, cell in (line or {}).get("figures", {}).items():
            if cell["reason"]:
                reasons.setdefault(cell["reason"], []).append(labels[name])
        for note in (line or {}).get("notes", []):
            st.caption(f"{plain(line['label'])}: {plain(note)}")
    for reason, names in reasons.items():
        st.caption(f"{', '.join(dict.fromkeys(names))} — {plain(reason)}")


def _alt(result: dict[str, Any]) -> str:
    done = sum(line["state"] == "done" for line in result["contenders"])
    return f"Figures of {done} of {len(result['contenders'])} generators between real hold-out and shuffled columns"
