"""The Conclusions section of the Compare page: the usual outcomes, and any that the user picks."""

from typing import Any

import streamlit as st

from pages.components import progress
from pages.components.findings import is_there, with_interval
from pages.components.state import is_dark, studio
from pages.components.text import plain


def conclusions(result: dict[str, Any], cohort_id: str) -> None:
    """One outcome: would a conclusion change, do models predict as well, and how time passes until the event."""
    is_made = is_there(result, "conclusions")
    made = {one["outcome"]["key"]: one for one in result["conclusions"]["outcomes"]} if is_made else {}
    labels = studio().comparison.outcomes(cohort_id)
    if not labels:
        st.info("Not assessable: no column of the cohort can be an outcome.")
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
    st.subheader("Would my conclusion change?", anchor=False)
    if entry["reason"]:
        st.info(entry["reason"])
        return
    st.markdown(plain(entry["sentence"]))
    figure, text = studio().comparison.forest(entry, dark=is_dark())
    st.plotly_chart(figure, width="stretch", theme=None, key="forest", alt=text)
    with st.expander("The same as a table"):
        st.dataframe(
            [
                {
                    "Covariate": term["label"],
                    f"Real: {entry['effect']} [95 % interval]": with_interval(term['real']),
                    "Synthetic": with_interval(term['synthetic']),
                    "Interval overlap": term["overlap"],
                    "Conclusion": term["verdict"],
                }
                for term in entry["terms"]
            ],
            hide_index=True, key="effects", alt="Effects on real and on synthetic rows",
        )  # fmt: skip
    _left_out([*entry["dropped"], *entry["excluded"]], entry["notes"])


def _prediction(entry: dict[str, Any]) -> None:
    st.subheader("Do models learned from it predict real patients?", anchor=False)
    if entry["reason"]:
        st.info(entry["reason"])
        return
    st.markdown(plain(entry["sentence"]))
    st.dataframe(
        [
            {
                "Model": model["label"],
                "Score": figure["label"],
                "Learned from synthetic [95 % interval]": with_interval(figure['synthetic']),
                "Learned from real": with_interval(figure['real']),
                "Difference": with_interval(figure['difference']),
            }
            for model in entry["models"].values()
            for figure in model["figures"].values()
        ],
        hide_index=True, key="prediction", alt="Scores of models on held-out real patients, by what they learned from",
    )  # fmt: skip
    if entry["outcome"]["kind"] == "binary":
        for name, model in entry["models"].items():
            figure, text = studio().comparison.calibration(entry, name, dark=is_dark())
            st.caption(plain(model["label"]))
            st.plotly_chart(figure, width="stretch", theme=None, key=f"calibration-{name}", alt=text)
    _left_out(entry["excluded"], entry["notes"])


def _survival(entry: dict[str, Any]) -> None:
    st.subheader("Time to the event", anchor=False)
    if entry["reason"]:
        st.info(entry["reason"])
        return
    st.markdown(plain(entry["sentence"]))
    figure, text = studio().comparison.survival(entry, dark=is_dark())
    st.plotly_chart(figure, width="stretch", theme=None, key="survival", alt=text)
    with st.expander("The same as a table"):
        st.dataframe(
            [
                {"Time": point["time"]}
                | {
                    name: with_interval(point[table])
                    for table, name in (("real", "Real"), ("synthetic", "Synthetic"))
                }
                for point in entry["curve"]
            ],
            hide_index=True, key="curve", alt="Share without the event over time",
        )  # fmt: skip
    _left_out([], entry["notes"])


def _left_out(excluded: list[dict[str, str]], notes: list[str]) -> None:
    if excluded:
        st.caption(plain("Left out: " + "; ".join(f"{one['label']} ({one['reason']})" for one in excluded) + "."))
    for note in notes:
        st.caption(plain(note))
