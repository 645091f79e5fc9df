"""Bake-off: several generators on the same patients, in one table."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/bake_off.py")

from engine.core.errors import UserError
from pages.components import bake_off_setup, bake_off_table, progress, shipped
from pages.components.state import dataset_id, studio, take_choice
from pages.components.text import moment, plain

st.title("Bake-off")
chosen = dataset_id()
if chosen is None or studio().datasets.get(chosen).state.value != "ready":
    st.info("A bake-off needs a prepared data set.")
    st.page_link("pages/data.py" if chosen else "pages/start.py", label="Prepare one", icon=":material/table:")
    st.stop()
record = studio().datasets.get(chosen)
if shipped.is_shipped(record):
    shipped.nothing_to_compare(record)
    st.stop()
try:
    learned = studio().bake_offs.training_rows(chosen)
except UserError as error:
    st.info(str(error), icon=":material/info:")
    st.stop()
st.markdown(
    f"Which generator suits **{plain(record.name)}**? Each learns the same {learned:,} rows with the same seed, "
    "draws as many synthetic rows, and is held against the same real patients that none of them has seen."
)
made = {one.id: one for one in studio().bake_offs.all(chosen)}
with st.expander("New bake-off", expanded=not made, icon=":material/add:", key="bake-off-new"):
    bake_off_setup.setup(record, running=any(one.job.is_active for one in made.values()))
if not made:
    st.stop()

take_choice("bake_off", list(made))
if st.session_state.get("bake_off") not in made:
    st.session_state["bake_off"] = next(iter(made))
if len(made) > 1:
    st.selectbox(
        "Results of", list(made), key="bake_off",
        format_func=lambda key: f"{moment(made[key].made_at)} · {len(made[key].labels)} generators · {key}",
    )  # fmt: skip
shown = st.session_state["bake_off"]
seen, result = studio().bake_offs.made_at(shown), studio().bake_offs.result(shown)
# One place, whether something is in it or not: what is below stays as it is when the job ends.
with st.container():
    progress.follow(shown, changed=lambda: studio().bake_offs.made_at(shown) != seen)
if result is not None:
    bake_off_table.results(result, is_active=made[shown].job.is_active)
