"""The Conclusions section of the Compare page: the usual outcomes, and any that the user picks."""

from typing import Any

import plotly.graph_objects as go
import streamlit as st

from pages.components import progress
from pages.components.findings import is_there, with_interval
from pages.components.state import is_dark, studio
from pages.components.text import told


def conclusions(result: dict[str, Any], cohort_id: str) -> None:
    """One outcome: would a conclusion change, do models predict as well, and how time passes until the event."""
    is_made = is_there(result, "conclusions")
    made = {one["outcome"]["key"]: one for one in result["conclusions"]["outcomes"]} if is_made else {}
    labels = studio().comparison.outcomes(cohort_id)
    if not labels:
        reason = result["conclusions"]["reason"] if is_made else ""
        st.info(told(reason or "Not assessable: no column of the cohort can be an outcome."))
        return
    keys = [*(key for key in made if key in labels), *(key for key in labels if key not in made)]
    key = st.selectbox("Outcome", keys, key="outcome", format_func=lambda one: labels[one]) or keys[0]
    entry = made.get(key) or studio().comparison.outcome(cohort_id, key)
    if entry is None:
        subject = studio().comparison.outcome_subject(cohort_id, key)
        if studio().work.latest(subject) is not None:
            progress.follow(subject)
            return
        st.caption("Regression and prediction on real and on synthetic rows; it takes some seconds.")
        if st.button("Analyse this outcome", type="primary", icon=":material/analytics:", key="analyse"):
            studio().comparison.start_outcome(cohort_id, key)
            st.rerun()
        return
    _effects(entry["conclusion"])
    if entry["survival"] is not None:
        _survival(entry["survival"])
    if entry["utility"] is not None:
        _prediction(entry["utility"])


def _effects(entry: dict[str, Any]) -> None:
    if not _opened("Would my conclusion change?", entry):
        return
    rows = [
        {
            "Covariate": term["label"],
            f"Real: {entry['effect']} [95 % interval]": with_interval(term["real"]),
            "Synthetic": with_interval(term["synthetic"]),
            "Interval overlap": term["overlap"],
            "Conclusion": term["verdict"],
        }
        for term in entry["terms"]
    ]
    _drawn(studio().comparison.forest(entry, dark=is_dark()), rows, "effects", "Effects on real and on synthetic rows")
    _left_out([*entry["dropped"], *entry["excluded"]], entry["notes"])


def _prediction(entry: dict[str, Any]) -> None:
    if not _opened("Do models learned from it predict real patients?", entry):
        return
    st.dataframe(
        [
            {
                "Model": model["label"],
                "Score": figure["label"],
                "Learned from synthetic [95 % interval]": with_interval(figure["synthetic"]),
                "Learned from real": with_interval(figure["real"]),
                "Difference": with_interval(figure["difference"]),
            }
            for model in entry["models"].values()
            for figure in model["figures"].values()
        ],
        hide_index=True, key="prediction", alt="Scores of models on held-out real patients, by what they learned from",
    )  # fmt: skip
    if entry["outcome"]["kind"] == "binary":
        for name, model in entry["models"].items():
            st.caption(told(model["label"]))
            drawn = studio().comparison.calibration(entry, name, dark=is_dark())
            text = f"Predicted and observed shares of the event by {model['label']}"
            _drawn(drawn, _calibrated(model), f"calibration-{name}", text)
    _left_out(entry["excluded"], entry["notes"])


def _calibrated(model: dict[str, Any]) -> list[dict[str, Any]]:
    """The points of a calibration curve as lines of a table."""
    return [
        {
            "Learned from": f"{table} rows",
            "Predicted": f"{one['predicted']:.1%}",
            "Observed [95 % interval]": f"{one['observed']:.1%} [{one['low']:.1%}, {one['high']:.1%}]",
            "Held-out rows": one["rows"],
        }
        for table in ("real", "synthetic")
        for one in model["calibration"].get(table, {"bins": []})["bins"]
    ]


def _survival(entry: dict[str, Any]) -> None:
    if not _opened("Time to the event", entry):
        return
    rows = [
        {"Time": point["time"], "Real": with_interval(point["real"]), "Synthetic": with_interval(point["synthetic"])}
        for point in entry["curve"]
    ]
    drawn = studio().comparison.survival(entry, dark=is_dark())
    _drawn(drawn, rows, "survival", "Share without the event over time")
    _left_out([], entry["notes"])


def _opened(title: str, entry: dict[str, Any]) -> bool:
    """The part's title and its finding; or why it has none, and False."""
    st.subheader(title, anchor=False)
    if entry["reason"]:
        st.info(told(entry["reason"]))
        return False
    st.markdown(told(entry["sentence"]))
    return True


def _drawn(drawn: tuple[go.Figure, str], rows: list[dict[str, Any]], key: str, alt: str) -> None:
    """A chart with its sentence, and the same figures as a table."""
    figure, text = drawn
    st.plotly_chart(figure, width="stretch", theme=None, key=f"chart-{key}", alt=text)
    if rows:
        with st.expander("The same as a table"):
            st.dataframe(rows, hide_index=True, key=key, alt=alt)


def _left_out(excluded: list[dict[str, str]], notes: list[str]) -> None:
    if excluded:
        st.caption(told("Left out: " + "; ".join(f"{one['label']} ({one['reason']})" for one in excluded) + "."))
    for note in notes:
        st.caption(told(note))
