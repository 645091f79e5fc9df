"""One request with its answer on the screen, and the buttons that act on it."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator as Place

from engine.cohort.spec import LARGE
from engine.conversation.contract import Turn
from engine.schema.table import TableSchema
from engine.services.exchanges import Conversation, Exchange
from engine.storage.conversations import Outcome
from pages.components.conversation import dialogue, markup
from pages.components.state import spec, studio
from pages.components.text import moment, plain

_TITLES = {
    Outcome.PROPOSED: "Applying this would change the form:",
    Outcome.APPLIED: "Changed in the form:",
    Outcome.UNDONE: "Undone; applying it would change the form:",
    Outcome.DROPPED: "Dropped; this would have changed the form:",
}

_AVATARS = {"user": ":material/person:", "assistant": ":material/forum:"}


def bubble(role: str) -> Place:
    """A place for what the "user" or the "assistant" says."""
    return st.chat_message(role, avatar=_AVATARS[role])


def draw(one: Exchange, talk: Conversation, schema: TableSchema) -> None:
    """Draw the request and its answer."""
    with bubble("user"):
        st.html(markup.request(one.text))
    with bubble("assistant"):
        if one.turn is None:
            st.error(plain(one.error), icon=":material/error:")
        else:
            _answer(one, one.turn, talk, schema)


def _answer(one: Exchange, turn: Turn, talk: Conversation, schema: TableSchema) -> None:
    latest = one.position == talk.exchanges[-1].position
    parts = [markup.answer(turn.answer) if turn.answer else "", markup.understanding(turn)]
    _parts(*parts, markup.ranked(turn.ranked, schema))
    for number, warning in enumerate(turn.warnings):
        st.warning(plain(warning.message), icon=":material/warning:")
        if latest and warning.actions:
            with st.container(horizontal=True, gap="small"):
                for choice, action in enumerate(warning.actions):
                    st.button(
                        plain(action.label), key=f"take-{one.position}-{number}-{choice}", icon=":material/build:",
                        on_click=dialogue.take, args=(talk.id, one.position, number, choice),
                    )  # fmt: skip
    _parts(markup.notice(turn), _difference(one, turn, talk, schema), markup.origin(turn, moment(one.at)))
    if one.outcome is not None:
        _buttons(one, one.outcome, turn, talk)


def _parts(*parts: str) -> None:
    """In one element: a long conversation is drawn anew at every click."""
    shown = "".join(f'<div class="cs-part">{part}</div>' for part in parts if part)
    if shown:
        st.html(shown)


def _difference(one: Exchange, turn: Turn, talk: Conversation, schema: TableSchema) -> str:
    if turn.spec is None or one.outcome is None:
        return ""
    # What still waits is compared with the form as it is now.
    waits = one is talk.last_proposal and one.outcome is not Outcome.APPLIED
    found = studio().conversations.changes(spec() if waits else one.before, turn.spec, schema)
    passed_over = one.outcome is Outcome.PROPOSED and not waits
    return markup.difference(found, title="Proposed, not applied:" if passed_over else _TITLES[one.outcome])


def _buttons(one: Exchange, outcome: Outcome, turn: Turn, talk: Conversation) -> None:
    at = (talk.id, one.position)
    if outcome is Outcome.APPLIED:
        if one is talk.last_applied:
            with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                st.badge("Applied", icon=":material/check:", color="green")
                st.button("Undo", key=f"undo-{one.position}", icon=":material/undo:", on_click=dialogue.undo, args=at)
    elif one is talk.last_proposal:
        with st.container(horizontal=True, gap="small"):
            st.button(
                "Apply to the form", key=f"apply-{one.position}", icon=":material/check:", type="primary",
                on_click=dialogue.apply, args=at,
            )  # fmt: skip
            model = studio().training.newest_ready(talk.dataset_id)
            # What is large is confirmed beside the form.
            if model is not None and turn.spec is not None and turn.spec.patients <= LARGE:
                st.button(
                    "Apply and generate", key=f"generate-{one.position}", icon=":material/play_arrow:",
                    on_click=dialogue.apply_and_generate, args=(*at, model.id),
                )  # fmt: skip
    else:
        st.button(
            "Propose again", key=f"again-{one.position}", icon=":material/redo:", type="tertiary",
            on_click=dialogue.propose_again, args=at,
        )  # fmt: skip
