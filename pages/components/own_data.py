"""The Start page's forms for one's own data: a MIMIC-III folder, the open demo, an upload."""

import streamlit as st

from engine.core.errors import UserError
from engine.sources.open_datasets import MIMIC3_DEMO
from pages.components.entry import go
from pages.components.state import choose, studio


def forms() -> None:
    """A MIMIC-III folder beside a table of one's own."""
    st.header("Your own data", anchor=False)
    folder, upload = st.columns(2, gap="large")
    with folder, st.container(border=True, height="stretch"):
        _folder()
        _demo()
    with upload, st.container(border=True, height="stretch"):
        _upload()


def _folder() -> None:
    st.subheader("MIMIC-III folder", anchor=False)
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
            go("pages/data.py")


def _demo() -> None:
    with st.expander("No folder? Fetch the open demo (100 patients)", icon=":material/download:"):
        st.caption(
            f"[{MIMIC3_DEMO.title}]({MIMIC3_DEMO.page}), {MIMIC3_DEMO.licence}, about 100 MB from PhysioNet. Every "
            "file is checked against the publisher's checksums. 100 patients are too few for a private model."
        )
        if st.button("Fetch and prepare it", key="fetch-demo", icon=":material/cloud_download:"):
            record, _ = studio().datasets.fetch_demo()
            choose("dataset", record.id)
            go("pages/data.py")


def _upload() -> None:
    st.subheader("Your own table", anchor=False)
    st.caption("One CSV (or .csv.gz, .parquet) with a header. You see how it was read before anything is learned.")
    file = st.file_uploader("Table", type=["csv", "gz", "tsv", "txt", "parquet"], key="upload")
    pressed = st.button("Read this table", type="primary", disabled=file is None, icon=":material/upload_file:")
    if pressed and file is not None:
        try:
            with st.spinner("Reading the table…"):
                preview = studio().datasets.upload(file.name, file)
        except UserError as error:
            st.error(str(error), icon=":material/error:")
        else:
            choose("dataset", preview.dataset_id)
            go("pages/data.py")
