"""Export: take the cohort away, with its data dictionary and manifest."""

from functools import partial

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/export.py")

from pages.components import generation, guarantee, preparation, report, tour
from pages.components.state import studio

st.title("Export")
tour.show("export")
chosen = generation.ready_cohort().id
st.markdown(
    "Each file holds the synthetic rows, their data dictionary and a manifest of what was asked for, what made it and "
    "what is promised of each patient; it holds no real row and nothing of the comparison, which is computed on real "
    "rows."
)
guarantee.of_export(chosen)
formats = studio().exports.formats()
cards = st.columns(len(formats))
for card, (name, format_) in zip(cards, formats.items(), strict=True):
    with card, st.container(border=True, height="stretch"):
        st.header(format_.label, anchor=False)
        st.caption(format_.description)
        st.download_button(
            f"Download {format_.extension}", data=partial(studio().exports.build, chosen, name),
            file_name=f"cohort-{chosen}{format_.extension}", mime=format_.mime, key=f"download-{name}",
            on_click="ignore", type="primary", icon=":material/download:",
        )  # fmt: skip
report.exported(chosen)
dictionary, manifest = st.tabs(["Data dictionary", "Manifest"])
with dictionary:
    preparation.dictionary(studio().exports.schema(chosen))
with manifest:
    st.json(studio().exports.manifest(chosen))
