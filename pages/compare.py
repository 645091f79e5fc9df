"""Compare: real beside synthetic, in aggregates, each section as soon as it is made."""

import streamlit as st

from engine.jobs.queue import JobState
from pages.components.entry import through_shell, turn

through_shell("pages/compare.py")

from pages.components import (
    attacks,
    comparison,
    findings,
    generation,
    guarantee,
    outcomes,
    plausibility,
    progress,
    report,
    tour,
)
from pages.components.state import studio

st.title("Compare")
tour.show("compare")
cohort = generation.ready_cohort()
chosen = cohort.id
result = studio().comparison.result(chosen)
seen = studio().comparison.made_at(chosen)
if result is None:
    job = studio().work.latest(chosen)
    # Done, and still nothing to show: made by an earlier release.
    if job is None or job.kind != "compare" or job.state is JobState.DONE:
        studio().comparison.start(chosen)
    progress.follow(chosen, changed=lambda: studio().comparison.made_at(chosen) != seen)
    st.stop()

findings.cards(result)
# One place, whether something is in it or not: the tabs below would otherwise jump back to the first one.
with st.container():
    if findings.is_unfinished(result):
        progress.follow(chosen, changed=lambda: studio().comparison.made_at(chosen) != seen)
    findings.notes(result)

tabs = st.tabs(["Table 1", "Distributions", "Associations", "Tell apart", "Conclusions", "Privacy", "Plausibility"])
with tabs[0]:
    findings.table_one(result)
with tabs[1]:
    comparison.distributions(result)
with tabs[2]:
    comparison.associations(result)
with tabs[3]:
    findings.detection(result)
with tabs[4]:
    outcomes.conclusions(result, chosen)
with tabs[5]:
    guarantee.statement(chosen, on_real_rows=not findings.is_of_summary(result))
    attacks.privacy(result)
with tabs[6]:
    plausibility.plausibility(result)
if not findings.is_of_summary(result):
    st.caption("Real figures are aggregates: small groups are merged, single records are never shown.")
with st.container(horizontal=True):
    st.button("Export this cohort", type="primary", icon=":material/download:", on_click=turn,
              args=("pages/export.py",))  # fmt: skip
    if findings.has_failed(result) and st.button("Compare again", icon=":material/refresh:", key="again"):
        studio().comparison.start(chosen)
        st.rerun()
report.compared(chosen)
