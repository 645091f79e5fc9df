"""The dashboard's shell: navigation, the bar that stays, and one place where errors become sentences."""

import streamlit as st

from pages.components import shell

st.set_page_config(page_title="Cohort Studio", page_icon="assets/icon.png", layout="wide")
shell.guard()
page = st.navigation(shell.pages(), position="top")
shell.run(page)
