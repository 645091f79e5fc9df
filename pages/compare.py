"""Compare: real beside synthetic, in aggregates."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/compare.py")

from pages.components import comparison, generation, plausibility, progress
from pages.components.state import studio

st.title("Compare")
cohort = generation.ready_cohort()
chosen = cohort.id
result = studio().comparison.result(chosen)
if result is None:
    job = studio().work.latest(chosen)
    if job is None or job.kind != "compare":
        studio().comparison.start(chosen)
    progress.follow(chosen)
    st.stop()

comparison.scores(result)
distributions, associations, rules = st.tabs(["Distributions", "Associations", "Plausibility"])
with distributions:
    comparison.distributions(result)
with associations:
    comparison.associations(result)
with rules:
    plausibility.plausibility(result)
st.caption("Real figures are aggregates: small groups are merged, single records are never shown.")
if st.button("Export this cohort", type="primary", icon=":material/download:"):
    st.switch_page("pages/export.py")
