"""The ways between pages, and into one through the shell, also for the first deep link to a cold server."""

import streamlit as st


def go(page: str) -> None:
    """Turn to another page.

    A plain ``st.switch_page`` fails as soon as the address names the data set that the bar's widget is bound to; the
    widget writes it there again.
    """
    st.switch_page(page, query_params={})


def through_shell(page: str) -> None:
    """Send a page that Streamlit ran by itself (it does so once, before it has run the shell) through the shell."""
    if "_shell" not in st.session_state:
        st.session_state["_wanted"] = page
        st.switch_page("streamlit_app.py", query_params=st.query_params.to_dict())


def follow_link() -> None:
    """Turn to the page that :func:`through_shell` was asked for, once, before any widget is bound to the address."""
    page = st.session_state.pop("_wanted", None)
    if page is not None:
        st.switch_page(page, query_params=st.query_params.to_dict())
