"""Start: say which patients are needed; what is ready to answer, one's own data, and where one left off."""

import streamlit as st

from pages.components.entry import through_shell

through_shell("pages/start.py")

from pages.components import earlier_work, own_data, ready_made, tour

st.title("Synthetic patients, on request")
st.markdown(
    "Say which patients you need. You see what was understood before anything is generated, and nothing leaves this "
    "computer."
)
tour.show("start")
ready_made.invitation()
ready_made.cards()
earlier_work.resume()
own_data.forms()
