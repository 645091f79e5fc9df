"""Export: take the cohort away, with its data dictionary and manifest."""

from functools import partial

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/export.py")

from pages.components import preparation
from pages.components.state import cohort_id, studio

st.title("Export")
chosen = cohort_id()
if chosen is None or studio().cohorts.get(chosen).state.value != "ready":
    st.info("Generate a cohort first.")
    st.page_link("pages/cohort.py", label="Ask for a cohort", icon=":material/groups:")
    st.stop()
cohort = studio().cohorts.get(chosen)
st.markdown(f"**{cohort.name}** — {cohort.rows:,} synthetic patients")
formats = studio().exports.formats()
cards = st.columns(len(formats))
for card, (name, format_) in zip(cards, formats.items(), strict=True):
    with card, st.container(border=True, height="stretch"):
        st.subheader(format_.label, anchor=False)
        st.caption(format_.description)
        st.download_button(
            f"Download {format_.extension}", data=partial(studio().exports.build, chosen, name),
            file_name=f"cohort-{chosen}{format_.extension}", mime=format_.mime, key=f"download-{name}",
            on_click="ignore", type="primary", icon=":material/download:",
        )  # fmt: skip
dictionary, manifest = st.tabs(["Data dictionary", "Manifest"])
with dictionary:
    preparation.dictionary(studio().exports.schema(chosen))
with manifest:
    st.json(studio().cohorts.manifest(chosen))
