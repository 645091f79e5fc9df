"""Start: where the real patients come from."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/start.py")

from engine.core.errors import DataError
from pages.components.state import choose, studio

st.title("Synthetic patients you can share")
st.markdown(
    "Point Cohort Studio at real records on this machine. It learns how they hang together, and you *say* which "
    "patients you need. Nothing leaves this computer."
)

folder, upload = st.columns(2, gap="large")
with folder, st.container(border=True, height="stretch"):
    st.subheader("MIMIC-III folder", anchor=False)
    st.caption("The full database or the open demo: 26 tables as .csv or .csv.gz, upper- or lower-case names.")
    with st.form("mimic3", border=False):
        path = st.text_input("Folder on this machine", key="mimic3_path", placeholder="/data/mimic-iii")
        opened = st.form_submit_button("Prepare this folder", type="primary", icon=":material/folder_open:")
    if opened:
        try:
            record, _ = studio().datasets.add_mimic3(path)
        except DataError as error:
            st.error(str(error), icon=":material/error:")
        else:
            choose("dataset", record.id)
            st.switch_page("pages/data.py")
with upload, st.container(border=True, height="stretch"):
    st.subheader("Your own table", anchor=False)
    st.caption("One CSV (or .csv.gz, .parquet) with a header. You see how it was read before anything is learned.")
    file = st.file_uploader("Table", type=["csv", "gz", "tsv", "txt", "parquet"], key="upload")
    if st.button("Read this table", disabled=file is None, icon=":material/upload_file:") and file is not None:
        try:
            preview = studio().datasets.upload(file.name, file)
        except DataError as error:
            st.error(str(error), icon=":material/error:")
        else:
            choose("dataset", preview.dataset_id)
            st.switch_page("pages/data.py")

datasets, cohorts = studio().datasets.all(), studio().cohorts.all()
if cohorts:
    st.subheader("Recent cohorts", anchor=False)
    for cohort in cohorts[:5]:
        text, action = st.columns([6, 1], vertical_alignment="center")
        text.markdown(f"**{cohort.name}**  \n{cohort.state.value} · {cohort.created_at:%d %b %Y, %H:%M}")
        if action.button("Compare", key=f"open-{cohort.id}", disabled=cohort.state.value != "ready"):
            choose("cohort", cohort.id)
            choose("dataset", cohort.dataset_id)
            st.switch_page("pages/compare.py")
elif datasets:
    st.info("Next: train a generator on your data set, then ask for a cohort.", icon=":material/arrow_forward:")
