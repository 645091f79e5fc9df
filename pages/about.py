"""About & privacy: what this release does and does not promise."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/about.py")

from engine.core.workspace import ASSETS

st.title("About & privacy")
st.markdown((ASSETS / "about.md").read_text(encoding="utf-8"))
