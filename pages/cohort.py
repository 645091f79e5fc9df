"""Cohort: say which patients you need, or click them together; both edit the same request."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/cohort.py")

from pages.components import chat, form, generation, tour
from pages.components.conversation import dialogue
from pages.components.state import dataset_id, keep_spec, spec, studio, turn_to

st.title("Cohort")
tour.show("cohort")
chosen = dataset_id()
if chosen is None or studio().datasets.get(chosen).state.value != "ready":
    st.info("A cohort needs a prepared data set to follow.")
    if chosen is None:
        st.page_link("pages/start.py", label="Choose one", icon=":material/home:")
    else:
        st.page_link("pages/data.py", label="Prepare this one", icon=":material/table:")
    st.stop()
turn_to(chosen)
dialogue.follow(chosen)
schema = studio().datasets.schema(chosen)
talk, fill = st.columns([2, 3], gap="large")
with fill:
    request = form.edit(spec(), schema)
if request is not None:
    keep_spec(request)
    dialogue.keep_form(request)
with talk:
    chat.panel(chosen, schema)
if request is not None:
    with fill:
        generation.summary(chosen, request, schema)
generation.results()
