"""The way into a page: through the shell, also for the first deep link to a cold server."""

import streamlit as st


def through_shell(page: str) -> None:
    """Send a page that Streamlit ran by itself (it does so once, before it has run the shell) through the shell."""
    if "_shell" not in st.session_state:
        st.session_state["_wanted"] = page
        st.switch_page("streamlit_app.py")


def wanted() -> str | None:
    """The page that :func:`through_shell` was asked for, once."""
    return st.session_state.pop("_wanted", None)
