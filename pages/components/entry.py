"""The ways between pages, and into one through the shell, also for the first deep link to a cold server."""

import streamlit as st

_WANTED = "_wanted"


def turn(page: str) -> None:
    """Turn to another page; a button's callback, because a redraw in between can lose a click but no callback."""
    st.session_state[_WANTED] = (page, {})


def go(page: str) -> None:
    """Turn to another page at once.

    A plain ``st.switch_page`` fails as soon as the address names the data set that the bar's widget is bound to; the
    widget writes it there again.
    """
    st.switch_page(page, query_params={})


def through_shell(page: str) -> None:
    """Send a page that Streamlit ran by itself (it does so once, before it has run the shell) through the shell."""
    if "_shell" not in st.session_state:
        st.session_state[_WANTED] = (page, st.query_params.to_dict())
        st.switch_page("streamlit_app.py", query_params=st.query_params.to_dict())
    follow()


def follow() -> None:
    """Turn to the page that a callback or a link to a cold server wants, once."""
    if (wanted := st.session_state.pop(_WANTED, None)) is not None:
        page, query = wanted
        st.switch_page(page, query_params=query)
