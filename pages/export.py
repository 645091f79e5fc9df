"""Export: take the cohort away, with its data dictionary and manifest."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/export.py")

from pages.components import downloads, generation, guarantee, preparation, report, tour
from pages.components.state import studio

st.title("Export")
tour.show("export")
cohort = generation.ready_cohort()
chosen = cohort.id
st.markdown(
    "Each file holds the synthetic rows, their data dictionary and a manifest of what was asked for, what made it and "
    "what is promised of each patient; it holds no real row and nothing of the comparison"
    + ("." if report.is_of_summary(chosen) else ", which is computed on real rows.")
)
guarantee.of_export(chosen)
downloads.offer(cohort)
report.exported(chosen)
dictionary, manifest = st.tabs(["Data dictionary", "Manifest"])
with dictionary:
    preparation.dictionary(studio().exports.schema(chosen))
with manifest:
    st.json(studio().exports.manifest(chosen))
