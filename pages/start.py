"""Start: where the real patients come from."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/start.py")

from engine.core.errors import UserError
from pages.components.state import choose, studio
from pages.components.text import moment, plain

st.title("Synthetic patients, on request")
st.markdown(
    "Point Cohort Studio at real records on this machine. It learns how they hang together, and you *say* which "
    "patients you need. Nothing leaves this computer."
)

folder, upload = st.columns(2, gap="large")
with folder, st.container(border=True, height="stretch"):
    st.header("MIMIC-III folder", anchor=False)
    st.caption("The full database or the open demo: 26 tables as .csv or .csv.gz, upper- or lower-case names.")
    with st.form("mimic3", border=False):
        path = st.text_input("Folder on this machine", key="mimic3_path", placeholder="/data/mimic-iii")
        opened = st.form_submit_button("Prepare this folder", type="primary", icon=":material/folder_open:")
    if opened:
        try:
            with st.spinner("Looking into the folder…"):
                record, _ = studio().datasets.add_mimic3(path)
        except UserError as error:
            st.error(str(error), icon=":material/error:")
        else:
            choose("dataset", record.id)
            st.switch_page("pages/data.py")
with upload, st.container(border=True, height="stretch"):
    st.header("Your own table", anchor=False)
    st.caption("One CSV (or .csv.gz, .parquet) with a header. You see how it was read before anything is learned.")
    file = st.file_uploader("Table", type=["csv", "gz", "tsv", "txt", "parquet"], key="upload")
    if (
        st.button("Read this table", type="primary", disabled=file is None, icon=":material/upload_file:")
        and file is not None
    ):
        try:
            with st.spinner("Reading the table…"):
                preview = studio().datasets.upload(file.name, file)
        except UserError as error:
            st.error(str(error), icon=":material/error:")
        else:
            choose("dataset", preview.dataset_id)
            st.switch_page("pages/data.py")

datasets, cohorts = studio().datasets.all(), studio().cohorts.all()
names = {record.id: record.name for record in datasets}
if cohorts:
    st.header("Recent cohorts", anchor=False)
    for cohort in cohorts[:5]:
        text, action = st.columns([6, 1], vertical_alignment="center")
        source = names.get(cohort.dataset_id, "")
        text.markdown(f"**{plain(cohort.name)}**  \n{plain(source)} · {moment(cohort.created_at)}")
        ready = cohort.state.value == "ready"
        if action.button("Compare" if ready else "Look", key=f"open-{cohort.id}", width="stretch"):
            choose("cohort", cohort.id)
            choose("dataset", cohort.dataset_id)
            st.switch_page("pages/compare.py" if ready else "pages/cohort.py")
elif any(record.state.value == "ready" for record in datasets):
    st.info("Next: train a generator on your data set, then ask for a cohort.", icon=":material/arrow_forward:")
    st.page_link("pages/train.py", label="Train a generator", icon=":material/model_training:")
