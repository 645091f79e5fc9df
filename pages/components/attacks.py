"""The attacks of the Compare page, each beside the same attack on held-out patients."""

from typing import Any

import streamlit as st

from pages.components.findings import figure_text, interval_text, is_there, with_interval
from pages.components.state import is_dark, studio
from pages.components.text import told

_VERDICTS = {"leak": "a leak", "none_found": "no leak found", "too_weak": "the attack cannot say"}
_RISKS = {
    "attribute": ("Attribute inference", "Guesses one value of a patient from all the others."),
    "singling_out": ("Singling out", "Finds conditions that exactly one training patient meets."),
    "copies": ("Exact copies", "Synthetic rows that equal a training row in every column."),
}


def privacy(result: dict[str, Any]) -> None:
    """All risks in one chart, membership inference, then the other attacks, and what they are worth."""
    if not is_there(result, "privacy"):
        return
    found = result["privacy"]
    if found["reason"]:
        st.info(told(found["reason"]))
        return
    st.caption("What an attack finds is a leak; what none of them finds is not proof. Only a formal guarantee is.")
    figure, text = studio().comparison.attacks(found, dark=is_dark())
    st.plotly_chart(figure, width="stretch", theme=None, key="attacks", alt=text)
    with st.expander("The same as a table"):
        st.dataframe(
            [
                {
                    "Attack": row["label"],
                    "Risk beyond the control [95 % interval]": with_interval(row["risk"] | {"reason": row["reason"]}),
                    "What the control spans": with_interval(row["chance"] | {"reason": row["reason"]}),
                    "Verdict": row["verdict"],
                }
                for row in studio().comparison.attack_rows(found)
            ],
            hide_index=True, key="risks", alt="Every attack's risk beyond its control, 0 none to 1 certain",
        )  # fmt: skip
    st.subheader("Membership inference", anchor=False)
    _membership(found["membership"])
    for name, (title, meaning) in _RISKS.items():
        st.subheader(title, anchor=False)
        st.caption(meaning)
        _risk(found[name], title)
    secrets = found["attribute"].get("secrets", [])
    if secrets:
        with st.expander("Attribute inference by column"):
            st.dataframe(
                [{"Value guessed": one["label"]} | _line(one) for one in secrets],
                hide_index=True, key="secrets", alt="Attribute inference for each column",
            )  # fmt: skip
    closest = found["closest"]
    if not closest["reason"]:
        st.subheader("Distance to the closest record", anchor=False)
        distances = [f"{name} {closest[table]['median']:.3f}" for table, name in
                     (("training", "training patients"), ("holdout", "held-out patients"))]  # fmt: skip
        st.caption(told(f"Median, in ranges per column: {', '.join(distances)}. {closest['sentence']}"))
    for note in found["sampled"]:
        st.caption(told(note))


def _membership(entry: dict[str, Any]) -> None:
    if entry["reason"]:
        st.info(told(entry["reason"]))
        return
    for name, title in (("all", "All patients"), ("rarest", "The rarest patients")):
        group = entry["groups"][name]
        if group["reason"]:
            st.caption(told(f"{title}: {group['reason']}"))
            continue
        with st.container(border=True):
            area = group["auc"][entry["headline"]]
            st.metric(f"{title}: AUC", figure_text(area), help="0.5 is guessing, 1 is certainty.")
            beside = f"{interval_text(area)} · among held-out patients {figure_text(group['control'])}"
            st.caption(beside)
            st.markdown(f"**{_VERDICTS[group['verdict']].capitalize()}.** {told(group['sentence'])}")
    groups = {name: group for name, group in entry["groups"].items() if not group["reason"]}
    with st.expander("Every membership score"):
        st.dataframe(
            [
                {"Score": words, "Patients": "all" if name == "all" else "rarest", "AUC": figure_text(area),
                 "Interval": interval_text(area)}
                for name, group in groups.items()
                for words, area in ((entry["scores"][one], group["auc"][one]) for one in entry["scores"])
            ],
            hide_index=True, key="membership", alt="Areas under the ROC curve of each membership score",
        )  # fmt: skip


def _risk(entry: dict[str, Any], title: str) -> None:
    if entry["reason"]:
        st.info(told(entry["reason"]))
        return
    st.markdown(f"**{_VERDICTS[entry['verdict']].capitalize()}.** {told(entry['sentence'])}")
    st.dataframe([_line(entry)], hide_index=True, key=f"risk-{title}", alt=f"{title}: rates and risk")


def _line(entry: dict[str, Any]) -> dict[str, str]:
    baseline = entry["baseline"]
    return {
        "Training patients": entry["attack"]["text"],
        "Held-out patients": entry["control"]["text"],
        "Without the cohort": "" if baseline is None else baseline["text"],
        "Risk": figure_text(entry["risk"]),
        "Interval": interval_text(entry["risk"]),
        "Verdict": _VERDICTS[entry["verdict"]],
    }
