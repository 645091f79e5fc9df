"""Data: how a source was read and prepared, in counts and pictures; no row is shown."""

import pandas as pd
import streamlit as st

from pages.components.entry import through_shell, turn

through_shell("pages/data.py")

from pages.components import preparation, progress, shipped
from pages.components.state import dataset_id, is_dark, studio
from pages.components.text import plain

st.title("Data")
chosen = dataset_id()
if chosen is None:
    st.info("No data set yet. Choose a MIMIC-III folder or upload a table.")
    st.page_link("pages/start.py", label="Go to Start", icon=":material/home:")
    st.stop()
record = studio().datasets.get(chosen)
preview = studio().datasets.preview(chosen)
if preview is not None:
    preparation.confirm(record, preview)
    st.stop()
if record.state.value != "ready":
    st.markdown(f"**{plain(record.name)}**")
    if studio().work.latest(chosen) is None:
        st.info("This table was never read to its end. Upload it again.")
        st.page_link("pages/start.py", label="Go to Start", icon=":material/home:")
    progress.follow(chosen)
    st.stop()

summary, profile = studio().datasets.summary(chosen), studio().datasets.profile(chosen)
with st.container(horizontal=True, vertical_alignment="center"):
    st.metric("Patients", f"{'' if summary is None else 'about '}{record.patients or 0:,}")
    if summary is None:
        st.metric("Rows", f"{record.rows or 0:,}")
    st.metric("Columns", f"{record.columns or 0:,}")
    if summary is not None:
        st.button("Ask for a cohort", type="primary", icon=":material/groups:", on_click=turn,
                  args=("pages/cohort.py",))  # fmt: skip
    else:
        st.button("Train a generator", type="primary", icon=":material/model_training:", on_click=turn,
                  args=("pages/train.py",))  # fmt: skip

if summary is not None:
    shipped.about_summary(summary)
table_tab, report_tab = st.tabs(
    ["Patient table", "Preparation report"] if summary is None else ["Private summary", "Model card"]
)
with table_tab:
    st.caption(
        "Every column of the prepared table in aggregates; tick one to see its distribution. "
        "Small groups of patients are merged or left out."
        if summary is None
        else "Every column as it was counted with noise; tick one to see its distribution."
    )
    overview = pd.DataFrame([preparation.overview_row(column) for column in profile])
    event = st.dataframe(
        overview, hide_index=True, height=420, key="overview", on_select="rerun", selection_mode="single-row",
        column_config={"Recorded": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1)},
        alt="Columns of the prepared table with kind, unit, share recorded and typical values",
    )  # fmt: skip
    selected = event.selection.rows[0] if event.selection.rows else 0
    column = profile[selected]
    if column["shown"]:
        figure, text = studio().comparison.profile(column, dark=is_dark())
        st.plotly_chart(figure, width="stretch", theme=None, key="profile", alt=text)
    else:
        st.caption(plain(f"{column['title']}: {column['reason']}"))
with report_tab:
    if summary is None:
        preparation.show_report(studio().datasets.report(chosen))
    else:
        shipped.card(chosen)
