"""About & privacy: what this release does and does not promise."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/about.py")

from engine.core.workspace import ASSETS

st.title("About & privacy")
# The file is shared with the chat, which quotes it by its headings; under the title they are of the second level.
st.markdown((ASSETS / "about.md").read_text(encoding="utf-8").replace("### ", "## "))
