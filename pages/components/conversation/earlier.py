"""The conversations that a data set has already seen, and the one that a cohort came from."""

import streamlit as st

from engine.services.exchanges import Summary
from engine.storage.records import CohortRecord
from pages.components.conversation import dialogue, markup
from pages.components.entry import turn
from pages.components.state import conversation, studio
from pages.components.text import moment, plain

_LONGEST_TITLE = 80
_LISTED = 15
"""Of the earlier conversations; the rest come at a click, because the page is drawn anew at every change."""


def menu(dataset_id: str) -> None:
    """A new conversation, and the list of the earlier ones to reopen or delete."""
    shown = conversation()
    earlier = [one for one in studio().conversations.all(dataset_id) if shown is None or one.id != shown.id]
    with st.container(horizontal=True, gap="small", horizontal_alignment="right"):
        if shown is not None:
            st.button("New", key="new-conversation", icon=":material/add_comment:", on_click=dialogue.begin_anew,
                      help="Begin a new conversation with an empty form; this one is kept")  # fmt: skip
        with st.popover(
            "Earlier", icon=":material/history:", key="earlier", disabled=not earlier, help="Earlier conversations"
        ):
            st.markdown("**Earlier conversations**")
            listed = st.session_state.setdefault("_listed", _LISTED)
            for one in earlier[:listed]:
                _line(one)
            if len(earlier) > listed:
                st.button(f"Show more ({len(earlier) - listed})", key="more-conversations", on_click=_list_more)


def _line(one: Summary) -> None:
    with st.container(border=True, gap="xsmall", key=f"conversation-{one.id}"):
        st.button(
            plain(short(one.title)), key=f"reopen-{one.id}", type="tertiary", icon=":material/forum:",
            help="Reopen it with its form", on_click=dialogue.reopen, args=(one.id,),
        )  # fmt: skip
        requests = f"{one.requests} request{'s' if one.requests != 1 else ''}"
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            st.caption(f"{moment(one.changed_at)} · {requests}", width="content")
            if st.session_state.get("_deleting") != one.id:
                st.button(
                    "Delete", key=f"delete-{one.id}", type="tertiary", icon=":material/delete:", on_click=_ask,
                    args=(one.id,),
                )  # fmt: skip
        for cohort in one.cohorts[:3]:
            st.caption(f":material/groups: {plain(cohort.name)}")
        if len(one.cohorts) > 3:
            st.caption(f"and {len(one.cohorts) - 3} more cohorts")
        if st.session_state.get("_deleting") == one.id:
            _confirm(one.id)


def _list_more() -> None:
    st.session_state["_listed"] += _LISTED


def _confirm(id: str) -> None:
    st.caption("Its text goes for good; its cohorts stay.")
    with st.container(horizontal=True, gap="small"):
        st.button("Delete for good", key=f"really-{id}", type="primary", on_click=dialogue.delete, args=(id,))
        st.button("Keep it", key=f"keep-{id}", on_click=_ask, args=(None,))


def _ask(id: str | None) -> None:
    st.session_state["_deleting"] = id


def origin(cohort: CohortRecord) -> None:
    """The conversation that the cohort was asked for in, as a button that reopens it."""
    if cohort.conversation_id is None:
        return
    title = plain(short(studio().conversations.title(cohort.conversation_id)))
    st.button(
        f"Asked for in “{title}”", key="origin", type="tertiary", icon=":material/forum:", on_click=_return,
        args=(cohort.conversation_id,),
    )  # fmt: skip


def _return(id: str) -> None:
    dialogue.reopen(id)
    turn("pages/cohort.py")


def short(title: str) -> str:
    """A title that fits a line; the first request may be long or not kept."""
    line = " ".join(title.split()) or markup.NOT_KEPT
    return line if len(line) <= _LONGEST_TITLE else f"{line[: _LONGEST_TITLE - 1].rstrip()}…"
