"""About & privacy: what this release does and does not promise."""

import streamlit as st

if "_shell" not in st.session_state:
    st.switch_page("streamlit_app.py")

from engine.core.workspace import ASSETS

st.title("About & privacy")
st.markdown((ASSETS / "about.md").read_text(encoding="utf-8"))
