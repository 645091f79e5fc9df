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
if result is None or not studio().comparison.has_pictures(chosen):
    job = studio().work.latest(chosen)
    # Done, and still nothing to show: made by an earlier release.
    if result is None and (job is None or job.kind != "compare" or job.state is JobState.DONE):
        studio().comparison.start(chosen)
    progress.follow(chosen, changed=lambda: studio().comparison.has_pictures(chosen))
    comparison.outline()
    st.stop()

findings.cards(result)
# One place, whether something is in it or not: the tabs below would otherwise jump back to the first one.
with st.container():
    if findings.is_unfinished(result):
        progress.follow(chosen, changed=lambda: studio().comparison.made_at(chosen) != seen)
    findings.notes(result)


def _privacy() -> None:
    guarantee.statement(chosen, on_real_rows=not findings.is_of_summary(result))
    attacks.privacy(result)


sections = {
    "Table 1": lambda: findings.table_one(result),
    "Distributions": lambda: comparison.distributions(result),
    "Associations": lambda: comparison.associations(result),
    "Tell apart": lambda: findings.detection(result),
    "Conclusions": lambda: outcomes.conclusions(result, chosen),
    "Privacy": _privacy,
    "Plausibility": lambda: plausibility.plausibility(result),
}
# Only the open one is drawn: of many columns, the charts of all take seconds.
for tab, draw in zip(st.tabs(list(sections), key="section", on_change="rerun"), sections.values(), strict=True):
    with tab:
        if tab.open:
            draw()
if not findings.is_of_summary(result):
    st.caption("Real figures are aggregates: small groups are merged, single records are never shown.")
with st.container(horizontal=True):
    st.button("Export this cohort", type="primary", icon=":material/download:", on_click=turn,
              args=("pages/export.py",))  # fmt: skip
    if findings.has_failed(result) and st.button("Compare again", icon=":material/refresh:", key="again"):
        studio().comparison.start(chosen)
        st.rerun()
report.compared(chosen)
